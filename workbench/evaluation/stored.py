"""An evaluation read back from the store: its results as a table's lines, its answers, its analysis."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from workbench.core.errors import BadInput
from workbench.evaluation.analysis import Analysis, analyse
from workbench.evaluation.answers import HUMAN, SEPARATOR, Answer, GradeRecord
from workbench.evaluation.busy import file_bytes
from workbench.evaluation.recorded import EXAMPLES, examples
from workbench.evaluation.spec import EvalSpec, spec_of
from workbench.store import EvaluationRow, ResultRow, Store

WRONG_BELOW = 0.5


class Line(msgspec.Struct, frozen=True, gc=False):
    """One answer in the results' table. `score` below 0 stands for none, so that lines sort quickly."""

    case: str
    contestant: str
    prompt: str
    repeat: int
    score: float
    error: str
    reason: str
    run_id: str


def read_lines(store: Store, evaluation_id: str) -> list[Line]:
    """Every answer, without its text."""
    lines = []
    arms: dict[str, tuple[str, str]] = {}
    for case_row, variant, repeat, run_id, score, error, reason in store.result_lines(evaluation_id):
        arm = arms.get(variant)
        if arm is None:
            contestant, _, prompt = variant.partition(SEPARATOR)
            arm = arms[variant] = (contestant, prompt)
        case = case_row[case_row.find(":") + 1 :]
        lines.append(Line(case, arm[0], arm[1], repeat, -1.0 if score is None else score, error, reason, run_id))
    return lines


def read_spec_of(row: EvaluationRow) -> EvalSpec:
    """The evaluation as it was started. Raises BadInput for one of a version that can't be read any more."""
    try:
        return spec_of(row.config.get("spec", {}))
    except msgspec.ValidationError as error:
        raise BadInput(f"The evaluation “{row.name}” can't be read: {error}.") from None


def folder_of(row: EvaluationRow) -> Path:
    """Where the relative names of an evaluation's recorded answers lead from."""
    name = str(row.config.get("folder", ""))
    folder = Path(name)
    moved = folder.parts[-2:] == ("resources", "examples") and not folder.is_dir()  # kept before they had a name
    return examples() if name == EXAMPLES or moved else folder


def read_recorded_of(results: Iterable[ResultRow], contestant: str) -> list[Answer]:
    """A contestant's recorded answers as an evaluation holds them, without their grades."""
    found = []
    for result in results:
        if not result.grader and "recorded" in result.details:
            answer = msgspec.convert(result.details["recorded"], Answer)
            if answer.contestant == contestant:
                found.append(msgspec.structs.replace(answer, grades=(), error=""))
    return found


def read_answers(store: Store, row: EvaluationRow, spec: EvalSpec) -> list[Answer]:
    """Every finished answer with its grades and its run's measures."""
    cases = {case.id: case for case in spec.cases}
    remote = _remote_of(store, row.id)
    grades: dict[tuple[str, str, int], list[GradeRecord]] = {}
    weights = {grader.grader: grader.weight for grader in spec.graders}
    results = store.results(row.id)
    for result in results:
        if result.grader and result.score is not None and (result.grader != HUMAN or HUMAN in weights):
            grades.setdefault((result.test_case_id, result.variant, result.repeat), []).append(
                GradeRecord(
                    grader=result.grader,
                    score=result.score,
                    weight=float(result.details.get("weight", weights.get(result.grader, 1.0))),
                    reason=result.reason,
                    details=result.details,
                )
            )
    answers = []
    for result in results:
        if result.grader or result.status == "pending":
            continue
        if "recorded" in result.details:
            recorded = msgspec.convert(result.details["recorded"], Answer)
            own = grades.get((result.test_case_id, result.variant, result.repeat))
            answers.append(msgspec.structs.replace(recorded, grades=tuple(own)) if own else recorded)
            continue
        contestant, _, prompt = result.variant.partition(SEPARATOR)
        case_id = result.test_case_id.partition(":")[2]
        case = cases.get(case_id)
        answers.append(
            Answer(
                contestant=contestant,
                prompt=prompt,
                case_id=case_id,
                repeat=result.repeat,
                run_id=result.run_id or "",
                model=result.model,
                error=result.error or "",
                grades=tuple(grades.get((result.test_case_id, result.variant, result.repeat), ())),
                cluster=case.cluster if case else None,
                weight=case.weight if case else 1.0,
                tags=case.tags if case else (),
                reused=bool(result.details.get("reused")),
                **remote.get(result.run_id or "", {}),
            )
        )
    return answers


def read_analysis(store: Store, row: EvaluationRow, spec: EvalSpec) -> Analysis:
    return analyse(read_answers(store, row, spec), spec.baseline.name if spec.baseline else None, spec.margin / 100)


def answer_text(store: Store, evaluation_id: str, line: Line) -> str:
    """The text of one answer; of a recorded one, from the results themselves."""
    if line.run_id:
        run = store.run(line.run_id)
        return run.text if run is not None else ""
    return store.recorded_text(evaluation_id, line.case, f"{line.contestant}{SEPARATOR}{line.prompt}", line.repeat)


def percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{value * 100:.1f} %"


def _remote_of(store: Store, evaluation_id: str) -> dict[str, dict[str, Any]]:
    names = (
        "text",
        "remote",
        "prompt_tokens",
        "completion_tokens",
        "duration_s",
        "time_to_first_token_s",
        "decode_tokens_per_s",
        "cost_usd",
        "finish_reason",
        "quantization",
        "gguf_path",
        "started_at",
        "ended_at",
    )
    found = {}
    for values in store.result_runs(evaluation_id, names):
        fields: dict[str, Any] = dict(zip(names, values[1:], strict=True))
        fields["remote"] = bool(fields["remote"])
        fields["file_bytes"] = file_bytes(fields.pop("gguf_path") or "")
        fields["ended_at"] = fields["ended_at"] or ""
        found[str(values[0])] = fields
    return found
