"""Free memory between what is kept goes back to the system."""

from __future__ import annotations

import ctypes
import sys

import psutil
import pytest
from pytestqt.qtbot import QtBot

from workbench.app.heap import HeapTrimmer, give_back
from workbench.ui.jobs import Jobs

MIB = 1024 * 1024

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="only glibc has it"
)


def with_a_hole() -> tuple[bytearray, int]:
    """A block that is kept above about 60 MiB of freed ones, and the process's memory in bytes."""
    blocks = [bytearray(b"x" * 2000) for _ in range(30_000)]
    kept = blocks[-1]
    del blocks
    return kept, psutil.Process().memory_info().rss


def test_what_is_free_below_a_kept_block_is_given_back() -> None:
    kept, before = with_a_hole()
    assert give_back()
    assert before - psutil.Process().memory_info().rss > 30 * MIB
    assert len(kept) == 2000


def test_the_window_gives_back_in_a_worker(qtbot: QtBot) -> None:
    jobs = Jobs()
    trimmer = HeapTrimmer(jobs)
    kept, before = with_a_hole()
    trimmer.trim()
    qtbot.waitUntil(lambda: jobs.pending == 0)
    assert before - psutil.Process().memory_info().rss > 30 * MIB
    assert len(kept) == 2000
    jobs.close()
    trimmer.deleteLater()
    jobs.deleteLater()
