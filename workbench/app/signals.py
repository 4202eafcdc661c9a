"""The signals with which a system ends programs."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable

from PySide6.QtCore import QObject, QSocketNotifier, Slot


class Signals(QObject):
    """SIGTERM, SIGINT and SIGHUP close the window as its button does: drafts are kept."""

    def __init__(self, close: Callable[[], object], parent: QObject) -> None:
        super().__init__(parent)
        self._close = close
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._old_fd = signal.set_wakeup_fd(self._writer.fileno())
        self._notifier = QSocketNotifier(self._reader.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._came)
        names = ("SIGTERM", "SIGINT", "SIGHUP")
        self._old = {}
        for name in names:
            number = getattr(signal, name, None)
            if number is not None:
                self._old[number] = signal.signal(number, lambda _number, _frame: None)

    @Slot()
    def _came(self) -> None:
        self._reader.recv(16)
        self._close()

    def restore(self) -> None:
        signal.set_wakeup_fd(self._old_fd)
        for number, handler in self._old.items():
            signal.signal(number, handler)
        self._notifier.setEnabled(False)
        self._reader.close()
        self._writer.close()
