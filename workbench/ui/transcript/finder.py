"""Finding text in the transcript."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtGui import QColor

from workbench.ui.markdown.painter import Highlight
from workbench.ui.tokens import Tokens
from workbench.ui.transcript.board import Board
from workbench.ui.transcript.pieces import Piece

if TYPE_CHECKING:
    from workbench.ui.transcript.row import Row
    from workbench.ui.transcript.view import TranscriptView

MAX_HITS = 10_000
_MARKUP = re.compile(r"[*_`~\[\]()#>|\\-]+")


@dataclass(frozen=True, slots=True)
class Hit:
    row: int
    piece: int
    start: int
    end: int


class Finder:
    """Case-insensitive. Messages are rendered only when their source suggests a hit."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self.needle = ""
        self._hits: list[Hit] = []
        self._current = -1
        self._by_place: dict[tuple[int, int], list[int]] = {}

    @property
    def place(self) -> tuple[int, int]:
        """(number of the current hit from 1, number of hits)"""
        return (self._current + 1, len(self._hits))

    def clear(self) -> None:
        self.needle = ""
        self._hits = []
        self._by_place = {}
        self._current = -1

    def search(self, text: str) -> int:
        self.clear()
        self.needle = text.strip("\n")
        if not self.needle.strip():
            self.needle = ""
            return 0
        pattern = re.compile(re.escape(self.needle), re.IGNORECASE)
        wanted = _reduced(self.needle)
        for index, row in enumerate(self._board.stack.rows):
            if wanted not in _reduced(row.text_of("body") + "\n" + row.text_of("reasoning")):
                continue
            for number, piece in enumerate(row.pieces):
                if wanted not in _reduced(piece.source):
                    continue
                document = self._board.documents.temporary(piece, self._board.style(piece)).document
                text_of_document = _utf16_padded(document.toPlainText())
                for match in pattern.finditer(text_of_document):
                    self._by_place.setdefault((index, number), []).append(len(self._hits))
                    self._hits.append(Hit(index, number, match.start(), match.end()))
                if len(self._hits) >= MAX_HITS:
                    break
        self._current = len(self._hits)
        return len(self._hits)

    def step(self, *, backwards: bool) -> Hit | None:
        if not self._hits:
            return None
        self._current = (self._current + (-1 if backwards else 1)) % len(self._hits)
        return self._hits[self._current]

    def highlights(self, row: int, number: int, piece: Piece, tokens: Tokens) -> list[Highlight]:
        result = []
        for index in self._by_place.get((row, number), ()):
            hit = self._hits[index]
            if index == self._current:
                result.append(Highlight(hit.start, hit.end, QColor("#f5a524"), QColor("#1c2024")))
            else:
                background = QColor("#6b5416" if tokens.dark else "#ffe69c")
                result.append(Highlight(hit.start, hit.end, background, None))
        return result


def show_hit(view: TranscriptView, hit: Hit | None) -> None:
    """Bring a hit into view, in the upper third; a message's thoughts are opened for it."""
    if hit is None:
        return
    row = view.board.stack.rows[hit.row]
    piece = row.pieces[hit.piece]
    if piece.kind == "reasoning" and not row.expanded:
        view.set_expanded(row.item.key, True)
    margin = view.viewport().height() / 3
    view.scroller.show_row(hit.row, piece.y, margin=margin)  # now it is rendered, and its lines have places
    document = view.board.rendering(piece).markdown.document
    rect = document.documentLayout().blockBoundingRect(document.findBlock(hit.start))
    view.scroller.show_row(hit.row, piece.y + rect.top(), margin=margin)


def marks(view: TranscriptView, index: int, row: Row) -> dict[Piece, list[Highlight]]:
    """What is marked in a row: hits, and above them what is selected."""
    result: dict[Piece, list[Highlight]] = {}
    for number, piece in enumerate(row.pieces):
        found = view.finder.highlights(index, number, piece, view.tokens) if view.finder.needle else []
        stretch = view.board.selection.within(index, number)
        if stretch is not None:
            background, foreground = QColor(view.tokens.accent), QColor(view.tokens.on_accent)
            found.append(Highlight(*stretch, background, foreground))
        if found:
            result[piece] = found
    return result


def _reduced(text: str) -> str:
    """Text without markup, so that words of different formats are still neighbours."""
    return " ".join(_MARKUP.sub("", text).lower().split())


def _utf16_padded(text: str) -> str:
    """`text` with a filler after each character that takes two places in a QTextDocument."""
    if text.isascii() or all(ord(char) < 0x10000 for char in text):
        return text
    return "".join(char if ord(char) < 0x10000 else char + "\0" for char in text)
