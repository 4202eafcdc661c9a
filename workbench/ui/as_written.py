"""Fixed-width text in fields, without the ligatures of coding fonts."""

from __future__ import annotations

from PySide6.QtGui import QFont
from PySide6.QtWidgets import QWidget


def keep_characters(field: QWidget) -> None:
    """Show `<|im_start|>` as it is. The style sheet, which sets the field's font, leaves font features alone."""
    font = field.font()
    font.setFeature(QFont.Tag("calt"), 0)
    field.setFont(font)
