"""Where the transcript is scrolled to: following the end, and holding still what is read while heights change."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot

from workbench.ui.transcript.board import Anchor

if TYPE_CHECKING:
    from workbench.ui.transcript.view import TranscriptView

NEAR_END_PX = 4
SETTLE_ROUNDS = 4


class Scroller(QObject):
    def __init__(self, view: TranscriptView) -> None:
        super().__init__(view)
        self._view = view
        self._following = True
        self._adjusting = False
        self._begins_at = ""
        """Key of the message to show once the view is seen: until then it has no size, and heights are guesses."""
        view.verticalScrollBar().valueChanged.connect(self._on_scrolled)

    @property
    def following(self) -> bool:
        """Whether the view stays at the end while text arrives."""
        return self._following

    def to_end(self) -> None:
        self.set_following(True)
        self.update_range()
        self._view.viewport().update()

    def show_message(self, key: str) -> None:
        """Bring the message's beginning into view. KeyError if unknown."""
        index = self._view.board.stack.index(key)
        if self._view.isVisible():
            self.show_row(index, 0.0)
        else:
            self.set_following(False)
            self._begins_at = key

    def first_seen(self) -> None:
        """The view has come to be seen."""
        key, self._begins_at = self._begins_at, ""
        if self._view.board.stack.find(key) is not None:
            self.show_message(key)

    def show_row(self, index: int, y: float, *, margin: float = 12.0) -> None:
        """Scroll so that `y` (in the row's coordinates) is at the top, with `margin` pixels above it."""
        for _ in range(SETTLE_ROUNDS):
            self.set_value(self._view.board.stack.tops[index] + y - margin, following=False)
            before = self._view.board.stack.tops[index]
            if not self._view.board.measure(self.top, self._view.viewport().height()):
                break
            self.update_range()
            if before == self._view.board.stack.tops[index]:
                break
        self.set_value(self._view.board.stack.tops[index] + y - margin, following=False)
        bar = self._view.verticalScrollBar()
        self.set_following(bar.value() >= bar.maximum() - NEAR_END_PX)
        self._view.viewport().update()

    def ensure_visible(self, index: int, top: float, bottom: float) -> None:
        """Scroll as little as needed to show from `top` to `bottom` of a row."""
        height = self._view.viewport().height()
        y = self._view.board.stack.tops[index]
        if y + top < self.top or bottom - top > height - 24:
            self.show_row(index, top)
        elif y + bottom > self.top + height:
            self.show_row(index, bottom - height, margin=-12.0)

    def by(self, pixels: int) -> None:
        bar = self._view.verticalScrollBar()
        bar.setValue(bar.value() + pixels)

    @property
    def top(self) -> int:
        return self._view.verticalScrollBar().value()

    def set_value(self, top: float, *, following: bool) -> None:
        self._adjusting = True
        self._view.verticalScrollBar().setValue(math.floor(top + 0.5))
        self._adjusting = False
        if not following:
            self.set_following(False)

    def update_range(self) -> None:
        bar = self._view.verticalScrollBar()
        height = self._view.viewport().height()
        self._adjusting = True
        bar.setRange(0, max(0, math.ceil(self._view.board.stack.total(self._view.board.metrics)) - height))
        bar.setPageStep(height)
        if self._following and not self._view.mouse.selecting:
            bar.setValue(bar.maximum())
        self._adjusting = False
        self.place_jump()

    def settle(self) -> None:
        """Measure what is in view, keeping what the user looks at where it is."""
        height = self._view.viewport().height()
        for _ in range(SETTLE_ROUNDS):
            anchor = self._view.board.anchor(self.top, height)
            if not self._view.board.measure(self.top, height):
                return
            self.settle_with(anchor)

    def settle_with(self, anchor: Anchor | None) -> None:
        self.update_range()
        if anchor is not None and not self._following:
            self.set_value(self._view.board.anchored_top(anchor), following=True)

    def remeasure(self, index: int) -> None:
        """One row has changed: measure it if it is in view, and restack."""
        self._view.board.stack.rows[index].exact = False
        height = self._view.viewport().height()
        anchor = self._view.board.anchor(self.top, height)
        top = self._view.board.stack.tops[index]
        if top < self.top + height and top + self._view.board.stack.rows[index].height > self.top:
            self._view.board.measure_row(index, self.top - top, self.top - top + height)
        elif self._view.board.stack.rows[index].pieces:
            self._view.board.stack.rows[index].arrange(self._view.board.metrics, self._view.board.width)
        self._view.board.stack.restack(self._view.board.metrics, index)
        self.settle_with(anchor)
        self._view.viewport().update()

    def set_following(self, following: bool) -> None:
        self._begins_at = "" if following else self._begins_at
        if following != self._following:
            self._following = following
            self._view.following_changed.emit(following)
        self.place_jump()

    @Slot(int)
    def _on_scrolled(self, value: int) -> None:
        if not self._adjusting:
            self.set_following(value >= self._view.verticalScrollBar().maximum() - NEAR_END_PX)
        self._view.mouse.refresh_hover()

    def place_jump(self) -> None:
        bar = self._view.verticalScrollBar()
        self._view.jump.place(
            self._view.viewport().geometry(), shown=not self._following and bar.maximum() - bar.value() > 40
        )
