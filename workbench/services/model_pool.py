"""Which local models fit in memory together, and making room for those whose turn it is."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Protocol

import psutil

from workbench.core.models import ChatModel
from workbench.core.requests import LoadOptions, merged
from workbench.engine.local_model import LocalModel
from workbench.services.turns import plan_waves

OVERHEAD = 1.15
"""Cache and buffers on top of the weights, as a share of them, until the model was loaded once."""
MARGIN = 0.9
"""Share of the free memory that is planned with; the rest is for what other programs do meanwhile."""


class LoadedModels(Protocol):
    """What the pool needs of the catalogue."""

    def loaded(self) -> list[LocalModel]: ...


class ModelPool:
    def __init__(self, catalog: LoadedModels, available: Callable[[], int] | None = None) -> None:
        """`available` gives free memory in bytes; by default what the system says."""
        self._catalog = catalog
        self._available = available or _available

    def group(self, model: ChatModel, load: LoadOptions) -> Hashable | None:
        """What runs of one group share: the same file with the same load options, or a plugin's local model.
        None for a model elsewhere, which needs no memory here."""
        if model.info.remote:
            return None
        if isinstance(model, LocalModel):
            return str(model.path), merged(model.options, load)
        return model.info.id

    def waves(
        self, models: Sequence[ChatModel], loads: Sequence[LoadOptions], *, one_by_one: bool = False
    ) -> list[int | None]:
        """The wave of each run. Remote ones have none: they need not wait, except one by one."""
        keys = [self.group(model, load) for model, load in zip(models, loads, strict=True)]
        if one_by_one:
            return list(range(len(keys)))
        needed = {key: self.bytes_of(model) for key, model in zip(keys, models, strict=True) if key is not None}
        free = self._available() + sum(self.bytes_of(model) for model in self._catalog.loaded())
        waves = plan_waves(list(needed.items()), int(free * MARGIN))
        return [None if key is None else waves[key] for key in keys]

    def make_room(self, models: Sequence[ChatModel]) -> None:
        """Unload what is idle and not among `models`, as long as these would not fit."""
        wanted = {model.path for model in models if isinstance(model, LocalModel)}
        missing = sum(self.bytes_of(model) for model in models if isinstance(model, LocalModel) and not model.is_loaded)
        others = [model for model in self._catalog.loaded() if model.path not in wanted]
        for model in reversed(others):  # the one unused for longest first
            if self._available() * MARGIN >= missing:
                return
            model.unload_if_idle()

    def bytes_of(self, model: ChatModel) -> int:
        """What a model takes, or would take, in memory."""
        if isinstance(model, LocalModel) and model.loaded is not None and model.loaded.memory_bytes:
            return model.loaded.memory_bytes
        return int((model.info.size_bytes or 0) * OVERHEAD)


def _available() -> int:
    return int(psutil.virtual_memory().available)
