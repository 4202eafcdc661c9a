"""The installed program on a real X server: type a prompt, see the answer in the database."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e
TOOLS = ("Xvfb", "xdotool", "import")
WAIT_S = 120


def wait(process: subprocess.Popen[bytes], condition: Callable[[], object]) -> None:
    """Until the condition holds, looking whenever a fifth of a second has passed and the program still runs."""
    for _look in range(WAIT_S * 5):
        if condition():
            return
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            continue
        pytest.fail(f"the program ended with {process.returncode}")
    pytest.fail("the answer did not come")


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


def answers(database: Path) -> list[tuple[str, str]]:
    """(status, text) of every run."""
    if not database.exists():
        return []
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            found = connection.execute("SELECT status, text FROM runs").fetchall()
    except sqlite3.OperationalError:  # being made just now
        return []
    connection.close()
    return found


def test_a_prompt_typed_on_the_screen_is_answered(display: str, home: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "DISPLAY": display, "WORKBENCH_HOME": str(home), "QT_QPA_PLATFORM": "xcb"}
    home.mkdir(parents=True)
    (home / "settings.json").write_text('{"engine": {"load": {"n_ctx": 512}}}')
    program = subprocess.Popen([sys.executable, "-m", "workbench"], env=environment)
    try:

        def xdotool(*arguments: str) -> str:
            done = subprocess.run(
                ["xdotool", *arguments], env=environment, check=True, capture_output=True, text=True, timeout=WAIT_S
            )
            return done.stdout.strip()

        window = xdotool("search", "--sync", "--onlyvisible", "--name", "Model Workbench").splitlines()[-1]
        wait(program, lambda: (home / "workbench.db").exists())
        xdotool("windowfocus", "--sync", window)
        xdotool("type", "--delay", "5", "Say hello to the sea.")
        xdotool("key", "Return")
        wait(program, lambda: [status for status, _text in answers(home / "workbench.db") if status != "running"])
        status, text = answers(home / "workbench.db")[0]
        assert status == "done"
        assert text.strip()
        picture = tmp_path / "window.png"
        subprocess.run(["import", "-window", "root", str(picture)], env=environment, check=True, timeout=WAIT_S)
        assert picture.stat().st_size > 20_000
        if folder := os.environ.get("WORKBENCH_SCREENSHOTS"):
            shutil.copy(picture, Path(folder) / "e2e-window.png")
        program.send_signal(signal.SIGTERM)
        assert program.wait(60) == 0
    finally:
        if program.poll() is None:
            program.kill()
            program.wait()
