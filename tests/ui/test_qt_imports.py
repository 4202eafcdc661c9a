"""Qt's classes are made in one thread at a time, whichever imports them."""

from __future__ import annotations

import subprocess
import sys

import pytest

TWO_THREADS = """
import sys
import threading

import PySide6.QtCore
import PySide6.QtGui
import PySide6.QtWidgets

from workbench.ui.qt_imports import undisturbed

sys.setswitchinterval(0.0005)
modules = (PySide6.QtGui, PySide6.QtWidgets, PySide6.QtCore)
names = [(module, name) for module in modules for name in sorted(dir(module)) if name.startswith("Q")]

def load():
    for module, name in names:
        getattr(module, name)

def work():
    with undisturbed():
        load()

thread = threading.Thread(target=work)
thread.start()
load()
thread.join()
assert sys.getswitchinterval() < 0.001
"""


@pytest.mark.parametrize("_round", range(2))
def test_two_threads_may_ask_for_qts_classes(_round: int) -> None:
    """Without `undisturbed` most rounds end by signal 11."""
    done = subprocess.run([sys.executable, "-c", TWO_THREADS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr)
