"""What a process with a window holds, and which of it grows."""

from __future__ import annotations

import gc
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from PySide6.QtCore import QAbstractAnimation, QAbstractItemModel, QObject, QSocketNotifier, QThread, QTimer
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QWidget

from workbench.app.heap import give_back

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Sample:
    """Taken after a full garbage collection, while nothing is going on."""

    at_s: float
    own_mb: float
    """What this process alone has written: heaps, stacks, pictures; swapped out or not."""
    rss_mb: float
    threads: int
    files: int
    """Open file descriptors (handles on Windows)."""
    processes: int
    qobjects: int
    """Of the kinds in KINDS."""
    widgets: int
    windows: int
    """Top-level widgets, hidden ones too."""
    timers: int
    """Running ones."""
    python_objects: int


@dataclass(frozen=True, slots=True)
class Growth:
    name: str
    early: float
    late: float
    limit: str
    grows: bool


LIMITS = {
    "own_mb": 0.05,
    "rss_mb": 0.05,
    "python_objects": 0.05,
    "qobjects": 0.01,
    "widgets": 0.01,
    "windows": 0,
    "timers": 0,
    "threads": 0,
    "files": 0,
    "processes": 0,
}
"""How much of each may be added after warming up: a fraction, or 0 for nothing at all."""


def take_sample(at_s: float) -> Sample:
    """Look at what is kept. Free memory is given back first, as the window does every minute: the minutes of six hours
    are pressed into seconds here, and what they would have returned is no leak."""
    gc.collect()
    give_back()
    process = psutil.Process()
    qobjects = all_qobjects()
    return Sample(
        at_s=round(at_s, 1),
        own_mb=round(own_bytes() / MB, 1),
        rss_mb=round(process.memory_info().rss / MB, 1),
        threads=process.num_threads(),
        files=process.num_fds() if hasattr(process, "num_fds") else process.num_handles(),
        processes=len(process.children(recursive=True)),
        qobjects=len(qobjects),
        widgets=sum(isinstance(entry, QWidget) for entry in qobjects),
        windows=len(QApplication.topLevelWidgets()),
        timers=sum(isinstance(entry, QTimer) and entry.isActive() for entry in qobjects),
        python_objects=len(gc.get_objects()) + gc.get_freeze_count(),
    )


def own_bytes() -> int:
    """Anonymous memory. On Linux not what is called unique (USS): that counts the pages of libraries which no other
    process has at this moment, 35 MB here when another program with Qt ends, and falls when one starts."""
    rollup = Path("/proc/self/smaps_rollup")
    if not rollup.exists():
        return int(psutil.Process().memory_full_info().uss)
    fields = dict(line.split(":", 1) for line in rollup.read_text().splitlines()[1:])
    return sum(int(fields[name].split()[0]) * 1024 for name in ("Anonymous", "Swap"))


KINDS = (QWidget, QTimer, QAction, QThread, QAbstractAnimation, QAbstractItemModel, QSocketNotifier)
"""What is counted. Not every QObject: Python's handles of what Qt makes inside (documents of labels) would be kept by
their parents, so that looking at them would be a leak of its own."""


def all_qobjects() -> list[QObject]:
    """Those below the application and its windows. What has no parent and is no window is Python's to free."""
    app = QApplication.instance()
    assert app is not None
    roots: list[QObject] = [app, *QApplication.topLevelWidgets()]
    found = [*roots, *(entry for root in roots for kind in KINDS for entry in root.findChildren(kind))]
    return list({id(entry): entry for entry in found}.values())


def census() -> Counter[str]:
    """How many objects there are of each Python type, of each class of Qt's, and threads by name."""
    qobjects = all_qobjects()  # first: looking makes Python's handles of them
    counts: Counter[str] = Counter(f"{type(entry).__module__}.{type(entry).__qualname__}" for entry in gc.get_objects())
    counts.update(f"Qt: {entry.metaObject().className()}" for entry in qobjects)
    counts.update(f"thread: {thread.name}" for thread in threading.enumerate())
    return counts


def growth(samples: Sequence[Sample]) -> list[Growth]:
    """The first third of the samples against the last.

    Memory and counts of objects swing: their medians are compared. What must not be added at all grows if it is more
    from each third to the next: a thread or a connection that is made late, once, is no leak.
    """
    third = max(1, len(samples) // 3)
    parts = samples[:third], samples[third:-third], samples[-third:]
    found = []
    for name, limit in LIMITS.items():
        first, middle, last = ([float(getattr(sample, name)) for sample in part] for part in parts)
        if limit:
            early, late = median(first), median(last)
            grows = late > early * (1 + limit)
        else:
            early, late = max(first), min(last)
            grows = early < min(middle) and max(middle) < late
        found.append(Growth(name, early, late, f"{limit:.0%}" if limit else "none", grows))
    return found


def table(found: Sequence[Growth]) -> str:
    lines = [f"{'':16}{'early':>12}{'late':>12}{'change':>9}  allowed"]
    for row in found:
        change = f"{(row.late / row.early - 1) * 100:+.1f} %" if row.early else f"{row.late - row.early:+.0f}"
        verdict = "  GROWS" if row.grows else ""
        lines.append(f"{row.name:16}{row.early:12,.1f}{row.late:12,.1f}{change:>9}  {row.limit}{verdict}")
    return "\n".join(lines)


def plain(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    return [{name: getattr(sample, name) for name in Sample.__slots__} for sample in samples]
