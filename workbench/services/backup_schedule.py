"""Backups the program makes by itself, if the user wants them: every so many days, the newest few are kept."""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from workbench.core.cancel import CancelToken
from workbench.core.paths import Paths
from workbench.core.settings import Backups
from workbench.services.backup import file_name, make_backup
from workbench.store.connections import connect

PREFIX = "model-workbench-auto"


class AutomaticBackup(msgspec.Struct, frozen=True, kw_only=True):
    path: Path
    made_at: datetime
    """With a time zone."""
    bytes: int


def folder_of(paths: Paths, settings: Backups) -> Path:
    return Path(settings.folder).expanduser() if settings.folder else paths.backups


def automatic_backups(folder: Path) -> list[AutomaticBackup]:
    """Newest first."""
    found = []
    for path in folder.glob(f"{PREFIX}-*.zip"):
        with contextlib.suppress(OSError):
            stat = path.stat()
            made_at = datetime.fromtimestamp(stat.st_mtime, UTC)
            found.append(AutomaticBackup(path=path, made_at=made_at, bytes=stat.st_size))
    return sorted(found, key=lambda backup: (backup.made_at, backup.path.name), reverse=True)


def is_due(paths: Paths, settings: Backups, now: datetime | None = None) -> bool:
    """Whether one is wanted and the last one (or, without any, the first chat) is older than the interval."""
    if settings.every_days <= 0 or not paths.database.exists():
        return False
    made = automatic_backups(folder_of(paths, settings))
    since = made[0].made_at if made else _first_chat(paths.database)
    return since is not None and (now or datetime.now(UTC)) - since >= timedelta(days=settings.every_days)


def back_up_if_due(paths: Paths, settings: Backups, cancel: CancelToken | None = None) -> Path | None:
    """Make one if it is due and drop the oldest. Raises as `make_backup` does. Takes a while: not for the UI thread."""
    if not is_due(paths, settings):
        return None
    folder = folder_of(paths, settings)
    target = folder / file_name(PREFIX)
    make_backup(paths, target, cancel=cancel)
    for old in automatic_backups(folder)[settings.keep :]:
        with contextlib.suppress(OSError):
            old.path.unlink()
    return target


def _first_chat(database: Path) -> datetime | None:
    try:
        with contextlib.closing(connect(database, read_only=True)) as db:
            (first,) = db.execute("SELECT min(created_at) FROM sessions").fetchone()
        return None if first is None else datetime.fromisoformat(first).astimezone(UTC)
    except (sqlite3.Error, ValueError):
        return None
