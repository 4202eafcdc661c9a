"""What a start of the window needs after the first paint. It is imported in turns of the event loop (`app.later`)."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QGuiApplication, QIcon

import workbench.ui.chat.attachments
import workbench.ui.chat.context_meter
import workbench.ui.chat.desk
import workbench.ui.status
import workbench.ui.window_actions  # noqa: F401 - so that the UI thread finds them imported
from workbench.app.automatic_backup import AutomaticBackups
from workbench.app.crash import CrashReporter
from workbench.app.heap import HeapTrimmer
from workbench.app.leaving import Leaving
from workbench.app.opener import Opener
from workbench.app.purging import Purging
from workbench.app.signals import Signals
from workbench.core.errors import ErrorInfo, WorkbenchError
from workbench.core.paths import bundled
from workbench.core.settings import SettingsFile
from workbench.services.logs import start_logging, stop_logging
from workbench.ui.context import SettingsModel
from workbench.ui.icons import draw_for_all_screens
from workbench.ui.jobs import Jobs
from workbench.ui.tr import tr
from workbench.ui.ui_state import UiState

if TYPE_CHECKING:
    from workbench.app.program import Program


class Rest(QObject):
    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self._program, self._window, self._paths = program, program.window, program.paths

    def leave(self) -> None:
        """Close the window without a question."""
        if hasattr(self, "_leaving"):
            self._leaving.leave()

    # --- the second part of a start ---------------------------------------------------------------------------
    def steps(self) -> list[Callable[[], None]]:
        """What to do, one after the other, in turns of the event loop."""
        program = self._program
        program.settings = SettingsModel(SettingsFile(self._paths.settings), program)
        program.state = UiState(self._paths.ui_state, program)
        program.jobs = Jobs(program)
        frame, page = self._window.complete(self._paths, program.settings, program.state, program.slot, program.jobs)
        return [frame, self._watch, self._open_services, page, self._finish_look]

    def _watch(self) -> None:
        """Log, catch what fails, hear the system's signals and further starts."""
        program = self._program
        self._log_handler = start_logging(self._paths)
        self._crash = CrashReporter(self._paths, lambda: self._window.place, self)
        self._crash.reported.connect(self._show_report)
        self._crash.install()
        self._leaving = Leaving(self._window)
        self._signals = Signals(self._leaving.leave, self)
        if program.settings.file.problem:
            self._window.banner("settings", ErrorInfo(kind="settings", message=program.settings.file.problem))
        if program.instance is not None:
            program.instance.listen()

    def _open_services(self) -> None:
        program = self._program
        self._backups = AutomaticBackups(self._paths, program.settings, program.jobs, self._tell_backup, self)
        self._purging = Purging(program.slot, program.jobs, self)
        self._heap = HeapTrimmer(program.jobs, self)
        self._opener = Opener(self._paths, program.settings, program.slot, program.jobs, self._window, self)
        self._opener.opened.connect(self._services_open)
        self._opener.restart_wanted.connect(program.restart)
        self._opener.settled.connect(program.collector.settle)
        self._opener.open()

    def _finish_look(self) -> None:
        """What the first paint left out."""
        QGuiApplication.setWindowIcon(QIcon(str(bundled("resources") / "icons" / "workbench.svg")))
        draw_for_all_screens()
        self._program.theme.follow_system()

    @Slot()
    def _services_open(self) -> None:
        self._backups.start()
        self._purging.start()
        self._heap.start()

    def open_files(self, files: list[str]) -> None:
        page: Any = self._window.show_place("chat")
        page.use_model_file(str(Path(files[0]).absolute()))

    # --- telling ---------------------------------------------------------------------------------------------
    def tell_news(self, news: str | ErrorInfo) -> None:
        if isinstance(news, ErrorInfo):
            self._window.banner("restart", news, "bad")
        else:
            self._window.toast(news)

    def _tell_backup(self, error: ErrorInfo) -> None:
        message = tr("The automatic backup could not be made: {reason}", reason=error.message)
        info = ErrorInfo(kind=error.kind, message=message, hint=error.hint, detail=error.detail)
        self._window.banner("backup", info)

    def tell_left_over(self, problems: list[str]) -> None:
        message = tr("Not everything could be deleted.")
        self._window.banner("erased", ErrorInfo(kind="erase", message=message, detail="\n".join(problems)))

    def tell_unanswered(self) -> None:
        message = tr("Another window of this program is open and does not answer; this one works on the same data.")
        self._window.banner("instance", ErrorInfo(kind="instance", message=message))

    @Slot(object)
    def _show_report(self, path: Path | None) -> None:
        if path is None:
            return
        message = tr("A part of the program failed. It goes on, and your chats are saved.")
        error = ErrorInfo(kind="crash", message=message)
        self._window.banner("crash", error, "bad", (tr("Show the report"), lambda: self.show_crash(path)))

    def show_crash(self, path: Path) -> None:
        dialogs = importlib.import_module("workbench.ui.dialogs")
        text = path.read_text(encoding="utf-8", errors="replace")
        dialogs.CrashDialog(text, str(path), self._window).open()

    # --- the end ---------------------------------------------------------------------------------------------
    def close(self) -> None:
        """The window is closed: end what was begun, in the other order, and do what is to be done now."""
        program, backend = self._program, self._program.slot.value
        if hasattr(self, "_signals"):
            self._signals.restore()
        program.jobs.close()
        if program.starts_over:
            self._erase_contents()
        if backend is not None:
            importlib.import_module("workbench.app.backend").close_backend(backend)
        if hasattr(self, "_crash"):
            self._crash.uninstall()
            stop_logging(self._log_handler)
        if program.starts_over:
            program.problems += importlib.import_module("workbench.services.erasing").erase_files(self._paths)
        if program.between is not None:
            try:
                program.news = program.between()
            except WorkbenchError as error:
                program.news = error.info

    def _erase_contents(self) -> None:
        backend = self._program.slot.value
        if backend is not None:
            backend.runner.close()
            providers = set(self._program.settings.value.providers)
            for plugin in backend.plugins.providers():
                providers.update(plugin.presets)
            erasing = importlib.import_module("workbench.services.erasing")
            self._program.problems += erasing.erase_contents(backend.store, backend.keys, providers)
