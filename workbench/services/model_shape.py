"""What decides a model's memory and speed, taken from its GGUF header: weights by layer, cache, state. No Qt."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from workbench.core.gguf import GgufHeader
from workbench.services.repacking import repacked_share, repacked_types

CACHE_BYTES: dict[str, float] = {
    "f32": 4.0,
    "f16": 2.0,
    "bf16": 2.0,
    "q8_0": 34 / 32,
    "q4_0": 18 / 32,
    "q4_1": 20 / 32,
    "q5_0": 22 / 32,
    "q5_1": 24 / 32,
    "iq4_nl": 18 / 32,
}
"""Bytes for each value of the KV cache, by its type; llama.cpp's block sizes."""
MOST_LAYERS = 4096
MOST = 1 << 30
"""Of any other number in a header."""
_BLOCK = re.compile(r"blk\.(\d+)\.")


class ModelShape(msgspec.Struct, frozen=True, kw_only=True):
    architecture: str
    quantization: str = ""
    context_length: int
    layer_bytes: tuple[int, ...]
    """Weights of each layer."""
    input_bytes: int
    """Token embeddings: looked up, not read whole; always in RAM."""
    output_bytes: int
    """What is not of a layer and not the embeddings."""
    tied: bool
    """No output matrix of its own: the embeddings serve as one and are read for every token."""
    expert_bytes: int = 0
    """Weights of experts, within `layer_bytes`."""
    expert_share: float = 1.0
    """How much of them a token uses."""
    k_values: tuple[int, ...] = ()
    """Values of the K cache for each token, by layer; 0 for layers without attention."""
    v_values: tuple[int, ...] = ()
    state_bytes: int = 0
    """Recurrent state of one sequence."""
    n_embd: int = 0
    n_ff: int = 0
    n_head: int = 0
    n_vocab: int = 0
    repacked_bytes: int = 0
    """Weights the CPU backend keeps a rearranged copy of, where it runs them."""

    @classmethod
    def of(cls, headers: Sequence[GgufHeader]) -> ModelShape:
        """Of all files of one model; the first one has the metadata."""
        first = headers[0]
        facts = first.facts
        arch = facts.architecture
        tensors = [tensor for header in headers for tensor in header.tensors]
        layers = min(max(0, facts.layers or 0), MOST_LAYERS)
        by_layer = [0] * layers
        embeddings = other = experts = repacked = 0
        tied, copied = True, repacked_types()
        embeddings_copied = 0
        for tensor in tensors:
            size = tensor.size_bytes or 0
            block = _BLOCK.match(tensor.name)
            if block and int(block[1]) < layers:
                by_layer[int(block[1])] += size
                experts += size if "_exps." in tensor.name else 0
                repacked += size if tensor.type in copied else 0
            elif tensor.name.startswith("token_embd"):
                embeddings += size
                embeddings_copied += size if tensor.type in copied else 0
            else:
                other += size
                repacked += size if tensor.type in copied else 0
                tied = tied and tensor.name != "output.weight"
        used, count = _number(first, f"{arch}.expert_used_count"), _number(first, f"{arch}.expert_count")
        k_values, v_values = _cache_values(first, arch, layers)
        return cls(
            architecture=arch,
            quantization=facts.quantization,
            context_length=_number(first, f"{arch}.context_length"),
            layer_bytes=tuple(by_layer),
            input_bytes=embeddings,
            output_bytes=other,
            tied=tied,
            expert_bytes=experts,
            expert_share=min(1.0, used / count) if used and count else 1.0,
            k_values=k_values,
            v_values=v_values,
            state_bytes=_state_bytes(first, arch, k_values),
            n_embd=_number(first, f"{arch}.embedding_length"),
            n_ff=_number(first, f"{arch}.feed_forward_length") or _number(first, f"{arch}.expert_feed_forward_length"),
            n_head=_number(first, f"{arch}.attention.head_count"),
            n_vocab=min(max(0, facts.vocabulary or 0), MOST),
            # as an output matrix the embeddings are copied; as a table to look up in they are not
            repacked_bytes=repacked + (embeddings_copied if tied else 0),
        )

    @property
    def weights_bytes(self) -> int:
        return sum(self.layer_bytes) + self.input_bytes + self.output_bytes

    @property
    def bytes_read_per_token(self) -> float:
        """Weights that generating one token reads: of a mixture only the experts it uses."""
        idle = self.expert_bytes * (1 - self.expert_share)
        return sum(self.layer_bytes) - idle + self.output_bytes + (self.input_bytes if self.tied else 0)

    def cache_bytes_per_token(self, type_k: str = "f16", type_v: str = "f16") -> float:
        return sum(self.k_values) * CACHE_BYTES[type_k] + sum(self.v_values) * CACHE_BYTES[type_v]

    def scaled(self, weights_bytes: int, label: str) -> ModelShape:
        """The same model in another quantisation, of this size in all."""
        factor = weights_bytes / max(1, self.weights_bytes)
        multiplied = sum(self.layer_bytes) + self.output_bytes + (self.input_bytes if self.tied else 0)
        repacked = multiplied * factor * repacked_share(label)
        return msgspec.structs.replace(
            self,
            quantization=label or self.quantization,
            layer_bytes=tuple(int(size * factor) for size in self.layer_bytes),
            input_bytes=int(self.input_bytes * factor),
            output_bytes=int(self.output_bytes * factor),
            expert_bytes=int(self.expert_bytes * factor),
            repacked_bytes=int(repacked),
        )


