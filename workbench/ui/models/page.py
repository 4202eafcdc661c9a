"""The Models place: Installed, Discover and Downloads."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from workbench.core.errors import ErrorInfo
from workbench.ui.context import Context
from workbench.ui.models.formats import repo_title
from workbench.ui.models.parts import Segments
from workbench.ui.models.state import ModelsState
from workbench.ui.places import Page
from workbench.ui.tr import mark, tr
from workbench.ui.widgets import label

if TYPE_CHECKING:
    from workbench.services.downloads import DownloadSnapshot
    from workbench.ui.models.discover import DiscoverView
    from workbench.ui.models.downloads import DownloadsView
    from workbench.ui.models.installed import InstalledView

PARTS = (("installed", mark("Installed")), ("discover", mark("Discover")), ("downloads", mark("Downloads")))
VIEWS = {
    "installed": "workbench.ui.models.installed:InstalledView",
    "discover": "workbench.ui.models.discover:DiscoverView",
    "downloads": "workbench.ui.models.downloads:DownloadsView",
}
"""Imported and built when first shown."""


class ModelsPage(Page):
    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        self.setAcceptDrops(True)
        self.state = ModelsState(context, self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        head = QHBoxLayout()
        head.setContentsMargins(20, 12, 20, 8)
        head.setSpacing(16)
        head.addWidget(label(tr("Models"), "pageTitle"))
        self.segments = Segments(tr("Parts of Models"), [(part, tr(title)) for part, title in PARTS])
        self.segments.chosen.connect(self._show_view)
        head.addWidget(self.segments)
        head.addStretch(1)
        column.addLayout(head)
        self.stack = QStackedWidget()
        column.addWidget(self.stack, 1)
        self._views: dict[str, QWidget] = {}
        self._connect()
        self._add_actions()
        self.segments.select("installed")
        QTimer.singleShot(0, self, self._show_first)

    @property
    def installed(self) -> InstalledView:
        return cast("InstalledView", self._view("installed"))

    @property
    def discover(self) -> DiscoverView:
        return cast("DiscoverView", self._view("discover"))

    @property
    def downloads(self) -> DownloadsView:
        return cast("DownloadsView", self._view("downloads"))

    def _view(self, part: str) -> QWidget:
        view = self._views.get(part)
        if view is None:
            module, _, name = VIEWS[part].partition(":")
            view = getattr(importlib.import_module(module), name)(self.context, self.state)
            self._views[part] = view
            self.stack.addWidget(view)
            if part == "downloads":
                view.chat_requested.connect(self._chat_with_path)
            else:
                view.chat_requested.connect(self.state.chat_with)
            if part == "discover":
                view.downloads_requested.connect(self._show_downloads)
            else:
                view.discover_requested.connect(self._show_discover)
        return view

    @Slot()
    def _show_first(self) -> None:
        """The page's frame is painted before its first part is built. Nothing is where only the actions are wanted."""
        if not self._views and self.isVisible():
            self.show_part(self.segments.current)
            self.activate()

    def _connect(self) -> None:
        state = self.state
        state.transfers.changed.connect(self._show_count)
        state.transfers.finished.connect(self._finished)
        state.transfers.verified.connect(self._verified)
        state.transfers.failed.connect(self._download_failed)
        state.failed.connect(self._failed)
        state.hub.ready.connect(self._ask_machine)

    def _add_actions(self) -> None:
        add, group = self.context.actions.add, tr("Models")
        transfers = self.state.transfers
        add("models.add_folder", tr("Models: add a folder"), self.add_folder, icon="folder", group=group)
        add("models.refresh", tr("Models: look again"), self.state.refresh, icon="refresh-cw", group=group)
        add("models.pause", tr("Models: pause all downloads"), transfers.pause_all, icon="pause", group=group)
        add("models.resume", tr("Models: resume all downloads"), transfers.resume_all, icon="play", group=group)

    # --- the place -------------------------------------------------------------------------------------------
    @Slot(str)
    def show_part(self, part: str) -> QWidget | None:
        if part not in VIEWS:
            return None
        view = self._show_view(part)
        self._focus(part)
        return view

    @Slot(str)
    def _show_view(self, part: str) -> QWidget:
        view = self._view(part)
        self.segments.select(part)
        self.stack.setCurrentWidget(view)
        self._ask_machine()
        return view

    @Slot()
    def _ask_machine(self) -> None:
        """What fits here is shown beside every model."""
        if self.segments.current != "downloads":
            self.state.hub.ask_machine()

    def _focus(self, part: str) -> None:
        if part == "discover":
            self.discover.focus_field()
        elif part == "installed":
            self.installed.table.setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            self.segments.buttons[part].setFocus(Qt.FocusReason.OtherFocusReason)

    def activate(self) -> None:
        self.state.set_shown(True)
        if self.segments.current in self._views:
            self._focus(self.segments.current)
        else:
            QTimer.singleShot(0, self, self._show_first)

    def add_folder(self) -> None:
        self.context.shell.show_place("models")
        self.show_part("installed")
        self.installed.choose_folder()

    def close_page(self) -> None:
        self.state.close()

    @Slot()
    def _show_discover(self) -> None:
        self.show_part("discover")

    @Slot()
    def _show_downloads(self) -> None:
        self.show_part("downloads")

    # --- telling ---------------------------------------------------------------------------------------------
    @Slot()
    def _show_count(self) -> None:
        count = len(self.state.transfers.unfinished)
        self.segments.set_text("downloads", tr("Downloads · {count}", count=count) if count else tr("Downloads"))

    @Slot(object)
    def _finished(self, snapshot: DownloadSnapshot) -> None:
        """It is complete: every list of models learns of it, and the user can chat with it at once."""
        name = f"{repo_title(snapshot.repo_id)} {snapshot.label}"

        def tell() -> None:
            self.context.shell.toast(
                tr("{name} is here.", name=name), tr("Chat with it"), lambda: self._chat_with_path(snapshot.path)
            )

        self.state.refresh(tell)

    @Slot(object)
    def _verified(self, snapshot: DownloadSnapshot) -> None:
        name = f"{repo_title(snapshot.repo_id)} {snapshot.label}"
        self.context.shell.toast(tr("{name} is whole: its checksum is right.", name=name))

    @Slot(object)
    def _download_failed(self, snapshot: DownloadSnapshot) -> None:
        if self.segments.current == "downloads" and self.isVisible():
            return
        name = f"{repo_title(snapshot.repo_id)} {snapshot.label}"
        self.context.shell.toast(tr("The download of {name} stopped.", name=name), tr("Show"), self._go_to_downloads)

    def _go_to_downloads(self) -> None:
        self.context.shell.show_place("models")
        self.show_part("downloads")

    @Slot(object)
    def _failed(self, error: ErrorInfo) -> None:
        self.context.shell.banner("models", error, "bad")

    @Slot(str)
    def _chat_with_path(self, path: str) -> None:
        inventory = self.state.inventory
        model = inventory.by_path(path) if inventory is not None else None
        self.state.chat_with(model.id if model is not None else path)

    # --- dropping --------------------------------------------------------------------------------------------
    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _model_paths(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = _model_paths(event)
        if paths:
            event.acceptProposedAction()
            self.show_part("installed")
            for path in dict.fromkeys(paths):
                self.installed.add(path)


def _model_paths(event: QDropEvent) -> list[str]:
    """Dropped folders and GGUF files."""
    urls = event.mimeData().urls() if event.mimeData().hasUrls() else []
    paths = [url.toLocalFile() for url in urls if url.isLocalFile()]
    return [path for path in paths if path.lower().endswith(".gguf") or Path(path).is_dir()]
