from __future__ import annotations

import pytest

from tests.ui.compare.driver import CompareDriver
from tests.ui.driver import Driver


@pytest.fixture
def compare(window: Driver) -> CompareDriver:
    """The Compare place of an open window, with two quick fake models."""
    driver = CompareDriver(window)
    driver.use("echo", "other")
    return driver
