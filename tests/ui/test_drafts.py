"""Files of prompts that were not sent yet: they outlive whatever happens while they are being read or written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from PySide6.QtCore import QObject

from tests.ui.driver import Driver
from workbench.ui.chat.attachments import Attached, read_files
from workbench.ui.draft_files import COMPARISON, NEW_CHAT, DraftFiles
from workbench.ui.jobs import SERIAL, Jobs

Start = Callable[..., Driver]


@contextmanager
def busy(jobs: Jobs) -> Iterator[None]:
    """The serial lane does nothing else meanwhile."""
    free = threading.Event()
    jobs.run(lambda: free.wait(30), lane=SERIAL)
    try:
        yield
    finally:
        free.set()


def names(files: list[Attached]) -> list[str]:
    return [file.attachment.name for file in files]


def attach(driver: Driver, path: Path) -> None:
    path.write_text(path.name)
    count = len(driver.composer.files)
    driver.composer.add_files([str(path)])
    driver.wait(lambda: len(driver.composer.files) > count)


def on_disk(home: Path, draft: str) -> list[str]:
    path = home / "drafts" / f"{draft}.msgpack"
    return names(msgspec.msgpack.decode(path.read_bytes(), type=list[Attached])) if path.exists() else []


@pytest.fixture
def restarted(fake_models: None, start: Start, tmp_path: Path) -> tuple[Driver, str]:
    """A chat with a file in its draft, not opened yet since the start."""
    first = start()
    first.use("fake:echo")
    first.send("one")
    session_id = first.state.session_id
    assert session_id is not None
    attach(first, tmp_path / "notes.txt")
    first.shortcut("Ctrl+N")
    first.close()
    return start(), session_id


def settle(driver: Driver) -> None:
    """Everything the serial lane holds is done and delivered."""
    seen: list[object] = []
    driver.page.desk.context.jobs.run(lambda: None, seen.append, lane=SERIAL)
    driver.wait(lambda: seen)


def test_files_of_a_chat_left_before_they_were_read_stay(
    restarted: tuple[Driver, str], tmp_path: Path, home: Path
) -> None:
    driver, session_id = restarted
    with busy(driver.page.desk.context.jobs):
        driver.state.open_session(session_id)
        driver.wait(lambda: driver.state.path)
        attach(driver, tmp_path / "more.txt")
        driver.shortcut("Ctrl+N")
    settle(driver)
    assert driver.composer.files == []
    driver.state.open_session(session_id)
    driver.wait(lambda: driver.composer.files)
    assert names(driver.composer.files) == ["notes.txt", "more.txt"]
    driver.close()
    assert on_disk(home, session_id) == ["notes.txt", "more.txt"]


def test_files_that_come_while_an_earlier_message_is_edited_stay(restarted: tuple[Driver, str], home: Path) -> None:
    driver, session_id = restarted
    with busy(driver.page.desk.context.jobs):
        driver.state.open_session(session_id)
        driver.wait(lambda: driver.state.path)
        driver.shortcut("Ctrl+E")
        assert driver.composer.text == "one"
    settle(driver)
    assert driver.composer.files == []
    driver.press("Esc")
    assert names(driver.composer.files) == ["notes.txt"]
    driver.close()
    assert on_disk(home, session_id) == ["notes.txt"]


def test_what_is_sent_while_the_window_opens_leaves_the_drafts_files(
    fake_models: None, start: Start, tmp_path: Path, home: Path
) -> None:
    first = start()
    first.use("fake:echo")
    first.send("one")
    attach(first, tmp_path / "notes.txt")
    first.close()
    again = start(complete=False)
    composer = again.window.page("chat").composer
    again.send_while_opening("more")
    again.wait(lambda: len(again.state.path) == 4)
    again.wait_idle()
    again.wait(lambda: composer.files)
    assert names(composer.files) == ["notes.txt"]


def test_files_attached_while_a_chat_is_made_are_not_the_next_new_chats(
    window: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window.use("fake:echo")
    desk = window.page.desk
    kept: list[tuple[str | None, list[str]]] = []
    keep = desk._drafts.keep

    def noting(draft: str, files: list[Attached]) -> None:
        kept.append((draft, names(files)))
        keep(draft, files)

    monkeypatch.setattr(desk._drafts, "keep", noting)
    window.type("hello")
    window.press("Return")
    assert window.state.session_id is None
    (tmp_path / "notes.txt").write_text("notes")
    window.composer.set_files(read_files([str(tmp_path / "notes.txt")]).files)
    desk.save_draft()
    window.wait(lambda: window.state.session_id)
    window.wait_idle()
    session_id = window.state.session_id
    new_chat = [files for draft, files in kept if draft == NEW_CHAT]
    assert ["notes.txt"] in new_chat and new_chat[-1] == []
    window.wait(lambda: (session_id, ["notes.txt"]) in kept)


class Drafts:
    """`DraftFiles` with a real lane and folder."""

    def __init__(self, folder: Path, qtbot: Any) -> None:
        self.folder, self.qtbot = folder, qtbot
        self.owner, self.jobs = QObject(), Jobs()
        self.files = DraftFiles(self.context, self.owner)

    @property
    def context(self) -> Any:
        return SimpleNamespace(paths=SimpleNamespace(drafts=self.folder / "drafts"), jobs=self.jobs)

    def settle(self) -> None:
        self.qtbot.waitUntil(lambda: self.jobs.pending == 0)

    def attached(self, name: str) -> list[Attached]:
        (self.folder / name).write_text(name)
        return read_files([str(self.folder / name)]).files


@pytest.fixture
def drafts(tmp_path: Path, qtbot: Any) -> Iterator[Drafts]:
    made = Drafts(tmp_path, qtbot)
    yield made
    made.jobs.close()


def test_a_file_attached_and_left_before_the_read_came_is_written_at_close(drafts: Drafts) -> None:
    drafts.files.keep("a", drafts.attached("notes.txt"))
    drafts.settle()
    again = DraftFiles(drafts.context, drafts.owner)
    again.read("a", lambda _files: None)
    again.keep("a", drafts.attached("more.txt"))
    drafts.jobs.close()
    assert on_disk(drafts.folder, "a") == ["notes.txt", "more.txt"]


def test_what_could_not_be_written_is_tried_again(drafts: Drafts) -> None:
    files = drafts.attached("notes.txt")
    (drafts.folder / "drafts").write_text("in the way")
    drafts.files.keep("a", files)
    drafts.settle()
    (drafts.folder / "drafts").unlink()
    drafts.files.keep("a", files)
    drafts.settle()
    assert on_disk(drafts.folder, "a") == ["notes.txt"]


def test_only_drafts_of_chats_that_are_gone_are_swept(window: Driver, home: Path) -> None:
    window.use("fake:echo")
    window.send("one")
    living = window.state.session_id
    deleted = window.store.create_session().id
    window.store.delete_session(deleted)
    folder = home / "drafts"
    folder.mkdir(exist_ok=True)
    for name in (NEW_CHAT, COMPARISON, living, deleted, "gone"):
        (folder / f"{name}.msgpack").write_bytes(b"\x90")
    desk = window.page.desk
    backend = desk.context.backend.value
    assert backend is not None
    desk._drafts.sweep(backend)
    settle(window)
    assert {path.stem for path in folder.iterdir()} == {NEW_CHAT, COMPARISON, living, deleted}


def test_a_folder_that_cannot_be_swept_is_no_crash(
    drafts: Drafts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (drafts.folder / "drafts").mkdir()

    def refused(_path: Path) -> Iterator[Path]:
        raise PermissionError("not yours")

    reports: list[object] = []
    monkeypatch.setattr("sys.excepthook", lambda *what: reports.append(what))
    monkeypatch.setattr(Path, "iterdir", refused)
    drafts.files.sweep(SimpleNamespace())  # type: ignore[arg-type]
    drafts.settle()
    assert not reports
    assert "not yours" in caplog.text
