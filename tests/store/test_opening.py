"""Opening: new, old, newer, damaged, locked, read-only, and left behind by a crash."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.store.conftest import record
from tests.store.dump_version import fill
from workbench.core.errors import StoreError
from workbench.core.messages import Message, TextPart
from workbench.store import DamagedDatabase, LockedDatabase, ReadOnlyDatabase, Store, connections, opening, schema
from workbench.store.migrations import STEPS, migrations


def older(path: Path, before: str) -> None:
    """A database as it was before one of the steps."""
    from sqlite_utils import Database

    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        migrations.apply(Database(connection, recursive_triggers=False), stop_before=before)
        connection.commit()


def test_makes_the_folder_and_the_database(database: Path) -> None:
    with Store.open(database) as store:
        assert not store.read_only
        assert store.notice == ""
        assert store.sessions() == []
        assert store._one("PRAGMA journal_mode") == ("wal",)
    assert database.exists()
    assert not database.with_name("workbench.db-wal").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps the user's folder private itself")
def test_nobody_else_can_read_the_database_its_log_and_its_copies(database: Path) -> None:
    before = os.umask(0o022)
    try:
        with Store.open(database) as store:
            store.create_session(title="private")
            log = database.with_name("workbench.db-wal")
            assert {private(path) for path in (database, log, store.backup_now())} == {True}
            backup = store.available_backups()[0]
        backup.chmod(0o644)
        store, aside = Store.restore_backup(database, backup)
        store.close()
        assert aside is not None and private(aside) and private(database)
    finally:
        os.umask(before)


def private(path: Path) -> bool:
    return path.stat().st_mode & 0o077 == 0


def test_the_names_of_the_steps_are_the_steps() -> None:
    assert tuple(step.__name__ for step in STEPS) == schema.MIGRATION_NAMES


def test_an_up_to_date_database_opens_without_sqlite_utils(database: Path) -> None:
    Store.open(database).close()
    code = (
        "import sys; from pathlib import Path; from workbench.store import Store\n"
        f"Store.open(Path({str(database)!r})).close()\n"
        "assert not {'sqlite_utils', 'numpy', 'psutil'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("step", schema.MIGRATION_NAMES[1:])
def test_upgrades_from_before_each_step_after_a_backup(database: Path, step: str) -> None:
    older(database, step)
    with Store.open(database) as store:
        assert store.create_session(title="after") in store.sessions()
        assert store.integrity() == []
        assert [hit.title for hit in store.sessions("after")] == ["after"]
    (backup,) = (database.parent / "backups").glob("*.db")
    assert f"-before-{step}" in backup.name
    with closing(sqlite3.connect(backup)) as connection:
        assert step in schema.pending(schema.applied(connection))


def test_keeps_five_backups(database: Path, tmp_path: Path) -> None:
    with Store.open(database) as store:
        made = [store.backup_now() for _ in range(7)]
        elsewhere = store.backup_now(tmp_path / "copy.db")
    assert sorted((database.parent / "backups").iterdir()) == made[2:]
    with Store.open(elsewhere) as copy:
        assert copy.integrity() == []


def test_a_backup_takes_the_place_of_a_damaged_database(database: Path) -> None:
    with Store.open(database) as store:
        kept = store.create_session(title="kept")
        backup = store.backup_now()
        store.create_session(title="after the backup")
        assert store.available_backups() == [backup]
    database.write_bytes(b"ruined" * 1000)
    store, aside = Store.restore_backup(database, backup)
    with store:
        assert store.sessions() == [kept]
        assert not store.read_only
    assert aside is not None and aside.read_bytes() == b"ruined" * 1000
    assert backup.exists()


def test_a_damaged_backup_replaces_nothing(database: Path, tmp_path: Path) -> None:
    with Store.open(database) as store:
        session = store.create_session()
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(b"no database")
    for backup in (damaged, tmp_path / "missing.db"):
        with pytest.raises(StoreError):
            Store.restore_backup(database, backup)
    with Store.open(database) as store:
        assert store.sessions() == [session]
    assert sorted(path.name for path in database.parent.iterdir()) == ["workbench.db"]


def test_erase_leaves_nothing(database: Path) -> None:
    with Store.open(database) as store:
        fill(store)
        store.backup_now()
        store.erase()
        sizes = store.sizes()
        assert (sizes.sessions, sizes.messages, sizes.runs, sizes.attachments) == (0, 0, 0, 0)
        assert store.presets("chat") == [] and store.models() == [] and store.search("paris") == []
        assert store.available_backups() == []
        assert store.integrity() == []
        store.create_session(title="a new beginning")
    content = database.read_bytes()
    for word in (b"Capitals", "große".encode(), b"Paris", b"million", b"Precise"):
        assert word not in content
    with Store.open(database) as store:
        assert len(store.sessions()) == 1


def test_a_failing_migration_changes_nothing(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    older(database, "create_full_text_search")
    pending = list(schema.MIGRATION_NAMES[schema.MIGRATION_NAMES.index("create_full_text_search") :])
    before = database.read_bytes()

    def fail(*args: object) -> None:
        raise sqlite3.OperationalError("no")

    monkeypatch.setattr("workbench.store.migrations.migrations.apply", fail)
    backups = database.parent / "backups"
    backups.mkdir()
    kept = [backups / f"workbench-2025010{day}T000000000000.db" for day in range(1, opening.KEEP_BACKUPS + 1)]
    for backup in kept:
        backup.write_bytes(before)
    for _attempt in range(3):
        with pytest.raises(StoreError):
            Store.open(database)
    assert sorted(backups.iterdir()) == kept, "attempts that fail drive no older backup out"
    with closing(sqlite3.connect(database)) as connection:
        assert schema.pending(schema.applied(connection)) == pending
    assert len(before) > 0


def test_no_migration_without_a_backup(database: Path) -> None:
    older(database, "create_full_text_search")
    pending = list(schema.MIGRATION_NAMES[schema.MIGRATION_NAMES.index("create_full_text_search") :])
    (database.parent / "backups").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="copy of the database could not be written"):
        Store.open(database)
    with closing(sqlite3.connect(database)) as connection:
        assert schema.pending(schema.applied(connection)) == pending


def test_a_newer_database_is_read_only(database: Path) -> None:
    with Store.open(database) as store:
        session = store.create_session(title="from the future")
        store.add_message(session.id, None, Message.of("user", "hello"))
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('workbench', 'add_wings', '')"
        )
    with Store.open(database) as store:
        assert store.read_only
        assert "newer version" in store.notice and "add_wings" in store.notice
        assert [found.title for found in store.sessions("future")] == ["from the future"]
        assert len(store.messages(session.id)) == 1
        with pytest.raises(ReadOnlyDatabase, match="newer version"):
            store.create_session()


@pytest.mark.parametrize("content", [b"this is not a database at all, but long enough to look at" * 40, b"x"])
def test_a_file_that_is_no_database_is_not_touched(database: Path, content: bytes) -> None:
    database.parent.mkdir()
    database.write_bytes(content)
    with pytest.raises(DamagedDatabase) as caught:
        Store.open(database)
    assert caught.value.hint
    assert database.read_bytes() == content
    store, aside = Store.recover_aside(database)
    with store:
        assert store.sessions() == []
    assert aside.read_bytes() == content


def test_a_damaged_database_is_found_after_a_crash(database: Path) -> None:
    with Store.open(database) as store:
        session = store.create_session()
        parent = None
        for number in range(300):
            parent = store.add_message(session.id, parent, Message.of("user", f"text {number} " * 50)).id
    content = bytearray(database.read_bytes())
    for page in range(8, len(content) // 4096 - 1, 3):
        content[page * 4096 : page * 4096 + 2048] = b"\x99" * 2048
    database.write_bytes(content)
    database.with_name("workbench.db-wal").write_bytes(b"left by a crash" * 100)
    with pytest.raises(DamagedDatabase):
        Store.open(database)
    assert database.read_bytes() == content


def test_damage_met_while_reading_is_told(database: Path) -> None:
    with Store.open(database) as store:
        session = store.create_session()
        parent = None
        for number in range(300):
            parent = store.add_message(session.id, parent, Message.of("user", f"text {number} " * 50)).id
    content = bytearray(database.read_bytes())
    for page in range(len(content) // 4096):
        if b"text 150 text" in content[page * 4096 : page * 4096 + 4096]:
            content[page * 4096 : page * 4096 + 4096] = b"\x99" * 4096
    database.write_bytes(content)
    with Store.open(database) as store:
        with pytest.raises(DamagedDatabase):
            store.messages(session.id)
        assert store.integrity() != []


def test_the_database_of_another_program(database: Path) -> None:
    database.parent.mkdir()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE bookmarks (url)")
        connection.commit()
    before = database.read_bytes()[100:]
    with pytest.raises(StoreError, match="another program"):
        Store.open(database)
    assert b"bookmarks" in before and b"bookmarks" in database.read_bytes()


def test_locked(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store.open(database).close()
    monkeypatch.setattr(connections, "BUSY_TIMEOUT_S", 0.1)
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with Store.open(database) as store, pytest.raises(LockedDatabase, match="locked by another program"):
            store.create_session()
        other.execute("ROLLBACK")


def test_a_folder_where_the_database_should_be(database: Path) -> None:
    database.mkdir(parents=True)
    with pytest.raises(StoreError, match="is a folder"):
        Store.open(database)


def test_a_file_where_the_folder_should_be(database: Path) -> None:
    database.parent.write_text("not a folder")
    with pytest.raises(StoreError, match="can't be used") as caught:
        Store.open(database)
    assert "WORKBENCH_HOME" in caught.value.hint


@pytest.fixture
def unwritable(database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As on a read-only medium. Permissions alone do not stop the administrator, as whom tests may run."""
    Store.open(database).close()
    real = os.access
    monkeypatch.setattr(opening.os, "access", lambda path, mode: mode != os.W_OK and real(path, mode))
    return database


