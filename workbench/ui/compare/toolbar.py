"""The line above the columns: title, add a model, column sets, schedule, blind mode, and what is done with answers."""

from __future__ import annotations

from PySide6 import QtWidgets
from PySide6.QtCore import QPoint, QSize, Qt, Signal, Slot
from PySide6.QtGui import QAction, QActionGroup, QIcon, QPalette, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from workbench.ui import icons
from workbench.ui.compare.columns import MAX_COLUMNS
from workbench.ui.compare.state import CompareState
from workbench.ui.icons import IconButton
from workbench.ui.tr import tr, trn
from workbench.ui.widgets import ElidedLabel

COMPACT_BELOW = 84
"""Characters; on a narrower line the chips show their icons only."""


class Toolbar(QWidget):
    add_clicked = Signal()
    sets_clicked = Signal()
    diff_clicked = Signal()
    tally_clicked = Signal()
    export_clicked = Signal()

    def __init__(self, state: CompareState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Comparison"))
        self._state = state
        row = QHBoxLayout(self)
        row.setContentsMargins(2, 0, 0, 0)
        row.setSpacing(4)
        self.title = ElidedLabel("", "pageTitle")
        row.addWidget(self.title, 1)
        self.schedule = self._chip("clock", tr("Scheduling"), tr("Schedule"))
        self.schedule.clicked.connect(self.open_schedule)
        self.blind = self._chip("eye-off", tr("Blind mode"), tr("Blind"))
        self.blind.setCheckable(True)
        self.blind.setToolTip(tr("Hide who answers, and shuffle the columns, until you have voted"))
        self.blind.clicked.connect(self._toggle_blind)
        self.sets = self._chip("columns-3", tr("Column sets"), "…")
        self.sets.clicked.connect(self.sets_clicked)
        self.add = self._chip("plus", tr("Add a column"), tr("Add model"))
        self.add.clicked.connect(self.add_clicked)
        for chip in (self.blind, self.schedule, self.sets, self.add):
            row.addWidget(chip)
        row.addSpacing(6)
        self.linked = IconButton("link-2", tr("Scroll the columns together"), size=17)
        self.linked.setCheckable(True)
        self.linked.clicked.connect(self._toggle_linked)
        self.diff = IconButton("diff", tr("Compare two answers word by word"), size=17)
        self.diff.clicked.connect(self.diff_clicked)
        self.tally = IconButton("trophy", tr("Votes so far"), size=17)
        self.tally.clicked.connect(self.tally_clicked)
        self.export = IconButton("arrow-down-to-line", tr("Export the comparison"), size=17)
        self.export.clicked.connect(self.export_clicked)
        for button in (self.linked, self.diff, self.tally, self.export):
            row.addWidget(button)
        for signal in (state.columns_changed, state.turns_changed, state.session_changed, state.options_changed):
            signal.connect(self.refresh)
        state.running_changed.connect(self.refresh)
        self.refresh()

    def minimumSizeHint(self) -> QSize:
        """As with the chips' texts hidden: a long word must not widen the window."""
        return QSize(360, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        compact = self.width() < self.fontMetrics().horizontalAdvance("n") * COMPACT_BELOW
        style = Qt.ToolButtonStyle
        for chip in (self.blind, self.schedule, self.sets, self.add):
            chip.setToolButtonStyle(style.ToolButtonIconOnly if compact else style.ToolButtonTextBesideIcon)

    def _chip(self, icon_name: str, title: str, text: str) -> IconButton:
        return IconButton(icon_name, title, text=text, size=15, object_name="chip")

    @Slot()
    def refresh(self) -> None:
        state = self._state
        title = state.session.title if state.session else tr("New comparison")
        self.title.set_text(title)
        one_by_one = state.schedule == "one_by_one"
        text = tr("One after another") if one_by_one else tr("Automatic")
        self.schedule.setText(text if one_by_one else tr("Schedule"))
        self.schedule.set_title(tr("Scheduling: {how}", how=text))
        self.sets.setText(trn("{count} column", "{count} columns", len(state.shown_columns)))
        self.blind.setChecked(state.blind)
        self.blind.setEnabled(not state.hidden)
        self.linked.setChecked(state.linked)
        self.linked.setAccessibleName(
            tr("Scroll the columns together: {state}", state=tr("on") if state.linked else tr("off"))
        )
        free = not state.hidden
        self.add.setEnabled(free and len(state.columns) < MAX_COLUMNS)
        self.sets.setEnabled(free)
        answers = any(cell.answer and cell.answer.done for turn in state.turns for cell in turn.cells.values())
        self.diff.setEnabled(answers and (free or state.judging.can_vote))
        self.export.setEnabled(bool(state.turns) and free)

    @Slot()
    def open_schedule(self) -> None:
        menu = self.schedule_menu()
        menu.popup(self.schedule.mapToGlobal(QPoint(0, self.schedule.height() + 2)))

    def schedule_menu(self) -> QtWidgets.QMenu:
        menu = QtWidgets.QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        group = QActionGroup(menu)
        entries = (
            (tr("Automatic: APIs in parallel, local models as memory allows"), "auto"),
            (tr("Strictly one after another, for clean timings"), "one_by_one"),
        )
        for text, value in entries:
            action = QAction(text, menu)
            action.setCheckable(True)
            action.setChecked(self._state.schedule == value)
            action.triggered.connect(lambda _checked=False, v=value: self._state.set_options(schedule=v))
            group.addAction(action)
            menu.addAction(action)
        return menu

    @Slot()
    def _toggle_blind(self) -> None:
        self._state.set_options(blind=self.blind.isChecked())

    @Slot()
    def _toggle_linked(self) -> None:
        self._state.set_options(linked=self.linked.isChecked())


def menu_icon(widget: QWidget, name: str) -> QIcon:
    return icons.icon(name, icons.role_color(widget, QPalette.ColorRole.PlaceholderText), 16)
