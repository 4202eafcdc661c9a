"""The downloads as the window shows them: looked at by a timer while something runs, changed in workers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from workbench.core.errors import ErrorInfo
from workbench.ui.context import Context
from workbench.ui.formats import duration_text, size_text
from workbench.ui.models.formats import repo_title
from workbench.ui.models.hub import HubSlot
from workbench.ui.tr import tr, trn
from workbench.ui.widgets import TOAST_MS

if TYPE_CHECKING:
    from workbench.hub.repos import Quantization, RepoFile
    from workbench.services.downloads import DownloadManager, DownloadSnapshot

LOOK_MS = 200
LONGEST_NAME = 32
"""Characters of a model's name in the status bar."""
WORK_KEY = "downloads"
UNFINISHED = ("queued", "running", "paused", "failed")


class Transfers(QObject):
    changed = Signal()
    """Some download stands otherwise than before."""
    finished = Signal(object)
    """DownloadSnapshot of one that has just been completed."""
    verified = Signal(object)
    """DownloadSnapshot of one that was checked again and is whole."""
    failed = Signal(object)
    """DownloadSnapshot of one that could not go on."""
    error = Signal(object)
    """ErrorInfo of something that belongs to no download."""

    def __init__(self, context: Context, hub: HubSlot, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._hub = hub
        self.snapshots: list[DownloadSnapshot] = []
        """Oldest first."""
        self._verifying: set[str] = set()
        self._leaving: dict[str, QTimer] = {}
        """Cancelled downloads whose bytes are deleted when the time is over."""
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self.look)
        hub.ready.connect(self.look)

    @property
    def unfinished(self) -> list[DownloadSnapshot]:
        return [snapshot for snapshot in self.snapshots if snapshot.state in UNFINISHED]

    @property
    def active(self) -> list[DownloadSnapshot]:
        return [snapshot for snapshot in self.snapshots if snapshot.state in ("queued", "running")]

    def of(self, repo_id: str, model: Quantization) -> DownloadSnapshot | None:
        """The download of this model, if there is one on the list."""
        for snapshot in reversed(self.snapshots):
            if (snapshot.repo_id, snapshot.label) == (repo_id, model.label) and snapshot.state != "cancelled":
                return snapshot
        return None

    # --- what the user does ----------------------------------------------------------------------------------
    def start(self, repo_id: str, model: Quantization, projector: RepoFile | None = None, *, commit: str = "") -> None:
        """`commit`: of the listing that the model was chosen from."""

        def work(manager: DownloadManager) -> None:
            for snapshot in manager.snapshots():
                same = (snapshot.repo_id, snapshot.label) == (repo_id, model.label)
                if same and snapshot.state == "done" and not Path(snapshot.path).is_file():
                    manager.forget(snapshot.id)  # deleted since: the list must not stand in the way
            manager.start(repo_id, model, commit=commit, projector=projector)

        self._do(work)

    def pause(self, download_id: str) -> None:
        self._do(lambda manager: manager.pause(download_id))

    def resume(self, download_id: str) -> None:
        self._do(lambda manager: manager.resume(download_id))

    def first(self, download_id: str) -> None:
        self._do(lambda manager: manager.first(download_id))

    def cancel(self, download_id: str) -> None:
        """Stop; what came is deleted once the moment in which `resume` takes that back is over."""
        timer = self._leaving.get(download_id)
        if timer is None:
            timer = self._leaving[download_id] = QTimer(self)
            timer.setSingleShot(True)
            timer.timeout.connect(partial(self._discard, download_id))
        timer.start(TOAST_MS)
        self._do(lambda manager: manager.cancel(download_id, keep=True))

    def _discard(self, download_id: str) -> None:
        self._leaving.pop(download_id).deleteLater()
        self._do(lambda manager: manager.discard(download_id))

    def forget(self, *download_ids: str) -> None:
        def work(manager: DownloadManager) -> None:
            for download_id in download_ids:
                manager.forget(download_id)

        self._do(work)

    def verify(self, download_id: str) -> None:
        self._verifying.add(download_id)
        self._do(lambda manager: manager.verify(download_id))

    def pause_all(self) -> None:
        self._do(lambda manager: manager.pause_all())

    def resume_all(self) -> None:
        self._do(lambda manager: manager.resume_all())

    def forget_files(self, paths: set[str]) -> None:
        """Take finished downloads off the list whose model was deleted."""
        gone = [snapshot.id for snapshot in self.snapshots if snapshot.state == "done" and snapshot.path in paths]
        if gone:
            self.forget(*gone)

    # --- looking ---------------------------------------------------------------------------------------------
    @Slot()
    def look(self) -> None:
        """Take over how the downloads stand now."""
        access = self._hub.access
        if access is None:
            self._timer.stop()
            return
        before = {snapshot.id: snapshot for snapshot in self.snapshots}
        now = access.downloads.snapshots()
        if now != self.snapshots:
            self.snapshots = now
            self.changed.emit()
            self._show_work([snapshot for snapshot in now if _has_ended(before.get(snapshot.id), snapshot)])
            for snapshot in now:
                self._tell_end(before.get(snapshot.id), snapshot)
        if self.active:
            self._timer.start()
        else:
            self._timer.stop()

    def _tell_end(self, before: DownloadSnapshot | None, now: DownloadSnapshot) -> None:
        if not _has_ended(before, now):
            return
        verifying = now.id in self._verifying
        self._verifying.discard(now.id)
        if now.state == "done":
            (self.verified if verifying else self.finished).emit(now)
        elif now.error is not None:
            self.failed.emit(now)

    def _show_work(self, ended: list[DownloadSnapshot]) -> None:
        active = self.active
        if not active:
            self._context.shell.set_work(WORK_KEY, "", None, None, _news_of(ended))
            return
        total = sum(snapshot.total_bytes for snapshot in active)
        done = sum(snapshot.done_bytes for snapshot in active)
        speed = sum(snapshot.bytes_per_s for snapshot in active)
        one = len(active) == 1
        name = f"{_shortened(repo_title(active[0].repo_id))} {active[0].label}" if one else ""
        title = (
            tr("Downloading {name}", name=name)
            if one
            else trn("Downloading {count} model", "Downloading {count} models", len(active))
        )
        parts = [title, tr("{done} of {total}", done=size_text(done), total=size_text(total))]
        if speed > 0:
            parts.append(f"{size_text(speed)}/s")
            parts.append(tr("{time} left", time=duration_text((total - done) / speed)))
        self._context.shell.set_work(WORK_KEY, " · ".join(parts), done / total if total else None, self.pause_all)

    def _do(self, work: Callable[[DownloadManager], Any]) -> None:
        access = self._hub.access
        if access is None:
            return
        manager = access.downloads
        self._context.jobs.run(lambda: work(manager), lambda _result: self.look(), self._failed, owner=self)

    def _failed(self, error: ErrorInfo) -> None:
        self.look()
        self.error.emit(error)


def _has_ended(before: DownloadSnapshot | None, now: DownloadSnapshot) -> bool:
    return before is not None and before.state in ("queued", "running") and now.state not in ("queued", "running")


def _shortened(name: str) -> str:
    """The status bar has room for a line, and what is left to wait is at its end."""
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1].rstrip("-_. ") + "…"


def _news_of(ended: list[DownloadSnapshot]) -> str:
    """What came of the last downloads; nothing where the user paused them."""
    for snapshot in ended:
        name = f"{repo_title(snapshot.repo_id)} {snapshot.label}"
        if snapshot.error is not None:
            return tr("The download of {name} stopped.", name=name)
        if snapshot.state == "done":
            return tr("{name} is downloaded.", name=name)
    return ""
