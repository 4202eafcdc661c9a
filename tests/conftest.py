"""What every test gets: its own home, no display, no network variables, no stray threads."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.core.tr import use_language

if os.environ.get("WORKBENCH_TEST_WITHOUT_QT"):
    # A package that raises stands in PySide6's place, here and in every process a test starts.
    without_qt = str(Path(__file__).with_name("without_qt"))
    sys.path.insert(0, without_qt)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [without_qt, os.environ.get("PYTHONPATH")]))

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ |= {"LC_ALL": "C.UTF-8", "LANGUAGE": ""}  # the window speaks the system's language
for name in list(os.environ):
    if name.endswith("_API_KEY") or name.lower() in {"http_proxy", "https_proxy", "all_proxy"}:
        del os.environ[name]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a shell. The programs that tests start would ignore Ctrl+C as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="module")
def earlier_tests_are_no_garbage() -> None:
    """What all the modules before have left in memory is not looked through at each garbage collection: with some
    thousand tests that took half a second each time, most of the suite's time and enough to trip the watchdog."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def english() -> None:
    """Whatever language a window of an earlier test spoke."""
    use_language("en")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh WORKBENCH_HOME and HF_HOME for each test."""
    folder = tmp_path / "home"
    monkeypatch.setenv("WORKBENCH_HOME", str(folder))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    return folder


@pytest.fixture(autouse=True)
def no_stray_threads() -> Iterator[None]:
    """A test that leaves a thread of ours running has a leak."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 3
    while True:
        left = [t for t in threading.enumerate() if t not in before and t.is_alive() and not t.daemon]
        if not left or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    assert not left, f"threads left running: {left}"
