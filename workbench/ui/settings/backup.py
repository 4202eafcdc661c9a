"""Backups: make one, restore one, undo that, and have them made by themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PySide6 import QtWidgets
from PySide6.QtCore import QTimer, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QProgressBar, QWidget

from workbench.core.cancel import CancelToken
from workbench.core.errors import ErrorInfo
from workbench.core.paths import Paths
from workbench.services.backup import file_name, make_backup
from workbench.services.backup_archive import Manifest, Tell
from workbench.services.backup_restore import (
    SafetyCopy,
    Staged,
    clear_staging,
    commit,
    discard,
    safety_copies,
    stage,
    stage_undo,
)
from workbench.services.backup_schedule import AutomaticBackup, automatic_backups, folder_of
from workbench.ui.context import Context
from workbench.ui.formats import date_and_time, number, size_text
from workbench.ui.icons import IconButton, PushButton
from workbench.ui.jobs import Job
from workbench.ui.settings.general import FIELD_WIDTH
from workbench.ui.settings.restore_dialog import RestoreDialog
from workbench.ui.settings.section import SettingsSection, add_row, say
from workbench.ui.tr import mark, tr
from workbench.ui.widgets import label, separator

WORK = "backup"
TICK_MS = 100
INTERVALS = ((0, mark("Never")), (1, mark("Every day")), (7, mark("Every week")), (30, mark("Every month")))
KEPT = (1, 2, 4, 8, 16)
STEPS = {
    "copy": mark("Copying the database…"),
    "pack": mark("Packing…"),
    "check": mark("Reading the backup back…"),
    "unpack": mark("Unpacking and checking the backup…"),
}


@dataclass(slots=True)
class Progress:
    """Written by the worker, read by the timer."""

    step: str = "copy"
    fraction: float = 0.0

    def tell(self, step: str, fraction: float) -> None:
        self.step, self.fraction = step, fraction


@dataclass(frozen=True, slots=True)
class BackupFacts:
    copies: list[SafetyCopy]
    automatic: list[AutomaticBackup]


def read_facts(paths: Paths, folder: Path) -> BackupFacts:
    return BackupFacts(safety_copies(paths), automatic_backups(folder))


class BackupSection(SettingsSection):
    title = mark("Backup")
    intro = mark(
        "A backup is one file with your chats, comparisons, evaluations, runs, presets, attachments and settings. "
        "API keys are never in it; models are listed in it with what is needed to download them again. It is not "
        "encrypted."
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._job: Job | None = None
        self._progress = Progress()
        self._copies: list[SafetyCopy] = []
        box = self.card()
        self.make = PushButton(tr("Back up…"), icon_name="save")
        self.make.clicked.connect(self._choose_target)
        hint = tr(
            "Works while answers are being written. The file is read back and checked before you are told it is done."
        )
        add_row(box, tr("Back up now"), hint, self.make)
        self.restore = PushButton(tr("Restore…"), icon_name="rotate-ccw")
        self.restore.clicked.connect(self._choose_source)
        hint = tr(
            "Puts a backup in the place of everything that is here now. What is here is kept, and you can go back."
        )
        add_row(box, tr("Restore a backup"), hint, self.restore)
        self.undo = PushButton(tr("Undo the restore"), icon_name="undo-2")
        self.undo.clicked.connect(self._undo)
        self.undo_row = QWidget()
        inner = QtWidgets.QVBoxLayout(self.undo_row)
        inner.setContentsMargins(0, 0, 0, 0)
        add_row(inner, tr("Undo the last restore"), tr("Puts back what was here before it."), self.undo)
        inner.insertWidget(0, separator())  # hides with the row
        self.undo_row.hide()
        box.addWidget(self.undo_row)
        self._add_progress()
        self._add_schedule()
        self.column.addStretch(1)
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)
        self.show_settings()

    def _add_progress(self) -> None:
        self.work = QWidget()
        row = QHBoxLayout(self.work)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        self.step = label("")
        row.addWidget(self.step)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setRange(0, 1000)
        self.bar.setAccessibleName(tr("Progress of the backup"))
        row.addWidget(self.bar, 1)
        self.stop = PushButton(tr("Stop"), icon_name="square")
        self.stop.clicked.connect(self.cancel)
        row.addWidget(self.stop)
        self.work.hide()
        self.column.addWidget(self.work)
        self.result = label("", wrap=True, selectable=True)
        self.result.hide()
        self.column.addWidget(self.result)

    def _add_schedule(self) -> None:
        self.column.addWidget(label(tr("By itself"), "sectionTitle"))
        box = self.card()
        self.interval = QComboBox()
        for days, title in INTERVALS:
            self.interval.addItem(tr(title), days)
        self.interval.activated.connect(self._interval_chosen)
        add_row(box, tr("Automatic backups"), tr("Made in the background while the window is open."), self.interval)
        self.keep = QComboBox()
        for count in KEPT:
            self.keep.addItem(str(count), count)
        self.keep.activated.connect(self._keep_chosen)
        add_row(box, tr("How many are kept"), tr("The oldest is deleted when there are more."), self.keep)
        self.folder = QLineEdit()
        self.folder.setFixedWidth(FIELD_WIDTH)
        self.folder.setPlaceholderText(tr("The program's own folder"))
        self.folder.editingFinished.connect(self._folder_edited)
        choose = IconButton("folder", tr("Choose the folder for automatic backups"))
        choose.clicked.connect(self._choose_folder)
        hint = tr("On another disk, or in a folder that is synchronised, they also survive the loss of this one.")
        add_row(box, tr("Folder"), hint, self.folder, choose)
        self.last = label("", "small", wrap=True)
        self.last.setContentsMargins(0, 8, 0, 8)
        box.addWidget(self.last)

    # --- what is shown -----------------------------------------------------------------------------------------------
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.reload()

    @Slot()
    def show_settings(self) -> None:
        backups = self.context.settings.value.backups
        nearest = min(INTERVALS, key=lambda entry: (abs(entry[0] - backups.every_days), entry[0]))
        self.interval.setCurrentIndex(INTERVALS.index(nearest))
        self.keep.setCurrentIndex(KEPT.index(min(KEPT, key=lambda count: abs(count - backups.keep))))
        self.folder.setText(backups.folder)
        self.reload()

    @Slot()
    def reload(self) -> None:
        paths, folder = self.context.paths, folder_of(self.context.paths, self.context.settings.value.backups)
        self.context.jobs.run(lambda: read_facts(paths, folder), self._show_facts, owner=self, key="backup-facts")

    def _show_facts(self, facts: BackupFacts) -> None:
        self._copies = facts.copies
        self.undo_row.setVisible(bool(facts.copies))
        if facts.copies:
            self.undo.setToolTip(str(facts.copies[0].folder))
        if facts.automatic:
            newest = facts.automatic[0]
            text = tr(
                "The newest is of {when} ({size}): {path}",
                when=date_and_time(newest.made_at.isoformat()),
                size=size_text(newest.bytes),
                path=newest.path,
            )
        else:
            text = tr("None has been made yet.")
        self.last.setText(text)

    # --- working -----------------------------------------------------------------------------------------------------
    def _begin(self, work: Callable[[Tell, CancelToken], Any], done: Callable[[Any], None], step: str) -> None:
        if self._job is not None:
            return
        self._progress = progress = Progress(step)
        self.result.hide()
        for button in (self.make, self.restore, self.undo):
            button.setEnabled(False)
        self.work.show()

        def finished(result: Any) -> None:
            self._end()
            done(result)

        def failed(error: ErrorInfo) -> None:
            self._end()
            self.tell(str(error), "muted" if error.kind == "cancelled" else "bad", error.detail)

        self._job = self.context.jobs.run_cancellable(
            lambda token: work(progress.tell, token), finished, failed, owner=self, key=WORK
        )
        self._timer.start()
        self._tick()

    def _end(self) -> None:
        self._job = None
        self._timer.stop()
        self.work.hide()
        self.context.shell.set_work(WORK, "", None, None)
        for button in (self.make, self.restore, self.undo):
            button.setEnabled(True)

    @Slot()
    def _tick(self) -> None:
        text = tr(STEPS[self._progress.step])
        self.step.setText(text)
        self.bar.setValue(round(self._progress.fraction * 1000))
        self.context.shell.set_work(WORK, text, self._progress.fraction, self.cancel)

    @Slot()
    def cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()
            self._end()
            self.tell(tr("Stopped. Nothing was changed."), "muted")

    def tell(self, text: str, name: str, detail: str = "") -> None:
        self.result.setToolTip(detail)
        say(self.result, text, name)

    # --- backing up --------------------------------------------------------------------------------------------------
    @Slot()
    def _choose_target(self) -> None:
        start = str(Path.home() / file_name())
        path, _kind = QtWidgets.QFileDialog.getSaveFileName(self, tr("Back up to"), start, "ZIP (*.zip)")
        if path:
            self.back_up(Path(path))

    def back_up(self, target: Path) -> None:
        paths = self.context.paths
        if target.suffix.lower() != ".zip":
            target = target.with_name(f"{target.name}.zip")
        self._begin(
            lambda tell, token: make_backup(paths, target, tell=tell, cancel=token),
            partial(self._backed_up, target),
            "copy",
        )

    def _backed_up(self, target: Path, manifest: Manifest) -> None:
        text = tr(
            "Done and checked: {path} ({size}; chats and comparisons: {sessions}, runs: {runs}).",
            path=target,
            size=size_text(target.stat().st_size),
            sessions=number(manifest.sessions),
            runs=number(manifest.runs),
        )
        self.tell(text, "good")

    # --- restoring ---------------------------------------------------------------------------------------------------
    @Slot()
    def _choose_source(self) -> None:
        newest = folder_of(self.context.paths, self.context.settings.value.backups)
        start = str(newest if newest.is_dir() else Path.home())
        path, _kind = QtWidgets.QFileDialog.getOpenFileName(self, tr("Restore a backup"), start, "ZIP (*.zip)")
        if path:
            self.restore_from(Path(path))

    def restore_from(self, source: Path) -> None:
        paths = self.context.paths
        self._begin(lambda tell, token: stage(paths, source, tell=tell, cancel=token), self._ask, "unpack")

    def _ask(self, result: tuple[Staged, Manifest]) -> None:
        staged, manifest = result
        self._dialog = RestoreDialog(manifest, self)
        self._dialog.accepted.connect(lambda: self._replace(staged, tr("The backup was restored.")))
        self._dialog.rejected.connect(lambda: self._forget(staged))
        self._dialog.open()

    def _replace(self, staged: Staged, message: str) -> None:
        paths = self.context.paths

        def work() -> str:
            try:
                commit(paths, staged)
            finally:
                clear_staging(paths)
            return message

        self.context.shell.restart(work)

    def _forget(self, staged: Staged) -> None:
        paths = self.context.paths
        self.context.jobs.run(lambda: discard(paths, staged), owner=self)
        self.tell(tr("Stopped. Nothing was changed."), "muted")

    @Slot()
    def _undo(self) -> None:
        if not self._copies:
            return
        when = date_and_time(self._copies[0].made_at)
        question = tr(
            "Put back what was here before the restore of {when}? What is here now is kept in turn.", when=when
        )
        kinds = QtWidgets.QMessageBox.StandardButton
        title = tr("Undo the restore")
        self._question = QtWidgets.QMessageBox(
            QtWidgets.QMessageBox.Icon.Question, title, question, kinds.Yes | kinds.Cancel, self
        )
        self._question.button(kinds.Yes).setText(title)
        self._question.accepted.connect(self.undo_restore)
        self._question.open()

    @Slot()
    def undo_restore(self) -> None:
        paths = self.context.paths
        message = tr("The restore was undone.")
        self._begin(lambda _tell, _token: stage_undo(paths), lambda staged: self._replace(staged, message), "unpack")

    # --- the schedule ------------------------------------------------------------------------------------------------
    @Slot()
    def _interval_chosen(self) -> None:
        self.save("backups", every_days=self.interval.currentData())

    @Slot()
    def _keep_chosen(self) -> None:
        self.save("backups", keep=self.keep.currentData())

    @Slot()
    def _folder_edited(self) -> None:
        folder = self.folder.text().strip()
        if folder == self.context.settings.value.backups.folder:
            return
        if folder and not Path(folder).expanduser().is_dir():
            self.tell(tr("There is no folder {path}.", path=folder), "bad")
            return
        self.result.hide()
        self.save("backups", folder=folder)

    @Slot()
    def _choose_folder(self) -> None:
        path = QtWidgets.QFileDialog.getExistingDirectory(self, tr("Folder for automatic backups"))
        if path:
            self.save("backups", folder=path)
