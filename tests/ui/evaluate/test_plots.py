"""The plots: what they show, with the pointer and the keyboard, in both themes, and saved."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import shiboken6
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from tests.ui.evaluate.conftest import CITIES, Evaluating
from tests.ui.evaluate.test_evaluate import run
from workbench.core.errors import BadInput
from workbench.core.settings import Appearance
from workbench.evaluation.spec import EvalSpec, read_spec
from workbench.ui.evaluate.chart import Chart, Series, log_ticks, spread, within
from workbench.ui.evaluate.plot_library import PlotLibrary
from workbench.ui.jobs import Jobs
from workbench.ui.theme import Look, Theme
from workbench.ui.tokens import DARK, LIGHT


@pytest.fixture
def timed(quiz: Path) -> EvalSpec:
    """The quiz with recorded answers that tell their time and price."""
    lines = [
        {"case": country, "text": city, "duration_s": 1.0 + number, "cost_usd": 0.002}
        for number, (country, city) in enumerate(CITIES.items())
    ]
    (quiz.parent / "api.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return read_spec(quiz)


def shown(driver: Evaluating, spec: EvalSpec, folder: Path, kind: int = 0):
    """The plot of one kind, drawn."""
    run(driver, spec, folder)
    results = driver.place.results
    driver.click(results.plots_button)
    driver.click(results.plots.kinds[kind])
    driver.wait(lambda: results.plots.plot is not None and results.plots.plot.chart is results.plots.chart)
    return results.plots


def move(plot, at: QPointF) -> None:
    """The pointer to a place of the plot's viewport."""
    none = Qt.MouseButton.NoButton
    event = QMouseEvent(
        QEvent.Type.MouseMove, at, plot.viewport().mapToGlobal(at), none, none, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(plot.viewport(), event)


def turn_wheel(plot, at: QPointF) -> None:
    event = QWheelEvent(
        at,
        plot.viewport().mapToGlobal(at),
        QPoint(),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(plot.viewport(), event)


def point_of(plot, series: int, index: int) -> QPointF:
    item = plot.chart.series[series]
    spot = plot._pixel(float(plot._xs([item.xs[index]])[0]), item.ys[index])
    return QPointF(plot.mapFromScene(plot.getViewBox().mapToScene(spot)))


def test_score_and_cost_show_intervals_and_tell_values_where_the_pointer_is(
    evaluating: Evaluating, timed: EvalSpec, quiz: Path
) -> None:
    plots = shown(evaluating, timed, quiz.parent)
    plot = plots.plot
    api = next(series for series in plot.chart.series if series.name == "Recorded API")
    assert (list(api.xs), list(api.ys)) == ([2.0], [100.0])
    assert api.lows[0] < 60 < api.highs[0] <= 100
    move(plot, point_of(plot, plot.chart.series.index(api), 0) + QPointF(3, 2))
    assert plot.tip.isVisible()
    assert "Recorded API: 100.0 %" in plot.tip.text() and "$2.00" in plot.tip.text()
    move(plot, QPointF(plot.viewport().width() / 2, plot.viewport().height() - 3))
    assert not plot.tip.isVisible()
    assert plots.words.text() == plot.accessibleDescription() == plots.chart.words
    assert "Recorded API: 100.0 %" in plots.words.text()
    assert plot.accessibleName() == "Score and cost"


def view(plot) -> list[float]:
    return [*plot.viewRange()[0], *plot.viewRange()[1]]


def test_wheel_and_keys_zoom_and_a_double_click_shows_all(evaluating: Evaluating, timed: EvalSpec, quiz: Path) -> None:
    plot = shown(evaluating, timed, quiz.parent, 2).plot
    all_of_it = view(plot)
    middle = plot.viewport().rect().center()
    plot.setFocus()
    QTest.keyClick(plot, Qt.Key.Key_Plus)
    assert view(plot)[1] - view(plot)[0] < all_of_it[1] - all_of_it[0]
    turn_wheel(plot, QPointF(middle))
    assert view(plot)[1] - view(plot)[0] < 0.8 * (all_of_it[1] - all_of_it[0])
    QTest.mouseDClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=middle)
    assert view(plot) == pytest.approx(all_of_it)
    QTest.keyClick(plot, Qt.Key.Key_Minus)
    assert view(plot) != pytest.approx(all_of_it)
    QTest.keyClick(plot, Qt.Key.Key_Home)
    assert view(plot) == pytest.approx(all_of_it)
    QTest.keyClick(plot, Qt.Key.Key_Right)
    first = plot.tip.text()
    assert "% of the answers came within" in first
    QTest.keyClick(plot, Qt.Key.Key_Right)
    assert plot.tip.isVisible() and plot.tip.text() != first
    QTest.keyClick(plot, Qt.Key.Key_Down)
    assert plot.tip.text().partition(":")[0] != first.partition(":")[0]
    QTest.keyClick(plot, Qt.Key.Key_Escape)
    assert not plot.tip.isVisible()


def test_break_even_follows_the_numbers_under_cost(evaluating: Evaluating, timed: EvalSpec, quiz: Path) -> None:
    plots = shown(evaluating, timed, quiz.parent, 3)
    assert "from the first case on" in plots.words.text()
    assert not plots.plot.chart.marks
    evaluating.place.results.cost.price.setValue(1_000)
    evaluating.wait(lambda: plots.plot.chart.marks)
    assert plots.plot.chart.marks[0][0] == pytest.approx(500_000, rel=0.01)
    assert "at 10,000 cases a month, that is after 50" in plots.words.text()


def test_plots_follow_the_theme_and_the_texts_size(qapp: QApplication, qtbot: QtBot) -> None:
    from workbench.ui.evaluate.plot import Plot

    theme = Theme(qapp, Look("light"))
    plot = Plot(theme)
    qtbot.addWidget(plot)
    series = [Series("A", [1.0, 2.0], [10.0, 90.0], shape="steps"), Series("B", [1.0], [50.0], place=1)]
    plot.show_chart(Chart("t", "w", titles=("x", "y"), series=series, x_range=(0.5, 3.0), y_range=(0.0, 100.0)))
    plot.resize(600, 400)
    plot.show()
    plot.zoom(0.5)
    before, colors = view(plot), []
    for name in ("dark", "light"):
        theme.set_appearance(Appearance(theme=name))
        wanted = DARK if name == "dark" else LIGHT
        qtbot.waitUntil(lambda wanted=wanted: plot.backgroundBrush().color().name() == wanted.panel)
        colors.append(plot.viewport().grab().toImage().pixelColor(300, 3).name())
    assert colors == [DARK.panel, LIGHT.panel]
    height = plot._axes["bottom"].height()
    theme.set_appearance(Appearance(theme="light", text_scale=200))
    qtbot.waitUntil(lambda: plot._axes["bottom"].height() > height)
    assert view(plot) == pytest.approx(before)
    theme.set_appearance(Appearance(theme="light"))
    qtbot.waitUntil(lambda: theme.scale == 100)


def test_a_plot_is_saved_as_picture_drawing_and_numbers(
    evaluating: Evaluating, timed: EvalSpec, quiz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plots = shown(evaluating, timed, quiz.parent)
    kinds = iter(("png", "svg", "csv"))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_a, **_k: (str(tmp_path / f"plot.{next(kinds)}"), ""))
    actions = [action for action in plots.take.menu().actions() if not action.isSeparator()]
    for action in actions[1:4]:
        action.trigger()
    evaluating.settle()
    image = QImage(str(tmp_path / "plot.png"))
    assert image.width() == 2 * plots.plot.viewport().width()
    svg = (tmp_path / "plot.svg").read_text()
    assert "<svg" in svg and "Recorded API" in svg
    rows = list(csv.reader((tmp_path / "plot.csv").read_text().splitlines()))
    assert rows[0] == ["series", "Cost of 1,000 cases ($)", "Score, 95 % interval (%)", "low", "high"]
    assert ["Recorded API", "2.0", "100.0"] in [row[:3] for row in rows]
    actions[4].trigger()
    assert not QApplication.clipboard().image().isNull()


def test_a_score_without_a_known_cost_is_a_level_line(evaluating: Evaluating, spec: EvalSpec, quiz: Path) -> None:
    plots = shown(evaluating, spec, quiz.parent)
    assert [series.name for series in plots.chart.series] == ["Echo"]
    assert plots.chart.levels == [(75.0, "Recorded API")]
    low, high = plots.plot.viewRange()[1]
    assert low < 75 < high
    assert "not known: Recorded API (75.0 %)" in plots.words.text()


def test_what_can_not_be_plotted_is_said(evaluating: Evaluating, spec: EvalSpec, quiz: Path) -> None:
    run(evaluating, spec, quiz.parent)
    results = evaluating.place.results
    evaluating.click(results.plots_button)
    evaluating.click(results.plots.kinds[3])
    evaluating.wait(lambda: "API's price is not known" in results.plots.message.text())
    assert results.plots.message.isVisible()
    assert not results.plots.take.isEnabled()


def test_nothing_of_the_evaluation_before_stands_under_the_next_ones_title(
    evaluating: Evaluating, timed: EvalSpec, quiz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plots = shown(evaluating, timed, quiz.parent)
    results, first = evaluating.place.results, evaluating.place.results.loaded.row.id
    run(evaluating, msgspec.structs.replace(timed, name="Second"), quiz.parent)
    sentences, text = results.verdicts.sentences, results.cost.text.text()
    assert sentences and text
    evaluating.click(results.plots_button)
    evaluating.wait(lambda: plots.stack.currentWidget() is plots.plot)

    def broken(*_: object) -> None:
        raise BadInput("can't be read")

    monkeypatch.setattr("workbench.ui.evaluate.results_view.load_analysis", broken)
    evaluating.place.state.show("evaluation", first)
    evaluating.wait(lambda: results.title.text() == timed.name)
    evaluating.settle()
    assert not results.verdicts.sentences and not results.cost.text.text()
    evaluating.click(results.plots_button)
    assert plots.chart is None and plots.stack.currentWidget() is plots.message
    assert not plots.take.isEnabled() and not plots.words.isVisible()


class Library:
    """The library as it is before anything is imported, with views that load it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, jobs: Jobs) -> None:
        monkeypatch.setattr(PlotLibrary, "loaded", False)
        monkeypatch.setattr(PlotLibrary, "_steps", None)
        self.jobs = jobs
        self.told: list[str] = []

    def load(self) -> PlotLibrary:
        view = PlotLibrary(self.jobs, self.jobs)
        self.again(view)
        return view

    def again(self, view: PlotLibrary) -> None:
        view.load(lambda: self.told.append("done"), lambda error: self.told.append(error.message))


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, qapp: QApplication) -> Iterator[Library]:
    jobs = Jobs()
    yield Library(monkeypatch, jobs)
    jobs.close()


def test_plots_that_can_not_be_drawn_say_why_and_are_tried_again(
    library: Library, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    def damaged() -> Iterator[None]:
        yield
        raise RuntimeError("damaged")

    with monkeypatch.context() as patch:
        patch.setattr("workbench.ui.evaluate.plot_library.AHEAD", ["no_such_module"])
        view = library.load()
        qtbot.waitUntil(lambda: library.told == ["Plots can't be drawn: No module named 'no_such_module'"])
    with monkeypatch.context() as patch:
        patch.setattr("workbench.ui.evaluate.plot_library._slices", damaged)
        library.again(view)
        qtbot.waitUntil(lambda: library.told[1:] == ["Plots can't be drawn: damaged"])
    library.again(view)
    qtbot.waitUntil(lambda: library.told[2:] == ["done"], timeout=20_000)


def test_a_view_that_goes_while_plots_are_imported_leaves_them_to_the_next(
    library: Library, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    steps: list[int] = []

    def counted() -> Iterator[None]:
        for number in range(2_000):
            steps.append(number)
            if number == 5:
                view.deleteLater()
            yield

    monkeypatch.setattr("workbench.ui.evaluate.plot_library._slices", counted)
    monkeypatch.setattr("workbench.ui.evaluate.plot_library.TURN_S", -1.0)
    view = library.load()
    qtbot.waitUntil(lambda: not shiboken6.isValid(view))
    assert 5 < len(steps) < 2_000
    library.load()
    library.load()
    qtbot.waitUntil(lambda: library.told == ["done", "done"])
    assert steps == list(range(2_000)) and PlotLibrary.loaded


def test_ranges_and_ticks() -> None:
    assert spread([1.0, 2.0])[1] is False
    (low, high), log = spread([0.01, 10.0])
    assert log and low < 0.01 and high > 10
    assert spread([0.0, 0.0], 0.001)[0][1] > 0
    assert within([99.0, 100.0], 0, 100)[1] <= 102
    assert log_ticks(-0.1, 1.1) == pytest.approx([0, 0.30103, 0.69897, 1.0])
    chart = Chart("t", "w", titles=("x", "y"), series=[Series("a,b", [1], [2])])
    assert chart.csv() == 'series,x,y\n"a,b",1,2\n'
    chart = Chart("t", "w", series=[Series("a", [1], [2], lows=[1], highs=[3])], levels=[(75.0, "b")])
    assert chart.csv().splitlines()[1:] == ["a,1,2,1,3", "b,,75.0,,"]


def test_pyqtgraph_is_imported_for_the_first_plot_only() -> None:
    code = "import sys, workbench.ui.evaluate.page; print('pyqtgraph' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
