"""Cyclic garbage is collected on the UI thread, and nowhere else.

Python runs its collector in whichever thread happens to allocate next. In a worker it would destroy widgets and
documents under Qt's feet there: a deadlock between Qt's locks and Python's, or a crash.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer, Slot

LOOK_EVERY_MS = 1000
YOUNG = 5_000
"""New containers since the last look that are worth a collection; it takes about a millisecond."""
OLDER_AFTER = 10
"""Collections of the young before the older are looked at, and of those before all are."""


class Collector(QObject):
    """Switches the automatic collector off while it lives. Make it before the first worker thread starts."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._was_enabled = gc.isenabled()
        self._has_settled = False
        gc.disable()
        self._timer = QTimer(self, interval=LOOK_EVERY_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()

    @Slot()
    def look(self) -> None:
        """Collect what is due, the youngest generation first."""
        young, older, oldest = gc.get_count()
        if oldest > OLDER_AFTER:
            gc.collect(2)
        elif older > OLDER_AFTER:
            gc.collect(1)
        elif young > YOUNG:
            gc.collect(0)

    def settle(self) -> None:
        """What is there now stays until `close`: modules, classes and the window's frame are not looked through again.
        They are most of what a full collection walks over, tens of milliseconds each time; so there is none here."""
        gc.collect(1)
        gc.freeze()
        self._has_settled = True

    def close(self) -> None:
        """Collect all, here and now, then leave it to Python again. Call it when the worker threads have ended."""
        self._timer.stop()
        if self._has_settled:
            gc.unfreeze()
        gc.collect()
        if self._was_enabled:
            gc.enable()
