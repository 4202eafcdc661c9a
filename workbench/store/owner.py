"""Which program instance a run belongs to, so that another instance does not take it for one left by a crash."""

from __future__ import annotations

import functools
import os
import platform
import socket
from datetime import UTC, datetime, timedelta

FOREIGN_SILENCE = timedelta(minutes=15)
"""A run of another machine (a shared folder) counts as left after this long without a save."""


@functools.cache
def this_instance() -> str:
    """`host pid start-time`: a process id alone may be given to another process later."""
    return f"{_host()} {os.getpid()} {_started(os.getpid()) or 0:.2f}"


def is_alive(owner: str, saved_at: str | None) -> bool:
    """Whether the instance that wrote `owner` still runs. `saved_at`: when it last wrote to its run, ISO 8601."""
    try:
        host, pid_text, started_text = owner.rsplit(" ", 2)
        pid, started = int(pid_text), float(started_text)
    except ValueError:
        return False
    if host != _host():
        return _is_recent(saved_at)
    running_since = _started(pid)
    # The tolerance: some systems derive a process' start from the boot time, which moves with the clock.
    return running_since is not None and abs(running_since - started) < 5


def _is_recent(saved_at: str | None) -> bool:
    try:
        return saved_at is not None and datetime.now(UTC) - datetime.fromisoformat(saved_at) < FOREIGN_SILENCE
    except (TypeError, ValueError):
        return False


def _host() -> str:
    return platform.node() or socket.gethostname() or "localhost"


def _started(pid: int) -> float | None:
    """When the process started, in seconds since 1970; None if there is none (or it is a zombie)."""
    import psutil  # noqa: PLC0415  takes 50 ms to import and is not needed before the first run

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None
