"""Writes tiny GGUF models with seeded random weights: real files of real architectures, made in milliseconds.

They talk nonsense, but llama.cpp loads and evaluates them, so what depends on the architecture (recurrent state,
sliding windows, pooling) can be tested without downloading anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np

N_EMBD = 64
N_HEAD = 2
N_HEAD_KV = 1
N_FF = 128
N_LAYERS = 2
N_CTX_TRAIN = 512
HEAD = N_EMBD // N_HEAD

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6


class _Weights:
    """Seeded random tensors, added to a writer under llama.cpp's names."""

    def __init__(self, writer: gguf.GGUFWriter, seed: int) -> None:
        self._writer = writer
        self._random = np.random.default_rng(seed)

    def matrix(self, name: str, *shape: int, scale: float = 0.15) -> None:
        """Shape in numpy's order: rows (outputs) first."""
        self._writer.add_tensor(name, (self._random.standard_normal(shape) * scale).astype(np.float32))

    def ones(self, name: str, n: int) -> None:
        self._writer.add_tensor(name, np.ones(n, dtype=np.float32))

    def zeros(self, name: str, n: int) -> None:
        self._writer.add_tensor(name, np.zeros(n, dtype=np.float32))

    def values(self, name: str, values: np.ndarray[Any, Any]) -> None:
        self._writer.add_tensor(name, values.astype(np.float32))


def spm_vocabulary() -> tuple[list[bytes], list[float], list[int]]:
    """Tokens, scores and types of a SentencePiece vocabulary: control tokens, bytes and some words."""
    tokens = [b"<unk>", b"<s>", b"</s>", b"<|im_start|>", b"<|im_end|>"]
    types = [_UNKNOWN, _CONTROL, _CONTROL, _CONTROL, _CONTROL]
    tokens += [f"<0x{byte:02X}>".encode() for byte in range(256)]
    types += [_BYTE] * 256
    words = ["▁", "a", "e", "i", "o", "n", "r", "s", "t", "▁t", "▁the", "▁a", "in", "er", "▁cat", "user", "assistant"]
    tokens += [word.encode() for word in words]
    types += [_NORMAL] * len(words)
    return tokens, [-float(i) for i in range(len(tokens))], types


def _common(writer: gguf.GGUFWriter, *, n_head: int, n_head_kv: int, template: str | None) -> int:
    writer.add_context_length(N_CTX_TRAIN)
    writer.add_embedding_length(N_EMBD)
    writer.add_block_count(N_LAYERS)
    writer.add_feed_forward_length(N_FF)
    writer.add_head_count(n_head)
    writer.add_head_count_kv(n_head_kv)
    writer.add_layer_norm_rms_eps(1e-5)
    tokens, scores, types = spm_vocabulary()
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_eot_token_id(4)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    writer.add_vocab_size(len(tokens))
    if template is not None:
        writer.add_chat_template(template)
    return len(tokens)


