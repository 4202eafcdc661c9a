"""Paints the rows: bubbles, headers, reasoning, error cards, bars, and the documents in them."""

from __future__ import annotations

from dataclasses import dataclass, field

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen

from workbench.ui.icons import pixmap
from workbench.ui.markdown.painter import Highlight
from workbench.ui.tr import tr
from workbench.ui.transcript.items import Action
from workbench.ui.transcript.metrics import Metrics
from workbench.ui.transcript.pieces import Documents, Piece, Rendering
from workbench.ui.transcript.row import Row
from workbench.ui.transcript.targets import Kind, Target, bar_of, code_buttons

_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


@dataclass(slots=True)
class Look:
    """What a row looks like at the moment besides its content."""

    hovered: bool = False
    current: bool = False
    """The message the keyboard is at, while the view has the focus."""
    last: bool = False
    """The newest message of the transcript."""
    target: Target | None = None
    """What is under the mouse."""
    copied: Target | None = None
    """What was copied a moment ago: shown with a tick."""
    highlights: dict[Piece, list[Highlight]] = field(default_factory=dict)
    phase: float = 0.0
    """0 to 1, for the dots of a message that is awaited."""


class RowPainter:
    def __init__(self, metrics: Metrics, documents: Documents) -> None:
        self._metrics = metrics
        self._documents = documents

    def paint(self, painter: QPainter, row: Row, clip: QRectF, look: Look, actions: list[Action]) -> None:
        """The painter's origin is the row's; `clip` in the row's coordinates."""
        places = row.places
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if look.current:
            self._focus_ring(painter, row)
        if not places.bubble.isEmpty():
            self._bubble(painter, row)
        if not places.header.isEmpty():
            self._header(painter, row)
        for name, rect in places.chips:
            self._chip(painter, name, rect, look.target is not None and look.target.value == name)
        if not places.toggle.isEmpty():
            self._toggle(painter, row, look)
        if not places.reasoning.isEmpty():
            self._box(
                painter,
                QRectF(
                    places.reasoning.left() + 2, places.reasoning.top(), self._metrics.px(3), places.reasoning.height()
                ),
                self._metrics.tokens.border,
                1.5,
            )
        for piece in row.shown_pieces():
            self._piece(painter, piece, clip, look)
        if row.item.role == "notice":
            side = self._metrics.px(15)
            self._icon(painter, "info", QRectF(0, self._metrics.px(1), side, side), self._metrics.tokens.muted)
        if not places.status.isEmpty():
            self._status(painter, row, look)
        if row.item.error is not None and not places.error.isEmpty():
            self._error(painter, row, look)
        if not places.bar.isEmpty() and places.bar.intersects(clip):
            self._bar(painter, row, look, actions)

    # Parts

    def _focus_ring(self, painter: QPainter, row: Row) -> None:
        color = QColor(self._metrics.tokens.accent)
        painter.setPen(QPen(color, 2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(QRectF(-8, -5, row.width + 16, row.height + 9), 9, 9)

    def _bubble(self, painter: QPainter, row: Row) -> None:
        tokens = self._metrics.tokens
        rect = row.places.bubble
        if row.item.role == "user":
            self._box(painter, rect, tokens.bubble, self._metrics.px(10))
            return
        painter.setPen(QPen(QColor(tokens.border), 1))
        painter.setBrush(QColor(tokens.side))
        painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)

    def _header(self, painter: QPainter, row: Row) -> None:
        tokens = self._metrics.tokens
        title = row.item.title
        if not title:
            title = tr("System prompt") if row.item.role == "system" else tr("Tool")
        painter.setFont(self._metrics.title_font)
        painter.setPen(QColor(tokens.text if row.item.role == "assistant" else tokens.muted))
        self._text(painter, row.places.header, title)

    def _chip(self, painter: QPainter, name: str, rect: QRectF, hovered: bool) -> None:
        tokens = self._metrics.tokens
        self._box(painter, rect, tokens.hover if hovered else tokens.chip, rect.height() / 3.5)
        pad = self._metrics.px(8)
        side = self._metrics.px(14)
        self._icon(
            painter, "paperclip", QRectF(rect.left() + pad, rect.center().y() - side / 2, side, side), tokens.muted
        )
        painter.setFont(self._metrics.small_font)
        painter.setPen(QColor(tokens.text))
        self._text(
            painter, rect.adjusted(pad + side + self._metrics.px(5), 0, -pad, 0), name, Qt.TextElideMode.ElideMiddle
        )

    def _toggle(self, painter: QPainter, row: Row, look: Look) -> None:
        tokens = self._metrics.tokens
        rect = row.places.toggle
        hot = look.target is not None and look.target.kind is Kind.TOGGLE
        self._box(painter, rect, tokens.hover if hot else tokens.chip, self._metrics.px(7))
        side = self._metrics.px(14)
        pad = self._metrics.px(8)
        self._icon(painter, "brain", QRectF(rect.left() + pad, rect.center().y() - side / 2, side, side), tokens.muted)
        painter.setFont(self._metrics.small_font)
        painter.setPen(QColor(tokens.muted))
        self._text(painter, rect.adjusted(pad + side + self._metrics.px(6), 0, -side - pad, 0), row.reasoning_label())
        chevron = QRectF(rect.right() - side - pad * 0.75, rect.center().y() - side / 2, side, side)
        self._icon(painter, "chevron-down" if row.expanded else "chevron-right", chevron, tokens.muted)

    def _piece(self, painter: QPainter, piece: Piece, clip: QRectF, look: Look) -> None:
        box = QRectF(0, 0, piece.width, piece.height)
        inner = clip.translated(-piece.x, -piece.y).intersected(box.adjusted(-40, -4, 8, 4))
        rendering = self._documents.cached(piece)
        if inner.isEmpty() or rendering is None:
            return
        painter.save()
        painter.translate(piece.x, piece.y)
        rendering.painter.paint(painter, inner, look.highlights.get(piece, []))
        self._code_buttons(painter, piece, rendering, inner, look)
        painter.restore()

    def _code_buttons(self, painter: QPainter, piece: Piece, rendering: Rendering, clip: QRectF, look: Look) -> None:
        tokens = self._metrics.tokens
        header = rendering.markdown.style.code_header_px
        for panel in rendering.panels.all():
            if not panel.rect.intersects(clip):
                continue
            wrapped = panel.number in rendering.panels.wrapped
            wrappable = wrapped or rendering.panels.overflow(panel) > 0
            copy, wrap = code_buttons(panel.rect, header, self._metrics, wrap=wrappable)
            mine = Target(Kind.COPY_CODE, look.target.row if look.target else -1, piece=piece, panel=panel.number)
            if look.target == mine:
                self._box(painter, copy, tokens.hover, 5)
            done = look.copied is not None and look.copied.piece is piece and look.copied.panel == panel.number
            self._icon(
                painter,
                "check" if done else "copy",
                _inset(copy, self._metrics.px(5)),
                tokens.good if done else tokens.muted,
            )
            if not wrap.isEmpty():
                hot = look.target is not None and look.target.kind is Kind.WRAP_CODE and look.target.piece is piece
                if hot and look.target is not None and look.target.panel == panel.number:
                    self._box(painter, wrap, tokens.hover, 5)
                _wrap_icon(painter, _inset(wrap, self._metrics.px(5)), tokens.accent if wrapped else tokens.muted)

    def _status(self, painter: QPainter, row: Row, look: Look) -> None:
        tokens = self._metrics.tokens
        rect = row.places.status
        radius = self._metrics.px(3)
        painter.setPen(Qt.PenStyle.NoPen)
        x = rect.left() + radius
        for dot in range(3):
            color = QColor(tokens.muted)
            nearness = abs(((look.phase * 3 - dot) % 3) - 1.5) / 1.5
            color.setAlphaF(0.35 + 0.65 * nearness)
            painter.setBrush(color)
            painter.drawEllipse(QPointF(x, rect.center().y()), radius, radius)
            x += radius * 3.2
        painter.setFont(self._metrics.small_font)
        painter.setPen(QColor(tokens.muted))
        self._text(painter, rect.adjusted(x - rect.left() + self._metrics.px(4), 0, 0, 0), row.item.status)

    def _error(self, painter: QPainter, row: Row, look: Look) -> None:
        metrics, tokens = self._metrics, self._metrics.tokens
        error = row.item.error
        assert error is not None
        rect = row.places.error
        self._box(painter, rect, tokens.bad_bg, 8)
        pad = metrics.px(14)
        icon = QRectF(rect.left() + pad, rect.top() + pad - metrics.px(4), metrics.icon, metrics.icon)
        self._icon(painter, "circle-alert", icon, tokens.bad)
        left = icon.right() + metrics.px(10)
        box = QRectF(left, rect.top() + pad - metrics.px(4), rect.right() - pad - left, 10_000)
        painter.setFont(metrics.title_font)
        painter.setPen(QColor(tokens.bad))
        used = painter.boundingRect(box, int(Qt.TextFlag.TextWordWrap), error.message)
        painter.drawText(box, int(Qt.TextFlag.TextWordWrap), error.message)
        if error.hint:
            box.setTop(used.bottom() + metrics.px(4))
            painter.setFont(metrics.small_font)
            painter.setPen(QColor(tokens.text))
            painter.drawText(box, int(Qt.TextFlag.TextWordWrap), error.hint)
        button = row.places.error_button
        if not button.isEmpty():
            hot = look.target is not None and look.target.kind is Kind.COPY_ERROR
            done = look.copied is not None and look.copied.kind is Kind.COPY_ERROR
            painter.setPen(QPen(QColor(tokens.border), 1))
            painter.setBrush(QColor(tokens.hover if hot else tokens.panel))
            painter.drawRoundedRect(button.adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
            side = metrics.px(14)
            mark = QRectF(button.left() + metrics.px(8), button.center().y() - side / 2, side, side)
            self._icon(painter, "check" if done else "copy", mark, tokens.good if done else tokens.muted)
            painter.setFont(metrics.small_font)
            painter.setPen(QColor(tokens.text))
            self._text(painter, button.adjusted(metrics.px(8) + side + metrics.px(5), 0, 0, 0), tr("Copy details"))

    def _bar(self, painter: QPainter, row: Row, look: Look, actions: list[Action]) -> None:
        metrics, tokens = self._metrics, self._metrics.tokens
        bar = bar_of(row, metrics, actions, pointed_at=look.hovered or look.current, last=look.last)
        painter.setFont(metrics.small_font)
        painter.setPen(QColor(tokens.muted))
        if row.item.footer and row.item.role != "user":
            self._text(painter, bar.footer, row.item.footer)
        inset = metrics.px(5)
        index, count = row.item.sibling
        if not bar.count.isEmpty():
            painter.drawText(bar.count, Qt.AlignmentFlag.AlignCenter, f"{index}/{count}")
            self._hot(painter, bar.previous, look, Kind.PREVIOUS)
            self._icon(
                painter, "chevron-left", _inset(bar.previous, inset), tokens.muted if index > 1 else tokens.border
            )
            self._hot(painter, bar.next, look, Kind.NEXT)
            self._icon(
                painter, "chevron-right", _inset(bar.next, inset), tokens.muted if index < count else tokens.border
            )
        for action, rect in bar.buttons:
            if look.target is not None and look.target.kind is Kind.ACTION and look.target.value == action.id:
                self._box(painter, rect, tokens.hover, 6)
            done = look.copied is not None and look.copied.kind is Kind.ACTION and look.copied.value == action.id
            self._icon(
                painter, "check" if done else action.icon, _inset(rect, inset), tokens.good if done else tokens.muted
            )
        if not bar.menu.isEmpty():
            self._hot(painter, bar.menu, look, Kind.MENU)
            self._icon(painter, "ellipsis", _inset(bar.menu, inset), tokens.muted)

    # Helpers

    def _hot(self, painter: QPainter, rect: QRectF, look: Look, kind: Kind) -> None:
        if look.target is not None and look.target.kind is kind:
            self._box(painter, rect, self._metrics.tokens.hover, 6)

    def _box(self, painter: QPainter, rect: QRectF, color: str, radius: float) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(color))
        painter.drawRoundedRect(rect, radius, radius)

    def _text(
        self, painter: QPainter, rect: QRectF, text: str, elide: Qt.TextElideMode = Qt.TextElideMode.ElideRight
    ) -> None:
        fitting = painter.fontMetrics().elidedText(text, elide, int(rect.width()))
        painter.drawText(rect, _LEFT, fitting)

    def _icon(self, painter: QPainter, name: str, rect: QRectF, color: str) -> None:
        if not name:
            return
        try:
            image = pixmap(name, color, round(rect.width()), painter.device().devicePixelRatioF())
        except OSError:  # a plugin's action may name an icon we don't have
            painter.setPen(QPen(QColor(color), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(_inset(rect, rect.width() / 4))
            return
        painter.drawPixmap(rect.topLeft().toPoint(), image)


def _inset(rect: QRectF, by: float) -> QRectF:
    return rect.adjusted(by, by, -by, -by)


def _wrap_icon(painter: QPainter, rect: QRectF, color: str) -> None:
    """Lines of text of which one turns back: wrapping."""
    unit = rect.width() / 16
    pen = QPen(QColor(color), 1.4 * unit)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.save()
    painter.translate(rect.topLeft())
    painter.scale(unit, unit)
    pen.setWidthF(1.4)
    path = QPainterPath(QPointF(1.5, 3))
    path.lineTo(14.5, 3)
    path.moveTo(1.5, 8)
    path.lineTo(11.5, 8)
    path.arcTo(QRectF(9, 8, 5, 5), 90, -180)
    path.lineTo(8, 13)
    path.moveTo(10, 11)
    path.lineTo(8, 13)
    path.lineTo(10, 15)
    path.moveTo(1.5, 13)
    path.lineTo(5, 13)
    painter.strokePath(path, pen)
    painter.restore()
