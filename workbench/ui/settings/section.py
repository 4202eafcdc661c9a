"""What every part of the settings is made of: a heading, rows with a title, a field and a line of explanation."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtWidgets import QFrame, QLabel, QLayout, QScrollArea, QVBoxLayout, QWidget

from workbench.ui.context import Context
from workbench.ui.flow import TitledRow
from workbench.ui.icons import in_scale
from workbench.ui.tr import tr
from workbench.ui.widgets import announce, label, restyle, separator

SCREEN_EDGE = 60
"""Of a screen's width and height, for the frame of a dialog."""


class SettingsSection(QWidget):
    """One part. Subclasses fill `column`; `show_settings` is called when the settings change elsewhere."""

    title = ""
    intro = ""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.context = context
        self.setAccessibleName(tr(self.title))
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(12)
        self.column.addWidget(label(tr(self.title), "heading"))
        if self.intro:
            self.column.addWidget(label(tr(self.intro), "muted", wrap=True))
        context.settings.changed.connect(self.show_settings)

    def show_settings(self) -> None:
        """Show the values as they are now."""

    def save(self, part: str, **changes: Any) -> bool:
        """Change fields of one part of the settings and write the file."""
        settings = self.context.settings
        section = replace(getattr(settings.value, part), **changes)
        problem = settings.save(replace(settings.value, **{part: section}))
        self.context.shell.banner("settings", problem)
        return problem is None

    def card(self) -> QVBoxLayout:
        """A bordered box for rows."""
        frame = QFrame()
        frame.setObjectName("card")
        box = QVBoxLayout(frame)
        box.setContentsMargins(16, 6, 16, 6)
        box.setSpacing(0)
        self.column.addWidget(frame)
        return box


def add_row(box: QVBoxLayout, title: str, hint: str, *fields: QWidget) -> None:
    """Title and explanation left, the fields right."""
    if box.count():
        box.addWidget(separator())
    texts = QVBoxLayout()
    texts.setSpacing(2)
    name = label(title)
    texts.addWidget(name)
    if hint:
        texts.addWidget(label(hint, "small", wrap=True))
    for field in fields:
        if not field.accessibleName():
            field.setAccessibleName(title)
        if hint and not field.accessibleDescription():
            field.setAccessibleDescription(hint)
    if fields:
        name.setBuddy(fields[0])
    box.addWidget(TitledRow(texts, fields))


class Scrolled(QScrollArea):
    """Content that may want more height than there is, with large text: the buttons below it stay in sight. It is
    never narrower than what is in it."""

    def __init__(self, content: QLayout) -> None:
        super().__init__()
        self._content = QWidget()
        self._content.setObjectName("content")
        self._content.setLayout(content)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(self._content)

    def minimumSizeHint(self) -> QSize:
        width = self._content.minimumSizeHint().width() + self.verticalScrollBar().sizeHint().width()
        return QSize(width, super().minimumSizeHint().height())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)


def roomy(dialog: QWidget, width: int, height: int) -> None:
    """Give a dialog this size, larger with larger text, and no more than the screen has."""
    most = dialog.screen().availableSize() - QSize(SCREEN_EDGE, SCREEN_EDGE)
    dialog.resize(QSize(in_scale(width), in_scale(height)).boundedTo(most))


def clear(layout: QLayout) -> None:
    """Take everything out of a layout, nested ones too."""
    while (item := layout.takeAt(0)) is not None:
        widget, inner = item.widget(), item.layout()
        if widget is not None:
            widget.setParent(None)
            widget.deleteLater()
        elif inner is not None:
            clear(inner)


def say(told: QLabel, text: str, name: str) -> None:
    """Show what came of something in a label, in the style of this name (good, warn, bad, muted), and have it read."""
    told.setText(text)
    told.setObjectName(name)
    restyle(told)
    told.show()
    announce(told, text)
