"""How an installed model would run on this machine. Reads its header: for a worker."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from workbench.core.gguf import read_header, split_parts
from workbench.core.requests import LoadOptions
from workbench.services.experience import Experience
from workbench.services.fit import Fit, Machine, judge, kind_of
from workbench.services.model_shape import ModelShape


@dataclass(frozen=True, slots=True)
class Expected:
    fit: Fit
    runs: int
    """How many runs of this very file its speed is drawn from; 0: from this machine's bandwidth alone."""


def read_expected(
    path: Path, options: LoadOptions, machine: Machine, experience: Experience, freed_ram: int
) -> Expected:
    """`freed_ram`: of the models that would be unloaded. Raises BadModelFile."""
    shape = _shape(path, path.stat().st_mtime_ns)
    fit = judge(shape, machine.now(), options, experience=experience, freed_ram=freed_ram)
    return Expected(fit, experience.observations("speed-gpu" if fit.gpu_layers else "speed", kind_of(shape)))


@functools.lru_cache(maxsize=32)
def _shape(path: Path, _changed_ns: int) -> ModelShape:
    first = read_header(path)
    parts = split_parts(path, first.facts)
    return ModelShape.of([first if part == path else read_header(part) for part in parts] or [first])
