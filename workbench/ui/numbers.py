"""Enum properties set by number, for the widgets of the first paint.

PySide makes all of `Qt`'s enums when the first one is wanted: 15 ms, a seventh of what an empty window takes to open.
A property takes the number too. A test compares these with Qt's.
"""

from __future__ import annotations

from PySide6.QtCore import QObject

PLAIN_TEXT = ("textFormat", 0)
CENTERED = ("alignment", 0x4 | 0x80)
AT_RIGHT = ("alignment", 0x2 | 0x80)
NO_FOCUS = ("focusPolicy", 0)
FOCUS_BY_TAB = ("focusPolicy", 1)
ICON_ABOVE_TEXT = ("toolButtonStyle", 3)
ICON_BESIDE_TEXT = ("toolButtonStyle", 2)
NO_HORIZONTAL_BAR = ("horizontalScrollBarPolicy", 1)
NO_FRAME = ("frameShape", 0)


def set_number(target: QObject, number: tuple[str, int]) -> None:
    """Set one of the above. Raises ValueError where the object has no such property."""
    if not target.setProperty(*number):
        raise ValueError(f"{type(target).__name__} has no property {number[0]}")
