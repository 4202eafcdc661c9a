"""The sheet at the right: one column's label, samples and all its options."""

from __future__ import annotations

from typing import cast

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtWidgets import QFrame, QGridLayout, QLineEdit, QSpinBox, QVBoxLayout, QWidget

from workbench.core.chat_options import ChatOptions
from workbench.core.models import ModelInfo
from workbench.ui.backend import Backend
from workbench.ui.chat.side_panel import SidePanel
from workbench.ui.chat.state import ChatState
from workbench.ui.compare.columns import MAX_SAMPLES
from workbench.ui.compare.state import CompareState
from workbench.ui.context import Context
from workbench.ui.tr import tr
from workbench.ui.widgets import ElidedLabel, label


class ColumnOptions(QObject):
    """One column's options in the form in which the panel of options edits a chat's."""

    options_changed = Signal()
    model_changed = Signal()
    models_changed = Signal()
    failed = Signal(object)

    def __init__(self, state: CompareState, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.key = ""
        self._shown = ChatOptions()
        state.columns_changed.connect(self.refresh)
        state.models_changed.connect(self.models_changed)
        self.failed.connect(state.failed)

    def show(self, key: str) -> None:
        self.key = key
        self._shown = self.options
        self.options_changed.emit()
        self.model_changed.emit()

    @property
    def options(self) -> ChatOptions:
        column = self._state.column(self.key)
        return column.options if column is not None else ChatOptions()

    @property
    def model(self) -> ModelInfo | None:
        column = self._state.column(self.key)
        return self._state.model(column) if column is not None else None

    @property
    def backend(self) -> Backend | None:
        return self._state.backend

    def set_options(self, options: ChatOptions) -> None:
        if self.key and options != self.options:
            self._state.change(self.key, options=options)

    @Slot()
    def refresh(self) -> None:
        """Tell of other options only: what is being typed is not in them yet, and must not be overwritten."""
        if self.options != self._shown:
            self._shown = self.options
            self.options_changed.emit()


class ColumnSheet(QFrame):
    """Edits the column it was opened for; follows the current column while it is open."""

    closed = Signal()

    def __init__(self, state: CompareState, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sidePanel")
        self.setAccessibleName(tr("Column settings"))
        self._state = state
        self.options = ColumnOptions(state, self)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 10, 0, 0)
        box.setSpacing(0)
        grid = QGridLayout()
        grid.setContentsMargins(16, 0, 14, 6)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(6)
        self.title = ElidedLabel("", "pageTitle")
        self.title.setContentsMargins(0, 2, 0, 6)
        grid.addWidget(self.title, 0, 0, 1, 2)
        self.label = QLineEdit()
        self.label.setAccessibleName(tr("Label of this column"))
        self.label.setPlaceholderText(tr("Shown instead of the settings"))
        self.label.textEdited.connect(self._label_edited)
        self._row(grid, 1, tr("Label"), self.label)
        self.samples = QSpinBox()
        self.samples.setRange(1, MAX_SAMPLES)
        self.samples.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.samples.setAccessibleName(tr("Samples: answers to each prompt"))
        self.samples.setToolTip(tr("Answers to each prompt; look through them with the arrows below the answer."))
        self.samples.valueChanged.connect(self._samples_edited)
        self._row(grid, 2, tr("Samples"), self.samples)
        grid.setColumnStretch(1, 1)
        box.addLayout(grid)
        # The panel asks no more of a chat's state than `ColumnOptions` has.
        self.panel = SidePanel(cast(ChatState, self.options), context)
        self.panel.setAccessibleName(tr("Options of this column"))
        self.panel.setObjectName("columnOptions")
        self.panel.hide_requested.connect(self.closed)
        box.addWidget(self.panel, 1)
        state.columns_changed.connect(self.refresh)
        state.models_changed.connect(self.refresh)

    def _row(self, grid: QGridLayout, row: int, text: str, field: QWidget) -> None:
        name = label(text)
        name.setBuddy(field)
        grid.addWidget(name, row, 0)
        grid.addWidget(field, row, 1)

    def show_column(self, key: str) -> None:
        if key != self.options.key:
            self.panel.apply_prompt()
            self.options.show(key)
        self.refresh()

    def apply(self) -> None:
        """Take over what was typed a moment ago."""
        self.panel.apply_prompt()

    @Slot()
    def refresh(self) -> None:
        column = self._state.column(self.options.key)
        if column is None:
            return
        self.title.set_text("" if self._state.hidden else self._state.title(column))
        if self.label.text() != column.label:
            self.label.setText(column.label)
        if self.samples.value() != column.samples:
            self.samples.setValue(column.samples)

    @Slot(str)
    def _label_edited(self, text: str) -> None:
        self._state.change(self.options.key, label=text.strip())

    @Slot(int)
    def _samples_edited(self, count: int) -> None:
        column = self._state.column(self.options.key)
        if column is not None and column.samples != count:
            self._state.change(self.options.key, samples=count)
