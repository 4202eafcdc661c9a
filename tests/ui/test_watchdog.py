"""The watchdog itself: a window that blocks is caught, one that does not is left alone."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from pytestqt.qtbot import QtBot

from tests.ui.watchdog import Watchdog

PROGRAM = Path(__file__).resolve().parents[2] / "workbench" / "pretended.py"


def part_of_the_program(body: str):
    """A function whose code seems to stand in the program's package."""
    scope = {"time": time}
    exec(compile(f"def work():\n    {body}", str(PROGRAM), "exec"), scope)
    return scope["work"]


@pytest.mark.parametrize(
    ("body", "caught"),
    [
        ("end = time.thread_time() + 1.5\n    while time.thread_time() < end: pass", True),
        ("time.sleep(0.6)", True),
        ("time.sleep(0.01)", False),
    ],
)
def test_only_a_blocked_window_is_a_stall(qtbot: QtBot, body: str, caught: bool) -> None:
    dog = Watchdog()
    QTimer.singleShot(20, part_of_the_program(body))
    qtbot.wait(200)
    dog.close()
    assert bool(dog.stalls) is caught
