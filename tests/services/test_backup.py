"""A backup is whole, holds no key, is refused when it is not what it says, and replaces all or nothing."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from workbench.core.cancel import CancelToken
from workbench.core.errors import Cancelled, StoreError
from workbench.core.messages import Message
from workbench.core.paths import Paths
from workbench.core.settings import Backups
from workbench.services import backup_restore
from workbench.services.backup import make_backup
from workbench.services.backup_archive import MANIFEST, BackupRefused, read_manifest, unpack, verify
from workbench.services.backup_restore import (
    clear_staging,
    commit,
    discard,
    finish,
    is_pending,
    safety_copies,
    stage,
    stage_undo,
)
from workbench.services.backup_schedule import automatic_backups, back_up_if_due, is_due
from workbench.store import Store
from workbench.store.values import ModelRow

KEY = "sk-planted-0123456789abcdefghijkl"


@pytest.fixture
def paths() -> Paths:
    paths = Paths.of_user()
    paths.create()
    return paths


def fill(paths: Paths, name: str) -> None:
    """Data that carries one name in every file."""
    with Store.open(paths.database) as store:
        session = store.create_session(title=name)
        store.add_message(session.id, None, Message.of("user", f"text of {name}"))
    settings = {"default_model": name, "network": {"proxy": "http://user:secret@proxy.example:8080"}, "newer": {"a": 1}}
    settings["providers"] = {
        "own": {"kind": "openai", "base_url": "http://own.example/v1", "options": {"api_key": KEY}}
    }
    paths.settings.write_text(json.dumps(settings))
    (paths.config / "ui-state.json").write_text(json.dumps({"draft": name}))
    paths.keys_file.write_text(json.dumps({"openai": KEY}))


def names_in(paths: Paths) -> set[str]:
    """The name in each file: one if all are of the same state."""
    with Store.open(paths.database) as store:
        titles = {session.title for session in store.sessions()}
    settings = json.loads(paths.settings.read_text())["default_model"]
    return titles | {settings, json.loads((paths.config / "ui-state.json").read_text())["draft"]}


def all_bytes(archive: Path) -> bytes:
    with zipfile.ZipFile(archive) as file:
        return b"".join(file.read(name) for name in file.namelist())


def restore(paths: Paths, archive: Path) -> None:
    staged, _manifest = stage(paths, archive)
    commit(paths, staged)


def rewrite(source: Path, target: Path, change: Callable[[dict[str, bytes], dict[str, Any]], None]) -> Path:
    """A backup with other content; `change` gets the files and the manifest."""
    with zipfile.ZipFile(source) as file:
        content = {name: file.read(name) for name in file.namelist()}
    manifest = json.loads(content.pop(MANIFEST))
    change(content, manifest)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in content.items():
            file.writestr(name, data)
        file.writestr(MANIFEST, json.dumps(manifest))
    return target


@pytest.fixture
def archive(paths: Paths, tmp_path: Path) -> Path:
    fill(paths, "first")
    target = tmp_path / "out" / "backup.zip"
    make_backup(paths, target)
    return target


def test_a_backup_brings_back_everything_and_what_was_there_is_kept(paths: Paths, archive: Path) -> None:
    shutil.rmtree(paths.data)
    paths.create()
    fill(paths, "second")
    (paths.data / "machine.json").write_text("{}")
    restore(paths, archive)
    assert names_in(paths) == {"first"}
    assert not (paths.data / "machine.json").exists()  # the backup has none
    assert json.loads(paths.settings.read_text())["newer"] == {"a": 1}
    assert json.loads(paths.keys_file.read_text()) == {"openai": KEY}  # keys stay as they are
    (safety,) = safety_copies(paths)
    assert (safety.folder / "machine.json").exists()
    commit(paths, stage_undo(paths))
    assert names_in(paths) == {"second"}
    assert (paths.data / "machine.json").exists()
    commit(paths, stage_undo(paths))
    assert names_in(paths) == {"first"}
    assert len(safety_copies(paths)) == 2
    assert [path.name for path in paths.data.glob(".*")] == []


def test_a_backup_holds_no_key_and_is_for_the_user_only(paths: Paths, archive: Path) -> None:
    data = all_bytes(archive)
    assert KEY.encode() not in data
    assert b"user:secret" not in data
    manifest = read_manifest(archive)
    assert set(manifest.left_out) == {"network.proxy", "providers.own.options.api_key"}
    assert [(entry.name, entry.base_url) for entry in manifest.providers] == [("own", "http://own.example/v1")]
    if os.name == "posix":
        assert archive.stat().st_mode & 0o077 == 0


def test_the_manifest_says_what_is_in_it(paths: Paths, tmp_path: Path) -> None:
    fill(paths, "first")
    with Store.open(paths.database) as store:
        store.upsert_model(
            ModelRow(id="m1", name="Tiny", repo="org/tiny", revision="abc", filename="t.gguf", sha256="ff")
        )
    paths.plugins.mkdir()
    (paths.plugins / "mine.py").write_text("")
    make_backup(paths, tmp_path / "b.zip")
    manifest = verify(tmp_path / "b.zip")
    assert (manifest.sessions, manifest.runs, manifest.plugins) == (1, 0, ("mine.py",))
    assert [(model.repo, model.revision, model.filename, model.sha256) for model in manifest.models] == [
        ("org/tiny", "abc", "t.gguf", "ff")
    ]
    assert "models/" not in str(zipfile.ZipFile(tmp_path / "b.zip").namelist())


def test_a_backup_is_consistent_while_answers_are_written(paths: Paths, tmp_path: Path) -> None:
    """Messages are written in pairs; the copy never holds half a pair, and writing does not make it start over."""
    target = tmp_path / "busy.zip"
    stop = threading.Event()
    with Store.open(paths.database) as store:
        session = store.create_session(title="busy")

        def write() -> None:
            while not stop.is_set():

                def pair(db: Any) -> None:
                    for _ in range(2):
                        db.execute("INSERT INTO presets (name, kind, updated_at) VALUES (hex(randomblob(16)), 'x', '')")

                store._write(pair)

        for _ in range(200):
            store.add_message(session.id, None, Message.of("user", "x" * 5000))
        writer = threading.Thread(target=write)
        writer.start()
        try:
            make_backup(paths, target)
        finally:
            stop.set()
            writer.join()
    folder = tmp_path / "unpacked"
    folder.mkdir()
    unpack(target, folder)
    with Store.open(folder / "workbench.db") as copy:
        assert copy.integrity() == []
        assert len(copy.presets("x")) % 2 == 0
        assert copy.sizes().messages == 200


def test_a_backup_that_is_stopped_leaves_nothing(paths: Paths, archive: Path, tmp_path: Path) -> None:
    before = archive.read_bytes()
    token = CancelToken()
    with pytest.raises(Cancelled):
        make_backup(
            paths, archive, tell=lambda step, _fraction: token.cancel() if step == "pack" else None, cancel=token
        )
    assert archive.read_bytes() == before
    assert [path.name for path in archive.parent.iterdir()] == [archive.name]
    token = CancelToken()
    with pytest.raises(Cancelled):
        stage(paths, archive, tell=lambda *_: token.cancel(), cancel=token)
    assert not list(paths.data.glob(".*"))
    assert names_in(paths) == {"first"}


def test_progress_goes_from_nothing_to_all(paths: Paths, archive: Path) -> None:
    told: list[tuple[str, float]] = []
    make_backup(paths, archive, tell=lambda *step: told.append(step))
    assert list(dict.fromkeys(step for step, _ in told)) == ["copy", "pack", "check"]
    assert all(0 <= fraction <= 1 for _, fraction in told)
    assert told[-1] == ("check", 1.0)


def test_where_nothing_is_there_to_back_up_it_is_said(paths: Paths, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nothing to back up"):
        make_backup(paths, tmp_path / "b.zip")


def test_a_folder_that_can_not_be_written_is_told(paths: Paths, archive: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="could not be written"):
        make_backup(paths, tmp_path / "file" / "b.zip")


# --- what is refused --------------------------------------------------------------------------------------------------
def refusal(paths: Paths, archive: Path) -> str:
    before = names_in(paths)
    with pytest.raises(BackupRefused) as refused:
        stage(paths, archive)
    assert names_in(paths) == before
    assert not list(paths.data.glob(".*")), "nothing may be left"
    return str(refused.value)


def test_a_damaged_backup_is_refused(paths: Paths, archive: Path, tmp_path: Path) -> None:
    data = bytearray(archive.read_bytes())
    broken = tmp_path / "broken.zip"
    broken.write_bytes(data[: len(data) // 2])
    assert "is not a backup" in refusal(paths, broken)
    data[len(data) // 3] ^= 0xFF
    broken.write_bytes(data)
    assert "damaged" in refusal(paths, broken)


def test_a_backup_that_is_damaged_anywhere_is_refused_or_whole(archive: Path, tmp_path: Path) -> None:
    """Its headers and its directory too: nothing but what the user is told may come out of it."""
    whole = archive.read_bytes()
    chance = random.Random(6)
    broken = tmp_path / "broken.zip"
    headers = [place for place in range(len(whole)) if whole[place : place + 2] == b"PK"]
    refused = 0
    for _round in range(300):
        data = bytearray(whole)
        for _change in range(chance.randint(1, 3)):
            place = min(chance.choice(headers) + chance.randrange(60), len(data) - 1)
            data[place] = chance.randrange(256)
        broken.write_bytes(data[: chance.choice((len(data), len(data), chance.randrange(len(data))))])
        try:
            verify(broken)
        except (BackupRefused, StoreError):
            refused += 1
    assert refused > 150


@pytest.mark.parametrize("packing", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_backup_packed_in_another_way_is_refused(paths: Paths, archive: Path, tmp_path: Path, packing: int) -> None:
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(other, "w", packing) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    assert "no backup of this program has" in refusal(paths, other)


def test_a_changed_file_is_refused(paths: Paths, archive: Path, tmp_path: Path) -> None:
    def change(content: dict[str, bytes], _manifest: dict[str, Any]) -> None:
        content["ui-state.json"] = content["ui-state.json"].replace(b"first", b"worse")

    assert "damaged" in refusal(paths, rewrite(archive, tmp_path / "changed.zip", change))


def test_a_file_of_something_else_is_refused(paths: Paths, archive: Path, tmp_path: Path) -> None:
    other = tmp_path / "photos.zip"
    with zipfile.ZipFile(other, "w") as file:
        file.writestr("a.jpg", b"x")
    assert "not a backup" in refusal(paths, other)
    other.write_bytes(b"plain text")
    assert "not a backup" in refusal(paths, other)
    assert "no file" in refusal(paths, tmp_path / "missing.zip")


def test_a_newer_backup_is_refused(paths: Paths, archive: Path, tmp_path: Path) -> None:
    def version(_content: dict[str, bytes], manifest: dict[str, Any]) -> None:
        manifest.update(version=99, program="9.0", files="in a form that is not known yet")

    def migrations(_content: dict[str, bytes], manifest: dict[str, Any]) -> None:
        manifest["migrations"].append("add_something_later")

    for change in (version, migrations):
        assert "newer version" in refusal(paths, rewrite(archive, tmp_path / "newer.zip", change))


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil", "plugins/evil.py", "keys.json", "workbench.db/../x"])
def test_no_name_in_a_backup_leads_out_of_its_place(paths: Paths, archive: Path, tmp_path: Path, name: str) -> None:
    def change(content: dict[str, bytes], manifest: dict[str, Any]) -> None:
        content[name] = b"evil"
        digest = hashlib.sha256(b"evil").hexdigest()
        manifest["files"].append({"name": name, "bytes": 4, "sha256": digest})

    before = {path for path in tmp_path.rglob("*") if "evil" in path.name}
    assert "no backup of this program has" in refusal(paths, rewrite(archive, tmp_path / "slip.zip", change))
    assert {path for path in tmp_path.rglob("*") if "evil" in path.name} == before


def test_the_addresses_told_are_those_of_the_settings_that_come(paths: Paths, archive: Path, tmp_path: Path) -> None:
    def hide(_content: dict[str, bytes], manifest: dict[str, Any]) -> None:
        manifest["providers"] = []

    staged, manifest = stage(paths, rewrite(archive, tmp_path / "hiding.zip", hide))
    assert [(entry.name, entry.base_url) for entry in manifest.providers] == [("own", "http://own.example/v1")]
    discard(paths, staged)


def test_a_bomb_is_not_unpacked(paths: Paths, archive: Path, tmp_path: Path) -> None:
    def change(content: dict[str, bytes], manifest: dict[str, Any]) -> None:
        content["workbench.db"] = bytes(60_000_000)
        manifest["files"][0].update(bytes=60_000_000)

    assert "far more" in refusal(paths, rewrite(archive, tmp_path / "bomb.zip", change))

    def lie(content: dict[str, bytes], manifest: dict[str, Any]) -> None:
        manifest["files"][0].update(bytes=10**15)

    assert "damaged" in refusal(paths, rewrite(archive, tmp_path / "lie.zip", lie))


def test_a_database_of_another_program_is_refused(paths: Paths, archive: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as db:
        db.execute("CREATE TABLE cats (name)")
    db.close()

    def change(content: dict[str, bytes], manifest: dict[str, Any]) -> None:
        content["workbench.db"] = data = foreign.read_bytes()
        manifest["files"][0].update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())

    assert "another program" in refusal(paths, rewrite(archive, tmp_path / "foreign.zip", change))


# --- all or nothing ---------------------------------------------------------------------------------------------------
class Killed(BaseException):
    """What the test throws where the program would have been killed."""


def test_killed_at_any_step_the_data_is_old_or_new_never_half(
    paths: Paths, archive: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pristine = tmp_path / "pristine"
    shutil.rmtree(paths.data)
    paths.create()
    fill(paths, "second")
    shutil.copytree(paths.data, pristine)
    steps = 0
    while True:
        shutil.rmtree(paths.data)
        shutil.copytree(pristine, paths.data)
        staged, _manifest = stage(paths, archive)
        left = steps

        def counted(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any, **more: Any) -> Any:
                nonlocal left
                if left == 0:
                    raise Killed
                left -= 1
                return function(*arguments, **more)

            return call

        with monkeypatch.context() as patch:
            for name in ("rename", "replace", "unlink", "mkdir"):
                patch.setattr(Path, name, counted(getattr(Path, name)))
            try:
                commit(paths, staged)
                survived = True
            except Killed:
                survived = False
        begun = is_pending(paths)
        finish(paths)
        clear_staging(paths)
        assert names_in(paths) == ({"first"} if survived or begun or not _is_old(paths) else {"second"})
        assert not is_pending(paths)
        assert [path.name for path in paths.data.glob(".restore-*")] == []
        steps += 1
        if survived:
            break
    assert steps > 8, "the test must have killed it at many steps"


def _is_old(paths: Paths) -> bool:
    return json.loads(paths.settings.read_text())["default_model"] == "second"


def test_killed_for_real_the_data_is_old_or_new_never_half(paths: Paths, archive: Path, tmp_path: Path) -> None:
    """A process restores two backups in turn as fast as it can, and is killed again and again."""
    shutil.rmtree(paths.data)
    paths.create()
    fill(paths, "second")
    other = tmp_path / "other.zip"
    make_backup(paths, other)
    code = (
        "import sys; from pathlib import Path; from workbench.core.paths import Paths\n"
        "from workbench.services.backup_restore import *\n"
        "paths = Paths.of_user(); print('up', flush=True)\n"
        "while True:\n"
        "    for name in sys.argv[1:]:\n"
        "        commit(paths, stage(paths, Path(name))[0]); print('did', flush=True)\n"
    )
    for round_number in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(archive), str(other)], stdout=subprocess.PIPE, text=True
        ) as victim:
            assert victim.stdout is not None
            for _ in range(1 + round_number % 3):
                assert victim.stdout.readline()
            try:
                victim.wait(0.013 * (round_number + 1))
            except subprocess.TimeoutExpired:
                victim.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
        finish(paths)
        assert names_in(paths) in ({"first"}, {"second"})


def test_data_in_use_is_not_replaced(paths: Paths, archive: Path) -> None:
    staged, _manifest = stage(paths, archive)
    with Store.open(paths.database), pytest.raises(StoreError, match="in use by another window"):
        commit(paths, staged)
    assert not is_pending(paths)
    discard(paths, staged)
    assert names_in(paths) == {"first"}


def test_a_damaged_present_database_does_not_keep_a_backup_out(paths: Paths, archive: Path) -> None:
    paths.database.write_bytes(b"damaged" * 1000)
    restore(paths, archive)
    assert names_in(paths) == {"first"}
    (safety,) = safety_copies(paths)
    assert (safety.folder / "workbench.db").read_bytes().startswith(b"damaged")


def test_a_restore_that_can_not_finish_is_told_and_goes_on_later(
    paths: Paths, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged, _manifest = stage(paths, archive)

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(backup_restore, "_keep", full)
        with pytest.raises(StoreError, match="could not be finished"):
            commit(paths, staged)
    assert is_pending(paths)
    assert finish(paths) is True
    assert names_in(paths) == {"first"}
    assert finish(paths) is False


def test_without_a_restore_there_is_nothing_to_undo(paths: Paths) -> None:
    with pytest.raises(BackupRefused, match="No restore"):
        stage_undo(paths)


def test_a_backup_of_an_older_version_is_brought_up_to_date(paths: Paths, archive: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    with sqlite3.connect(old) as db:
        db.executescript((Path(__file__).parents[1] / "store" / "versions" / "1.sql").read_text(encoding="utf-8"))
    db.close()

    def change(content: dict[str, bytes], manifest: dict[str, Any]) -> None:
        content["workbench.db"] = data = old.read_bytes()
        manifest["files"][0].update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())

    restore(paths, rewrite(archive, tmp_path / "old.zip", change))
    with Store.open(paths.database) as store:
        assert store.integrity() == []
        assert store.sizes().sessions > 0


# --- by itself --------------------------------------------------------------------------------------------------------
def test_automatic_backups_come_when_due_and_the_oldest_go(paths: Paths) -> None:
    fill(paths, "first")
    settings = Backups(every_days=7, keep=2)
    now = datetime.now(UTC)
    assert not is_due(paths, settings, now)  # the first chat is of today
    assert is_due(paths, settings, now + timedelta(days=8))
    assert not is_due(paths, msgspec.structs.replace(settings, every_days=0), now + timedelta(days=800))
    with Store.open(paths.database) as store:
        store._write(lambda db: db.execute("UPDATE sessions SET created_at = '2020-01-01T00:00:00+00:00'").close())
    made = back_up_if_due(paths, settings)
    assert made is not None and verify(made).sessions == 1
    assert back_up_if_due(paths, settings) is None
    for number in range(3):
        older = made.with_name(f"model-workbench-auto-2020010{number}-000000.zip")
        older.write_bytes(b"old")
        os.utime(older, (1_500_000_000 + number, 1_500_000_000 + number))
    os.utime(made, (1_600_000_000, 1_600_000_000))
    assert back_up_if_due(paths, settings) is not None
    assert len(automatic_backups(paths.backups)) == 2
    assert made in [backup.path for backup in automatic_backups(paths.backups)]
