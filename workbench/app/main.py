"""The window's composition root: paints first, opens the rest right after, closes in order."""

from __future__ import annotations

import importlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QSocketNotifier, Slot
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from workbench import __version__
from workbench.app.automatic_backup import AutomaticBackups
from workbench.app.single_instance import SingleInstance, Start, raise_window
from workbench.core.errors import ErrorInfo, WorkbenchError
from workbench.core.paths import Paths, bundled
from workbench.core.settings import SettingsFile
from workbench.ui.backend import Backend, BackendSlot
from workbench.ui.context import SettingsModel
from workbench.ui.garbage import Collector
from workbench.ui.jobs import SERIAL, Jobs
from workbench.ui.language import Language
from workbench.ui.places import PLACES
from workbench.ui.theme import Theme
from workbench.ui.tr import tr
from workbench.ui.ui_state import UiState
from workbench.ui.window import MainWindow

SWITCH_INTERVAL_S = 0.0005
"""How soon Python hands the UI thread its turn while runs' threads work."""
PRELOAD_PAUSE_S = 0.01
DESKTOP_ID = "model-workbench"


class Program(QObject):
    """Everything of one start of the window."""

    def __init__(
        self, app: QApplication, paths: Paths, files: list[str], instance: SingleInstance | None = None
    ) -> None:
        super().__init__(app)
        self._collector = Collector(self)
        self._app, self._paths, self._files = app, paths, files
        self._log_handler: Any = None
        self._crash: Any = None
        self._shown_reports = 0
        self.starts_over = False
        """Everything is deleted at the end, and the program begins anew."""
        self.problems: list[str] = []
        """What could not be deleted."""
        self._between: Callable[[], str] | None = None
        self.news: str | ErrorInfo = ""
        """What came of the work between this window and the next, for the user."""
        self.instance = instance
        if instance is not None:
            instance.files_received.connect(self.start_again)
        self.settings = SettingsModel(SettingsFile(paths.settings), self)
        self.language = Language(app, self.settings.value.appearance.language, self)
        self.theme = Theme(app, self.settings.value.appearance, self)
        self.state = UiState(paths.config / "ui-state.json", self)
        self.slot = BackendSlot(self)
        self.jobs = Jobs(self)
        self.window = MainWindow(paths, self.settings, self.theme, self.state, self.slot, self.jobs)
        self.theme.finish()
        self.window.painted.connect(self._after_paint)
        self.window.model_files_dropped.connect(self._open_files)
        self.window.start_over_requested.connect(self._start_over)
        self.window.restart_requested.connect(self._restart)
        self._backups = AutomaticBackups(paths, self.settings, self.jobs, self._tell_backup, self)

    def start(self) -> None:
        self.window.show()

    # --- after the first paint -------------------------------------------------------------------------------
    @Slot()
    def _after_paint(self) -> None:
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self.jobs.run(self._import_rest, self._install_rest, owner=self, lane=SERIAL)
        if self.settings.file.problem:
            self.window.banner("settings", ErrorInfo(kind="settings", message=self.settings.file.problem))
        self.open_backend()
        if self.instance is not None:
            self.jobs.run(self._import_network, self.instance.listen, owner=self, lane=SERIAL)

    @staticmethod
    def _import_rest() -> tuple[Any, Any]:
        """Logging and crash reports: small, but not needed for painting."""
        return importlib.import_module("workbench.services.logs"), importlib.import_module("workbench.app.crash")

    @staticmethod
    def _import_network() -> None:
        """So that the UI thread need not: the instance listens with it."""
        importlib.import_module("PySide6.QtNetwork")

    def _install_rest(self, modules: tuple[Any, Any]) -> None:
        logs, crash = modules
        self._log_handler = (logs.stop_logging, logs.start_logging(self._paths))
        self._crash = crash.CrashReporter(self._paths, lambda: self.window.place, self)
        self._crash.reported.connect(self._show_report)
        self._crash.install()

    def open_backend(self) -> None:
        paths, settings = self._paths, self.settings.file

        def work() -> Backend:
            paths.create()
            backend: Backend = importlib.import_module("workbench.app.backend").open_backend(paths, settings)
            return backend

        self.jobs.run(work, self._backend_open, self._backend_failed, owner=self, lane=SERIAL)

    def _backend_open(self, backend: Backend) -> None:
        self.window.banner("store", None)
        self.slot.set(backend)
        store = backend.store
        if store.notice:
            self.window.banner("store", ErrorInfo(kind="store", message=store.notice))
        elif store.interrupted_runs:
            message = tr("An answer was interrupted when the program ended last time; what had come is kept.")
            self.window.toast(message)
        self._tell_plugin_problems(backend)
        self._open_files(self._files)
        self.jobs.run(_preload, owner=self)
        self._backups.start()

    def _backend_failed(self, error: ErrorInfo) -> None:
        self.slot.failed.emit()
        action = (tr("Try again"), self.open_backend)
        if error.kind == "damaged_database":
            action = (tr("Keep it aside and start empty"), self._recover)
        elif error.kind == "pending_restore":
            action = (tr("Try again"), lambda: self._restart(str))
        self.window.banner("store", error, "bad", action)

    def _recover(self) -> None:
        paths, settings = self._paths, self.settings.file

        def work() -> tuple[Backend, Path]:
            module = importlib.import_module("workbench.app.backend")
            result: tuple[Backend, Path] = module.recover_backend(paths, settings)
            return result

        def done(result: tuple[Backend, Path]) -> None:
            backend, aside = result
            self._backend_open(backend)
            self.window.toast(tr("The damaged file was kept as {name}.", name=aside.name))

        self.jobs.run(work, done, self._backend_failed, owner=self, lane=SERIAL)

    def _tell_plugin_problems(self, backend: Backend) -> None:
        failed = [status for status in backend.plugins.loaded if status.error]
        if failed:
            names = ", ".join(status.name for status in failed)
            message = tr("These plugins could not be loaded: {names}. The program works without them.", names=names)
            detail = "\n\n".join(f"{status.name} ({status.source}): {status.error}" for status in failed)
            self.window.banner("plugins", ErrorInfo(kind="plugin", message=message, detail=detail))

    @Slot(list)
    def _open_files(self, files: list[str]) -> None:
        if files:
            page: Any = self.window.show_place("chat")
            page.use_model_file(str(Path(files[0]).absolute()))

    @Slot(list)
    def start_again(self, files: list[str]) -> None:
        """The program was started once more: it handed its files over and is gone."""
        raise_window(self.window)
        if self.slot.value is None:
            self._files = files or self._files  # opened with the rest
        else:
            self._open_files(files)

    @Slot()
    def _start_over(self) -> None:
        self.starts_over = True
        self.window.close()

    @property
    def begins_anew(self) -> bool:
        """Another window follows this one."""
        return self.starts_over or self._between is not None

    @Slot(object)
    def _restart(self, work: Callable[[], str]) -> None:
        self._between = work
        self.window.close()

    def tell_news(self, news: str | ErrorInfo) -> None:
        if isinstance(news, ErrorInfo):
            self.window.banner("restart", news, "bad")
        elif news:
            self.window.toast(news)

    def _tell_backup(self, error: ErrorInfo) -> None:
        message = tr("The automatic backup could not be made: {reason}", reason=error.message)
        self.window.banner("backup", ErrorInfo(kind=error.kind, message=message, hint=error.hint, detail=error.detail))

    def tell_left_over(self, problems: list[str]) -> None:
        """Some of what was to be deleted is still there."""
        message = tr("Not everything could be deleted.")
        self.window.banner("erased", ErrorInfo(kind="erase", message=message, detail="\n".join(problems)))

    def tell_unanswered(self) -> None:
        message = tr("Another window of this program is open and does not answer; this one works on the same data.")
        self.window.banner("instance", ErrorInfo(kind="instance", message=message))

    @Slot(object)
    def _show_report(self, path: Path | None) -> None:
        if path is None:
            return
        message = tr("A part of the program failed. It goes on, and your chats are saved.")
        error = ErrorInfo(kind="crash", message=message)
        self.window.banner("crash", error, "bad", (tr("Show the report"), lambda: self.show_crash(path)))

    def show_crash(self, path: Path) -> None:
        dialogs = importlib.import_module("workbench.ui.dialogs")
        text = path.read_text(encoding="utf-8", errors="replace")
        dialogs.CrashDialog(text, str(path), self.window).open()

    # --- the end ---------------------------------------------------------------------------------------------
    def close(self) -> None:
        """Wait for what is being written, stop the runs and the models, close the database."""
        self.window.close()
        self.jobs.close()
        if self.starts_over:
            self._erase_contents()
        if self.slot.value is not None:
            importlib.import_module("workbench.app.backend").close_backend(self.slot.value)
        if self._crash is not None:
            self._crash.uninstall()
        if self._log_handler is not None:
            stop, handler = self._log_handler
            stop(handler)
        if self.starts_over:
            self.problems += importlib.import_module("workbench.services.erasing").erase_files(self._paths)
        if self._between is not None:
            try:
                self.news = self._between()
            except WorkbenchError as error:
                self.news = error.info
        self._collector.close()
        self.language.leave()

    def _erase_contents(self) -> None:
        backend = self.slot.value
        if backend is not None:
            backend.runner.close()
            providers = set(self.settings.value.providers)
            for plugin in backend.plugins.providers():
                providers.update(plugin.presets)
            erasing = importlib.import_module("workbench.services.erasing")
            self.problems += erasing.erase_contents(backend.store, backend.keys, providers)

    def dispose(self) -> None:
        """Let go of the window after the end, so that another one can begin in this process."""
        if self.instance is not None:
            self.instance.files_received.disconnect(self.start_again)
        self.window.deleteLater()
        self.deleteLater()


