"""The main window: rail, the place's list, its page, banners, toasts and the status bar.

It opens in two steps. Made with what the first paint needs, it shows its frame and, where that is the place, the chat's
page, and takes text; `complete` then gives it everything else.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QByteArray, QEvent, QSize, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMainWindow, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from workbench.ui.icons import set_scale
from workbench.ui.opening import Opening
from workbench.ui.places import PLACES, Page, Place, create
from workbench.ui.rail import Rail
from workbench.ui.screens import restore_geometry
from workbench.ui.theme import LARGEST_SCALE, Theme, scaled
from workbench.ui.tr import tr

if TYPE_CHECKING:
    from workbench.core.errors import ErrorInfo
    from workbench.core.paths import Paths
    from workbench.ui.actions import Actions
    from workbench.ui.backend import BackendSlot
    from workbench.ui.context import Context, SettingsModel
    from workbench.ui.help import HelpWindow
    from workbench.ui.jobs import Jobs
    from workbench.ui.messages import Messages
    from workbench.ui.palette import CommandPalette
    from workbench.ui.status import StatusBar
    from workbench.ui.ui_state import UiState
    from workbench.ui.widgets import Toast

LIST_WIDTH = 248
LIST_MINIMUM = 190
STATUS_HEIGHT = 30
MINIMUM_SIZE = QSize(480, 440)
"""Fixed: the window never grows by itself; parts of it make room instead."""


class MainWindow(QMainWindow):
    """Owns the pages and what they share. `painted` comes once, after the first paint."""

    context: Context
    registry: Actions
    status: StatusBar
    """These are there once the window is complete."""
    _palette: CommandPalette | None = None
    painted = Signal()
    model_files_dropped = Signal(list)
    closing = Signal(QCloseEvent)
    """Before anything is saved; an event that is ignored keeps the window open."""
    closed = Signal()
    start_over_requested = Signal()
    restart_requested = Signal(object)

    def __init__(self, opening: Opening, theme: Theme, places: tuple[Place, ...] = PLACES) -> None:
        super().__init__()
        self.setWindowTitle("Model Workbench")
        self.setAcceptDrops(True)
        self._theme = theme
        self._places = {place.id: place for place in places}
        self._pages: dict[str, QWidget] = {}
        self._state: UiState | None = None
        self._messages: Messages | None = None
        self._help: HelpWindow | None = None
        self._notifier: Any = None
        self._painted = False
        self._list_open = opening.list_open
        self._list_wanted = False
        """The list was asked for where there is no room for it."""
        self._chosen = opening.place if opening.place in self._places else next(iter(self._places))
        self.setMinimumSize(MINIMUM_SIZE)
        self._build(opening)
        self._scale()
        self._restore(opening)
        self._show_first_page(opening)

    # --- the first step --------------------------------------------------------------------------------------
    def _build(self, opening: Opening) -> None:
        center = QWidget()
        self.setCentralWidget(center)
        self._column = QVBoxLayout(center)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        row = QHBoxLayout()
        row.setSpacing(0)
        self.rail = Rail(self._places.values())
        self.rail.chosen.connect(self._rail_chosen)
        row.addWidget(self.rail)
        self.splitter = QSplitter()
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        self.list_frame = QFrame()
        self.list_frame.setObjectName("list")
        list_box = QVBoxLayout(self.list_frame)
        list_box.setContentsMargins(0, 0, 0, 0)
        self.lists = QStackedWidget()
        list_box.addWidget(self.lists)
        self.list_frame.setVisible(opening.list_open)
        self.stack = QStackedWidget()
        self.stack.setMinimumSize(1, 1)  # else the widest page would decide how wide the window is
        self.splitter.addWidget(self.list_frame)
        self.splitter.addWidget(self.stack)
        self.splitter.setStretchFactor(0, 0)
        self.splitter.setStretchFactor(1, 1)
        row.addWidget(self.splitter, 1)
        self._column.addLayout(row, 1)
        self._status_place: QWidget = QFrame()
        self._status_place.setObjectName("statusBar")
        self._column.addWidget(self._status_place)

    def _restore(self, opening: Opening) -> None:
        restore_geometry(self, _from_base64(opening.geometry))
        saved = opening.splitters.get("window")
        if not saved or not self.splitter.restoreState(_from_base64(saved)):
            self.splitter.setSizes([LIST_WIDTH, max(self.width() - LIST_WIDTH - 72, 400)])

    def _show_first_page(self, opening: Opening) -> None:
        self.rail.select(self._chosen)
        if self._chosen == "chat" and self._places["chat"] in PLACES:
            page: Page = importlib.import_module("workbench.ui.chat.page").ChatPage(opening=opening)
            self._add_page(self._places["chat"], page)
            self.stack.setCurrentWidget(page)
            page.activate()

    def _add_page(self, place: Place, page: QWidget) -> None:
        page.setObjectName(f"page-{place.id}")
        page.setAccessibleName(tr(place.title))
        self._pages[place.id] = page
        self.stack.addWidget(page)

    # --- the second step -------------------------------------------------------------------------------------
    def complete(
        self, paths: Paths, settings: SettingsModel, state: UiState, backend: BackendSlot, jobs: Jobs
    ) -> list[Callable[[], None]]:
        """Everything else, in steps for turns of the event loop between which the user's keys are taken."""
        self._state = state

        def parts() -> None:
            ui = importlib.import_module
            self._messages = ui("workbench.ui.messages").Messages(self._column, self.centralWidget())
            self.registry = ui("workbench.ui.actions").Actions(self, settings.value.shortcuts)
            self.context = ui("workbench.ui.context").Context(
                paths, settings, self._theme, jobs, self.registry, state, backend, self
            )
            self.status = ui("workbench.ui.status").StatusBar(backend, settings, jobs, self.show_help)
            self.status.long_work_done.connect(self._tell_desktop)
            self._column.replaceWidget(self._status_place, self.status)
            self._status_place.deleteLater()
            self._status_place = self.status
            ui("workbench.ui.window_actions").add_window_actions(self, self._places.values())
            settings.changed.connect(self._settings_changed)
            self._theme.changed.connect(self._scale)
            self._scale()
            self._show_keys()

        def page() -> None:
            first = self._pages.get("chat")
            if first is not None and not getattr(first, "has_begun", True):
                begin: Any = first
                begin.begin(self.context)
                self._add_list(first)
            self.show_place(self._chosen)
            backend.when_ready(self._add_panels)

        return [parts, page]

    def _add_list(self, page: QWidget) -> None:
        side_list = getattr(page, "side_list", None)
        if side_list is not None:
            self.lists.addWidget(side_list)

    @property
    def is_complete(self) -> bool:
        return hasattr(self, "context")

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
                importlib.import_module("workbench.ui.window_actions").add_place_actions(self, place)

    @Slot()
    def _scale(self) -> None:
        scale = self._theme.scale
        set_scale(scale)
        self.rail.set_scale(scale)
        self._status_place.setFixedHeight(scaled(STATUS_HEIGHT, scale))
        if self.is_complete:
            QTimer.singleShot(0, self, self._fit)

    @Slot()
    def _fit(self) -> None:
        """Show the page's list if there is one, it is wanted, and there is room for both."""
        page = self.stack.currentWidget()
        if page is None or (self.is_complete and getattr(page, "side_list", None) is None):
            self.list_frame.hide()
            return
        shown = self.lists.currentWidget()  # its buttons must not be cut where the text is large
        least = scaled(LIST_MINIMUM, min(self._theme.scale, LARGEST_SCALE))
        self.list_frame.setMinimumWidth(max(least, shown.minimumSizeHint().width() if shown is not None else 0))
        room = self.width() - self.rail.sizeHint().width() - self.list_frame.minimumWidth()
        fits = page.minimumSizeHint().width() <= room
        self._list_wanted = self._list_wanted and not fits
        self.list_frame.setVisible(self._list_open and (fits or self._list_wanted))

    # --- Shell -----------------------------------------------------------------------------------------------
    @property
    def place(self) -> str:
        return self._chosen

    @Slot(str)
    def _rail_chosen(self, place_id: str) -> None:
        self._chosen = place_id  # shown as soon as the window is complete
        if self.is_complete:
            self.show_place(place_id)

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
        self._chosen = place_id
        if self._state is not None:
            self._state.value.place = place_id
            self._state.touch()
        if isinstance(page, Page):
            page.activate()
        return page

    def show_part(self, place_id: str, part: str) -> None:
        page = self.show_place(place_id)
        if isinstance(page, Page):
            page.show_part(part)

    def _create(self, place: Place) -> QWidget | None:
        try:
            page = create(place, self.context)
        except Exception as error:
            if place in PLACES:
                raise
            importlib.import_module("logging").getLogger(__name__).exception("The panel %s failed", place.id)
            text = tr("The panel “{name}” could not be shown: {error}.", name=place.title, error=error)
            errors = importlib.import_module("workbench.core.errors")
            self.banner(f"panel-{place.id}", errors.ErrorInfo(kind="plugin", message=text))
            return None
        self._add_page(place, page)
        self._add_list(page)
        return page

    @Slot()
    def build_places(self) -> None:
        wanted = (place for place in PLACES if place.acts and place.id in self._places)
        missing = next((place for place in wanted if place.id not in self._pages), None)
        if missing is not None:
            self._create(missing)
            QTimer.singleShot(0, self, self.build_places)

    def page(self, place_id: str) -> QWidget | None:
        return self._pages.get(place_id)

    @property
    def messages(self) -> Messages:
        assert self._messages is not None, "the window is not complete"
        return self._messages

    @property
    def toaster(self) -> Toast:
        return self.messages.toaster

    def toast(self, text: str, action: str = "", callback: Callable[[], object] | None = None) -> None:
        self.messages.toaster.show_message(text, action, callback)

    def banner(
        self,
        key: str,
        error: ErrorInfo | None,
        kind: str = "warn",
        action: tuple[str, Callable[[], object]] | None = None,
    ) -> None:
        self.messages.banner(key, error, kind, action)

    @property
    def banner_texts(self) -> list[str]:
        return self._messages.banner_texts if self._messages is not None else []

    def set_work(
        self, key: str, text: str, fraction: float | None, stop: Callable[[], object] | None, done: str = ""
    ) -> None:
        self.status.set_work(key, text, fraction, stop, done)

    @Slot(str)
    def _tell_desktop(self, text: str) -> None:
        if self.context.settings.value.appearance.notifications:
            if self._notifier is None:
                self._notifier = importlib.import_module("workbench.ui.notifications").Notifier(self)
            self._notifier.notify(text)

    @Slot()
    def start_over(self) -> None:
        self.start_over_requested.emit()

    def restart(self, work: Callable[[], str]) -> None:
        self.restart_requested.emit(work)

    def conceal_models(self, concealed: bool) -> None:
        self.status.conceal_models(concealed)

    def show_help(self, page: str = "") -> None:
        """A page by its id; without one that of the place, or of the part of it, that is shown."""
        if self._help is None:
            self._help = importlib.import_module("workbench.ui.help").HelpWindow(self.context, self)
            assert self._help is not None
        shown = self._pages.get(self.place)
        self._help.show_page(page or getattr(shown, "help_page", "") or self.place)
        self._help.show()
        self._help.raise_()
        self._help.activateWindow()

    @Slot()
    def open_palette(self) -> None:
        self.command_palette.open()
        QTimer.singleShot(0, self, self.build_places)  # once the palette is seen

    @property
    def command_palette(self) -> CommandPalette:
        """Made when first wanted, as is the help."""
        if self._palette is None:
            self._palette = importlib.import_module("workbench.ui.palette").CommandPalette(
                self.registry, self.centralWidget(), self.show_place
            )
            assert self._palette is not None
        return self._palette

    @Slot()
    def toggle_list(self) -> None:
        self._list_wanted = self._list_open = self.list_frame.isHidden()
        if self._state is not None:
            self._state.value.list_open = self._list_open
            self._state.touch()
        self._fit()

    @Slot()
    def _settings_changed(self) -> None:
        value = self.context.settings.value
        self._theme.set_appearance(value.appearance)
        self.registry.set_shortcuts(value.shortcuts)
        self._show_keys()

    def _show_keys(self) -> None:
        self.rail.show_keys(lambda place_id: self.registry.keys(f"place.{place_id}"))

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
        if self._palette is not None and event.type() == QEvent.Type.ActivationChange and self.isActiveWindow():
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
        self.closing.emit(event)
        if not event.isAccepted():
            return
        self.save_state()
        for page in self._pages.values():
            if isinstance(page, Page):
                try:
                    page.close_page()
                except Exception as error:  # the others' drafts and the window's state are still to be kept
                    sys.excepthook(type(error), error, error.__traceback__)
        if self._state is not None:
            self._state.save()
        super().closeEvent(event)
        self.closed.emit()

    def save_state(self) -> None:
        if self._state is None:
            return
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
