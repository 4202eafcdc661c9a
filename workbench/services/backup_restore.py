"""Put a backup in the place of the present data: all of it or nothing, whenever the program is killed.

1. `stage` unpacks and checks the backup in a folder beside the data. Nothing else is touched; it can be stopped.
2. `commit` writes a small journal. From then on the backup counts; before it, the present data does.
3. The present files move into a safety copy under `backups`, the staged ones into their places. Each move is one
   rename, and `finish` (at every start, before anything is opened) goes on where a killed program stopped.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from workbench.core.cancel import CancelToken
from workbench.core.errors import StoreError
from workbench.core.paths import Paths
from workbench.services.backup import providers_of
from workbench.services.backup_archive import (
    DATABASE,
    PARTS,
    BackupProvider,
    BackupRefused,
    Manifest,
    Tell,
    place,
    quiet,
    read_manifest,
    require_space,
    unpack,
)
from workbench.store import DamagedDatabase, Store, schema
from workbench.store.connections import connect
from workbench.store.errors import LockedDatabase, explained

JOURNAL = "restore-pending.json"
STAGING = ".restore-"
SAFETY = "before-restore-"
KEPT_SAFETY_COPIES = 2
_COMPANIONS = ("-wal", "-shm")


class Staged(msgspec.Struct, frozen=True, kw_only=True):
    """A checked backup, ready to be committed or thrown away. Also the journal's content."""

    id: str
    names: tuple[str, ...]
    """Parts that will be there afterwards; the present ones of all other parts go into the safety copy too."""


