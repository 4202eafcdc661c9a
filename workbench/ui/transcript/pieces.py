"""Messages in pieces: each is one QTextDocument, so that even a message of a megabyte is only rendered where seen."""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Literal

from workbench.ui.markdown.formula_object import MathObject
from workbench.ui.markdown.formulas import MathRenderer
from workbench.ui.markdown.incremental import MarkdownDocument
from workbench.ui.markdown.painter import MarkdownPainter
from workbench.ui.markdown.panels import CodePanels
from workbench.ui.markdown.style import MarkdownStyle

SOFT_LIMIT = 16_000
"""Characters after which a piece ends at the next gap between two paragraphs."""
HARD_LIMIT = 64_000
"""Characters after which a piece ends wherever it is."""
MAX_DOCUMENTS = 40

PieceKind = Literal["reasoning", "body"]

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_CONTINUES = re.compile(r"[ \t>|#-]|[*+]|\d+[.)]|\[")


class Splitter:
    """Finds where a growing text is cut into pieces; the cuts don't depend on how the text arrives."""

    def __init__(self) -> None:
        self.start = 0
        """Where the current piece begins."""
        self._scanned = 0
        self._fence = ""
        self._blank = False

    def next_cut(self, text: str, *, final: bool = False) -> int | None:
        """The end of the current piece, once that is known. Call again until None."""
        while True:
            end = text.find("\n", self._scanned)
            if end < 0:
                return self._cut(self.start + HARD_LIMIT) if len(text) - self.start > HARD_LIMIT else None
            line = text[self._scanned : end]
            begins, self._scanned = self._scanned, end + 1
            if end + 1 - self.start > HARD_LIMIT:
                return self._cut(begins if begins > self.start else self.start + HARD_LIMIT)
            cut = self._blank and not self._fence and begins - self.start >= SOFT_LIMIT and bool(line.strip())
            if cut and not _CONTINUES.match(line):
                self._scanned = begins
                return self._cut(begins)
            self._note(line)

    def _note(self, line: str) -> None:
        self._blank = not line.strip()
        match = _FENCE.match(line)
        if not match:
            return
        if not self._fence:
            self._fence = match[1]
        elif match[1].startswith(self._fence) and not line.strip().strip(self._fence[0]):
            self._fence = ""

    def _cut(self, position: int) -> int:
        self.start = position
        self._scanned = position
        self._fence, self._blank = "", False
        return position


class Piece:
    """A part of a message's text with its place in the row. The document exists only while it is seen."""

    def __init__(self, kind: PieceKind, source: str, *, breaks: bool = False, muted: bool = False) -> None:
        self.kind: PieceKind = kind
        self.muted = muted
        self.source = source
        self.breaks = breaks
        self.x = 0.0
        self.y = 0.0
        self.width = 0.0
        self.height = 0.0
        self.ideal_width = 0.0
        self.exact = False
        """False: `height` is an estimate."""

    def estimate(self, style: MarkdownStyle) -> None:
        """Guess the height from the text's length."""
        if self.exact:
            return
        per_line = max(8.0, self.width / (style.text_px * 0.5))
        lines = len(self.source) / per_line + self.source.count("\n") * 0.55 + 0.5
        self.height = max(1.0, lines) * style.text_px * 1.62


class Rendering:
    """A piece's document with what is needed to paint it."""

    def __init__(self, markdown: MarkdownDocument) -> None:
        self.markdown = markdown
        self.panels = CodePanels(markdown)
        self.painter = MarkdownPainter(markdown, self.panels)

    def height(self) -> float:
        height = self.markdown.document.size().height()
        return height + self.markdown.style.code_pad_px if self.markdown.ends_with_code else height


class Documents:
    """The documents of the pieces that were seen last, and of the ones that stream."""

    def __init__(self, math: MathRenderer) -> None:
        self.math = math
        self._math_object = MathObject(math)
        self._renderings: OrderedDict[Piece, Rendering] = OrderedDict()
        self._live: set[Piece] = set()

    def __len__(self) -> int:
        return len(self._renderings)

    def cached(self, piece: Piece) -> Rendering | None:
        return self._renderings.get(piece)

    def get(self, piece: Piece, style: MarkdownStyle) -> Rendering:
        """The piece's document, made if need be, laid out to the piece's width."""
        rendering = self._renderings.get(piece)
        if rendering is None:
            rendering = self._make(piece, style)
            self._renderings[piece] = rendering
            self._evict()
        else:
            self._renderings.move_to_end(piece)
        if piece.width > 0:
            rendering.markdown.set_width(piece.width)
        return rendering

    def temporary(self, piece: Piece, style: MarkdownStyle) -> MarkdownDocument:
        """A document for reading text out of, not kept."""
        cached = self._renderings.get(piece)
        if cached is not None:
            return cached.markdown
        return MarkdownDocument.rendered(piece.source, style, self.math, self._math_object, breaks=piece.breaks)

    def begin_live(self, piece: Piece) -> None:
        self._live.add(piece)

    def end_live(self, piece: Piece) -> None:
        self._live.discard(piece)

    def is_live(self, piece: Piece) -> bool:
        return piece in self._live

    def forget(self, piece: Piece) -> None:
        self._renderings.pop(piece, None)
        self._live.discard(piece)

    def clear(self) -> None:
        """Drop all documents: the style has changed. Live pieces stay live and are made again from their text."""
        self._renderings.clear()

    def forget_live(self) -> None:
        self._live.clear()

    def renderings(self) -> list[tuple[Piece, Rendering]]:
        return list(self._renderings.items())

    def _make(self, piece: Piece, style: MarkdownStyle) -> Rendering:
        markdown = MarkdownDocument(style, self.math, self._math_object, breaks=piece.breaks)
        if piece.width > 0:
            markdown.set_width(piece.width)
        markdown.feed(piece.source)
        if piece in self._live:
            markdown.flush()
        else:
            markdown.finish()
        return Rendering(markdown)

    def _evict(self) -> None:
        surplus = len(self._renderings) - MAX_DOCUMENTS
        for piece in list(self._renderings)[: max(0, surplus + len(self._live))]:
            if surplus <= 0:
                break
            if piece not in self._live:
                del self._renderings[piece]
                surplus -= 1
