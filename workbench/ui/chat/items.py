"""Stored messages and runs as the transcript shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.core.errors import ErrorInfo
from workbench.core.messages import Message, ReasoningPart, TextPart
from workbench.ui.answers import message_text
from workbench.ui.chat.state import ChatState
from workbench.ui.formats import decimal, exact_money
from workbench.ui.tr import mark, tr, translated_error, trn
from workbench.ui.transcript.items import TranscriptItem

if TYPE_CHECKING:
    from workbench.services.run_buffer import Delta
    from workbench.store.values import RunRow, StoredMessage

FINISH_TEXTS = {
    "stop": "",
    "length": mark("reached the token limit"),
    "cancelled": mark("stopped"),
    "failed": mark("failed"),
}
EMPTY_ANSWER = mark("the model wrote nothing")


def own_text(message: Message) -> str:
    """What was written, without the text of attached files (those are shown as chips)."""
    return "\n\n".join(part.text for part in message.parts if isinstance(part, TextPart) and part.text)


def footer(row: RunRow, *, empty: bool = False) -> str:
    """Tokens, time to first token, speed, cost and how it ended, as far as they are known.

    `empty`: the answer has no text, which would look as if it was still to come.
    """
    parts = []
    if row.completion_tokens is not None:
        parts.append(trn("{count} token", "{count} tokens", row.completion_tokens))
    if row.decode_tokens_per_s:
        parts.append(tr("{speed} tok/s", speed=decimal(row.decode_tokens_per_s)))
    if row.time_to_first_token_s is not None:
        parts.append(tr("{seconds} s to first token", seconds=decimal(row.time_to_first_token_s, 2)))
    if row.cost_usd is not None:
        parts.append(exact_money(row.cost_usd, 4) if row.cost_usd < 1 else exact_money(row.cost_usd))
    if row.status == "interrupted":
        parts.append(tr("interrupted: the program ended while this was being written"))
    elif FINISH_TEXTS.get(row.finish_reason):
        parts.append(tr(FINISH_TEXTS[row.finish_reason]))
    elif empty:
        parts.insert(0, tr(EMPTY_ANSWER))
    return " · ".join(parts)


def item_of(stored: StoredMessage, state: ChatState) -> TranscriptItem:
    view = state.view
    message = stored.message
    row = view.runs.get(stored.id) if view else None
    durations = [part.duration_s for part in message.parts if isinstance(part, ReasoningPart) and part.duration_s]
    running = stored.id in state.active
    error: ErrorInfo | None = view.errors.get(stored.id) if view and not running else None
    is_answer = message.role == "assistant"
    return TranscriptItem(
        key=stored.id,
        role=message.role,
        text=message_text(message),
        title=(row.model_name or state.model_name(row.model)) if is_answer and row else "",
        reasoning=message.reasoning,
        reasoning_s=sum(durations) if durations else None,
        footer=footer(row, empty=not message_text(message).strip()) if is_answer and row and not running else "",
        error=translated_error(error) if error else None,
        attachments=tuple(attachment.name or attachment.media_type for attachment in message.attachments),
        sibling=view.tree.position(stored.id) if view and stored.id in view.tree else (1, 1),
        streaming=running,
    )


def status_text(delta: Delta) -> str:
    """What a run does before its first token."""
    if delta.state == "loading":
        percent = round((delta.load_fraction or 0) * 100)
        return tr("Loading the model, {percent} %", percent=percent)
    if delta.state == "prompt" and delta.progress is not None:
        done = delta.progress.evaluated + delta.progress.cached
        percent = round(100 * done / max(delta.progress.total, 1))
        return tr("Reading the prompt, {percent} %", percent=percent)
    if delta.state == "waiting":
        return tr("Waiting for the model…")
    return ""


def live_footer(delta: Delta) -> str:
    """Speed while the answer is being written."""
    parts = [trn("{count} token", "{count} tokens", delta.pieces)] if delta.pieces else []
    if delta.decode_tokens_per_s and delta.pieces > 3:
        parts.append(tr("{speed} tok/s", speed=decimal(delta.decode_tokens_per_s)))
    return " · ".join(parts)
