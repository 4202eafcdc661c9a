"""How much a model may think before it answers."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QComboBox, QLineEdit, QVBoxLayout, QWidget

from workbench.core.requests import Reasoning
from workbench.ui.tr import tr
from workbench.ui.widgets import label

EFFORTS = ("", "minimal", "low", "medium", "high")


class ReasoningEditor(QWidget):
    """`changed` carries the new `Reasoning`."""

    changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self.thinking = QComboBox()
        self.thinking.setAccessibleName(tr("Thinking"))
        for title, value in ((tr("Model's default"), None), (tr("Think first"), True), (tr("Answer at once"), False)):
            self.thinking.addItem(title, value)
        self.thinking.activated.connect(self._edited)
        column.addWidget(self.thinking)
        self.effort = QComboBox()
        self.effort.setAccessibleName(tr("Reasoning effort"))
        for name in EFFORTS:
            title = tr("Effort: {name}", name=name) if name else tr("Effort: model's default")
            self.effort.addItem(title, name or None)
        self.effort.activated.connect(self._edited)
        column.addWidget(self.effort)
        self.budget = QLineEdit()
        self.budget.setAccessibleName(tr("Reasoning budget in tokens"))
        self.budget.setPlaceholderText(tr("Budget in tokens: no limit"))
        self.budget.textEdited.connect(self._edited)
        column.addWidget(self.budget)
        column.addWidget(label(tr("For models that think before they answer."), "small", wrap=True))

    def set_value(self, value: Reasoning) -> None:
        self.thinking.setCurrentIndex([None, True, False].index(value.enabled))
        effort = value.effort or ""
        self.effort.setCurrentIndex(EFFORTS.index(effort) if effort in EFFORTS else 0)
        budget = "" if value.budget_tokens is None else str(value.budget_tokens)
        if self.budget.text() != budget:
            self.budget.setText(budget)

    @Slot()
    def _edited(self) -> None:
        text = self.budget.text().strip()
        self.changed.emit(
            Reasoning(
                enabled=self.thinking.currentData(),
                effort=self.effort.currentData(),
                budget_tokens=int(text) if text.isascii() and text.isdigit() else None,
            )
        )
