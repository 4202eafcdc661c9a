"""The one thread that writes: order, shared transactions, and failures that stay with their own write."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.core.errors import BadInput, StoreError
from workbench.store.connections import connect
from workbench.store.errors import DiskFull
from workbench.store.writer import Writer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "plain.db"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    connection = connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (x INTEGER PRIMARY KEY, filler TEXT)")
    writer = Writer(connection, path)
    yield writer
    writer.close()


def values(path: Path) -> list[int]:
    connection = sqlite3.connect(path)
    try:
        return [x for (x,) in connection.execute("SELECT x FROM t ORDER BY x")]
    finally:
        connection.close()


def insert(x: int):  # type: ignore[no-untyped-def]
    return lambda db: db.execute("INSERT INTO t (x) VALUES (?)", [x]).rowcount


def held(writer: Writer) -> tuple[threading.Event, threading.Event]:
    """Keep the writer busy until the second event is set, so that what follows waits together."""
    busy, go = threading.Event(), threading.Event()

    def wait(db: sqlite3.Connection) -> None:
        busy.set()
        assert go.wait(10)

    writer.submit(wait)
    assert busy.wait(10)
    return busy, go


def test_returns_after_the_commit(writer: Writer, path: Path) -> None:
    assert writer.call(insert(1)) == 1
    assert values(path) == [1]


def test_waiting_writes_share_a_transaction(writer: Writer, path: Path) -> None:
    _, go = held(writer)
    before = writer.transactions
    futures = [writer.submit(insert(x)) for x in range(50)]
    go.set()
    assert [future.result(10) for future in futures] == [1] * 50
    assert writer.transactions - before <= 2
    assert values(path) == list(range(50))


def test_a_failing_write_takes_nothing_with_it(writer: Writer, path: Path) -> None:
    def half_done(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO t (x) VALUES (100)")
        raise BadInput("changed its mind")

    _, go = held(writer)
    good = writer.submit(insert(1))
    bad = writer.submit(half_done)
    duplicate = writer.submit(insert(1))
    after = writer.submit(insert(2))
    go.set()
    assert (good.result(10), after.result(10)) == (1, 1)
    with pytest.raises(BadInput, match="changed its mind"):
        bad.result(10)
    with pytest.raises(StoreError):
        duplicate.result(10)
    assert values(path) == [1, 2]


def test_a_bug_in_a_write_does_not_end_the_writer(writer: Writer, path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        writer.call(lambda db: 1 // 0)
    writer.call(insert(3))
    assert values(path) == [3]


def test_full_disk_fails_only_the_write_that_does_not_fit(writer: Writer, path: Path) -> None:
    def limit(db: sqlite3.Connection) -> None:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages + 5}")

    def large(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO t (x, filler) VALUES (99, ?)", ["x" * 1_000_000])

    writer.call(limit, alone=True)
    _, go = held(writer)
    before, too_much, after = writer.submit(insert(1)), writer.submit(large), writer.submit(insert(2))
    go.set()
    with pytest.raises(DiskFull, match="disk is full"):
        too_much.result(10)
    assert (before.result(10), after.result(10)) == (1, 1)
    assert values(path) == [1, 2]


def test_close_writes_what_is_queued(writer: Writer, path: Path) -> None:
    _, go = held(writer)
    futures = [writer.submit(insert(x)) for x in range(300)]
    closer = threading.Thread(target=writer.close)
    closer.start()
    go.set()
    closer.join(10)
    assert all(future.done() for future in futures)
    assert len(values(path)) == 300
    with pytest.raises(StoreError, match="closed"):
        writer.call(insert(1000))


def test_work_outside_of_transactions(writer: Writer) -> None:
    writer.call(insert(1))
    writer.call(lambda db: db.execute("VACUUM").close(), alone=True)
    with pytest.raises(StoreError):
        writer.call(lambda db: db.execute("VACUUM").close())
