"""Backups in the window: made, refused, restored, undone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PySide6.QtWidgets import QDialog, QLabel

from tests.ui.driver import Driver
from tests.ui.settings.conftest import Part
from tests.ui.watchdog import Watchdog
from workbench.services import backup_restore
from workbench.services.backup_archive import verify
from workbench.services.backup_restore import STAGING
from workbench.ui.settings.restore_dialog import RestoreDialog

Start = Callable[..., Driver]


def titles(driver: Driver) -> list[str]:
    return sorted(session.title for session in driver.store.sessions())


def texts(dialog: QDialog) -> str:
    return "\n".join(label.text() for label in dialog.findChildren(QLabel))


@pytest.fixture
def archive(window: Driver, part: Part, tmp_path: Path) -> Path:
    window.send("first")
    section = part("backup")
    section.back_up(tmp_path / "mine")
    window.wait(lambda: section.result.isVisible())
    assert section.result.objectName() == "good" and not section.work.isVisible()
    return tmp_path / "mine.zip"


def test_a_backup_is_restored_and_the_restore_undone(window: Driver, part: Part, start: Start, archive: Path) -> None:
    assert verify(archive).sessions == 1
    window.window.show_place("chat")
    window.shortcut("Ctrl+N")
    window.send("second")
    section = part("backup")
    assert not section.undo_row.isVisible()
    section.restore_from(archive)
    window.wait(lambda: section.findChild(RestoreDialog) is not None)
    dialog = section.findChild(RestoreDialog)
    dialog.resize(dialog.width(), 240)  # as little as large text leaves on a small screen
    assert dialog.rect().contains(dialog.confirm.mapTo(dialog, dialog.confirm.rect().bottomRight())), "cut off"
    assert "complete and undamaged" in texts(dialog)
    window.click(dialog.confirm)
    window.wait(lambda: not window.window.isVisible())
    window.close()
    assert window.program.news == "The backup was restored."
    second = start()
    assert titles(second) == ["first"]
    second.window.show_part("settings", "backup")
    section = second.window.page("settings").show_part("backup")
    second.wait(lambda: section.undo_row.isVisible())
    section.undo_restore()
    second.wait(lambda: not second.window.isVisible())
    second.close()
    third = start(wait=False)
    third.wait(lambda: third.program.slot.value is not None)
    assert titles(third) == ["first", "second"]


def test_without_consent_nothing_changes(window: Driver, part: Part, archive: Path, home: Path) -> None:
    section = part("backup")
    section.restore_from(archive)
    window.wait(lambda: section.findChild(RestoreDialog) is not None)
    section.findChild(RestoreDialog).reject()
    window.wait(lambda: window.program.jobs.pending == 0 and not list(home.glob(f"{STAGING}*")))
    assert window.program.between is None and window.window.isVisible()
    assert "Nothing was changed" in section.result.text()


def test_a_file_that_is_no_backup_is_refused_in_words(window: Driver, part: Part, tmp_path: Path) -> None:
    section = part("backup")
    (tmp_path / "photo.zip").write_bytes(b"no zip")
    section.restore_from(tmp_path / "photo.zip")
    window.wait(section.result.isVisible)
    assert "not a backup" in section.result.text() and section.result.objectName() == "bad"
    assert section.restore.isEnabled()


def test_a_restore_that_fails_between_the_windows_is_told_by_the_next(
    window: Driver, part: Part, start: Start, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = part("backup")
    section.restore_from(archive)
    window.wait(lambda: section.findChild(RestoreDialog) is not None)

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(backup_restore, "_keep", full)
        window.click(section.findChild(RestoreDialog).confirm)
        window.close()
    assert "could not be finished" in str(window.program.news)
    second = start(wait=False)
    second.wait(lambda: second.window.banner_texts)
    assert "not finished yet" in second.window.banner_texts[0]  # half of it is there: nothing is opened


def test_a_backup_is_restored_where_the_database_does_not_open(
    window: Driver, start: Start, archive: Path, home: Path, watchdog: Watchdog
) -> None:
    window.close()
    (home / "workbench.db").write_bytes(b"not a database at all " * 500)
    second = start(wait=False)
    second.wait(lambda: second.window.banner_texts)
    assert "Settings › Backup" in second.window.banner_texts[0]
    second.window.show_part("settings", "backup")
    section = second.window.page("settings").show_part("backup")
    section.restore_from(archive)
    second.wait(lambda: section.findChild(RestoreDialog) is not None)
    second.click(section.findChild(RestoreDialog).confirm)
    second.close()
    third = start(wait=False)
    third.wait(lambda: third.program.slot.value is not None)
    assert titles(third) == ["first"] and third.window.banner_texts == []


def test_the_schedule_is_saved_and_a_backup_made_when_due(window: Driver, part: Part, home: Path) -> None:
    window.send("old")
    section = part("backup")
    assert "None has been made" in section.last.text()
    section.interval.setCurrentIndex(section.interval.findData(1))
    section.interval.activated.emit(section.interval.currentIndex())
    section.keep.setCurrentIndex(section.keep.findData(2))
    section.keep.activated.emit(section.keep.currentIndex())
    backups = window.program.settings.value.backups
    assert (backups.every_days, backups.keep) == (1, 2)
    long_ago = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    window.store._write(lambda db: db.execute("UPDATE sessions SET created_at = ?", [long_ago]).close())
    window.program.rest._backups.look()
    window.wait(lambda: list((home / "backups").glob("model-workbench-auto-*.zip")))
    window.wait(lambda: window.program.jobs.pending == 0)
    section.reload()
    window.wait(lambda: "The newest is of" in section.last.text())


def test_a_folder_that_is_not_there_is_not_taken(window: Driver, part: Part, tmp_path: Path) -> None:
    section = part("backup")
    section.folder.setText(str(tmp_path / "missing"))
    section.folder.editingFinished.emit()
    assert "There is no folder" in section.result.text()
    assert window.program.settings.value.backups.folder == ""
    section.folder.setText(str(tmp_path))
    section.folder.editingFinished.emit()
    assert window.program.settings.value.backups.folder == str(tmp_path)
