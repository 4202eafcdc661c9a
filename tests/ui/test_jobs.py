"""Background jobs: results come on the UI thread, and nothing of the window is left with the worker."""

from __future__ import annotations

import threading
import weakref

from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from workbench.ui.jobs import Jobs


class Held:
    """Stands for a widget that a callback refers to."""


def test_the_window_and_not_the_worker_lets_go_of_a_callback(qtbot: QtBot) -> None:
    owner = QObject()
    jobs = Jobs(owner)
    held, told, freed = Held(), [], []
    weakref.finalize(held, lambda: freed.append(threading.get_ident()))

    def done(result: int, held: Held = held) -> None:
        told.append((result, threading.get_ident()))

    job = jobs.run(lambda: 42, done)
    del done, held
    qtbot.waitUntil(lambda: bool(told))
    here = threading.get_ident()
    assert told == [(42, here)]
    assert freed == [here]  # although the job is still held
    del job
    jobs.close()
