"""Makes the backups the user wants made by themselves: a while after the start, then looks again every few hours."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Slot

from workbench.core.cancel import CancelToken
from workbench.core.errors import ErrorInfo
from workbench.core.paths import Paths
from workbench.ui.context import SettingsModel
from workbench.ui.jobs import Jobs

FIRST_MS = 60_000
AGAIN_MS = 6 * 3_600_000


class AutomaticBackups(QObject):
    def __init__(
        self,
        paths: Paths,
        settings: SettingsModel,
        jobs: Jobs,
        failed: Callable[[ErrorInfo], None],
        parent: QObject | None = None,
    ) -> None:
        """`failed` is told, on the UI thread, why a backup that was due could not be made."""
        super().__init__(parent)
        self._paths, self._settings, self._jobs, self._failed = paths, settings, jobs, failed
        self._timer = QTimer(self)
        self._timer.setInterval(AGAIN_MS)
        self._timer.timeout.connect(self.look)

    def start(self) -> None:
        self._timer.start()
        QTimer.singleShot(FIRST_MS, self, self.look)

    @Slot()
    def look(self) -> None:
        """Make a backup in a worker if one is due."""
        settings, paths = self._settings.value.backups, self._paths
        if settings.every_days <= 0:
            return

        def work(token: CancelToken) -> Path | None:
            schedule: Any = importlib.import_module("workbench.services.backup_schedule")
            made: Path | None = schedule.back_up_if_due(paths, settings, token)
            return made

        self._jobs.run_cancellable(work, None, self._failed, owner=self, key="automatic-backup")
