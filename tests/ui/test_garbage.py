"""Widgets in cyclic garbage are destroyed on the UI thread, whatever worker threads allocate."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from workbench.ui.garbage import YOUNG, Collector


@pytest.fixture(autouse=True)
def garbage_on_this_thread() -> Iterator[None]:
    """The collector as it is, in place of the other tests' fixture."""
    gc.disable()
    yield
    gc.enable()


class Held(QObject):
    """Refers to itself, so that only the collector frees it."""

    def __init__(self) -> None:
        super().__init__()
        self.itself = self


def allocate() -> None:
    kept = [[number] for number in range(20 * YOUNG)]
    del kept


def test_a_worker_never_destroys_what_the_window_left(qtbot: QtBot) -> None:
    gc.enable()
    owner = QObject()
    collector = Collector(owner)
    where: list[int] = []
    weakref.finalize(Held(), lambda: where.append(threading.get_ident()))
    worker = threading.Thread(target=allocate)
    worker.start()
    worker.join()
    assert where == []
    collector.close()
    assert where == [threading.get_ident()]
    assert gc.isenabled()


def test_the_timer_collects_when_there_is_enough(qtbot: QtBot) -> None:
    gc.enable()
    owner = QObject()
    collector = Collector(owner)
    collected = threading.Event()
    weakref.finalize(Held(), collected.set)
    keep = [[number] for number in range(YOUNG + 100)]
    collector.look()
    assert collected.is_set()
    assert len(keep) == YOUNG + 100
    collector.close()


def test_what_has_settled_is_freed_at_the_end(qtbot: QtBot) -> None:
    owner = QObject()
    collector = Collector(owner)
    freed: list[str] = []
    settled = Held()
    weakref.finalize(settled, lambda: freed.append("settled"))
    collector.settle()
    assert gc.get_freeze_count() > len(gc.get_objects())
    del settled
    weakref.finalize(Held(), lambda: freed.append("new"))
    gc.collect()
    assert freed == ["new"]
    collector.close()
    assert freed == ["new", "settled"]
    assert gc.get_freeze_count() == 0
