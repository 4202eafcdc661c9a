"""Make a backup of everything the program keeps: one file, consistent also while answers are being written."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sqlite3
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from workbench import __version__
from workbench.core.cancel import CancelToken
from workbench.core.errors import Cancelled, StoreError
from workbench.core.paths import Paths
from workbench.core.redact import redact
from workbench.services.backup_archive import (
    DATABASE,
    FORMAT,
    MANIFEST,
    PARTS,
    VERSION,
    BackupFile,
    BackupModel,
    BackupProvider,
    Manifest,
    Tell,
    pack,
    place,
    quiet,
    require_space,
    verify,
)
from workbench.store import schema
from workbench.store.connections import connect
from workbench.store.errors import explained

PAGES_A_STEP = 500
"""Of the database: between two steps it can be stopped."""
_SECRET_NAME = re.compile(r"key|token|secret|password|authorization", re.IGNORECASE)
_USER_INFO = re.compile(r"(?<=://)[^/@\s]+@")


def file_name(prefix: str = "model-workbench") -> str:
    """`model-workbench-20260131-093000.zip`, in local time: it is for people."""
    return f"{prefix}-{datetime.now():%Y%m%d-%H%M%S}.zip"


def make_backup(paths: Paths, target: Path, *, tell: Tell = quiet, cancel: CancelToken | None = None) -> Manifest:
    """Write a backup to `target`, which exists only once it is whole and was read back. An older file of that name is
    replaced. Raises StoreError (no database, disk full, …), Cancelled.
    """
    cancel = cancel or CancelToken()
    if not paths.database.exists():
        raise StoreError("There is nothing to back up yet: the database does not exist.")
    partial = target.with_name(f".{target.name}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        require_space(target.parent, paths.database.stat().st_size)
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=_workroom(paths, target)) as folder:
            snapshot = Path(folder) / DATABASE
            copy_database(paths.database, snapshot, tell, cancel)
            manifest = _write(paths, snapshot, partial, tell, cancel)
        verify(partial, tell, cancel)
        partial.replace(target)
    except OSError as error:
        raise StoreError(
            f"The backup could not be written to {target.parent}: {error.strerror or error}.",
            hint="Free some space there, check the folder's permissions, or choose another folder.",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return manifest


def copy_database(source: Path, target: Path, tell: Tell, cancel: CancelToken) -> None:
    """A consistent copy in SQLite's own way, while others go on writing. Raises StoreError, Cancelled."""

    def step(_status: int, remaining: int, total: int) -> None:
        tell("copy", (total - remaining) / max(total, 1))
        if cancel.cancelled:
            raise Cancelled("Stopped. No backup was made.")

    try:
        with contextlib.closing(_reader(source)) as connection, contextlib.closing(sqlite3.connect(target)) as copy:
            connection.execute(
                "BEGIN"
            )  # one state of the database from here on: without it each write would start over
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
            connection.backup(copy, pages=PAGES_A_STEP, progress=step)
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise explained(error, source) from error


def _reader(path: Path) -> sqlite3.Connection:
    try:
        connection = connect(path, read_only=True)
        try:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        except sqlite3.Error:
            connection.close()
            raise
    except sqlite3.OperationalError:  # in a folder that can't be written SQLite has no place for its locks
        return connect(path, read_only=True, immutable=True)
    return connection


def _workroom(paths: Paths, target: Path) -> Path:
    return paths.data if os.access(paths.data, os.W_OK) else target.parent


def _write(paths: Paths, snapshot: Path, partial: Path, tell: Tell, cancel: CancelToken) -> Manifest:
    facts = _facts(snapshot)
    left_out: list[str] = []
    files: list[BackupFile] = []
    settings: dict[str, Any] = {}
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))  # all the user asked is in it
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
        for name in PARTS:
            source = snapshot if name == DATABASE else place(paths, name)
            try:
                data = b"" if name == DATABASE else source.read_bytes()
            except FileNotFoundError:
                continue
            if name == "settings.json":
                settings, left_out = without_secrets(_object(data))
                data = json.dumps(settings, indent=2, ensure_ascii=False).encode()
            total = source.stat().st_size if name == DATABASE else len(data)

            def done(count: int, total: int = total, name: str = name) -> None:
                if name == DATABASE:
                    tell("pack", count / max(total, 1))
                if cancel.cancelled:
                    raise Cancelled("Stopped. No backup was made.")

            with source.open("rb") if name == DATABASE else io.BytesIO(data) as stream:
                files.append(pack(archive, name, stream, total, done))
        manifest = Manifest(
            format=FORMAT,
            version=VERSION,
            program=__version__,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            files=tuple(files),
            plugins=_plugins(paths),
            providers=providers_of(settings),
            left_out=tuple(left_out),
            **facts,
        )
        archive.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=2))
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    return manifest


def _facts(snapshot: Path) -> dict[str, Any]:
    with contextlib.closing(connect(snapshot, read_only=True, immutable=True)) as db:
        count = {
            table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] if _has(db, table) else 0
            for table in ("sessions", "runs")
        }
        columns = ("id", "name", "repo", "revision", "filename", "sha256", "size_bytes")
        rows = db.execute(f"SELECT {', '.join(columns)} FROM models ORDER BY id") if _has(db, "models") else ()
        models = tuple(
            BackupModel(**{key: value for key, value in zip(columns, row, strict=True) if value is not None})
            for row in rows
        )
        return {**count, "models": models, "migrations": tuple(schema.applied(db))}


def _has(db: sqlite3.Connection, table: str) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [table]).fetchone() is not None


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def providers_of(settings: dict[str, Any]) -> tuple[BackupProvider, ...]:
    entries = settings.get("providers")
    return tuple(
        BackupProvider(name=str(name), base_url=str(entry.get("base_url", "")))
        for name, entry in (entries if isinstance(entries, dict) else {}).items()
        if isinstance(entry, dict)
    )


def without_secrets(settings: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The settings without what looks like a key or a password, and the dotted names of what was taken out."""
    left_out: list[str] = []

    def clean(value: Any, name: str) -> Any:
        if isinstance(value, dict):
            return {key: clean(inner, f"{name}.{key}" if name else str(key)) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [clean(inner, name) for inner in value]
        if not isinstance(value, str) or not value or name.startswith("shortcuts."):
            return value
        cleaned = _USER_INFO.sub("", value)
        if _SECRET_NAME.search(name.rpartition(".")[2]) or redact(cleaned) != cleaned:
            cleaned = ""
        if cleaned != value:
            left_out.append(name)
        return cleaned

    return clean(settings, ""), left_out


def _plugins(paths: Paths) -> tuple[str, ...]:
    try:
        return tuple(sorted(path.name for path in paths.plugins.iterdir() if not path.name.startswith(("_", "."))))
    except OSError:
        return ()
