"""What is kept beside a partial file, so that a download goes on after anything.

`marks` are cumulative digests: the sha256 of everything up to the end of each block, as received. Hashing the file
again when going on shows which block the disk damaged, if any, at no cost while downloading.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from workbench.hub.cache import PART_SUFFIX, RepoCache


class PartialState(msgspec.Struct, kw_only=True):
    version: int = 1
    repo_id: str
    filename: str
    revision: str
    commit: str
    url: str
    """The Hub's address of the file, not the signed link."""
    etag: str
    size: int
    sha256: str = ""
    confirmed: int = 0
    """Bytes written when this was saved; the file itself may hold more."""
    storage_etag: str = ""
    """The ETag of the storage that serves the bytes; not the Hub's."""
    block_bytes: int
    marks: list[str] = []
    breaks: list[int] = []
    """Offsets at which a broken transfer was taken up again."""

    @classmethod
    def load(cls, path: Path) -> PartialState | None:
        try:
            state = msgspec.json.decode(path.read_bytes(), type=cls)
        except (OSError, msgspec.DecodeError):  # missing or damaged: the bytes are checked in the end anyway
            return None
        return state if state.version == 1 else None

    def save(self, path: Path) -> None:
        """Atomically: a kill leaves the old state or the new one. Raises OSError."""
        new = path.with_name(path.name + ".new")
        new.write_bytes(msgspec.json.encode(self))
        new.replace(path)


def state_path(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def discard(part: Path) -> None:
    """Delete a partial file and what stands beside it."""
    state = state_path(part)
    for path in (part, state, state.with_name(state.name + ".new")):
        with contextlib.suppress(OSError):
            path.unlink()


def partials(repo: RepoCache) -> Iterator[tuple[Path, PartialState | None]]:
    """Partial files of a repository with their states."""
    for part in sorted(repo.blobs.glob(f"*{PART_SUFFIX}")):
        yield part, PartialState.load(state_path(part))
