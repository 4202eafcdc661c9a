"""The window as the composition root builds it, with fake models loaded through the plugin folder."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.ui.driver import Driver
from tests.ui.watchdog import Watchdog
from workbench.app.main import Program
from workbench.core.paths import Paths
from workbench.ui.garbage import Collector


@pytest.fixture(autouse=True)
def garbage_on_this_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in the program: a worker thread must not destroy widgets that a test left behind. A window that settles would
    thaw at its end what all the tests before have left; tests of the collector itself put that back."""
    monkeypatch.setattr(Collector, "settle", lambda _collector: None)
    gc.disable()
    yield
    gc.collect()
    gc.enable()


@pytest.fixture
def watchdog(qapp: QApplication) -> Iterator[Watchdog]:
    """Fails the test if the UI thread was blocked."""
    dog = Watchdog()
    yield dog
    dog.close()
    assert not dog.stalls, "\n".join(dog.stalls)


@pytest.fixture
def fake_models(home: Path) -> None:
    plugins = home / "plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(__file__).with_name("fake_models.py"), plugins / "fake_models.py")


@pytest.fixture
def start(qapp: QApplication, qtbot: QtBot, watchdog: Watchdog, home: Path) -> Iterator[Callable[[], Driver]]:
    """Starts the window; several times for tests about restarts. Every one is closed at the end."""
    drivers: list[Driver] = []

    def begin(*, wait: bool = True, complete: bool = True, files: tuple[str, ...] = ()) -> Driver:
        """`complete` False: the first paint has not even come yet. `wait` False: the services are not open yet."""
        driver = Driver(Program(qapp, Paths.of_user(), list(files)), qtbot)
        drivers.append(driver)
        driver.program.start()
        if complete:
            driver.wait(lambda: driver.program.is_complete)
        if wait and complete:
            driver.wait_ready()
        return driver

    yield begin
    for driver in drivers:
        driver.close()
    reports = sorted((home / "logs" / "crashes").glob("*"))
    assert not reports, reports[-1].read_text()


@pytest.fixture
def window(fake_models: None, start: Callable[[], Driver]) -> Driver:
    """An open window, ready, with the fake model `echo` chosen."""
    driver = start()
    driver.use("fake:echo")
    return driver
