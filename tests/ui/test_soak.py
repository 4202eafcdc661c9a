"""The soak, short: nothing is left behind, and what is left behind on purpose is found.

The real one lasts 20 minutes: `python -m tests.benchmarks.soak`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks._resources import Sample, growth
from tests.benchmarks.soak import PLANTS

ROOT = Path(__file__).resolve().parents[2]


def soak(out: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.soak", "--json", str(out), *arguments],
        env=os.environ | {"SOAK_TOKENS": "40"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert out.exists(), done.stderr
    return done.returncode, json.loads(out.read_text()), done.stdout + done.stderr


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    code, result, output = soak(tmp_path / "out.json", "--rounds", "3")
    assert (result["grows"], result["crash_reports"]) == ([], []), output
    assert code == 0
    assert result["done"]["models loaded and unloaded"] == result["rounds"] == 5


def test_what_is_left_behind_is_found(tmp_path: Path) -> None:
    plants = [argument for kind in PLANTS for argument in ("--plant", kind)]
    code, result, output = soak(tmp_path / "out.json", "--rounds", "3", *plants)
    assert code == 1
    assert set(PLANTS) <= set(result["grows"]), output


def sample(**values: Any) -> Sample:
    usual: dict[str, Any] = dict.fromkeys(Sample.__slots__, 100)
    return Sample(**usual | values)


@pytest.mark.parametrize(("name", "leaks"), [("own_mb", 8.0), ("threads", 1), ("timers", 1), ("qobjects", 2)])
def test_growth_is_told_from_swinging(name: str, leaks: float) -> None:
    steady = [sample(**{name: 100 + (place % 3) * leaks / 4}) for place in range(9)]
    assert [row.name for row in growth(steady) if row.grows] == []
    growing = [sample(**{name: 100 + place * leaks}) for place in range(9)]
    assert [row.name for row in growth(growing) if row.grows] == [name]


def test_what_is_made_late_but_once_is_no_leak() -> None:
    late = [sample(files=20 + 3 * (place > 3)) for place in range(9)]
    assert [row.name for row in growth(late) if row.grows] == []
