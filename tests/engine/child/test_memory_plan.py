"""Layers and context where the user does not say, with GPUs that this machine need not have."""

from __future__ import annotations

from typing import Any

import pytest

from workbench.engine.child import loader, memory_plan
from workbench.engine.child.devices import gpu_memory, gpus
from workbench.engine.child.memory_plan import CONTEXT_CAP, CONTEXT_MIN, GPU_RESERVE_BYTES, Plan

GIB = 1 << 30
CPU = {"type": "cpu", "memory_free": 32 * GIB, "memory_total": 32 * GIB}


def device(kind: str, gib: float) -> dict[str, Any]:
    return {"type": kind, "memory_free": int(gib * GIB) + GPU_RESERVE_BYTES, "memory_total": 64 * GIB}


def plan(
    *found: dict[str, Any], n_ctx: int | None = None, n_gpu_layers: int | None = None, per_token: float = 128 << 10
) -> Plan:
    """Of a model of 4 GiB with 32 layers, trained for 128k tokens, 0.125 GiB of cache for 1,024 of them."""
    return memory_plan.plan(
        [CPU, *found],
        file_bytes=4 * GIB,
        n_layers=32,
        n_ctx_train=131_072,
        bytes_per_token=per_token,
        memory_free=32 * GIB,
        n_ctx=n_ctx,
        n_gpu_layers=n_gpu_layers,
    )


def test_without_a_gpu_all_is_on_the_cpu() -> None:
    assert plan() == Plan(0, CONTEXT_CAP)


def test_a_large_gpu_takes_everything() -> None:
    assert plan(device("gpu", 12)) == Plan(-1, CONTEXT_CAP)


def test_the_context_makes_way_for_the_weights() -> None:
    assert plan(device("gpu", 5)) == Plan(-1, 8192)


def test_what_does_not_fit_is_offloaded_in_part() -> None:
    small = plan(device("gpu", 2))
    assert 0 < small.n_gpu_layers < 33 and small.n_ctx == CONTEXT_MIN
    needed = 4 * GIB + small.n_ctx * (128 << 10)
    assert needed * small.n_gpu_layers / 33 <= 2 * GIB


def test_a_context_that_was_asked_for_is_kept_and_counted() -> None:
    assert plan(device("gpu", 5), n_ctx=8192) == Plan(-1, 8192)
    larger = plan(device("gpu", 5), n_ctx=32_768)
    assert larger.n_ctx == 32_768 and 0 < larger.n_gpu_layers < 33


def test_layers_that_were_asked_for_are_kept() -> None:
    assert plan(device("gpu", 12), n_gpu_layers=7).n_gpu_layers == 7
    assert plan(device("gpu", 5), n_gpu_layers=-1) == Plan(-1, 8192)
    assert plan(device("gpu", 12), n_gpu_layers=0) == Plan(0, CONTEXT_CAP)


def test_two_cards_are_taken_together_and_a_full_one_counts_nothing() -> None:
    assert plan(device("gpu", 3), device("gpu", 3)).n_gpu_layers == -1
    full = {"type": "gpu", "memory_free": GPU_RESERVE_BYTES // 2, "memory_total": 8 * GIB}
    assert plan(full).n_gpu_layers == 0


def test_a_gpu_that_does_not_tell_its_memory_is_used() -> None:
    silent = {"type": "gpu", "memory_free": 0, "memory_total": 0}
    assert plan(silent) == Plan(-1, CONTEXT_CAP)
    assert plan(silent, n_gpu_layers=9).n_gpu_layers == 9


def test_a_recurrent_model_has_no_cache_to_plan() -> None:
    assert plan(device("gpu", 5), per_token=0) == Plan(-1, CONTEXT_CAP)


def test_an_integrated_gpu_counts_only_alone() -> None:
    """llama.cpp leaves it out beside a card, and its memory is the system's."""
    card, integrated = device("gpu", 8), device("igpu", 32)
    assert gpus([CPU, card, integrated]) == [card]
    assert gpus([CPU, integrated]) == [integrated]


def test_memory_in_use_is_that_of_the_gpus_only() -> None:
    card = {**device("gpu", 8), "memory_free": 3 * 1024**3, "memory_total": 8 * 1024**3}
    assert gpu_memory([CPU, card, {**card, "type": "igpu"}]) == (5 * 1024**3, 8 * 1024**3)
    assert gpu_memory([CPU]) == (0, 0)


@pytest.mark.parametrize(
    ("lines", "asked", "layers"),
    [
        (
            ["load_tensors: offloading 32 repeating layers to GPU", "load_tensors: offloaded 33/33 layers to GPU"],
            -1,
            33,
        ),
        (["load_tensors: offloaded 10/33 layers to GPU"], 12, 10),
        ([], -1, 33),
        ([], 50, 33),
        ([], 5, 5),
    ],
)
def test_offloaded_layers_are_those_that_llama_cpp_names(lines: list[str], asked: int, layers: int) -> None:
    assert loader.offloaded_layers(lines, asked, 32, has_gpu=True) == layers
    assert loader.offloaded_layers(lines, asked, 32, has_gpu=False) == 0


@pytest.mark.parametrize(
    ("line", "asked", "used"),
    [
        ("resolve_fused_ops: Flash Attention enabled", "auto", "on"),
        ("llama_context: Flash Attention was auto, set to disabled", "auto", "off"),
        ("nothing of it", "auto", "auto"),
        ("resolve_fused_ops: Flash Attention enabled", "off", "off"),
    ],
)
def test_flash_attention_is_told_as_it_was_decided(line: str, asked: str, used: str) -> None:
    assert loader.flash_attention([line], asked) == used
