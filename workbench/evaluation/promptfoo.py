"""Reads the common part of promptfoo's configuration and says what it could not take.

Format: promptfoo's documented `promptfooconfig.yaml` (prompts, providers, tests with vars and assert, defaultTest).
"""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path
from typing import Any

import msgspec

from workbench.core.errors import BadInput
from workbench.core.requests import Sampling
from workbench.evaluation.case_files import load_yaml, read_cases
from workbench.evaluation.cases import TestCase, with_unique_ids
from workbench.evaluation.prompts import render
from workbench.evaluation.spec import EvalSpec, GraderSpec, ModelSpec, PromptSpec

PROVIDERS = {"openai": "openai", "anthropic": "anthropic", "google": "google", "ollama": "ollama", "mistral": "mistral"}
ASSERTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "equals": ("exact", {}),
    "contains": ("contains", {"case_sensitive": True}),
    "icontains": ("contains", {}),
    "contains-all": ("contains", {"case_sensitive": True}),
    "contains-any": ("contains", {"case_sensitive": True, "mode": "any"}),
    "icontains-all": ("contains", {}),
    "icontains-any": ("contains", {"mode": "any"}),
    "regex": ("regex", {}),
    "is-json": ("json_schema", {}),
    "starts-with": ("regex", {}),
    "similar": ("similarity", {}),
    "llm-rubric": ("judge", {}),
    "model-graded-closedqa": ("judge", {}),
}
EXPECTED_PREFIXES = tuple(sorted(ASSERTIONS, key=len, reverse=True))
TEST_KEYS = {"vars", "assert", "options", "description", "metadata"}
MOST_COMBINATIONS = 10_000
JUDGED = {"llm-rubric", "model-graded-closedqa"}
SAMPLING = {"temperature": "temperature", "top_p": "top_p", "max_tokens": "max_tokens", "seed": "seed", "stop": "stop"}


class Imported(msgspec.Struct, frozen=True):
    spec: EvalSpec
    not_taken: tuple[str, ...]


def looks_like_promptfoo(path: Path) -> bool:
    """Whether this is a configuration of promptfoo rather than an evaluation of ours."""
    try:
        document = load_yaml(path.read_text(encoding="utf-8-sig"), path.name)
    except (OSError, UnicodeDecodeError, BadInput):
        return False
    return isinstance(document, dict) and bool({"providers", "targets"} & document.keys()) and "models" not in document


