"""What was predicted and what came, on this machine; corrects later predictions. No Qt.

Every load and every run adds to it (see `learning`). A correction is taken from what is most like the model asked
about: its very file, then its architecture and quantisation, then its architecture, then everything that ran here.
"""

from __future__ import annotations

import ctypes
import platform
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import filelock
import msgspec
import psutil

Quantity = Literal["memory", "speed", "speed-gpu"]
_KEPT = 300
"""Observations kept of each quantity, the last ones."""
_FROM_EACH = 15
"""Of one file's: a model used every day must not outvote all others."""
_LEAST, _MOST = 0.25, 4.0
_LOCK_TIMEOUT_S = 2.0
BANDWIDTH_MEASUREMENTS = 5
"""How often it is measured, once in each run of the program: other work can only make it look too low."""
COPY_BYTES = 64 << 20


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """What an observation is of."""

    architecture: str = ""
    quantization: str = ""
    weights_bytes: int = 0
    """Tells one file from another of its kind."""


class _Observation(msgspec.Struct, frozen=True, kw_only=True):
    kind: Kind
    ratio: float
    """Measured over predicted."""


class _Kept(msgspec.Struct, kw_only=True):
    bandwidth_bytes_per_s: float = 0.0
    measurements: int = 0
    observations: dict[Quantity, list[_Observation]] = {}


class Experience:
    """Kept in a file, under the machine's name: a home folder may be shared by several. Thread-safe."""

    def __init__(self, file: Path | None = None, *, machine: str = "") -> None:
        self._file = file
        self._machine = machine or this_machine_name()
        self._lock = threading.RLock()
        self._measuring = threading.Lock()
        self._measured = False
        self._kept = self._read()[0]

    # --- learning ---------------------------------------------------------------------------------------------
    def note(self, quantity: Quantity, kind: Kind, predicted: float, measured: float) -> None:
        """`predicted` without corrections. Waits for the file's lock: not for the UI thread."""
        if predicted <= 0 or measured <= 0:
            return
        ratio = min(_MOST, max(_LEAST, measured / predicted))

        def change(kept: _Kept) -> None:
            known = [*kept.observations.get(quantity, []), _Observation(kind=kind, ratio=ratio)]
            same = [at for at, observation in enumerate(known) if observation.kind == kind]
            for at in reversed(same[:-_FROM_EACH]):
                del known[at]
            kept.observations[quantity] = known[-_KEPT:]

        self._change(change)

    def observations(self, quantity: Quantity, kind: Kind) -> int:
        """How often it was measured for this very file."""
        return sum(observation.kind == kind for observation in self._kept.observations.get(quantity, []))

    # --- correcting -------------------------------------------------------------------------------------------
    def factor(self, quantity: Quantity, kind: Kind) -> float:
        """By what a prediction is to be multiplied."""
        alike: Sequence[_Observation] = self._kept.observations.get(quantity, [])
        factor, judged = 1.0, 0
        for field in ("", "architecture", "quantization", "weights_bytes"):
            if field:
                alike = [seen for seen in alike if getattr(seen.kind, field) == getattr(kind, field)]
            if not alike or len(alike) == judged:
                continue
            judged = len(alike)
            ratios = [seen.ratio for seen in alike]
            # a single odd run must not turn predictions upside down
            factor = statistics.median([factor, *ratios] if len(ratios) < 2 else ratios)
        return factor

    # --- bandwidth --------------------------------------------------------------------------------------------
    def bandwidth(self) -> float:
        """Bytes/s of this machine's memory, the best of what was measured. Takes about 0.1 s the first time."""
        with self._measuring:  # a second caller waits for the first one's result
            if self._measured or self._kept.measurements >= BANDWIDTH_MEASUREMENTS:
                return self._kept.bandwidth_bytes_per_s
            measured = measure_bandwidth()

            def change(kept: _Kept) -> None:
                kept.bandwidth_bytes_per_s = max(kept.bandwidth_bytes_per_s, measured)
                kept.measurements += 1

            self._change(change)
            self._measured = True
            return self._kept.bandwidth_bytes_per_s

    # --- the file ---------------------------------------------------------------------------------------------
    def _read(self) -> tuple[_Kept, dict[str, Any]]:
        """What is kept of this machine, and of all."""
        if self._file is None:
            return _Kept(), {}
        try:
            every = msgspec.json.decode(self._file.read_bytes(), type=dict[str, Any])
            return msgspec.convert(every.get(self._machine, {}), _Kept), every
        except (OSError, msgspec.MsgspecError):
            return _Kept(), {}

    def _change(self, change: Callable[[_Kept], None]) -> None:
        """Change it here and in the file, where another window or command may have added to it."""
        with self._lock:
            if self._file is None:
                change(self._kept)
                return
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                with filelock.FileLock(self._file.with_suffix(".lock"), timeout=_LOCK_TIMEOUT_S):
                    kept, every = self._read()
                    change(kept)
                    new = self._file.with_suffix(".new")
                    new.write_bytes(msgspec.json.encode(every | {self._machine: kept}))
                    new.replace(self._file)
                self._kept = kept
            except OSError:  # a folder that can't be written; filelock.Timeout is one, too
                change(self._kept)


def this_machine_name() -> str:
    """Tells this machine from others: its name, processor and memory."""
    memory = round(psutil.virtual_memory().total / 2**30)
    return f"{platform.node()}, {platform.machine()}, {psutil.cpu_count()} threads, {memory} GiB"


def measure_bandwidth(threads: int | None = None) -> float:
    """Bytes/s of reading and writing RAM with as many threads as the engine decodes with: the best of a few copies
    larger than the caches."""
    count = threads or psutil.cpu_count(logical=False) or 1
    size = max(8 << 20, COPY_BYTES // count)
    buffers = [(ctypes.create_string_buffer(size), ctypes.create_string_buffer(size)) for _ in range(count)]
    best = 0.0
    for _ in range(5):
        started = time.perf_counter()
        _copy_all(buffers)
        best = max(best, 2 * size * count / (time.perf_counter() - started))
    return best


def _copy_all(buffers: Sequence[tuple[Any, Any]]) -> None:
    """Each pair in a thread of its own; `memmove` runs without the interpreter's lock."""
    workers = [
        threading.Thread(target=ctypes.memmove, args=(target, source, len(source)), daemon=True)
        for source, target in buffers[1:]
    ]
    for worker in workers:
        worker.start()
    source, target = buffers[0]
    ctypes.memmove(target, source, len(source))
    for worker in workers:
        worker.join()
