"""Modules that use Qt, imported in a worker thread: no other Python code runs in the middle of a class.

PySide makes its classes when they are first asked for, and not thread-safely: two threads that make classes at once
spoil the table both read from. A thread keeps its turn until it waits for a file or its time is up; a long turn keeps
other Python code out. It does not keep Qt's own code out: `QObject.metaObject()` of a widget made in Python reads
PySide's table of types without Python's lock. Only importing such modules on the UI thread is safe from that.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

TURN_S = 10.0
"""Longer than any module takes. The UI thread's wait is one module: the next is read from a file."""
PAUSE_S = 0.002

_lock = threading.Lock()
_importing = 0
_usual_s = 0.0


@contextmanager
def undisturbed() -> Iterator[None]:
    """Import modules that use Qt in here, in any thread but the UI's."""
    global _importing, _usual_s
    with _lock:
        if not _importing:
            _usual_s = sys.getswitchinterval()
            sys.setswitchinterval(TURN_S)
        _importing += 1
    try:
        time.sleep(PAUSE_S)  # whoever was interrupted in the middle of a class finishes it now
        yield
    finally:
        with _lock:
            _importing -= 1
            if not _importing:
                sys.setswitchinterval(_usual_s)
