"""Paints a markdown document: what QTextDocument can't draw (panels, bars, bullets) around what it can."""

from __future__ import annotations

from dataclasses import dataclass, field

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QAbstractTextDocumentLayout,
    QColor,
    QFont,
    QPainter,
    QPainterPath,
    QPalette,
    QPen,
    QRegion,
    QTextBlock,
    QTextCursor,
)

from workbench.ui.markdown import properties
from workbench.ui.markdown.incremental import MarkdownDocument
from workbench.ui.markdown.panels import CodePanel, CodePanels
from workbench.ui.markdown.style import MarkdownStyle

PANEL_RADIUS = 8.0
CHIP_RADIUS = 4.0


@dataclass(slots=True)
class Highlight:
    """A stretch of the document drawn upon `background`; `foreground` empty: the text keeps its colours."""

    start: int
    end: int
    background: QColor
    foreground: QColor | None = None


@dataclass(slots=True)
class _Quote:
    left: float
    top: float
    bottom: float


@dataclass(slots=True)
class _Scan:
    """What is visible and needs painting besides text."""

    quotes: dict[str, _Quote] = field(default_factory=dict)
    markers: list[QTextBlock] = field(default_factory=list)
    chips: list[QTextBlock] = field(default_factory=list)
    rules: list[QTextBlock] = field(default_factory=list)


