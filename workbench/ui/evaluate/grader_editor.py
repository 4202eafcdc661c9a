"""One grader of an evaluation with its options, each in a field of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QGridLayout,
    QLineEdit,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from workbench.core.models import ModelInfo
from workbench.evaluation.case_files import load_yaml
from workbench.evaluation.spec import GraderSpec
from workbench.ui.evaluate.parts import ComboBox, field, row
from workbench.ui.icons import IconButton
from workbench.ui.tr import mark, tr, translated
from workbench.ui.widgets import label

Kind = Literal["check", "number", "text", "long", "schema", "choice", "model", "embedding"]


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a grader and how it is entered."""

    name: str
    title: str
    kind: Kind
    choices: tuple[tuple[str, str], ...] = ()
    """(value, title); the first one is the default."""
    hint: str = ""
    """What stands in an empty field: the default."""


JUDGE_OPTIONS = (
    Option("model", mark("Judge"), "model"),
    Option("rubric", mark("Rubric"), "long", hint=mark("The answer is correct, complete and says nothing wrong.")),
)
OPTIONS: dict[str, tuple[Option, ...]] = {
    "exact": (),
    "normalised": (),
    "human": (),
    "contains": (
        Option("mode", mark("Of several texts"), "choice", (("all", mark("all must stand")), ("any", mark("any one")))),
        Option("case_sensitive", mark("Capitals matter"), "check"),
    ),
    "regex": (
        Option("full", mark("The whole answer must match"), "check"),
        Option("flags", mark("Flags (i, m, s, x)"), "text"),
    ),
    "numeric": (
        Option(
            "which", mark("Which number"), "choice", (("last", mark("the last one")), ("first", mark("the first one")))
        ),
        Option("absolute", mark("May differ by"), "number", hint="0"),
        Option("relative", mark("Or by this share"), "number", hint="0"),
    ),
    "json_schema": (Option("schema", mark("Schema (else the case's expected value)"), "schema"),),
    "json_fields": (
        Option("strict", mark("Any wrong field fails the case"), "check"),
        Option("normalise", mark("Ignore case, accents and punctuation"), "check"),
        Option("tolerance", mark("Numbers may differ by"), "number", hint="0"),
    ),
    "python_code": (
        Option("timeout_s", mark("Most seconds"), "number", hint="5"),
        Option("memory_mb", mark("Most memory (MB)"), "number", hint="512"),
    ),
    "similarity": (
        Option("model", mark("Embedding model"), "embedding"),
        Option("threshold", mark("Right from this similarity on (0 to 1)"), "number", hint=mark("the score itself")),
    ),
    "judge": JUDGE_OPTIONS,
    "pairwise": JUDGE_OPTIONS,
}


