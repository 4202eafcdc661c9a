"""The main window: rail, the place's list, its page, banners, toasts and the status bar."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace
from PySide6.QtCore import QByteArray, QEvent, QPoint, QSize, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QGuiApplication, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QMainWindow,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from workbench.core.errors import ErrorInfo
from workbench.core.paths import Paths
from workbench.ui.actions import Actions
from workbench.ui.backend import BackendSlot
from workbench.ui.context import Context, SettingsModel
from workbench.ui.jobs import Jobs
from workbench.ui.places import PLACES, Page, Place, create
from workbench.ui.rail import Rail
from workbench.ui.status import StatusBar, toggle_offline
from workbench.ui.theme import LARGEST_SCALE, Theme, scaled
from workbench.ui.tr import tr
from workbench.ui.ui_state import UiState
from workbench.ui.widgets import Banner, Toast

if TYPE_CHECKING:
    from workbench.ui.help import HelpWindow
    from workbench.ui.palette import CommandPalette

LIST_WIDTH = 248
LIST_MINIMUM = 190
MINIMUM_SIZE = QSize(480, 440)
"""Fixed: the window never grows by itself; parts of it make room instead."""
FIRST_WIDTH = 960
"""Enough for the chat with its list and its options."""
_log = logging.getLogger(__name__)


class MainWindow(QMainWindow):
    """Owns the pages and what they share. `painted` comes once, after the first paint."""

    painted = Signal()
    model_files_dropped = Signal(list)
    closed = Signal()
    start_over_requested = Signal()
    restart_requested = Signal(object)

    def __init__(
        self,
        paths: Paths,
        settings: SettingsModel,
        theme: Theme,
        state: UiState,
        backend: BackendSlot,
        jobs: Jobs,
        places: tuple[Place, ...] = PLACES,
    ) -> None:
        super().__init__()
        self.setWindowTitle("Model Workbench")
        self.setAcceptDrops(True)
        self._state, self._jobs, self._settings = state, jobs, settings
        self._places = {place.id: place for place in places}
        self._pages: dict[str, QWidget] = {}
        self._banners: dict[str, Banner] = {}
        self._help: HelpWindow | None = None
        self._palette: CommandPalette | None = None
        self._painted = False
        self._list_wanted = False
        """The list was asked for where there is no room for it."""
        self.setMinimumSize(MINIMUM_SIZE)
        self.registry = Actions(self, settings.value.shortcuts)
        self.context = Context(paths, settings, theme, jobs, self.registry, state, backend, self)
        self._build(backend)
        self._add_actions()
        settings.changed.connect(self._settings_changed)
        theme.changed.connect(self._scale)
        self._scale()
        backend.when_ready(self._add_panels)
        self._restore()

    # --- building --------------------------------------------------------------------------------------------
    def _build(self, backend: BackendSlot) -> None:
        center = QWidget()
        self.setCentralWidget(center)
        column = QVBoxLayout(center)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._banner_box = QVBoxLayout()
        self._banner_box.setSpacing(0)
        column.addLayout(self._banner_box)
        row = QHBoxLayout()
        row.setSpacing(0)
        self.rail = Rail(self._places.values())
        self.rail.chosen.connect(self.show_place)
        row.addWidget(self.rail)
        self.splitter = QSplitter()
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        self.list_frame = QFrame()
        self.list_frame.setObjectName("list")
        self.list_frame.setMinimumWidth(180)
        list_box = QVBoxLayout(self.list_frame)
        list_box.setContentsMargins(0, 0, 0, 0)
        self.lists = QStackedWidget()
        list_box.addWidget(self.lists)
        self.stack = QStackedWidget()
        self.stack.setMinimumSize(1, 1)  # else the widest page would decide how wide the window is
        self.splitter.addWidget(self.list_frame)
        self.splitter.addWidget(self.stack)
        self.splitter.setStretchFactor(0, 0)
        self.splitter.setStretchFactor(1, 1)
        row.addWidget(self.splitter, 1)
        column.addLayout(row, 1)
        self.status = StatusBar(backend, self._settings, self._jobs, self.show_help)
        column.addWidget(self.status)
        self.toaster = Toast(center)

    def _add_actions(self) -> None:
        add = self.registry.add
        window, help_group = tr("Window"), tr("Help")
        for place in self._places.values():
            self._add_place_actions(place)
        add("palette", tr("Command palette"), self.open_palette, "Ctrl+K", icon="search", group=window)
        add("list.toggle", tr("Show or hide the list"), self.toggle_list, "Ctrl+B", icon="panel-left", group=window)
        add("theme.toggle", tr("Switch between light and dark"), self._toggle_theme, icon="moon", group=window)
        add("text.larger", tr("Larger text"), lambda: self._scale_by(10), "Ctrl++ | Ctrl+=", icon="plus", group=window)
        add("text.smaller", tr("Smaller text"), lambda: self._scale_by(-10), "Ctrl+-", group=window)
        add("text.normal", tr("Normal text size"), lambda: self._scale_by(0), "Ctrl+0", group=window)
        add("fullscreen", tr("Full screen"), self._toggle_full_screen, "F11", icon="monitor", group=window)
        offline = tr("Go offline or online")
        add("network.toggle", offline, lambda: toggle_offline(self._settings), icon="wifi-off", group=window)
        add("undo.toast", tr("Undo the last deletion"), self.toaster.undo, "Ctrl+Shift+Z", icon="undo-2", group=window)
        add("work.stop", tr("Stop the running work"), self.status.stop.click, icon="square", group=window)
        add("help", tr("Help"), self.show_help, "F1", icon="circle-help", group=help_group)
        add("help.keyboard", tr("Keyboard map"), lambda: self.show_help("keyboard"), "Ctrl+/", group=help_group)
        add("quit", tr("Quit"), self.close, "Ctrl+Q", group=window)

    def _add_place_actions(self, place: Place) -> None:
        title = tr(place.title)
        go = partial(self.show_place, place.id)
        text = tr("Go to {place}", place=title)
        self.registry.add(f"place.{place.id}", text, go, place.shortcut, icon=place.icon, group=tr("Window"))
        for part, part_title, icon in place.parts:
            text = f"{title}: {tr(part_title)}"
            self.registry.add(
                f"{place.id}.{part}", text, partial(self.show_part, place.id, part), icon=icon, group=title
            )

    def show_part(self, place_id: str, part: str) -> None:
        page = self.show_place(place_id)
        if isinstance(page, Page):
            page.show_part(part)

    @Slot()
    def _add_panels(self) -> None:
        """Places of plugins come once the plugins are loaded."""
        backend = self.context.backend.value
        if backend is None:
            return
        for panel in backend.plugins.panels():
            if panel.id not in self._places:
                place = Place(panel.id, panel.title, panel.icon, panel.widget)
                self._places[panel.id] = place
                self.rail.add(place)
                self._add_place_actions(place)

    def _restore(self) -> None:
        remembered = self._state.value
        restored = bool(remembered.geometry) and self.restoreGeometry(_from_base64(remembered.geometry))
        if not restored:
            available = QGuiApplication.primaryScreen().availableGeometry()
            size = QSize(min(1280, max(available.width(), FIRST_WIDTH)), min(820, available.height()))
            self.resize(size)
            self.move(available.center() - QPoint(size.width() // 2, size.height() // 2))
        saved = remembered.splitters.get("window")
        if not saved or not self.splitter.restoreState(_from_base64(saved)):
            self.splitter.setSizes([LIST_WIDTH, max(self.width() - LIST_WIDTH - 72, 400)])
        self.show_place(remembered.place if remembered.place in self._places else next(iter(self._places)))

    @Slot()
    def _scale(self) -> None:
        self.list_frame.setMinimumWidth(scaled(LIST_MINIMUM, min(self.context.theme.scale, LARGEST_SCALE)))
        self.rail.set_scale(self.context.theme.scale)
        QTimer.singleShot(0, self, self._fit)

    @Slot()
    def _fit(self) -> None:
        """Show the page's list if there is one, it is wanted, and there is room for both."""
        page = self.stack.currentWidget()
        if page is None or getattr(page, "side_list", None) is None:
            self.list_frame.hide()
            return
        room = self.width() - self.rail.sizeHint().width() - self.list_frame.minimumWidth()
        fits = page.minimumSizeHint().width() <= room
        self._list_wanted = self._list_wanted and not fits
        self.list_frame.setVisible(self._state.value.list_open and (fits or self._list_wanted))

    # --- Shell -----------------------------------------------------------------------------------------------
    @property
    def place(self) -> str:
        return self._state.value.place

    @Slot(str)
    def show_place(self, place_id: str) -> QWidget | None:
        place = self._places.get(place_id)
        if place is None:
            return None
        page = self._pages.get(place_id) or self._create(place)
        if page is None:
            return None
        self.stack.setCurrentWidget(page)
        side_list = getattr(page, "side_list", None)
        if side_list is not None:
            self.lists.setCurrentWidget(side_list)
        self._fit()
        self.rail.select(place_id)
        self.registry.set_place(place_id)
        self._state.value.place = place_id
        self._state.touch()
        if isinstance(page, Page):
            page.activate()
        return page

    def _create(self, place: Place) -> QWidget | None:
        try:
            page = create(place, self.context)
        except Exception as error:
            if place in PLACES:
                raise
            _log.exception("The panel %s failed", place.id)
            info = ErrorInfo(kind="plugin", message=f"The panel “{place.title}” could not be shown: {error}.")
            self.banner(f"panel-{place.id}", info)
            return None
        self._pages[place.id] = page
        self.stack.addWidget(page)
        side_list = getattr(page, "side_list", None)
        if side_list is not None:
            self.lists.addWidget(side_list)
        return page

    @Slot()
    def build_places(self) -> None:
        missing = next((place for place in PLACES if place.id in self._places and place.id not in self._pages), None)
        if missing is not None:
            self._create(missing)
            QTimer.singleShot(0, self, self.build_places)

    def page(self, place_id: str) -> QWidget | None:
        return self._pages.get(place_id)

    def toast(self, text: str, action: str = "", callback: Callable[[], object] | None = None) -> None:
        self.toaster.show_message(text, action, callback)

    def banner(
        self,
        key: str,
        error: ErrorInfo | None,
        kind: str = "warn",
        action: tuple[str, Callable[[], object]] | None = None,
    ) -> None:
        old = self._banners.pop(key, None)
        if old is not None:
            old.setParent(None)
            old.deleteLater()
        if error is None:
            return
        banner = Banner(error, kind, action)
        banner.dismissed.connect(lambda: self.banner(key, None))
        self._banners[key] = banner
        self._banner_box.addWidget(banner)

    @property
    def banner_texts(self) -> list[str]:
        return [banner.accessibleName() for banner in self._banners.values()]

    def set_work(self, key: str, text: str, fraction: float | None, stop: Callable[[], object] | None) -> None:
        self.status.set_work(key, text, fraction, stop)

    @Slot()
    def start_over(self) -> None:
        self.start_over_requested.emit()

    def restart(self, work: Callable[[], str]) -> None:
        self.restart_requested.emit(work)

    def conceal_models(self, concealed: bool) -> None:
        self.status.conceal_models(concealed)

    def show_help(self, page: str = "") -> None:
        if self._help is None:
            self._help = importlib.import_module("workbench.ui.help").HelpWindow(self.context.theme, self)
            assert self._help is not None
        self._help.show_page(page)
        self._help.show()
        self._help.raise_()
        self._help.activateWindow()

    @Slot()
    def open_palette(self) -> None:
        self.command_palette.open()

    @property
    def command_palette(self) -> CommandPalette:
        """Made when first wanted, as is the help: the first paint does not wait for them."""
        if self._palette is None:
            self._palette = importlib.import_module("workbench.ui.palette").CommandPalette(
                self.registry, self.centralWidget()
            )
            assert self._palette is not None
        return self._palette

    # --- actions ---------------------------------------------------------------------------------------------
    @Slot()
    def toggle_list(self) -> None:
        self._list_wanted = self._state.value.list_open = self.list_frame.isHidden()
        self._state.touch()
        self._fit()

    def _toggle_theme(self) -> None:
        theme = "light" if self.context.theme.tokens.dark else "dark"
        self._change_appearance(theme=theme)

    def _scale_by(self, step: int) -> None:
        scale = self._settings.value.appearance.text_scale + step if step else 100
        self._change_appearance(text_scale=min(max(scale, 80), 200))

    def _change_appearance(self, **changes: object) -> None:
        value = self._settings.value
        appearance = replace(value.appearance, **changes)
        problem = self._settings.save(replace(value, appearance=appearance))
        if problem is not None:
            self.banner("settings", problem)

    def _toggle_full_screen(self) -> None:
        if self.isFullScreen():
            self.showNormal()
        else:
            self.showFullScreen()

    @Slot()
    def _settings_changed(self) -> None:
        self.context.theme.set_appearance(self._settings.value.appearance)
        self.registry.set_shortcuts(self._settings.value.shortcuts)

    # --- events ----------------------------------------------------------------------------------------------
    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            QTimer.singleShot(0, self.painted.emit)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.ActivationChange and self.isActiveWindow() and self._palette is not None:
            self._palette.hide()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _gguf_files(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        files = _gguf_files(event)
        if files:
            event.acceptProposedAction()
            self.model_files_dropped.emit(files)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.save_state()
        for page in self._pages.values():
            if isinstance(page, Page):
                page.close_page()
        self._state.save()
        super().closeEvent(event)
        self.closed.emit()

    def save_state(self) -> None:
        value = self._state.value
        value.geometry = _to_base64(self.saveGeometry())
        value.splitters["window"] = _to_base64(self.splitter.saveState())
        self._state.touch()


def _gguf_files(event: QDropEvent) -> list[str]:
    if not event.mimeData().hasUrls():
        return []
    paths = [url.toLocalFile() for url in event.mimeData().urls()]
    return [path for path in paths if path.lower().endswith(".gguf")]


def _to_base64(data: QByteArray) -> str:
    return bytes(data.toBase64().data()).decode()


def _from_base64(text: str) -> QByteArray:
    return QByteArray.fromBase64(QByteArray(text.encode()))
