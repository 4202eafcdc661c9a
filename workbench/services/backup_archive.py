"""The file a backup is: a ZIP that anyone can open, with a manifest that says what is in it.

    manifest.json   what wrote it and when, size and sha256 of every other file, the models that were there
    workbench.db    the database: chats, comparisons, evaluations, runs, presets, attachments
    settings.json, ui-state.json, downloads.json, machine.json, prices.json   those that exist

Nothing in a backup decides where a file is written: only the names of `PARTS` are read, each goes to its own place.
Keys are never in it. Models and plugins are not either: models are listed with what is needed to fetch them again,
plugins by name (they are programs, and a backup may come from a stranger).
"""

from __future__ import annotations

import errno
import hashlib
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec

from workbench.core.cancel import CancelToken
from workbench.core.errors import BadInput, Cancelled, StoreError
from workbench.core.paths import Paths

FORMAT = "model-workbench-backup"
VERSION = 1
"""Raised when an older program could no longer restore what a newer one writes."""
MANIFEST = "manifest.json"
DATABASE = "workbench.db"
PARTS = {
    DATABASE: "data",
    "settings.json": "config",
    "ui-state.json": "config",
    "prices.json": "config",
    "downloads.json": "data",
    "machine.json": "data",
}
"""Each file's name -> the folder it lives in."""
MAX_MANIFEST_BYTES = 32_000_000
MAX_SMALL_FILE_BYTES = 64_000_000
"""Of every file but the database."""
BOMB_BYTES, BOMB_RATIO = 50_000_000, 300
"""A file larger than this when unpacked, and packed better than this, is no database of texts."""
CHUNK = 1 << 20
SPARE_BYTES = 50_000_000
"""Left free on the disk."""

_GARBLED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)
"""What `zipfile` says of bytes that make no sense, also of those it does not know how to unpack."""

Tell = Callable[[str, float], None]
"""(step, part done from 0 to 1); steps are `copy`, `pack`, `check`, `unpack`."""


class BackupRefused(BadInput):
    """The file is no backup, is damaged, or was written by a newer version. Nothing was changed."""

    kind = "backup_refused"


