"""The plots of an evaluation, as charts: quality against cost or time, how long answers take, and when what pays."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import attrgetter

from workbench.evaluation.analysis import Analysis, Arm, arm_names
from workbench.evaluation.break_even import CostLine, Machine, usd_per_1000
from workbench.evaluation.plots import (
    QualityPoint,
    distribution,
    quality_points,
    quantile,
    quantisation_lines,
)
from workbench.ui.evaluate.chart import Chart, Series, spread, within
from workbench.ui.formats import decimal, elapsed_text, exact_money, number, percent, significant
from workbench.ui.tr import mark, tr, trn

LINE_STEPS = 120
"""Places on a straight line that the pointer finds."""


def cost_chart(analysis: Analysis, machine: Machine) -> Chart:
    points, missing = quality_points(analysis, lambda arm: usd_per_1000(arm, machine))
    return _quality(
        tr("Score and cost"),
        points,
        missing,
        x_title=tr("Cost of 1,000 cases"),
        x_unit="$",
        x_text=_dollars,
        said=tr(
            "Further up is better, further left is cheaper. Models on this machine cost their electricity (see Cost)."
        ),
        unknown=mark("A level line, because the cost is not known: {names}."),
        nothing=tr("No model has both a score and a known cost, so there is nothing to plot."),
    )


def speed_chart(analysis: Analysis) -> Chart:
    points, missing = quality_points(analysis, attrgetter("latency_median_s"))
    return _quality(
        tr("Score and time"),
        points,
        missing,
        x_title=tr("Time of an answer, median"),
        x_unit="s",
        x_text=_time_at,
        x_said=_time,
        said=tr("Further up is better, further left is faster."),
        unknown=mark("A level line, because the time is not known: {names}."),
        nothing=tr("No model has both a score and a known time, so there is nothing to plot."),
    )


def latency_chart(analysis: Analysis, durations: Mapping[Arm, Sequence[float]]) -> Chart:
    """One step curve for each contestant."""
    title = tr("Times of answers")
    names, series, told = _names(analysis), [], []
    for place, arm in enumerate(names):
        seconds = durations.get(arm)
        if not seconds:
            continue
        xs, ys = distribution(seconds)

        def say(index: int, name: str = names[arm], xs: list[float] = xs, ys: list[float] = ys) -> str:
            share, time = percent(ys[index] / 100, 0), _time(xs[index])
            return tr("{name}: {share} of the answers came within {time}", name=name, share=share, time=time)

        series.append(Series(names[arm], xs, ys, say, shape="steps", place=place))
        told.append(
            trn(
                "{name}: its one answer took {half}.",
                "{name}: half of {count} answers came within {half}, 95 % within {most}.",
                len(seconds),
                name=names[arm],
                half=_time(quantile(seconds, 0.5)),
                most=_time(quantile(seconds, 0.95)),
            )
        )
    if not series:
        return Chart(title, tr("No answer of this evaluation was timed, so there is nothing to plot."))
    x_range, x_log = spread([x for line in series for x in (line.xs[0], line.xs[-1])], 0.01)
    left, right = x_range  # room for the names, where all lines have come to their ends
    x_range = left, right * (right / left) ** 0.3 if x_log else right + (right - left) * 0.3
    return Chart(
        title,
        " ".join([tr("The share of answers that had come after a time; further left is faster."), *told]),
        titles=(tr("Time"), tr("Answers that had come")),
        units=("s", "%"),
        x_text=_time_at,
        y_text=_percent,
        series=series,
        x_range=x_range,
        y_range=(-2.0, 102.0),
        x_log=x_log,
    )


def break_even_chart(analysis: Analysis, lines: Sequence[CostLine], cases_per_month: int) -> Chart:
    """Cost over the number of requests: the API's line, and one for each model on this machine."""
    title = tr("Break-even")
    api = next((line for line in lines if not line.local), None)
    local = [line for line in lines if line.local]
    if not local:
        return Chart(title, tr("No local model was timed in this evaluation."))
    if api is None:
        text = tr("The API's price is not known. Enter it under Cost, as API price of 1,000 cases.")
        return Chart(title, text)
    met = [(line, line.cheaper_than(api)) for line in local]
    crossings = [cases for _, cases in met if cases]
    end = max([2 * cases for cases in crossings] or [0.0]) or 12.0 * cases_per_month
    xs = [end * step / LINE_STEPS for step in range(LINE_STEPS + 1)]
    series, places = [], {name: place for place, name in enumerate(_names(analysis).values())}
    for line in (api, *local):
        ys = [line.at(x) for x in xs]

        def say(index: int, name: str = line.name, ys: list[float] = ys) -> str:
            cases, cost = number(xs[index]), _dollars(ys[index])
            return tr("{name}: {count} cases cost {cost}", name=name, count=cases, cost=cost)

        series.append(Series(line.name, xs, ys, say, shape="line", place=places.get(line.name, len(places))))
    top = max(y for line in series for y in (line.ys[0], line.ys[-1])) or 1.0
    marks = [(cases, tr("{count} cases", count=number(cases))) for cases in crossings]
    return Chart(
        title,
        " ".join(
            [
                tr("What so many cases cost altogether: the API's price, or the machine and its electricity."),
                *(_meeting(line, cases, api, cases_per_month) for line, cases in met),
            ]
        ),
        titles=(tr("Cases"), tr("Cost")),
        units=("", "$"),
        x_text=number,
        y_text=_dollars,
        series=series,
        x_range=(-0.02 * end, 1.02 * end),
        y_range=(-0.03 * top, 1.06 * top),
        marks=marks,
    )


