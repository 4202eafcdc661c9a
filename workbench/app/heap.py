"""Gives memory that is free, but still the process's, back to the system now and then.

What streaming, searching and redrawing free lies between what is kept; glibc returns only what is free at the end of a
heap, so hours of use look like a leak. `malloc_trim` returns the pages between, in about a tenth of a millisecond where
there are few and some milliseconds where there are many.
"""

from __future__ import annotations

import ctypes
import sys

from PySide6.QtCore import QObject, QTimer

from workbench.ui.jobs import Jobs

EVERY_MS = 60_000


def give_back() -> bool:
    """Whether anything was returned. Always False where the C library has no `malloc_trim` (only glibc has)."""
    if not sys.platform.startswith("linux"):
        return False
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return bool(trim is not None and trim(0))


class HeapTrimmer(QObject):
    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._timer = QTimer(self, interval=EVERY_MS)
        self._timer.timeout.connect(self.trim)

    def start(self) -> None:
        self._timer.start()

    def trim(self) -> None:
        self._jobs.run(give_back, owner=self, key="heap")
