"""Opens the program's services once the window is there, and tells what stands in the way."""

from __future__ import annotations

import contextlib
import importlib
import sys
import time
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from workbench.app.later import PLACES, PLACES_QT_FREE
from workbench.core.errors import ErrorInfo
from workbench.core.paths import Paths
from workbench.ui.backend import Backend, BackendSlot
from workbench.ui.context import SettingsModel
from workbench.ui.jobs import SERIAL, Jobs
from workbench.ui.qt_imports import Imports
from workbench.ui.tr import tr
from workbench.ui.window import MainWindow

PRELOAD_PAUSE_S = 0.01
PRELOAD_PAUSE_MS = 20


class Opener(QObject):
    opened = Signal()
    settled = Signal()
    """All that is loaded ahead is there."""
    restart_wanted = Signal(object)
    """The window should close, do this work and come back."""

    def __init__(
        self,
        paths: Paths,
        settings: SettingsModel,
        slot: BackendSlot,
        jobs: Jobs,
        window: MainWindow,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._paths, self._settings, self._slot, self._jobs, self.window = paths, settings, slot, jobs, window

    def open(self) -> None:
        paths, settings = self._paths, self._settings.file

        def work() -> Backend:
            with contextlib.suppress(OSError):  # the store shows what is there, or says why it can't
                paths.create()
            backend: Backend = importlib.import_module("workbench.app.backend").open_backend(paths, settings)
            return backend

        self._jobs.run(work, self._backend_open, self._backend_failed, owner=self, lane=SERIAL)

    def _backend_open(self, backend: Backend) -> None:
        self.window.banner("store", None)
        self._slot.set(backend)
        store = backend.store
        if store.notice:
            self.window.banner("store", ErrorInfo(kind="store", message=store.notice))
        elif store.interrupted_runs:
            message = tr("An answer was interrupted when the program ended last time; what had come is kept.")
            self.window.toast(message)
        self._tell_plugin_problems(backend)
        self.opened.emit()
        self._imports = Imports(PLACES_QT_FREE, PLACES, self, pause_ms=PRELOAD_PAUSE_MS, also=_preload_lexers)
        self._imports.failed.connect(_report)
        self._imports.done.connect(self.settled)
        self._imports.start()

    def _backend_failed(self, error: ErrorInfo) -> None:
        self._slot.failed.emit()
        action = (tr("Try again"), self.open)
        if error.kind == "damaged_database":
            action = (tr("Keep it aside and start empty"), self._recover)
        elif error.kind == "pending_restore":
            action = (tr("Try again"), lambda: self.restart_wanted.emit(str))
        more = tr("Settings › Backup restores a backup; Settings › About checks the installation.")
        info = ErrorInfo(kind=error.kind, message=str(error), hint=more, detail=error.detail)
        self.window.banner("store", info, "bad", action)

    def _recover(self) -> None:
        paths, settings = self._paths, self._settings.file

        def work() -> tuple[Backend, Path]:
            module = importlib.import_module("workbench.app.backend")
            result: tuple[Backend, Path] = module.recover_backend(paths, settings)
            return result

        def done(result: tuple[Backend, Path]) -> None:
            backend, aside = result
            self._backend_open(backend)
            self.window.toast(tr("The damaged file was kept as {name}.", name=aside.name))

        self._jobs.run(work, done, self._backend_failed, owner=self, lane=SERIAL)

    def _tell_plugin_problems(self, backend: Backend) -> None:
        failed = [status for status in backend.plugins.loaded if status.error]
        if failed:
            names = ", ".join(status.name for status in failed)
            message = tr("These plugins could not be loaded: {names}. The program works without them.", names=names)
            detail = "\n\n".join(f"{status.name} ({status.source}): {status.error}" for status in failed)
            self.window.banner("plugins", ErrorInfo(kind="plugin", message=message, detail=detail))


def _preload_lexers() -> None:
    """What the first answer will need, while the user still reads the window."""
    for _lexer in importlib.import_module("workbench.ui.markdown.highlight").preload_lexers():
        time.sleep(PRELOAD_PAUSE_S)  # one after the other: the UI thread goes first


def _report(error: BaseException) -> None:
    """A place that can't be imported now is told of when it is opened; the crash report is written already."""
    sys.excepthook(type(error), error, error.__traceback__)
