"""One limit on the speed of all downloads together."""

from __future__ import annotations

import threading
import time

from workbench.core.cancel import CancelToken


class BandwidthLimit:
    """A token bucket. `bytes_per_s` of 0 is no limit; it may be changed while downloads run."""

    def __init__(self, bytes_per_s: int = 0) -> None:
        self._lock = threading.Lock()
        self._rate = bytes_per_s
        self._free_at = time.monotonic()
        """When everything taken so far has been paid for."""

    @property
    def bytes_per_s(self) -> int:
        return self._rate

    @bytes_per_s.setter
    def bytes_per_s(self, value: int) -> None:
        with self._lock:
            self._rate = value
            self._free_at = min(self._free_at, time.monotonic() + 1.0)

    def take(self, count: int, cancel: CancelToken) -> bool:
        """Wait for the turn of `count` bytes. False: cancelled meanwhile."""
        with self._lock:
            if not self._rate:
                return not cancel.cancelled
            now = time.monotonic()
            # up to a tenth of a second unused may be made up for
            self._free_at = max(self._free_at, now - 0.1) + count / self._rate
            wait_s = self._free_at - now
        return not (wait_s > 0 and cancel.wait(wait_s)) and not cancel.cancelled

    def piece(self, largest: int) -> int:
        """How much to read at once: small under a tight limit, so that several downloads share it evenly."""
        return largest if not self._rate else max(4096, min(largest, self._rate // 20))
