"""Who may run when: runs take turns in waves, so that what doesn't fit in memory together never has to.

All runs of a comparison start at once, so that their rows are stored and each can be cancelled; a run whose wave has
not come yet waits in its own thread. A wave begins when every run of the one before has ended.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager

from workbench.core.cancel import CancelToken


class Turns:
    """Waves of runs. Each run of wave `k` enters once; `before` is called with the wave's number before its first."""

    def __init__(self, sizes: Sequence[int], before: Callable[[int], None] | None = None) -> None:
        """`sizes`: how many runs each wave has."""
        self._condition = threading.Condition()
        self._left = list(sizes)
        self._before = before
        self._preparing = self._prepared = -1
        """Waves up to these have begun to be prepared, or are."""

    @contextmanager
    def turn(self, wave: int, token: CancelToken) -> Iterator[bool]:
        """Wait for the wave, then yield True; False as soon as the run is cancelled. Leaving it lets the next begin."""
        take_back = token.on_cancel(self._wake)
        try:
            yield self._enter(wave, token)
        finally:
            take_back()
            self._leave(wave)

    @property
    def current(self) -> int:
        """The wave that runs now; the number of waves when all have ended."""
        with self._condition:
            return self._current()

    def _enter(self, wave: int, token: CancelToken) -> bool:
        with self._condition:
            self._condition.wait_for(lambda: token.cancelled or self._current() >= wave)
            first = not token.cancelled and self._preparing < wave
            if first:
                self._preparing = wave
        if first:  # not under the lock: it may take seconds, and cancelling must not wait for it
            try:
                if self._before is not None:
                    self._before(wave)
            finally:
                with self._condition:
                    self._prepared = wave
                    self._condition.notify_all()
        with self._condition:
            self._condition.wait_for(lambda: token.cancelled or self._prepared >= wave)
            return not token.cancelled

    def _leave(self, wave: int) -> None:
        with self._condition:
            self._left[wave] -= 1
            self._condition.notify_all()

    def _wake(self) -> None:
        with self._condition:
            self._condition.notify_all()

    def _current(self) -> int:
        return next((wave for wave, left in enumerate(self._left) if left > 0), len(self._left))


def plan_waves(
    groups: Sequence[tuple[Hashable, int]], free_bytes: int, *, one_by_one: bool = False
) -> dict[Hashable, int]:
    """The wave of each group of local runs: groups that fit together share one, others come after.

    `groups` are (key, bytes needed), in the order of the columns, each key once. A group that fits nowhere gets a wave
    of its own: estimates are advice, never a block.
    """
    waves: dict[Hashable, int] = {}
    wave, used = -1, 0
    for key, needed in groups:
        if wave < 0 or one_by_one or used + needed > free_bytes:
            wave, used = wave + 1, 0
        used += needed
        waves[key] = wave
    return waves
