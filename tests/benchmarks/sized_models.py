"""Writes models of real proportions whose weights are zero: as large in memory as real ones, and quick to make.

What a model takes depends on its architecture's layers, caches and states, not on what it has learned, so predictions
of memory can be checked without downloading anything. Tensor names and shapes are those llama.cpp asks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np

from tests.engine.child import tiny_models

Kind = gguf.GGMLQuantizationType
CONTEXT = 32_768
CONV_KERNEL = 4


@dataclass(frozen=True, slots=True)
class Size:
    """How large a model is. Zeros: what is usual for the architecture."""

    n_embd: int
    layers: int
    n_ff: int
    n_vocab: int = 32_000
    heads: int = 8
    kv_heads: int = 2
    head: int = 0
    experts: int = 0
    experts_used: int = 0
    window: int = 0
    state: int = 0
    """Recurrent values for each channel."""
    every: int = 0
    """One layer in this many attends; the others are recurrent."""


class _Sized:
    def __init__(self, path: Path, architecture: str, kind: Kind, size: Size) -> None:
        self.size, self.kind, self.architecture = size, kind, architecture
        self.head = size.head or (size.n_embd // size.heads if size.heads else 0)
        self.writer = gguf.GGUFWriter(path, architecture)

    def matrix(self, name: str, *shape: int) -> None:
        """Of the model's quantisation; shape in numpy's order, the last one a multiple of the block."""
        block, block_bytes = gguf.GGML_QUANT_SIZES[self.kind]
        if self.kind in (Kind.F32, Kind.F16):
            dtype = np.float16 if self.kind == Kind.F16 else np.float32
            self.writer.add_tensor(f"{name}.weight", np.zeros(shape, dtype))
        else:
            data = np.zeros((*shape[:-1], shape[-1] // block * block_bytes), np.uint8)
            self.writer.add_tensor(f"{name}.weight", data, raw_dtype=self.kind)

    def floats(self, name: str, *shape: int) -> None:
        self.writer.add_tensor(name, np.ones(shape, np.float32))

    def attends(self, layer: int) -> bool:
        return not self.size.every or (layer + 1) % self.size.every == 0

    # --- parts ------------------------------------------------------------------------------------------------
    def metadata(self) -> None:
        size, writer = self.size, self.writer
        writer.add_context_length(CONTEXT)
        writer.add_embedding_length(size.n_embd)
        writer.add_block_count(size.layers)
        writer.add_feed_forward_length(size.n_ff)
        writer.add_head_count(size.heads)
        kv_heads = [size.kv_heads if self.attends(layer) else 0 for layer in range(size.layers)]
        writer.add_head_count_kv(kv_heads if size.every else size.kv_heads)
        writer.add_layer_norm_rms_eps(1e-5)
        if size.heads:
            writer.add_rope_dimension_count(self.head)
        if size.head:
            writer.add_key_length(size.head)
            writer.add_value_length(size.head)
        if size.experts:
            writer.add_expert_count(size.experts)
            writer.add_expert_used_count(size.experts_used)
            writer.add_expert_feed_forward_length(size.n_ff)
        if size.window:
            writer.add_sliding_window(size.window)
        if size.state:
            writer.add_ssm_conv_kernel(CONV_KERNEL)
            writer.add_ssm_inner_size(2 * size.n_embd)
            writer.add_ssm_state_size(size.state)
            writer.add_ssm_time_step_rank(size.n_embd // 16)
        tokens, scores, types = tiny_models.spm_vocabulary()
        more = size.n_vocab - len(tokens)
        writer.add_tokenizer_model("llama")
        writer.add_token_list([*tokens, *(f"word{n}".encode() for n in range(more))])
        writer.add_token_scores([*scores, *(-1000.0 - n for n in range(more))])
        writer.add_token_types([*types, *([1] * more)])
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_chat_template(tiny_models.CHATML)

    def ends(self, *, tied: bool) -> None:
        self.matrix("token_embd", self.size.n_vocab, self.size.n_embd)
        norm = "token_embd_norm.weight" if self.architecture == "lfm2" else "output_norm.weight"
        self.floats(norm, self.size.n_embd)
        if not tied:
            self.matrix("output", self.size.n_vocab, self.size.n_embd)

    def attention(self, at: str, *, bias: bool = False, norms: bool = False) -> None:
        size = self.size
        for name, heads in (("q", size.heads), ("k", size.kv_heads), ("v", size.kv_heads)):
            self.matrix(f"{at}.attn_{name}", heads * self.head, size.n_embd)
            if bias:
                self.floats(f"{at}.attn_{name}.bias", heads * self.head)
            if norms and name != "v":
                self.floats(f"{at}.attn_{name}_norm.weight", self.head)
        self.matrix(f"{at}.attn_output", size.n_embd, size.heads * self.head)

    def feed_forward(self, at: str) -> None:
        size = self.size
        self.floats(f"{at}.ffn_norm.weight", size.n_embd)
        if size.experts:
            self.floats(f"{at}.ffn_gate_inp.weight", size.experts, size.n_embd)
            for name in ("gate", "up"):
                self.matrix(f"{at}.ffn_{name}_exps", size.experts, size.n_ff, size.n_embd)
            self.matrix(f"{at}.ffn_down_exps", size.experts, size.n_embd, size.n_ff)
            return
        for name in ("gate", "up"):
            self.matrix(f"{at}.ffn_{name}", size.n_ff, size.n_embd)
        self.matrix(f"{at}.ffn_down", size.n_embd, size.n_ff)

    def mamba(self, at: str, *, norms: bool) -> None:
        n_embd, inner, state, rank = self.size.n_embd, 2 * self.size.n_embd, self.size.state, self.size.n_embd // 16
        self.matrix(f"{at}.ssm_in", 2 * inner, n_embd)
        self.floats(f"{at}.ssm_conv1d.weight", inner, CONV_KERNEL)
        self.floats(f"{at}.ssm_conv1d.bias", inner)
        self.matrix(f"{at}.ssm_x", rank + 2 * state, inner)
        self.floats(f"{at}.ssm_dt.weight", inner, rank)
        self.floats(f"{at}.ssm_dt.bias", inner)
        self.floats(f"{at}.ssm_a", inner, state)
        self.floats(f"{at}.ssm_d", inner)
        self.matrix(f"{at}.ssm_out", n_embd, inner)
        if norms:
            self.floats(f"{at}.ssm_dt_norm.weight", rank)
            for name in ("b", "c"):
                self.floats(f"{at}.ssm_{name}_norm.weight", state)

    def short_convolution(self, at: str) -> None:
        n_embd = self.size.n_embd
        self.floats(f"{at}.shortconv.conv.weight", n_embd, CONV_KERNEL)
        self.matrix(f"{at}.shortconv.in_proj", 3 * n_embd, n_embd)
        self.matrix(f"{at}.shortconv.out_proj", n_embd, n_embd)

    # --- architectures ----------------------------------------------------------------------------------------
    def layer(self, number: int) -> None:
        at, architecture, n_embd = f"blk.{number}", self.architecture, self.size.n_embd
        self.floats(f"{at}.attn_norm.weight", n_embd)
        if architecture == "mamba":
            self.mamba(at, norms=False)
            return
        if self.attends(number):
            named = architecture in ("qwen3", "qwen3moe", "gemma3", "lfm2")
            self.attention(at, bias=architecture == "qwen2", norms=named)
        elif architecture == "jamba":
            self.mamba(at, norms=True)
        else:
            self.short_convolution(at)
        self.feed_forward(at)
        if architecture == "gemma3":
            for name in ("post_attention_norm", "post_ffw_norm"):
                self.floats(f"{at}.{name}.weight", n_embd)


def sized(path: Path, architecture: str, kind: Kind, size: Size) -> Path:
    """Write a model of llama (with experts: like Mixtral), qwen2, qwen3, qwen3moe, gemma3, mamba, jamba or lfm2."""
    made = _Sized(path, architecture, kind, size)
    made.metadata()
    if architecture == "lfm2":
        made.writer.add_shortconv_l_cache(CONV_KERNEL)
    made.ends(tied=architecture in ("gemma3", "lfm2", "mamba"))
    for number in range(size.layers):
        made.layer(number)
    made.writer.write_header_to_file()
    made.writer.write_kv_data_to_file()
    made.writer.write_tensors_to_file()
    made.writer.close()
    return path
