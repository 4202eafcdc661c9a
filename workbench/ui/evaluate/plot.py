"""Draws a chart with pyqtgraph: drag to move, wheel to zoom, double click to see all, hover or arrow keys for values.

Imported by `plot_library` only, once pyqtgraph is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy
import pyqtgraph
from PySide6.QtCore import QBuffer, QByteArray, QEvent, QPoint, QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QWidget

from workbench.ui.evaluate.chart import Chart, Series, log_ticks
from workbench.ui.theme import Theme, ui_font
from workbench.ui.widgets import announce, label

LIGHT_COLORS = ("#3b63e6", "#b4441a", "#0f7a5a", "#8a3fb5", "#8a6400", "#0b7285", "#b0256f", "#5f6673")
DARK_COLORS = ("#7c9cff", "#f08a5d", "#4fc79a", "#c792ea", "#e0b34f", "#56c7d9", "#f07ab8", "#a3abb8")
SYMBOLS = ("o", "s", "t1", "d", "p", "h", "star", "t")
"""Besides the colour, for those who can't tell colours apart."""
LINES = (
    Qt.PenStyle.SolidLine,
    Qt.PenStyle.DashLine,
    Qt.PenStyle.DotLine,
    Qt.PenStyle.DashDotLine,
    Qt.PenStyle.DashDotDotLine,
)
NEAR_PX = 36
"""From the pointer to a point whose value is shown."""
PNG_SCALE = 2
ZOOM = 0.8


class Axis(pyqtgraph.AxisItem):  # type: ignore[misc]
    """Numbers as the user's locale writes them; of a logarithmic axis, those behind the logarithms."""

    def __init__(self, side: str) -> None:
        super().__init__(side)
        self.enableAutoSIPrefix(False)
        self.chart: Chart | None = None

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        if self.chart is not None and self.chart.x_log and self.orientation == "bottom":
            places = log_ticks(low, high)
            if len(places) > 1:
                return [(1.0, places)]
        found: list[tuple[float, list[float]]] = super().tickValues(low, high, size)
        return found[:1] if len(found) > 1 and len(found[0][1]) > 2 else found[:2]

    def tickStrings(self, values: Sequence[float], _scale: float, _spacing: float) -> list[str]:
        if self.chart is None:
            return ["" for _ in values]
        if self.orientation == "bottom":
            return [self.chart.x_text(10**value if self.chart.x_log else value) for value in values]
        return [self.chart.y_text(value) for value in values]


