"""The filters as chips: each says what it lets through, opens its choices, and is emptied by its last entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from PySide6 import QtWidgets
from PySide6.QtCore import QDate, QEvent, QModelIndex, QObject, QPoint, QSize, Qt, Signal, Slot
from PySide6.QtGui import QIcon, QKeyEvent, QPixmap, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QLineEdit, QListView, QVBoxLayout, QWidget

from workbench.ui import icons
from workbench.ui.flow import FlowLayout
from workbench.ui.formats import number
from workbench.ui.history.columns import STATUS_TEXTS
from workbench.ui.history.query import CUSTOM, Query
from workbench.ui.history.state import HistoryState
from workbench.ui.icons import IconButton, PushButton
from workbench.ui.tr import mark, tr
from workbench.ui.widgets import label

VALUE_ROLE = Qt.ItemDataRole.UserRole + 1
TICKED_ROLE = Qt.ItemDataRole.UserRole + 2
SEARCH_FROM = 9
"""Choices from which on the list can be searched."""
PERIOD_TEXTS = {
    "today": mark("Today"),
    "week": mark("Last 7 days"),
    "month": mark("Last 30 days"),
    "year": mark("Last 365 days"),
}
FILTERS = (
    ("models", mark("Model"), True),
    ("providers", mark("Provider"), True),
    ("period", mark("Time"), False),
    ("statuses", mark("Status"), True),
    ("remote", mark("Privacy"), False),
    ("voted", mark("Judged"), False),
)
"""Field of the query, title, and whether several choices may be ticked."""
REMOTE_TEXTS = {True: mark("Left this machine"), False: mark("Stayed here")}
VOTED_TEXTS = {True: mark("Judged"), False: mark("Not judged")}


def _blank() -> QIcon:
    """As wide as a tick, so that titles stand in line."""
    pixmap = QPixmap(15, 15)
    pixmap.fill(Qt.GlobalColor.transparent)
    return QIcon(pixmap)


Choice = tuple[Any, str, str]
"""Value, title, note."""


class ChoicePopup(QFrame):
    """A list under a chip: several may be ticked, or one chosen, which closes it."""

    changed = Signal(object)
    """The values that are ticked, or the one that was chosen."""

    def __init__(self, title: str, *, several: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
        self.setObjectName("popup")
        self.setAccessibleName(title)
        self._several = several
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(8, 8, 8, 8)
        self.column.setSpacing(6)
        self.field = QLineEdit()
        self.field.setPlaceholderText(tr("Search"))
        self.field.setAccessibleName(tr("Search in: {title}", title=title))
        self.field.textChanged.connect(self._search)
        self.field.installEventFilter(self)
        self.column.addWidget(self.field)
        self.list = QListView()
        self.list.setAccessibleName(title)
        self.list.setObjectName("navigation")
        self.list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.list.setIconSize(QSize(15, 15))
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.clicked.connect(self._pick)
        self.list.installEventFilter(self)
        self._model = QStandardItemModel(self)
        self.list.setModel(self._model)
        self.column.addWidget(self.list, 1)

    def open_below(self, anchor: QWidget, choices: list[Choice], chosen: tuple[Any, ...]) -> None:
        self._model.clear()
        for value, title, note in choices:
            item = QStandardItem(f"{title}   {note}" if note else title)
            item.setData(value, VALUE_ROLE)
            item.setSizeHint(self._size_hint())
            self._tick(item, value in chosen)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
            self._model.appendRow(item)
        self.field.clear()
        self.field.setVisible(len(choices) >= SEARCH_FROM)
        rows = min(max(len(choices), 1), 12)
        self.list.setFixedHeight(rows * self._size_hint().height() + 6)
        self.column.activate()
        self.setFixedSize(330, self.column.sizeHint().height())
        self.move(anchor.mapToGlobal(QPoint(0, anchor.height() + 4)))
        self.show()
        current = next((row for row, choice in enumerate(choices) if choice[0] in chosen), 0)
        self.list.setCurrentIndex(self._model.index(current, 0))
        focus = self.field if self.field.isVisible() else self.list
        focus.setFocus(Qt.FocusReason.PopupFocusReason)

    def _size_hint(self) -> QSize:
        return QSize(0, self.fontMetrics().height() + 14)

    @Slot(QModelIndex)
    def _pick(self, index: QModelIndex) -> None:
        item = self._model.itemFromIndex(index)
        if item is None:
            return
        if not self._several:
            self.hide()
            self.changed.emit(item.data(VALUE_ROLE))
            return
        self._tick(item, not item.data(TICKED_ROLE))
        self.changed.emit(self.ticked())

    def _tick(self, item: QStandardItem, ticked: bool) -> None:
        item.setData(ticked, TICKED_ROLE)
        color = QApplication.palette().highlight().color().name()
        item.setIcon(icons.icon("check", color, 15) if ticked else _blank())
        state = tr("chosen") if ticked else tr("not chosen")
        item.setData(f"{item.text()}, {state}", Qt.ItemDataRole.AccessibleTextRole)

    def ticked(self) -> tuple[Any, ...]:
        items = [self._model.item(row) for row in range(self._model.rowCount())]
        return tuple(item.data(VALUE_ROLE) for item in items if item.data(TICKED_ROLE))

    @Slot(str)
    def _search(self, text: str) -> None:
        first = -1
        for row in range(self._model.rowCount()):
            hidden = text.lower().strip() not in self._model.item(row).text().lower()
            self.list.setRowHidden(row, hidden)
            first = row if first < 0 and not hidden else first
        self.list.setCurrentIndex(self._model.index(first, 0))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() != QEvent.Type.KeyPress or not isinstance(event, QKeyEvent):
            return False
        key = event.key()
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) or (key == Qt.Key.Key_Space and watched is self.list):
            self._pick(self.list.currentIndex())
        elif key in (Qt.Key.Key_Down, Qt.Key.Key_Up) and watched is self.field:
            self.list.setFocus()
        elif key == Qt.Key.Key_Escape:
            self.hide()
        else:
            return False
        return True


class PeriodPopup(ChoicePopup):
    """Periods, and two days of one's own."""

    days_chosen = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("Time"), several=False, parent=parent)
        row = QHBoxLayout()
        row.setSpacing(6)
        self.first, self.last = self._field(tr("From")), self._field(tr("Until"))
        for name, field in ((tr("From"), self.first), (tr("until"), self.last)):
            row.addWidget(label(name, "small"))
            row.addWidget(field, 1)
        self.column.addLayout(row)
        self.apply = PushButton(tr("Show these days"))
        self.apply.clicked.connect(self._apply)
        self.column.addWidget(self.apply)

    def _field(self, name: str) -> QtWidgets.QDateEdit:
        field = QtWidgets.QDateEdit(QDate.currentDate())
        field.setDisplayFormat("yyyy-MM-dd")
        field.setAccessibleName(name)
        return field

    def set_days(self, first: str, last: str) -> None:
        for field, day in ((self.first, first), (self.last, last)):
            if day:
                field.setDate(QDate.fromString(day, Qt.DateFormat.ISODate))

    @Slot()
    def _apply(self) -> None:
        first, last = sorted((self.first.date().toString("yyyy-MM-dd"), self.last.date().toString("yyyy-MM-dd")))
        self.hide()
        self.days_chosen.emit(first, last)


