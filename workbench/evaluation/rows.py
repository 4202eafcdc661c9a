"""Between answers and the rows that keep them."""

from __future__ import annotations

from typing import Any

import msgspec

from workbench.core.runs import RunRecord
from workbench.evaluation.answers import SEPARATOR, Answer, GradeRecord
from workbench.evaluation.busy import file_bytes
from workbench.evaluation.cases import TestCase
from workbench.evaluation.spec import ModelSpec, PromptSpec
from workbench.store import EvaluationRow, ResultRow, case_row_id


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One answer that is wanted."""

    contestant: ModelSpec
    prompt: PromptSpec
    case: TestCase
    repeat: int

    @property
    def variant(self) -> str:
        return f"{self.contestant.name}{SEPARATOR}{self.prompt.name}"


def case_row(evaluation: EvaluationRow, case_id: str) -> str:
    return case_row_id(evaluation.test_set_id or "", case_id)


def answer_row(
    evaluation: EvaluationRow,
    task: Task,
    run_id: str | None,
    digest: str,
    *,
    grade: GradeRecord | None = None,
    reused: bool = False,
    answer: Answer | None = None,
) -> ResultRow:
    """The place of an answer that is asked for, of a finished `answer`, or of one grade of it."""
    details: dict[str, Any] = {"reused": True} if reused else {}
    status, score, reason = "pending", None, ""
    if grade is not None:
        status, score, reason, details = "graded", grade.score, grade.reason, grade.details
        if grade.weight != 1:
            details = {**details, "weight": grade.weight}
    elif answer is not None:
        status, score, reason = "error" if answer.error else "answered", answer.score, reason_of(answer)
    return ResultRow(
        evaluation_id=evaluation.id,
        test_case_id=case_row(evaluation, task.case.id),
        model=task.contestant.model,
        variant=task.variant,
        repeat=task.repeat,
        grader=grade.grader if grade else "",
        run_id=run_id,
        score=score,
        status=status,
        request_sha256=digest,
        reason=reason,
        error=(answer.error or None) if answer else None,
        details=details,
    )


def recorded_row(evaluation: EvaluationRow, answer: Answer) -> ResultRow:
    """Recorded answers stand with the results, so that an evaluation can be read without their file."""
    return ResultRow(
        evaluation_id=evaluation.id,
        test_case_id=case_row(evaluation, answer.case_id),
        model=answer.model,
        variant=f"{answer.contestant}{SEPARATOR}{answer.prompt}",
        repeat=answer.repeat,
        score=answer.score,
        status="error" if answer.error else "answered",
        reason=reason_of(answer),
        error=answer.error or None,
        details={"recorded": msgspec.to_builtins(answer)},
    )


def pair_rows(rows: list[ResultRow], answer: Answer) -> list[ResultRow]:
    """The answer's row of `rows` once more, with the score of its comparison, and the grade."""
    first = next((row for row in rows if not row.grader), None)
    if first is None:
        return []
    status = "error" if answer.error else "answered"
    changed = msgspec.structs.replace(
        first, score=answer.score, status=status, reason=reason_of(answer), error=answer.error or None
    )
    if "recorded" in first.details:
        changed = msgspec.structs.replace(changed, details={"recorded": msgspec.to_builtins(answer)})
    grades = [
        msgspec.structs.replace(
            first, id="", grader=g.grader, score=g.score, reason=g.reason, details=g.details, request_sha256=""
        )
        for g in answer.grades
    ]
    return [changed, *grades]


def failed_answer(task: Task, error: str) -> Answer:
    return Answer(
        contestant=task.contestant.name,
        prompt=task.prompt.name,
        case_id=task.case.id,
        repeat=task.repeat,
        model=task.contestant.model,
        error=error,
        cluster=task.case.cluster,
    )


def answer_of(task: Task, run: RunRecord, *, reused: bool) -> Answer:
    """An ungraded answer from a finished run; a run that did not finish is an error."""
    error = ""
    if run.status != "done":
        error = str(run.error) if run.error else f"The run was {run.status}."
    return Answer(
        contestant=task.contestant.name,
        prompt=task.prompt.name,
        case_id=task.case.id,
        repeat=task.repeat,
        run_id=run.id,
        model=run.model,
        text=run.text,
        error=error,
        cluster=task.case.cluster,
        weight=task.case.weight,
        tags=task.case.tags,
        prompt_tokens=run.prompt_tokens,
        completion_tokens=run.completion_tokens,
        duration_s=run.duration_s,
        time_to_first_token_s=run.time_to_first_token_s,
        decode_tokens_per_s=run.decode_tokens_per_s,
        cost_usd=run.cost_usd,
        remote=run.remote,
        reused=reused,
        finish_reason=run.finish_reason,
        quantization=run.quantization,
        file_bytes=file_bytes(run.gguf_path),
        started_at=run.started_at,
        ended_at=run.ended_at or "",
    )


def reason_of(answer: Answer) -> str:
    """What the graders said, in one line."""
    return "; ".join(grade.reason for grade in answer.grades if grade.reason)
