"""Small parts the Evaluate views share."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from workbench.ui.widgets import label


class _Calm:
    """The wheel scrolls the page and does not change a value that happens to lie under the pointer."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():  # type: ignore[attr-defined]
            super().wheelEvent(event)  # type: ignore[misc]
        else:
            event.ignore()


class ComboBox(_Calm, QComboBox):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)


class SpinBox(_Calm, QSpinBox):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)


class DoubleSpinBox(_Calm, QDoubleSpinBox):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)


def card(title: str = "", hint: str = "") -> tuple[QFrame, QVBoxLayout]:
    """A bordered panel and the column its content goes into."""
    frame = QFrame()
    frame.setObjectName("card")
    frame.setAccessibleName(title)
    column = QVBoxLayout(frame)
    column.setContentsMargins(16, 14, 16, 16)
    column.setSpacing(8)
    if title:
        column.addWidget(label(title, "sectionTitle"))
    if hint:
        column.addWidget(label(hint, "small", wrap=True))
    return frame, column


def scrolled(content: QWidget) -> QScrollArea:
    """The widget in an area that scrolls up and down only."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFrameShape(QFrame.Shape.NoFrame)
    content.setObjectName("content")
    area.setWidget(content)
    return area


def field(title: str, widget: QWidget, hint: str = "") -> QWidget:
    """A widget under its title."""
    box = QWidget()
    column = QVBoxLayout(box)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(4)
    name = label(title, "stat")
    name.setBuddy(widget)
    column.addWidget(name)
    column.addWidget(widget)
    if hint:
        column.addWidget(label(hint, "small", wrap=True))
    if not widget.accessibleName():
        widget.setAccessibleName(title)
    return box


def padded(spin: QAbstractSpinBox) -> None:
    """Room left of the number, which the style sheet's padding does not reach."""
    spin.lineEdit().setTextMargins(6, 0, 0, 0)


def row(*widgets: QWidget, stretch: bool = True, spacing: int = 8) -> QHBoxLayout:
    """Widgets side by side, from the left."""
    line = QHBoxLayout()
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(spacing)
    for widget in widgets:
        line.addWidget(widget)
    if stretch:
        line.addStretch(1)
    return line


def wrapped(text: str = "", name: str = "") -> QLabel:
    """A label that wraps and can be selected."""
    return label(text, name, wrap=True, selectable=True)
