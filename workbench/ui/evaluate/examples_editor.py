"""Few-shot examples: what the user says and how the model should answer, one pair a row."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from workbench.ui.tr import tr

MOST_ROWS_SHOWN = 4


class ExamplesEditor(QTableWidget):
    """There is always one empty row to write in; a row without text is no example."""

    edited = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, 2, parent)
        self._filling = False
        self.setAccessibleName(tr("Examples"))
        self.setHorizontalHeaderLabels([tr("The user says"), tr("The model answers")])
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 12)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.setWordWrap(False)
        self.setTabKeyNavigation(True)
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
            | QAbstractItemView.EditTrigger.AnyKeyPressed
        )
        self.itemChanged.connect(self._changed)
        self.set_examples(())

    def set_examples(self, examples: Sequence[dict[str, str]]) -> None:
        self._filling = True
        self.setRowCount(0)
        for example in examples:
            self._add(example.get("user", ""), example.get("assistant", ""))
        self._add("", "")
        self._filling = False
        self._fit()

    def examples(self) -> tuple[dict[str, str], ...]:
        pairs = ((self._text(row, 0), self._text(row, 1)) for row in range(self.rowCount()))
        return tuple({"user": user, "assistant": answer} for user, answer in pairs if user or answer)

    def _text(self, row: int, column: int) -> str:
        item = self.item(row, column)
        return item.text() if item is not None else ""

    def _add(self, user: str, answer: str) -> None:
        row = self.rowCount()
        self.insertRow(row)
        for column, text in enumerate((user, answer)):
            self.setItem(row, column, QTableWidgetItem(text))

    def _fit(self) -> None:
        rows = min(self.rowCount(), MOST_ROWS_SHOWN)
        height = self.verticalHeader().defaultSectionSize()
        self.setFixedHeight(self.horizontalHeader().sizeHint().height() + rows * height + 4)

    @Slot()
    def _changed(self) -> None:
        if self._filling:
            return
        last = self.rowCount() - 1
        if self._text(last, 0) or self._text(last, 1):
            self._filling = True
            self._add("", "")
            self._filling = False
            self._fit()
        self.edited.emit()
