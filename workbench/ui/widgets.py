"""Small widgets the pages share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import QEvent, QObject, QSize, QTimer, Signal, Slot
from PySide6.QtGui import QFontMetrics, QGuiApplication, QPalette, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from workbench.ui.icons import IconButton, IconLabel, PushButton
from workbench.ui.numbers import PLAIN_TEXT, set_number
from workbench.ui.tr import tr, translated_error

if TYPE_CHECKING:  # the first paint needs some of these widgets, and none of their errors
    from PySide6.QtCore import QRect
    from PySide6.QtWidgets import QKeySequenceEdit, QLineEdit, QStyleOptionViewItem

    from workbench.core.errors import ErrorInfo

TOAST_MS = 8000
TOAST_BOTTOM = 168
"""Pixels between a toast and the lower edge: clear of the composer and the status bar."""


def label(text: str = "", name: str = "", *, wrap: bool = False, selectable: bool = False) -> QLabel:
    """A label of plain text; `name` picks its style."""
    result = QLabel(text)
    set_number(result, PLAIN_TEXT)
    if name:
        result.setObjectName(name)
    result.setWordWrap(wrap)
    if name.startswith("badge"):
        result.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
    if selectable:
        result.setTextInteractionFlags(
            QtCore.Qt.TextInteractionFlag.TextSelectableByMouse | QtCore.Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
    return result


def restyle(widget: QWidget) -> None:
    """Apply the style sheet again after a property or an object name changed."""
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def announce(widget: QWidget, text: str) -> None:
    """Have a screen reader say it."""
    accessible = QtGui.QAccessible  # not imported above: PySide makes its many enums with the class, which takes long
    if accessible.isActive():
        accessible.updateAccessibility(QtGui.QAccessibleAnnouncementEvent(widget, text))


def add_clear_button(field: QLineEdit | QKeySequenceEdit) -> None:
    """A button in the field that empties it, with the name that Qt leaves out."""
    field.setClearButtonEnabled(True)
    action = field.findChild(QtGui.QAction, "_q_qlineeditclearaction")
    if action is not None:
        action.setText(tr("Clear"))


def mirrored(option: QStyleOptionViewItem, rect: QRect) -> QRect:
    """Where a part of a row stands in a language from right to left. Qt mirrors the alignment of drawn text itself."""
    return QtWidgets.QStyle.visualRect(option.direction, option.rect, rect)


def copy_text(text: str) -> None:
    QGuiApplication.clipboard().setText(text)


def clear_layout(layout: QLayout) -> None:
    """Take out and delete every widget."""
    while (item := layout.takeAt(0)) is not None:
        widget = item.widget()
        if widget is not None:
            widget.hide()  # one that was just added is about to be shown, which without a parent makes a window of it
            widget.setParent(None)
            widget.deleteLater()


def error_text(error: ErrorInfo) -> str:
    """All of an error, for the clipboard."""
    return "\n\n".join(part for part in (error.message, error.hint, error.detail) if part)


class ElidedLabel(QLabel):
    """One line that is cut with an ellipsis where it does not fit; the tool tip holds all of it."""

    def __init__(self, text: str = "", name: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._full = ""
        set_number(self, PLAIN_TEXT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setMinimumWidth(24)
        if name:
            self.setObjectName(name)
        self.set_text(text)

    @property
    def full_text(self) -> str:
        return self._full

    def set_text(self, text: str) -> None:
        self._full = text
        self._elide()
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(self.font())
        return QSize(metrics.horizontalAdvance(self._full) + 4, metrics.height() + 2)

    def minimumSizeHint(self) -> QSize:
        return QSize(24, QFontMetrics(self.font()).height() + 2)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._elide()

    def _elide(self) -> None:
        metrics, room, shown = QFontMetrics(self.font()), max(self.width(), 24), self._full
        if metrics.horizontalAdvance(shown) > room:
            shown = metrics.elidedText(shown, QtCore.Qt.TextElideMode.ElideRight, room)
        super().setText(shown)
        self.setToolTip(self._full if shown != self._full else "")


class Banner(QFrame):
    """A lasting message above the page: what happened, what to do, details to copy."""

    dismissed = Signal()

    def __init__(
        self,
        error: ErrorInfo,
        kind: str = "warn",
        action: tuple[str, Callable[[], object]] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        error = translated_error(error)
        self.setObjectName(f"{kind}Banner")
        self.setAccessibleName(str(error))
        self._error = error
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 8, 8, 8)
        row.setSpacing(10)
        role = QPalette.ColorRole.BrightText if kind == "bad" else QPalette.ColorRole.WindowText
        row.addWidget(IconLabel("info" if kind == "info" else "triangle-alert", 16, role))
        row.addWidget(label(str(error), wrap=True, selectable=True), 1)
        if action is not None:
            title, callback = action
            self.action = PushButton(title)
            self.action.clicked.connect(lambda: callback())
            row.addWidget(self.action)
        if error.detail:
            details = PushButton(tr("Copy details"), icon_name="copy")
            details.clicked.connect(self._copy)
            row.addWidget(details)
        close = IconButton("x", tr("Hide this message"))
        close.clicked.connect(self.dismissed)
        row.addWidget(close)

    @Slot()
    def _copy(self) -> None:
        copy_text(error_text(self._error))


class Toast(QFrame):
    """A short message over the lower edge of its parent, with at most one button."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("toast")
        self._callback: Callable[[], object] | None = None
        self._undoes = False
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 9, 10, 9)
        row.setSpacing(12)
        self.text = label("")
        row.addWidget(self.text)
        self.button = QPushButton()
        self.button.setAccessibleName(tr("Undo"))
        self.button.setCursor(QtCore.Qt.CursorShape.PointingHandCursor)
        self.button.clicked.connect(self._clicked)
        row.addWidget(self.button)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.hide)
        parent.installEventFilter(self)
        self.hide()

    def show_message(self, text: str, action: str = "", callback: Callable[[], object] | None = None) -> None:
        self.text.setText(text)
        self.setAccessibleName(text)
        self.button.setText(action)
        self.button.setAccessibleName(action)
        self.button.setVisible(bool(action))
        self._callback = callback
        self._undoes = action == tr("Undo")
        self.adjustSize()
        self._place()
        self.show()
        self.raise_()
        self._timer.start(TOAST_MS)
        announce(self, text)

    def undo(self) -> bool:
        """Press the button, if there is one now and it takes something back."""
        if self._undoes and self.isVisible() and self._callback is not None:
            self._clicked()
            return True
        return False

    @Slot()
    def _clicked(self) -> None:
        callback, self._callback = self._callback, None
        self.hide()
        if callback is not None:
            callback()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self._place()
        return False

    def _place(self) -> None:
        parent = self.parentWidget()
        if parent is None:
            return
        self.move((parent.width() - self.width()) // 2, parent.height() - self.height() - TOAST_BOTTOM)


class Section(QWidget):
    """A titled part of a panel that opens and closes."""

    toggled = Signal(bool)

    def __init__(self, title: str, opened: bool = True, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self.button = IconButton("chevron-down", title, text=title, size=14, object_name="sectionToggle")
        self.button.setToolTip("")
        self.button.setCheckable(False)
        self.button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.button.clicked.connect(self._toggle)
        self._head = QHBoxLayout()
        self._head.setContentsMargins(0, 0, 0, 0)
        self._head.addWidget(self.button, 1)
        column.addLayout(self._head)
        self.body = QWidget()
        self.content = QVBoxLayout(self.body)
        self.content.setContentsMargins(2, 0, 2, 10)
        self.content.setSpacing(8)
        column.addWidget(self.body)
        self._title = title
        self.set_open(opened)

    def add_head_widget(self, widget: QWidget) -> None:
        self._head.addWidget(widget)

    @property
    def is_open(self) -> bool:
        return not self.body.isHidden()

    def set_open(self, opened: bool) -> None:
        self.body.setVisible(opened)
        self.button.set_icon("chevron-down" if opened else "chevron-right")
        state = tr("open") if opened else tr("closed")
        self.button.setAccessibleName(f"{self._title}, {state}")

    @Slot()
    def _toggle(self) -> None:
        self.set_open(not self.is_open)
        self.toggled.emit(self.is_open)


def separator() -> QFrame:
    line = QFrame()
    line.setObjectName("separator")
    line.setFixedHeight(1)
    return line
