"""What the store gives and takes, besides core's messages and run records."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from workbench.core.messages import Message

SessionKind = Literal["chat", "comparison", "evaluation"]


class Session(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    kind: SessionKind = "chat"
    title: str = ""
    folder: str = ""
    pinned: bool = False
    leaf_id: str | None = None
    """Last message of the branch the user looks at."""
    options: dict[str, Any] = {}
    draft: str = ""
    """Text in the composer that was not sent yet."""
    created_at: str = ""
    updated_at: str = ""
    """When the last message came; renaming or moving a session does not change it."""
    deleted_at: str | None = None


class StoredMessage(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    session_id: str
    parent_id: str | None
    message: Message
    """Attachments come without their bytes; `Store.attachment` has them."""
    created_at: str
    run_id: str | None = None
    """The newest run that wrote to this message."""


class SearchHit(msgspec.Struct, frozen=True, kw_only=True):
    session_id: str
    message_id: str
    title: str
    snippet: str
    """Part of the text around the first match; matches stand between U+E000 and U+E001."""
    role: str
    created_at: str


HIT_START, HIT_END = "\ue000", "\ue001"
"""Private characters around each match in a snippet: they can't be confused with markup in the text."""


RunSort = Literal[
    "started_at",
    "model",
    "status",
    "prompt_tokens",
    "completion_tokens",
    "cost_usd",
    "duration_s",
    "time_to_first_token_s",
    "decode_tokens_per_s",
]


class RunFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs; every field that is set must hold. Runs of deleted sessions and messages are left out."""

    session_id: str | None = None
    comparison_id: str | None = None
    models: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    remote: bool | None = None
    since: str | None = None
    """Started at or after, ISO 8601."""
    until: str | None = None
    """Started before, ISO 8601."""
    text: str = ""
    """Words in the prompt or the answer, found among the newest 5,000 messages that have them."""
    voted: bool | None = None
    """Has a rating, or belongs to a comparison with a vote."""


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the History table: a run without its long texts."""

    id: str
    session_id: str | None
    message_id: str | None
    comparison_id: str | None
    session_title: str
    model: str
    model_name: str
    provider: str
    remote: bool
    status: str
    finish_reason: str
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_usd: float | None
    duration_s: float | None
    time_to_first_token_s: float | None
    decode_tokens_per_s: float | None
    started_at: str
    preview: str
    """The answer's first 200 characters."""
    vote: str | None
    """won, lost, tie or both_bad by the newest vote on its comparison; None without one."""
    rating: int | None
    hidden: bool = False
    """Belongs to a blind comparison that is neither voted on nor revealed: who wrote it is not to be told."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Runs that share a prompt."""

    id: str = ""
    session_id: str | None = None
    message_id: str | None = None
    """The user's message that all of them answer."""
    columns: list[dict[str, Any]] = []
    """What each column was asked with: model, label, options."""
    blind: bool = False
    created_at: str = ""


class Vote(msgspec.Struct, frozen=True, kw_only=True):
    """A judgement of one comparison."""

    comparison_id: str
    verdict: Literal["better", "tie", "both_bad"]
    winner_run_id: str | None = None
    """Set exactly when the verdict is `better`."""
    run_ids: tuple[str, ...] = ()
    """The runs that were looked at, in the order in which they were shown."""
    reason: str = ""
    blind: bool = False
    id: str = ""
    created_at: str = ""


class Rating(msgspec.Struct, frozen=True, kw_only=True):
    """A judgement of one answer on its own. A later one replaces it."""

    run_id: str
    rating: int
    """-1 bad, 1 good; other scales as the rater chooses."""
    reason: str = ""
    created_at: str = ""


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    kind: str
    """`chat` for options of one model, `columns` for a comparison's columns."""
    options: dict[str, Any] = {}
    updated_at: str = ""


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """A model file this program has seen."""

    id: str
    """As `-m` takes it."""
    path: str = ""
    name: str = ""
    sha256: str = ""
    architecture: str = ""
    quantization: str = ""
    parameters: int | None = None
    size_bytes: int | None = None
    context_length: int | None = None
    repo: str = ""
    revision: str = ""
    filename: str = ""
    """Name of the file in the repository."""
    modified_ns: int | None = None
    """Modification time of the file when `sha256` was taken."""
    measured: dict[str, Any] = {}
    """What this machine measured: memory, speed."""
    last_used_at: str | None = None
    added_at: str = ""


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt that left this machine."""

    run_id: str
    session_id: str | None
    provider: str
    model: str
    started_at: str
    prompt_tokens: int | None
    cost_usd: float | None
    status: str
    session_title: str = ""


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes on disk, and rows."""

    database: int
    log: int
    """The write-ahead log next to the database."""
    free: int
    """Bytes inside the database that `vacuum` would give back."""
    attachments: int
    sessions: int
    messages: int
    runs: int
