"""The plots of an evaluation: choose one, explore it, read what it says, take it along."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt, QTimer, Slot
from PySide6.QtGui import QGuiApplication, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QFileDialog,
    QMenu,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from workbench.core.errors import ErrorInfo
from workbench.evaluation.break_even import cost_lines
from workbench.ui.context import Context
from workbench.ui.evaluate.chart import Chart
from workbench.ui.evaluate.charts import break_even_chart, cost_chart, latency_chart, speed_chart
from workbench.ui.evaluate.cost_view import CostView
from workbench.ui.evaluate.loaded import Loaded
from workbench.ui.evaluate.parts import scrolled, wrapped
from workbench.ui.evaluate.plot_library import PlotLibrary
from workbench.ui.evaluate.state import EvaluateState
from workbench.ui.flow import FlowLayout
from workbench.ui.icons import PushButton
from workbench.ui.tr import tr

if TYPE_CHECKING:
    from workbench.ui.evaluate.plot import Plot

WORDS_HEIGHT = 5
"""Lines of text below a plot, at most; more is scrolled."""
WORDS_SHARE = 6
"""Of the height, for them."""


class PlotsView(QWidget):
    """Nothing is computed or imported before it is first seen."""

    def __init__(self, state: EvaluateState, context: Context, cost: CostView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state, self._context, self._cost = state, context, cost
        self._loaded: Loaded | None = None
        self._library = PlotLibrary(context.jobs, self)
        self._kind = 0
        self.chart: Chart | None = None
        self.plot: Plot | None = None
        self._stale = True
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(self._head())
        self.stack = QStackedWidget()
        self.message = wrapped("", "muted")
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.stack.addWidget(self.message)
        column.addWidget(self.stack, 1)
        self.words = wrapped("", "small")
        self.words.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._words_area = scrolled(self.words)
        self._words_area.setAccessibleName(tr("What the plot shows"))
        column.addWidget(self._words_area)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self._refresh)
        cost.changed.connect(self._changed)

    # --- building ---------------------------------------------------------------------------------------------
    def _head(self) -> FlowLayout:
        line = FlowLayout(spacing=4)
        self.group = QButtonGroup(self)
        self.kinds: list[QToolButton] = []
        titles = (tr("Score and cost"), tr("Score and time"), tr("Times of answers"), tr("Break-even"))
        for index, title in enumerate(titles):
            button = QToolButton()
            button.setObjectName("chip")
            button.setText(title)
            button.setAccessibleName(title)
            button.setCheckable(True)
            button.setChecked(not index)
            button.clicked.connect(partial(self.choose, index))
            self.group.addButton(button)
            self.kinds.append(button)
            line.addWidget(button)
        line.add_stretch()
        self.see_all = PushButton(tr("See all"), icon_name="rotate-ccw")
        self.see_all.setToolTip(tr("Undo moving and zooming (double click, or Home)"))
        self.see_all.clicked.connect(self._reset)
        line.addWidget(self.see_all)
        self.take = PushButton(tr("Save plot"), icon_name="arrow-down-to-line")
        self.take.setMenu(self._menu())
        line.addWidget(self.take)
        return line

    def _menu(self) -> QMenu:
        menu = QMenu(self)
        menu.addAction(tr("See all")).triggered.connect(self._reset)
        menu.addSeparator()
        entries: tuple[tuple[str, Callable[..., None]], ...] = (
            (tr("Picture as PNG…"), partial(self._save, "png")),
            (tr("Drawing as SVG…"), partial(self._save, "svg")),
            (tr("Numbers as CSV…"), partial(self._save, "csv")),
            (tr("Copy picture"), self._copy),
        )
        for title, callback in entries:
            menu.addAction(title).triggered.connect(callback)
        return menu

    # --- content ----------------------------------------------------------------------------------------------
    def show_loaded(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._changed()

    def clear(self) -> None:
        """Until another evaluation's numbers are there."""
        self._loaded = self.chart = None
        self._stale = True
        self._say("")
        self._words_area.setVisible(False)
        for widget in (self.see_all, self.take):
            widget.setEnabled(False)

    def choose(self, index: int, _checked: bool = False) -> None:
        self._kind = index
        self.kinds[index].setChecked(True)
        self._changed()

    @Slot()
    def _changed(self) -> None:
        self._stale = True
        if self.isVisible():
            self._soon.start()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self._soon.start()

    @Slot()
    def _refresh(self) -> None:
        chart = self._make()
        if chart is None:
            return
        self.chart, self._stale = chart, False
        self._fit_words(chart)
        for widget in (self.see_all, self.take):
            widget.setEnabled(bool(chart.series))
        if not chart.series:
            self._say(chart.words)
            return
        if not PlotLibrary.loaded:
            self._say(tr("Getting ready…"))
        self._library.load(self._draw, self._failed)

    def _make(self) -> Chart | None:
        loaded = self._loaded
        if loaded is None or loaded.analysis is None:
            return None
        analysis, cost = loaded.analysis, self._cost
        if self._kind == 0:
            return cost_chart(analysis, cost.machine)
        if self._kind == 1:
            return speed_chart(analysis)
        if self._kind == 2:
            return latency_chart(analysis, loaded.durations)
        baseline = loaded.spec.baseline.name if loaded.spec.baseline else ""
        lines = cost_lines(analysis, baseline, api_usd_per_1000=cost.api_usd_per_1000, machine=cost.machine)
        return break_even_chart(analysis, lines, cost.cases.value())

    def _draw(self) -> None:
        from workbench.ui.evaluate.plot import Plot  # noqa: PLC0415 - brings pyqtgraph, which is there by now

        chart = self.chart
        if chart is None or not chart.series:
            return
        if self.plot is None:
            self.plot = Plot(self._context.theme)
            self.plot.menu_wanted.connect(self._open_menu)
            self.stack.addWidget(self.plot)
        self.plot.show_chart(chart)
        self.stack.setCurrentWidget(self.plot)

    def _say(self, text: str) -> None:
        self.message.setText(text)
        self.stack.setCurrentWidget(self.message)

    def _failed(self, error: ErrorInfo) -> None:
        self._say(str(error))

    def _fit_words(self, chart: Chart) -> None:
        self.words.setText(chart.words if chart.series else "")
        self._words_area.setVisible(bool(chart.series))
        line = self.words.fontMetrics().lineSpacing()
        needed = self.words.heightForWidth(max(self.width() - 16, 100))
        most = min(WORDS_HEIGHT, max(self.height() // WORDS_SHARE // line, 2))
        self._words_area.setFixedHeight(min(needed, most * line) + 8)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.chart is not None:
            self._fit_words(self.chart)

    # --- actions ----------------------------------------------------------------------------------------------
    @Slot()
    def _reset(self) -> None:
        if self.plot is not None:
            self.plot.reset()

    @Slot(QPoint)
    def _open_menu(self, at: QPoint) -> None:
        self.take.menu().popup(at)

    @Slot()
    def _copy(self) -> None:
        if self.plot is not None and self.chart is not None and self.chart.series:
            QGuiApplication.clipboard().setImage(self.plot.image())
            self._context.shell.toast(tr("Copied"))

    def _save(self, kind: str, _checked: bool = False) -> None:
        chart, plot = self.chart, self.plot
        if chart is None or plot is None or not chart.series:
            return
        suggestion = f"{chart.title}.{kind}"
        name, _ = QFileDialog.getSaveFileName(self, tr("Save plot"), suggestion, f"{kind.upper()} (*.{kind})")
        if not name:
            return
        if kind == "csv":
            self._state.write_file(Path(name), chart.csv())
        elif kind == "svg":
            self._state.write_file(Path(name), plot.svg())
        else:
            from workbench.ui.evaluate.plot import png_bytes  # noqa: PLC0415 - as above

            self._state.write_file(Path(name), partial(png_bytes, plot.image()))
