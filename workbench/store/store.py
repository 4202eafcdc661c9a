"""The program's database: one SQLite file, one thread that writes, a connection for each thread that reads."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from pathlib import Path
from types import TracebackType

from workbench.core.errors import StoreError
from workbench.store import opening
from workbench.store.connections import Readers
from workbench.store.errors import DamagedDatabase, explained
from workbench.store.evaluations import EvaluationTables
from workbench.store.history import HistoryTables
from workbench.store.library import LibraryTables
from workbench.store.runs import RunTables, mark_interrupted
from workbench.store.sessions import SessionTables
from workbench.store.test_sets import TestSetTables
from workbench.store.values import Sizes
from workbench.store.writer import Writer


class Store(SessionTables, RunTables, LibraryTables, TestSetTables, EvaluationTables, HistoryTables):
    """Safe to use from any thread. Every method raises StoreError when the file or the disk refuses."""

    def __init__(self, path: Path, backups: Path, opened: opening.Opened) -> None:
        """Use `open`."""
        self.path = path
        self.backups = backups
        self.read_only = opened.read_only
        self.notice = opened.notice
        """Why it is read-only, for the user; empty if it is not."""
        self.interrupted_runs = 0
        """Runs that an earlier program left unfinished, found at opening."""
        self._partials = {}
        self._partials_lock = threading.Lock()
        self._readers = Readers(path, immutable=opened.immutable)
        self._closed = False
        self._writer = None
        if opened.read_only:
            opened.connection.close()
        else:
            self._writer = Writer(opened.connection, path)

    @classmethod
    def open(cls, path: Path, backups: Path | None = None) -> Store:
        """Open the database, making it if there is none. A file that is behind is backed up, then migrated; one that is
        ahead or can't be written is opened read-only with a `notice`.

        Raises StoreError: DamagedDatabase (see `recover_aside`), LockedDatabase, ReadOnlyDatabase, DiskFull.
        """
        backups = backups or path.parent / "backups"
        store = cls(path, backups, opening.open_database(path, backups))
        if not store.read_only:
            try:
                if store._one("SELECT 1 FROM runs WHERE status = 'running' LIMIT 1"):
                    store.interrupted_runs = store._write(mark_interrupted)
            except BaseException:
                store.close()
                raise
        return store

    @classmethod
    def recover_aside(cls, path: Path, backups: Path | None = None) -> tuple[Store, Path]:
        """Move a damaged database aside and start a new, empty one. Returns it and where the old one is now."""
        aside = opening.set_aside(path)
        return cls.open(path, backups), aside

    @classmethod
    def restore_backup(cls, path: Path, backup: Path, backups: Path | None = None) -> tuple[Store, Path | None]:
        """Put a backup in the place of the database, which is moved aside, and open it. No store may be open on `path`.

        Returns the store, and where the former database is now (None if there was none). Raises StoreError.
        """
        aside = opening.put_in_place(backup, path)
        return cls.open(path, backups), aside

    @property
    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Write what is queued, then close every connection. Further calls raise StoreError."""
        if self._closed:
            return
        self._closed = True
        self._readers.close()
        if self._writer is not None:
            with contextlib.suppress(StoreError):
                self._write(_optimize, alone=True)
            self._writer.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- maintenance ------------------------------------------------------------------------------------------
    def integrity(self) -> list[str]:
        """What is wrong with the file, in SQLite's words; empty if nothing. Reads all of it: not for the UI thread."""
        try:
            problems = [str(row[0]) for row in self._all("PRAGMA integrity_check(20)")]
        except DamagedDatabase as error:  # so damaged that even the check gives up
            return [error.detail or error.message]
        problems = [] if problems == ["ok"] else problems
        problems += [f"{row[0]} refers to a missing row of {row[2]}" for row in self._all("PRAGMA foreign_key_check")]
        if not problems and self._writer is not None:
            problems += self._write(_check_indexes)
        return problems

    def vacuum(self) -> None:
        """Rebuild the file without gaps. Needs as much free space as the file is large."""
        self._write(lambda db: db.execute("VACUUM").close(), alone=True)
        self._write(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").close(), alone=True)

    def backup_now(self, path: Path | None = None) -> Path:
        """Copy the database to `path`, or to the folder of backups (which keeps five). Returns where it is."""
        try:
            with self._readers.use() as connection:
                if path is None:
                    return opening.back_up(connection, self.backups)
                opening.copy_to(connection, path)
        except sqlite3.Error as error:
            raise explained(error, self.path) from error
        return path

    def available_backups(self) -> list[Path]:
        """Newest first."""
        return opening.list_backups(self.backups)

    def erase(self) -> None:
        """Delete everything that is kept, the backups included, and overwrite it. There is no undo."""
        self._write(lambda db: db.execute("PRAGMA secure_delete = ON").close(), alone=True)
        self._write(_delete_all_rows)
        self.vacuum()
        self._write(lambda db: db.execute("PRAGMA secure_delete = OFF").close(), alone=True)
        for backup in self.available_backups():
            with contextlib.suppress(OSError):
                backup.unlink()

    def sizes(self) -> Sizes:
        pages = self._one("SELECT * FROM pragma_freelist_count, pragma_page_size") or (0, 0)
        counts = [
            (self._one(f"SELECT {what} FROM {table}") or (0,))[0]
            for what, table in (
                ("ifnull(sum(size), 0)", "attachments"),
                ("count(*)", "sessions"),
                ("count(*)", "messages"),
                ("count(*)", "runs"),
            )
        ]
        return Sizes(
            database=_size(self.path),
            log=_size(self.path.with_name(self.path.name + "-wal")),
            free=pages[0] * pages[1],
            attachments=counts[0],
            sessions=counts[1],
            messages=counts[2],
            runs=counts[3],
        )


def _delete_all_rows(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA defer_foreign_keys = ON")
    tables = db.execute("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'").fetchall()
    for (table,) in tables:
        if not table.startswith(("sqlite_", "_sqlite_")):
            db.execute(f"DELETE FROM {table}")
    for index in ("messages_fts", "sessions_fts"):
        db.execute(f"INSERT INTO {index} ({index}) VALUES ('rebuild')")


def _optimize(db: sqlite3.Connection) -> None:
    """Statistics for the query planner, from samples: closing must not read a large file."""
    db.execute("PRAGMA analysis_limit = 400")
    db.execute("PRAGMA optimize")


def _check_indexes(db: sqlite3.Connection) -> list[str]:
    problems = []
    for table in ("messages", "sessions"):
        try:
            db.execute(f"INSERT INTO {table}_fts ({table}_fts, rank) VALUES ('integrity-check', 1)")
        except sqlite3.DatabaseError as error:
            problems.append(f"the search index of {table} is out of step: {error}")
    return problems


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
