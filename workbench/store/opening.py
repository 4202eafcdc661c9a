"""From a path to a database that can be used: checked, backed up, migrated."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from workbench.core.errors import StoreError
from workbench.store import schema
from workbench.store.connections import connect
from workbench.store.errors import DAMAGED_HINT, DamagedDatabase, DiskFull, ReadOnlyDatabase, explained

KEEP_BACKUPS = 5
QUICK_CHECK_LIMIT_BYTES = 64 * 1024 * 1024
"""Larger files are not checked at opening after a crash: SQLite recovers by itself, `integrity` checks on request."""


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    connection: sqlite3.Connection
    read_only: bool = False
    immutable: bool = False
    notice: str = ""


def open_database(path: Path, backups: Path) -> Opened:
    """Raises StoreError in words for the user. Never changes a file that is damaged."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _folder_error(path, error) from error
    if path.is_dir():
        raise StoreError(f"{path} is a folder, not a database.", hint="Move it away, or set WORKBENCH_HOME.")
    if not path.exists() and not os.access(path.parent, os.W_OK):
        raise _folder_error(path, PermissionError(13, "Permission denied"))
    if path.exists() and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        return _open_unwritable(path)
    try:
        return _open_writable(path, backups)
    except sqlite3.Error as error:
        told = explained(error, path)
        if isinstance(told, ReadOnlyDatabase):
            return _open_unwritable(path)
        raise told from error


