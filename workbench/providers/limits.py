"""How many requests run at once with one provider: halved when it says "too many", grown slowly while all is well."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from workbench.core.cancel import CancelToken
from workbench.core.errors import Cancelled

START = 8
MAXIMUM = 64


class AdaptiveLimit:
    """Additive increase, multiplicative decrease, as TCP does. Thread-safe."""

    def __init__(self, start: int = START, maximum: int = MAXIMUM) -> None:
        self._condition = threading.Condition()
        self._limit = float(min(start, maximum))
        self._maximum = maximum
        self._running = 0
        self._epoch = 0

    @property
    def limit(self) -> int:
        return int(self._limit)

    @property
    def running(self) -> int:
        return self._running

    @property
    def full(self) -> bool:
        return self._running >= self.limit

    @contextmanager
    def slot(self, cancel: CancelToken) -> Iterator[Slot]:
        """Hold one of the places; waits for it. Raises Cancelled."""
        forget = cancel.on_cancel(self._wake)
        try:
            with self._condition:
                while self._running >= self.limit and not cancel.cancelled:
                    self._condition.wait()
                if cancel.cancelled:
                    raise Cancelled("Stopped while waiting for the provider.")
                self._running += 1
                slot = Slot(self, self._epoch)
        finally:
            forget()
        try:
            yield slot
        finally:
            with self._condition:
                self._running -= 1
                self._condition.notify()

    def _wake(self) -> None:
        with self._condition:
            self._condition.notify_all()

    def _succeeded(self) -> None:
        with self._condition:
            self._limit = min(float(self._maximum), self._limit + 1 / self._limit)
            self._condition.notify()

    def _rate_limited(self, epoch: int) -> None:
        with self._condition:
            # Requests that were under way together get their refusals together: that is one signal, not many.
            if epoch == self._epoch:
                self._limit = max(1.0, self._limit / 2)
                self._epoch += 1


class Slot:
    """One request's place."""

    def __init__(self, limit: AdaptiveLimit, epoch: int) -> None:
        self._limit = limit
        self._epoch = epoch

    def succeeded(self) -> None:
        self._limit._succeeded()

    def rate_limited(self) -> None:
        self._limit._rate_limited(self._epoch)


_limits: dict[tuple[str, str, int], AdaptiveLimit] = {}
_lock = threading.Lock()


def limit_for(provider: str, base_url: str, *, start: int = START, maximum: int = MAXIMUM) -> AdaptiveLimit:
    """The one limit all models of a provider share."""
    with _lock:
        return _limits.setdefault((provider, base_url, maximum), AdaptiveLimit(start, maximum))