def test_what_can_not_be_written_is_read(unwritable: Path) -> None:
    with Store.open(unwritable) as store:
        assert store.read_only
        assert "can't be written" in store.notice
        assert store.sessions() == []
        with pytest.raises(ReadOnlyDatabase):
            store.create_session()
    assert not unwritable.with_name("workbench.db-shm").exists()


def test_no_new_database_in_an_unwritable_folder(unwritable: Path) -> None:
    unwritable.unlink()
    with pytest.raises(StoreError, match="can't be used: Permission denied"):
        Store.open(unwritable)


def test_a_full_disk_in_the_middle(store: Store) -> None:
    session = store.create_session()

    def limit(db: sqlite3.Connection) -> None:
        db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")

    store._write(limit, alone=True)
    with pytest.raises(StoreError, match="disk is full"):
        store.add_message(session.id, None, Message.of("user", "x" * 1_000_000))
    store._write(lambda db: db.execute("PRAGMA max_page_count = 1000000").close(), alone=True)
    store.add_message(session.id, None, Message.of("user", "now it fits"))
    assert [m.message.text for m in store.messages(session.id)] == ["now it fits"]


# --- what a crash leaves --------------------------------------------------------------------------------------
_LEAVES_A_RUN = """
import os, sys
from pathlib import Path
from tests.store.conftest import record
from tests.store.dump_version import fill
from workbench.core.messages import Message
from workbench.store import Store
store = Store.open(Path(sys.argv[1]))
session = store.create_session()
run = record()
store.start_exchange(session.id, None, Message.of("user", "hi"), run)
run.text = "I was about to s"
store.save_partial(run).result()
print(run.id, flush=True)
sys.stdin.read()
os._exit(9)
"""