class Chip(IconButton):
    """A filter: its name, and what it lets through once it is set."""

    cleared = Signal()

    def __init__(self, title: str) -> None:
        super().__init__("chevron-down", title, text=title, size=13, object_name="chip")
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._title = title

    def show_values(self, values: list[str]) -> None:
        text = self._title
        if values:
            more = f" +{len(values) - 1}" if len(values) > 1 else ""
            shown = self.fontMetrics().elidedText(values[0], Qt.TextElideMode.ElideMiddle, 150)
            text = f"{self._title}: {shown}{more}"
        self.setText(text)
        self.setChecked(bool(values))
        spoken = ", ".join(values) if values else tr("all")
        self.setAccessibleName(tr("Filter {title}: {values}", title=self._title, values=spoken))
        self.setToolTip(", ".join(values) if values else tr("Filter by: {title}", title=self._title))

    def nextCheckState(self) -> None:
        """Only `show_values` ticks it."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.cleared.emit()
        else:
            super().keyPressEvent(event)


class FilterBar(QWidget):
    def __init__(self, state: HistoryState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Filters"))
        self._state = state
        row = FlowLayout(self)
        self.chips: dict[str, Chip] = {}
        self._popups: dict[str, ChoicePopup] = {}
        for name, title, _several in FILTERS:
            self._add(name, tr(title))
        for chip in self.chips.values():
            row.addWidget(chip)
        self.clear = PushButton(tr("Clear filters"), object_name="link")
        self.clear.clicked.connect(self._clear)
        row.addWidget(self.clear)
        state.query_changed.connect(self.show_query)
        self.show_query()

    def _add(self, name: str, title: str) -> None:
        chip = Chip(title)
        chip.clicked.connect(self._opener(name))
        chip.cleared.connect(self._clearer(name))
        self.chips[name] = chip

    def popup(self, name: str) -> ChoicePopup:
        """Made when first opened."""
        if name not in self._popups:
            title, several = next((title, several) for known, title, several in FILTERS if known == name)
            popup = PeriodPopup(self) if name == "period" else ChoicePopup(tr(title), several=several, parent=self)
            if isinstance(popup, PeriodPopup):
                popup.days_chosen.connect(self._days_chosen)
            popup.changed.connect(self._setter(name))
            self._popups[name] = popup
        return self._popups[name]

    def _opener(self, name: str) -> Callable[[], None]:
        return lambda: self.open(name)

    def _clearer(self, name: str) -> Callable[[], None]:
        return lambda: self._set(name, getattr(Query(), name))

    def _setter(self, name: str) -> Callable[[Any], None]:
        return lambda value: self._set(name, value)

    def open(self, name: str) -> None:
        query = self._state.query
        value = getattr(query, name)
        chosen = value if isinstance(value, tuple) else (value,)
        popup = self.popup(name)
        if isinstance(popup, PeriodPopup):
            popup.set_days(query.first_day, query.last_day)
        popup.open_below(self.chips[name], self._choices(name), chosen)

    def _choices(self, name: str) -> list[Choice]:
        if name == "models":
            return [(model, model, number(count)) for model, count in self._state.models]
        if name == "providers":
            return [(name_, name_ or tr("None"), number(count)) for name_, count in self._state.providers]
        if name == "statuses":
            return [(status, tr(text), "") for status, text in STATUS_TEXTS.items()]
        if name == "period":
            return [("", tr("Any time"), ""), *((key, tr(text), "") for key, text in PERIOD_TEXTS.items())]
        texts = REMOTE_TEXTS if name == "remote" else VOTED_TEXTS
        return [(None, tr("All"), ""), *((value, tr(text), "") for value, text in texts.items())]

    def _set(self, name: str, value: Any) -> None:
        self._state.change(**{name: value})

    @Slot(str, str)
    def _days_chosen(self, first: str, last: str) -> None:
        self._state.change(period=CUSTOM, first_day=first, last_day=last)

    @Slot()
    def _clear(self) -> None:
        query = self._state.query
        self._state.set_query(msgspec.structs.replace(query.cleared(), text=query.text))

    @Slot()
    def show_query(self) -> None:
        query = self._state.query
        self.chips["models"].show_values(list(query.models))
        self.chips["providers"].show_values(list(query.providers))
        self.chips["statuses"].show_values([tr(STATUS_TEXTS.get(status, status)) for status in query.statuses])
        self.chips["period"].show_values(self._period_values(query))
        self.chips["remote"].show_values([] if query.remote is None else [tr(REMOTE_TEXTS[query.remote])])
        self.chips["voted"].show_values([] if query.voted is None else [tr(VOTED_TEXTS[query.voted])])
        self.clear.setVisible(any(chip.isChecked() for chip in self.chips.values()))

    def _period_values(self, query: Query) -> list[str]:
        if query.period == CUSTOM:
            days = [day for day in (query.first_day, query.last_day) if day]
            return [" – ".join(dict.fromkeys(days))] if days else []
        return [tr(PERIOD_TEXTS[query.period])] if query.period in PERIOD_TEXTS else []
