"""Answers frozen in a file: a baseline that outlives the service it came from."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from workbench.core.errors import BadInput
from workbench.core.paths import bundled
from workbench.evaluation.answers import Answer
from workbench.evaluation.spec import EvalSpec, ModelSpec

PROMPT = "recorded"
"""The prompt's name where the file names none."""
EXAMPLES = "bundled:examples"
"""Stands for the folder of the bundled examples, which lies elsewhere after an upgrade and in another copy of the
program (an AppImage's: at each start)."""


class RecordedAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the file."""

    case: str
    text: str
    prompt: str = PROMPT
    repeat: int = 0
    model: str = ""
    recorded_at: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    duration_s: float | None = None
    time_to_first_token_s: float | None = None
    cost_usd: float | None = None
    finish_reason: str = ""


def examples() -> Path:
    return bundled("resources") / "examples"


def folder_name(folder: Path) -> str:
    """As it is kept, so that it is found again."""
    return EXAMPLES if folder == examples() else str(folder)


def _path_of(recorded: str, folder: Path) -> Path:
    """The file that a contestant of an evaluation in `folder` names."""
    bundled_name = recorded.removeprefix(f"{EXAMPLES}/")
    return folder / recorded if bundled_name == recorded else examples() / bundled_name


def name_anywhere(recorded: str, folder: Path) -> str:
    """What names the same file for an evaluation that lies in another folder."""
    path = _path_of(recorded, folder)
    if path.is_relative_to(examples()):
        return f"{EXAMPLES}/{path.relative_to(examples()).as_posix()}"
    return str(path)


def read_recorded(contestant: ModelSpec, folder: Path, spec: EvalSpec) -> list[Answer]:
    """The file's answers to the selected cases. Raises BadInput with the row that is wrong."""
    path = _path_of(contestant.recorded, folder)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as failure:
        error = getattr(failure, "strerror", None) or failure  # an OSError's text names the path once more
        raise BadInput(f"The recorded answers {path} can't be read: {error}.") from None
    cases = {case.id: case for case in spec.selected_cases()}
    answers = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            item = msgspec.json.decode(line.encode(), type=RecordedAnswer)
        except msgspec.MsgspecError as error:
            raise BadInput(f"{path.name}, row {number}: {error}.") from None
        case = cases.get(item.case)
        if case is not None:
            fields: dict[str, Any] = {
                name: getattr(item, name)
                for name in ("text", "prompt", "repeat", "model", "prompt_tokens", "completion_tokens", "duration_s")
            }
            answers.append(
                Answer(
                    contestant=contestant.name,
                    case_id=case.id,
                    cluster=case.cluster,
                    weight=case.weight,
                    tags=case.tags,
                    time_to_first_token_s=item.time_to_first_token_s,
                    cost_usd=item.cost_usd,
                    finish_reason=item.finish_reason,
                    remote=True,
                    recorded=True,
                    **fields,
                )
            )
    if not answers:
        raise BadInput(f"{path.name} has no answer to any case of this evaluation.")
    return answers


def freeze(answers: Iterable[Answer], recorded_at: str) -> str:
    """A contestant's answers as the text of such a file."""
    lines = []
    for answer in answers:
        if answer.error:
            continue
        names = (
            "text",
            "prompt",
            "repeat",
            "model",
            "prompt_tokens",
            "completion_tokens",
            "duration_s",
            "time_to_first_token_s",
            "cost_usd",
            "finish_reason",
        )
        fields = {name: getattr(answer, name) for name in names}
        item = RecordedAnswer(case=answer.case_id, recorded_at=recorded_at, **fields)
        lines.append(json.dumps(msgspec.to_builtins(item), ensure_ascii=False))
    return "\n".join(lines) + "\n"