@pytest.fixture
def other_program(database: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _LEAVES_A_RUN, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.communicate(timeout=30)


def test_runs_of_a_living_program_are_left_alone(database: Path, other_program: subprocess.Popen[str]) -> None:
    assert other_program.stdout is not None
    run_id = other_program.stdout.readline().strip()
    with Store.open(database) as store:
        assert store.interrupted_runs == 0
        run = store.run(run_id)
        assert run is not None and run.status == "running"
    other_program.communicate(timeout=30)
    with Store.open(database) as store:
        assert store.interrupted_runs == 1
        run = store.run(run_id)
        assert run is not None and run.message_id is not None
        assert (run.status, run.text) == ("interrupted", "I was about to s")
        assert run.ended_at is not None
        message = store.message(run.message_id)
        assert message is not None and message.message.parts == (TextPart("I was about to s"),)
        assert [hit.message_id for hit in store.search("about")] == [run.message_id]
    with Store.open(database) as store:
        assert store.interrupted_runs == 0


def test_two_programs_write_at_the_same_time(database: Path) -> None:
    Store.open(database).close()
    code = (
        "import sys; from pathlib import Path; from workbench.core.messages import Message\n"
        "from workbench.store import Store\n"
        "store = Store.open(Path(sys.argv[1])); session = store.create_session(title=sys.argv[2]); parent = None\n"
        "for n in range(150): parent = store.add_message(session.id, parent, Message.of('user', f'{n}')).id\n"
        "store.close()"
    )
    programs = [subprocess.Popen([sys.executable, "-c", code, str(database), name]) for name in ("a", "b")]
    assert [program.wait(60) for program in programs] == [0, 0]
    with Store.open(database) as store:
        for session in store.sessions():
            assert [m.message.text for m in store.messages(session.id)] == [str(n) for n in range(150)]
        assert store.integrity() == []


def test_two_programs_make_the_database_at_the_same_time(database: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from workbench.store import Store\n"
        "import workbench.store.migrations; sys.stdin.readline()\n"
        "store = Store.open(Path(sys.argv[1])); store.create_session(); store.close()"
    )
    programs = [
        subprocess.Popen([sys.executable, "-c", code, str(database)], stdin=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for program in programs:
        program.communicate("go\n", timeout=60)
    assert [program.returncode for program in programs] == [0, 0, 0]
    with Store.open(database) as store:
        assert len(store.sessions()) == 3


# --- connections ----------------------------------------------------------------------------------------------
def test_readers_are_closed_with_their_threads_and_with_the_store(database: Path) -> None:
    store = Store.open(database)
    store.sessions()
    here = store._readers.count

    def read() -> None:
        store.sessions()
        counts.append(store._readers.count)

    counts: list[int] = []
    for _ in range(3):
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    assert counts == [here + 1] * 3
    assert store._readers.count == here
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.sessions()
    with pytest.raises(StoreError, match="closed"):
        store.create_session()
    store.close()


def test_record_helper_is_complete() -> None:
    assert record("s", text="t").text == "t"