def _open_writable(path: Path, backups: Path) -> Opened:
    existed = path.exists() and path.stat().st_size > 0
    crashed = _left_unclean(path)
    if existed:
        _check_header(path)
    else:
        _make_private(path)
    connection = connect(path)
    try:
        names = schema.applied(connection) if existed else []
        if newer := schema.unknown(names):
            connection.close()
            return _open_newer(path, newer)
        missing = schema.pending(names)
        if existed and (missing or (crashed and path.stat().st_size <= QUICK_CHECK_LIMIT_BYTES)):
            _check(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        if missing:
            backup = _copy_into(connection, backups, f"-before-{missing[0]}") if names else None
            if not names and existed and connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                raise StoreError(
                    f"{path} is a database of another program.", hint="Move it away, or set WORKBENCH_HOME."
                )
            _migrate(connection, backup)
            if backup is not None:
                _drop_older_backups(backups)
    except BaseException:
        connection.close()
        raise
    return Opened(connection=connection)


def _make_private(path: Path) -> None:
    """An empty file that only the user can read: it will hold all they asked. SQLite gives its log the same rights."""
    with contextlib.suppress(OSError):  # whoever opens it tells why that is impossible
        path.touch(mode=0o600)


def _left_unclean(path: Path) -> bool:
    """A write-ahead log with content: the last program to use the file crashed, or one uses it now."""
    with contextlib.suppress(OSError):
        return path.with_name(path.name + "-wal").stat().st_size > 0
    return False


def _check_header(path: Path) -> None:
    """SQLite itself takes a file of a few bytes for an empty database and would write over it."""
    try:
        with path.open("rb") as file:
            header = file.read(16)
    except OSError as error:
        raise StoreError(f"The database {path} can't be read: {error.strerror}.") from error
    if header != b"SQLite format 3\x00":
        raise DamagedDatabase(f"{path} is not a database.", hint=DAMAGED_HINT, detail=f"begins with {header!r}")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    problems = [row[0] for row in connection.execute("PRAGMA quick_check(5)")]
    if problems != ["ok"]:
        raise DamagedDatabase(f"The database {path} is damaged.", hint=DAMAGED_HINT, detail="\n".join(problems))


def _migrate(connection: sqlite3.Connection, backup: Path | None) -> None:
    """All or nothing. Where it fails the backup goes too: it is what the database still is."""
    # Imported here because it pulls in sqlite-utils (0.2 s), which only a database that is behind needs.
    from workbench.store.migrations import migrate  # noqa: PLC0415

    connection.execute("BEGIN IMMEDIATE")
    try:
        migrate(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if backup is not None:
            backup.unlink(missing_ok=True)
        raise


def _open_newer(path: Path, newer: list[str]) -> Opened:
    return Opened(
        connection=connect(path, read_only=True),
        read_only=True,
        notice=(
            f"The database {path} was written by a newer version of Model Workbench ({newer[-1]}). "
            "It can be read but not changed. Install the newer version to go on using it."
        ),
    )


def _open_unwritable(path: Path) -> Opened:
    hint = "Check the permissions of the file and its folder, or set WORKBENCH_HOME to another folder."
    try:
        # Without a log next to it nothing can be missing from the file itself, and SQLite needs no lock files.
        immutable = not _left_unclean(path)
        connection = connect(path, read_only=True, immutable=immutable)
        try:
            behind = schema.pending(schema.applied(connection))
        except sqlite3.Error:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise explained(error, path) from error
    if behind:
        connection.close()
        raise ReadOnlyDatabase(f"The database {path} needs an update but can't be written.", hint=hint)
    notice = f"The database {path} can't be written: it can be read, but nothing new is saved. {hint}"
    return Opened(connection=connection, read_only=True, immutable=immutable, notice=notice)


def _folder_error(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"The folder {path.parent} for the database can't be used: {error.strerror}.",
        hint="Check its permissions, or set WORKBENCH_HOME to another folder.",
    )


def back_up(connection: sqlite3.Connection, folder: Path) -> Path:
    """Copy the database into `folder`, keeping the newest five copies. Raises StoreError."""
    target = _copy_into(connection, folder)
    _drop_older_backups(folder)
    return target


def _copy_into(connection: sqlite3.Connection, folder: Path, reason: str = "") -> Path:
    target = folder / f"workbench-{datetime.now(UTC).strftime('%Y%m%dT%H%M%S%f')}{reason}.db"
    copy_to(connection, target)
    return target


def _drop_older_backups(folder: Path) -> None:
    for old in list_backups(folder)[KEEP_BACKUPS:]:
        old.unlink(missing_ok=True)


def list_backups(folder: Path) -> list[Path]:
    """Newest first: their names carry the time."""
    return sorted(folder.glob("workbench-*.db"), reverse=True)


def put_in_place(backup: Path, path: Path) -> Path | None:
    """Copy a backup to `path`; what is there is moved aside first. Returns where that is now. Raises StoreError."""
    partial = path.with_name(path.name + ".partial")
    try:
        _check_header(backup)
        with contextlib.closing(connect(backup, read_only=True, immutable=True)) as connection:
            _check(connection, backup)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        _make_private(partial)
        shutil.copyfile(backup, partial)
    except (OSError, sqlite3.Error) as error:
        partial.unlink(missing_ok=True)
        raise StoreError(
            f"The backup {backup} can't be used: {error}.", hint="Nothing was changed. Try another backup."
        ) from error
    aside = set_aside(path) if path.exists() else None
    partial.replace(path)
    return aside


def copy_to(connection: sqlite3.Connection, target: Path) -> None:
    """A complete copy at `target`, which exists only once it is whole. Raises StoreError."""
    partial = target.with_name(target.name + ".partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        _make_private(partial)
        with contextlib.closing(sqlite3.connect(partial)) as copy:
            connection.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
        partial.replace(target)
    except (OSError, sqlite3.Error) as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        kind = DiskFull if getattr(error, "errno", None) == 28 or "full" in str(error) else StoreError
        raise kind(
            f"A copy of the database could not be written to {target.parent}: {error}.",
            hint="Free some space there or check the folder's permissions. The database itself was not changed.",
        ) from error


def set_aside(path: Path) -> Path:
    """Move a database and its log out of the way; return where the database is now. Raises StoreError."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    aside = path.with_name(f"{path.stem}-aside-{stamp}{path.suffix}")
    try:
        path.rename(aside)
        for suffix in ("-wal", "-shm"):
            companion = path.with_name(path.name + suffix)
            if companion.exists():
                companion.rename(aside.with_name(aside.name + suffix))
    except OSError as error:
        raise StoreError(f"{path} can't be moved aside: {error.strerror}.", hint="Move it away yourself.") from error
    return aside
