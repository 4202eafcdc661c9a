"""The transcript without its widget: rows, documents, measuring, hit testing, selected text."""

from __future__ import annotations

from typing import NamedTuple

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QTextCursor

from workbench.ui.markdown.extract import text_between
from workbench.ui.markdown.formulas import MathRenderer
from workbench.ui.markdown.style import MarkdownStyle
from workbench.ui.transcript.metrics import Metrics
from workbench.ui.transcript.pieces import Documents, Piece, Rendering
from workbench.ui.transcript.row import Row
from workbench.ui.transcript.selection import END, Position, Selection
from workbench.ui.transcript.stack import Stack

MAX_COPY_RENDERED = 400_000
"""Up to this many characters are copied as they read; from beyond it unseen messages give their markdown source."""


class Anchor(NamedTuple):
    """A row, or a piece of it, and where on the screen its top is: what must not jump."""

    row: int
    piece: int | None
    screen_y: float


class Board:
    """Content coordinates: x from the left of the text column, y from the top of the transcript."""

    def __init__(self, metrics: Metrics, math: MathRenderer) -> None:
        self.metrics = metrics
        self.documents = Documents(math)
        self.stack = Stack()
        self.selection = Selection()
        self.left = 0.0
        self.width = 600.0

    def style(self, piece: Piece) -> MarkdownStyle:
        return self.metrics.reasoning if piece.muted else self.metrics.body

    def set_metrics(self, metrics: Metrics) -> None:
        old, self.metrics = self.metrics, metrics
        self.documents.clear()
        if (old.scale, old.families) != (metrics.scale, metrics.families):  # colours alone move nothing
            self.invalidate()

    def set_viewport_width(self, viewport_width: int) -> bool:
        """True if the column has another width now, and everything must be measured again."""
        self.left, width = self.metrics.column(viewport_width)
        if width == self.width:
            return False
        self.width = width
        self.invalidate()
        return True

    def invalidate(self) -> None:
        for row in self.stack.rows:
            known = row.exact
            row.invalidate()
            if known and row.pieces:
                row.arrange(self.metrics, self.width)
            else:
                row.estimate(self.metrics, self.width)
        self.stack.restack(self.metrics)

    # Measuring

    def anchor(self, top: float, height: float) -> Anchor | None:
        """What should stay where it is while heights change: the first thing in view whose height is known."""
        visible = self.stack.visible(top, top + height)
        if not visible:
            return None
        for index in visible:
            row, row_top = self.stack.rows[index], self.stack.tops[index]
            if row.exact:
                if row_top + row.height > top:
                    return Anchor(index, None, row_top - top)
                continue
            for number, piece in enumerate(row.pieces):
                if piece.exact and row_top + piece.y + piece.height > top:
                    return Anchor(index, number, row_top + piece.y - top)
        return Anchor(visible[0], None, self.stack.tops[visible[0]] - top)

    def anchored_top(self, anchor: Anchor) -> float:
        """The scroll position at which `anchor` is where it was."""
        row = self.stack.rows[anchor.row]
        y = self.stack.tops[anchor.row]
        if anchor.piece is not None and anchor.piece < len(row.pieces):
            y += row.pieces[anchor.piece].y
        return y - anchor.screen_y

    def measure(self, top: float, height: float) -> bool:
        """Measure what is in view. True if heights changed."""
        changed_from: int | None = None
        for index in self.stack.visible(top, top + height):
            row_top = self.stack.tops[index]
            if self.measure_row(index, top - row_top, top + height - row_top) and changed_from is None:
                changed_from = index
        if changed_from is None:
            return False
        self.stack.restack(self.metrics, changed_from)
        return True

    def measure_row(self, index: int, top: float, bottom: float) -> bool:
        """Measure what is between `top` and `bottom` of one row (its coordinates). True if its height changed."""
        row = self.stack.rows[index]
        if row.exact:
            for piece in row.shown_pieces():
                if piece.y < bottom and piece.y + piece.height > top:
                    self.rendering(piece)
            return False
        before = row.height
        for _ in range(6):
            row.arrange(self.metrics, self.width)
            inexact = [
                piece
                for piece in row.shown_pieces()
                if not piece.exact and piece.y < bottom and piece.y + piece.height > top
            ]
            if not inexact:
                break
            for piece in inexact:
                self._measure_piece(row, piece)
        row.exact = all(piece.exact for piece in row.shown_pieces())
        return abs(row.height - before) > 0.5

    def _measure_piece(self, row: Row, piece: Piece) -> None:
        rendering = self.documents.get(piece, self.style(piece))
        piece.height = rendering.height()
        if row.item.role == "user":
            piece.ideal_width = min(piece.width, rendering.markdown.document.idealWidth())
            if rendering.panels.all():
                piece.ideal_width = piece.width
        piece.exact = True

    def rendering(self, piece: Piece) -> Rendering:
        return self.documents.get(piece, self.style(piece))

    # Places

    def position_at(self, point: QPointF) -> Position | None:
        """The place in the text nearest to `point`."""
        index = self.stack.at(point.y())
        if index < 0:
            return None
        row = self.stack.rows[index]
        y = point.y() - self.stack.tops[index]
        shown = row.shown_pieces()
        if not shown:
            return Position(index, 0, 0)
        piece = next((p for p in shown if y < p.y + p.height), shown[-1])
        number = row.pieces.index(piece)
        if y < shown[0].y:
            return Position(index, number, 0)
        rendering = self.rendering(piece)
        document = rendering.markdown.document
        if y >= piece.y + piece.height:
            return Position(index, number, document.characterCount() - 1)
        inside = QPointF(point.x() - piece.x, y - piece.y)
        for panel in rendering.panels.all():
            if panel.rect.contains(QPointF(panel.rect.center().x(), inside.y())):
                inside.setX(inside.x() + rendering.panels.offsets.get(panel.number, 0.0))
        offset = document.documentLayout().hitTest(inside, Qt.HitTestAccuracy.FuzzyHit)
        return Position(index, number, max(0, offset))

    def is_on_text(self, point: QPointF) -> bool:
        index = self.stack.at(point.y())
        if index < 0:
            return False
        y = point.y() - self.stack.tops[index]
        return any(
            piece.y <= y < piece.y + piece.height and piece.x <= point.x() <= piece.x + piece.width
            for piece in self.stack.rows[index].shown_pieces()
        )

    def word_at(self, position: Position, unit: QTextCursor.SelectionType) -> tuple[Position, Position]:
        """The word or block around `position`."""
        cursor = self.cursor(position)
        cursor.select(unit)
        if unit is QTextCursor.SelectionType.WordUnderCursor and not cursor.hasSelection():
            cursor.movePosition(QTextCursor.MoveOperation.NextCharacter, QTextCursor.MoveMode.KeepAnchor)
        return (
            position._replace(offset=cursor.selectionStart()),
            position._replace(offset=cursor.selectionEnd()),
        )

    def cursor(self, position: Position) -> QTextCursor:
        row = self.stack.rows[position.row]
        row.load()
        piece = row.pieces[position.piece]
        document = self.rendering(piece).markdown.document
        cursor = QTextCursor(document)
        cursor.setPosition(min(position.offset, document.characterCount() - 1))
        return cursor

    # Text

    def select_all(self) -> None:
        if self.stack.rows:
            last = len(self.stack.rows) - 1
            self.selection.begin(Position(0, 0, 0))
            self.selection.extend(Position(last, END, END))

    def selected_text(self, *, markdown: bool = False) -> str:
        rows = self.selection.rows()
        if not rows:
            return ""
        size = sum(len(self.stack.rows[index].item.text) for index in rows)
        texts = [self._selected_in_row(index, markdown, cheap=size > MAX_COPY_RENDERED) for index in rows]
        return "\n\n".join(text for text in texts if text)

    def _selected_in_row(self, index: int, markdown: bool, *, cheap: bool) -> str:
        row = self.stack.rows[index]
        row.load()
        texts: list[str] = []
        shown = row.shown_pieces()
        for number, piece in enumerate(row.pieces):
            stretch = self.selection.within(index, number)
            if stretch is None or piece not in shown:
                continue
            whole = stretch[0] == 0 and stretch[1] == END
            if whole and (markdown or (cheap and self.documents.cached(piece) is None)):
                texts.append(piece.source.strip("\n"))
                continue
            document = self.documents.temporary(piece, self.style(piece)).document
            texts.append(text_between(document, *stretch, markdown=markdown))
        return "\n\n".join(text for text in texts if text)
