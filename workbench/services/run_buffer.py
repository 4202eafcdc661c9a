"""Where a run's thread puts what the model says, and whoever shows it takes what is new."""

from __future__ import annotations

import threading
from typing import Literal

import msgspec

from workbench.core.events import Finished, PromptProgress, Usage

RunState = Literal["waiting", "loading", "prompt", "reasoning", "answering", "finished"]


class Cursor(msgspec.Struct, frozen=True):
    """How far a reader has come. `Cursor()` is the beginning."""

    version: int = 0
    text: int = 0
    reasoning: int = 0
    notices: int = 0


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """What came since the cursor. States and counts are the current ones."""

    cursor: Cursor
    changed: bool = True
    """False: nothing is new, and the other fields hold their defaults."""
    text: str = ""
    reasoning: str = ""
    notices: tuple[str, ...] = ()
    state: RunState = "waiting"
    load_fraction: float | None = None
    progress: PromptProgress | None = None
    usage: Usage | None = None
    pieces: int = 0
    """Pieces of text and reasoning so far: one for each token with most models."""
    decode_tokens_per_s: float | None = None
    """Pieces a second since the first one, until the run's record has the measured speed."""
    time_to_first_token_s: float | None = None
    finished: Finished | None = None


class RunBuffer:
    """Written by the run's thread, read by any number of readers, each with its own cursor.

    Chunks are kept in lists and joined only for what a reader has not seen, so reading costs as much as there is new.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._version = 0
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._notices: list[str] = []
        self._state: RunState = "waiting"
        self._load_fraction: float | None = None
        self._progress: PromptProgress | None = None
        self._usage: Usage | None = None
        self._first_s: float | None = None
        self._first_at = 0.0
        self._last_at = 0.0
        self._finished: Finished | None = None

    # --- the run's thread -------------------------------------------------------------------------------------
    def add_text(self, text: str, at: float) -> None:
        """`at`: monotonic seconds."""
        with self._lock:
            self._text.append(text)
            self._state = "answering"
            self._came(at)

    def add_reasoning(self, text: str, at: float) -> None:
        with self._lock:
            self._reasoning.append(text)
            self._state = "reasoning"
            self._came(at)

    def add_notice(self, message: str) -> None:
        with self._lock:
            self._notices.append(message)
            self._version += 1

    def set_first_token(self, seconds: float) -> None:
        with self._lock:
            self._first_s = seconds
            self._version += 1

    def set_loading(self, fraction: float) -> None:
        with self._lock:
            self._load_fraction, self._state = fraction, "loading"
            self._version += 1

    def set_progress(self, progress: PromptProgress) -> None:
        with self._lock:
            self._progress, self._state = progress, "prompt"
            self._version += 1

    def set_usage(self, usage: Usage) -> None:
        with self._lock:
            self._usage = usage
            self._version += 1

    def finish(self, finished: Finished) -> None:
        with self._lock:
            self._finished, self._state = finished, "finished"
            self._version += 1

    def _came(self, at: float) -> None:
        if not self._first_at:
            self._first_at = at
        self._last_at = at
        self._version += 1

    # --- readers ----------------------------------------------------------------------------------------------
    def read(self, cursor: Cursor) -> Delta:
        """What is new since `cursor`. Costs next to nothing when nothing is."""
        if cursor.version == self._version:  # reading one integer needs no lock
            return Delta(cursor=cursor, changed=False)
        with self._lock:
            at = Cursor(self._version, len(self._text), len(self._reasoning), len(self._notices))
            text, reasoning = self._text[cursor.text :], self._reasoning[cursor.reasoning :]
            return Delta(
                cursor=at,
                text="".join(text),
                reasoning="".join(reasoning),
                notices=tuple(self._notices[cursor.notices :]),
                state=self._state,
                load_fraction=self._load_fraction,
                progress=self._progress,
                usage=self._usage,
                pieces=at.text + at.reasoning,
                decode_tokens_per_s=self._speed(at.text + at.reasoning),
                time_to_first_token_s=self._first_s,
                finished=self._finished,
            )

    def _speed(self, pieces: int) -> float | None:
        elapsed = self._last_at - self._first_at
        return (pieces - 1) / elapsed if pieces > 1 and elapsed > 0 else None

    @property
    def text(self) -> str:
        """All of the answer so far."""
        with self._lock:
            chunks = list(self._text)
        return "".join(chunks)

    @property
    def reasoning(self) -> str:
        with self._lock:
            chunks = list(self._reasoning)
        return "".join(chunks)

    @property
    def counts(self) -> tuple[PromptProgress | None, int]:
        """How far the prompt was read, and the pieces of text and reasoning so far."""
        with self._lock:
            return self._progress, len(self._text) + len(self._reasoning)

    @property
    def finished(self) -> Finished | None:
        return self._finished
