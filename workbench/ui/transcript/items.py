"""What the transcript shows: plain values, handed in by the window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workbench.core.errors import ErrorInfo

ItemRole = Literal["user", "assistant", "system", "tool", "notice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptItem:
    """One message as the transcript shows it. `text` and `reasoning` are markdown."""

    key: str
    role: ItemRole
    text: str = ""
    title: str = ""
    """The header of an answer: usually the model's name. Empty: no header."""
    reasoning: str = ""
    reasoning_s: float | None = None
    """How long the model thought, in seconds; None while unknown."""
    footer: str = ""
    """One line below an answer: tokens, speed, cost, finish reason."""
    error: ErrorInfo | None = None
    attachments: tuple[str, ...] = ()
    """Names of attached files."""
    sibling: tuple[int, int] = (1, 1)
    """(index from 1, count) among the alternatives of this message."""
    streaming: bool = False
    status: str = ""
    """Shown while streaming before the first text: "Reading the prompt, 40 %"."""


@dataclass(frozen=True, slots=True)
class Action:
    """A button of a message's action bar and an entry of its menu; `icon` is a name for the icon provider."""

    id: str
    title: str
    icon: str = ""
    in_bar: bool = True
    """False: in the menu only."""
