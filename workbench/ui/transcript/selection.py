"""What is selected: a stretch of text that may reach over many messages."""

from __future__ import annotations

from typing import NamedTuple

END = 2**31 - 1


class Position(NamedTuple):
    """A place in the text; compares in reading order."""

    row: int
    piece: int
    """Index in the row's pieces."""
    offset: int
    """Position in the piece's document."""


class Selection:
    def __init__(self) -> None:
        self.anchor: Position | None = None
        self.cursor: Position | None = None
        self.origin: tuple[Position, Position] | None = None
        """The word or paragraph a double or triple click began with; it stays selected while dragging."""

    @property
    def is_empty(self) -> bool:
        return self.anchor is None or self.cursor is None or self.anchor == self.cursor

    def clear(self) -> bool:
        """True if something was selected."""
        had = not self.is_empty
        self.anchor = self.cursor = self.origin = None
        return had

    def begin(self, position: Position) -> None:
        self.anchor = self.cursor = position
        self.origin = None

    def begin_with(self, start: Position, end: Position) -> None:
        self.anchor, self.cursor = start, end
        self.origin = (start, end)

    def extend(self, start: Position, end: Position | None = None) -> None:
        """Move the end to `start`, or to whichever side of (start, end) is farther from where it began."""
        end = start if end is None else end
        if self.origin is not None:
            first, last = self.origin
            self.anchor, self.cursor = (last, start) if start < first else (first, max(end, last))
        elif self.anchor is not None:
            self.cursor = start if start < self.anchor else end
        else:
            self.begin(start)

    def ordered(self) -> tuple[Position, Position] | None:
        if self.anchor is None or self.cursor is None or self.anchor == self.cursor:
            return None
        return (self.anchor, self.cursor) if self.anchor < self.cursor else (self.cursor, self.anchor)

    def rows(self) -> range:
        ordered = self.ordered()
        return range(ordered[0].row, ordered[1].row + 1) if ordered else range(0)

    def within(self, row: int, piece: int) -> tuple[int, int] | None:
        """(start, end) in the document of this piece; `end` may lie far behind its end."""
        ordered = self.ordered()
        if ordered is None:
            return None
        first, last = ordered
        if not (first.row, first.piece) <= (row, piece) <= (last.row, last.piece):
            return None
        start = first.offset if (row, piece) == (first.row, first.piece) else 0
        end = last.offset if (row, piece) == (last.row, last.piece) else END
        return (start, end) if end > start else None
