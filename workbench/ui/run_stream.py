"""One running answer and how far a transcript shows it: for the chat and for the columns of a comparison."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.services.run_buffer import Cursor, Delta
    from workbench.services.runner import Run
    from workbench.ui.transcript import TranscriptView


class RunStream:
    """`read` moves what is new from the run's buffer into the transcript, about 30 times a second."""

    def __init__(self, key: str, run: Run) -> None:
        """`key` is the message's in the transcript, which has begun to stream."""
        self.key, self.run = key, run
        self.status = ""
        """What the transcript says while there is no text yet."""
        self.ended = False
        """The run was done before the last `read`, which therefore read all of it."""
        module = importlib.import_module("workbench.services.run_buffer")
        self._cursor: Cursor = module.Cursor()
        self.latest: Delta = module.Delta(cursor=self._cursor, changed=False)
        """The last that brought something new; until then the state of a run that waits."""

    def read(self, view: TranscriptView) -> Delta | None:
        """Feed new text to the view, to be shown at its next `flush`. None where there is nothing new."""
        self.ended = self.run.done
        delta: Delta = self.run.buffer.read(self._cursor)
        if not delta.changed:
            return None
        self._cursor = delta.cursor
        self.latest = delta
        if delta.text or delta.reasoning:
            view.feed(self.key, text=delta.text, reasoning=delta.reasoning)
        return delta

    def show_status(self, view: TranscriptView, status: str) -> None:
        if status != self.status:
            self.status = status
            view.set_status(self.key, status)
