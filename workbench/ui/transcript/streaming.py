"""Streaming into the transcript: what was fed is shown at the next flush, and only that is painted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.ui.transcript import accessible
from workbench.ui.transcript.items import TranscriptItem

if TYPE_CHECKING:
    from workbench.ui.transcript.view import TranscriptView

LAST_ROWS = 16
"""How far from the end a streaming message is looked for."""


class Streaming:
    def __init__(self, view: TranscriptView) -> None:
        self._view = view
        self.phase = 0.0
        """0 to 1, for the dots of a message that is awaited."""

    def begin(self, key: str) -> None:
        """The message will get text by `feed`. KeyError if unknown."""
        row = self._view.board.stack.rows[self._view.board.stack.index(key)]
        row.load()
        row.item = replace(row.item, streaming=True)
        self._view.scroller.remeasure(self._view.board.stack.index(key))

    def set_status(self, key: str, status: str) -> None:
        """What is shown while there is no text yet, "Reading the prompt, 40 %"; empty: dots only."""
        index = self._view.board.stack.index(key)
        row = self._view.board.stack.rows[index]
        if row.item.status != status:
            row.item = replace(row.item, status=status)
            self._view.scroller.remeasure(index)

    def feed(self, key: str, text: str = "", reasoning: str = "") -> None:
        """Add streamed text; cheap, it is shown at the next `flush`."""
        row = self._view.board.stack.rows[self._view.board.stack.index(key)]
        if reasoning:
            row.feed("reasoning", reasoning, self._view.board.documents)
            row.dirty = True
        if text:
            row.feed("body", text, self._view.board.documents)
            row.dirty = True

    def flush(self) -> None:
        """Show what was fed. Call about 30 times a second, from the window's shared timer, also when nothing came."""
        for index in range(len(self._view.board.stack.rows) - 1, -1, -1):
            row = self._view.board.stack.rows[index]
            if not row.item.streaming:
                if len(self._view.board.stack.rows) - index > LAST_ROWS:
                    break
                continue
            if row.dirty:
                row.dirty = False
                self._flush_row(index)
            elif not row.places.status.isEmpty():
                self.phase = (self.phase + 1 / 40) % 1.0
                self._view.update_rect(index, row.places.status)

    def end(self, key: str, item: TranscriptItem) -> None:
        """The message is complete; `item` is its last state. Texts equal to what was fed keep their documents."""
        index = self._view.board.stack.index(key)
        row = self._view.board.stack.rows[index]
        row.end_stream(self._view.board.documents)
        row.dirty = False
        row.replace(replace(item, key=key, streaming=False, status=""), self._view.board.documents)
        self._view.scroller.remeasure(index)
        accessible.announce(self._view, accessible.finished_text(row.item))

    def _flush_row(self, index: int) -> None:
        row = self._view.board.stack.rows[index]
        top = self._view.board.stack.tops[index] - self._view.scroller.top
        changed = row.height
        for piece in row.shown_pieces():
            if piece.exact and not self._view.board.documents.is_live(piece):
                continue
            rendering = self._view.board.documents.cached(piece)
            if rendering is None:
                changed = min(changed, piece.y)
                piece.exact = False
                continue
            position = rendering.markdown.flush()
            if position is None and piece.exact:
                continue
            document = rendering.markdown.document
            block = document.findBlock(position or 0)
            offset = document.documentLayout().blockBoundingRect(block).top() if position else 0.0
            changed = min(changed, piece.y + offset)
            piece.exact = False
        row.exact = False
        height = row.height
        status_shown = not row.places.status.isEmpty()
        self._view.board.measure_row(index, -top, -top + self._view.viewport().height())
        if status_shown != (not row.places.status.isEmpty()):
            changed = 0.0
        if abs(row.height - height) > 0.5:
            self._view.board.stack.restack(self._view.board.metrics, index)
            self._view.scroller.update_range()
        y = int(self._view.board.stack.tops[index] - self._view.scroller.top + changed) - self._view.board.metrics.px(
            40
        )
        if y < self._view.viewport().height():
            self._view.viewport().update(0, max(0, y), self._view.viewport().width(), self._view.viewport().height())
