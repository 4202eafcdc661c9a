"""The one thread that writes.

Writes are functions that get the connection. Those that wait together share a transaction, each in a savepoint of its
own, so that one that fails takes nothing with it; futures are told after the commit.
"""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from workbench.core.errors import StoreError
from workbench.store.errors import explained

T = TypeVar("T")
Write = Callable[[sqlite3.Connection], T]

MOST_PER_TRANSACTION = 100


@dataclass(slots=True, eq=False)
class _Job:
    write: Write[Any]
    future: Future[Any]
    alone: bool


class Writer:
    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        """Takes over `connection`: nobody else may use it."""
        self._connection = connection
        self._path = path
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self.transactions = 0
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, write: Write[T], *, alone: bool = False) -> Future[T]:
        """Queue `write`. It may run twice (if a shared transaction fails), so it must do nothing but write.

        With `alone` it runs outside of any transaction: for VACUUM and the like.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise StoreError("The database is closed.")
            self._jobs.put(_Job(write, future, alone))
        return future

    def call(self, write: Write[T], *, alone: bool = False) -> T:
        """Run `write` and return its result after the commit. Raises StoreError, and what `write` raises."""
        return self.submit(write, alone=alone).result()

    def close(self) -> None:
        """Finish what is queued, then close the connection."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        with contextlib.closing(self._connection):
            while True:
                jobs, last = self._take()
                shared: list[_Job] = []
                for job in jobs:
                    if job.alone:
                        self._together(shared)
                        shared = []
                        self._alone(job)
                    else:
                        shared.append(job)
                self._together(shared)
                if last:
                    return

    def _take(self) -> tuple[list[_Job], bool]:
        """Wait for a job; return it with those that wait behind it, and whether the writer shall end."""
        jobs: list[_Job] = []
        while len(jobs) < MOST_PER_TRANSACTION:
            try:
                job = self._jobs.get(block=not jobs)
            except queue.Empty:
                break
            if job is None:
                return jobs, True
            jobs.append(job)
        return jobs, False

    def _together(self, jobs: list[_Job]) -> None:
        if not jobs:
            return
        try:
            outcomes = self._transaction(jobs)
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].future.set_exception(self._told(error))
                return
            for job in jobs:
                self._together([job])
            return
        for job, (result, failure) in zip(jobs, outcomes, strict=True):
            if failure is None:
                job.future.set_result(result)
            else:
                job.future.set_exception(failure)

    def _transaction(self, jobs: list[_Job]) -> list[tuple[Any, BaseException | None]]:
        """Raises sqlite3.Error when the transaction as a whole failed; nothing of it is then in the file."""
        connection = self._connection
        outcomes: list[tuple[Any, BaseException | None]] = []
        connection.execute("BEGIN IMMEDIATE")
        try:
            for job in jobs:
                outcomes.append(self._in_savepoint(job))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self.transactions += 1
        return outcomes

    def _in_savepoint(self, job: _Job) -> tuple[Any, BaseException | None]:
        connection = self._connection
        connection.execute("SAVEPOINT job")
        try:
            result = job.write(connection)
        except Exception as error:
            if not connection.in_transaction:  # SQLite gave up the transaction itself, as it does on a full disk
                raise
            connection.execute("ROLLBACK TO job")
            connection.execute("RELEASE job")
            return None, self._told(error)
        connection.execute("RELEASE job")
        return result, None

    def _alone(self, job: _Job) -> None:
        try:
            result = job.write(self._connection)
        except Exception as error:
            job.future.set_exception(self._told(error))
        else:
            job.future.set_result(result)

    def _told(self, error: Exception) -> Exception:
        return explained(error, self._path) if isinstance(error, sqlite3.Error) else error
