"""The system ends the program: it goes at once, whatever is under way, and keeps what there is."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import tests.ui.fake_models

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
CHILD = """
import faulthandler, os, signal, sys
faulthandler.dump_traceback_later(50, exit=True)
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QFileDialog, QMessageBox
from workbench.app import main, program

situation, started = sys.argv[1], program.Program.start

def start(self):
    started(self)
    QTimer.singleShot(0, lambda: look(self, begin))

def look(self, go_on):
    if self.is_complete and self.slot.value is not None and self.jobs.pending == 0:
        go_on(self)
    else:
        QTimer.singleShot(20, lambda: look(self, go_on))

def begin(self):
    self.window.page("chat").composer.set_text("Go on until you are stopped")
    self.window.page("chat").composer.submit()
    stream(self)

def stream(self):
    runs = self.slot.value.runner.active()
    if not runs or len(runs[0].buffer.text) < 40:
        QTimer.singleShot(20, lambda: stream(self))
        return
    QTimer.singleShot(100, lambda: os.kill(os.getpid(), signal.SIGTERM))
    if situation == "twice":
        os.kill(os.getpid(), signal.SIGHUP)
    elif situation == "file dialog":  # these have event loops of their own
        QFileDialog.getOpenFileName(self.window)
    elif situation == "question":
        QMessageBox.question(self.window, "A question", "Are you sure?")

program.Program.start = start
code = main.main([])
sys.exit(code)
"""


@pytest.mark.parametrize("situation", ["answer", "twice", "file dialog", "question"])
def test_sigterm_ends_it_and_the_answer_is_kept(situation: str, tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    shutil.copy(tests.ui.fake_models.__file__, tmp_path / "plugins" / "fake_models.py")
    (tmp_path / "settings.json").write_text('{"default_model": "fake:slow"}')
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "WORKBENCH_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, situation], env=environment, capture_output=True, text=True, timeout=80
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with closing(sqlite3.connect(tmp_path / "workbench.db")) as connection:
        ((status, text),) = connection.execute("SELECT status, text FROM runs").fetchall()
    assert (status, text.split()[:2]) == ("cancelled", ["word1", "word2"])