def _finish(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _attention(weights: _Weights, prefix: str, *, bias: bool = False, head: int = HEAD) -> None:
    for name, heads in (("q", N_HEAD), ("k", N_HEAD_KV), ("v", N_HEAD_KV)):
        weights.matrix(f"{prefix}.attn_{name}.weight", heads * head, N_EMBD)
        if bias:
            weights.zeros(f"{prefix}.attn_{name}.bias", heads * head)
    weights.matrix(f"{prefix}.attn_output.weight", N_EMBD, N_HEAD * head)


def _gated_ffn(weights: _Weights, prefix: str) -> None:
    weights.matrix(f"{prefix}.ffn_gate.weight", N_FF, N_EMBD)
    weights.matrix(f"{prefix}.ffn_up.weight", N_FF, N_EMBD)
    weights.matrix(f"{prefix}.ffn_down.weight", N_EMBD, N_FF)


def llama(
    path: Path, *, seed: int = 1, architecture: str = "llama", template: str | None = CHATML, **metadata: float
) -> Path:
    """A llama (or, with `architecture="qwen2"`, a qwen2, whose attention has biases). `metadata`: floats to add,
    a double underscore standing for a dot."""
    writer = gguf.GGUFWriter(path, architecture)
    n_vocab = _common(writer, n_head=N_HEAD, n_head_kv=N_HEAD_KV, template=template)
    writer.add_rope_dimension_count(HEAD)
    writer.add_file_type(0)
    for key, value in metadata.items():
        writer.add_float32(key.replace("__", "."), value)
    weights = _Weights(writer, seed)
    weights.matrix("token_embd.weight", n_vocab, N_EMBD)
    weights.ones("output_norm.weight", N_EMBD)
    weights.matrix("output.weight", n_vocab, N_EMBD)
    for layer in range(N_LAYERS):
        prefix = f"blk.{layer}"
        weights.ones(f"{prefix}.attn_norm.weight", N_EMBD)
        _attention(weights, prefix, bias=architecture == "qwen2")
        weights.ones(f"{prefix}.ffn_norm.weight", N_EMBD)
        _gated_ffn(weights, prefix)
    return _finish(writer, path)


def gemma2(path: Path, *, seed: int = 1, window: int = 32) -> Path:
    """A model whose first layer attends to a sliding window of `window` tokens."""
    writer = gguf.GGUFWriter(path, "gemma2")
    n_vocab = _common(writer, n_head=N_HEAD, n_head_kv=N_HEAD_KV, template=CHATML)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_attn_logit_softcapping(50.0)
    writer.add_final_logit_softcapping(30.0)
    writer.add_sliding_window(window)
    weights = _Weights(writer, seed)
    weights.matrix("token_embd.weight", n_vocab, N_EMBD)
    weights.ones("output_norm.weight", N_EMBD)
    for layer in range(N_LAYERS):
        prefix = f"blk.{layer}"
        weights.ones(f"{prefix}.attn_norm.weight", N_EMBD)
        _attention(weights, prefix)
        weights.ones(f"{prefix}.post_attention_norm.weight", N_EMBD)
        weights.ones(f"{prefix}.ffn_norm.weight", N_EMBD)
        _gated_ffn(weights, prefix)
        weights.ones(f"{prefix}.post_ffw_norm.weight", N_EMBD)
    return _finish(writer, path)


def mamba(path: Path, *, seed: int = 1) -> Path:
    """A recurrent model: its state can't be cut back to a shorter prefix."""
    inner, conv, state, rank = 2 * N_EMBD, 4, 8, 4
    writer = gguf.GGUFWriter(path, "mamba")
    n_vocab = _common(writer, n_head=0, n_head_kv=0, template=CHATML)
    writer.add_ssm_conv_kernel(conv)
    writer.add_ssm_inner_size(inner)
    writer.add_ssm_state_size(state)
    writer.add_ssm_time_step_rank(rank)
    weights = _Weights(writer, seed)
    weights.matrix("token_embd.weight", n_vocab, N_EMBD)
    weights.ones("output_norm.weight", N_EMBD)
    for layer in range(N_LAYERS):
        prefix = f"blk.{layer}"
        weights.ones(f"{prefix}.attn_norm.weight", N_EMBD)
        weights.matrix(f"{prefix}.ssm_in.weight", 2 * inner, N_EMBD)
        weights.matrix(f"{prefix}.ssm_conv1d.weight", inner, conv)
        weights.zeros(f"{prefix}.ssm_conv1d.bias", inner)
        weights.matrix(f"{prefix}.ssm_x.weight", rank + 2 * state, inner)
        weights.matrix(f"{prefix}.ssm_dt.weight", inner, rank)
        weights.zeros(f"{prefix}.ssm_dt.bias", inner)
        weights.values(f"{prefix}.ssm_a", -np.tile(np.arange(1, state + 1), (inner, 1)))
        weights.ones(f"{prefix}.ssm_d", inner)
        weights.matrix(f"{prefix}.ssm_out.weight", N_EMBD, inner)
    return _finish(writer, path)


def bert(path: Path, *, seed: int = 1, pooling: gguf.PoolingType | None = gguf.PoolingType.MEAN) -> Path:
    """An encoder that makes embeddings and no text."""
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_context_length(N_CTX_TRAIN)
    writer.add_embedding_length(N_EMBD)
    writer.add_block_count(N_LAYERS)
    writer.add_feed_forward_length(N_FF)
    writer.add_head_count(N_HEAD)
    writer.add_layer_norm_eps(1e-5)
    writer.add_causal_attention(False)
    if pooling is not None:
        writer.add_pooling_type(pooling)
    words = [f"▁{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"] + list("abcdefghijklmnopqrstuvwxyz")
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, "▁cat", "▁dog", "▁the", "▁stock", "▁market"]
    writer.add_tokenizer_model("bert")
    writer.add_token_list([token.encode() for token in tokens])
    writer.add_token_types([_CONTROL] * 5 + [_NORMAL] * (len(tokens) - 5))
    writer.add_token_type_count(2)
    writer.add_pad_token_id(0)
    writer.add_unk_token_id(1)
    writer.add_bos_token_id(2)
    writer.add_sep_token_id(3)
    writer.add_eos_token_id(3)
    writer.add_mask_token_id(4)
    weights = _Weights(writer, seed)
    weights.matrix("token_embd.weight", len(tokens), N_EMBD)
    weights.matrix("position_embd.weight", N_CTX_TRAIN, N_EMBD)
    weights.matrix("token_types.weight", 2, N_EMBD)
    weights.ones("token_embd_norm.weight", N_EMBD)
    weights.zeros("token_embd_norm.bias", N_EMBD)
    for layer in range(N_LAYERS):
        prefix = f"blk.{layer}"
        for name in ("q", "k", "v"):
            weights.matrix(f"{prefix}.attn_{name}.weight", N_EMBD, N_EMBD)
            weights.zeros(f"{prefix}.attn_{name}.bias", N_EMBD)
        weights.matrix(f"{prefix}.attn_output.weight", N_EMBD, N_EMBD)
        weights.zeros(f"{prefix}.attn_output.bias", N_EMBD)
        weights.matrix(f"{prefix}.ffn_up.weight", N_FF, N_EMBD)
        weights.zeros(f"{prefix}.ffn_up.bias", N_FF)
        weights.matrix(f"{prefix}.ffn_down.weight", N_EMBD, N_FF)
        weights.zeros(f"{prefix}.ffn_down.bias", N_EMBD)
        for norm in ("attn_output_norm", "layer_output_norm"):
            weights.ones(f"{prefix}.{norm}.weight", N_EMBD)
            weights.zeros(f"{prefix}.{norm}.bias", N_EMBD)
    return _finish(writer, path)


def lora(path: Path, *, seed: int = 1, scale: float = 1.0) -> Path:
    """A LoRA adapter of rank 4 for the tiny llama."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 4.0)
    weights = _Weights(writer, seed)
    for layer in range(N_LAYERS):
        weights.matrix(f"blk.{layer}.attn_q.weight.lora_a", 4, N_EMBD, scale=scale)
        weights.matrix(f"blk.{layer}.attn_q.weight.lora_b", N_EMBD, 4, scale=scale)
    return _finish(writer, path)
