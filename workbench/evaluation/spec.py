"""An evaluation in one readable file: what `workbench eval` runs and what the window exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from workbench.core.errors import BadInput
from workbench.core.requests import LoadOptions, Reasoning, ResponseFormat, Sampling
from workbench.evaluation.case_files import load_yaml, parse_rows, read_cases
from workbench.evaluation.cases import TestCase

Part = Literal["working", "sealed", "all"]


class PromptSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A prompt's template. `text` and `system` are Jinja templates over the case's variables."""

    name: str = "prompt"
    text: str = ""
    system: str = ""
    examples: tuple[dict[str, str], ...] = ()
    """Few-shot examples: objects with `user` and `assistant`."""


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One contestant: a model with everything that varies. The same model may stand several times.

    Or, in place of `model`, `recorded`: answers frozen earlier, in a JSONL file of objects with `case` and `text`
    (and `prompt`, `repeat`, usage and times where known).
    """

    model: str = ""
    recorded: str = ""
    label: str = ""
    system: str | None = None
    """In place of the prompt's system text."""
    examples: tuple[dict[str, str], ...] | None = None
    """Few-shot examples in place of the prompt's; an empty list: none."""
    sampling: Sampling = Sampling()
    response_format: ResponseFormat = ResponseFormat()
    reasoning: Reasoning = Reasoning()
    load: LoadOptions = LoadOptions()

    @property
    def name(self) -> str:
        return self.label or self.model or Path(self.recorded).stem


class GraderSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    grader: str
    options: dict[str, Any] = {}
    expected: Any = None
    """Used instead of the case's expected value where set; texts are templates over the case's variables."""
    weight: float = 1.0


class BudgetSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hard limits for remote models; the run stops before the call that could pass them."""

    usd: float | None = None
    tokens: int | None = None


class EvalSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole evaluation. The first line of defence against surprises: unknown keys are errors."""

    name: str
    models: tuple[ModelSpec, ...]
    baseline: ModelSpec | None = None
    prompts: tuple[PromptSpec, ...] = (PromptSpec(text="{{ prompt }}"),)
    graders: tuple[GraderSpec, ...] = (GraderSpec(grader="normalised"),)
    cases: tuple[TestCase, ...] = ()
    case_graders: dict[str, tuple[GraderSpec, ...]] = {}
    """Graders of single cases, by id, in place of the general ones."""
    margin: float = 5.0
    """Points of 100; fixed before looking."""
    repeats: int = 1
    seed: int = 1
    part: Part = "all"
    budget: BudgetSpec = BudgetSpec()
    reuse_answers: bool = True
    """Answer identical requests from the log."""
    rule: Literal["replaceable", "not_worse_than_rate"] = "replaceable"
    require: Literal["all", "any"] = "all"
    """Whether every model must satisfy the rule, or one is enough; with several prompts a model's best one counts."""
    min_rate: float = 0.0
    """For the rule `not_worse_than_rate`: the lower limit of the pass rate must reach this (0 to 1)."""
    notes: str = ""

    def selected_cases(self) -> tuple[TestCase, ...]:
        if self.part == "all":
            return self.cases
        return tuple(case for case in self.cases if case.sealed == (self.part == "sealed"))


def read_spec(path: Path) -> EvalSpec:
    """An evaluation file in YAML or JSON; `cases` may name a file beside it. Raises BadInput."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{path.name} is not UTF-8 text.") from None
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}.") from None
    document = load_yaml(text, path.name)
    if not isinstance(document, dict):
        raise BadInput(f"{path.name} is not an evaluation: it must be an object with name, models and cases.")
    return parse_spec(document, path)


def parse_spec(document: dict[str, Any], path: Path) -> EvalSpec:
    """`document` as read from `path`, which relative file names are relative to."""
    document = dict(document)
    document.setdefault("name", path.stem)
    cases = document.pop("cases", None)
    if isinstance(document.get("baseline"), str):
        document["baseline"] = {"model": document["baseline"]}
    try:
        spec = msgspec.convert(_shorthands(document), EvalSpec)
        spec = msgspec.structs.replace(spec, cases=tuple(_cases(cases, path)))
    except msgspec.ValidationError as error:
        raise BadInput(f"{path.name}: {error}.") from None
    _check(spec, path.name)
    return spec


def to_document(spec: EvalSpec) -> dict[str, Any]:
    """The spec as plain values that `parse_spec` reads back."""
    document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(spec))  # lists for tuples, as a file has them
    empty: tuple[Any, ...] = (None, "", [], {}, ())
    return {key: value for key, value in document.items() if value not in empty or key in {"name", "models", "cases"}}


def spec_of(document: dict[str, Any]) -> EvalSpec:
    """What `to_document` made, read back without a file. Raises msgspec.ValidationError."""
    return msgspec.convert(document, EvalSpec)


def _shorthands(document: dict[str, Any]) -> dict[str, Any]:
    """A model, prompt or grader may be given as just its id or text."""
    for key, field in (("models", "model"), ("prompts", "text"), ("graders", "grader")):
        items = document.get(key)
        if isinstance(items, list):
            document[key] = [{field: item} if isinstance(item, str) else item for item in items]
    prompts = document.get("prompts")
    if isinstance(prompts, list):
        document["prompts"] = [
            {"name": f"prompt {number}", **prompt} if isinstance(prompt, dict) else prompt
            for number, prompt in enumerate(prompts, 1)
        ]
    return document


def _cases(value: Any, path: Path) -> list[TestCase]:
    if isinstance(value, str):
        return read_cases(path.parent / value)
    if isinstance(value, list):
        return parse_rows(enumerate(value, 1), f"{path.name}, cases", path.parent)
    raise BadInput(f"{path.name} needs 'cases': a list, or the name of a CSV, JSONL, YAML or Excel file.")


def _check(spec: EvalSpec, source: str) -> None:
    names = [model.name for model in spec.models] + ([spec.baseline.name] if spec.baseline else [])
    doubled = {name for name in names if names.count(name) > 1}
    problems = {
        "names no model": not spec.models,
        f"has two models called {', '.join(sorted(doubled))}: give each a label": bool(doubled),
        "has an entry that names neither a model nor recorded answers, or both": any(
            bool(entry.model) == bool(entry.recorded) for entry in (*spec.models, *filter(None, (spec.baseline,)))
        ),
        "has two prompts of one name": len({p.name for p in spec.prompts}) < len(spec.prompts),
        "has no prompt": not spec.prompts,
        "has no grader": not spec.graders,
        "needs a margin between 0 and 100 points": not 0 < spec.margin < 100,
        "needs repeats of 1 to 100": not 1 <= spec.repeats <= 100,
        "needs grader weights above 0": any(grader.weight <= 0 for grader in spec.graders),
        "needs a min_rate between 0 and 1": not 0 <= spec.min_rate <= 1,
        "asks for the rule 'replaceable' but names no baseline": spec.rule == "replaceable" and spec.baseline is None,
        f"has no case in the {spec.part} part": not spec.selected_cases(),
    }
    for problem, found in problems.items():
        if found:
            raise BadInput(f"{source} {problem}.")
