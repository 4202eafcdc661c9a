"""Asks whether to delete a model: what goes, what it frees, who else uses it. For others' files it asks twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QTextOption
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from workbench.ui.formats import size_text
from workbench.ui.icons import PushButton
from workbench.ui.settings.section import roomy
from workbench.ui.tr import tr
from workbench.ui.widgets import label

if TYPE_CHECKING:
    from workbench.services.model_removal import Removal


class RemovalDialog(QDialog):
    """Accepted once the user has confirmed as often as is needed."""

    def __init__(self, name: str, removal: Removal, parent: QWidget | None = None, *, loaded: bool = False) -> None:
        """`loaded`: it is in memory now."""
        super().__init__(parent)
        self._removal, self._loaded = removal, loaded
        self._asked_twice = not removal.owner
        self.setWindowTitle(tr("Delete a model"))
        self.setAccessibleName(tr("Delete a model"))
        roomy(self, 540, 300)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 20, 20, 20)
        column.setSpacing(10)
        self.title = label(tr("Delete {name}?", name=name), "heading", wrap=True)
        column.addWidget(self.title)
        self.text = label(self._summary(), wrap=True, selectable=True)
        column.addWidget(self.text)
        self.files = QPlainTextEdit("\n".join(str(path) for path in removal.names))
        self.files.setObjectName("code")
        self.files.setReadOnly(True)
        self.files.setTabChangesFocus(True)
        self.files.setWordWrapMode(QTextOption.WrapMode.WrapAnywhere)
        self.files.setAccessibleName(tr("Files that are deleted"))
        self.files.setMinimumHeight(70)
        column.addWidget(self.files, 1)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        self.cancel = PushButton(tr("Keep it"))
        self.cancel.clicked.connect(self.reject)
        buttons.addWidget(self.cancel)
        self.delete = PushButton(tr("Delete"), object_name="danger", icon_name="trash-2")
        self.delete.setAutoDefault(False)
        self.delete.clicked.connect(self._delete)
        buttons.addWidget(self.delete)
        column.addLayout(buttons)
        self.cancel.setDefault(True)
        self.cancel.setFocus(Qt.FocusReason.OtherFocusReason)

    def _summary(self) -> str:
        removal = self._removal
        if removal.frees_bytes:
            lines = [tr("This frees {size}.", size=size_text(removal.frees_bytes))]
        else:
            lines = [tr("This frees nothing: the data is used elsewhere too.")]
        if removal.used_by:
            lines.append(tr("The data stays, because it is used by: {names}.", names=", ".join(removal.used_by)))
        if removal.owner:
            lines.append(tr("The file belongs to {owner}, which will no longer find it.", owner=removal.owner))
        elif removal.model.source == "huggingface":
            lines.append(tr("It stands in the shared Hugging Face cache: other programs may use it too."))
        if self._loaded:
            lines.append(tr("It is in memory: it is unloaded first, and an answer under way ends."))
        return "\n".join(lines)

    @Slot()
    def _delete(self) -> None:
        if self._asked_twice:
            self.accept()
            return
        self._asked_twice = True
        owner = self._removal.owner
        self.title.setText(tr("Really delete it from {owner}?", owner=owner))
        self.text.setText(
            tr(
                "Model Workbench did not put this file there. To have it back you would download it again in {owner}.",
                owner=owner,
            )
        )
        self.delete.setText(" " + tr("Yes, delete it from {owner}", owner=owner))
        self.delete.setAccessibleName(self.delete.text().strip())
        self.cancel.setFocus(Qt.FocusReason.OtherFocusReason)
