"""Delete everything: no file, no byte and no key of the user's is left, and nothing of anybody else's is touched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest

from tests.services.test_keys import MemoryKeyring
from workbench.core.messages import Message
from workbench.core.paths import Paths
from workbench.services.backup import make_backup
from workbench.services.backup_restore import commit, stage
from workbench.services.crash import write_crash_report
from workbench.services.erasing import erase_contents, erase_files
from workbench.services.keys import Keys
from workbench.store import Store

SECRET = "the walrus plans a coup at noon"
KEY = "test-key-0123456789abcdef"


@pytest.fixture
def memory() -> Iterator[MemoryKeyring]:
    before = keyring.get_keyring()
    backend = MemoryKeyring()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


def use_everything(paths: Paths, elsewhere: Path) -> None:
    """Every kind of file the program leaves, those of killed programs too."""
    paths.create()
    with Store.open(paths.database, paths.backups) as store:
        session = store.create_session(title=SECRET)
        store.add_message(session.id, None, Message.of("user", SECRET))
        store.backup_now()
    elsewhere.mkdir()
    paths.settings.write_text(json.dumps({"backups": {"folder": str(elsewhere)}}))
    make_backup(paths, elsewhere / "model-workbench-auto-20260101-000000.zip")
    commit(paths, stage(paths, elsewhere / "model-workbench-auto-20260101-000000.zip")[0])
    stage(paths, elsewhere / "model-workbench-auto-20260101-000000.zip")  # and killed before it is committed
    aside = paths.data / "workbench-aside-20260101T000000000000.db"
    aside.write_bytes(SECRET.encode())
    aside.with_name(aside.name + "-wal").write_bytes(SECRET.encode())
    for name in ("settings.damaged.json", ".settings.json.x1", "keys.json", ".keys.x1", "prices.json", "ui-state.json"):
        (paths.config / name).write_text(json.dumps({"a": SECRET}))
    for name in ("downloads.json", "machine.json"):
        (paths.data / name).write_text(json.dumps([SECRET]))
    paths.drafts.mkdir()
    (paths.drafts / f"{session.id}.msgpack").write_text(SECRET)
    (paths.cache / "remote-models.json").write_text("{}")
    (paths.logs / "engine-x.log").write_text(SECRET)
    write_crash_report(ValueError(SECRET), paths)


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_no_file_is_left_but_models_plugins_and_what_is_not_ours(
    memory: MemoryKeyring, home: Path, tmp_path: Path
) -> None:
    paths = Paths.of_user()
    use_everything(paths, tmp_path / "elsewhere")
    for folder, name in ((paths.models, "kept.gguf"), (paths.plugins, "mine.py"), (home, "holiday.jpg")):
        folder.mkdir(exist_ok=True)
        (folder / name).write_text("mine")
    (tmp_path / "elsewhere" / "holiday.jpg").write_text("mine")
    with Store.open(paths.database, paths.backups) as store:
        assert erase_contents(store, Keys(paths), []) == []
    assert erase_files(paths) == []
    assert files_below(home) == {"models/kept.gguf", "plugins/mine.py", "holiday.jpg"}
    assert {path.name for path in home.iterdir()} == {"models", "plugins", "holiday.jpg"}
    assert files_below(tmp_path / "elsewhere") == {"holiday.jpg"}


def test_the_overwritten_database_holds_nothing_where_it_can_not_be_deleted(home: Path, tmp_path: Path) -> None:
    paths = Paths.of_user()
    use_everything(paths, tmp_path / "elsewhere")
    with Store.open(paths.database, paths.backups) as store:
        erase_contents(store, Keys(paths), [])
    assert SECRET.encode() not in b"".join(path.read_bytes() for path in home.glob("workbench.db*"))


def test_keys_of_providers_that_are_no_longer_known_go_too(memory: MemoryKeyring) -> None:
    paths = Paths.of_user()
    keys = Keys(paths)
    for name in ("openai", "of-a-plugin-that-is-off", "removed-long-ago"):
        keys.set(name, KEY)
    assert Keys(paths).kept_names() == {"openai", "of-a-plugin-that-is-off", "removed-long-ago"}
    keys.delete("openai")
    with Store.open(paths.database, paths.backups) as store:
        assert erase_contents(store, Keys(paths), ["openai"]) == []
    erase_files(paths)
    assert memory.kept == {}
    assert KEY not in "".join(path.read_text(errors="replace") for path in paths.config.rglob("*") if path.is_file())


def test_a_keyring_that_is_locked_is_told(memory: MemoryKeyring) -> None:
    paths = Paths.of_user()
    Keys(paths).set("openai", KEY)
    memory.locked = True
    with Store.open(paths.database, paths.backups) as store:
        problems = erase_contents(store, Keys(paths), [])
    assert problems and "openai" in problems[0]
