"""Answers bound by GBNF and JSON schemas, and what can be wrong with those."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import jsonschema
import pytest

from tests.engine.child.driver import Child, chat
from workbench.core.errors import BadInput
from workbench.core.requests import ResponseFormat
from workbench.engine.child.grammar import gbnf_of

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 12},
        "age": {"type": "integer"},
        "pet": {"type": ["object", "null"], "properties": {"kind": {"enum": ["cat", "dog"]}}, "required": ["kind"]},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "maxItems": 2},
    },
    "required": ["name", "age", "pet", "tags"],
    "$defs": {"tag": {"type": "string", "pattern": "^[a-z]{1,4}$"}},
}


def schema(value: Any) -> ResponseFormat:
    return ResponseFormat(kind="json_schema", schema=value)


def test_a_schema_holds_even_hot_draws(starter: Child) -> None:
    requests = [
        chat("Make up a person.", response_format=schema(PERSON), seed=n, temperature=1.5, max_tokens=150)
        for n in range(3)
    ]
    for answer in starter.generate(*requests):
        assert answer.finished.reason == "stop", answer.text
        jsonschema.validate(json.loads(answer.text), PERSON)


def test_a_json_object_is_one(starter: Child) -> None:
    answer = starter.generate(
        chat("Describe Paris as JSON.", response_format=ResponseFormat(kind="json_object"), seed=2, max_tokens=200)
    )[0]
    assert answer.text.startswith("{")
    if answer.finished.reason == "stop":
        assert isinstance(json.loads(answer.text), dict)


def test_a_grammar_binds(starter: Child) -> None:
    grammar = 'root ::= ("yes" | "no") " " [0-9]{2,3}'
    answer = starter.generate(
        chat("Tell me a story.", response_format=ResponseFormat(kind="grammar", grammar=grammar), seed=1)
    )[0]
    word, number = answer.text.split(" ")
    assert word in ("yes", "no") and number.isdigit() and 2 <= len(number) <= 3
    assert answer.finished.reason == "stop"


@pytest.mark.parametrize(
    "response",
    [
        ResponseFormat(kind="grammar"),
        ResponseFormat(kind="grammar", grammar="   "),
        ResponseFormat(kind="grammar", grammar="root ::= missing"),
        ResponseFormat(kind="grammar", grammar='other ::= "a"'),
        ResponseFormat(kind="grammar", grammar='root ::= root "a" | "b"'),
        ResponseFormat(kind="grammar", grammar='root ::= "unclosed'),
        ResponseFormat(kind="grammar", grammar="root ::= [a-"),
        ResponseFormat(kind="grammar", grammar="(" * 1000),
        ResponseFormat(kind="json_schema"),
        schema({"type": "nonsense"}),
        schema({"type": "object", "properties": []}),
        schema({"$ref": "#/$defs/nowhere"}),
        schema({"$ref": "https://example.com/schema.json"}),
        schema({"type": "string", "pattern": "^(?=lookahead)$"}),
    ],
)
def test_what_is_invalid_is_said_plainly(starter: Child, response: ResponseFormat) -> None:
    finished = starter.generate(chat("Hi", response_format=response, max_tokens=5))[0].finished
    assert finished.reason == "failed" and finished.error is not None
    assert finished.error.kind == "bad_input"
    assert "Traceback" not in finished.error.message
    assert starter.generate(chat("Hi", max_tokens=1))[0].finished.reason == "length"


def test_what_a_grammar_cannot_hold_is_noted(starter: Child) -> None:
    response = schema({"type": "integer", "minimum": 3})
    answer = starter.generate(chat("A number.", response_format=response, max_tokens=3))[0]
    assert "minimum" in answer.notices[0].message and answer.notices[0].kind == "ignored"


def test_an_empty_schema_is_any_value_not_an_object() -> None:
    text, ignored = gbnf_of(schema({"type": "object", "properties": {"any": {}}, "required": ["any"]}))
    assert text is not None and ignored == []
    assert any(line.startswith("any") and "value" in line for line in text.splitlines())


@pytest.mark.parametrize("reference", ["https://example.com/x.json", "#", "other.json#/$defs/x", "#/$defs/nowhere"])
def test_references_that_lead_nowhere_are_named(reference: str) -> None:
    with pytest.raises(BadInput) as raised:
        gbnf_of(schema({"type": "array", "items": {"$ref": reference}, "$defs": {"x": {}}}))
    assert f"“{reference}”" in raised.value.message


def test_a_recursive_schema_as_pydantic_writes_it() -> None:
    node = {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}}}
    text, ignored = gbnf_of(schema({"$ref": "#/$defs/Node", "$defs": {"Node": node}}))
    assert text is not None and "Node" in text and ignored == []


def test_names_of_properties_are_no_keywords() -> None:
    value = {"type": "object", "properties": {"not": {"type": "string"}, "minimum": {"type": "integer"}}}
    assert gbnf_of(schema(value))[1] == []


def test_free_text_has_no_grammar() -> None:
    assert gbnf_of(ResponseFormat()) == (None, [])


def test_deep_nesting_is_refused_or_converted() -> None:
    value: dict[str, Any] = {"type": "string"}
    for _ in range(400):
        value = {"type": "array", "items": value}
    with contextlib.suppress(BadInput):
        gbnf_of(schema(value))
