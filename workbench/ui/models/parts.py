"""Small widgets of the Models place."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from PySide6 import QtWidgets
from PySide6.QtCore import QRect, Qt, QUrl, Signal, Slot
from PySide6.QtGui import QColor, QDesktopServices, QFont, QFontMetrics, QKeyEvent, QPainter, QPalette
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QStyle, QToolButton, QVBoxLayout, QWidget

from workbench.core.errors import ErrorInfo
from workbench.ui.icons import IconLabel, PushButton
from workbench.ui.tr import tr
from workbench.ui.widgets import copy_text, error_text, label, restyle

LONG_WORD = 28
_BREAKS = re.compile(r"([/\\._-]|[^/\\._-]{24})")


class Segments(QFrame):
    """A row of choices of which one is on; Left and Right move."""

    chosen = Signal(str)

    def __init__(self, title: str, choices: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("segments")
        self.setAccessibleName(title)
        self._titles = dict(choices)
        self.buttons: dict[str, QToolButton] = {}
        self._group = QtWidgets.QButtonGroup(self)
        self._group.setExclusive(True)
        row = QHBoxLayout(self)
        row.setContentsMargins(3, 3, 3, 3)
        row.setSpacing(2)
        for choice, text in choices:
            button = QToolButton()
            button.setObjectName("segment")
            button.setText(text)
            button.setAccessibleName(text)
            button.setCheckable(True)
            button.setCursor(Qt.CursorShape.PointingHandCursor)
            button.setProperty("choice", choice)
            button.clicked.connect(self._clicked)
            self._group.addButton(button)
            self.buttons[choice] = button
            row.addWidget(button)

    @property
    def current(self) -> str:
        button = self._group.checkedButton()
        return str(button.property("choice")) if button is not None else ""

    def select(self, choice: str) -> None:
        self.buttons[choice].setChecked(True)

    def set_text(self, choice: str, text: str) -> None:
        self.buttons[choice].setText(text)
        self.buttons[choice].setAccessibleName(text)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        step = steps.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
            return
        choices = list(self.buttons)
        at = (choices.index(self.current) + step) % len(choices) if self.current else 0
        self.buttons[choices[at]].setFocus(Qt.FocusReason.TabFocusReason)
        self.buttons[choices[at]].click()

    @Slot()
    def _clicked(self) -> None:
        if any(button.hasFocus() for button in self.buttons.values()):  # not where it was before the click
            self.buttons[self.current].setFocus(Qt.FocusReason.OtherFocusReason)
        self.chosen.emit(self.current)


class Notice(QFrame):
    """An error or a hint where it belongs: what happened, what to do, and buttons."""

    def __init__(self, object_name: str = "errorCard", *, narrow: bool = False) -> None:
        """`narrow`: the buttons stand below the text."""
        super().__init__()
        self.setObjectName(object_name)
        self._error: ErrorInfo | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 10, 12, 10)
        row.setSpacing(10)
        bad = object_name == "errorCard"
        self._icon = IconLabel(
            "triangle-alert" if bad else "info",
            16,
            QPalette.ColorRole.BrightText if bad else QPalette.ColorRole.PlaceholderText,
        )
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout()
        column.setSpacing(2)
        self.title = label("", "errorTitle" if bad else "sectionTitle", wrap=True, selectable=True)
        self.hint = label("", "stat", wrap=True, selectable=True)
        for text in (self.title, self.hint):
            text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            column.addWidget(text)
        row.addLayout(column, 1)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(6)
        if narrow:
            column.addSpacing(4)
            column.addLayout(self._buttons)
            self._buttons.addStretch(1)
        else:
            row.addLayout(self._buttons)
        self.hide()

    def add_button(self, title: str, callback: Callable[[], object], icon_name: str = "") -> PushButton:
        button = PushButton(title, icon_name=icon_name)
        button.clicked.connect(lambda: callback())
        self._buttons.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        return button

    def show_text(self, title: str, hint: str = "") -> None:
        self.title.setText(breakable(title))
        self.hint.setText(breakable(hint))
        self.hint.setVisible(bool(hint))
        self.setAccessibleName(f"{title} {hint}".strip())
        self.show()

    def show_error(self, error: ErrorInfo | None) -> None:
        """None takes it away."""
        self._error = error
        if error is None:
            self.hide()
            return
        self.show_text(error.message, error.hint)
        self.setToolTip(error.detail[:400])

    def copy_details(self) -> None:
        if self._error is not None:
            copy_text(error_text(self._error))


class EmptyState(QWidget):
    """What stands where nothing is: an icon, a line, what to do."""

    def __init__(self, icon_name: str, title: str, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(32, 24, 32, 24)
        column.setSpacing(8)
        column.addStretch(2)
        icon = IconLabel(icon_name, 32)
        column.addWidget(icon, 0, Qt.AlignmentFlag.AlignHCenter)
        self.title = label(title, "heading")
        self.title.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.title)
        self.text = label(text, "muted", wrap=True)
        self.text.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.text.setMaximumWidth(460)
        self.text.setMinimumWidth(200)
        holder = QHBoxLayout()
        holder.addStretch(1)
        holder.addWidget(self.text, 4)
        holder.addStretch(1)
        column.addLayout(holder)
        self.buttons = QHBoxLayout()
        self.buttons.setSpacing(8)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addLayout(self.buttons)
        row.addStretch(1)
        column.addSpacing(8)
        column.addLayout(row)
        column.addStretch(3)
        self.set_text(title, text)

    def set_text(self, title: str, text: str) -> None:
        self.title.setText(title)
        self.text.setText(text)
        self.setAccessibleName(f"{title}. {text}")

    def add_button(self, title: str, callback: Callable[[], object], *, primary: bool = False) -> PushButton:
        button = PushButton(title, primary=primary)
        button.clicked.connect(lambda: callback())
        self.buttons.addWidget(button)
        return button


class Row:
    """Paints at places within a list's row, mirrored where the text runs from right to left."""

    def __init__(self, painter: QPainter, room: QRect, direction: Qt.LayoutDirection) -> None:
        self.painter, self.room, self._direction = painter, room, direction

    def place(self, area: QRect) -> QRect:
        """Where an area that counts from the row's start is."""
        return QStyle.visualRect(self._direction, self.room, area.translated(self.room.topLeft()))

    def text(
        self, text: str, area: QRect, font: QFont, color: str, cut: Qt.TextElideMode = Qt.TextElideMode.ElideRight
    ) -> None:
        """One line, cut where there is no room for it."""
        shown = QFontMetrics(font).elidedText(text, cut, area.width())
        start = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        self.painter.setLayoutDirection(Qt.LayoutDirection.LayoutDirectionAuto)  # the text's own: 4.68 GB, not GB 4.68
        self.painter.setFont(font)
        self.painter.setPen(QColor(color))
        self.painter.drawText(
            self.place(area), QStyle.visualAlignment(self._direction, start) | Qt.AlignmentFlag.AlignAbsolute, shown
        )


