"""A row of controls that goes on in the next line where there is no room: large text, long words, a narrow window."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QLayout, QLayoutItem, QWidget

LARGEST_SHARE_OF_FIELDS = 0.6
"""Of a row's width; fields that want more go below the texts."""


class FlowLayout(QLayout):
    """Lines of widgets at their size hints. What comes after `add_stretch` stands at the line's far end."""

    def __init__(self, parent: QWidget | None = None, *, spacing: int = 6) -> None:
        super().__init__(parent)
        self.setContentsMargins(0, 0, 0, 0)
        self.setSpacing(spacing)
        self._items: list[QLayoutItem] = []
        self._stretch = -1

    def add_stretch(self) -> None:
        self._stretch = len(self._items)

    # --- Qt's side -------------------------------------------------------------------------------------------
    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        return Qt.Orientation.Horizontal

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        lines = self._lines(width)
        return sum(height for _items, height in lines) + self.spacing() * max(len(lines) - 1, 0)

    def minimumSize(self) -> QSize:
        """Of the widest widget: the others go below it."""
        sizes = [item.minimumSize() for item in self._shown()]
        return QSize(max((s.width() for s in sizes), default=0), max((s.height() for s in sizes), default=0))

    def sizeHint(self) -> QSize:
        sizes = [item.sizeHint() for item in self._shown()]
        width = sum(size.width() for size in sizes) + self.spacing() * max(len(sizes) - 1, 0)
        return QSize(width, max((size.height() for size in sizes), default=0))

    def setGeometry(self, rect: QRect) -> None:
        super().setGeometry(rect)
        top = rect.top()
        parent = self.parentWidget()
        mirrored = parent is not None and parent.layoutDirection() == Qt.LayoutDirection.RightToLeft
        for items, height in self._lines(rect.width()):
            left, rest = rect.left(), rect.width() - self._width(items)
            for item in items:
                if item is self._first_behind_stretch(items):
                    left += max(rest, 0)
                size = QSize(min(item.sizeHint().width(), rect.width()), item.sizeHint().height())
                place = QRect(QPoint(left, top + (height - size.height()) // 2), size)
                if mirrored:
                    place.moveLeft(rect.left() + rect.right() - place.right())
                item.setGeometry(place)
                left += size.width() + self.spacing()
            top += height + self.spacing()

    # --- lines -----------------------------------------------------------------------------------------------
    def _shown(self) -> list[QLayoutItem]:
        return [item for item in self._items if not item.isEmpty()]

    def _first_behind_stretch(self, items: list[QLayoutItem]) -> QLayoutItem | None:
        behind = self._items[self._stretch :] if self._stretch >= 0 else []
        return next((item for item in items if item in behind), None)

    def _width(self, items: list[QLayoutItem]) -> int:
        return sum(item.sizeHint().width() for item in items) + self.spacing() * max(len(items) - 1, 0)

    def _lines(self, width: int) -> list[tuple[list[QLayoutItem], int]]:
        """(items, height) of each line."""
        lines: list[list[QLayoutItem]] = []
        for item in self._shown():
            if lines and self._width([*lines[-1], item]) <= width:
                lines[-1].append(item)
            else:
                lines.append([item])
        return [(items, max(item.sizeHint().height() for item in items)) for items in lines]


class TitledRow(QWidget):
    """Texts left and fields right, or the fields below where they would leave the texts too little room."""

    def __init__(self, texts: QLayout, fields: Sequence[QWidget], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._box = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._box.setContentsMargins(0, 10, 0, 10)
        self._box.setSpacing(12)
        self._box.addLayout(texts, 1)
        self._fields = QHBoxLayout()
        self._fields.setSpacing(12)
        for field in fields:
            self._fields.addWidget(field, 0, Qt.AlignmentFlag.AlignVCenter)
        self._box.addLayout(self._fields)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        below = self._fields.sizeHint().width() > self.width() * LARGEST_SHARE_OF_FIELDS
        direction = QBoxLayout.Direction.TopToBottom if below else QBoxLayout.Direction.LeftToRight
        if direction != self._box.direction():
            self._box.setDirection(direction)
            self._box.setAlignment(self._fields, Qt.AlignmentFlag.AlignLeft if below else Qt.AlignmentFlag(0))
