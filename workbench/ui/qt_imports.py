"""Modules that use Qt are imported on the UI thread, one in each turn of the event loop; a thread goes ahead with what
they need that knows nothing of Qt.

PySide makes its classes when they are first asked for, and adds them to a table that Qt's own code reads without
Python's lock, whenever it calls `metaObject()` of a widget made in Python; a screen reader makes it do that all the
time. An import in another thread can end the process by signal 11 there.
"""

from __future__ import annotations

import contextlib
import importlib
import threading
import time
from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, QTimer, Signal, Slot


class Imports(QObject):
    """Emits `done` when all are imported, or `failed` with the exception, both on the UI thread. Once only."""

    done = Signal()
    failed = Signal(object)
    _ahead = Signal(object)
    _also_failed = Signal(object)

    def __init__(
        self,
        qt_free: Sequence[str],
        modules: Sequence[str],
        parent: QObject,
        *,
        pause_ms: int = 0,
        also: Callable[[], object] | None = None,
    ) -> None:
        """`qt_free` come first, in a thread, which does `also()` afterwards; `modules` follow, the needed ones before
        those that need them. `pause_ms`: between two of them, for what the user does meanwhile."""
        super().__init__(parent)
        self._qt_free, self._also = tuple(qt_free), also
        self._modules = list(modules)
        self._pause_ms = pause_ms
        self._ahead.connect(self._go_on)
        self._also_failed.connect(self._tell_failure)

    def start(self) -> None:
        threading.Thread(target=self._import_ahead, name="imports", daemon=True).start()

    def _import_ahead(self) -> None:
        error: BaseException | None = None
        try:
            for name in self._qt_free:
                with contextlib.suppress(ImportError):  # told by the module that needs it
                    importlib.import_module(name)
                time.sleep(self._pause_ms / 1000)
        except BaseException as raised:
            error = raised
        with contextlib.suppress(RuntimeError):  # the window is gone already
            self._ahead.emit(error)
            try:
                if self._also is not None and error is None:
                    self._also()
            except Exception as raised:
                self._also_failed.emit(raised)

    @Slot(object)
    def _tell_failure(self, error: BaseException) -> None:
        self.failed.emit(error)

    @Slot(object)
    def _go_on(self, error: BaseException | None) -> None:
        if error is not None:
            self.failed.emit(error)
        else:
            self._next()

    @Slot()
    def _next(self) -> None:
        if not self._modules:
            self.done.emit()
            return
        try:
            importlib.import_module(self._modules.pop(0))
        except Exception as error:
            self.failed.emit(error)
            return
        QTimer.singleShot(self._pause_ms, self, self._next)
