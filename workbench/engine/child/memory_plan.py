"""How much context and how many layers on the GPU, where the user does not say."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any

import psutil

from workbench.core.errors import BadInput
from workbench.engine.child.devices import gpus

CONTEXT_CAP = 32_768
"""Automatic context stays below this: a model trained for 128k or 1M tokens would fill the memory for nothing."""
CONTEXT_MIN = 2_048
CONTEXT_SHARE_OF_MEMORY = 0.25
GPU_RESERVE_BYTES = 512 << 20
"""Left free on a GPU for compute buffers and the desktop."""

CACHE_TYPES: dict[str, tuple[int, float]] = {
    "f32": (0, 4.0),
    "f16": (1, 2.0),
    "bf16": (30, 2.0),
    "q8_0": (8, 34 / 32),
    "q4_0": (2, 18 / 32),
    "q4_1": (3, 20 / 32),
    "q5_0": (6, 22 / 32),
    "q5_1": (7, 24 / 32),
    "iq4_nl": (20, 18 / 32),
}
"""KV cache types: name -> (enum ggml_type, bytes for each value)."""


def cache_type(name: str | None, option: str) -> tuple[str, int]:
    """The type's name and number. Raises BadInput for one that llama.cpp's KV cache does not take."""
    chosen = (name or "f16").lower()
    if chosen not in CACHE_TYPES:
        raise BadInput(f"{option} can't be “{name}”.", hint=f"Possible are: {', '.join(CACHE_TYPES)}.")
    return chosen, CACHE_TYPES[chosen][0]


@dataclass(frozen=True, slots=True)
class CacheShape:
    """What a model's KV cache takes for one token, from its metadata."""

    n_layers: int
    k_values: int
    """Values for each token and layer."""
    v_values: int

    @classmethod
    def of(cls, metadata: dict[str, str], n_layers: int, n_embd: int, n_head: int, n_head_kv: int) -> CacheShape:
        architecture = metadata.get("general.architecture", "")
        head = n_embd // max(n_head, 1)
        k_length = _number(metadata, f"{architecture}.attention.key_length", head)
        v_length = _number(metadata, f"{architecture}.attention.value_length", head)
        return cls(n_layers, max(n_head_kv, 0) * k_length, max(n_head_kv, 0) * v_length)

    def bytes_per_token(self, type_k: str, type_v: str) -> float:
        return self.n_layers * (self.k_values * CACHE_TYPES[type_k][1] + self.v_values * CACHE_TYPES[type_v][1])


def automatic_context(n_ctx_train: int, bytes_per_token: float, memory_free: int) -> int:
    """Tokens: what the model was trained for, at most `CONTEXT_CAP`, and a KV cache of at most a quarter of the
    free memory; never under `CONTEXT_MIN` (or the training length, where that is smaller)."""
    wanted = min(n_ctx_train or CONTEXT_MIN, CONTEXT_CAP)
    if bytes_per_token > 0:
        wanted = min(wanted, int(memory_free * CONTEXT_SHARE_OF_MEMORY / bytes_per_token))
    floor = min(CONTEXT_MIN, n_ctx_train or CONTEXT_MIN)
    return max(wanted // 256 * 256, floor)


@dataclass(frozen=True, slots=True)
class Plan:
    n_gpu_layers: int
    """-1: all."""
    n_ctx: int


def plan(
    found: list[dict[str, Any]],
    *,
    file_bytes: int,
    n_layers: int,
    n_ctx_train: int,
    bytes_per_token: float,
    memory_free: int,
    n_ctx: int | None,
    n_gpu_layers: int | None,
) -> Plan:
    """Layers on the GPU and context, where the user (`n_ctx`, `n_gpu_layers`) does not say. The weights come first: all
    layers on the GPU with a smaller context are faster than a part of them with a large one."""
    wanted = n_ctx or automatic_context(n_ctx_train, bytes_per_token, memory_free)
    devices = gpus(found)
    room = sum(max(device["memory_free"] - GPU_RESERVE_BYTES, 0) for device in devices)
    if any(not device["memory_total"] for device in devices):  # some backends don't tell: llama.cpp's own default then
        return Plan(-1 if n_gpu_layers is None else n_gpu_layers, wanted)
    if n_gpu_layers == 0 or not room:
        return Plan(0 if n_gpu_layers is None else n_gpu_layers, wanted)
    if n_ctx is None and bytes_per_token > 0:
        fits = max(int((room - file_bytes) / bytes_per_token) // 256 * 256, CONTEXT_MIN)
        wanted = min(wanted, fits if n_gpu_layers is None or n_gpu_layers < 0 else wanted)
    if n_gpu_layers is not None:
        return Plan(n_gpu_layers, wanted)
    needed = file_bytes + int(wanted * bytes_per_token)
    return Plan(-1 if needed <= room else int((n_layers + 1) * room / needed), wanted)


def free_memory() -> int:
    """Bytes of RAM that could be used without swapping."""
    return int(psutil.virtual_memory().available)


def physical_cores() -> int:
    """Cores this process may run on; hyper-threads of one core count once, as they slow decoding down."""
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(psutil.cpu_count(logical=False) or usable, usable))


def logical_cores() -> int:
    return max(1, len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1)


def _number(metadata: dict[str, str], key: str, default: int) -> int:
    try:
        return int(metadata.get(key, ""))
    except ValueError:
        return default
