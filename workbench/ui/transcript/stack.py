"""The rows one above the other: where each begins, and which one is at a height."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from workbench.ui.transcript.items import TranscriptItem
from workbench.ui.transcript.metrics import Metrics
from workbench.ui.transcript.row import Row


class Stack:
    """Heights in device-independent pixels from the top of the whole transcript."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.tops: list[float] = [0.0]
        """Top of each row, and one more: the end of the last, gap included."""
        self._keys: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def index(self, key: str) -> int:
        """Raises KeyError for an unknown key."""
        return self._keys[key]

    def find(self, key: str) -> int | None:
        return self._keys.get(key)

    def set_items(self, items: list[TranscriptItem], metrics: Metrics, width: float) -> None:
        self.rows = [Row(item) for item in items]
        self._keys = {item.key: index for index, item in enumerate(items)}
        for row in self.rows:
            row.estimate(metrics, width)
        self.restack(metrics)

    def append(self, item: TranscriptItem, metrics: Metrics, width: float) -> Row:
        row = Row(item)
        row.estimate(metrics, width)
        self._keys[item.key] = len(self.rows)
        self.rows.append(row)
        self.restack(metrics, len(self.rows) - 1)
        return row

    def remove(self, index: int, metrics: Metrics) -> Row:
        row = self.rows.pop(index)
        self._keys = {row.item.key: number for number, row in enumerate(self.rows)}
        self.restack(metrics)
        return row

    def restack(self, metrics: Metrics, start: int = 0) -> None:
        """Bring `tops` up to date from row `start` on."""
        if start >= len(self.tops):
            start = 0
        first = self.tops[start] if start else float(metrics.top)
        heights = (row.height + metrics.gap for row in self.rows[start:])
        self.tops[start:] = accumulate(heights, initial=first)

    def total(self, metrics: Metrics) -> float:
        return self.tops[-1] + metrics.px(6) if self.rows else 0.0

    def at(self, y: float) -> int:
        """The row at this height; the nearest one above or below the ends. -1 without rows."""
        return min(len(self.rows) - 1, max(0, bisect_right(self.tops, y) - 1)) if self.rows else -1

    def visible(self, top: float, bottom: float) -> range:
        if not self.rows:
            return range(0)
        first = self.at(top)
        last = first
        while last + 1 < len(self.rows) and self.tops[last + 1] < bottom:
            last += 1
        return range(first, last + 1)
