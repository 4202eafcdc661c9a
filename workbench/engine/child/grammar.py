"""Grammars that bind an answer: GBNF as given, or made of a JSON schema.

llama.cpp's grammar sampler throws a C++ exception, which ends the process, when it is told of a token it does not
allow. So a token is only ever accepted after the grammar was asked about it (`candidates.py`).
"""

from __future__ import annotations

import json
import os
import tempfile
from typing import Any

from workbench.core.errors import BadInput
from workbench.core.requests import ResponseFormat
from workbench.engine.child.llama import json_schema_to_gbnf, lib
from workbench.engine.child.vocab import Vocab

MAX_REPETITIONS = 500
"""The converter unrolls {m,n}; longer bounds would nest too deep for llama.cpp's parser."""
MAX_GRAMMAR_BYTES = 1 << 20

_UNCHECKED = frozenset(
    (
        *("not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies"),
        *("patternProperties", "propertyNames", "minProperties", "maxProperties", "unevaluatedProperties"),
        *("uniqueItems", "contains", "minContains", "maxContains", "unevaluatedItems"),
        *("multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    )
)
"""Keywords of JSON Schema that the grammar can't hold the model to."""

JSON_OBJECT_SCHEMA: dict[str, Any] = {"type": "object"}


class Grammar:
    """A grammar sampler of llama.cpp. Frees it with `close`."""

    def __init__(self, gbnf: str, vocab: Vocab) -> None:
        data = gbnf.encode()
        if not gbnf.strip():
            raise BadInput("The grammar is empty.", hint="A GBNF grammar needs a rule named root.")
        if len(data) > MAX_GRAMMAR_BYTES or b"\0" in data:
            raise BadInput("The grammar is longer than 1 MiB or holds a NUL character.")
        self.handle = lib.llama_sampler_init_grammar(vocab.handle, data, b"root")
        if not self.handle:
            _, reason = _with_stderr(lambda: lib.llama_sampler_init_grammar(vocab.handle, data, b"root"))
            raise BadInput(
                "The grammar is not valid GBNF" + (f": {reason}." if reason else "."),
                hint="It needs a rule named root, and every rule it names.",
                detail=gbnf[:4000],
            )

    def close(self) -> None:
        if self.handle:
            lib.llama_sampler_free(self.handle)
            self.handle = None


def gbnf_of(response: ResponseFormat) -> tuple[str | None, list[str]]:
    """The grammar a response format asks for (None for free text), and what of its schema can't be enforced.

    Raises BadInput for a missing or invalid schema or grammar.
    """
    if response.kind == "grammar":
        if not response.grammar:
            raise BadInput("The response format is a grammar, but none is given.")
        return response.grammar, []
    if response.kind == "json_object":
        return _convert(JSON_OBJECT_SCHEMA), []
    if response.kind == "json_schema":
        if response.schema is None:
            raise BadInput("The response format is a JSON schema, but none is given.")
        ignored: set[str] = set()
        try:
            _check_schema(response.schema)
            _check_references(response.schema, response.schema)
            schema = _normalise(response.schema, ignored)
        except RecursionError:
            raise BadInput("The JSON schema is nested too deep.") from None
        if "$ref" in schema:  # the converter follows one at the top, but then none in what it leads to
            schema = {**schema, "anyOf": [{"$ref": schema["$ref"]}]}
            del schema["$ref"]
        return _convert(schema), sorted(ignored)
    return None, []


def _check_schema(schema: dict[str, Any]) -> None:
    from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415 - slow to import, rarely needed

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = "/".join(str(part) for part in error.absolute_path) or "its top"
        raise BadInput(f"The JSON schema is not valid at {where}: {error.message[:300]}.") from None


def _check_references(part: Any, schema: dict[str, Any]) -> None:
    if isinstance(part, list):
        for item in part:
            _check_references(item, schema)
    if not isinstance(part, dict):
        return
    reference = part.get("$ref")
    if isinstance(reference, str):
        if not reference.startswith("#/"):
            raise BadInput(
                f"The JSON schema refers to “{reference[:200]}”; only what is in the schema itself can be referred to.",
                hint="Put it under $defs and refer to #/$defs/NAME.",
            )
        target: Any = schema
        for name in reference.split("/")[1:]:
            target = target.get(name) if isinstance(target, dict) else None
        if target is None:
            raise BadInput(f"The JSON schema refers to “{reference[:200]}”, which it does not have.")
    for item in part.values():
        _check_references(item, schema)


def _convert(schema: Any) -> str:
    try:
        return json_schema_to_gbnf(json.dumps(schema, ensure_ascii=False))
    except RecursionError:
        raise BadInput("The JSON schema is nested too deep.") from None
    except Exception as error:
        raise BadInput(
            f"The JSON schema can't be made a grammar: {str(error)[:300] or type(error).__name__}."
        ) from None


def _normalise(schema: Any, ignored: set[str]) -> Any:
    """A schema in the words the converter knows: it takes an empty one for an object, and True for nothing.

    Names of properties and the contents of enum and const are data, not schemas, and stay as they are.
    """
    if schema is True or schema == {}:
        return {"type": "value"}
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("type"), list):  # the converter would forget everything else the schema says
        return {"anyOf": [_normalise({**schema, "type": kind}, ignored) for kind in schema["type"]]}
    result: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _UNCHECKED or (key in ("minItems", "maxItems", "minLength", "maxLength") and value > MAX_REPETITIONS):
            ignored.add(key)
        elif key in ("properties", "$defs", "definitions"):
            result[key] = {name: _normalise(part, ignored) for name, part in value.items()}
        elif key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            result[key] = [_normalise(part, ignored) for part in value]
        elif key == "items" or (key == "additionalProperties" and isinstance(value, dict)):
            result[key] = _normalise(value, ignored)
        elif key not in ("title", "description", "default", "examples", "$schema", "$id", "$comment", "deprecated"):
            result[key] = value
    if not (result.keys() - {"$defs", "definitions"}):
        result["type"] = "value"
    return result


def _with_stderr(call: Any) -> tuple[Any, str]:
    """What `call` returns and its last line on stderr: the grammar parser prints its reasons there, not to the log."""
    with tempfile.TemporaryFile() as capture:
        saved = os.dup(2)
        os.dup2(capture.fileno(), 2)
        try:
            result = call()
        finally:
            os.dup2(saved, 2)
            os.close(saved)
        capture.seek(0)
        lines = capture.read(4096).decode("utf-8", "replace").strip().splitlines()
    return result, next((line.removeprefix("parse: ").removeprefix("error parsing grammar: ") for line in lines), "")
