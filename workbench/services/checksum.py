"""The checksum of a file. No Qt."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from workbench.core.cancel import CancelToken
from workbench.core.errors import Cancelled


def hash_file(path: Path, cancel: CancelToken, progress: Callable[[int], None] = lambda _: None) -> str:
    """sha256 of a file. Raises Cancelled, OSError."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while data := file.read(1 << 20):
            if cancel.cancelled:
                raise Cancelled("Stopped.")
            digest.update(data)
            progress(file.tell())
    return digest.hexdigest()
