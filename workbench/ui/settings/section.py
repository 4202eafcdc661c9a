"""What every part of the settings is made of: a heading, rows with a title, a field and a line of explanation."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from PySide6.QtWidgets import QFrame, QLabel, QLayout, QVBoxLayout, QWidget

from workbench.ui.context import Context
from workbench.ui.flow import TitledRow
from workbench.ui.tr import tr
from workbench.ui.widgets import announce, label, restyle, separator


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