class SafetyCopy(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore replaced."""

    folder: Path
    made_at: str
    """ISO 8601, UTC."""


# --- staging ----------------------------------------------------------------------------------------------------------
def stage(
    paths: Paths, archive: Path, *, tell: Tell = quiet, cancel: CancelToken | None = None
) -> tuple[Staged, Manifest]:
    """Unpack and check a backup. Raises BackupRefused, StoreError, Cancelled; then nothing is left behind.

    The providers that are told are those of the settings that will be used: a manifest may say anything.
    """
    manifest = read_manifest(archive)
    _refuse_newer(manifest, archive)
    clear_staging(paths)
    staged = Staged(id=_stamp(), names=tuple(file.name for file in manifest.files))
    try:
        paths.create()
        with tempfile.TemporaryDirectory(prefix=".unpack-", dir=paths.data) as name:
            folder = Path(name)
            unpack(archive, folder, tell, cancel)
            _check(folder, archive)
            manifest = msgspec.structs.replace(manifest, providers=_providers(folder))
            for part in staged.names:
                room = _room(paths, part, staged.id)
                room.mkdir(mode=0o700, exist_ok=True)
                _move(folder / part, room / part)
                _sync(room / part)
    except OSError as error:
        discard(paths, staged)
        raise StoreError(
            f"The backup could not be unpacked in {paths.data}: {error.strerror or error}.",
            hint="Free some space there or check the folder's permissions. Nothing was changed.",
        ) from error
    except BaseException:
        discard(paths, staged)
        raise
    return staged, manifest


def discard(paths: Paths, staged: Staged) -> None:
    """Throw a staged backup away."""
    for root in {paths.data, paths.config}:
        shutil.rmtree(root / f"{STAGING}{staged.id}", ignore_errors=True)


def clear_staging(paths: Paths) -> None:
    """Remove what killed programs left half unpacked or half written."""
    if is_pending(paths):
        return
    for root in {paths.data, paths.config}:
        for pattern in (f"{STAGING}2*", ".unpack-*", ".backup-*"):
            for folder in root.glob(pattern):
                shutil.rmtree(folder, ignore_errors=True)


def _refuse_newer(manifest: Manifest, archive: Path) -> None:
    if newer := schema.unknown(list(manifest.migrations)):
        raise BackupRefused(
            f"{archive.name} was made by a newer version of Model Workbench ({manifest.program}): its database has "
            f"what this version does not know ({newer[-1]}).",
            hint="Install that version, or a later one, to restore it.",
        )


def _check(folder: Path, archive: Path) -> None:
    """Open the database as the program will, which also brings an older one up to date."""
    damaged = f"The backup {archive.name} is damaged."
    for name in PARTS:
        if name != DATABASE and (folder / name).exists():
            try:
                msgspec.json.decode((folder / name).read_bytes())
            except msgspec.MsgspecError as error:
                raise BackupRefused(damaged, hint="Nothing was changed.", detail=f"{name}: {error}") from error
    try:
        with contextlib.closing(connect(folder / DATABASE, read_only=True, immutable=True)) as db:
            applied = schema.applied(db)
            if not applied or schema.unknown(applied):
                raise BackupRefused(f"The database in {archive.name} is of another program or a newer version of ours.")
        with Store.open(folder / DATABASE, folder / "backups") as store:
            problems = store.integrity()
    except sqlite3.Error as error:
        raise BackupRefused(damaged, hint="Nothing was changed.", detail=str(error)) from error
    except DamagedDatabase as error:
        raise BackupRefused(damaged, hint="Nothing was changed.", detail=error.detail or error.message) from error
    if problems:
        raise BackupRefused(damaged, hint="Nothing was changed.", detail="\n".join(problems))


def _providers(folder: Path) -> tuple[BackupProvider, ...]:
    with contextlib.suppress(FileNotFoundError):
        settings = msgspec.json.decode((folder / "settings.json").read_bytes())
        return providers_of(settings if isinstance(settings, dict) else {})
    return ()


# --- committing -------------------------------------------------------------------------------------------------------
def commit(paths: Paths, staged: Staged) -> SafetyCopy:
    """Put the staged files in place. Nothing of the program may have the database open. Raises StoreError; then
    nothing was changed, unless the error says that the rest is done at the next start."""
    require_alone(paths.database)
    _write_journal(paths, staged)
    finish(paths)
    return SafetyCopy(folder=paths.backups / f"{SAFETY}{staged.id}", made_at=_iso(staged.id))


def is_pending(paths: Paths) -> bool:
    """A program was killed after `commit` had begun."""
    return (paths.data / JOURNAL).exists()


def finish(paths: Paths) -> bool:
    """Do what a journal says is still to be done. Whether there was one. Raises StoreError; try again then."""
    journal = paths.data / JOURNAL
    try:
        staged = msgspec.json.decode(journal.read_bytes(), type=Staged)
    except FileNotFoundError:
        return False
    except (OSError, msgspec.MsgspecError) as error:
        raise StoreError(f"The journal of a restore, {journal}, can't be read: {error}.") from error
    try:
        for name in PARTS:
            _swap(paths, name, staged)
        _sync(paths.data)
        _sync(paths.config)
        journal.unlink()
        _sync(paths.data)
    except OSError as error:
        raise StoreError(
            f"A restore could not be finished: {error.strerror or error} ({error.filename}).",
            hint="Check free space and permissions, then start the program again: it goes on where it stopped.",
        ) from error
    discard(paths, staged)
    for old in safety_copies(paths)[KEPT_SAFETY_COPIES:]:
        shutil.rmtree(old.folder, ignore_errors=True)
    return True


def safety_copies(paths: Paths) -> list[SafetyCopy]:
    """What restores replaced, newest first. Each can be put back with `stage_undo` and `commit`."""
    folders = sorted(paths.backups.glob(f"{SAFETY}*"), reverse=True)
    return [SafetyCopy(folder=folder, made_at=_iso(folder.name.removeprefix(SAFETY))) for folder in folders]


def stage_undo(paths: Paths, copy: SafetyCopy | None = None) -> Staged:
    """Get ready to put back what a restore replaced (the last one's, unless told). Raises BackupRefused, StoreError."""
    copies = safety_copies(paths)
    if not copies:
        raise BackupRefused("No restore was made, or what it replaced is no longer kept.")
    folder = (copy or copies[0]).folder
    names = tuple(name for name in PARTS if (folder / name).exists())
    staged = Staged(id=_stamp(), names=names)
    require_space(paths.data, sum((folder / name).stat().st_size for name in names))
    try:
        for name in names:
            room = _room(paths, name, staged.id)
            room.mkdir(mode=0o700, exist_ok=True)
            shutil.copy2(folder / name, room / name)
            _sync(room / name)
            for suffix in _COMPANIONS if name == DATABASE else ():
                if (folder / f"{name}{suffix}").exists():
                    shutil.copy2(folder / f"{name}{suffix}", room / f"{name}{suffix}")
        if DATABASE in names:  # what was in its log goes into the file itself
            with contextlib.closing(connect(_room(paths, DATABASE, staged.id) / DATABASE)) as db:
                db.execute("PRAGMA journal_mode = DELETE")
    except (OSError, sqlite3.Error) as error:
        discard(paths, staged)
        raise StoreError(f"The safety copy {folder} can't be used: {error}.", hint="Nothing was changed.") from error
    return staged


def require_alone(database: Path) -> None:
    """Raises LockedDatabase while any program has the database open. Its log becomes part of the file."""
    if not database.exists():
        return
    try:
        with contextlib.closing(connect(database)) as connection:
            connection.execute("PRAGMA busy_timeout = 500")
            mode = connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
    except sqlite3.Error as error:
        told = explained(error, database)
        if isinstance(told, LockedDatabase):
            raise _in_use(database) from error
        return  # damaged, or read-only: it only moves aside, as it is
    if mode.lower() != "delete":
        raise _in_use(database)


def _in_use(database: Path) -> LockedDatabase:
    return LockedDatabase(
        "The data is in use by another window or command of Model Workbench.",
        hint="Close it and try again. Nothing was changed.",
        detail=str(database),
    )


def _swap(paths: Paths, name: str, staged: Staged) -> None:
    target, new = place(paths, name), _room(paths, name, staged.id) / name
    safety = paths.backups / f"{SAFETY}{staged.id}"
    if new.exists() or name not in staged.names:
        for suffix in _COMPANIONS if name == DATABASE else ():
            _keep(target.with_name(target.name + suffix), safety)
        _keep(target, safety)
    if new.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        new.replace(target)


def _keep(file: Path, safety: Path) -> None:
    """Move a file into the safety copy; one that is there already was kept before the program was killed."""
    kept = safety / file.name
    if not file.exists() or kept.exists():
        return
    safety.mkdir(parents=True, mode=0o700, exist_ok=True)
    _move(file, kept)


def _move(source: Path, target: Path) -> None:
    """Move, also to another disk; the target appears whole."""
    try:
        source.rename(target)
        return
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    partial = target.with_name(target.name + ".partial")
    shutil.copyfile(source, partial)
    partial.chmod(0o600)
    _sync(partial)
    partial.replace(target)
    source.unlink()


def _room(paths: Paths, name: str, id_: str) -> Path:
    """The staging folder on the same disk as the part's place."""
    return place(paths, name).parent / f"{STAGING}{id_}"


def _write_journal(paths: Paths, staged: Staged) -> None:
    journal = paths.data / JOURNAL
    partial = journal.with_name(f"{JOURNAL}.partial")
    try:
        with partial.open("wb") as file:
            file.write(msgspec.json.encode(staged))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(journal)
        _sync(paths.data)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise StoreError(
            f"{paths.data} can't be written: {error.strerror}.", hint="Nothing was changed. Check its permissions."
        ) from error


def _sync(path: Path) -> None:
    """Make a file, or the names in a folder, survive a loss of power. Windows does it for folders by itself."""
    if path.is_dir() and os.name == "nt":
        return
    with contextlib.suppress(FileNotFoundError):
        handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")


def _iso(stamp: str) -> str:
    try:
        return datetime.strptime(stamp, "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC).isoformat(timespec="seconds")
    except ValueError:
        return ""