def breakable(text: str) -> str:
    """Very long words (paths, keys of metadata, checksums) get places where a line may end."""
    words = text.split(" ")
    return " ".join(_BREAKS.sub("\\1\u200b", word) if len(word) > LONG_WORD else word for word in words)


def set_badge(badge: QLabel, text: str, name: str) -> None:
    """Change a badge's text and colours; empty text hides it."""
    badge.setText(text)
    badge.setVisible(bool(text))
    if badge.objectName() != name:
        badge.setObjectName(name)
        restyle(badge)


def show_only(buttons: Mapping[str, QWidget], shown: Sequence[str]) -> None:
    """Show these of the buttons and no others. Where the one with the focus goes, the first of `shown` takes it over:
    Qt would give it to the next in the row, which may be the one that deletes."""
    focused = next((name for name, button in buttons.items() if button.hasFocus()), None)
    for name in shown:
        buttons[name].setVisible(True)
    if focused is not None and focused not in shown:
        buttons[shown[0]].setFocus(Qt.FocusReason.OtherFocusReason)
    for name, button in buttons.items():
        if name not in shown:
            button.setVisible(False)


def open_in_browser(parent: QWidget, address: str) -> bool:
    """Open a web page, after the user has seen where it leads. Whether that was done."""
    url = QUrl(address)
    if url.scheme() not in ("http", "https"):
        return False
    question = tr("Open this address in your browser?")
    answer = QtWidgets.QMessageBox.question(parent, tr("Open link"), f"{question}\n\n{url.toDisplayString()}")
    if answer != QtWidgets.QMessageBox.StandardButton.Yes:
        return False
    return QDesktopServices.openUrl(url)
