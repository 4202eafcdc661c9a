from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.ui.driver import Driver
from tests.ui.watchdog import Watchdog

Part = Callable[[str], Any]


@pytest.fixture
def part(window: Driver, watchdog: Watchdog) -> Part:
    """Opens a part of the settings and waits until it has read what it shows."""
    watchdog.cpu_limit_s = 0.6  # the keyboard part builds every place, whose own tests watch what that takes

    def show(name: str) -> Any:
        window.window.show_part("settings", name)
        section = window.window.page("settings").show_part(name)
        window.wait(lambda: window.program.jobs.pending == 0)
        return section

    return show
