"""How fast the packaged program starts, against the checkout's: to the first painted window, and until it can be used.

    .venv/bin/python packaging/linux/start_time.py BUNDLE [--rounds 9]

Both are started in turns in one run, so their ratio holds on a busy machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
from tests.benchmarks.window_start import OURS

THINGS = ("painted", "usable")


def start(command: list[str], home: Path) -> dict[str, float]:
    """Seconds from the start of the process to each thing it tells."""
    environment = {**os.environ, "WORKBENCH_HOME": str(home)}
    environment.setdefault("QT_QPA_PLATFORM", "offscreen")
    began = time.monotonic()
    done = subprocess.run([*command, OURS], env=environment, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    told = (line.split()[:2] for line in done.stdout.splitlines())
    return {name: float(at) - began for name, at in told}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    wanted = parser.parse_args()
    commands = {
        "checkout": [sys.executable, "-c"],
        "package": [str(wanted.bundle / "workbench"), "--python-code"],
    }
    times: dict[tuple[str, str], list[float]] = {(name, thing): [] for name in commands for thing in THINGS}
    with tempfile.TemporaryDirectory() as folder:
        homes = {name: Path(folder) / name for name in commands}
        for round_number in range(wanted.rounds + 1):  # the first fills caches and makes the database
            for name, command in commands.items():
                told = start(command, homes[name])
                if round_number:
                    for thing in THINGS:
                        times[name, thing].append(told[thing])
    for thing in THINGS:
        checkout, package = (statistics.median(times[name, thing]) for name in commands)
        line = f"{thing:<8} checkout {checkout * 1000:5.0f} ms   package {package * 1000:5.0f} ms"
        print(f"{line}   {package / checkout:.2f} x")


if __name__ == "__main__":
    main()
