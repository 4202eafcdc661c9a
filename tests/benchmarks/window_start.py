"""From the start of the process to the first painted window, against an empty PySide6 window with one QTextBrowser.

    python -m tests.benchmarks.window_start [--json OUT] [--rounds 9]

Both are started in turns in one run, so their ratio holds on a noisy machine (goal: at most 1.6). `usable` is when the
database is open and a prompt can be sent; `empty home` is the very first start, which makes the database.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GOAL_RATIO = 1.6

EMPTY = """
import time
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QMainWindow, QTextBrowser

class Window(QMainWindow):
    told = False
    def paintEvent(self, event):
        super().paintEvent(event)
        if not self.told:
            self.told = True
            QTimer.singleShot(0, tell)

def tell():
    print("painted", time.monotonic(), flush=True)
    app.quit()

app = QApplication([])
window = Window()
window.setCentralWidget(QTextBrowser())
window.resize(1280, 800)
window.show()
app.exec()
"""

OURS = """
import sys, time
from workbench.app import main as program

make_window = program.MainWindow

def watched(*arguments):
    window = make_window(*arguments)
    window.painted.connect(lambda: print("painted", time.monotonic(), flush=True))
    return window

make_program = program.Program

def watched_program(*arguments):
    made = make_program(*arguments)
    def ready():
        print("usable", time.monotonic(), flush=True)
        made.window.close()
    made.slot.ready.connect(ready)
    return made

program.MainWindow, program.Program = watched, watched_program
sys.exit(program.main([]))
"""


def start(code: str, home: Path) -> dict[str, float]:
    """Seconds from the start of the process to each thing it tells."""
    environment = {**os.environ, "WORKBENCH_HOME": str(home)}
    environment.setdefault("QT_QPA_PLATFORM", "offscreen")
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    told = (line.split() for line in done.stdout.splitlines())
    return {name: float(at) - began for name, at in told}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    times: dict[str, list[float]] = {"empty window": [], "painted": [], "usable": [], "painted, empty home": []}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        start(OURS, home)  # makes the database and compiled modules
        for number in range(arguments.rounds):
            times["empty window"].append(start(EMPTY, home)["painted"])
            ours = start(OURS, home)
            times["painted"].append(ours["painted"])
            times["usable"].append(ours["usable"])
            times["painted, empty home"].append(start(OURS, Path(folder) / f"new{number}")["painted"])
    medians = {name: statistics.median(values) for name, values in times.items()}
    result = {name: {"median_s": round(value, 4)} for name, value in medians.items()}
    for name, value in medians.items():
        ratio = value / medians["empty window"]
        result[name]["ratio"] = round(ratio, 3)
        print(f"{name:<22}{value * 1000:>8.0f} ms {ratio:>8.2f} x")
    good = result["painted"]["ratio"] <= GOAL_RATIO
    print(f"goal: painted at most {GOAL_RATIO} x: {'reached' if good else 'NOT reached'}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
