"""Every text the user reads goes through `tr`."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication


def tr(text: str, /, **values: object) -> str:
    """The text in the user's language, `{name}` places filled in. The English text is the key."""
    translated = QCoreApplication.translate("workbench", text)
    return translated.format(**values) if values else translated
