"""The store in which huggingface_hub 2 keeps what it brought over Xet once for all repositories of a cache.

    hub/blobs/HH/HASH                      the bytes; HASH is Xet's, not the sha256
    hub/blobs/HH/HASH.refs                 the blobs that stand for them, one a line
    hub/blobs/HH/HASH.lock                 held while that changes
    hub/models--ORG--NAME/blobs/SHA256     a link to the bytes

As there: a list that is missing or can't be read is no reason to delete anything.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import filelock

MARKER = ".huggingface-shared-blobs"
LOCK_TIMEOUT_S = 10.0


def blob_of(pointer: Path) -> Path | None:
    """The blob of its own repository that a snapshot's file stands for; None where it is no link."""
    try:
        return Path(os.path.normpath(pointer.parent / pointer.readlink()))
    except OSError:
        return None


def stored(blob: Path) -> Path | None:
    """Where the bytes of a repository's blob are in the shared store; None for a blob with bytes of its own."""
    target = blob_of(blob)
    if target is None:
        return None
    cache = blob.parents[2]
    is_entry = target.parents[1] == cache / "blobs" and target.parent.name == target.name[:2]
    known = is_entry and re.fullmatch(r"[0-9a-f]{64}", target.name) and (cache / "blobs" / MARKER).is_file()
    return target if known else None


def users(entry: Path) -> set[Path] | None:
    """The repositories' blobs that link to an entry of the store; None where that can't be told."""
    cache = entry.parents[2]
    try:
        lines = _list_of(entry).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    listed = [cache / line for line in lines if not Path(line).is_absolute() and ".." not in Path(line).parts]
    return {blob for blob in listed if blob_of(blob) == entry}


def sweep(entry: Path) -> int:
    """Delete an entry that nothing links to any more. Returns the bytes freed. Raises OSError."""
    with filelock.FileLock(entry.with_name(entry.name + ".lock"), timeout=LOCK_TIMEOUT_S):
        if users(entry) != set():
            return 0
        size = entry.stat().st_size
        entry.unlink()
        _list_of(entry).unlink(missing_ok=True)
    return size


def _list_of(entry: Path) -> Path:
    return entry.with_name(entry.name + ".refs")