def read_promptfoo(path: Path) -> Imported:
    """Raises BadInput where there is nothing to take."""
    try:
        document = load_yaml(path.read_text(encoding="utf-8-sig"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} can't be read: {error}.") from None
    if not isinstance(document, dict) or not {"prompts", "providers"} & document.keys():
        raise BadInput(f"{path.name} is not a promptfoo configuration: it has neither prompts nor providers.")
    reader = _Reader(path)
    known = {"description", "prompts", "providers", "targets", "tests", "defaultTest", "$schema"}
    reader.miss(f"top level: {key}" for key in document.keys() - known)
    prompts = reader.prompts(document.get("prompts") or [])
    models = reader.models(document.get("providers") or document.get("targets") or [])
    cases, graders = reader.tests(document.get("tests") or [], document.get("defaultTest"))
    if not (prompts and models and cases):
        missing = [n for n, part in (("prompts", prompts), ("providers", models), ("tests", cases)) if not part]
        raise BadInput(f"{path.name} holds no usable {' and no '.join(missing)}.", detail="\n".join(reader.not_taken))
    spec = EvalSpec(
        name=str(document.get("description") or path.stem),
        models=tuple(models),
        prompts=tuple(prompts),
        cases=tuple(cases),
        case_graders=graders,  # promptfoo's assertions belong to tests
        rule="not_worse_than_rate",
    )
    return Imported(spec, tuple(sorted(set(reader.not_taken))))


class _Reader:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.not_taken: list[str] = []
        self.judge: str | None = None

    def miss(self, what: Any) -> None:
        self.not_taken += [what] if isinstance(what, str) else list(what)

    def prompts(self, items: Any) -> list[PromptSpec]:
        result = []
        for number, item in enumerate(items if isinstance(items, list) else [items], 1):
            label = f"prompt {number}"
            if isinstance(item, dict):
                label, item = str(item.get("label") or label), item.get("raw") or item.get("id")
            if not isinstance(item, str):
                self.miss(f"prompt {number}: not a text")
                continue
            text = self._file(item) if item.startswith("file://") else item
            if text is not None:
                result.append(PromptSpec(name=label, text=text))
        return result

    def models(self, items: Any) -> list[ModelSpec]:
        result: list[ModelSpec] = []
        for item in items if isinstance(items, list) else [items]:
            entry = item if isinstance(item, dict) else {"id": item}
            if "id" not in entry and len(entry) == 1:
                name, rest = next(iter(entry.items()))
                entry = {"id": name, **(rest if isinstance(rest, dict) else {})}
            model = _model_id(str(entry.get("id", "")))
            if model is None:
                self.miss(f"provider {entry.get('id')}: no counterpart here")
                continue
            config = self._object(entry.get("config"), f"provider {entry['id']}: config")
            self.miss(f"provider {entry['id']}: config {key}" for key in config.keys() - SAMPLING.keys())
            values = {SAMPLING[key]: value for key, value in config.items() if key in SAMPLING}
            try:
                sampling = msgspec.convert(values, Sampling)
            except msgspec.ValidationError as error:
                self.miss(f"provider {entry['id']}: {error}")
                sampling = Sampling()
            result.append(ModelSpec(model=model, label=str(entry.get("label") or ""), sampling=sampling))
        return result

    def tests(self, items: Any, default: Any) -> tuple[list[TestCase], dict[str, tuple[GraderSpec, ...]]]:
        default = self._object(default, "defaultTest")
        self.miss(f"defaultTest: {key}" for key in default.keys() - TEST_KEYS)
        options = self._options(default, "defaultTest", {"provider", "disableVarExpansion"})
        self.judge = self._judge(options)
        if isinstance(items, str):
            items = self._test_file(items)
        if not isinstance(items, list):
            self.miss("tests: only a list or a CSV, JSONL, JSON or YAML file is taken, not a generator")
            return [], {}
        cases, graders = [], []
        for number, item in enumerate(items, 1):
            if not isinstance(item, dict):
                self.miss(f"test {number}: not an object")
                continue
            self.miss(f"test {number}: {key}" for key in item.keys() - TEST_KEYS)
            its_options = {**options, **self._options(item, f"test {number}", {"disableVarExpansion"})}
            own = self._object(item.get("vars"), f"test {number}: vars")
            variables = {**self._object(default.get("vars"), "defaultTest: vars"), **own}
            asserts = [
                *self._list(default.get("assert"), "defaultTest"),
                *self._list(item.get("assert"), f"test {number}"),
            ]
            whole = its_options.get("disableVarExpansion") is True
            combinations = self._combinations(variables, number, whole=whole)
            for place, values in enumerate(combinations, 1):
                name = f"test-{number}" if len(combinations) == 1 else f"test-{number}-{place}"
                cases.append(TestCase(id=name, variables=values))
                graders.append(tuple(g for a in asserts if (g := self._grader(a, number, values)) is not None))
        unique = with_unique_ids(cases)
        return unique, {case.id: specs for case, specs in zip(unique, graders, strict=True)}

    def _object(self, value: Any, what: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            if value:
                self.miss(f"{what}: not an object")
            return {}
        return {str(key): item for key, item in value.items()}

    def _options(self, test: dict[str, Any], what: str, taken: set[str]) -> dict[str, Any]:
        options = self._object(test.get("options"), f"{what}: options")
        self.miss(f"{what}: options, {key}" for key in options.keys() - taken)
        return {key: value for key, value in options.items() if key in taken}

    def _list(self, value: Any, what: str) -> list[Any]:
        if not isinstance(value, list):
            if value:
                self.miss(f"{what}: assert is not a list")
            return []
        return value

    def _combinations(self, variables: dict[str, Any], number: int, *, whole: bool) -> list[dict[str, Any]]:
        """A variable with a list of values stands for a test with each of them, unless lists are left `whole`."""
        filed = [name for name, value in variables.items() if isinstance(value, str) and value.startswith("file://")]
        if filed:
            self.miss(f"test {number}: variables from files ({', '.join(filed)})")
            return []
        if whole:
            return [variables]
        empty = [name for name, value in variables.items() if value == []]
        if empty:
            self.miss(f"test {number}: variables with an empty list of values ({', '.join(empty)})")
            return []
        choices = [value if isinstance(value, list) else [value] for value in variables.values()]
        if math.prod(map(len, choices)) > MOST_COMBINATIONS:
            self.miss(f"test {number}: more than {MOST_COMBINATIONS:,} combinations of its variables' values")
            return []
        return [dict(zip(variables, values, strict=True)) for values in itertools.product(*choices)]

    def _grader(self, item: Any, number: int, variables: dict[str, Any]) -> GraderSpec | None:
        kind = item.get("type") if isinstance(item, dict) else None
        if not isinstance(kind, str) or kind not in ASSERTIONS:
            self.miss(f"test {number}: assertion {kind}")
            return None
        known = {"type", "value", "weight", *({"threshold"} if kind == "similar" else ())}
        known |= {"provider"} if kind in JUDGED else set()
        self.miss(f"test {number}: assertion {kind}, {key}" for key in item.keys() - known)
        grader, options = ASSERTIONS[kind]
        try:
            value = item.get("value")  # stays a template: it is rendered when the answer is graded
            filled = _filled(value, variables)  # for what is wrong with it, and for what embeds its text
            weight = _number(item, "weight", 1.0)
            threshold = _number(item, "threshold", 0.75) if kind == "similar" else 0.0
        except BadInput as error:
            self.miss(f"test {number}: assertion {kind} ({error})")
            return None
        if kind == "is-json":
            value = value or {}
        elif kind == "starts-with":
            value = r"\A" + re.escape(str(filled)).replace("%", "[%]")  # so that no template is left in it
        elif kind == "similar":
            options = {"threshold": threshold}
        elif kind in JUDGED:
            judge = _model_id(str(item.get("provider") or "")) or self.judge
            if judge is None:
                self.miss(f"test {number}: assertion {kind} (it names no judge that has a counterpart here)")
                return None
            options, value = {"model": judge, "rubric": str(filled)}, None
        return GraderSpec(grader=grader, options=options, expected=value, weight=weight)

    def _judge(self, options: Any) -> str | None:
        provider = options.get("provider") if isinstance(options, dict) else None
        return _model_id(str(provider.get("id") if isinstance(provider, dict) else provider or ""))

    def _test_file(self, reference: str) -> Any:
        """Tests of a file beside the configuration: columns or keys are variables, `__expected` an assertion."""
        path = (self.path.parent / reference.removeprefix("file://")).resolve()
        if not path.is_relative_to(self.path.parent.resolve()):
            self.miss(f"tests {reference}: only files beside the configuration are taken")
            return []
        if path.suffix in {".yaml", ".yml", ".json"}:
            try:
                return load_yaml(path.read_text(encoding="utf-8"), path.name)
            except (OSError, UnicodeDecodeError):
                self.miss(f"tests {reference}: can't be read")
                return []
        return [
            {"vars": case.variables, "assert": [_short_assertion(str(case.expected))] if case.expected else []}
            for case in read_cases(path)
        ]

    def _file(self, reference: str) -> str | None:
        path = (self.path.parent / reference.removeprefix("file://")).resolve()
        if path.suffix not in {".txt", ".md"} or not path.is_relative_to(self.path.parent.resolve()):
            self.miss(f"prompt {reference}: only .txt and .md files beside the configuration are taken")
            return None
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            self.miss(f"prompt {reference}: can't be read")
            return None


def _filled(value: Any, variables: dict[str, Any]) -> Any:
    """What is expected may be a template, too. Raises BadInput."""
    if isinstance(value, list):
        return [_filled(item, variables) for item in value]
    return render(value, variables) if isinstance(value, str) else value


def _number(item: dict[str, Any], key: str, default: float) -> float:
    """Raises BadInput unless it is a number above 0."""
    value = item.get(key)
    try:
        number = default if value is None else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 < number < math.inf:
        raise BadInput(f"its {key} has to be a number above 0, not {value}")
    return number


def _short_assertion(text: str) -> dict[str, Any]:
    """promptfoo's `__expected` cell: `contains: Paris`, `icontains-any: a, b`, or a text that must be equal."""
    for kind in EXPECTED_PREFIXES:
        if text.startswith(f"{kind}:"):
            value: Any = text[len(kind) + 1 :].strip()
            if kind.endswith(("-any", "-all")):
                value = [item.strip() for item in value.split(",")]
            return {"type": kind, "value": value}
    return {"type": "equals", "value": text}


def _model_id(identifier: str) -> str | None:
    provider, _, rest = identifier.partition(":")
    if provider not in PROVIDERS or not rest:
        return None
    name = re.sub(r"^(chat|messages|completion|responses):", "", rest)
    return f"{PROVIDERS[provider]}:{name}" if name else None
