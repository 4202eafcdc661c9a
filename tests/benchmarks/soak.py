"""Six hours of use pressed into minutes: does the window's process grow, and does it leave anything behind?

    python -m tests.benchmarks.soak [--minutes 20 | --rounds N] [--json OUT] [--plant KIND]

The real window with models that answer at 1,000 tokens a second: chats and comparisons of four columns, searches,
History, local models in (scripted) engine processes, themes. After every round the window rests and the process is
looked at: memory, threads, processes, files, timers, widgets. The first fifth is warming up. Ends with code 1 if
anything grew. With `--rounds` so many are looked at, and nothing is traced. `--plant` makes a leak of that kind on
purpose, to prove that it is found.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QWidget

from tests.benchmarks import _soak_models
from tests.benchmarks._resources import Growth, Sample, census, growth, plain, table, take_sample
from tests.benchmarks._soak_user import LOCAL_MODELS, Script, Step, User
from tests.benchmarks.store_speed import grow
from tests.fakes.models import fake_command, write_model_file
from workbench.app.main import Program, make_app
from workbench.core.paths import Paths
from workbench.engine import client
from workbench.store import Store

WARM_UP = 0.2
"""Of the time, at least two rounds; then the caches are full and every page has been made."""
TRACED = 0.1
"""Of the time, at the end and beyond: where in the code the memory comes from. Slower, so apart from the rest."""
HISTORY = 12_000
"""Messages that are there before: months of use. What is kept of rows and pages is bounded, and full from then on."""
LEAST_ROUNDS = 6
"""That are looked at."""
TOP = 12


class Soak:
    def __init__(self, program: Program, seconds: float, rounds: int, plants: list[str]) -> None:
        """It lasts `seconds`, or without them `rounds` after warming up."""
        self._program = program
        self._seconds = seconds
        self._least = rounds or LEAST_ROUNDS
        self._plants = [PLANTS[kind] for kind in plants]
        self._planted: list[Any] = []
        self.user = User(program)
        self.samples: list[Sample] = []
        self.grown: list[tuple[str, int]] = []
        self.traced: list[str] = []
        self.rounds = 0

    def script(self) -> Step:
        yield self.user.ready
        self._program.window.resize(1600, 900)
        began = time.monotonic()
        warm_until, end = began + self._seconds * WARM_UP, began + self._seconds
        while time.monotonic() < warm_until or self.rounds < 2:
            yield from self._round()
        before = census()
        while time.monotonic() < end or len(self.samples) < self._least:
            yield from self._round()
            self.samples.append(take_sample(time.monotonic() - began))
            if len(self.samples) % 10 == 0:
                print(f"{self.samples[-1]}", file=sys.stderr, flush=True)
        self.grown = _grown(before, census())
        if self._seconds:
            yield from self._trace()

    def _round(self) -> Step:
        yield from self.user.one_round()
        for plant in self._plants:
            self._planted.append(plant(self._program.window))
        self.rounds += 1

    def _trace(self) -> Step:
        tracemalloc.start(4)
        yield from self._round()
        gc.collect()
        before = tracemalloc.take_snapshot()
        end = time.monotonic() + self._seconds * TRACED
        rounds = self.rounds
        while time.monotonic() < end or self.rounds == rounds:
            yield from self._round()
        gc.collect()
        after = tracemalloc.take_snapshot()
        tracemalloc.stop()
        hidden = [tracemalloc.Filter(False, module.__file__ or "") for module in (tracemalloc, sys.modules[__name__])]
        changes = after.filter_traces(hidden).compare_to(before.filter_traces(hidden), "lineno")
        self.traced = [str(change) for change in changes[:TOP] if change.size_diff > 0]


def _grown(before: Counter[str], after: Counter[str]) -> list[tuple[str, int]]:
    return [(name, count) for name, count in (after - before).most_common(TOP) if count > 1]


# --- leaks made on purpose ----------------------------------------------------------------------------------------
def _plant_memory(window: QWidget) -> Any:
    return bytearray(os.urandom(8_000_000))


def _plant_widgets(window: QWidget) -> Any:
    return [QWidget(window) for _ in range(200)]


def _plant_windows(window: QWidget) -> Any:
    return QWidget()


def _plant_timers(window: QWidget) -> Any:
    timers = [QTimer(window, interval=3_600_000) for _ in range(4)]  # one or two of the window's come and go
    for timer in timers:
        timer.start()
    return timers


def _plant_threads(window: QWidget) -> Any:
    thread = threading.Thread(target=threading.Event().wait, daemon=True)
    thread.start()
    return thread


def _plant_files(window: QWidget) -> Any:
    return os.dup(0)


def _plant_processes(window: QWidget) -> Any:
    return subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)


def _plant_objects(window: QWidget) -> Any:
    return [[number] for number in range(20_000)]


PLANTS: dict[str, Callable[[QWidget], Any]] = {
    "own_mb": _plant_memory,
    "widgets": _plant_widgets,
    "windows": _plant_windows,
    "timers": _plant_timers,
    "threads": _plant_threads,
    "files": _plant_files,
    "processes": _plant_processes,
    "python_objects": _plant_objects,
}


# --- running ------------------------------------------------------------------------------------------------------
def prepare(home: Path, messages: int) -> None:
    """A home with so much history, the fast models, and two model files that a scripted engine opens."""
    os.environ["WORKBENCH_HOME"] = str(home)
    os.environ["HF_HOME"] = str(home / "hf")
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    (home / "plugins").mkdir(parents=True)
    shutil.copy(_soak_models.__file__, home / "plugins" / "soak_models.py")
    for model_id in LOCAL_MODELS:
        write_model_file(home / "models" / f"{model_id.removeprefix('local:')}.gguf")
    client.default_command = lambda: fake_command(tokens=200, rate=1_000.0)
    paths = Paths.of_user()
    with Store.open(paths.database, paths.backups) as store:
        grow(store, 0, messages, random.Random(1))


def run(seconds: float, rounds: int, plants: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), HISTORY if seconds else 0)
        app = make_app(["soak"])
        problems: list[BaseException | None] = []
        program = Program(app, Paths.of_user(), [])
        soak = Soak(program, seconds, rounds, plants)

        def finished(error: BaseException | None) -> None:
            problems.append(error)
            app.quit()

        program.start()
        script: QObject = Script(soak.script(), finished)
        app.exec()
        program.close()
        script.deleteLater()
        crashes = [path.read_text() for path in Paths.of_user().crash_reports.glob("*")]
    if problems != [None]:
        raise SystemExit(f"the soak ended early, in round {soak.rounds + 1}: {problems}") from problems[0]
    rows = growth(soak.samples)
    return {
        "seconds": seconds,
        "rounds": soak.rounds,
        "done": dict(soak.user.done),
        "tokens": soak.user.done["answers"] * _soak_models.TOKENS,
        "growth": [_plain(row) for row in rows],
        "grows": [row.name for row in rows if row.grows],
        "crash_reports": crashes,
        "more_objects": soak.grown,
        "traced": soak.traced,
        "samples": plain(soak.samples),
        "table": table(rows),
    }


def _plain(row: Growth) -> dict[str, Any]:
    return {name: getattr(row, name) for name in Growth.__slots__}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plant", action="append", choices=[*PLANTS], default=[], metavar="KIND")
    arguments = parser.parse_args()
    logging.raiseExceptions = False
    seconds = 0.0 if arguments.rounds else arguments.minutes * 60
    result = run(seconds, arguments.rounds, arguments.plant)
    print(f"{result['rounds']} rounds, about {result['tokens']:,} tokens: {result['done']}\n")
    print(result.pop("table"))
    for title, lines in (("more of:", result["more_objects"]), ("traced, a few rounds:", result["traced"])):
        print("", title, *(f"  {line}" for line in lines), sep="\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1))
    for report in result["crash_reports"]:
        print(report, file=sys.stderr)
    return int(bool(result["grows"] or result["crash_reports"]))


if __name__ == "__main__":
    sys.exit(main())
