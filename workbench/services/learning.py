"""Lets every load and run of a local model, whoever asked for it, correct later predictions. No Qt."""

from __future__ import annotations

import logging
import queue
import threading
from pathlib import Path

import psutil

from workbench.core.errors import WorkbenchError
from workbench.core.gguf import read_header, split_parts
from workbench.core.requests import LoadOptions
from workbench.engine.local_model import LocalModel, Measured
from workbench.services.experience import Experience, Quantity
from workbench.services.fit import Fit, Gpu, Machine, judge, kind_of
from workbench.services.model_shape import ModelShape

LEAST_TOKENS = 24
"""Generated tokens below which a speed is mostly chance."""
FLUSH_TIMEOUT_S = 2.0
_EVERYTHING = 1 << 50
"""A memory in which any model fits: what was asked for is looked at, not what would have been advised."""

log = logging.getLogger(__name__)
Note = tuple[Path, LoadOptions, Measured]


class Learner:
    """Takes notes in the runs' threads at no cost, and works them out in one of its own. Thread-safe."""

    def __init__(self, experience: Experience) -> None:
        self.experience = experience
        self._notes: queue.SimpleQueue[Note | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._worker: threading.Thread | None = None
        self._shapes: dict[tuple[Path, int], ModelShape] = {}

    def note(self, model: LocalModel, measured: Measured) -> None:
        """A model was loaded, or a run of it has ended."""
        loaded = model.loaded
        options = model.options
        if loaded is None or options.lora_path or options.embeddings:
            return
        as_loaded = LoadOptions(
            n_ctx=loaded.n_ctx,
            n_gpu_layers=loaded.n_gpu_layers,
            n_threads=options.n_threads,
            n_ubatch=options.n_ubatch,
            n_parallel=loaded.n_parallel,
            flash_attn=options.flash_attn,
            cache_type_k=loaded.cache_type_k or None,
            cache_type_v=loaded.cache_type_v or None,
            use_mmap=options.use_mmap,
        )
        with self._lock:
            self._notes.put((model.path, as_loaded, measured))
            if self._worker is None or not self._worker.is_alive():
                self._worker = threading.Thread(target=self._work, name="learning", daemon=True)
                self._worker.start()

    def close(self) -> None:
        """Work out what was noted, as far as that takes no longer than `FLUSH_TIMEOUT_S`."""
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            self._notes.put(None)
            worker.join(FLUSH_TIMEOUT_S)

    def _work(self) -> None:
        while (note := self._notes.get()) is not None:
            try:
                self._learn(*note)
            except WorkbenchError as error:  # the file went away or was replaced meanwhile
                log.info("Nothing was learned from a run: %s", error)

    def _learn(self, path: Path, options: LoadOptions, measured: Measured) -> None:
        shape = self._shape(path)
        kind = kind_of(shape)
        on_gpu = bool(options.n_gpu_layers)
        fit = self._predicted(shape, options, measured)
        if measured.memory_bytes and not on_gpu:  # what stands in VRAM is not in the process's memory
            # activations are not touched before the first prompt
            predicted = fit.ram_bytes if measured.decode_tokens_per_s else fit.ram_bytes - fit.compute_bytes
            self.experience.note("memory", kind, predicted, measured.memory_bytes)
        enough = measured.completion_tokens >= LEAST_TOKENS and measured.decode_tokens_per_s
        if enough and measured.alone and options.n_threads is None:
            quantity: Quantity = "speed-gpu" if on_gpu else "speed"
            self.experience.note(quantity, kind, fit.tokens_per_s, measured.decode_tokens_per_s)

    def _predicted(self, shape: ModelShape, options: LoadOptions, measured: Measured) -> Fit:
        """What is said of it without corrections."""
        gpus = (Gpu(name="", memory_free=_EVERYTHING, memory_total=_EVERYTHING),) if options.n_gpu_layers else ()
        machine = Machine(
            ram_total=_EVERYTHING,
            ram_available=_EVERYTHING,
            gpus=gpus,
            bandwidth_bytes_per_s=self.experience.bandwidth(),
            cores=psutil.cpu_count(logical=False) or 0,
        )
        filled = measured.prompt_tokens + measured.completion_tokens / 2
        return judge(shape, machine, options, tokens_in_context=filled)

    def _shape(self, path: Path) -> ModelShape:
        try:
            key = (path, path.stat().st_mtime_ns)
        except OSError as error:
            raise WorkbenchError(f"{path} is not there any more.") from error
        if key not in self._shapes:
            first = read_header(path)
            parts = [read_header(part) for part in split_parts(path, first.facts)]
            self._shapes[key] = ModelShape.of(parts or [first])
        return self._shapes[key]