def _preload() -> None:
    """What the first answer and the other places will need, while the user still reads the window."""
    importlib.import_module("workbench.ui.transcript")
    for _lexer in importlib.import_module("workbench.ui.markdown.highlight").preload_lexers():
        time.sleep(PRELOAD_PAUSE_S)  # one after the other: the UI thread goes first
    for place in PLACES:  # of a place only its widgets are left to be made when it is first opened
        importlib.import_module(place.widget.partition(":")[0])
        time.sleep(PRELOAD_PAUSE_S)


class Signals(QObject):
    """SIGTERM, SIGINT and SIGHUP close the window as its button does: drafts are kept."""

    def __init__(self, app: QApplication, program: Program) -> None:
        super().__init__(app)
        self._program = program
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
        self._program.window.close()

    def restore(self) -> None:
        signal.set_wakeup_fd(self._old_fd)
        for number, handler in self._old.items():
            signal.signal(number, handler)
        self._notifier.setEnabled(False)
        self._reader.close()
        self._writer.close()


def finish_restore(paths: Paths) -> str | ErrorInfo:
    """Go on with a restore that was killed half-way, before anything is opened. Returns what the user should know."""
    if not (paths.data / "restore-pending.json").exists():  # its module is not imported just to find out
        return ""
    try:
        importlib.import_module("workbench.services.backup_restore").finish(paths)
    except WorkbenchError as error:
        return error.info
    return tr("The restore that was interrupted is finished now.")


