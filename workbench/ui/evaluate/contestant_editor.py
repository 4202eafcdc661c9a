"""One contestant of an evaluation: a model with its settings, or recorded answers."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import msgspec
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFrame,
    QGridLayout,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from workbench.core.models import ModelInfo
from workbench.core.requests import ResponseFormat, Sampling
from workbench.evaluation import variations
from workbench.evaluation.spec import ModelSpec
from workbench.ui.as_written import keep_characters
from workbench.ui.evaluate.examples_editor import ExamplesEditor
from workbench.ui.evaluate.parts import ComboBox, field, row
from workbench.ui.icons import IconButton
from workbench.ui.tr import mark, tr
from workbench.ui.widgets import label

RECORDED = "recorded:"
FORMATS = (
    ("text", mark("Text")),
    ("json_object", mark("JSON")),
    ("json_schema", mark("JSON schema")),
    ("grammar", mark("Grammar (GBNF)")),
)


class ContestantEditor(QFrame):
    changed = Signal()
    copy_wanted = Signal(object)
    variations_wanted = Signal(list)
    """Further contestants (ModelSpec)."""
    remove_wanted = Signal(object)

    def __init__(self, spec: ModelSpec, models: list[ModelInfo], *, optional: bool = False) -> None:
        """`optional`: a baseline, which may also be none."""
        super().__init__()
        self._spec = spec
        self._optional = optional
        self.setObjectName("card")
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 10, 12)
        column.setSpacing(8)
        self.model = ComboBox()
        self.model.setAccessibleName(tr("Model"))
        self.model.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.model.setMinimumContentsLength(24)
        self.model.activated.connect(self._model_chosen)
        self.settings = IconButton("sliders-horizontal", tr("Settings of this model"))
        self.settings.setCheckable(True)
        self.settings.toggled.connect(self._show_settings)
        buttons: list[QWidget] = [self.model, self.settings]
        if not optional:
            copy = IconButton("copy", tr("The same model once more, with other settings"))
            copy.clicked.connect(lambda: self.copy_wanted.emit(self))
            remove = IconButton("x", tr("Remove this model"))
            remove.clicked.connect(lambda: self.remove_wanted.emit(self))
            self.vary = IconButton("shuffle", tr("Variations of this model side by side"))
            self.vary.clicked.connect(self._show_variations)
            buttons += [self.vary, copy, remove]
        line = row(*buttons, stretch=False)
        line.setStretch(0, 1)
        column.addLayout(line)
        self.place = label("", "small", wrap=True)
        column.addWidget(self.place)
        self.body = self._body()
        column.addWidget(self.body)
        self.body.hide()
        self.set_models(models)
        self._fill()

    def _body(self) -> QWidget:
        body = QWidget()
        grid = QGridLayout(body)
        grid.setContentsMargins(0, 0, 4, 0)
        grid.setHorizontalSpacing(12)
        self.label = QLineEdit()
        self.temperature = QLineEdit()
        self.max_tokens = QLineEdit()
        self.top_p = QLineEdit()
        self.seed = QLineEdit()
        for edit in (self.temperature, self.max_tokens, self.top_p, self.seed):
            edit.setPlaceholderText(tr("default"))
        grid.addWidget(field(tr("Name in the report"), self.label), 0, 0, 1, 4)
        grid.addWidget(field(tr("Temperature"), self.temperature), 1, 0)
        grid.addWidget(field(tr("Most tokens"), self.max_tokens), 1, 1)
        grid.addWidget(field(tr("Top p"), self.top_p), 1, 2)
        grid.addWidget(field(tr("Seed"), self.seed), 1, 3)
        self.system = QPlainTextEdit()
        self.system.setTabChangesFocus(True)
        self.system.setFixedHeight(58)
        self.system.setPlaceholderText(tr("As in the prompt"))
        grid.addWidget(field(tr("System prompt of its own"), self.system), 2, 0, 1, 4)
        self.own_examples = QCheckBox(tr("Examples of its own instead of the prompt's"))
        self.own_examples.toggled.connect(self._examples_toggled)
        self.examples = ExamplesEditor()
        self.examples.edited.connect(self._edited)
        grid.addWidget(self.own_examples, 6, 0, 1, 4)
        grid.addWidget(self.examples, 7, 0, 1, 4)
        self.format = ComboBox()
        for kind, title in FORMATS:
            self.format.addItem(tr(title), kind)
        self.format.activated.connect(self._format_chosen)
        grid.addWidget(field(tr("Form of the answer"), self.format), 3, 0, 1, 2)
        self.constraint = QPlainTextEdit()
        self.constraint.setObjectName("code")
        keep_characters(self.constraint)
        self.constraint.setTabChangesFocus(True)
        self.constraint.setFixedHeight(76)
        self.constraint.setAccessibleName(tr("Schema or grammar"))
        grid.addWidget(self.constraint, 4, 0, 1, 4)
        self.problem = label("", "bad", wrap=True)
        grid.addWidget(self.problem, 5, 0, 1, 4)
        self.problem.hide()
        for edit in (self.label, self.temperature, self.max_tokens, self.top_p, self.seed):
            edit.textChanged.connect(self._edited)
        self.system.textChanged.connect(self._edited)
        self.constraint.textChanged.connect(self._edited)
        return body

    # --- content ----------------------------------------------------------------------------------------------
    @property
    def spec(self) -> ModelSpec:
        return self._spec

    @property
    def is_set(self) -> bool:
        return bool(self._spec.model or self._spec.recorded)

    @property
    def valid(self) -> bool:
        return self.problem.isHidden()

    def set_models(self, models: list[ModelInfo]) -> None:
        """Local ones first. A model that is not known any more stays as it was named."""
        self._models = {info.id: info for info in models}
        self.model.clear()
        if self._optional:
            self.model.addItem(tr("None: show rates only"), "")
        elif not self._spec.model and not self._spec.recorded:
            self.model.addItem(tr("Choose a model…"), "")
        for info in sorted(models, key=lambda info: (info.remote, info.provider, info.name)):
            if info.capabilities == frozenset({"embeddings"}):
                continue
            where = info.provider if info.remote else tr("on this machine")
            self.model.addItem(f"{info.name} · {where}", info.id)
        if self._spec.model and self._spec.model not in self._models:
            self.model.addItem(self._spec.model, self._spec.model)
        if self._spec.recorded:
            self.model.addItem(tr("Recorded: {name}", name=Path(self._spec.recorded).name), RECORDED)
        self.model.addItem(tr("Recorded answers of a file…"), RECORDED + "choose")
        wanted = RECORDED if self._spec.recorded else self._spec.model
        self.model.setCurrentIndex(max(self.model.findData(wanted), 0))
        self._tell_place()

    def _fill(self) -> None:
        spec, sampling = self._spec, self._spec.sampling
        self._filling = True
        self.label.setText(spec.label)
        self.temperature.setText(_text(sampling.temperature))
        self.max_tokens.setText(_text(sampling.max_tokens))
        self.top_p.setText(_text(sampling.top_p))
        self.seed.setText(_text(sampling.seed))
        self.system.setPlainText(spec.system or "")
        form = spec.response_format
        self.format.setCurrentIndex(max(self.format.findData(form.kind), 0))
        text = json.dumps(form.schema, indent=1, ensure_ascii=False) if form.schema else form.grammar or ""
        self.constraint.setPlainText(text)
        self.constraint.setVisible(form.kind in ("json_schema", "grammar"))
        self.own_examples.setChecked(spec.examples is not None)
        self.examples.set_examples(spec.examples or ())
        self.examples.setVisible(spec.examples is not None)
        self._filling = False

    @Slot()
    def _edited(self) -> None:
        if self._filling:
            return
        try:
            self._spec = self._read()
            self.problem.hide()
        except ValueError as error:
            self.problem.setText(str(error))
            self.problem.show()
        self.changed.emit()

    def _read(self) -> ModelSpec:
        """The spec as typed. Raises ValueError in words."""
        changes = {
            "temperature": _number(self.temperature, float),
            "max_tokens": _number(self.max_tokens, int),
            "top_p": _number(self.top_p, float),
            "seed": _number(self.seed, int),
        }
        sampling: Sampling = msgspec.structs.replace(self._spec.sampling, **changes)
        return msgspec.structs.replace(
            self._spec,
            label=self.label.text().strip(),
            sampling=sampling,
            system=self.system.toPlainText().strip() or ("" if self._spec.system == "" else None),
            response_format=self._format(),
            examples=self.examples.examples() if self.own_examples.isChecked() else None,
        )

    def _format(self) -> ResponseFormat:
        kind, text = self.format.currentData(), self.constraint.toPlainText().strip()
        if kind == "grammar":
            if not text:
                raise ValueError(tr("Write the grammar, or choose another form."))
            return ResponseFormat(kind="grammar", grammar=text)
        if kind == "json_schema":
            try:
                schema = json.loads(text)
            except ValueError as error:
                raise ValueError(tr("The schema is not valid JSON: {error}.", error=error)) from None
            if not isinstance(schema, dict):
                raise ValueError(tr("The schema must be a JSON object."))
            return ResponseFormat(kind="json_schema", schema=schema)
        return ResponseFormat(kind=kind)

    # --- choosing ---------------------------------------------------------------------------------------------
    @Slot()
    def _model_chosen(self) -> None:
        value = self.model.currentData()
        if value == RECORDED + "choose":
            name, _ = QFileDialog.getOpenFileName(self, tr("Recorded answers"), "", "JSONL (*.jsonl)")
            if name:
                self.use_recorded(Path(name))
            else:
                self.set_models(list(self._models.values()))
        elif value != RECORDED:
            self._spec = msgspec.structs.replace(self._spec, model=value, recorded="")
            self._tell_place()
            self.changed.emit()

    def use_recorded(self, path: Path) -> None:
        """Answers frozen earlier."""
        name = self._spec.label or tr("{name} (recorded)", name=path.stem)
        self._spec = msgspec.structs.replace(self._spec, model="", recorded=str(path), label=name)
        self.set_models(list(self._models.values()))
        self._fill()
        self.changed.emit()

    @Slot(bool)
    def _examples_toggled(self, own: bool) -> None:
        self.examples.setVisible(own)
        self._edited()

    @Slot()
    def _show_variations(self) -> None:
        menu = self.variations_menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.vary.mapToGlobal(self.vary.rect().bottomLeft()))

    def variations_menu(self) -> QMenu:
        """Each action adds contestants that differ from this one in one thing."""
        menu, spec = QMenu(self), self._spec
        info = self._models.get(spec.model)
        quantizations = variations.of_quantizations(spec, info, list(self._models.values())) if info else []
        title = tr("Every other quantisation on this machine ({count})", count=len(quantizations))
        choices = [
            (title, quantizations),
            (tr("Temperatures 0, 0.7 and 1"), variations.of_temperatures(spec)),
            (tr("Without the system prompt"), [variations.without_system(spec)]),
            (tr("Without the examples"), [variations.without_examples(spec)]),
            (tr("With a grammar"), [variations.with_grammar(spec)]),
        ]
        for text, specs in choices:
            action = menu.addAction(text)
            action.setEnabled(bool(specs) and bool(spec.model))
            action.triggered.connect(partial(self._vary, specs))
        return menu

    def _vary(self, specs: list[ModelSpec], _checked: bool = False) -> None:
        self.variations_wanted.emit(specs)

    @Slot()
    def _format_chosen(self) -> None:
        self.constraint.setVisible(self.format.currentData() in ("json_schema", "grammar"))
        self._edited()

    @Slot(bool)
    def _show_settings(self, shown: bool) -> None:
        self.body.setVisible(shown)
        self._tell_place()

    def _tell_place(self) -> None:
        info = self._models.get(self._spec.model)
        if self._spec.recorded:
            text = tr("Answers recorded earlier; no model is asked.")
        elif info is None:
            text = tr("This model is not there now.") if self._spec.model else ""
        elif info.remote:
            text = tr("The prompts leave this machine.")
        else:
            text = tr("Runs on this machine.")
        if self._spec.label and self.body.isHidden():
            text = f"{self._spec.label} · {text}"
        self.place.setText(text)
        self.place.setVisible(bool(text))
        self.settings.setEnabled(self.is_set)


def _text(value: float | int | None) -> str:
    return "" if value is None else f"{value:g}"


def _number(edit: QLineEdit, kind: type[float] | type[int]) -> float | int | None:
    text = edit.text().strip().replace(",", ".")
    if not text:
        return None
    try:
        return kind(text)
    except ValueError:
        raise ValueError(tr("{name} must be a number, not {text}.", name=edit.accessibleName(), text=text)) from None
