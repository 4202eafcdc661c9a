"""The real program on a virtual screen, with a session bus of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.accessibility.atspi import ScreenReader
from tests.ui.conftest import fake_models, garbage_on_this_thread, start, watchdog, window

__all__ = ["fake_models", "garbage_on_this_thread", "start", "watchdog", "window"]

TOOLS = ("Xvfb", "xdotool", "dbus-daemon")
LAUNCHERS = (Path("/usr/libexec/at-spi-bus-launcher"), Path("/usr/lib/at-spi2-core/at-spi-bus-launcher"))
FAKE_MODELS = Path(__file__).parents[1] / "ui" / "fake_models.py"


@dataclass
class Screen:
    """The program, its keys, and what a screen reader reads of it."""

    program: subprocess.Popen[bytes]
    reader: ScreenReader
    environment: dict[str, str]

    def _xdotool(self, *arguments: str) -> str:
        done = subprocess.run(
            ["xdotool", *arguments], env=self.environment, check=True, capture_output=True, text=True, timeout=60
        )
        return done.stdout.strip()

    def focus(self) -> None:
        window = self._xdotool("search", "--sync", "--onlyvisible", "--name", "Model Workbench").splitlines()[-1]
        self._xdotool("windowfocus", "--sync", window)

    def type(self, text: str) -> None:
        self._xdotool("type", "--delay", "8", text)

    def press(self, *keys: str) -> None:
        self._xdotool("key", "--delay", "30", *keys)


@pytest.fixture
def display() -> Iterator[str]:
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    reader, writer = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1280x800x24", "-nolisten", "tcp"],
        pass_fds=[writer],
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    with os.fdopen(reader) as pipe:
        number = pipe.readline().strip()
    yield f":{number}"
    server.terminate()
    server.wait()


@pytest.fixture
def session_bus(display: str) -> Iterator[str]:
    """The address of a new session bus."""
    if not any(path.exists() for path in LAUNCHERS):
        pytest.skip("not installed: at-spi2-core")
    with tempfile.TemporaryDirectory(prefix="bus") as folder:  # sockets: their paths must be short, and our own
        daemon = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "DISPLAY": display, "XDG_RUNTIME_DIR": folder, "XDG_CACHE_HOME": folder},
            text=True,
        )
        assert daemon.stdout is not None
        yield daemon.stdout.readline().strip()
        daemon.terminate()
        daemon.wait()
        daemon.stdout.close()


@pytest.fixture
def screen(display: str, session_bus: str, home: Path) -> Iterator[Screen]:
    """The program as it is after its start, the fake model `echo` chosen."""
    (home / "plugins").mkdir(parents=True)
    shutil.copy(FAKE_MODELS, home / "plugins" / "fake_models.py")
    (home / "settings.json").write_text(json.dumps({"default_model": "fake:echo"}))
    environment = {
        **os.environ,
        "DISPLAY": display,
        "QT_QPA_PLATFORM": "xcb",
        "QT_LINUX_ACCESSIBILITY_ALWAYS_ON": "1",
        "PYTHONFAULTHANDLER": "1",
        "DBUS_SESSION_BUS_ADDRESS": session_bus,
    }
    reader = ScreenReader(session_bus)
    program = subprocess.Popen([sys.executable, "-m", "workbench"], env=environment, stdin=subprocess.DEVNULL)
    try:
        yield Screen(program, reader, environment)
        program.terminate()
        assert program.wait(60) == 0
    finally:
        if program.poll() is None:
            program.kill()
            program.wait()
        reader.close()
