"""Edits the fields of `Sampling` or `LoadOptions`: unset means the model's own default."""

from __future__ import annotations

from typing import Any

import msgspec
from PySide6.QtCore import QEvent, QSignalBlocker, Signal, Slot
from PySide6.QtGui import QDoubleValidator
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from workbench.ui.chat.parameters import Parameter
from workbench.ui.icons import IconButton
from workbench.ui.tr import tr
from workbench.ui.widgets import Section, label, restyle

FIELD_CHARACTERS = 11


class ParameterRow(QWidget):
    """Title, field, a button back to the default, and the explanation below."""

    changed = Signal(str, object)

    def __init__(self, parameter: Parameter, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("paramRow")
        self.parameter = parameter
        title = tr(parameter.title)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 2)
        column.setSpacing(2)
        row = QHBoxLayout()
        row.setSpacing(4)
        name = label(title, wrap=True)
        row.addWidget(name, 1)
        self.reset = IconButton("undo-2", tr("{name}: back to the model's default", name=title), size=13)
        self.reset.clicked.connect(self._reset)
        self.reset.setSizePolicy(self.reset.sizePolicy())
        row.addWidget(self.reset)
        self.field = self._make_field(parameter)
        self.field.setAccessibleName(title)
        self.field.setAccessibleDescription(tr(parameter.explanation))
        tall = parameter.kind in ("words", "bias")
        if not tall:
            row.addWidget(self.field)
        name.setBuddy(self.field)
        column.addLayout(row)
        if tall:
            column.addWidget(self.field)
        self.hint = label(tr(parameter.explanation), "small", wrap=True)
        column.addWidget(self.hint)
        self.set_value(None)
        self._fit_field()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit_field()

    def _fit_field(self) -> None:
        """As wide as a number needs, in the present text size; narrower where there is no room."""
        if not isinstance(self.field, QPlainTextEdit):
            wide = self.field.fontMetrics().averageCharWidth() * FIELD_CHARACTERS + 24
            self.field.setMaximumWidth(wide)
            self.field.setMinimumWidth(wide // 2)

    def _make_field(self, parameter: Parameter) -> QLineEdit | QComboBox | QPlainTextEdit:
        if parameter.kind == "choice":
            combo = QComboBox()
            combo.addItem(tr("Default"), None)
            for title, value in parameter.choices:
                combo.addItem(title, value)
            combo.activated.connect(self._edited)
            return combo
        if parameter.kind in ("words", "bias"):
            text = QPlainTextEdit()
            text.setFixedHeight(56)
            text.setTabChangesFocus(True)
            text.setPlaceholderText(tr("None"))
            text.textChanged.connect(self._edited)
            return text
        line = QLineEdit()
        line.setPlaceholderText(tr("Default"))
        if parameter.kind == "float":
            validator = QDoubleValidator(line)
            validator.setNotation(QDoubleValidator.Notation.StandardNotation)
        line.textEdited.connect(self._edited)
        return line

    def set_value(self, value: Any) -> None:
        blocker = QSignalBlocker(self.field)
        if isinstance(self.field, QComboBox):
            values = [self.field.itemData(position) for position in range(self.field.count())]
            self.field.setCurrentIndex(values.index(value) if value in values else 0)
        elif isinstance(self.field, QPlainTextEdit):
            text = _text_of(value)
            if self._parse(self.field.toPlainText())[0] != value or not text:
                self.field.setPlainText(text)
        elif self._parse(self.field.text())[0] != value:
            self.field.setText("" if value is None else f"{value:g}" if isinstance(value, float) else str(value))
        blocker.unblock()
        self._show_state(value is not None, "")

    @Slot()
    def _edited(self) -> None:
        if isinstance(self.field, QComboBox):
            self.changed.emit(self.parameter.name, self.field.currentData())
            return
        text = self.field.text() if isinstance(self.field, QLineEdit) else self.field.toPlainText()
        value, problem = self._parse(text)
        self._show_state(value is not None or bool(problem), problem)
        if not problem:
            self.changed.emit(self.parameter.name, value)

    @Slot()
    def _reset(self) -> None:
        self.set_value(None)
        if isinstance(self.field, QLineEdit | QPlainTextEdit):
            blocker = QSignalBlocker(self.field)
            self.field.clear()
            blocker.unblock()
        self._show_state(False, "")
        self.changed.emit(self.parameter.name, None)

    def set_default(self, value: Any) -> None:
        """Show what the default is, where it is known."""
        if isinstance(self.field, QLineEdit):
            known = f"{value:g}" if isinstance(value, float) else str(value)
            self.field.setPlaceholderText(tr("Default") if value is None else tr("Default {value}", value=known))

    def _show_state(self, is_set: bool, problem: str) -> None:
        self.reset.setVisible(is_set)
        name = "bad" if problem else "small"
        self.hint.setText(problem or tr(self.parameter.explanation))
        if self.hint.objectName() != name:
            self.hint.setObjectName(name)
            restyle(self.hint)

    def _parse(self, text: str) -> tuple[Any, str]:
        """(value, problem): None where the field is empty."""
        parameter = self.parameter
        if not text.strip():
            return None, ""
        if parameter.kind == "words":
            return tuple(line.replace("\\n", "\n") for line in text.split("\n") if line), ""
        if parameter.kind == "bias":
            return _parse_bias(text)
        try:
            number = int(text) if parameter.kind == "int" else float(text.replace(",", "."))
        except ValueError:
            return None, tr("“{text}” is not a number.", text=text.strip())
        if not parameter.low <= number <= parameter.high:
            return None, tr("Must be from {low} to {high}.", low=f"{parameter.low:g}", high=f"{parameter.high:,g}")
        return number, ""


class ParameterEditor(QWidget):
    """All parameters of one struct. `changed` carries the new struct."""

    changed = Signal(object)

    def __init__(self, parameters: tuple[Parameter, ...], empty: msgspec.Struct, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value: Any = empty
        self.rows: dict[str, ParameterRow] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self._rare = [parameter for parameter in parameters if not parameter.common]
        self._defaults: dict[str, Any] = {}
        for parameter in parameters:
            if parameter.common:
                self._add_row(parameter, column)
        self.more = Section(tr("More"), opened=False)
        self.more.toggled.connect(self.fill)
        column.addWidget(self.more)

    @Slot()
    def fill(self) -> None:
        """Make the rows under “More”, when it is opened for the first time."""
        for parameter in self._rare:
            row = self._add_row(parameter, self.more.content)
            row.set_value(getattr(self._value, parameter.name))
            row.set_default(self._defaults.get(parameter.name))
        self._rare = []

    def _add_row(self, parameter: Parameter, column: QVBoxLayout) -> ParameterRow:
        row = ParameterRow(parameter)
        row.changed.connect(self._row_changed)
        self.rows[parameter.name] = row
        column.addWidget(row)
        return row

    def set_value(self, value: Any) -> None:
        self._value = value
        for name, row in self.rows.items():
            row.set_value(getattr(value, name))

    def set_defaults(self, values: dict[str, Any]) -> None:
        self._defaults = values
        for name, row in self.rows.items():
            row.set_default(values.get(name))

    @Slot(str, object)
    def _row_changed(self, name: str, value: Any) -> None:
        self._value = msgspec.structs.replace(self._value, **{name: value})
        self.changed.emit(self._value)


def _text_of(value: Any) -> str:
    if not value:
        return ""
    if isinstance(value, dict):
        return "\n".join(f"{text} = {bias:g}" for text, bias in value.items())
    return "\n".join(str(text).replace("\n", "\\n") for text in value)


def _parse_bias(text: str) -> tuple[Any, str]:
    biases: dict[str, float] = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        token, equals, bias = line.rpartition("=")
        try:
            biases[token.strip() or token] = float(bias)
        except ValueError:
            equals = ""
        if not equals:
            return None, tr("“{line}” is not of the form text = bias.", line=line.strip())
    return biases or None, ""