class BackupFile(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    bytes: int
    sha256: str


class BackupModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that was on the machine: enough to fetch the very same file again."""

    id: str
    name: str = ""
    repo: str = ""
    revision: str = ""
    filename: str = ""
    sha256: str = ""
    size_bytes: int | None = None


class BackupProvider(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the user's own: where its prompts and its key go."""

    name: str
    base_url: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    format: str
    version: int
    program: str = ""
    """Version of the program that wrote it."""
    created_at: str = ""
    """ISO 8601, UTC."""
    files: tuple[BackupFile, ...] = ()
    migrations: tuple[str, ...] = ()
    """Steps the database's schema is made of."""
    sessions: int = 0
    runs: int = 0
    models: tuple[BackupModel, ...] = ()
    plugins: tuple[str, ...] = ()
    """Names of files in the user's plugin folder."""
    providers: tuple[BackupProvider, ...] = ()
    left_out: tuple[str, ...] = ()
    """Settings that held something secret, as dotted names."""

    @property
    def total_bytes(self) -> int:
        return sum(file.bytes for file in self.files)


def place(paths: Paths, name: str) -> Path:
    """Where a part lives."""
    return (paths.config if PARTS[name] == "config" else paths.data) / name


def quiet(_step: str, _fraction: float) -> None:
    """Tells nobody."""


# --- writing ----------------------------------------------------------------------------------------------------------
def pack(archive: zipfile.ZipFile, name: str, source: IO[bytes], total: int, tell: Callable[[int], None]) -> BackupFile:
    """Add one file to the archive; `tell` gets the bytes done of it."""
    digest, done = hashlib.sha256(), 0
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    with archive.open(info, "w", force_zip64=total > 1 << 30) as target:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            target.write(chunk)
            done += len(chunk)
            tell(done)
    return BackupFile(name=name, bytes=done, sha256=digest.hexdigest())


# --- reading ----------------------------------------------------------------------------------------------------------
def read_manifest(path: Path) -> Manifest:
    """What a backup says it holds, checked against what the file does hold. Raises BackupRefused, StoreError."""
    with _opened(path) as archive:
        return _manifest(archive, path)


def verify(path: Path, tell: Tell = quiet, cancel: CancelToken | None = None) -> Manifest:
    """Read every byte and compare it with the manifest. Raises BackupRefused, StoreError, Cancelled."""
    return _read_all(path, None, "check", tell, cancel)


def unpack(path: Path, folder: Path, tell: Tell = quiet, cancel: CancelToken | None = None) -> Manifest:
    """Verify the backup while writing its files to `folder`. Raises as `verify` does."""
    return _read_all(path, folder, "unpack", tell, cancel)


def _read_all(path: Path, folder: Path | None, step: str, tell: Tell, cancel: CancelToken | None) -> Manifest:
    cancel = cancel or CancelToken()
    with _opened(path) as archive:
        manifest = _manifest(archive, path)
        if folder is not None:
            require_space(folder, manifest.total_bytes)
        total, done = max(manifest.total_bytes, 1), 0
        for file in manifest.files:
            digest = hashlib.sha256()
            try:
                with archive.open(file.name) as source, _target(folder, file.name) as target:
                    left = file.bytes
                    while chunk := source.read(min(CHUNK, left + 1)):
                        if cancel.cancelled:
                            raise Cancelled("Stopped. Nothing was changed.")
                        left -= len(chunk)
                        if left < 0:
                            raise _damaged(path, f"{file.name} is longer than the backup says")
                        digest.update(chunk)
                        target.write(chunk)
                        done += len(chunk)
                        tell(step, done / total)
            except _GARBLED as error:
                raise _damaged(path, f"{file.name}: {error}") from error
            except OSError as error:
                if error.errno != errno.EINVAL:  # which is a place before the file's beginning
                    raise
                raise _damaged(path, f"{file.name}: {error}") from error
            if digest.hexdigest() != file.sha256:
                raise _damaged(path, f"{file.name} is not what was written (its sha256 differs)")
    return manifest


def require_space(folder: Path, needed: int) -> None:
    """Raises StoreError where the disk has less than `needed` bytes to spare."""
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE_BYTES:
        raise StoreError(
            f"There is too little space on the disk of {folder}: {(needed + SPARE_BYTES) / 1e6:,.0f} MB are needed, "
            f"{free / 1e6:,.0f} MB are free.",
            hint="Free some space and try again. Nothing was changed.",
        )


class _Nowhere:
    def write(self, data: bytes) -> int:
        return len(data)

    def __enter__(self) -> _Nowhere:
        return self

    def __exit__(self, *_error: object) -> None:
        return None


def _target(folder: Path | None, name: str) -> IO[bytes] | _Nowhere:
    return _Nowhere() if folder is None else (folder / name).open("xb")


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        raise BackupRefused(f"There is no file {path}.") from None
    except _GARBLED as error:
        hint = (
            "Choose a file made by “Back up” (model-workbench-….zip). If it is one, it is damaged: take another copy."
        )
        raise BackupRefused(f"{path.name} is not a backup of this program.", hint=hint, detail=str(error)) from None
    except OSError as error:
        raise StoreError(f"The backup {path} can't be read: {error.strerror}.") from error


def _manifest(archive: zipfile.ZipFile, path: Path) -> Manifest:
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    if MANIFEST not in names:
        raise BackupRefused(f"{path.name} is a ZIP file, but not a backup of this program.")
    foreign = any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in entries)
    if foreign or len(entries) > len(PARTS) + 1 or len(names) != len(set(names)):
        raise BackupRefused(
            f"{path.name} holds files that no backup of this program has.", detail=", ".join(names[:20])
        )
    if archive.getinfo(MANIFEST).file_size > MAX_MANIFEST_BYTES:
        raise BackupRefused(f"{path.name} is not a backup of this program: its list of contents is far too long.")
    try:
        with archive.open(MANIFEST) as source:
            data = source.read(MAX_MANIFEST_BYTES + 1)
        version = msgspec.json.decode(data, type=_Versions)
    except (*_GARBLED, OSError, msgspec.MsgspecError) as error:
        raise _damaged(path, f"{MANIFEST}: {error}") from error
    if version.format != FORMAT:
        raise BackupRefused(f"{path.name} is a file of another program.")
    if version.version > VERSION:
        raise BackupRefused(
            f"{path.name} was made by a newer version of Model Workbench ({version.program}).",
            hint="Install that version, or a later one, to restore it.",
        )
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.MsgspecError as error:
        raise _damaged(path, f"{MANIFEST}: {error}") from error
    _check_entries(archive, manifest, path)
    return manifest


class _Versions(msgspec.Struct, frozen=True):
    """Read first: the rest of a newer version's manifest may look different."""

    format: str = ""
    version: int = 0
    program: str = ""


def _check_entries(archive: zipfile.ZipFile, manifest: Manifest, path: Path) -> None:
    listed = {file.name: file for file in manifest.files}
    present = {entry.filename: entry for entry in archive.infolist() if entry.filename != MANIFEST}
    if foreign := sorted((set(listed) | set(present)) - set(PARTS)):
        raise BackupRefused(f"{path.name} holds files that no backup of this program has.", detail=", ".join(foreign))
    if len(listed) != len(manifest.files) or set(listed) != set(present) or DATABASE not in listed:
        raise _damaged(path, f"it should hold {sorted(listed)} and holds {sorted(present)}")
    for name, entry in present.items():
        file = listed[name]
        if entry.flag_bits & 0x1:
            raise BackupRefused(f"{path.name} is protected by a password; backups of this program are not.")
        if entry.file_size != file.bytes or file.bytes < 0:
            raise _damaged(path, f"{name} should have {file.bytes} bytes and has {entry.file_size}")
        ratio = entry.file_size / max(entry.compress_size, 1)
        if (name != DATABASE and file.bytes > MAX_SMALL_FILE_BYTES) or (file.bytes > BOMB_BYTES and ratio > BOMB_RATIO):
            raise BackupRefused(f"{path.name} would unpack to far more than a backup holds; it is left alone.")


def _damaged(path: Path, detail: str) -> BackupRefused:
    return BackupRefused(
        f"The backup {path.name} is damaged.", hint="Nothing was changed. Take another copy of it.", detail=detail
    )
