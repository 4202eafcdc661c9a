"""What is imported after the first paint: Qt's modules on the UI thread, a few in each turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

WATCH = """
import importlib, importlib.abc, json, sys, threading
QT = ("workbench.ui", "workbench.app", "PySide6")

def uses_qt(name):
    return name.startswith(QT) and name != "workbench.app.backend"

def new_since(before):
    return [name for name in sys.modules if name not in before and uses_qt(name)]
"""

LISTS = (
    WATCH
    + """
import workbench.app.program, workbench.ui.chat.page
from workbench.app import later
from workbench.ui.places import PLACES

told = {"ahead": [], "most": {}, "left": []}
for ahead, modules in ((later.REST_QT_FREE, later.REST), (later.PLACES_QT_FREE, later.PLACES)):
    before = set(sys.modules)
    for name in ahead:
        importlib.import_module(name)
    told["ahead"] += new_since(before)
    for name in modules:
        before = set(sys.modules)
        importlib.import_module(name)
        told["most"][name] = len(new_since(before))
told["left"] = [place.widget for place in PLACES if place.widget.partition(":")[0] not in sys.modules]
print(json.dumps(told))
"""
)
MOST = 24
"""Modules that use Qt, imported in one turn: the package of the transcript is that many, about 30 ms."""

START = (
    WATCH
    + """
import gc
found = []

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if uses_qt(name) and threading.current_thread() is not threading.main_thread():
            found.append(name)
        return None

sys.meta_path.insert(0, Finder())
from PySide6.QtCore import QTimer
from workbench.app import main as program
from workbench.app.opener import Imports, Opener

opened = Opener._backend_open

def watched(opener, backend):
    opened(opener, backend)
    opener._imports.done.connect(lambda: look(opener.window))

def look(window):
    for place in ("compare", "models", "evaluate", "history", "settings", "chat"):
        window.show_place(place)
    if not gc.get_freeze_count():
        found.append("nothing has settled")
    QTimer.singleShot(300, window, window.close)

Opener._backend_open = watched
code = program.main([])
print(json.dumps(found))
sys.exit(code)
"""
)


def output_of(code: str, home: Path) -> object:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "WORKBENCH_HOME": str(home)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_lists_say_what_is_imported(tmp_path: Path) -> None:
    told = output_of(LISTS, tmp_path)
    assert isinstance(told, dict)
    assert told["ahead"] == [], "these use Qt and may not be imported in a thread"
    assert told["left"] == []
    assert {name: count for name, count in told["most"].items() if count > MOST} == {}


def test_no_module_that_uses_qt_is_imported_off_the_ui_thread(tmp_path: Path) -> None:
    """PySide adds the classes to a table that Qt reads without a lock: now and then a start ended by signal 11."""
    assert output_of(START, tmp_path) == []