def _meeting(line: CostLine, cases: float | None, api: CostLine, cases_per_month: int) -> str:
    if cases is None:
        return tr("{name} never becomes cheaper than {api}.", name=line.name, api=api.name)
    if not cases:
        return tr("{name} is cheaper than {api} from the first case on.", name=line.name, api=api.name)
    return tr(
        "{name} is cheaper than {api} after {count} cases; at {each} cases a month, that is after {months} months.",
        name=line.name,
        api=api.name,
        count=number(cases),
        each=number(cases_per_month),
        months=decimal(cases / cases_per_month),
    )


def _quality(
    title: str,
    points: Sequence[QualityPoint],
    missing: Sequence[tuple[str, float | None]],
    *,
    x_title: str,
    x_unit: str,
    x_text: Callable[[float], str],
    x_said: Callable[[float], str] | None = None,
    said: str,
    unknown: str,
    nothing: str,
) -> Chart:
    if not points:
        return Chart(title, nothing)
    told = [
        tr(
            "{name}: {score} ({low} to {high}), {x}.",
            name=point.name,
            score=percent(point.score / 100, 1),
            low=decimal(point.low),
            high=percent(point.high / 100, 1),
            x=(x_said or x_text)(point.x),
        )
        for point in points
    ]
    series = [
        Series(point.name, [point.x], [point.score], partial(_said, text), [point.low], [point.high], place=point.place)
        for point, text in zip(points, told, strict=True)
    ]
    levels = [(score, name) for name, score in missing if score is not None]
    listed = ", ".join(f"{name} ({percent(score / 100, 1)})" for score, name in levels)
    level = tr(unknown, names=listed) if levels else ""
    joined = [[(points[i].x, points[i].score) for i in line] for line in quantisation_lines(points)]
    more = tr("Dashed lines join the quantisations of one model.") if joined else ""
    x_range, x_log = spread([point.x for point in points], 0.001)
    heights = [*(value for point in points for value in (point.low, point.high)), *(score for score, _ in levels)]
    return Chart(
        title,
        " ".join(part for part in (said, more, *told, level) if part),
        titles=(x_title, tr("Score, 95 % interval")),
        units=(x_unit, "%"),
        x_text=x_text,
        y_text=_percent,
        series=series,
        x_range=x_range,
        y_range=within(heights, 0.0, 100.0),
        x_log=x_log,
        levels=levels,
        joined=joined,
    )


def _names(analysis: Analysis) -> dict[Arm, str]:
    return arm_names((arm.contestant, arm.prompt) for arm in analysis.arms)


def _said(text: str, _index: int) -> str:
    return text


def _percent(value: float) -> str:
    return percent(value / 100, 0 if abs(value - round(value)) < 1e-9 else 1)


def _time(seconds: float) -> str:
    """With as many digits as say something: an axis has places between the milliseconds."""
    return (
        elapsed_text(seconds)
        if seconds >= 0.01 or seconds <= 0
        else tr("{count} ms", count=significant(seconds * 1e3, 2))
    )


def _time_at(seconds: float) -> str:
    """At an axis."""
    return tr("{count} s", count=significant(seconds)) if seconds >= 1 else _time(seconds)


def _dollars(usd: float) -> str:
    """Cents; none from a hundred dollars on, and more below a dime, so that two digits say something."""
    if usd == 0 or abs(usd) >= 100:
        return exact_money(usd, 0)
    return exact_money(usd, max(2, 1 - math.floor(math.log10(abs(usd)))))
