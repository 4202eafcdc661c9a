"""A field and the list it filters, in a small frame: for the command palette and for choosing a model."""

from __future__ import annotations

from typing import NamedTuple

from PySide6 import QtWidgets
from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QRect, Qt, Slot
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPalette, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QLineEdit,
    QListView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

Index = QModelIndex | QPersistentModelIndex
SELECTED_ALPHA = 40
RADIUS = 7


class Match(NamedTuple):
    score: int
    """Lower is better."""


def match(query: str, text: str) -> Match | None:
    """Whether the query's words all occur in the text, or its letters in order; None if not."""
    wanted, lower = query.lower().strip(), text.lower()
    if not wanted:
        return Match(0)
    if lower.startswith(wanted):
        return Match(0)
    words = wanted.split()
    if all(word in lower for word in words):
        return Match(1 + sum(lower.index(word) for word in words))
    position, gaps = -1, 0
    for letter in wanted.replace(" ", ""):
        found = lower.find(letter, position + 1)
        if found < 0:
            return None
        gaps += found - position - 1
        position = found
    return Match(100 + gaps)


class RowDelegate(QStyledItemDelegate):
    """Paints what rows have in common: the mark of the selected one."""

    def paint_selection(self, painter: QPainter, option: QStyleOptionViewItem) -> QRect:
        """The row's inner rectangle."""
        rect: QRect = option.rect.adjusted(2, 1, -2, -1)
        if option.state & QtWidgets.QStyle.StateFlag.State_Selected:
            color = QColor(QApplication.palette().color(QPalette.ColorRole.Highlight))
            color.setAlpha(SELECTED_ALPHA)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color)
            painter.drawRoundedRect(rect, RADIUS, RADIUS)
        return rect


class ChoiceList(QFrame):
    """What is typed filters the rows, arrows move, Enter and a click choose, Escape leaves. A row that can't be chosen
    is a heading."""

    def __init__(
        self,
        delegate: RowDelegate,
        *,
        name: str,
        placeholder: str,
        parent: QWidget | None = None,
        flags: Qt.WindowType = Qt.WindowType.Widget,
    ) -> None:
        """`name` is what a screen reader calls the list; the delegate is kept."""
        super().__init__(parent, flags)
        self.setObjectName("popup")
        self._delegate = delegate
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(8, 8, 8, 8)
        self.column.setSpacing(6)
        self.field = QLineEdit()
        self.field.setPlaceholderText(placeholder)
        self.field.setAccessibleName(placeholder.rstrip("…"))
        self.field.textChanged.connect(self.fill)
        self.field.installEventFilter(self)
        self.column.addWidget(self.field)
        self.list = QListView()
        self.list.setAccessibleName(name)
        delegate.setParent(self.list)
        self.list.setItemDelegate(delegate)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.list.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.list.clicked.connect(self._clicked)
        self.column.addWidget(self.list, 1)
        self.rows = QStandardItemModel(self)
        self.list.setModel(self.rows)

    # --- for the kinds of it ---------------------------------------------------------------------------------
    @Slot(str)
    def fill(self, query: str) -> None:
        """Put the rows that fit into `rows`, and select one."""
        raise NotImplementedError

    def choose(self, index: QModelIndex) -> None:
        raise NotImplementedError

    def leave(self) -> None:
        self.hide()

    def add_heading(self, title: str) -> None:
        item = QStandardItem(title)
        item.setFlags(Qt.ItemFlag.NoItemFlags)
        self.rows.appendRow(item)

    # --- moving and choosing ---------------------------------------------------------------------------------
    def select(self, index: QModelIndex) -> None:
        self.list.setCurrentIndex(index)
        self.list.scrollTo(index)

    @Slot(QModelIndex)
    def _clicked(self, index: QModelIndex) -> None:
        if index.flags() & Qt.ItemFlag.ItemIsEnabled:
            self.choose(index)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent):
            if event.type() == QEvent.Type.ShortcutOverride:
                event.accept()  # Escape and Enter are the list's now, not the window's shortcuts
                return False
            if event.type() == QEvent.Type.KeyPress:
                return self._key(event.key())
        return False

    def _key(self, key: int) -> bool:
        if key == Qt.Key.Key_Escape:
            self.leave()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._clicked(self.list.currentIndex())
        elif key == Qt.Key.Key_Down:
            self._step(1)
        elif key == Qt.Key.Key_Up:
            self._step(-1)
        else:
            return False
        return True

    def _step(self, step: int) -> None:
        """To the next row that can be chosen, round the ends."""
        count, row = self.rows.rowCount(), self.list.currentIndex().row()
        for _ in range(count):
            row = (row + step) % count
            if self.rows.item(row).isEnabled():
                self.select(self.rows.index(row, 0))
                return
