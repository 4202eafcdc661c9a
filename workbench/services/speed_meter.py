"""How fast something comes. No Qt."""

from __future__ import annotations

import time

_WINDOW_S = 3.0


class SpeedMeter:
    """Speed over the last seconds, from how much was done at each moment."""

    def __init__(self) -> None:
        self._samples: list[tuple[float, int]] = []

    def measure(self, done: int) -> float:
        """Bytes/s now that `done` bytes are here; 0 while it can't be told."""
        now = time.monotonic()
        if self._samples and done < self._samples[-1][1]:
            self._samples.clear()
        self._samples.append((now, done))
        while len(self._samples) > 2 and now - self._samples[0][0] > _WINDOW_S:
            del self._samples[0]
        return self.bytes_per_s

    def stop(self) -> None:
        self._samples.clear()

    @property
    def bytes_per_s(self) -> float:
        if len(self._samples) < 2:
            return 0.0
        (start, first), (end, last) = self._samples[0], self._samples[-1]
        return (last - first) / (end - start) if end > start else 0.0
