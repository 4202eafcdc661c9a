"""Work off the UI thread: a callable runs in a worker, its result is handed over on the UI thread."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot
from shiboken6 import isValid

from workbench.core.cancel import CancelToken
from workbench.core.errors import ErrorInfo, WorkbenchError
from workbench.ui.tr import tr, translated_error

WORKERS = 4
SERIAL = "serial"
"""Jobs of this lane run one after the other, in order: use it for changes."""


class Job:
    """One piece of work. `cancel` stops its result from being delivered (and the work itself, where it looks)."""

    def __init__(
        self,
        work: Callable[[CancelToken], Any],
        done: Callable[[Any], None] | None,
        failed: Callable[[ErrorInfo], None] | None,
        owner: QObject | None,
    ) -> None:
        self._work = work
        self._done = done
        self._failed = failed
        self._owner = owner
        self._result: Any = None
        self._error: BaseException | None = None
        self.token = CancelToken()

    def cancel(self) -> None:
        self.token.cancel()

    def execute(self) -> None:
        if self.token.cancelled:
            return
        try:
            self._result = self._work(self.token)
        except BaseException as error:
            self._error = error

    def deliver(self) -> None:
        """On the UI thread. Afterwards the job holds nothing: its worker may be the last to let go of it, and must not
        be the one that frees what belongs to the window."""
        try:
            self._tell()
        finally:
            self._work = _nothing
            self._done = self._failed = self._owner = self._result = None

    def _tell(self) -> None:
        if self.token.cancelled or (self._owner is not None and not isValid(self._owner)):
            return
        if self._error is None:
            if self._done is not None:
                self._done(self._result)
            return
        if isinstance(self._error, WorkbenchError):
            info = translated_error(self._error.info)
        else:
            sys.excepthook(type(self._error), self._error, self._error.__traceback__)
            info = ErrorInfo(
                kind="bug",
                message=tr("Something went wrong inside the program: {error}", error=self._error),
                hint=tr("A crash report was written; you can go on working."),
            )
        if self._failed is not None:
            self._failed(info)


def _nothing(_token: CancelToken) -> None:
    """What a delivered job would do."""


class Jobs(QObject):
    """The window's background workers: daemon threads, started when needed, at most `WORKERS` and one serial lane."""

    _wake = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._serial: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._finished: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._serial_thread: threading.Thread | None = None
        self._latest: dict[str, Job] = {}
        self._pending = 0
        self._idle = 0
        self._lock = threading.Lock()
        self._closed = False
        self._wake.connect(self._deliver)

    @property
    def pending(self) -> int:
        """Jobs whose result has not been delivered yet."""
        return self._pending

    def run(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None] | None = None,
        failed: Callable[[ErrorInfo], None] | None = None,
        *,
        owner: QObject | None = None,
        key: str = "",
        lane: str = "",
    ) -> Job:
        """Run `work()` in a worker, then `done(result)` or `failed(error)` on the UI thread.

        Nothing is delivered once `owner` is gone, or once a newer job with the same `key` was started.
        """
        return self.run_cancellable(lambda _token: work(), done, failed, owner=owner, key=key, lane=lane)

    def run_cancellable(
        self,
        work: Callable[[CancelToken], Any],
        done: Callable[[Any], None] | None = None,
        failed: Callable[[ErrorInfo], None] | None = None,
        *,
        owner: QObject | None = None,
        key: str = "",
        lane: str = "",
    ) -> Job:
        """As `run`, for work that looks at the job's cancel token."""
        job = Job(work, done, failed, owner)
        if self._closed:
            job.cancel()
            return job
        if key:
            older = self._latest.get(key)
            if older is not None:
                older.cancel()
            self._latest[key] = job
        self._pending += 1
        if lane == SERIAL:
            if self._serial_thread is None:
                self._serial_thread = self._start(self._serial, "ui-serial")
            self._serial.put(job)
        else:
            with self._lock:
                needs_thread = self._idle == 0 and len(self._threads) < WORKERS
            if needs_thread:
                self._threads.append(self._start(self._queue, f"ui-job-{len(self._threads)}"))
            self._queue.put(job)
        return job

    def close(self, timeout_s: float = 2.0) -> None:
        """Finish what the serial lane holds, drop the rest."""
        if self._closed:
            return
        self._closed = True
        for job in self._latest.values():
            job.cancel()
        self._serial.put(None)
        for _ in self._threads:
            self._queue.put(None)
        for thread in [self._serial_thread, *self._threads]:
            if thread is not None:
                thread.join(timeout_s)

    def _start(self, source: queue.SimpleQueue[Job | None], name: str) -> threading.Thread:
        thread = threading.Thread(target=self._work, args=(source,), name=name, daemon=True)
        thread.start()
        return thread

    def _work(self, source: queue.SimpleQueue[Job | None]) -> None:
        while True:
            with self._lock:
                self._idle += source is self._queue
            job = source.get()
            with self._lock:
                self._idle -= source is self._queue
            if job is None:
                return
            job.execute()
            self._finished.put(job)
            del job  # it may wait long for the next one
            if not self._closed:
                self._wake.emit()

    @Slot()
    def _deliver(self) -> None:
        while True:
            try:
                job = self._finished.get_nowait()
            except queue.Empty:
                return
            self._pending -= 1
            job.deliver()
