"""Tells when models come or go: the folders' times of change are looked at now and then. No Qt."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from workbench.services.model_files import DEEPEST, Place

INTERVAL_S = 5.0


class FolderWatch:
    """Calls `changed` in its own thread, after a folder with models has changed and come to rest for one interval.

    A folder that is not there yet is waited for. Polling works on network drives and needs no service of the system;
    a look costs about a millisecond for each hundred folders.
    """

    def __init__(self, places: Sequence[Place], changed: Callable[[], None], *, interval_s: float = INTERVAL_S) -> None:
        self._places = tuple(places)
        self._changed = changed
        self._interval_s = interval_s
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="model-watch", daemon=True)

    def start(self) -> None:
        self._seen = self._look()
        self._thread.start()

    def stop(self) -> None:
        """Returns soon, even while it looks through a large folder."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        told = self._seen
        while not self._end.wait(self._interval_s):
            now = self._look()
            if now == self._seen and now != told and not self._end.is_set():
                told = now
                self._changed()
            self._seen = now

    def _look(self) -> frozenset[tuple[str, int, int]]:
        """Folders and model files with time of change and size."""
        seen = set()
        for place in self._places:
            base = len(place.folder.parts)
            with contextlib.suppress(OSError):
                if place.folder.is_file():
                    status = place.folder.stat()
                    seen.add((str(place.folder), status.st_mtime_ns, status.st_size))
            for parent, folders, names in os.walk(place.folder):
                if self._end.is_set():
                    break
                folder = Path(parent)
                if len(folder.parts) - base >= DEEPEST:
                    folders.clear()
                # blobs change all the time while something is downloaded; a finished file shows in a snapshot
                folders[:] = [name for name in folders if name not in ("blobs", ".locks")]
                for path in (folder, *(folder / name for name in names if name.endswith(".gguf"))):
                    with contextlib.suppress(OSError):
                        status = path.stat()
                        seen.add((str(path), status.st_mtime_ns, 0 if path is folder else status.st_size))
        return frozenset(seen)
