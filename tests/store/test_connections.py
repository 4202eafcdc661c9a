"""Connections of reading threads: closed while they read, and none left open by what fails."""

from __future__ import annotations

import gc
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from workbench.core.errors import StoreError
from workbench.store import Store, migrations, opening

CLOSING = """
import random, sys, threading
from pathlib import Path
from workbench.core.errors import StoreError
from workbench.store import Store

NUMBERS = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < ?) SELECT x FROM n"
told = []

def read(store, most, reading):
    try:
        while True:
            store._all(NUMBERS, [most])
            reading.set()
    except StoreError as error:
        told.append(error.message)

for number in range(60):
    store = Store.open(Path(sys.argv[1]))
    reading = threading.Event()
    most = random.choice([5, 50, 3_000])
    threads = [threading.Thread(target=read, args=(store, most, reading)) for _ in range(3)]
    for thread in threads:
        thread.start()
    reading.wait()
    store.close()
    for thread in threads:
        thread.join()
assert told == ["The database is closed."] * 180, set(told)
"""


def test_closing_ends_what_others_read(database: Path) -> None:
    """In a process of its own: a connection that is closed under a statement ends it by signal 11."""
    done = subprocess.run([sys.executable, "-c", CLOSING, database], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]


def test_what_can_not_be_interrupted_is_left_to_its_thread(store: Store) -> None:
    with store._readers.use() as connection:
        store._readers.close(timeout_s=0.0)
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(StoreError, match="closed"):
        store.sessions()


# --- what is left open --------------------------------------------------------------------------------------------
def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def no_collector() -> Iterator[None]:
    """The window collects garbage when it has time: what only that would close counts as left open."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def damage(path: Path, end: int | None = None) -> None:
    """From the second page on: so that not even the schema can be read."""
    content = bytearray(path.read_bytes())
    content[4096:end] = os.urandom(len(content[4096:end]))
    path.write_bytes(content)


def damage_tables(path: Path) -> None:
    """The schema can be read, what stands in the first tables can't."""
    damage(path, 40_000)


def forget_a_migration(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM _sqlite_migrations WHERE rowid = (SELECT max(rowid) FROM _sqlite_migrations)")
    connection.close()


def make_foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()


def refuse(*_arguments: object) -> None:
    raise sqlite3.OperationalError("disk I/O error")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux tells")
@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("unwritable", [False, True])
@pytest.mark.parametrize("spoil", [damage, damage_tables, forget_a_migration, make_foreign, Path.touch])
def test_an_opening_leaves_nothing_open(
    database: Path, spoil: Callable[[Path], None], unwritable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store.open(database).close()
    spoil(database)
    monkeypatch.setattr(migrations, "migrate", refuse)
    if unwritable:
        monkeypatch.setattr(opening.os, "access", lambda *_: False)

    def attempt(path: Path) -> None:
        try:
            with Store.open(path) as store:
                store.sessions()
        except StoreError:
            return

    attempt(database)
    before = open_files()
    for number in range(5):
        copy = database.with_name(f"copy-{number}.db")
        shutil.copy(database, copy)
        attempt(copy)
    assert open_files() == before
