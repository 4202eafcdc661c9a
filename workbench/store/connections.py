"""Connections: one for the writer, one for each thread that reads."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import weakref
from pathlib import Path

from workbench.core.errors import StoreError

BUSY_TIMEOUT_S = 10.0
"""How long to wait for another process that is writing."""
WRITER_CACHE_KIB = 16_000
READER_CACHE_KIB = 4_000
"""Smaller: each reading thread has one, and the system keeps the file's pages as well."""


def connect(path: Path, *, read_only: bool = False, immutable: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode: transactions begin where the code says BEGIN. Raises sqlite3.Error."""
    mode = "ro" if read_only else "rwc"
    uri = f"{path.absolute().as_uri()}?mode={mode}{'&immutable=1' if immutable else ''}"
    connection = sqlite3.connect(
        uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA cache_size = -{READER_CACHE_KIB if read_only else WRITER_CACHE_KIB}")
        connection.execute("PRAGMA temp_store = MEMORY")
        if read_only:
            connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


class _Owned:
    """Closes its connection when the thread that reads with it has ended."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __del__(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self.connection.close()


class Readers:
    """A connection for each reading thread, opened at its first read."""

    def __init__(self, path: Path, *, immutable: bool = False) -> None:
        self._path = path
        self._immutable = immutable
        self._local = threading.local()
        self._all: weakref.WeakSet[_Owned] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._closed = False

    def get(self) -> sqlite3.Connection:
        """This thread's connection. Raises sqlite3.Error, and StoreError after `close`."""
        owned: _Owned | None = getattr(self._local, "owned", None)
        if owned is not None and not self._closed:
            return owned.connection
        with self._lock:
            if self._closed:
                raise StoreError("The database is closed.")
            owned = _Owned(connect(self._path, read_only=True, immutable=self._immutable))
            self._all.add(owned)
        self._local.owned = owned
        return owned.connection

    @property
    def count(self) -> int:
        return len(self._all)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for owned in list(self._all):
                with contextlib.suppress(sqlite3.ProgrammingError):  # its thread has just ended and closed it
                    owned.connection.interrupt()
                    owned.connection.close()
