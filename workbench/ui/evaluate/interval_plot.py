"""The picture of a verdict: where the true difference lies, against the margin."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from workbench.evaluation.verdict import Outcome, Verdict
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
        span = max(abs(low), abs(high), margin) * 1.2
        width = self.width() - 2 * SIDE

        def x(points: float) -> float:
            return SIDE + (points + span) / (2 * span) * width

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
        painter.drawRoundedRect(QRectF(x(-span), top, x(-margin) - x(-span), height), 5, 5)
        painter.setBrush(QColor(tokens.good_bg))
        painter.drawRoundedRect(QRectF(x(-margin), top, x(span) - x(-margin), height), 5, 5)
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
        self._centred(painter, x(estimate), 0, f"{estimate:+.1f}")
        below = top + height + 6
        painter.setPen(QColor(tokens.bad))
        mark = tr("margin −{margin}", margin=f"{margin:g}")
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
