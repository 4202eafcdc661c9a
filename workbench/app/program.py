"""One start of the window: paints first, then gets everything else, closes in order.

Nothing is imported here that the first paint does not need; what comes after it is in `app.rest`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QApplication

from workbench.app.later import REST, REST_QT_FREE
from workbench.core.paths import Paths
from workbench.ui import icons
from workbench.ui.backend import BackendSlot
from workbench.ui.garbage import Collector
from workbench.ui.language import Language
from workbench.ui.opening import Opening
from workbench.ui.qt_imports import Imports
from workbench.ui.screens import raise_window
from workbench.ui.theme import Theme
from workbench.ui.window import MainWindow

if TYPE_CHECKING:
    from PySide6.QtWidgets import QMessageBox

    from workbench.app.rest import Rest
    from workbench.app.single_instance import SingleInstance
    from workbench.core.errors import ErrorInfo
    from workbench.ui.context import SettingsModel
    from workbench.ui.jobs import Jobs
    from workbench.ui.ui_state import UiState

SWITCH_INTERVAL_S = 0.0005
"""How soon Python hands the UI thread its turn while other threads work."""


class Program(QObject):
    """Everything of one start of the window. What needs the rest is there once `completed` was emitted."""

    settings: SettingsModel
    state: UiState
    jobs: Jobs
    rest: Rest
    completed = Signal()

    def __init__(
        self, app: QApplication, paths: Paths, files: list[str], instance: SingleInstance | None = None
    ) -> None:
        super().__init__(app)
        self.collector = Collector(self)
        self.paths, self.instance = paths, instance
        self._steps: list[Callable[[], None]] = []
        self._later: list[Callable[[], None]] = []
        self._closed = False
        self.starts_over = False
        """Everything is deleted at the end, and the program begins anew."""
        self.between: Callable[[], str] | None = None
        """Work to do between this window and the next."""
        self.problems: list[str] = []
        """What could not be deleted."""
        self.failure: QMessageBox | None = None
        """What is told where the window could not get what it needs."""
        self.news: str | ErrorInfo = ""
        """What came of the work between this window and the next, for the user."""
        if instance is not None:
            instance.files_received.connect(self.start_again)
        opening = Opening.read(paths)
        self.language = Language(app, opening.language, self)
        self.theme = Theme(app, opening.look, self)
        icons.draw_for_first_screen()
        icons.set_scale(self.theme.scale)
        self.slot = BackendSlot(self)
        self.window = MainWindow(opening, self.theme)
        self.theme.finish()
        self.window.painted.connect(self._after_paint)
        self.window.start_over_requested.connect(self._start_over)
        self.window.restart_requested.connect(self.restart)
        self.window.model_files_dropped.connect(self.open_files)
        self.open_files(files)

    def start(self) -> None:
        self.window.show()

    # --- after the first paint -------------------------------------------------------------------------------
    @Slot()
    def _after_paint(self) -> None:
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._imports = Imports(REST_QT_FREE, REST, self)
        self._imports.failed.connect(self._give_up)
        self._imports.done.connect(self._complete)
        self._imports.start()

    @Slot()
    def _complete(self) -> None:
        if not self._closed:
            self.rest = importlib.import_module("workbench.app.rest").Rest(self)
            self._steps = self.rest.steps()
            self._next_step()

    @Slot()
    def _next_step(self) -> None:
        """One part of the rest in each turn of the event loop: keys that were pressed meanwhile go first."""
        if self._closed:
            return
        if self._steps:
            try:
                self._steps.pop(0)()
            except Exception as error:
                self._give_up(error)
                return
            QTimer.singleShot(0, self, self._next_step)
            return
        later, self._later = self._later, []
        for tell in later:
            tell()
        self.completed.emit()

    @Slot(object)
    def _give_up(self, error: BaseException) -> None:
        """The window can't get what it needs: half of it would take text and do nothing with it."""
        if not self._closed:
            self.failure = importlib.import_module("workbench.app.failed_start").tell(self.window, error)

    @property
    def is_complete(self) -> bool:
        return hasattr(self, "rest") and not self._steps and not self._later

    def when_complete(self, tell: Callable[[], None]) -> None:
        """Now, or as soon as the window can show messages and other places."""
        if self.is_complete:
            tell()
        else:
            self._later.append(tell)

    @Slot(list)
    def start_again(self, files: list[str]) -> None:
        """The program was started once more: it handed its files over and is gone."""
        raise_window(self.window)
        self.open_files(files)

    @Slot(list)
    def open_files(self, files: list[str]) -> None:
        """Chat with the first of these model files."""
        if files:
            self.when_complete(lambda: self.rest.open_files(files))

    # --- telling ---------------------------------------------------------------------------------------------
    def tell_news(self, news: str | ErrorInfo) -> None:
        if news:
            self.when_complete(lambda: self.rest.tell_news(news))

    def tell_left_over(self, problems: list[str]) -> None:
        """Some of what was to be deleted is still there."""
        self.when_complete(lambda: self.rest.tell_left_over(problems))

    def tell_unanswered(self) -> None:
        """Another window holds the lock and is silent."""
        self.when_complete(lambda: self.rest.tell_unanswered())

    # --- the end ---------------------------------------------------------------------------------------------
    @Slot()
    def _start_over(self) -> None:
        self.starts_over = True
        self._leave()

    @Slot(object)
    def restart(self, work: Callable[[], str]) -> None:
        self.between = work
        self._leave()

    def _leave(self) -> None:
        """Close the window, whatever is under way."""
        if hasattr(self, "rest"):
            self.rest.leave()
        self.window.close()

    @property
    def begins_anew(self) -> bool:
        """Another window follows this one."""
        return self.starts_over or self.between is not None

    def close(self) -> None:
        """Wait for what is being written, stop the runs and the models, close the database."""
        self._closed = True
        self._leave()
        if hasattr(self, "rest"):
            self.rest.close()
        self.collector.close()
        self.language.leave()

    def dispose(self) -> None:
        """Let go of the window after the end, so that another one can begin in this process."""
        if self.instance is not None:
            self.instance.files_received.disconnect(self.start_again)
        self.window.deleteLater()
        self.deleteLater()
