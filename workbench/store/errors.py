"""SQLite's errors in plain words."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from workbench.core.errors import StoreError


class DamagedDatabase(StoreError):
    """The file is not a database, or parts of it can't be read. `recover_aside` sets it aside."""


class LockedDatabase(StoreError):
    """Another program keeps the database locked."""


class DiskFull(StoreError):
    """No room to write."""


class ReadOnlyDatabase(StoreError):
    """The file or its folder can't be written, or it belongs to a newer version of the program."""


DAMAGED_HINT = (
    "Nothing was changed in it. Restore one of the backups, or set the file aside and start with an empty history."
)


def explained(error: sqlite3.Error, path: Path) -> StoreError:
    """What `error` means to the user of the database at `path`."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if code is not None else None
    detail = f"{getattr(error, 'sqlite_errorname', type(error).__name__)}: {error}"
    if primary == sqlite3.SQLITE_FULL:
        return DiskFull(
            f"The disk is full: {path.name} could not be written.",
            hint=f"Free some space on the disk of {path.parent}. What is on screen is kept and saved again.",
            detail=detail,
        )
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LockedDatabase(
            f"The database {path} is locked by another program.",
            hint="Close programs that have it open (for example a database browser) and try again.",
            detail=detail,
        )
    if primary == sqlite3.SQLITE_READONLY:
        return ReadOnlyDatabase(
            f"The database {path} can't be written.",
            hint="Check the permissions of the file and its folder, or set WORKBENCH_HOME to another folder.",
            detail=detail,
        )
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return DamagedDatabase(f"The database {path} is damaged.", hint=DAMAGED_HINT, detail=detail)
    if primary == sqlite3.SQLITE_CANTOPEN:
        return StoreError(
            f"The database {path} can't be opened.",
            hint="Check that the folder exists and may be written, or set WORKBENCH_HOME to another folder.",
            detail=detail,
        )
    if primary == sqlite3.SQLITE_IOERR:
        return StoreError(
            f"Reading or writing {path} failed.",
            hint="Check the disk it is on: is it still connected, is there free space?",
            detail=detail,
        )
    return StoreError(f"The database {path} refused: {error}.", detail=detail)
