"""One graded answer of an evaluation, as analysis and report need it."""

from __future__ import annotations

from typing import Any

import msgspec

from workbench.hookspecs import Grade

SEPARATOR = "\x1f"
"""Between contestant and prompt in a result's variant."""
HUMAN = "human"
"""The grader's name of the user's own judgements. Where it is not the evaluation's grader they calibrate the others
and are in no score."""

Place = tuple[str, str, str, int]
"""Case, contestant, prompt, repeat."""


class GradeRecord(msgspec.Struct, frozen=True, kw_only=True):
    grader: str
    score: float
    weight: float = 1.0
    reason: str = ""
    details: dict[str, Any] = {}

    @classmethod
    def of(cls, grader: str, weight: float, grade: Grade) -> GradeRecord:
        return cls(grader=grader, score=grade.score, weight=weight, reason=grade.reason, details=grade.details)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What one contestant said to one case. `error` set: it is no answer and has no score."""

    contestant: str
    prompt: str
    case_id: str
    repeat: int = 0
    run_id: str = ""
    model: str = ""
    text: str = ""
    error: str = ""
    grades: tuple[GradeRecord, ...] = ()
    cluster: str | None = None
    weight: float = 1.0
    tags: tuple[str, ...] = ()
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    duration_s: float | None = None
    time_to_first_token_s: float | None = None
    decode_tokens_per_s: float | None = None
    cost_usd: float | None = None
    """None: unknown, or free of an API's price when `remote` is False."""
    remote: bool = False
    reused: bool = False
    """Answered from the log instead of asking again."""
    recorded: bool = False
    """Comes from a file of frozen answers."""
    finish_reason: str = ""
    quantization: str = ""
    file_bytes: int | None = None
    """Size of a local model's file."""
    started_at: str = ""
    ended_at: str = ""

    @property
    def score(self) -> float | None:
        """Weighted mean of the grades, 0 to 1; None where there is no answer or no grade."""
        if self.error or not self.grades:
            return None
        return sum(g.score * g.weight for g in self.grades) / sum(g.weight for g in self.grades)

    @property
    def place(self) -> Place:
        return self.case_id, self.contestant, self.prompt, self.repeat

    @property
    def arm(self) -> tuple[str, str]:
        """What is compared: a contestant under one prompt."""
        return self.contestant, self.prompt
