"""How the answer must look: free text, JSON, a JSON schema or a GBNF grammar, checked while it is typed."""

from __future__ import annotations

import json
import re
from typing import Any

from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtWidgets import QComboBox, QPlainTextEdit, QVBoxLayout, QWidget

from workbench.core.requests import ResponseFormat
from workbench.ui.as_written import keep_characters
from workbench.ui.jobs import Jobs
from workbench.ui.tr import mark, tr
from workbench.ui.widgets import label, restyle

CHECK_AFTER_MS = 300
KINDS = (
    ("text", mark("Free text")),
    ("json_object", mark("Any JSON")),
    ("json_schema", mark("JSON schema")),
    ("grammar", mark("Grammar (GBNF)")),
)
SCHEMA_EXAMPLE = '{\n  "type": "object",\n  "properties": {"name": {"type": "string"}},\n  "required": ["name"]\n}'
GRAMMAR_EXAMPLE = 'root ::= "yes" | "no"'


def check_schema(text: str) -> tuple[dict[str, Any] | None, str]:
    """(schema, problem). Runs in a worker."""
    import jsonschema  # noqa: PLC0415  (60 ms at start; needed only here)

    try:
        schema = json.loads(text)
    except ValueError as error:
        return None, tr("Not valid JSON: {error}", error=error)
    if not isinstance(schema, dict):
        return None, tr("A schema is a JSON object.")
    try:
        jsonschema.validators.validator_for(schema).check_schema(schema)
    except jsonschema.SchemaError as error:
        return None, tr("Not a valid JSON schema: {error}", error=error.message)
    return schema, ""


def check_grammar(text: str) -> str:
    """What is plainly wrong with a GBNF grammar; empty if nothing. llama.cpp has the last word when it is used."""
    rules = set(re.findall(r"^\s*([A-Za-z][A-Za-z0-9_-]*)\s*::=", text, re.MULTILINE))
    if "root" not in rules:
        return tr("A grammar needs a rule “root ::= …”.")
    plain = re.sub(r'"(?:\\.|[^"\\\n])*"|\[(?:\\.|[^\]\\\n])*\]|#[^\n]*', " ", text)
    if '"' in plain or "[" in plain:
        return tr("A quotation mark or bracket is not closed.")
    if plain.count("(") != plain.count(")"):
        return tr("The parentheses do not match.")
    used = set(re.findall(r"(?<![A-Za-z0-9_-])([A-Za-z][A-Za-z0-9_-]*)(?!\s*::=)", plain))
    missing = sorted(used - rules)
    return tr("No rule is called {names}.", names=", ".join(missing)) if missing else ""


class FormatEditor(QWidget):
    """`changed` carries a valid `ResponseFormat` only."""

    changed = Signal(object)

    def __init__(self, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._value = ResponseFormat()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        self.kind = QComboBox()
        self.kind.setAccessibleName(tr("Response format"))
        for kind, title in KINDS:
            self.kind.addItem(tr(title), kind)
        self.kind.activated.connect(self._kind_chosen)
        column.addWidget(self.kind)
        self.text = QPlainTextEdit()
        self.text.setObjectName("code")
        keep_characters(self.text)
        self.text.setAccessibleName(tr("Schema or grammar"))
        self.text.setTabChangesFocus(True)
        self.text.setMinimumHeight(140)
        self.text.textChanged.connect(self._text_changed)
        column.addWidget(self.text)
        self.state = label("", "small", wrap=True)
        column.addWidget(self.state)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(CHECK_AFTER_MS)
        self._timer.timeout.connect(self._check)
        self._filling = False
        self.set_value(self._value)

    def set_value(self, value: ResponseFormat) -> None:
        if value == self._value and self.text.toPlainText():
            return
        self._value = value
        self._filling = True
        self.kind.setCurrentIndex([kind for kind, _title in KINDS].index(value.kind))
        if value.kind == "json_schema" and value.schema is not None:
            self.text.setPlainText(json.dumps(value.schema, indent=2, ensure_ascii=False))
        elif value.kind == "grammar":
            self.text.setPlainText(value.grammar or "")
        self._filling = False
        self._show()

    @Slot()
    def _kind_chosen(self) -> None:
        kind = self.kind.currentData()
        self._filling = True
        self.text.setPlainText({"json_schema": SCHEMA_EXAMPLE, "grammar": GRAMMAR_EXAMPLE}.get(kind, ""))
        self._filling = False
        self._show()
        self._check()

    def _show(self) -> None:
        kind = self.kind.currentData()
        self.text.setVisible(kind in ("json_schema", "grammar"))
        hints = {
            "text": tr("The model writes as it likes."),
            "json_object": tr("The answer is one JSON object."),
            "json_schema": tr("The answer is JSON that fits the schema."),
            "grammar": tr("The answer fits the grammar, token by token. Local models only."),
        }
        self._say(hints[kind], "small")

    @Slot()
    def _text_changed(self) -> None:
        if not self._filling:
            self._timer.start()

    @Slot()
    def _check(self) -> None:
        kind, text = self.kind.currentData(), self.text.toPlainText()
        if kind == "json_schema":
            self._jobs.run(lambda: check_schema(text), self._schema_checked, owner=self, key="schema")
        elif kind == "grammar":
            problem = check_grammar(text)
            self._say(problem or tr("The grammar looks right."), "bad" if problem else "good")
            if not problem:
                self._give(ResponseFormat(kind="grammar", grammar=text))
        else:
            self._give(ResponseFormat(kind=kind))

    def _schema_checked(self, result: tuple[dict[str, Any] | None, str]) -> None:
        schema, problem = result
        self._say(problem or tr("The schema is valid."), "bad" if problem else "good")
        if schema is not None and self.kind.currentData() == "json_schema":
            self._give(ResponseFormat(kind="json_schema", schema=schema))

    def _give(self, value: ResponseFormat) -> None:
        if value != self._value:
            self._value = value
            self.changed.emit(value)

    def _say(self, text: str, name: str) -> None:
        self.state.setText(text)
        if self.state.objectName() != name:
            self.state.setObjectName(name)
            restyle(self.state)
