"""Catches what should not happen: our own exceptions in any thread, Qt's warnings, and crashes of the process.

A report is written and shown; the program goes on.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from PySide6.QtCore import QMessageLogContext, QObject, QtMsgType, Signal, Slot, qInstallMessageHandler

from workbench.core.paths import Paths
from workbench.services.crash import write_crash_report

_log = logging.getLogger("workbench.crash")
_qt_log = logging.getLogger("workbench.qt")
_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}


class CrashReporter(QObject):
    """Installed once by the composition root. `reported` comes on the UI thread with the report's path."""

    reported = Signal(object)
    _wake = Signal()

    def __init__(self, paths: Paths, doing: Callable[[], str], parent: QObject | None = None) -> None:
        """`doing` says what the user was at (the place in the window), for the report."""
        super().__init__(parent)
        self._paths = paths
        self._doing = doing
        self._reports: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self._busy = threading.local()
        self._fault_log: IO[str] | None = None
        self._before: tuple[Any, Any] = (sys.excepthook, threading.excepthook)
        self._wake.connect(self._deliver)

    def install(self) -> None:
        sys.excepthook = self._on_exception
        threading.excepthook = self._on_thread_exception
        qInstallMessageHandler(self._on_qt_message)
        with contextlib.suppress(OSError):
            self._paths.logs.mkdir(parents=True, exist_ok=True)
            self._fault_log = (self._paths.logs / "fault.log").open("a", encoding="utf-8")
            faulthandler.enable(self._fault_log)

    def uninstall(self) -> None:
        sys.excepthook, threading.excepthook = self._before
        qInstallMessageHandler(None)
        if self._fault_log is not None:
            faulthandler.disable()
            self._fault_log.close()
            self._fault_log = None

    def _on_exception(self, _kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        self._report(error)

    def _on_thread_exception(self, arguments: Any) -> None:
        if arguments.exc_value is not None and not isinstance(arguments.exc_value, SystemExit):
            self._report(arguments.exc_value)

    def _report(self, error: BaseException) -> None:
        if isinstance(error, KeyboardInterrupt) or getattr(self._busy, "value", False):
            return
        self._busy.value = True
        try:
            _log.error("Unexpected error", exc_info=error)
            self._reports.put(write_crash_report(error, self._paths, doing=self._doing()))
            self._wake.emit()
        finally:
            self._busy.value = False

    def _on_qt_message(self, kind: QtMsgType, context: QMessageLogContext, message: str) -> None:
        _qt_log.log(_LEVELS.get(kind, logging.WARNING), "%s", message)
        if kind in (QtMsgType.QtCriticalMsg, QtMsgType.QtFatalMsg):
            print(message, file=sys.stderr)  # noqa: T201  (the process may end before the log is read)

    @Slot()
    def _deliver(self) -> None:
        while not self._reports.empty():
            self.reported.emit(self._reports.get())
