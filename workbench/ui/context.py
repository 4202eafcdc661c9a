"""What every page is given: the window's shared parts, as typed attributes."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from workbench.core.errors import ErrorInfo
from workbench.core.paths import Paths
from workbench.core.settings import Settings, SettingsFile
from workbench.ui.actions import Actions
from workbench.ui.backend import BackendSlot
from workbench.ui.jobs import Jobs
from workbench.ui.theme import Theme
from workbench.ui.ui_state import UiState

if TYPE_CHECKING:
    from workbench.ui.transcript import StreamTicker


class Shell(Protocol):
    """What a page may ask of the window around it."""

    def toast(self, text: str, action: str = "", callback: Callable[[], object] | None = None) -> None:
        """A short message at the bottom, with at most one button (Undo)."""

    def banner(
        self,
        key: str,
        error: ErrorInfo | None,
        kind: str = "warn",
        action: tuple[str, Callable[[], object]] | None = None,
    ) -> None:
        """A lasting message at the top under `key`, with at most one button; None takes it away."""

    def show_place(self, place_id: str) -> QWidget | None: ...

    def show_help(self, page: str = "") -> None: ...

    def build_places(self) -> None:
        """Build the pages that were not shown yet and bring actions, one by one in turns of the event loop."""

    def start_over(self) -> None:
        """Delete everything and begin anew. The user has confirmed it."""

    def restart(self, work: Callable[[], str]) -> None:
        """Close the window, do `work` while nothing of the program is open, and open it again with what that returns
        as a message, or with the WorkbenchError it raises."""

    def conceal_models(self, concealed: bool) -> None:
        """Say nowhere in the frame which models are loaded: answers are being judged blindly."""

    def set_work(
        self, key: str, text: str, fraction: float | None, stop: Callable[[], object] | None, done: str = ""
    ) -> None:
        """Running work in the status bar; empty text takes it away. `fraction` None: unknown. With the empty text,
        `done` says what came of it: users whose window is not in front are told if it took long."""


class SettingsModel(QObject):
    """The settings file as the window sees it: a signal on the UI thread, and errors as messages."""

    changed = Signal()

    def __init__(self, file: SettingsFile, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.file = file

    @property
    def value(self) -> Settings:
        return self.file.value

    def save(self, value: Settings) -> ErrorInfo | None:
        """Write and tell. Returns what went wrong, if anything."""
        try:
            self.file.save(value)
        except OSError as error:
            return ErrorInfo(
                kind="settings",
                message=f"The settings can't be saved to {self.file.path}: {error.strerror}.",
                hint="Check the folder's permissions and free space.",
            )
        self.changed.emit()
        return None


@dataclass(frozen=True)
class Context:
    """`ticker` is the window's one timer for streamed text; it comes with the transcript's machinery on first use."""

    paths: Paths
    settings: SettingsModel
    theme: Theme
    jobs: Jobs
    actions: Actions
    state: UiState
    backend: BackendSlot
    shell: Shell

    @cached_property
    def ticker(self) -> StreamTicker:
        made: StreamTicker = importlib.import_module("workbench.ui.transcript").StreamTicker(self.theme)
        return made