class GraderEditor(QFrame):
    changed = Signal()
    remove_wanted = Signal(object)

    def __init__(self, spec: GraderSpec, graders: list[tuple[str, str]], models: Sequence[ModelInfo] = ()) -> None:
        super().__init__()
        self.setObjectName("card")
        self._spec = spec
        self._models = list(models)
        self.valid = True
        self.inputs: dict[str, QWidget] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 10, 12)
        column.setSpacing(8)
        self.choice = ComboBox()
        self.choice.setAccessibleName(tr("Grader"))
        self.choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.choice.setMinimumContentsLength(20)
        known = graders if any(name == spec.grader for name, _ in graders) else [*graders, (spec.grader, "")]
        for name, title in known:
            self.choice.addItem(f"{translated(title)} ({name})" if title else name, name)
        self.choice.setCurrentIndex(self.choice.findData(spec.grader))
        self.weight = QLineEdit("" if spec.weight == 1 else f"{spec.weight:g}")
        self.weight.setPlaceholderText(tr("weight 1"))
        self.weight.setToolTip(tr("How much it counts beside other graders"))
        self.weight.setAccessibleName(tr("Weight of the grader"))
        self.weight.setFixedWidth(self.weight.fontMetrics().horizontalAdvance(self.weight.placeholderText()) + 36)
        remove = IconButton("x", tr("Remove this grader"))
        remove.clicked.connect(lambda: self.remove_wanted.emit(self))
        line = row(self.choice, self.weight, remove, stretch=False)
        line.setStretch(0, 1)
        column.addLayout(line)
        self.body = QWidget()
        self.grid = QGridLayout(self.body)
        self.grid.setContentsMargins(0, 0, 4, 0)
        self.grid.setHorizontalSpacing(12)
        column.addWidget(self.body)
        self.problem = label("", "bad", wrap=True)
        self.problem.hide()
        column.addWidget(self.problem)
        self._build(spec.options)
        self.choice.activated.connect(self._chosen)
        self.weight.textChanged.connect(self._edited)

    @property
    def spec(self) -> GraderSpec:
        return self._spec

    def set_models(self, models: Sequence[ModelInfo]) -> None:
        if [info.id for info in models] != [info.id for info in self._models]:
            self._models = list(models)
            self._build(self._spec.options)

    # --- building ---------------------------------------------------------------------------------------------
    def _build(self, options: dict[str, Any]) -> None:
        while item := self.grid.takeAt(0):
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self.inputs = {}
        own = OPTIONS.get(self.choice.currentData())
        if own is None:
            text = QLineEdit(", ".join(f"{key}: {json.dumps(value)}" for key, value in options.items()))
            text.setPlaceholderText(tr("name: value, name: value"))
            text.textChanged.connect(self._edited)
            self.inputs["*"] = text
            self.grid.addWidget(field(tr("Options"), text), 0, 0)
        for number, option in enumerate(own or ()):
            widget = self._input(option, options.get(option.name))
            self.inputs[option.name] = widget
            wide = option.kind in ("long", "schema")
            place = widget if option.kind == "check" else field(tr(option.title), widget)
            self.grid.addWidget(place, number if wide else 0, 0 if wide else number, 1, 4 if wide else 1)
        self.body.setVisible(bool(self.inputs))

    def _input(self, option: Option, value: Any) -> QWidget:
        if option.kind == "check":
            box = QCheckBox(tr(option.title))
            box.setChecked(bool(value))
            box.toggled.connect(self._edited)
            return box
        if option.kind in ("choice", "model", "embedding"):
            return self._combo(option, value)
        if option.kind in ("long", "schema"):
            area = QPlainTextEdit()
            area.setTabChangesFocus(True)
            area.setFixedHeight(64)
            area.setObjectName("code" if option.kind == "schema" else "")
            area.setPlaceholderText(tr(option.hint) if option.hint else "")
            text = value if isinstance(value, str) else json.dumps(value, indent=1, ensure_ascii=False)
            area.setPlainText("" if value is None else text)
            area.textChanged.connect(self._edited)
            return area
        line = QLineEdit("" if value is None else f"{value:g}" if isinstance(value, int | float) else str(value))
        line.setPlaceholderText(tr(option.hint) if option.hint else "")
        line.textChanged.connect(self._edited)
        return line

    def _combo(self, option: Option, value: Any) -> QComboBox:
        combo = ComboBox()
        combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        combo.setMinimumContentsLength(18)
        if option.kind == "choice":
            for name, title in option.choices:
                combo.addItem(tr(title), name)
        else:
            embedding = option.kind == "embedding"
            combo.addItem(tr("the first one here") if embedding else tr("Choose a model…"), "")
            for info in sorted(self._models, key=lambda info: (info.remote, info.provider, info.name)):
                if ("embeddings" in info.capabilities) == embedding:
                    where = info.provider if info.remote else tr("on this machine")
                    combo.addItem(f"{info.name} · {where}", info.id)
            if value and combo.findData(value) < 0:
                combo.addItem(str(value), value)
        combo.setCurrentIndex(max(combo.findData(value), 0))
        combo.activated.connect(self._edited)
        return combo

    # --- reading ----------------------------------------------------------------------------------------------
    @Slot()
    def _chosen(self) -> None:
        self._build({})
        self._edited()

    @Slot()
    def _edited(self) -> None:
        name = self.choice.currentData()
        try:
            options, weight = self._options(), _number(self.weight.text(), tr("The weight")) or 1.0
            if weight <= 0:
                raise ValueError(tr("The weight must be a positive number."))
            self.valid = True
            self._spec = msgspec.structs.replace(self._spec, grader=name, options=options, weight=weight)
            problem = ""
        except ValueError as error:
            self.valid, problem = False, str(error)
        if self.valid and name in ("judge", "pairwise") and not self._spec.options.get("model"):
            self.valid, problem = False, tr("Choose the model that judges.")
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))
        self.changed.emit()

    def _options(self) -> dict[str, Any]:
        """What stands in the fields; defaults are left out. Raises ValueError in words."""
        if "*" in self.inputs:
            return self._free(self.inputs["*"])
        # What a file sets and no field shows (a judge's max_tokens) stays.
        shown = OPTIONS.get(self.choice.currentData(), ())
        kept = self._spec.options if self._spec.grader == self.choice.currentData() else {}
        options = {key: value for key, value in kept.items() if key not in {option.name for option in shown}}
        for option in shown:
            value = _value(option, self.inputs[option.name])
            if value not in (None, "", False):
                options[option.name] = value
        return options

    def _free(self, widget: QWidget) -> dict[str, Any]:
        assert isinstance(widget, QLineEdit)
        try:
            # Typing passes through many texts that are no YAML yet.
            options = load_yaml("{" + widget.text() + "}", "options") or {}
        except Exception:
            options = None
        if not isinstance(options, dict) or not all(isinstance(key, str) for key in options):
            raise ValueError(tr("Options are written as name: value, name: value."))
        return options


def _value(option: Option, widget: QWidget) -> Any:
    if isinstance(widget, QCheckBox):
        return widget.isChecked()
    if isinstance(widget, QComboBox):
        value = widget.currentData()
        return None if option.choices and value == option.choices[0][0] else value
    text = widget.toPlainText().strip() if isinstance(widget, QPlainTextEdit) else _text(widget)
    if option.kind == "schema" and text:
        try:
            schema = json.loads(text)
        except ValueError as error:
            raise ValueError(tr("The schema is not valid JSON: {error}.", error=error)) from None
        if not isinstance(schema, dict):
            raise ValueError(tr("The schema must be a JSON object."))
        return schema
    return _number(text, tr(option.title)) if option.kind == "number" else text


def _text(widget: QWidget) -> str:
    assert isinstance(widget, QLineEdit)
    return widget.text().strip()


def _number(text: str, name: str) -> float | None:
    text = text.strip().replace(",", ".")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise ValueError(tr("{name} must be a number, not {text}.", name=name, text=text)) from None
    return int(value) if value.is_integer() else value
