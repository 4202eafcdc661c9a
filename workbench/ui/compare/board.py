"""The columns side by side, or as tabs where there is no room: add, remove, reorder, resize, scroll together."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, QSignalBlocker, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QFrame, QScrollArea, QSplitter, QTabBar, QVBoxLayout, QWidget

from workbench.ui.compare.column import MINIMUM_WIDTH, ColumnPanel
from workbench.ui.compare.columns import Column, model_name, summary
from workbench.ui.compare.header import DRAG_TYPE
from workbench.ui.compare.state import CompareState
from workbench.ui.compare.turns import cheapest, fastest, finished_answers
from workbench.ui.context import Context
from workbench.ui.theme import scaled
from workbench.ui.tr import tr

TABS_BELOW = 620
"""Pixels; a narrower board shows one column at a time."""
SAVE_WIDTHS_MS = 500


class ColumnBoard(QWidget):
    current_changed = Signal(str)
    panel_added = Signal(object)

    def __init__(self, state: CompareState, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Columns"))
        self.setAcceptDrops(True)
        self._state, self._context = state, context
        self.panels: dict[str, ColumnPanel] = {}
        self.current = ""
        self._narrow = False
        self._linking = False
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(8)
        self.tabs = QTabBar()
        self.tabs.setAccessibleName(tr("Columns"))
        self.tabs.setExpanding(False)
        self.tabs.setDrawBase(False)
        self.tabs.setMovable(False)
        self.tabs.currentChanged.connect(self._tab_chosen)
        self.tabs.hide()
        box.addWidget(self.tabs)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setAccessibleName(tr("Columns"))
        self.splitter = QSplitter()
        self.splitter.setObjectName("content")
        self.splitter.setHandleWidth(10)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.splitterMoved.connect(self._resized_by_hand)
        self.area.setWidget(self.splitter)
        box.addWidget(self.area, 1)
        self.drop_line = QFrame(self)
        self.drop_line.setObjectName("dropLine")
        self.drop_line.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.drop_line.hide()
        self._save_widths = QTimer(self, singleShot=True, interval=SAVE_WIDTHS_MS)
        self._save_widths.timeout.connect(self._keep_widths)
        state.columns_changed.connect(self.rebuild)
        state.turns_changed.connect(self._show_turns)
        state.models_changed.connect(self._show_columns)
        state.cell_changed.connect(self._show_cell)
        state.answer_done.connect(self._answer_done)
        state.turn_done.connect(self._turn_done)
        state.opened_at.connect(self._opened_at)
        state.running_changed.connect(self._running_changed)
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._focus_changed)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self.panels:
            QTimer.singleShot(0, self, self._fill_next)

    @Slot()
    def _fill_next(self) -> None:
        """Make the first columns one in each turn of the event loop: the place's first paint does not wait for them."""
        missing = [column for column in self._state.shown_columns if column.key not in self.panels]
        if len(missing) > 1:
            self.splitter.addWidget(self._add(missing[0]))
            QTimer.singleShot(0, self, self._fill_next)
        else:
            self.rebuild()

    # --- columns ----------------------------------------------------------------------------------------------
    @property
    def shown(self) -> list[ColumnPanel]:
        """In the order in which they stand."""
        return [self.panels[column.key] for column in self._state.shown_columns if column.key in self.panels]

    @Slot()
    def rebuild(self) -> None:
        """Panels for the state's columns, in its order; those that stay are kept."""
        columns = self._state.shown_columns
        keys = [column.key for column in columns]
        for key in [key for key in self.panels if key not in keys]:
            panel = self.panels.pop(key)
            panel.detach()
            panel.hide()
            panel.setParent(None)
            panel.deleteLater()
        changed = False
        for place, column in enumerate(columns):
            panel = self.panels.get(column.key) or self._add(column)
            if self.splitter.indexOf(panel) != place:
                self.splitter.insertWidget(place, panel)
                changed = True
        if self.current not in keys:
            self.set_current(keys[0] if keys else "")
        self._show_columns()
        self._fill_tabs()
        if changed or len(keys) != len(self._state.widths):
            self._spread(keys)
        self.show_marks()

    def _add(self, column: Column) -> ColumnPanel:
        panel = ColumnPanel(column, self._state, self._context)
        panel.view.verticalScrollBar().valueChanged.connect(self._scrolled)
        self.panels[column.key] = panel
        self.panel_added.emit(panel)
        return panel

    def _spread(self, keys: list[str]) -> None:
        """The remembered widths, or all the same."""
        widths = self._state.widths
        self.splitter.setSizes(list(widths) if len(widths) == len(keys) else [1000] * len(keys))

    @Slot()
    def _show_columns(self) -> None:
        for panel in self.panels.values():
            panel.show_column()
        self._fill_tabs()

    @Slot()
    def _show_turns(self) -> None:
        self.rebuild()
        for panel in self.panels.values():
            panel.show_turns()
        self.show_marks()

    @Slot(str)
    def _show_cell(self, key: str) -> None:
        panel = self.panels.get(key)
        if panel is not None:
            panel.show_turns()
        self.show_marks()

    @Slot(str)
    def _answer_done(self, run_id: str) -> None:
        self.show_marks()
        found = self._state.answer(run_id)
        panel = self.panels.get(found[1]) if found else None
        if panel is not None:
            panel.show_numbers()

    @Slot(str)
    def _opened_at(self, turn_id: str) -> None:
        self.rebuild()  # where the first columns are still being made
        for panel in self.panels.values():
            panel.read_from(turn_id)

    def follow(self) -> None:
        """Go to the end in all columns: the answers to a new prompt come there."""
        for panel in self.panels.values():
            panel.view.scroll_to_end()

    @Slot()
    def _turn_done(self) -> None:
        if self._state.hidden:
            for panel in self.panels.values():
                panel.show_turns()
                panel.read_from_prompt()
        self.show_marks()

    @Slot()
    def _running_changed(self) -> None:
        self.show_marks()
        if self._narrow:
            self._fill_tabs()

    @Slot()
    def show_marks(self) -> None:
        """Fastest and cheapest, once all answers are there and nothing is hidden."""
        turn = self._state.last_turn
        quick = cheap = None
        if turn is not None and turn.done and not self._state.hidden:
            records = list(finished_answers(turn).items())
            quick, cheap = fastest(records), cheapest(records)
        for key, panel in self.panels.items():
            panel.show_number_marks(fastest=key == quick, cheapest=key == cheap)

    # --- the current column -----------------------------------------------------------------------------------
    def set_current(self, key: str, *, focus: bool = False) -> None:
        self.current = key
        self._mark_current()
        if self._narrow:
            self._show_one()
        if focus and key in self.panels:
            self.panels[key].view.setFocus(Qt.FocusReason.ShortcutFocusReason)
            self._reveal_current()
        self.current_changed.emit(key)

    def show_column(self, key: str) -> None:
        """Make it the current one, and bring it into view as soon as it has its place."""
        self.set_current(key)
        QTimer.singleShot(0, self, self._reveal_current)

    @Slot()
    def _reveal_current(self) -> None:
        panel = self.panels.get(self.current)
        if panel is not None:
            self.area.ensureWidgetVisible(panel, 0, 0)

    def _mark_current(self) -> None:
        focus = QApplication.focusWidget()
        for name, panel in self.panels.items():
            focused = focus is not None and panel.isAncestorOf(focus)
            panel.set_current(name == self.current, focused=focused)

    def focus_place(self, place: int) -> None:
        """Go to the column at this place, from 0."""
        shown = self.shown
        if 0 <= place < len(shown):
            self.set_current(shown[place].key, focus=True)

    def step(self, by: int) -> None:
        keys = [panel.key for panel in self.shown]
        if keys:
            place = keys.index(self.current) + by if self.current in keys else 0
            self.set_current(keys[place % len(keys)], focus=True)

    @Slot(QWidget, QWidget)
    def _focus_changed(self, _old: QWidget | None, new: QWidget | None) -> None:
        if self.isVisible():
            self._mark_current()
        while new is not None and new is not self:
            if isinstance(new, ColumnPanel) and self.panels.get(new.key) is new:
                if new.key != self.current:
                    self.set_current(new.key)
                return
            new = new.parentWidget()

    # --- narrow windows ---------------------------------------------------------------------------------------
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        narrow = self.width() < scaled(TABS_BELOW, self._context.theme.scale)
        if narrow != self._narrow:
            self._narrow = narrow
            self.tabs.setVisible(narrow)
            self._fill_tabs()
            self._show_one()

    @property
    def is_narrow(self) -> bool:
        return self._narrow

    def _show_one(self) -> None:
        for key, panel in self.panels.items():
            panel.setVisible(not self._narrow or key == self.current)
        keys = [panel.key for panel in self.shown]
        if self._narrow and self.current in keys:
            blocker = QSignalBlocker(self.tabs)
            self.tabs.setCurrentIndex(keys.index(self.current))
            blocker.unblock()

    def _fill_tabs(self) -> None:
        blocker = QSignalBlocker(self.tabs)
        titles, turn = [], self._state.last_turn
        for column in self._state.shown_columns:
            name = model_name(column.model, self._state.models)
            special = summary(column)
            if self._state.hidden:
                titles.append(self._state.title(column))
            else:
                text = f"{name} · {special}" if special else name
                cell = turn.cells.get(column.key) if turn is not None else None
                titles.append(text if cell is None or cell.done else tr("{title} · answering", title=text))
        while self.tabs.count() > len(titles):
            self.tabs.removeTab(self.tabs.count() - 1)
        for place, title in enumerate(titles):
            if place < self.tabs.count():
                self.tabs.setTabText(place, title)
            else:
                self.tabs.addTab(title)
            self.tabs.setTabToolTip(place, "")
            self.tabs.setAccessibleTabName(place, title)
        blocker.unblock()
        if self._narrow:
            self._show_one()

    @Slot(int)
    def _tab_chosen(self, place: int) -> None:
        shown = self.shown
        if 0 <= place < len(shown):
            self.set_current(shown[place].key)

    # --- widths and order -------------------------------------------------------------------------------------
    @Slot()
    def _resized_by_hand(self) -> None:
        self._save_widths.start()

    @Slot()
    def _keep_widths(self) -> None:
        if not self._narrow and not self._state.hidden:
            self._state.set_widths(self.splitter.sizes())

    def widen(self, by: int) -> None:
        """Make the current column wider or narrower, by the keyboard."""
        keys = [panel.key for panel in self.shown]
        if self.current not in keys or len(keys) < 2:
            return
        sizes, place = self.splitter.sizes(), keys.index(self.current)
        least = scaled(MINIMUM_WIDTH, self._context.theme.scale)
        share = by // (len(sizes) - 1)
        if sizes[place] + by >= least and all(size - share >= least for i, size in enumerate(sizes) if i != place):
            self.splitter.setSizes([size + by if i == place else size - share for i, size in enumerate(sizes)])
            self._save_widths.start()

    def equal_widths(self) -> None:
        self.splitter.setSizes([1000] * len(self.panels))
        self._save_widths.start()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasFormat(DRAG_TYPE) and not self._state.hidden:
            event.acceptProposedAction()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        if event.mimeData().hasFormat(DRAG_TYPE):
            self._show_drop_line(self.place_at(int(event.position().x()), _dragged_key(event)), _dragged_key(event))
            event.acceptProposedAction()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        super().dragLeaveEvent(event)
        self.drop_line.hide()

    def _show_drop_line(self, place: int, key: str) -> None:
        """Between the columns where the dragged one would go; nowhere if it would stay."""
        shown = self.shown
        keys = [panel.key for panel in shown]
        if key in keys and place == keys.index(key):
            self.drop_line.hide()
            return
        others = [panel for panel in shown if panel.key != key]
        after = others[place - 1] if place > 0 else None
        edge = after or others[0]
        right = (after is not None) != self._mirrored
        corner = edge.mapTo(self, QPoint(edge.width() if right else 0, 0))
        gap = self.splitter.handleWidth() // 2
        x = min(max(corner.x() + (gap if right else -gap) - 1, 0), self.width() - 3)
        self.drop_line.setGeometry(x, corner.y(), 3, edge.height())
        self.drop_line.show()
        self.drop_line.raise_()

    def dropEvent(self, event: QDropEvent) -> None:
        self.drop_line.hide()
        if event.mimeData().hasFormat(DRAG_TYPE):
            key = _dragged_key(event)
            self._state.move(key, self.place_at(int(event.position().x()), key))
            event.acceptProposedAction()

    def place_at(self, x: int, key: str) -> int:
        """Where a column dropped at `x` goes among the others."""
        others = [panel for panel in self.shown if panel.key != key]
        middle: Callable[[ColumnPanel], int] = lambda panel: (  # noqa: E731
            panel.mapTo(self, panel.rect().center()).x()
        )
        return sum((x < middle(panel)) if self._mirrored else (x > middle(panel)) for panel in others)

    @property
    def _mirrored(self) -> bool:
        """The first column stands at the right."""
        return self.splitter.isRightToLeft()

    # --- scrolling together -----------------------------------------------------------------------------------
    @Slot(int)
    def _scrolled(self, value: int) -> None:
        """The other columns follow, by the share of the way scrolled, while the user scrolls this one."""
        if not self._state.linked or self._linking:
            return
        source = next((p for p in self.panels.values() if p.view.verticalScrollBar() is self.sender()), None)
        if source is None or source.view.following:
            return
        bar = source.view.verticalScrollBar()
        share = value / bar.maximum() if bar.maximum() else 0.0
        self._linking = True
        for panel in self.panels.values():
            if panel is not source:
                other = panel.view.verticalScrollBar()
                other.setValue(round(share * other.maximum()))
        self._linking = False


def _dragged_key(event: QDropEvent) -> str:
    return bytes(event.mimeData().data(DRAG_TYPE).data()).decode()
