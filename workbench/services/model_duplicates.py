"""The same model stored more than once, recognised by content. Blocks: not for the UI thread. No Qt."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from workbench.core.cancel import CancelToken
from workbench.core.errors import Cancelled
from workbench.services.checksum import hash_file
from workbench.services.model_files import FoundModel

SAMPLE_BYTES = 1 << 20
SAMPLES = 4


class HashCache:
    """sha256 by path, size and time of change, kept in a file: large models are hashed once."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._known: dict[str, tuple[int, int, str]] = {}
        if file is not None:
            with contextlib.suppress(OSError, msgspec.DecodeError):
                self._known = msgspec.json.decode(file.read_bytes(), type=dict[str, tuple[int, int, str]])

    def sha256(self, path: Path, cancel: CancelToken, progress: Callable[[int], None] = lambda _: None) -> str:
        """Raises OSError, Cancelled."""
        status = path.stat()
        key = (status.st_size, status.st_mtime_ns)
        known = self._known.get(str(path))
        if known is not None and known[:2] == key:
            return known[2]
        digest = hash_file(path, cancel, progress)
        self._known[str(path)] = (*key, digest)
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.parent.mkdir(parents=True, exist_ok=True)
                self._file.write_bytes(msgspec.json.encode(self._known))
        return digest


def find_duplicates(
    models: Iterable[FoundModel], cancel: CancelToken, hashes: HashCache | None = None
) -> list[list[FoundModel]]:
    """Groups of models with the same content, each of two or more. Raises Cancelled.

    Sizes are compared first, then known checksums and samples; only what still looks alike is hashed whole. Two
    names of one file on the disk count as one there, for deleting one frees nothing.
    """
    hashes = hashes or HashCache()
    by_size: dict[tuple[int, ...], list[FoundModel]] = {}
    for model in models:
        with contextlib.suppress(OSError):
            by_size.setdefault(tuple(file.stat().st_size for file in model.files), []).append(model)
    groups = []
    for alike in by_size.values():
        if len(alike) > 1:
            groups += _same_content(alike, cancel, hashes)
    return groups


def wasted_bytes(group: list[FoundModel]) -> int:
    """What keeping one of a group would free."""
    files = {(status.st_dev, status.st_ino) for model in group if (status := _stat(model.path)) is not None}
    return max(0, len(files) - 1) * group[0].size_bytes


def _same_content(models: list[FoundModel], cancel: CancelToken, hashes: HashCache) -> list[list[FoundModel]]:
    by_sample: dict[str, list[FoundModel]] = {}
    for model in models:
        if cancel.cancelled:
            raise Cancelled("Stopped.")
        with contextlib.suppress(OSError):
            by_sample.setdefault("".join(sample(file) for file in model.files), []).append(model)
    groups = []
    for alike in by_sample.values():
        if len(alike) < 2:
            continue
        by_content: dict[str, list[FoundModel]] = {}
        for model in alike:
            with contextlib.suppress(OSError):
                by_content.setdefault(_content(model, cancel, hashes), []).append(model)
        groups += [group for group in by_content.values() if len(group) > 1]
    return groups


def _content(model: FoundModel, cancel: CancelToken, hashes: HashCache) -> str:
    if model.sha256:
        return model.sha256
    return "+".join(hashes.sha256(file.resolve(), cancel) for file in model.files)


def sample(path: Path) -> str:
    """A hash of pieces from beginning to end: equal for equal files, and almost always different for others."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        size = path.stat().st_size
        for number in range(SAMPLES):
            file.seek(max(0, (size - SAMPLE_BYTES) * number // (SAMPLES - 1)))
            digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
