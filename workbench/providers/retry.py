"""When to try again: exponential backoff with jitter, the server's own wish first."""

from __future__ import annotations

import email.utils
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    attempts: int = 5
    """Most attempts, the first one included."""
    base_s: float = 0.5
    max_s: float = 20.0
    window_s: float = 300.0
    """No further attempt when attempts and waits took this long; a server that asks for more is not waited for."""
    random: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic


class Backoff:
    """The waits of one run."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._begun = policy.clock()
        self._spent_s = 0.0
        self.attempt = 1
        """Number of the attempt that is going on, from 1."""

    def begin(self) -> None:
        """An attempt begins now. Time before it, spent waiting for a place in the queue, does not count."""
        self._begun = self._policy.clock()

    @property
    def attempts(self) -> int:
        return self._policy.attempts

    def next_wait_s(self, retry_after_s: float | None) -> float | None:
        """Seconds to wait before the next attempt; None: give up."""
        policy = self._policy
        if self.attempt >= policy.attempts:
            return None
        if retry_after_s is not None:
            # Never earlier than asked for; a little later, so that clients don't come back all at once.
            wait = retry_after_s * (1 + 0.1 * policy.random())
        else:
            wait = min(policy.max_s, policy.base_s * 2 ** (self.attempt - 1)) * (0.5 + 0.5 * policy.random())
        self._spent_s += policy.clock() - self._begun
        if self._spent_s + wait > policy.window_s:
            return None
        self._spent_s += wait
        self._begun = policy.clock() + wait
        self.attempt += 1
        return wait


def parse_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait by `retry-after-ms` or `Retry-After` (seconds or HTTP date, RFC 9110 10.2.3); None if absent.

    `now` is the wall clock in seconds since the epoch.
    """
    try:
        return max(0.0, float(headers["retry-after-ms"]) / 1000)
    except (KeyError, ValueError):
        pass
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now)
    except (TypeError, ValueError, OverflowError):
        return None
