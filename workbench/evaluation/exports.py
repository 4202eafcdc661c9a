"""What an evaluation can be written as."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import msgspec

from workbench.core.errors import BadInput
from workbench.evaluation.analysis import analyse
from workbench.evaluation.answers import Answer
from workbench.evaluation.break_even import BreakEven, break_evens
from workbench.evaluation.findings import conditions_of
from workbench.evaluation.recorded import freeze, name_anywhere
from workbench.evaluation.report import html_report
from workbench.evaluation.spec import EvalSpec, to_document
from workbench.evaluation.stored import folder_of, read_answers, read_spec_of
from workbench.store import EvaluationRow, Store, now

CSV_COLUMNS = (
    "case_id",
    "contestant",
    "prompt",
    "repeat",
    "score",
    "text",
    "error",
    "prompt_tokens",
    "completion_tokens",
    "duration_s",
    "cost_usd",
    "remote",
    "reused",
    "recorded",
    "run_id",
)
SUFFIX = {"report": "html", "csv": "csv", "jsonl": "jsonl", "yaml": "yaml", "baseline": "jsonl"}


def exported(store: Store, row: EvaluationRow, what: str, money: Sequence[tuple[str, BreakEven]] = ()) -> str:
    """The text of an export: report, csv, jsonl, yaml or baseline. Raises BadInput."""
    spec = read_spec_of(row)
    if what == "yaml":
        return evaluation_file(spec, folder_of(row))
    answers = read_answers(store, row, spec)
    if what == "report":
        return report_of(store, row, spec, answers, money)
    if what == "baseline":
        if spec.baseline is None:
            raise BadInput("This evaluation has no baseline to freeze.")
        return freeze([answer for answer in answers if answer.contestant == spec.baseline.name], now())
    if what == "csv":
        return answers_csv(answers)
    return "".join(msgspec.json.encode(answer).decode() + "\n" for answer in answers)


def report_of(
    store: Store,
    row: EvaluationRow,
    spec: EvalSpec,
    answers: Sequence[Answer],
    money: Sequence[tuple[str, BreakEven]] = (),
) -> str:
    """The report with what the database knows: conditions, judges."""
    analysis = analyse(answers, spec.baseline.name if spec.baseline else None, spec.margin / 100)
    conditions, judges = conditions_of(store, row, spec, answers), store.judges_asked(row.id)
    if not money:
        money = break_evens(analysis, spec.baseline.name if spec.baseline else "")
    return html_report(spec, analysis, answers, conditions=conditions, judges=judges, money=money)


def evaluation_file(spec: EvalSpec, folder: Path) -> str:
    """YAML that `workbench eval` runs; recorded answers are named by their whole path. Cases that were not asked stay
    out: the sealed ones of an evaluation of the working part are not to be seen."""
    import yaml  # noqa: PLC0415  only evaluations write YAML

    document = to_document(msgspec.structs.replace(spec, cases=spec.selected_cases()))
    for model in [*document["models"], *([document["baseline"]] if document.get("baseline") else [])]:
        if model.get("recorded"):
            model["recorded"] = name_anywhere(model["recorded"], folder)
        _drop_empty(model)
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)


def answers_csv(answers: Sequence[Answer]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*CSV_COLUMNS, "reasons"])
    for answer in answers:
        reasons = "; ".join(grade.reason for grade in answer.grades if grade.reason)
        values = [getattr(answer, name) for name in CSV_COLUMNS]
        writer.writerow(["" if value is None else value for value in values] + [reasons])
    return text.getvalue()


def _drop_empty(model: dict[str, object]) -> None:
    for key in [key for key, value in model.items() if value in (None, "", {}) or (value == [] and key != "examples")]:
        del model[key]
