"""One window per data folder: handing over, stale sockets, hanging windows, folders that are not private."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from workbench.app import single_instance
from workbench.app.single_instance import SingleInstance, Start, runtime_folder
from workbench.core.paths import Paths
from workbench.ui.screens import raise_window

WAIT_MS = 60_000
unix_only = pytest.mark.skipif(sys.platform == "win32", reason="about Unix sockets and permissions")

OTHER_START = """
import json, sys
from workbench.app.single_instance import SingleInstance
from workbench.core.paths import Paths
instance = SingleInstance(Paths.of_user())
print(instance.begin(sys.argv[1:]).value, flush=True)
if instance._lock is not None:
    sys.stdin.read()          # hold the lock, never listen
"""


@pytest.fixture
def runtime(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("run")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


@pytest.fixture
def first(runtime: Path, qtbot: QtBot) -> Iterator[SingleInstance]:
    instance = SingleInstance(Paths.of_user())
    assert instance.begin([]) is Start.FIRST
    instance.listen()
    assert instance.listening
    yield instance
    instance.release()


def other_start(*files: str, cwd: Path | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", OTHER_START, *files],
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> str:
    try:
        return process.communicate(timeout=WAIT_MS / 1000)[0].strip()
    finally:
        process.kill()


def test_a_second_start_hands_its_files_over(first: SingleInstance, qtbot: QtBot, tmp_path: Path) -> None:
    with qtbot.waitSignal(first.files_received, timeout=WAIT_MS) as received:
        process = other_start("model one.gguf", "/elsewhere/zwei ü.gguf", cwd=tmp_path)
    assert received.args == [[str(tmp_path / "model one.gguf"), "/elsewhere/zwei ü.gguf"]]
    assert end(process) == "handed over"


def test_a_start_without_files_only_wants_the_window(first: SingleInstance, qtbot: QtBot) -> None:
    with qtbot.waitSignal(first.files_received, timeout=WAIT_MS) as received:
        process = other_start()
    assert received.args == [[]]
    assert end(process) == "handed over"


def test_another_data_folder_is_another_window(
    first: SingleInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "portable"))
    other = SingleInstance(Paths.of_user())
    assert other.begin([]) is Start.FIRST
    other.release()


@unix_only
def test_a_link_to_the_data_folder_is_the_same_window(
    first: SingleInstance, qtbot: QtBot, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir(parents=True)
    link = home.with_name("link")
    link.symlink_to(home)
    monkeypatch.setenv("WORKBENCH_HOME", str(link))
    with qtbot.waitSignal(first.files_received, timeout=WAIT_MS):
        process = other_start()
    assert end(process) == "handed over"


@unix_only
def test_a_killed_window_leaves_nothing_in_the_way(runtime: Path, qtbot: QtBot) -> None:
    killed = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from PySide6.QtCore import QCoreApplication\n"
            "from workbench.app.single_instance import SingleInstance\n"
            "from workbench.core.paths import Paths\n"
            "app = QCoreApplication([])\n"
            "instance = SingleInstance(Paths.of_user()); instance.begin([]); instance.listen()\n"
            "print(instance.listening, flush=True); app.exec()",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert killed.stdout is not None and killed.stdout.readline() == "True\n"
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert list(runtime.rglob("*.sock")), "its socket is still there"
    instance = SingleInstance(Paths.of_user())
    assert instance.begin([]) is Start.FIRST
    instance.listen()
    with qtbot.waitSignal(instance.files_received, timeout=WAIT_MS):
        process = other_start()
    assert end(process) == "handed over"
    instance.release()


@unix_only
def test_a_window_that_hangs_is_given_up(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single_instance, "ANSWER_WAIT_S", 0.2)
    holder = SingleInstance(Paths.of_user())
    assert holder.begin([]) is Start.FIRST
    hanging = socket.socket(socket.AF_UNIX)
    hanging.bind(holder._address)
    hanging.listen()  # takes calls, as the system does for a process that is stuck, and never answers
    assert SingleInstance(Paths.of_user()).begin(["a.gguf"]) is Start.NO_ANSWER
    hanging.close()
    holder.release()


@unix_only
def test_a_window_that_is_still_starting_is_waited_for(runtime: Path, qtbot: QtBot) -> None:
    instance = SingleInstance(Paths.of_user())
    assert instance.begin([]) is Start.FIRST
    process = other_start()
    assert process.poll() is None
    with qtbot.waitSignal(instance.files_received, timeout=WAIT_MS):
        instance.listen()
    assert end(process) == "handed over"
    instance.release()


def test_a_start_while_the_last_window_closes_becomes_the_first(runtime: Path, qtbot: QtBot) -> None:
    closing = SingleInstance(Paths.of_user())
    assert closing.begin([]) is Start.FIRST
    closing.listen()
    closing.close()  # no answers any more, and the lock is still held
    release = threading.Timer(0.3, closing.release)
    release.start()
    after = SingleInstance(Paths.of_user())
    assert after.begin([]) is Start.FIRST
    release.join()
    after.release()


@unix_only
def test_of_many_starts_at_once_one_is_the_first(runtime: Path) -> None:
    """It holds the lock until its input ends; the others wait for it to listen, and then one of them follows it."""
    processes = [other_start() for _ in range(3)]
    streams = [process.stdout for process in processes if process.stdout is not None]
    ready = select.select(streams, [], [], WAIT_MS / 1000)[0]
    assert [stream.readline().strip() for stream in ready] == ["first"]
    for process in processes:
        process.kill()
        process.communicate()


def test_a_minimised_window_comes_back(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    window.showMinimized()
    raise_window(window)
    assert not window.isMinimized()
    assert window.isVisible()


@pytest.mark.parametrize(
    "message",
    [b"nonsense\n", b"[]\n", b'{"files": "a"}\n', b'{"files": [1]}\n', b'{"files": [], "activation_token": 5}\n'],
)
@unix_only
def test_nonsense_is_not_listened_to(first: SingleInstance, qtbot: QtBot, message: bytes) -> None:
    heard: list[list[str]] = []
    first.files_received.connect(heard.append)
    caller = socket.socket(socket.AF_UNIX)
    caller.connect(first._address)
    caller.sendall(message)
    caller.setblocking(False)

    def hung_up() -> None:
        assert caller.recv(10) == b""

    qtbot.waitUntil(lambda: not _blocks(hung_up), timeout=WAIT_MS)
    caller.close()
    assert heard == []


def _blocks(call: object) -> bool:
    try:
        call()  # type: ignore[operator]
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False
    return False


@unix_only
def test_the_activation_token_reaches_the_window(
    first: SingleInstance, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_ACTIVATION_TOKEN", raising=False)
    caller = socket.socket(socket.AF_UNIX)
    caller.connect(first._address)
    with qtbot.waitSignal(first.files_received, timeout=WAIT_MS):
        caller.sendall(json.dumps({"files": [], "activation_token": "token-1"}).encode() + b"\n")
    assert os.environ.pop("XDG_ACTIVATION_TOKEN") == "token-1"
    caller.close()


# --- where the lock and the socket lie ---------------------------------------------------------------------------
@unix_only
def test_only_the_user_can_enter_the_folder(first: SingleInstance, runtime: Path) -> None:
    folder = runtime / "model-workbench"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (entry,) = folder.glob("*.sock")
    assert not stat.S_IMODE(entry.stat().st_mode) & 0o077


@unix_only
def test_a_folder_that_others_can_enter_is_not_used(
    runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(single_instance.tempfile, "gettempdir", lambda: str(tmp_path))
    (runtime / "model-workbench").mkdir()
    (runtime / "model-workbench").chmod(0o777)
    elsewhere = runtime_folder()
    assert elsewhere == tmp_path / f"model-workbench-{os.getuid()}"
    elsewhere.chmod(0o755)
    assert runtime_folder() is None


@unix_only
def test_where_no_folder_is_private_every_start_opens_a_window(
    runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(single_instance, "runtime_folder", lambda: None)
    for _ in range(2):
        instance = SingleInstance(Paths.of_user())
        assert instance.begin([]) is Start.FIRST
        instance.listen()
        assert not instance.listening


@unix_only
def test_a_runtime_folder_with_a_long_name_is_left_for_the_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("x" * 90)
    deep.mkdir()
    short = Path("/tmp")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    monkeypatch.setattr(single_instance.tempfile, "gettempdir", lambda: str(short))
    folder = runtime_folder()
    assert folder is not None and folder.parent == short
