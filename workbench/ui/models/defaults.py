"""How one model is loaded from now on, whatever the defaults for all models say."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QDialog, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from workbench.core.requests import LoadOptions
from workbench.ui.chat.parameter_editor import ParameterEditor
from workbench.ui.chat.parameters import LOAD
from workbench.ui.icons import PushButton
from workbench.ui.settings.section import roomy
from workbench.ui.tr import tr
from workbench.ui.widgets import label


class DefaultsDialog(QDialog):
    """`value` holds the options when it is accepted."""

    def __init__(self, name: str, options: LoadOptions, loaded: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.value = options
        self.setWindowTitle(tr("How {name} is loaded", name=name))
        self.setAccessibleName(self.windowTitle())
        roomy(self, 520, 460)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(10)
        column.addWidget(label(name, "heading", wrap=True))
        intro = tr("Only for this model. What is empty is taken from the defaults in Settings.")
        if loaded:
            intro += " " + tr("It is loaded now: changes hold the next time it is loaded.")
        column.addWidget(label(intro, "muted", wrap=True))
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.editor = ParameterEditor(LOAD, LoadOptions())
        self.editor.set_value(options)
        self.editor.changed.connect(self._changed)
        content = QWidget()
        content.setObjectName("content")
        inner = QVBoxLayout(content)
        inner.setContentsMargins(0, 0, 8, 0)
        inner.addWidget(self.editor)
        inner.addStretch(1)  # else the rows would drift apart
        scroll.setWidget(content)
        column.addWidget(scroll, 1)
        row = QHBoxLayout()
        self.reset = PushButton(tr("All back to the defaults"), icon_name="undo-2")
        self.reset.clicked.connect(self._reset)
        row.addWidget(self.reset)
        row.addStretch(1)
        cancel = PushButton(tr("Cancel"))
        cancel.clicked.connect(self.reject)
        row.addWidget(cancel)
        self.save = PushButton(tr("Save"), primary=True)
        self.save.setDefault(True)
        self.save.clicked.connect(self.accept)
        row.addWidget(self.save)
        column.addLayout(row)

    @Slot(object)
    def _changed(self, value: LoadOptions) -> None:
        self.value = value

    @Slot()
    def _reset(self) -> None:
        self.value = LoadOptions()
        self.editor.set_value(self.value)
