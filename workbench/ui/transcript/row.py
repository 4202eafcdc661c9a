"""One message: its pieces of text and everything around them, with their places."""

from __future__ import annotations

from dataclasses import dataclass, field

from PySide6.QtCore import QRectF, Qt

from workbench.ui.formats import decimal
from workbench.ui.markdown.parser import sanitise
from workbench.ui.tr import tr
from workbench.ui.transcript.items import TranscriptItem
from workbench.ui.transcript.metrics import Metrics
from workbench.ui.transcript.pieces import Documents, Piece, PieceKind, Splitter

WIDE_BUBBLE = 0.84
MAX_CHIPS = 50


@dataclass(slots=True)
class Places:
    """Rectangles in the row's coordinates; empty ones are not there."""

    header: QRectF = field(default_factory=QRectF)
    chips: list[tuple[str, QRectF]] = field(default_factory=list)
    toggle: QRectF = field(default_factory=QRectF)
    reasoning: QRectF = field(default_factory=QRectF)
    bubble: QRectF = field(default_factory=QRectF)
    status: QRectF = field(default_factory=QRectF)
    error: QRectF = field(default_factory=QRectF)
    error_button: QRectF = field(default_factory=QRectF)
    bar: QRectF = field(default_factory=QRectF)


class Row:
    def __init__(self, item: TranscriptItem) -> None:
        self.item = item
        self.pieces: list[Piece] = []
        self.places = Places()
        self.height = 0.0
        self.exact = False
        """True once all pieces that take part in the layout have been measured."""
        self.expanded = False
        """Whether the reasoning is shown."""
        self.dirty = False
        """Text was fed that is not shown yet."""
        self.width = 0.0
        self._splitters: dict[PieceKind, Splitter] = {}
        self._texts: dict[PieceKind, str] = {}
        self._loaded = False

    # Text

    def load(self) -> None:
        """Cut the item's texts into pieces, on first use."""
        if not self._loaded:
            self._loaded = True
            self._set_text("reasoning", self.item.reasoning)
            self._set_text("body", self.item.text)

    def replace(self, item: TranscriptItem, documents: Documents) -> None:
        """Show another state of the same message; texts that did not change keep their documents."""
        self.item = item
        if not self._loaded:
            return
        texts: tuple[tuple[PieceKind, str], ...] = (("reasoning", item.reasoning), ("body", item.text))
        for kind, text in texts:
            if sanitise(text) != self._texts.get(kind, ""):
                for piece in self.pieces_of(kind):
                    documents.forget(piece)
                self._set_text(kind, text)
        self.exact = False

    def feed(self, kind: PieceKind, text: str, documents: Documents) -> None:
        """Append streamed text to the last piece of this kind, beginning new pieces where the text is cut."""
        self.load()
        text = sanitise(text)
        whole = self._texts.get(kind, "") + text
        self._texts[kind] = whole
        splitter = self._splitters.setdefault(kind, Splitter())
        pieces = self.pieces_of(kind)
        start = splitter.start
        if sum(len(piece.source) for piece in pieces) <= start:
            pieces.append(self._add(kind, ""))
        known = documents.cached(pieces[-1])
        if known is not None and known.markdown.finished:  # a complete text is continued
            documents.forget(pieces[-1])
            pieces[-1].exact = False
        documents.begin_live(pieces[-1])
        while (cut := splitter.next_cut(whole)) is not None:
            self._end_piece(pieces[-1], whole[start:cut], documents)
            pieces.append(self._add(kind, ""))
            documents.begin_live(pieces[-1])
            start = cut
        last = pieces[-1]
        grown = whole[start:]
        rendering = documents.cached(last)
        if rendering is not None:
            rendering.markdown.feed(grown[len(last.source) :])
        last.source = grown

    def end_stream(self, documents: Documents) -> None:
        for piece in self.pieces:
            if documents.is_live(piece):
                self._end_piece(piece, piece.source, documents)

    def _end_piece(self, piece: Piece, source: str, documents: Documents) -> None:
        rendering = documents.cached(piece)
        if rendering is not None:
            if len(source) >= len(piece.source):
                rendering.markdown.feed(source[len(piece.source) :])
            else:
                rendering.markdown.truncate(len(source))
            rendering.markdown.finish()
        piece.source = source
        piece.exact = False
        documents.end_live(piece)

    def pieces_of(self, kind: PieceKind) -> list[Piece]:
        return [piece for piece in self.pieces if piece.kind == kind]

    def shown_pieces(self) -> list[Piece]:
        return self.pieces if self.expanded else self.pieces_of("body")

    def text_of(self, kind: PieceKind) -> str:
        self.load()
        return self._texts.get(kind, "")

    def _set_text(self, kind: PieceKind, text: str) -> None:
        text = sanitise(text)
        self._texts[kind] = text
        self.pieces = [piece for piece in self.pieces if piece.kind != kind]
        splitter = self._splitters[kind] = Splitter()
        start = 0
        while (cut := splitter.next_cut(text)) is not None:
            self._add(kind, text[start:cut])
            start = cut
        if text[start:].strip():
            self._add(kind, text[start:])

    def _add(self, kind: PieceKind, source: str) -> Piece:
        role = self.item.role
        muted = kind == "reasoning" or role == "notice"
        piece = Piece(kind, source, breaks=role in ("user", "system", "tool"), muted=muted)
        reasoning = [p for p in self.pieces if p.kind == "reasoning"]
        if kind == "reasoning":
            self.pieces.insert(len(reasoning), piece)
        else:
            self.pieces.append(piece)
        return piece

    # Layout

    def estimate(self, metrics: Metrics, width: float) -> None:
        """A first guess at the height, without making any document."""
        item = self.item
        text_width = width * WIDE_BUBBLE if item.role == "user" and metrics.is_wide(width) else width
        per_line = max(8.0, text_width / (metrics.body.text_px * 0.5))
        lines = len(item.text) / per_line + item.text.count("\n") * 0.55 + 0.5
        height = lines * metrics.body.text_px * 1.62 if item.text else 0.0
        height += metrics.px(20) if item.role == "user" else 0
        height += metrics.px(24) if item.title else 0
        height += metrics.px(30) if item.reasoning else 0
        height += metrics.px(34) if item.attachments else 0
        height += metrics.px(76) if item.error else 0
        self.height = height + (metrics.bar if item.role != "notice" else 0)
        self.exact = False

    def invalidate(self) -> None:
        """The width or the style changed: everything must be measured again."""
        self.exact = False
        for piece in self.pieces:
            piece.exact = False

    def arrange(self, metrics: Metrics, width: float) -> None:
        """Place everything, one below the other, with the pieces' heights as known."""
        self.load()
        self.width = width
        item = self.item
        places = self.places = Places()
        y = 0.0
        if item.role == "notice":
            y = self._place_text(metrics, metrics.px(24), y, width - metrics.px(24))
            self.height = y + metrics.px(2)
            return
        if item.title or item.role in ("system", "tool"):
            places.header = QRectF(0, y, width, metrics.px(24))
            y += metrics.px(26)
        y = self._place_chips(metrics, y, width)
        y = self._place_reasoning(metrics, y, width)
        if item.role in ("user", "system", "tool"):
            y = self._place_bubble(metrics, y, width)
        else:
            y = self._place_text(metrics, 0, y, width)
        if item.streaming and (item.status or not self.text_of("body")):
            places.status = QRectF(0, y, width, metrics.px(26))
            y += metrics.px(26)
        if item.error is not None:
            y = self._place_error(metrics, y, width)
        if item.role in ("user", "assistant") or item.footer or item.sibling[1] > 1:
            places.bar = QRectF(0, y + metrics.px(2), width, metrics.bar - metrics.px(2))
            y += metrics.bar
        self.height = y

    def _place_chips(self, metrics: Metrics, y: float, width: float) -> float:
        names = list(self.item.attachments[:MAX_CHIPS])
        if not names:
            return y
        right = self.item.role == "user" and metrics.is_wide(width)
        lines: list[list[tuple[str, float]]] = [[]]
        used = 0.0
        for name in names:
            wanted = metrics.small_metrics.horizontalAdvance(name) + metrics.icon + metrics.px(26)
            chip = min(wanted, width, metrics.px(280))
            if used and used + chip > width:
                lines.append([])
                used = 0.0
            lines[-1].append((name, chip))
            used += chip + metrics.px(6)
        height = metrics.px(26)
        for line in lines:
            total = sum(chip for _, chip in line) + metrics.px(6) * (len(line) - 1)
            x = width - total if right else 0.0
            for name, chip in line:
                self.places.chips.append((name, QRectF(x, y, chip, height)))
                x += chip + metrics.px(6)
            y += height + metrics.px(6)
        return y

    def _place_reasoning(self, metrics: Metrics, y: float, width: float) -> float:
        if not self.text_of("reasoning"):
            return y
        label = metrics.small_metrics.horizontalAdvance(self.reasoning_label()) + metrics.icon * 2 + metrics.px(24)
        self.places.toggle = QRectF(0, y, min(width, label), metrics.px(26))
        y += metrics.px(32)
        if self.expanded:
            top = y
            inset = metrics.px(16)
            for piece in self.pieces_of("reasoning"):
                piece.x, piece.y = inset, y
                self._set_width(piece, width - inset, metrics)
                y += piece.height
            self.places.reasoning = QRectF(0, top, width, y - top)
            y += metrics.px(12)
        return y

    def _place_bubble(self, metrics: Metrics, y: float, width: float) -> float:
        body = self.pieces_of("body")
        if not body:
            return y
        pad_x, pad_y = metrics.px(14), metrics.px(10)
        wide = metrics.is_wide(width) and self.item.role == "user"
        outer = width * WIDE_BUBBLE if wide else width
        for piece in body:
            self._set_width(piece, outer - 2 * pad_x, metrics)
        if wide and len(body) == 1 and body[0].exact:
            outer = min(outer, max(body[0].ideal_width + 2 * pad_x + 2, metrics.px(44)))
        left = width - outer
        top = y
        y += pad_y
        for piece in body:
            piece.x, piece.y = left + pad_x, y
            y += piece.height
        y += pad_y
        self.places.bubble = QRectF(left, top, outer, y - top)
        return y + metrics.px(2)

    def _place_text(self, metrics: Metrics, x: float, y: float, width: float) -> float:
        for piece in self.pieces_of("body"):
            piece.x, piece.y = x, y
            self._set_width(piece, width, metrics)
            y += piece.height
        return y + (metrics.px(2) if self.pieces else 0)

    def _set_width(self, piece: Piece, width: float, metrics: Metrics) -> None:
        if piece.width != width:
            piece.width = width
            piece.exact = False
        if not piece.exact:
            piece.estimate(metrics.body)

    def _place_error(self, metrics: Metrics, y: float, width: float) -> float:
        error = self.item.error
        assert error is not None
        pad = metrics.px(14)
        inner = width - 2 * pad - metrics.icon - metrics.px(10)
        height = _text_height(metrics, error.message, inner, bold=True)
        if error.hint:
            height += metrics.px(4) + _text_height(metrics, error.hint, inner, bold=False)
        if error.detail:
            button = metrics.small_metrics.horizontalAdvance(tr("Copy details")) + metrics.icon + metrics.px(24)
            self.places.error_button = QRectF(
                pad + metrics.icon + metrics.px(10),
                y + pad + height + metrics.px(8),
                min(button, inner),
                metrics.px(26),
            )
            height += metrics.px(34)
        self.places.error = QRectF(0, y + metrics.px(4), width, height + 2 * pad - metrics.px(4))
        return y + height + 2 * pad + metrics.px(4)

    def reasoning_label(self) -> str:
        item = self.item
        if item.streaming and not self._texts.get("body") and item.reasoning_s is None:
            return tr("Thinking…")
        if item.reasoning_s is None:
            return tr("Thoughts")
        if item.reasoning_s < 60:
            return tr("Thought for {seconds} s", seconds=decimal(item.reasoning_s))
        minutes, seconds = divmod(round(item.reasoning_s), 60)
        return tr("Thought for {minutes} min {seconds} s", minutes=minutes, seconds=seconds)


def _text_height(metrics: Metrics, text: str, width: float, *, bold: bool) -> float:
    font_metrics = metrics.title_metrics if bold else metrics.small_metrics
    box = QRectF(0, 0, max(40.0, width), 10_000)
    return font_metrics.boundingRect(box, int(Qt.TextFlag.TextWordWrap), text).height()