class MarkdownPainter:
    """Paints one document; the painter's origin is the document's."""

    def __init__(self, document: MarkdownDocument, panels: CodePanels) -> None:
        self._markdown = document
        self._document = document.document
        self._layout = document.document.documentLayout()
        self._panels = panels
        self._style: MarkdownStyle = document.style

    def paint(self, painter: QPainter, clip: QRectF, highlights: list[Highlight]) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        visible = [panel for panel in self._panels.all() if panel.rect.intersects(clip)]
        scan = self._scan(clip)
        for panel in visible:
            self._panel(painter, panel)
        self._quotes(painter, scan)
        for block in scan.chips:
            self._chips(painter, block)
        for block in scan.rules:
            self._rule(painter, block)
        self._text(painter, clip, visible, highlights)
        for block in scan.markers:
            self._markers(painter, block)

    # Text

    def _text(self, painter: QPainter, clip: QRectF, visible: list[CodePanel], highlights: list[Highlight]) -> None:
        context = QAbstractTextDocumentLayout.PaintContext()
        palette = QPalette()
        palette.setColor(QPalette.ColorRole.Text, self._style.text_color)
        context.palette = palette
        context.selections = [self._selection(highlight) for highlight in highlights]
        scrolled = [panel for panel in visible if self._panels.overflow(panel) > 0]
        context.clip = clip
        if not scrolled:
            self._layout.draw(painter, context)
            return
        painter.save()
        region = QRegion(clip.toAlignedRect())
        for panel in scrolled:
            band = QRectF(clip.left(), panel.rect.top(), clip.width(), panel.rect.height())
            region -= QRegion(band.toAlignedRect())
        if not region.isEmpty():
            painter.setClipRegion(region, Qt.ClipOperation.IntersectClip)
            self._layout.draw(painter, context)
        painter.restore()
        pad = self._style.code_pad_px
        for panel in scrolled:
            inner = panel.rect.adjusted(pad / 2, 0, -pad / 2, 0).intersected(clip)
            if inner.isEmpty():
                continue
            offset = self._panels.offsets.get(panel.number, 0.0)
            painter.save()
            painter.setClipRect(inner, Qt.ClipOperation.IntersectClip)
            painter.translate(-offset, 0)
            context.clip = inner.translated(offset, 0)
            self._layout.draw(painter, context)
            painter.restore()

    def _selection(self, highlight: Highlight) -> QAbstractTextDocumentLayout.Selection:
        selection = QAbstractTextDocumentLayout.Selection()
        cursor = QTextCursor(self._document)
        last = self._document.characterCount() - 1
        cursor.setPosition(min(highlight.start, last))
        cursor.setPosition(min(highlight.end, last), QTextCursor.MoveMode.KeepAnchor)
        selection.cursor = cursor
        format_ = selection.format
        format_.setBackground(highlight.background)
        if highlight.foreground is not None:
            format_.setForeground(highlight.foreground)
        selection.format = format_
        return selection

    # Blocks in view

    def _scan(self, clip: QRectF) -> _Scan:
        scan = _Scan()
        position = self._layout.hitTest(QPointF(0, clip.top()), Qt.HitTestAccuracy.FuzzyHit)
        block = self._document.findBlock(max(0, position))
        previous = block.previous()
        if previous.isValid():
            block = previous
        while block.isValid():
            top = block.layout().position().y()
            if top > clip.bottom() and not block.blockFormat().hasProperty(properties.CODE_HEADER):
                break
            self._note(scan, block)
            block = block.next()
        return scan

    def _note(self, scan: _Scan, block: QTextBlock) -> None:
        format_ = block.blockFormat()
        if format_.hasProperty(properties.QUOTES):
            rect = self._layout.blockBoundingRect(block)
            for bar in format_.stringProperty(properties.QUOTES).split():
                level = int(bar.split(":")[0])
                quote = scan.quotes.setdefault(
                    bar, _Quote((level - 1) * self._style.indent_px, rect.top(), rect.bottom())
                )
                quote.bottom = rect.bottom()
        if format_.hasProperty(properties.MARKERS):
            scan.markers.append(block)
        if format_.hasProperty(properties.CHIPS):
            scan.chips.append(block)
        if format_.hasProperty(properties.RULE):
            scan.rules.append(block)

    def _panel(self, painter: QPainter, panel: CodePanel) -> None:
        style = self._style
        rect = panel.rect.adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setPen(QPen(QColor(style.tokens.border), 1))
        painter.setBrush(QColor(style.tokens.code_bg))
        painter.drawRoundedRect(rect, PANEL_RADIUS, PANEL_RADIUS)
        header = QRectF(rect.left(), rect.top(), rect.width(), style.code_header_px)
        painter.drawLine(QPointF(rect.left(), header.bottom()), QPointF(rect.right(), header.bottom()))
        font = QFont(style.font)
        font.setPixelSize(max(8, style.text_px - 2))
        painter.setFont(font)
        painter.setPen(QColor(style.tokens.muted))
        label = painter.fontMetrics().elidedText(
            panel.language or "text", Qt.TextElideMode.ElideRight, int(max(0, header.width() - style.text_px * 6))
        )
        painter.drawText(
            header.adjusted(style.code_pad_px, 0, 0, 0),
            Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft,
            label,
        )
        overflow = self._panels.overflow(panel)
        if overflow > 0:
            self._scroll_thumb(painter, panel, overflow)

    def _scroll_thumb(self, painter: QPainter, panel: CodePanel, overflow: float) -> None:
        inner = self._panels.inner_width(panel)
        length = max(24.0, inner * inner / (inner + overflow))
        offset = self._panels.offsets.get(panel.number, 0.0)
        left = panel.rect.left() + self._style.code_pad_px + (inner - length) * offset / overflow
        color = QColor(self._style.tokens.muted)
        color.setAlpha(110)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color)
        painter.drawRoundedRect(QRectF(left, panel.rect.bottom() - 7, length, 4), 2, 2)

    def _quotes(self, painter: QPainter, scan: _Scan) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._style.tokens.border))
        width = self._style.scaled(3)
        for quote in scan.quotes.values():
            rect = QRectF(quote.left + 2, quote.top, width, quote.bottom - quote.top)
            painter.drawRoundedRect(rect, width / 2, width / 2)

    def _rule(self, painter: QPainter, block: QTextBlock) -> None:
        rect = self._layout.blockBoundingRect(block)
        left = block.blockFormat().indent() * self._style.indent_px
        y = round(rect.center().y()) + 0.5
        painter.setPen(QPen(QColor(self._style.tokens.border), 1))
        painter.drawLine(QPointF(left, y), QPointF(self._document.textWidth(), y))

    def _chips(self, painter: QPainter, block: QTextBlock) -> None:
        layout = block.layout()
        # Not the layout's own position: inside a table that counts from the cell. A line's x has the indent already.
        origin = self._layout.blockBoundingRect(block).topLeft()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._style.tokens.chip))
        height = self._style.text_px * 1.34
        for start, end in _code_stretches(block):
            index = layout.lineForTextPosition(start).lineNumber()
            while 0 <= index < layout.lineCount():
                line = layout.lineAt(index)
                begin, stop = line.textStart(), line.textStart() + line.textLength()
                if begin >= end:
                    break
                x1 = _x_of(line, max(start, begin))
                x2 = _x_of(line, min(end, stop))
                baseline = origin.y() + line.y() + line.ascent()
                top = baseline - self._style.text_px * 1.02
                left = origin.x() + min(x1, x2) - 2
                painter.drawRoundedRect(QRectF(left, top, abs(x2 - x1) + 4, height), CHIP_RADIUS, CHIP_RADIUS)
                index += 1

    # List markers

    def _markers(self, painter: QPainter, block: QTextBlock) -> None:
        layout = block.layout()
        if not layout.lineCount():
            return
        style = self._style
        line = layout.lineAt(0)
        top = layout.position().y() + line.y()
        baseline = top + line.ascent()
        if block.blockFormat().hasProperty(properties.CODE_HEADER):
            baseline = top + style.code_header_px * 0.68
        rtl = block.textDirection() == Qt.LayoutDirection.RightToLeft
        for marker in block.blockFormat().stringProperty(properties.MARKERS).split():
            level_text, kind = marker.split(":", 1)
            edge = float(int(level_text) * style.indent_px)
            if rtl:
                edge = self._document.textWidth() - edge
            self._marker(painter, kind, edge, baseline, rtl)

    def _marker(self, painter: QPainter, kind: str, edge: float, baseline: float, rtl: bool) -> None:
        style = self._style
        side = -1 if rtl else 1
        gap = style.scaled(8)
        middle = baseline - style.text_px * 0.34
        muted = QColor(style.tokens.muted)
        if kind[0] == "n":
            painter.setFont(style.font)
            painter.setPen(muted)
            width = painter.fontMetrics().horizontalAdvance(kind[1:])
            x = edge + gap if rtl else edge - gap + style.scaled(2) - width
            painter.drawText(QPointF(x, baseline), kind[1:])
        elif kind[0] == "t":
            self._task_box(painter, QPointF(edge - side * (gap + style.text_px * 0.42), middle), kind == "t1")
        else:
            center = QPointF(edge - side * (gap + style.text_px * 0.22), middle)
            radius = style.text_px * 0.19
            painter.setPen(QPen(muted, 1.2) if kind == "b1" else Qt.PenStyle.NoPen)
            painter.setBrush(Qt.BrushStyle.NoBrush if kind == "b1" else muted)
            if kind == "b2":
                painter.drawRect(QRectF(center.x() - radius, center.y() - radius, 2 * radius, 2 * radius))
            else:
                painter.drawEllipse(center, radius, radius)

    def _task_box(self, painter: QPainter, center: QPointF, checked: bool) -> None:
        style = self._style
        half = style.text_px * 0.46
        box = QRectF(center.x() - half, center.y() - half, 2 * half, 2 * half)
        if not checked:
            painter.setPen(QPen(QColor(style.tokens.muted), 1.3))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(0.6, 0.6, -0.6, -0.6), 3, 3)
            return
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(style.tokens.accent))
        painter.drawRoundedRect(box, 3, 3)
        tick = QPainterPath(QPointF(box.left() + box.width() * 0.24, box.top() + box.height() * 0.52))
        tick.lineTo(box.left() + box.width() * 0.43, box.top() + box.height() * 0.70)
        tick.lineTo(box.left() + box.width() * 0.77, box.top() + box.height() * 0.32)
        pen = QPen(QColor(style.tokens.on_accent), max(1.4, half * 0.26))
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.strokePath(tick, pen)


def _code_stretches(block: QTextBlock) -> list[tuple[int, int]]:
    """(start, end) of inline code within the block; neighbours of other weight or colour join."""
    result: list[tuple[int, int]] = []
    iterator = block.begin()
    while not iterator.atEnd():
        fragment = iterator.fragment()
        if fragment.charFormat().hasProperty(properties.INLINE_CODE):
            start = fragment.position() - block.position()
            end = start + fragment.length()
            if result and result[-1][1] == start:
                result[-1] = (result[-1][0], end)
            else:
                result.append((start, end))
        iterator += 1
    return result


def _x_of(line: object, position: int) -> float:
    x = line.cursorToX(position)  # type: ignore[attr-defined]
    return float(x[0] if isinstance(x, tuple) else x)
