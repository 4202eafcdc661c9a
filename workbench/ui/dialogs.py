"""Dialogs several places use."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from workbench.core.errors import ErrorInfo
from workbench.ui.as_written import keep_characters
from workbench.ui.icons import PushButton
from workbench.ui.tr import tr
from workbench.ui.widgets import copy_text, error_text, label


class TextDialog(QDialog):
    """Long text in a fixed-width font, with a button that copies all of it."""

    def __init__(self, title: str, text: str, parent: QWidget | None = None, *, intro: str = "") -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAccessibleName(title)
        self.resize(760, 560)
        self._text = text
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        if intro:
            column.addWidget(label(intro, wrap=True))
        self.view = QPlainTextEdit(text)
        self.view.setObjectName("code")
        keep_characters(self.view)
        self.view.setReadOnly(True)
        self.view.setAccessibleName(title)
        column.addWidget(self.view, 1)
        row = QHBoxLayout()
        row.addStretch(1)
        copy = PushButton(tr("Copy all"), icon_name="copy")
        copy.clicked.connect(self._copy)
        row.addWidget(copy)
        close = PushButton(tr("Close"), primary=True)
        close.setDefault(True)
        close.clicked.connect(self.accept)
        row.addWidget(close)
        column.addLayout(row)

    @Slot()
    def _copy(self) -> None:
        copy_text(self._text)


class CrashDialog(TextDialog):
    """A bug of ours: what happened, where the report is, and that the program goes on."""

    def __init__(self, report: str, path: str, parent: QWidget | None = None) -> None:
        intro = tr(
            "A part of the program failed. It goes on, and your chats are saved. This report was written to {path}. "
            "Nothing is sent. Settings › About puts it into a report without keys and chat text.",
            path=path,
        )
        super().__init__(tr("Crash report"), report, parent, intro=intro)


def details_dialog(error: ErrorInfo, parent: QWidget | None = None) -> TextDialog:
    return TextDialog(tr("Details"), error_text(error), parent)
