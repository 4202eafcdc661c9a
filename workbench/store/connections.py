"""Connections: one for the writer, one for each thread that reads."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

from workbench.core.errors import StoreError

BUSY_TIMEOUT_S = 10.0
"""How long to wait for another process that is writing."""
CLOSE_TIMEOUT_S = 5.0
INTERRUPT_AGAIN_S = 0.02
CLOSED = "The database is closed."
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
        self.used = threading.Lock()
        """Held while its thread reads: closing a connection under a statement ends the process by signal 11."""

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

    @contextlib.contextmanager
    def use(self) -> Iterator[sqlite3.Connection]:
        """This thread's connection, until the end of the `with`. Raises sqlite3.Error, and StoreError after `close`."""
        owned: _Owned = getattr(self._local, "owned", None) or self._open()
        with owned.used:
            if self._closed:
                raise StoreError(CLOSED)
            try:
                yield owned.connection
            except sqlite3.OperationalError as error:
                if self._closed:  # interrupted by that
                    raise StoreError(CLOSED) from error
                raise

    def _open(self) -> _Owned:
        with self._lock:
            if self._closed:
                raise StoreError(CLOSED)
            owned = self._local.owned = _Owned(connect(self._path, read_only=True, immutable=self._immutable))
            self._all.add(owned)
        return owned

    @property
    def count(self) -> int:
        return len(self._all)

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Interrupt what is being read and close the connections. One that does not stop in time, for it is being
        copied, is left to its thread."""
        with self._lock:
            self._closed = True
            connections = list(self._all)
        deadline = time.monotonic() + timeout_s
        for owned in connections:
            with contextlib.suppress(sqlite3.ProgrammingError):  # its thread has just ended and closed it
                owned.connection.interrupt()
                while not (free := owned.used.acquire(timeout=INTERRUPT_AGAIN_S)) and time.monotonic() < deadline:
                    owned.connection.interrupt()  # for a statement that began after the last time
                if free:
                    owned.connection.close()
                    owned.used.release()
