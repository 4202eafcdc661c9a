"""Graders for answers that are JSON."""

from __future__ import annotations

import json
import math
from typing import Any

from workbench.core.errors import BadInput
from workbench.hookspecs import Grade

from .text import normalise

FENCE = "```"
MAX_ANSWER = 1_000_000


class JsonSchema:
    """`expected` is the schema (or `options.schema`)."""

    name = "json_schema"
    title = "The answer is JSON that satisfies a JSON Schema"

    def grade(self, answer: str, expected: Any, options: dict[str, Any]) -> Grade:
        import jsonschema  # noqa: PLC0415  30 ms that only evaluations need

        schema = options.get("schema", expected)
        if not isinstance(schema, dict):
            raise BadInput("The grader 'json_schema' needs a schema object.")
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as error:
            raise BadInput(f"The JSON Schema is invalid: {error.message}.") from None
        value, problem = parse_answer(answer)
        if problem:
            return Grade(0.0, problem)
        errors = sorted(
            jsonschema.Draft202012Validator(schema).iter_errors(value), key=lambda e: list(map(str, e.path))
        )
        if not errors:
            return Grade(1.0)
        place = "/".join(map(str, errors[0].path)) or "the top"
        return Grade(0.0, f"{errors[0].message[:300]} (at {place})", {"errors": len(errors)})


class JsonFields:
    """Score is the share of expected fields that are right. Options: `tolerance` for numbers, `strict` true to
    fail on any wrong field, `normalise` true to compare texts without case and punctuation."""

    name = "json_fields"
    title = "The answer's JSON compared field by field with the expected object"

    def grade(self, answer: str, expected: Any, options: dict[str, Any]) -> Grade:
        if isinstance(expected, str):
            try:
                expected = json.loads(expected)
            except ValueError as error:
                raise BadInput(f"The expected value is not JSON: {error}.") from None
        if not isinstance(expected, dict) or not expected:
            raise BadInput("The grader 'json_fields' needs an expected object with at least one field.")
        value, problem = parse_answer(answer)
        if problem:
            return Grade(0.0, problem)
        if not isinstance(value, dict):
            return Grade(0.0, "the answer is JSON but not an object")
        wrong = [key for key, wanted in expected.items() if key not in value or not _same(value[key], wanted, options)]
        score = 1 - len(wrong) / len(expected)
        if options.get("strict") and wrong:
            score = 0.0
        return Grade(score, "wrong or missing: " + ", ".join(wrong) if wrong else "", {"wrong": wrong})


def parse_answer(answer: str) -> tuple[Any, str]:
    """The JSON value in an answer, taken out of a Markdown fence if it stands in one, and what is wrong with it."""
    text = answer.strip()
    if len(text) > MAX_ANSWER:
        return None, f"the answer is longer than {MAX_ANSWER} characters"
    if text.startswith(FENCE) and text.endswith(FENCE) and len(text) > 2 * len(FENCE):
        text = text[len(FENCE) : -len(FENCE)]
        first, _, rest = text.partition("\n")
        text = rest if first.strip().isalnum() or not first.strip() else text
    try:
        return json.loads(text), ""
    except (ValueError, RecursionError) as error:
        return None, f"not valid JSON: {error}"


def _same(got: Any, wanted: Any, options: dict[str, Any]) -> bool:
    if isinstance(wanted, bool) or isinstance(got, bool):
        return got is wanted
    if isinstance(wanted, int | float) and isinstance(got, int | float):
        return math.isclose(got, wanted, abs_tol=float(options.get("tolerance", 1e-9)))
    if isinstance(wanted, str) and isinstance(got, str) and options.get("normalise"):
        return normalise(got) == normalise(wanted)
    if isinstance(wanted, dict) and isinstance(got, dict):
        return wanted.keys() == got.keys() and all(_same(got[k], v, options) for k, v in wanted.items())
    if isinstance(wanted, list) and isinstance(got, list):
        return len(wanted) == len(got) and all(_same(g, w, options) for g, w in zip(got, wanted, strict=True))
    return bool(got == wanted)
