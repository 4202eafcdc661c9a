"""What a plot shows, told apart from how it is drawn: neither Qt nor pyqtgraph in here."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal


def _nothing(_index: int) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Series:
    """One contestant's points, from left to right, or a curve through them."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    say: Callable[[int], str] = _nothing
    """What one of the points means, in words: shown at the pointer, and read by screen readers."""
    lows: Sequence[float] = ()
    highs: Sequence[float] = ()
    """Intervals of `ys`."""
    shape: Literal["points", "steps", "line"] = "points"
    place: int = 0
    """Of the contestant: its colour and symbol are the same in every plot."""


@dataclass(frozen=True, slots=True)
class Chart:
    title: str
    words: str
    """What the plot shows, for those who can't see it and for those who want it told."""
    titles: tuple[str, str] = ("", "")
    """Of the axes, across and up."""
    units: tuple[str, str] = ("", "")
    """Of the numbers; what is written at the axes has them."""
    x_text: Callable[[float], str] = str
    y_text: Callable[[float], str] = str
    series: Sequence[Series] = ()
    """Nothing: the words say why."""
    x_range: tuple[float, float] = (0.0, 1.0)
    y_range: tuple[float, float] = (0.0, 1.0)
    x_log: bool = False
    marks: Sequence[tuple[float, str]] = ()
    """Upright lines: (x, what it is)."""
    levels: Sequence[tuple[float, str]] = ()
    """Level lines: (y, what it is)."""
    joined: Sequence[Sequence[tuple[float, float]]] = field(default_factory=tuple)
    """Lines that join points of several series."""

    def csv(self) -> str:
        """The numbers behind it; a level line has none across."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        intervals = any(series.lows for series in self.series)
        titles = [f"{title} ({unit})" if unit else title for title, unit in zip(self.titles, self.units, strict=True)]
        heads = ["series", *titles, *(("low", "high") if intervals else ())]
        writer.writerow(heads)
        for series in self.series:
            columns = [series.xs, series.ys, *((series.lows, series.highs) if intervals else ())]
            writer.writerows([series.name, *row] for row in zip(*columns, strict=True))
        writer.writerows([name, "", y, *(("", "") if intervals else ())] for y, name in self.levels)
        return text.getvalue()


MANY_TIMES = 20.0


def spread(values: Sequence[float], least: float = 0.0) -> tuple[tuple[float, float], bool]:
    """(range with some air, whether it is better logarithmic) of values that are not negative."""
    low, high = min(values), max(values)
    if low > 0 and high / low > MANY_TIMES:
        air = (high / low) ** 0.12
        return (low / air, high * air), True
    air = max((high - low) * 0.15, high * 0.15, least) or 1.0
    return (max(low - air, -0.1 * air), high + air), False


def within(values: Sequence[float], low: float, high: float) -> tuple[float, float]:
    """The values' range with some air, not much beyond `low` and `high`."""
    air = max((max(values) - min(values)) * 0.15, (high - low) * 0.03)
    return max(min(values) - air, low - 0.02 * (high - low)), min(max(values) + air, high + 0.02 * (high - low))


def log_ticks(low: float, high: float) -> list[float]:
    """Places of 1, 2 and 5 of each decade between two logarithms; only full decades where there are many."""
    first, last = math.floor(low), math.ceil(high)
    steps = (1,) if last - first > 5 else (1, 2, 5)
    places = [decade + math.log10(step) for decade in range(first, last + 1) for step in steps]
    return [place for place in places if low <= place <= high]
