"""Fails a test whose window blocks the UI thread for more than 100 ms.

A timer beats in the event loop; a thread looks whether a beat is late, and if so where the UI thread is. What counts is
not wall time, which on a busy machine says nothing, but one of

- 100 ms of the UI thread's own CPU time since the last beat (more where a known loop takes longer than on a quiet
  machine: cores that are shared or clocked down stretch CPU time too), or
- the UI thread asleep (waiting for a disk, a lock, a process) in the program's code in most of the looks of 150 ms.

Only stalls under an event loop that pytest-qt runs are counted: a test that calls a slow function itself is no stall.
"""

from __future__ import annotations

import faulthandler
import statistics
import tempfile
import threading
import time
from pathlib import Path

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
        self._dump = tempfile.TemporaryFile()  # noqa: SIM115  closed with the watchdog
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._beat)
        self._timer.start(BEAT_MS)
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._timer.stop()
        self._stop.set()
        self._thread.join()
        self._dump.close()

    def _beat(self) -> None:
        self._beats += 1
        self._beat_cpu = time.clock_gettime(self._clock)

    def _watch(self) -> None:
        seen, asleep_s, told = -1, 0.0, False
        paces: list[float] = []  # of the machine, while a beat is late: slow spells may be over when it is looked for
        while not self._stop.wait(LOOK_EVERY_S):
            if self._beats != seen:
                seen, asleep_s, told = self._beats, 0.0, False
                paces.clear()
                continue
            if told:
                continue
            stack = self._stack()
            if not _in_program_under_loop(stack):
                self._beat_cpu = time.clock_gettime(self._clock)  # what the test itself does is not counted
                continue
            cpu_s = time.clock_gettime(self._clock) - self._beat_cpu
            asleep_s += LOOK_EVERY_S if self._is_asleep() else 0.0
            if cpu_s > CPU_LIMIT_S / 2:
                paces.append(slowdown(CALIBRATION_NUMBERS // 10))
            if cpu_s > self.cpu_limit_s or asleep_s > ASLEEP_LIMIT_S:
                if asleep_s <= ASLEEP_LIMIT_S and cpu_s <= CPU_LIMIT_S * max(statistics.median(paces), slowdown()):
                    continue  # the machine became slower since the test began
                told = True
                where = "\n".join(stack[:8])
                pace = max(paces, default=1.0)
                self.stalls.append(
                    f"UI thread: {cpu_s * 1000:.0f} ms of CPU, {asleep_s * 1000:.0f} ms asleep, pace {pace:.2f}, in\n"
                    f"{where}"
                )

    def _stack(self) -> list[str]:
        """The UI thread's lines, newest first. Not by its frame objects: to be the last to hold one would free its
        widgets on this thread."""
        self._dump.seek(0)
        self._dump.truncate()
        faulthandler.dump_traceback(self._dump, all_threads=True)
        self._dump.seek(0)
        threads = self._dump.read().decode(errors="replace").split("\n\n")
        head = f"Thread 0x{self._ident:016x}"
        return next((thread.splitlines()[1:] for thread in threads if thread.startswith(head)), [])

    def _is_asleep(self) -> bool:
        try:
            return self._task.read_text().rpartition(")")[2].split()[0] in ("S", "D")
        except OSError:
            return False


def slowdown(numbers: int = CALIBRATION_NUMBERS) -> float:
    """How much longer than usual this thread's CPU takes for the same work now: 1 to 4."""
    began = time.thread_time()
    sum(number * number for number in range(numbers))
    usual_s = CALIBRATION_S * numbers / CALIBRATION_NUMBERS
    return min(max((time.thread_time() - began) / usual_s, 1.0), 4.0)


def _in_program_under_loop(stack: list[str]) -> bool:
    """The program's code is running, called by an event loop that pytest-qt runs."""
    in_program = False
    for line in stack:
        in_program = in_program or _PACKAGE in line
        if "pytestqt/qtbot.py" in line or "pytestqt/wait_signal.py" in line:
            return in_program
    return False