def make_app(arguments: list[str]) -> QApplication:
    kind: type[QApplication] = QApplication
    if sys.platform == "darwin":
        kind = importlib.import_module("workbench.app.opened_files").FileOpeningApplication
    app = kind(arguments)
    app.setApplicationName("Model Workbench")
    app.setApplicationVersion(__version__)
    app.setDesktopFileName(DESKTOP_ID)
    icon = bundled("resources") / "icons" / "workbench.svg"
    if icon.exists():
        app.setWindowIcon(QIcon(str(icon)))
    return app


def main(argv: list[str]) -> int:
    """Open the window. `argv` are model files to chat with. Returns the exit code."""
    os.environ.setdefault("QT_ENABLE_HIGHDPI_SCALING", "1")
    paths = Paths.of_user()
    instance = SingleInstance(paths)
    began = instance.begin(argv)
    if began is Start.HANDED_OVER:
        print("Model Workbench is open already; its window was raised.", file=sys.stderr)  # noqa: T201
        return 0
    app = make_app(["workbench"])
    code, problems, news = 0, list[str](), finish_restore(paths)
    while True:
        program = Program(app, paths, argv, instance)
        program.tell_news(news)
        if problems:
            program.tell_left_over(problems)
        if began is Start.NO_ANSWER:
            print("Another window of Model Workbench does not answer; opening one more.", file=sys.stderr)  # noqa: T201
            program.tell_unanswered()
        if sys.platform == "darwin":
            app.file_opened.connect(program.start_again)  # type: ignore[attr-defined,unused-ignore]
        signals = Signals(app, program)
        program.start()
        code = app.exec()
        if not program.begins_anew:
            instance.close()
        signals.restore()
        program.close()
        if not program.begins_anew:
            break
        argv, problems = [], program.problems
        news = program.news or finish_restore(paths)
        if sys.platform == "darwin":
            app.file_opened.disconnect(program.start_again)  # type: ignore[attr-defined,unused-ignore]
        program.dispose()
    instance.release()
    return code
