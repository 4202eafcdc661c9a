"""The pictures of a verdict: where the true difference lies, against the margin.

Painted here rather than with pyqtgraph, as the plots that are explored are (`plot`): there is nothing in them to drag
or zoom, they stand in a page of text and wrap and grow with it, and importing pyqtgraph takes half a second, which
should not stand before the first verdict.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from workbench.evaluation.analysis import Slice
from workbench.evaluation.report import scale_of
from workbench.evaluation.verdict import Outcome, Verdict, signed
from workbench.ui.theme import Theme
from workbench.ui.tr import tr

SIDE = 18


class IntervalPlot(QWidget):
    """One comparison. Points of 100 from left (candidate worse) to right (candidate better)."""

    def __init__(self, theme: Theme, verdict: Verdict, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._verdict = verdict
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)
        interval = verdict.difference
        text = tr(
            "Difference {estimate} points, interval {low} to {high}, margin {margin}",
            estimate=f"{interval.estimate * 100:+.1f}",
            low=f"{interval.low * 100:+.1f}",
            high=f"{interval.high * 100:+.1f}",
            margin=f"{-verdict.margin * 100:g}",
        )
        self.setAccessibleName(text)
        self.setToolTip(text)

    def sizeHint(self) -> QSize:
        return QSize(480, 44 + 3 * self.fontMetrics().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(240, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = self._theme.tokens
        verdict = self._verdict
        low, estimate, high = (
            value * 100 for value in (verdict.difference.low, verdict.difference.estimate, verdict.difference.high)
        )
        margin = verdict.margin * 100
        start, end = scale_of(low, high, margin)
        width = self.width() - 2 * SIDE

        def x(points: float) -> float:
            return SIDE + (points - start) / (end - start) * width

        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        small = QFont(self.font())
        small.setPixelSize(max(self.font().pixelSize() - 2, 8))
        painter.setFont(small)
        line = painter.fontMetrics().height()
        top, height = float(line + 6), 34.0
        middle = top + height / 2
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens.bad_bg))
        painter.drawRoundedRect(QRectF(x(start), top, x(-margin) - x(start), height), 5, 5)
        painter.setBrush(QColor(tokens.good_bg))
        painter.drawRoundedRect(QRectF(x(-margin), top, x(end) - x(-margin), height), 5, 5)
        painter.setPen(QPen(QColor(tokens.muted), 1))
        painter.drawLine(QPointF(x(0), top - 3), QPointF(x(0), top + height + 3))
        painter.setPen(QPen(QColor(tokens.bad), 2, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(x(-margin), top - 3), QPointF(x(-margin), top + height + 3))
        color = QColor(
            {Outcome.REPLACEABLE: tokens.good, Outcome.NOT_REPLACEABLE: tokens.bad}.get(verdict.outcome, tokens.warn)
        )
        painter.setPen(QPen(color, 6, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawLine(QPointF(x(low), middle), QPointF(x(high), middle))
        painter.setPen(QPen(QColor(tokens.panel), 2))
        painter.setBrush(color)
        painter.drawEllipse(QPointF(x(estimate), middle), 7, 7)
        self._texts(painter, x, estimate, margin, top, height, line)
        painter.end()

    def _texts(self, painter, x, estimate: float, margin: float, top: float, height: float, line: int) -> None:  # type: ignore[no-untyped-def]
        tokens = self._theme.tokens
        painter.setPen(QColor(tokens.text))
        self._centred(painter, x(estimate), 0, tr("{points} points", points=signed(estimate)))
        below = top + height + 6
        painter.setPen(QColor(tokens.bad))
        mark = tr("your margin −{margin}", margin=f"{margin:g}")
        room = painter.fontMetrics().horizontalAdvance(mark)
        centre = x(-margin)
        near = x(0) - centre < room
        self._centred(painter, min(centre, x(0) - 12) - room / 2 if near else centre, below, mark)
        painter.setPen(QColor(tokens.muted))
        equal = tr("equal")
        shift = painter.fontMetrics().horizontalAdvance(equal) / 2 if near else 0
        self._centred(painter, x(0) + shift, below, equal)
        bottom = int(below) + line + 2
        area = QRectF(SIDE, bottom, self.width() - 2 * SIDE, line)
        painter.drawText(area, Qt.AlignmentFlag.AlignLeft, tr("← worse than the baseline"))
        painter.drawText(area, Qt.AlignmentFlag.AlignRight, tr("better than the baseline →"))

    def _centred(self, painter: QPainter, x: float, y: float, text: str) -> None:
        width = painter.fontMetrics().horizontalAdvance(text)
        left = min(max(x - width / 2, SIDE), self.width() - SIDE - width)
        painter.drawText(QPointF(left, y + painter.fontMetrics().ascent()), text)


class SlicePlot(QWidget):
    """One bar for each tag, on one scale."""

    def __init__(self, theme: Theme, slices: tuple[Slice, ...], margin: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._slices = slices
        self._margin = margin * 100
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)
        lines = [
            tr(
                "{tag}, {count} cases: difference {estimate} points, interval {low} to {high}",
                tag=item.tag,
                count=item.n,
                estimate=f"{item.difference.estimate * 100:+.1f}",
                low=f"{item.difference.low * 100:+.1f}",
                high=f"{item.difference.high * 100:+.1f}",
            )
            for item in slices
        ]
        self.setAccessibleName(tr("Differences by tag"))
        self.setAccessibleDescription("\n".join(lines))
        self.setToolTip("\n".join(lines))

    @property
    def _line(self) -> int:
        return self.fontMetrics().height() + 12

    def sizeHint(self) -> QSize:
        return QSize(480, self._line * len(self._slices) + self.fontMetrics().height() + 8)

    def minimumSizeHint(self) -> QSize:
        return QSize(240, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens, line = self._theme.tokens, self._line
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics = painter.fontMetrics()
        names = [f"{item.tag} ({item.n})" for item in self._slices]
        left = min(max(metrics.horizontalAdvance(name) for name in names), self.width() // 3) + 16
        numbers = metrics.horizontalAdvance("−100.0") + 12
        low = min(item.difference.low for item in self._slices) * 100
        high = max(item.difference.high for item in self._slices) * 100
        start, end = scale_of(low, high, self._margin)

        def x(points: float) -> float:
            return left + (points - start) / (end - start) * (self.width() - left - numbers)

        bottom = float(line * len(self._slices))
        painter.setPen(QPen(QColor(tokens.muted), 1))
        painter.drawLine(QPointF(x(0), 0), QPointF(x(0), bottom))
        painter.setPen(QPen(QColor(tokens.bad), 1.5, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(x(-self._margin), 0), QPointF(x(-self._margin), bottom))
        for number, (item, name) in enumerate(zip(self._slices, names, strict=True)):
            self._row(painter, number * line, name, item, left, x)
        painter.setPen(QColor(tokens.muted))
        area = QRectF(left, bottom + 4, self.width() - left - numbers, metrics.height())
        painter.drawText(area, Qt.AlignmentFlag.AlignLeft, tr("← worse"))
        painter.drawText(area, Qt.AlignmentFlag.AlignRight, tr("better →"))
        painter.end()

    def _row(self, painter: QPainter, top: int, name: str, item: Slice, left: int, x: Callable[[float], float]) -> None:
        tokens, interval, margin = self._theme.tokens, item.difference, self._margin / 100
        height, middle = self._line, top + self._line / 2
        painter.setPen(QColor(tokens.text))
        elided = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, left - 12)
        painter.drawText(QRectF(0, top, left - 8, height), Qt.AlignmentFlag.AlignVCenter, elided)
        text = signed(interval.estimate * 100)
        painter.drawText(
            QRectF(0, top, self.width() - 2, height), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, text
        )
        color = tokens.good if interval.low > -margin else tokens.bad if interval.high < -margin else tokens.warn
        painter.setPen(QPen(QColor(color), 4, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawLine(QPointF(x(interval.low * 100), middle), QPointF(x(interval.high * 100), middle))
        painter.setPen(QPen(QColor(tokens.panel), 1.5))
        painter.setBrush(QColor(color))
        painter.drawEllipse(QPointF(x(interval.estimate * 100), middle), 5, 5)
