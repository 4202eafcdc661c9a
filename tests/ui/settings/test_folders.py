"""Folders: added, missing, opened in the file manager."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QLabel

from tests.ui.driver import Driver
from tests.ui.settings.conftest import Part
from workbench.ui.icons import IconButton


def test_folders_are_opened_in_the_file_manager(
    window: Driver, part: Part, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def note(url: QUrl) -> bool:
        opened.append(url.toLocalFile())
        return True

    monkeypatch.setattr(QDesktopServices, "openUrl", note)
    section = part("folders")
    buttons = [button for button in section.findChildren(IconButton) if button.accessibleName().startswith("Open the")]
    for button in buttons:
        window.click(button)
    names = ("", "", "backups", "logs", "plugins")
    assert [Path(path) for path in opened] == [home / name if name else home for name in names]
    assert all(Path(path).is_dir() for path in opened)


def test_a_folder_is_added_once_and_told_when_it_is_gone(
    window: Driver, part: Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "gguf"
    folder.mkdir()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_arguments: str(folder))
    section = part("folders")
    window.click(section.add)
    window.click(section.add)
    assert window.program.settings.value.folders.model_folders == (str(folder),)
    assert "already" in window.window.toaster.text.text()
    folder.rmdir()
    section.show_settings()
    assert any("does not exist now" in label.text() for label in section.findChildren(QLabel))


def test_a_typed_folder_for_downloads_has_to_be_there(window: Driver, part: Part, tmp_path: Path) -> None:
    section = part("folders")

    def kept(text: str) -> str:
        section.download.setText(text)
        section.download.editingFinished.emit()
        return window.program.settings.value.folders.download_folder

    for wrong in (str(tmp_path / "nowhere"), "relative"):
        assert kept(wrong) == ""
        assert section.problem.isVisible() and wrong in section.problem.text()
        assert section.download.text() == wrong, "to be corrected"
    assert kept(f" {tmp_path} ") == str(tmp_path)
    assert not section.problem.isVisible()
    assert kept("") == "", "the shared cache again"
