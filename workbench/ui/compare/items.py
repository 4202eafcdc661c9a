"""A column's turns as its transcript shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workbench.core.errors import ErrorInfo
from workbench.ui.chat.items import EMPTY_ANSWER, FINISH_TEXTS, own_text
from workbench.ui.compare.header import cost_text, first_token_text, speed_text, tokens_text
from workbench.ui.compare.turns import Answer, Cell, Turn
from workbench.ui.tr import mark, tr, translated_error
from workbench.ui.transcript.items import Action, TranscriptItem

if TYPE_CHECKING:
    from workbench.services.run_buffer import Delta

HIDDEN_ERROR = ErrorInfo(
    kind="hidden",
    message=mark("There is no complete answer here."),
    hint=mark("What went wrong is shown after the vote."),
)


def prompt_key(turn_id: str) -> str:
    return f"prompt-{turn_id}"


def footer(answer: Answer) -> str:
    """Numbers of an earlier answer; those of the last one stand in the column's head."""
    record = answer.record
    parts = [
        tokens_text(record.completion_tokens),
        speed_text(record.decode_tokens_per_s),
        first_token_text(record.time_to_first_token_s),
        cost_text(record),
    ]
    return " · ".join(part for part in [*parts, how_it_ended(answer)] if part)


def how_it_ended(answer: Answer) -> str:
    record = answer.record
    if record.status == "interrupted":
        return tr("interrupted: the program ended while this was being written")
    if FINISH_TEXTS.get(record.finish_reason):
        return tr(FINISH_TEXTS[record.finish_reason])
    return tr(EMPTY_ANSWER) if answer.done and not answer.text.strip() and record.error is None else ""


def items_of(turns: Sequence[Turn], key: str, *, hidden: bool) -> list[TranscriptItem]:
    items: list[TranscriptItem] = []
    for turn in turns:
        cell = turn.cells.get(key)
        if cell is None:
            continue
        prompt = turn.prompt
        names = tuple(attachment.name or attachment.media_type for attachment in prompt.attachments)
        items.append(TranscriptItem(key=prompt_key(turn.id), role="user", text=own_text(prompt), attachments=names))
        answer = cell.answer
        if answer is not None:
            items.append(item_of(turn, cell, answer, hidden=hidden, last=turn is turns[-1]))
    return items


def item_of(turn: Turn, cell: Cell, answer: Answer, *, hidden: bool, last: bool) -> TranscriptItem:
    record = answer.record
    if hidden:
        if not turn.done:
            return TranscriptItem(key=record.id, role="assistant", streaming=True, status=waiting_text(turn))
        error = translated_error(HIDDEN_ERROR) if record.error is not None or not answer.text.strip() else None
        alike = len({len(other.answers) for other in turn.cells.values()}) == 1  # else the count would tell who it is
        place = (cell.shown + 1, len(cell.answers)) if alike else (1, 1)
        return TranscriptItem(key=record.id, role="assistant", text=answer.text, error=error, sibling=place)
    streaming = not answer.done
    return TranscriptItem(
        key=record.id,
        role="assistant",
        text="" if streaming else answer.text,
        reasoning="" if streaming else record.reasoning,
        reasoning_s=None if streaming else record.reasoning_s,
        footer="" if streaming else how_it_ended(answer) if last else footer(answer),
        error=translated_error(record.error) if record.error and not streaming else None,
        sibling=(cell.shown + 1, len(cell.answers)),
        streaming=streaming,
    )


def waiting_text(turn: Turn) -> str:
    """While names are hidden, nobody may see who is faster: all answers appear together."""
    cells = list(turn.cells.values())
    finished = sum(cell.done for cell in cells)
    return tr("Answers appear together · {done} of {count} finished", done=finished, count=len(cells))


def status_text(delta: Delta, waits_for: Sequence[str], notice: str = "") -> str:
    """What a column does before its first token; `waits_for` are the titles of columns that must end first, `notice`
    what the model's provider told last, such as when it will be tried again."""
    if delta.state == "loading":
        return tr("Loading the model, {percent} %", percent=round((delta.load_fraction or 0) * 100))
    if delta.state == "prompt" and delta.progress is not None:
        done = delta.progress.evaluated + delta.progress.cached
        return tr("Reading the prompt, {percent} %", percent=round(100 * done / max(delta.progress.total, 1)))
    if delta.state == "waiting":
        if waits_for:
            return tr("Waits for {names}", names=", ".join(waits_for))
        return notice or tr("Waiting for the model…")
    return ""


def answer_actions(*, hidden: bool) -> list[Action]:
    copy = Action("copy", tr("Copy"), "copy")
    if hidden:
        return [copy]
    return [
        copy,
        Action("retry", tr("Ask this column again"), "rotate-ccw"),
        Action("fork", tr("Continue in a chat"), "git-branch"),
        Action("good", tr("Rate as good"), "thumbs-up", in_bar=False),
        Action("bad", tr("Rate as bad"), "thumbs-down", in_bar=False),
        Action("rendered_prompt", tr("Show the rendered prompt"), "file-code", in_bar=False),
        Action("run_record", tr("Show the run record"), "scroll-text", in_bar=False),
    ]


def prompt_actions() -> list[Action]:
    return [Action("copy", tr("Copy"), "copy"), Action("reuse", tr("Put into the composer"), "pencil")]
