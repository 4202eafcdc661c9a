"""The one timer that moves streamed text from the runs' buffers into the panes."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, QTimer, Slot

Sink = Callable[[], bool]
"""Drains one run's buffer into its pane. Returns False when nothing more will come."""

FRAMES_PER_SECOND = 30
SHORTEST_INTERVAL_MS = 4


class StreamTicker(QObject):
    """Calls its sinks in turn, one a tick, so that N streaming panes never share a frame.

    Each sink is called about 30 times a second: the timer runs at 30 x N Hz, and not at all without sinks.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._sinks: list[Sink] = []
        self._next = 0
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)

    @property
    def running(self) -> bool:
        return self._timer.isActive()

    def add(self, sink: Sink) -> None:
        """Call `sink` until it returns False. Adding one that is already there changes nothing."""
        if sink not in self._sinks:
            self._sinks.append(sink)
            self._restart()

    def remove(self, sink: Sink) -> None:
        """Forget `sink`; unknown ones are ignored."""
        if sink in self._sinks:
            self._sinks.remove(sink)
            self._restart()

    def _restart(self) -> None:
        if not self._sinks:
            self._timer.stop()
            return
        interval_ms = max(SHORTEST_INTERVAL_MS, round(1000 / (FRAMES_PER_SECOND * len(self._sinks))))
        if not self._timer.isActive() or self._timer.interval() != interval_ms:
            self._timer.start(interval_ms)

    @Slot()
    def _tick(self) -> None:
        if not self._sinks:
            return
        self._next %= len(self._sinks)
        sink = self._sinks[self._next]
        self._next += 1
        if not sink():
            self.remove(sink)
