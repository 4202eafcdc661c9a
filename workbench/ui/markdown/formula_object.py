"""Formulas inside a QTextDocument: one object character each, sized and drawn here."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QPointF, QRect, QRectF, QSizeF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetrics,
    QFontMetricsF,
    QPainter,
    QPyTextObject,
    QTextCharFormat,
    QTextDocument,
    QTextFormat,
)

from workbench.ui.markdown import properties
from workbench.ui.markdown.formulas import Formula, MathRenderer
from workbench.ui.markdown.style import MarkdownStyle

PLACEHOLDER_CHARS = 60


def formula_format(
    style: MarkdownStyle, base: QTextCharFormat, latex: str, markup: str, *, display: bool
) -> QTextCharFormat:
    result = QTextCharFormat(base)
    result.setObjectType(properties.MATH_OBJECT)
    result.setVerticalAlignment(QTextCharFormat.VerticalAlignment.AlignBaseline)
    px = base.intProperty(QTextFormat.Property.FontPixelSize.value) or style.text_px
    result.setFontFamilies(style.families)
    result.setProperty(properties.MATH, latex)
    result.setProperty(properties.MATH_MARKUP, markup)
    result.setProperty(properties.MATH_DISPLAY, display)
    result.setProperty(properties.MATH_PX, round(px * 1.12))
    result.setProperty(QTextFormat.Property.FontPixelSize, px)
    return result


def lookup(math: MathRenderer, format_: QTextFormat) -> Formula | None:
    return math.get(
        format_.stringProperty(properties.MATH),
        format_.intProperty(properties.MATH_PX),
        format_.foreground().color().name(),
        format_.boolProperty(properties.MATH_DISPLAY),
    )


def sit_on_baseline(format_: QTextCharFormat, formula: Formula, families: list[str]) -> None:
    """Make Qt reserve the formula's depth below the line.

    Qt puts an object aligned to the baseline as deep as the descent of its font, so the object gets a font whose
    descent is at least the formula's.
    """
    format_.setProperty(QTextFormat.Property.FontPixelSize, _px_for_descent(tuple(families), formula.descent))


@lru_cache(maxsize=2048)
def _metrics(families: tuple[str, ...], px: int) -> QFontMetrics:
    font = QFont()
    font.setFamilies(list(families))
    font.setPixelSize(px)
    return QFontMetrics(font)


@lru_cache(maxsize=2048)
def _px_for_descent(families: tuple[str, ...], descent: float) -> int:
    px = max(1, int(descent / max(0.05, _metrics(families, 100).descent() / 100)))
    while _metrics(families, px).descent() < descent and px < 2_000:
        px += 1
    return px


class MathObject(QPyTextObject):
    """Draws the formulas of all documents that registered it."""

    def __init__(self, math: MathRenderer) -> None:
        super().__init__()
        self._math = math

    def intrinsicSize(self, document: QTextDocument, position: int, format_: QTextFormat) -> QSizeF:
        formula = lookup(self._math, format_)
        char_format = format_.toCharFormat()
        if formula is None or formula.image is None:
            metrics = QFontMetricsF(_placeholder_font(document))
            return QSizeF(metrics.horizontalAdvance(_placeholder(format_)), metrics.height())
        factor = _shrink(document, formula)
        below = _font_descent(document, char_format)
        return QSizeF(formula.width * factor, formula.ascent * factor + below)

    def drawObject(
        self, painter: QPainter, rect: QRectF | QRect, document: QTextDocument, position: int, format_: QTextFormat
    ) -> None:
        rect = QRectF(rect)
        formula = lookup(self._math, format_)
        if formula is None or formula.image is None:
            painter.setFont(_placeholder_font(document))
            color = format_.foreground().color()
            painter.setPen(QColor(color.red(), color.green(), color.blue(), 150))
            painter.drawText(rect, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, _placeholder(format_))
            return
        factor = _shrink(document, formula)
        baseline = rect.bottom() - _font_descent(document, format_.toCharFormat())
        top_left = QPointF(rect.left(), baseline - formula.ascent * factor)
        if factor == 1.0:
            # On whole device pixels the image is copied, not filtered: sharp.
            ratio = painter.device().devicePixelRatioF()
            origin = painter.transform().map(top_left)
            snapped = QPointF(round(origin.x() * ratio) / ratio, round(origin.y() * ratio) / ratio)
            top_left += snapped - origin
        else:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        size = QSizeF(formula.width, formula.ascent + formula.descent) * factor
        painter.drawImage(QRectF(top_left, size), formula.image)


def _font_descent(document: QTextDocument, format_: QTextCharFormat) -> float:
    families = tuple(format_.fontFamilies() or document.defaultFont().families())
    px = format_.intProperty(QTextFormat.Property.FontPixelSize.value) or document.defaultFont().pixelSize()
    return _metrics(families, px).descent()


def _shrink(document: QTextDocument, formula: Formula) -> float:
    """Wide formulas are drawn smaller, to fit into the text's width."""
    width = document.textWidth()
    return min(1.0, max(0.2, (width - 4) / formula.width)) if width > 40 else 1.0


def _placeholder(format_: QTextFormat) -> str:
    source = " ".join(format_.stringProperty(properties.MATH).split())
    return source if len(source) <= PLACEHOLDER_CHARS else source[: PLACEHOLDER_CHARS - 1] + "…"


def _placeholder_font(document: QTextDocument) -> QFont:
    font = QFont(document.defaultFont())
    font.setItalic(True)
    return font
