"""Removes for good what the user deleted a while ago: right after it, deleting can still be undone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from PySide6.QtCore import QObject, QTimer, Slot

from workbench.ui.backend import BackendSlot
from workbench.ui.jobs import Jobs

KEPT = timedelta(days=1)
FIRST_MS = 30_000
AGAIN_MS = 6 * 3_600_000


class Purging(QObject):
    def __init__(self, slot: BackendSlot, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._slot, self._jobs = slot, jobs
        self._timer = QTimer(self)
        self._timer.setInterval(AGAIN_MS)
        self._timer.timeout.connect(self.purge)

    def start(self) -> None:
        self._timer.start()
        QTimer.singleShot(FIRST_MS, self, self.purge)

    @Slot()
    def purge(self) -> None:
        backend = self._slot.value
        if backend is None or backend.store.read_only:
            return
        store, before = backend.store, (datetime.now(UTC) - KEPT).isoformat()
        # What fails here is told where the user does something with the database; it is tried again later.
        self._jobs.run(lambda: store.purge_deleted(before), None, lambda _error: None, owner=self, key="purge")