class Plot(pyqtgraph.PlotWidget):  # type: ignore[misc]
    menu_wanted = Signal(QPoint)
    """Where, on the screen."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        axes = {side: Axis(side) for side in ("bottom", "left")}
        super().__init__(parent, axisItems=axes, enableMenu=False)
        self._axes = axes
        self._theme = theme
        self.chart: Chart | None = None
        self._at: tuple[int, int] | None = None
        """(series, point) that is told about."""
        self._names: list[tuple[Any, float, float]] = []
        """Texts beside points, and the points."""
        self.hideButtons()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(240, 180)
        self.tip = label("", "plotTip", wrap=True)
        self.tip.setParent(self.viewport())
        self.tip.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.tip.hide()
        self._soon = QTimer(self)  # a turn of its own: all the window is painted anew in this one
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self._restyle)
        theme.changed.connect(self._soon.start)
        self.getViewBox().sigRangeChanged.connect(self._place_names)
        self.getViewBox().sigResized.connect(self._place_names)

    def sizeHint(self) -> QSize:
        return QSize(640, 420)

    # --- content ----------------------------------------------------------------------------------------------
    def show_chart(self, chart: Chart) -> None:
        self.chart = chart
        self.setAccessibleName(chart.title)
        self.setAccessibleDescription(chart.words)
        self._restyle()
        self.reset()

    def reset(self) -> None:
        """See all of it."""
        chart = self.chart
        if chart is not None:
            self.setRange(xRange=self._xs(chart.x_range), yRange=chart.y_range, padding=0.0)
            self._tell(None)

    def zoom(self, factor: float) -> None:
        self.getViewBox().scaleBy((factor, factor))

    def _xs(self, values: Sequence[float]) -> Any:
        array = numpy.asarray(values, dtype=float)
        return numpy.log10(array) if self.chart is not None and self.chart.x_log else array

    @property
    def colors(self) -> tuple[str, ...]:
        return DARK_COLORS if self._theme.tokens.dark else LIGHT_COLORS

    def _restyle(self) -> None:
        """Draw all anew in the theme's colours and the text's size; what is seen of it stays."""
        tokens = self._theme.tokens
        self.setBackground(tokens.panel)
        font = QFont(ui_font(self._theme.scale))
        font.setPixelSize(max(font.pixelSize() - 2, 8))
        chart = self.chart
        for side, axis in self._axes.items():
            axis.chart = chart
            axis.setPen(QPen(QColor(tokens.border), 1))
            axis.setTextPen(QColor(tokens.muted))
            axis.setTickFont(font)
            axis.setStyle(tickLength=-4)
            title = "" if chart is None else chart.titles[side == "left"]
            axis.setLabel(title, **{"color": tokens.text, "font-size": f"{font.pixelSize()}px"})
        self._widen(font)
        self.showGrid(x=True, y=True, alpha=0.25)
        self.tip.setStyleSheet(
            f"#plotTip {{ background: {tokens.panel}; color: {tokens.text}; border: 1px solid {tokens.border}; "
            f"border-radius: 6px; padding: 4px 8px; font-size: {font.pixelSize()}px; }}"
        )
        self._draw(font)
        self.viewport().update()

    def _widen(self, font: QFont) -> None:
        """Room for the longest number and the title: what pyqtgraph finds itself comes after the first paint."""
        metrics, chart = QFontMetricsF(font), self.chart
        if chart is None:
            return
        low, high = chart.y_range
        texts = [chart.y_text(low + (high - low) * step / 7) for step in range(8)]
        widest = max(metrics.horizontalAdvance(text) for text in texts)
        self._axes["left"].setWidth(widest + metrics.height() + 22)
        self._axes["bottom"].setHeight(2 * metrics.height() + 16)

    def _draw(self, font: QFont) -> None:
        item = self.getPlotItem()
        item.clear()
        if item.legend is not None:
            item.legend.scene().removeItem(item.legend)
            item.legend = None
        self._names = []
        chart = self.chart
        if chart is None:
            return
        if any(series.shape != "points" for series in chart.series):
            self._add_legend(font)
        for line in chart.joined:
            self._add_joined(line)
        for x, text in chart.marks:
            self._add_mark(x, text)
        for y, text in chart.levels:
            pen = _pen(self._theme.tokens.muted, 1.5, Qt.PenStyle.DashLine)
            options = {"position": 0.98, "color": QColor(self._theme.tokens.text), "anchors": [(1, 0), (1, 1)]}
            line = pyqtgraph.InfiniteLine(y, angle=0, pen=pen, label=_braced(text), labelOpts=options)
            line.label.setFont(font)
            self.addItem(line)
        for series in chart.series:
            self._add(series, font)
        self._place_names()

    def _add_legend(self, font: QFont) -> None:
        tokens = self._theme.tokens
        background = QColor(tokens.panel)
        background.setAlpha(225)
        low_right = self.chart is not None and self.chart.series[0].shape == "steps"
        legend = self.addLegend(
            offset=(-12, -12) if low_right else (12, 12),
            brush=background,
            pen=QPen(QColor(tokens.border), 1),
            labelTextColor=QColor(tokens.text),
            labelTextSize=f"{font.pixelSize()}px",
        )
        legend.setZValue(20)

    def _add_joined(self, line: Sequence[tuple[float, float]]) -> None:
        pen = _pen(self._theme.tokens.muted, 1.5, Qt.PenStyle.DashLine)
        curve = pyqtgraph.PlotCurveItem(self._xs([x for x, _ in line]), numpy.array([y for _, y in line]), pen=pen)
        curve.setZValue(-1)
        self.addItem(curve)

    def _add_mark(self, x: float, text: str) -> None:
        tokens = self._theme.tokens
        pen = _pen(tokens.good, 1.5, Qt.PenStyle.DashLine)
        options = {"position": 0.06, "color": QColor(tokens.good), "anchors": [(0, 1), (1, 1)]}
        self.addItem(pyqtgraph.InfiniteLine(float(self._xs([x])[0]), pen=pen, label=_braced(text), labelOpts=options))

    def _add(self, series: Series, font: QFont) -> None:
        number = series.place
        color = QColor(self.colors[number % len(self.colors)])
        xs, ys = self._xs(series.xs), numpy.asarray(series.ys, dtype=float)
        pen = _pen(color, 2)
        if series.shape != "points":
            pen.setStyle(LINES[number % len(LINES)])
            if series.shape == "steps":  # nothing had come before the first, and all stays after the last
                end = max(float(self._xs([self.chart.x_range[1]])[0]), xs[-1]) if self.chart is not None else xs[-1]
                xs, ys = numpy.concatenate([xs[:1], xs, [end]]), numpy.concatenate([[0.0], ys, ys[-1:]])
                xs, ys = numpy.repeat(xs, 2)[1:], numpy.repeat(ys, 2)[:-1]
            self.addItem(pyqtgraph.PlotDataItem(xs, ys, pen=pen, name=_plain(series.name), antialias=True))
            return
        if series.lows:
            lows, highs = numpy.asarray(series.lows, dtype=float), numpy.asarray(series.highs, dtype=float)
            bars = pyqtgraph.ErrorBarItem(x=xs, y=ys, top=highs - ys, bottom=ys - lows, beam=0.0, pen=pen)
            self.addItem(bars)
        edge = _pen(self._theme.tokens.panel, 1)
        symbol = SYMBOLS[number % len(SYMBOLS)]
        self.addItem(pyqtgraph.ScatterPlotItem(xs, ys, symbol=symbol, size=13, brush=color, pen=edge))
        for x, y in zip(xs, ys, strict=True):
            text = pyqtgraph.TextItem(series.name, color=QColor(self._theme.tokens.text), anchor=(0, 0.5))
            text.setFont(font)
            text.setZValue(10)
            self.addItem(text, ignoreBounds=True)
            text.setPos(x, y)
            self._names.append((text, float(x), float(y)))

    def _place_names(self, *_changed: Any) -> None:
        """Names right of their points, or left where there is no room; not on top of each other, else not at all."""
        area = QRectF(self.getViewBox().rect())
        taken = [QRectF(at.x() - 8, at.y() - 8, 16, 16) for _, x, y in self._names for at in (self._pixel(x, y),)]
        for text, x, y in self._names:
            at, size = self._pixel(x, y), text.boundingRect().size()
            width, height = size.width(), size.height()
            for anchor in ((0.0, 0.5), (1.0, 0.5), (0.0, 1.1), (0.0, -0.1), (1.0, 1.1), (1.0, -0.1)):
                left = at.x() + (10 if anchor[0] == 0 else -10 - width)
                box = QRectF(left, at.y() - anchor[1] * height, width, height)
                if area.contains(box) and not any(box.intersects(other) for other in taken):
                    shift = 10 / width
                    text.setAnchor((-shift if anchor[0] == 0 else 1 + shift, anchor[1]))
                    text.show()
                    taken.append(box)
                    break
            else:
                text.hide()

    def _pixel(self, x: float, y: float) -> QPointF:
        """Where a place of the plot lies in its view box."""
        box = self.getViewBox()
        (left, right), (low, high) = box.viewRange()
        size = box.rect()
        return QPointF(
            (x - left) / ((right - left) or 1.0) * size.width(), (high - y) / ((high - low) or 1.0) * size.height()
        )

    # --- values -----------------------------------------------------------------------------------------------
    def nearest(self, at: QPointF) -> tuple[int, int] | None:
        """(series, point) near a place of the widget."""
        if self.chart is None:
            return None
        inside = self.getViewBox().mapFromScene(self.mapToScene(at.toPoint()))
        best, found = float(NEAR_PX), None
        for number, series in enumerate(self.chart.series):
            if not len(series.xs):
                continue
            corner, unit = self._pixel(0.0, 0.0), self._pixel(1.0, 1.0)
            xs = corner.x() + self._xs(series.xs) * (unit.x() - corner.x())
            ys = corner.y() + numpy.asarray(series.ys, dtype=float) * (unit.y() - corner.y())
            distances = numpy.hypot(xs - inside.x(), ys - inside.y())
            index = int(numpy.argmin(distances))
            if distances[index] < best:
                best, found = float(distances[index]), (number, index)
        return found

    def _tell(self, at: tuple[int, int] | None, *, aloud: bool = False) -> None:
        """Show what a point means beside it."""
        self._at = at
        if at is None or self.chart is None:
            self.tip.hide()
            return
        series = self.chart.series[at[0]]
        text = series.say(at[1])
        if aloud:
            announce(self, text)
        self.tip.setText(text)
        self.tip.setMaximumWidth(max(self.viewport().width() - 24, 120))
        self.tip.adjustSize()
        spot = self._pixel(float(self._xs([series.xs[at[1]]])[0]), float(series.ys[at[1]]))
        place = self.mapFromScene(self.getViewBox().mapToScene(spot))
        left = min(place.x() + 12, self.viewport().width() - self.tip.width() - 6)
        top = place.y() - self.tip.height() - 12
        self.tip.move(max(left, 6), top if top > 4 else place.y() + 14)
        self.tip.show()
        self.tip.raise_()

    def _step(self, along: int, across: int) -> None:
        """To the next point with the keyboard: along a curve in strides, across to another contestant."""
        assert self.chart is not None
        series = self.chart.series
        if not series:
            return
        number, index = self._at or (0, -1)
        points = len(series[number].xs)
        if across or points == 1:
            number = (number + (across or along)) % len(series) if self._at is not None else 0
            index = min(max(index, 0), len(series[number].xs) - 1)
        else:
            index = min(max(index + along * max(points // 20, 1), 0), points - 1)
        self._tell((number, index), aloud=True)

    # --- hands ------------------------------------------------------------------------------------------------
    def event(self, event: QEvent) -> bool:
        """Escape is the plot's own while a value is shown, not the window's."""
        asked = event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent)
        if asked and event.key() == Qt.Key.Key_Escape and self.tip.isVisible():  # type: ignore[attr-defined]
            event.accept()
            return True
        return bool(super().event(event))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        keys = Qt.Key
        steps = {keys.Key_Right: (1, 0), keys.Key_Left: (-1, 0), keys.Key_Down: (0, 1), keys.Key_Up: (0, -1)}
        key = keys(event.key())
        if self.chart is not None and key in steps:
            self._step(*steps[key])
        elif key in (keys.Key_Plus, keys.Key_Equal):
            self.zoom(ZOOM)
        elif key == keys.Key_Minus:
            self.zoom(1 / ZOOM)
        elif key in (keys.Key_Home, keys.Key_0):
            self.reset()
        elif key == keys.Key_Escape and self.tip.isVisible():
            self._tell(None)
        else:
            event.ignore()
            return
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        at = None if event.buttons() else self.nearest(event.position())
        if at != self._at:
            self._tell(at)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._tell(None)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        super().mouseDoubleClickEvent(event)
        self.reset()

    def contextMenuEvent(self, event: Any) -> None:
        self.menu_wanted.emit(event.globalPos())
        event.accept()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.hasFocus():
            painter = QPainter(self.viewport())
            painter.setPen(QPen(QColor(self._theme.tokens.accent), 1))
            painter.drawRect(self.viewport().rect().adjusted(0, 0, -1, -1))
            painter.end()

    def focusInEvent(self, event: Any) -> None:
        super().focusInEvent(event)
        self.viewport().update()

    def focusOutEvent(self, event: Any) -> None:
        super().focusOutEvent(event)
        self._tell(None)
        self.viewport().update()

    # --- pictures ---------------------------------------------------------------------------------------------
    def image(self) -> QImage:
        """As it is seen, without what the pointer shows."""
        size = self.viewport().size()
        image = QImage(size * PNG_SCALE, QImage.Format.Format_RGB32)
        painter = QPainter(image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.render(painter)
        painter.end()
        return image

    def svg(self) -> str:
        size, buffer = self.viewport().size(), QBuffer()
        buffer.open(QBuffer.OpenModeFlag.WriteOnly)
        generator = QSvgGenerator()
        generator.setOutputDevice(buffer)
        generator.setSize(size)
        generator.setViewBox(QRectF(0, 0, size.width(), size.height()))
        if self.chart is not None:
            generator.setTitle(self.chart.title)
            generator.setDescription(self.chart.words)
        painter = QPainter(generator)
        self.render(painter)
        painter.end()
        return bytes(buffer.data().data()).decode()


def png_bytes(image: QImage) -> bytes:
    """May be called from a worker."""
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QBuffer.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return bytes(data.data())


def _pen(color: str | QColor, width: float, style: Qt.PenStyle = Qt.PenStyle.SolidLine) -> QPen:
    """So many pixels wide at any zoom."""
    pen = QPen(QColor(color), width, style)
    pen.setCosmetic(True)
    return pen


def _braced(text: str) -> str:
    """pyqtgraph's line labels are formats."""
    return text.replace("{", "{{").replace("}", "}}")


def _plain(name: str) -> str:
    """pyqtgraph's legend reads HTML."""
    return name.replace("&", "&amp;").replace("<", "&lt;")
