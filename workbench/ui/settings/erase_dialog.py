"""Asks before everything is deleted: the word has to be typed."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from workbench.ui.icons import PushButton
from workbench.ui.tr import tr
from workbench.ui.widgets import label


class EraseDialog(QDialog):
    """Accepted only once the word was typed and the button pressed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Delete everything"))
        self.setAccessibleName(tr("Delete everything"))
        self.setMinimumWidth(460)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(12)
        what = tr(
            "Chats, comparisons, evaluations and their runs, backups, settings, API keys, logs and caches are "
            "deleted. Models and plugins stay where they are. The program then starts as if for the first time."
        )
        column.addWidget(label(what, wrap=True))
        column.addWidget(label(tr("There is no undo."), "bad"))
        self._word = tr("delete")
        prompt = label(tr("Type “{word}” to go on:", word=self._word))
        column.addWidget(prompt)
        self.field = QLineEdit()
        self.field.setAccessibleName(tr("Type “{word}” to go on:", word=self._word))
        self.field.textChanged.connect(self._typed)
        prompt.setBuddy(self.field)
        column.addWidget(self.field)
        row = QHBoxLayout()
        row.addStretch(1)
        cancel = PushButton(tr("Cancel"))
        cancel.setAutoDefault(False)
        cancel.clicked.connect(self.reject)
        row.addWidget(cancel)
        self.confirm = PushButton(tr("Delete everything"), icon_name="trash-2", object_name="danger")
        self.confirm.setEnabled(False)
        self.confirm.clicked.connect(self.accept)
        row.addWidget(self.confirm)
        column.addLayout(row)

    @Slot(str)
    def _typed(self, text: str) -> None:
        self.confirm.setEnabled(text.strip().lower() == self._word.lower())
