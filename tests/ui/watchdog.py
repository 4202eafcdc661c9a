"""Fails a test whose window blocks the UI thread for more than 100 ms.

A timer beats in the event loop; a thread looks whether a beat is late, and if so where the UI thread is. What counts is
not wall time, which on a busy machine says nothing, but one of

- 100 ms of the UI thread's own CPU time since the last beat (more where a known loop takes longer than on a quiet
  machine: cores that are shared or clocked down stretch CPU time too), or
- the UI thread asleep (waiting for a disk, a lock, a process) in the program's code in most of the looks of 150 ms.

Only stalls under an event loop that pytest-qt runs are counted: a test that calls a slow function itself is no stall.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from pathlib import Path
from types import FrameType

from PySide6.QtCore import QObject, QTimer

BEAT_MS = 10
CPU_LIMIT_S = 0.100
ASLEEP_LIMIT_S = 0.150
LOOK_EVERY_S = 0.010
CALIBRATION_NUMBERS = 200_000
CALIBRATION_S = 0.012
"""What that many take on a quiet core of 2020 or later."""
_PACKAGE = f"{Path(__file__).resolve().parents[2]}/workbench/"


class Watchdog(QObject):
    def __init__(self) -> None:
        super().__init__()
        self.stalls: list[str] = []
        self.cpu_limit_s = CPU_LIMIT_S * slowdown()
        self._ident = threading.get_ident()
        self._task = Path(f"/proc/self/task/{threading.get_native_id()}/stat")
        self._clock = time.pthread_getcpuclockid(self._ident)
        self._beat_cpu = time.clock_gettime(self._clock)
        self._beats = 0
        self._stop = threading.Event()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._beat)
        self._timer.start(BEAT_MS)
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._timer.stop()
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        self._beats += 1
        self._beat_cpu = time.clock_gettime(self._clock)

    def _watch(self) -> None:
        seen, asleep_s, told = -1, 0.0, False
        while not self._stop.wait(LOOK_EVERY_S):
            if self._beats != seen:
                seen, asleep_s, told = self._beats, 0.0, False
                continue
            frame = sys._current_frames().get(self._ident)
            if frame is None or told:
                continue
            if not _in_program_under_loop(frame):
                self._beat_cpu = time.clock_gettime(self._clock)  # what the test itself does is not counted
                continue
            cpu_s = time.clock_gettime(self._clock) - self._beat_cpu
            asleep_s += LOOK_EVERY_S if self._is_asleep() else 0.0
            if cpu_s > self.cpu_limit_s or asleep_s > ASLEEP_LIMIT_S:
                told = True
                if asleep_s <= ASLEEP_LIMIT_S and cpu_s <= CPU_LIMIT_S * slowdown():
                    continue  # the machine became slower since the test began
                stack = "".join(traceback.format_stack(frame)[-8:])
                self.stalls.append(
                    f"UI thread: {cpu_s * 1000:.0f} ms of CPU, {asleep_s * 1000:.0f} ms asleep in\n{stack}"
                )

    def _is_asleep(self) -> bool:
        try:
            return self._task.read_text().rpartition(")")[2].split()[0] in ("S", "D")
        except OSError:
            return False


def slowdown() -> float:
    """How much longer than usual this thread's CPU takes for the same work now: 1 to 4."""
    began = time.thread_time()
    sum(number * number for number in range(CALIBRATION_NUMBERS))
    return min(max((time.thread_time() - began) / CALIBRATION_S, 1.0), 4.0)


def _in_program_under_loop(frame: FrameType | None) -> bool:
    """The program's code is running, called by an event loop that pytest-qt runs."""
    in_program = False
    while frame is not None:
        name = frame.f_code.co_filename
        in_program = in_program or name.startswith(_PACKAGE)
        if name.endswith(("pytestqt/qtbot.py", "pytestqt/wait_signal.py")):
            return in_program
        frame = frame.f_back
    return False
