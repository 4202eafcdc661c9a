"""How fast History opens, sorts, filters and scrolls above 100,000 runs.

    python -m tests.benchmarks.ui_history [--json OUT] [--rows 100000] [--at-once]

Opening is from the click on the rail to the painted list with its rows: wall time, and CPU time of the whole program
(UI thread and workers), which other work on the machine does not lengthen much. `UI thread` is the longest stretch for
which the event loop did not turn: wall time, and the most CPU time the thread took in one. The goal is 200 ms for
opening. It is clicked when the window has come to rest, about two seconds after the start; with `--at-once` as soon as
the database is open, while the window still imports its other places.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from tests.benchmarks.store_speed import grow
from workbench.app.main import Program, make_app
from workbench.core.paths import Paths
from workbench.store import Store
from workbench.ui.history.query import Query

GOAL_OPEN_MS = 200.0
TIMEOUT_S = 60


class Stalls:
    """The longest gap between two beats of the event loop, and the most CPU time in one, in milliseconds."""

    def __init__(self) -> None:
        self.worst = self.worst_cpu = 0.0
        self._last, self._last_cpu = time.perf_counter(), time.thread_time()
        self._timer = QTimer()
        self._timer.setInterval(1)
        self._timer.timeout.connect(self._beat)

    def __enter__(self) -> Stalls:
        self._last, self._last_cpu = time.perf_counter(), time.thread_time()
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._beat()
        self._timer.stop()

    def _beat(self) -> None:
        now, cpu = time.perf_counter(), time.thread_time()
        self.worst = max(self.worst, (now - self._last) * 1000)
        self.worst_cpu = max(self.worst_cpu, (cpu - self._last_cpu) * 1000)
        self._last, self._last_cpu = now, cpu


def spin(app: QApplication, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        app.processEvents(QEventLoop.ProcessEventsFlag.AllEvents | QEventLoop.ProcessEventsFlag.WaitForMoreEvents, 5)
        if time.monotonic() > deadline:
            raise TimeoutError


def shown(page: Any) -> bool:
    """The list is there, and every row in view is known and painted."""
    if not page.state.ids or page.table.isHidden():
        return False
    table = page.table
    first, last = table.rowAt(0), table.rowAt(table.viewport().height() - 1)
    last = last if last >= 0 else len(page.state.ids) - 1
    return all(page.state.row(id_) is not None for id_ in page.state.ids[first : last + 1])


def measure(app: QApplication, home: Path, *, at_once: bool = False) -> dict[str, Any]:
    os.environ["WORKBENCH_HOME"] = str(home)
    program = Program(app, Paths.of_user(), [])
    program.window.resize(1280, 800)
    program.start()
    spin(app, lambda: program.slot.value is not None)
    if not at_once:
        spin(app, gc.get_freeze_count)  # the last of what is done after a start
        spin(app, lambda: program.jobs.pending == 0)
    results: dict[str, Any] = {}

    def timed(name: str, action: Callable[[], Any], done: Callable[[], object]) -> None:
        with Stalls() as stalls:
            began, cpu = time.perf_counter(), time.process_time()
            action()
            spin(app, done)
            page().table.viewport().repaint()
            results[name] = {
                "ms": round((time.perf_counter() - began) * 1000, 1),
                "cpu_ms": round((time.process_time() - cpu) * 1000, 1),
            }
        results[name] |= {"ui_ms": round(stalls.worst, 1), "ui_cpu_ms": round(stalls.worst_cpu, 1)}

    def page() -> Any:
        return program.window.page("history")

    def ask(name: str, query: Query) -> None:
        """Until the first rows of the new list are seen; the rest of its ids come behind."""
        came: list[bool] = []
        page().state.listed.connect(lambda: came.append(True))
        timed(name, lambda: page().state.set_query(query), lambda: (came or not page().state.loading) and shown(page()))
        began = time.perf_counter()
        spin(app, lambda: not page().state.loading and program.jobs.pending == 0)
        results[name]["rest_ms"] = round((time.perf_counter() - began) * 1000, 1)

    timed("open", lambda: program.window.show_place("history"), lambda: shown(page()))
    spin(app, lambda: not page().state.loading and program.jobs.pending == 0)
    for number in range(5):
        program.window.show_place("chat")
        spin(app, lambda: program.jobs.pending == 0)
        timed(f"open again {number}", lambda: program.window.show_place("history"), lambda: shown(page()))
    for sort in ("cost_usd", "completion_tokens", "model", "session_title", "judgement", "started_at"):
        query = Query(sort=sort)
        ask(f"sort by {sort}", query)
    for text in ("rare777", "common", "word1 word2"):
        query = Query(text=text)
        ask(f"search {text}", query)
    ask("clear", Query())
    timed("to the end", lambda: page().table.scrollToBottom(), lambda: shown(page()))
    timed("select all", lambda: page().table.selectAll(), lambda: page().chosen.text())
    again = [value for name, value in results.items() if name.startswith("open again")]
    results = {name: value for name, value in results.items() if not name.startswith("open again")}
    results["open again (median)"] = {
        key: statistics.median(value[key] for value in again) for key in ("ms", "cpu_ms", "ui_ms", "ui_cpu_ms")
    }
    program.close()
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--at-once", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with Store.open(home / "workbench.db") as store:
            grow(store, 0, options.rows, random.Random(1))
            runs = store.sizes().runs
        app = make_app(["benchmark"])
        results = measure(app, home, at_once=options.at_once)
    print(f"History with {runs:,} runs (goal: open in {GOAL_OPEN_MS:.0f} ms)")
    for name, value in results.items():
        rest = f", all ids {value['rest_ms']:.0f} ms later" if "rest_ms" in value else ""
        times = f"{value['ms']:8.1f} ms, CPU {value['cpu_ms']:7.1f} ms"
        turn = f"UI thread at most {value['ui_ms']:6.1f} ms, CPU {value['ui_cpu_ms']:6.1f} ms"
        print(f"    {name:24} {times}, {turn}{rest}")
    if options.json:
        options.json.write_text(json.dumps({"runs": runs, "results": results}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