def _cache_values(header: GgufHeader, arch: str, layers: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Values for each token that the layers' K and V caches keep."""

    def number(key: str) -> int:
        return _number(header, f"{arch}.{key}")

    heads = number("attention.head_count")
    head = number("embedding_length") // heads if heads else 0
    k_length = number("attention.key_length") or head
    v_length = number("attention.value_length") or head
    if number("attention.kv_lora_rank") and number("attention.key_length_mla"):
        # multi-head latent attention keeps one compressed vector, of which the values are a part
        compressed = number("attention.kv_lora_rank") + number("rope.dimension_count")
        return (compressed,) * layers, (0,) * layers
    kv_heads = _by_layer(header, f"{arch}.attention.head_count_kv", layers, heads)
    every = number("full_attention_interval")
    if every:
        kv_heads = tuple(n if (at + 1) % every == 0 else 0 for at, n in enumerate(kv_heads))
    shared = number("attention.shared_kv_layers")
    kv_heads = tuple(n if at < layers - shared else 0 for at, n in enumerate(kv_heads))
    recurrent = number("ssm.state_size") or number("wkv.head_size")
    if not heads or (recurrent and not every and f"{arch}.attention.head_count_kv" not in header.metadata):
        kv_heads = (0,) * layers
    return tuple(n * k_length for n in kv_heads), tuple(n * v_length for n in kv_heads)


def _by_layer(header: GgufHeader, key: str, layers: int, default: int) -> tuple[int, ...]:
    value = header.metadata.get(key)
    if isinstance(value, tuple) and len(value) == layers:
        return tuple(item if isinstance(item, int) and 0 <= item <= MOST else 0 for item in value)
    return (_number(header, key) or default,) * layers


def _number(header: GgufHeader, key: str) -> int:
    """0 where there is none, or none that a model could have: headers are written by strangers."""
    value = header.number(key) or 0
    return value if 0 < value <= MOST else 0


def _state_bytes(header: GgufHeader, arch: str, k_values: tuple[int, ...]) -> int:
    """Recurrent state of one sequence in all layers without a KV cache, in 32-bit floats.

    By llama.cpp's `llama_hparams::n_embd_r` and `n_embd_s`: RWKV, short convolutions (LFM2), KDA (Kimi), Mamba.
    """

    def number(key: str) -> int:
        return _number(header, f"{arch}.{key}")

    recurrent = sum(1 for values in k_values if values == 0) or len(k_values)  # Falcon-H1's layers do both
    n_embd, heads = number("embedding_length"), number("attention.head_count")
    if size := number("wkv.head_size"):
        values = number("token_shift_count") * n_embd + n_embd * size
    elif cached := number("shortconv.l_cache"):
        values = n_embd * (cached - 1)
    elif head := number("kda.head_dim"):
        values = 3 * max(0, (number("ssm.conv_kernel") or 4) - 1) * heads * head + head * head * heads
    else:
        inner, state = number("ssm.inner_size"), number("ssm.state_size")
        convolution = max(0, number("ssm.conv_kernel") - 1) * (inner + 2 * number("ssm.group_count") * state)
        values = convolution + inner * state
    return recurrent * values * 4
