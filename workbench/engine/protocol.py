"""The language between the window's process and a llama.cpp child: one JSON object a line.

Commands go down the child's stdin, replies come up a duplicate of its stdout. Every reply carries the `id` of
its command; a command ends with `Done` (or, for `generate`, a reply whose event is `Finished`) or `Failed`.
The child starts by saying `Hello`, exits when stdin closes, and ignores ids it does not know.
"""

from __future__ import annotations

from typing import Any

import msgspec

from workbench.core.errors import ErrorInfo
from workbench.core.events import StreamEvent
from workbench.core.requests import ChatRequest, LoadOptions

PROTOCOL_VERSION = 1


# --- commands -------------------------------------------------------------------------------------------------
class Load(msgspec.Struct, frozen=True, tag="load", tag_field="op", kw_only=True):
    """Load the one model of this child. Replies: `Progress`…, then `Loaded` or `Failed`."""

    id: int
    path: str
    options: LoadOptions


class Generate(msgspec.Struct, frozen=True, tag="generate", tag_field="op", kw_only=True):
    """Answer a request. Replies: `Event`…, the last one carrying `Finished`."""

    id: int
    request: ChatRequest


class Embed(msgspec.Struct, frozen=True, tag="embed", tag_field="op", kw_only=True):
    """One L2-normalised vector for each text. Replies: `Embeddings` or `Failed`."""

    id: int
    texts: list[str]


class Count(msgspec.Struct, frozen=True, tag="count", tag_field="op", kw_only=True):
    """Render and tokenize without evaluating. Replies: `Counted` or `Failed`."""

    id: int
    request: ChatRequest


class Status(msgspec.Struct, frozen=True, tag="status", tag_field="op", kw_only=True):
    """Replies: `StatusReport`."""

    id: int


class Cancel(msgspec.Struct, frozen=True, tag="cancel", tag_field="op", kw_only=True):
    """Stop the load or request with this id. It ends by its own last reply; there is no other."""

    id: int


Command = Load | Generate | Embed | Count | Status | Cancel


# --- replies --------------------------------------------------------------------------------------------------
class Hello(msgspec.Struct, frozen=True, tag="hello", tag_field="reply", kw_only=True):
    version: int
    llama_cpp_build: str = ""
    backends: list[dict[str, Any]] = []
    """Devices as llama.cpp sees them: name, description, type (cpu, gpu, igpu, accel), memory_free and memory_total
    in bytes."""
    pid: int = 0


class Progress(msgspec.Struct, frozen=True, tag="progress", tag_field="reply", kw_only=True):
    id: int
    fraction: float


class LoadedModel(msgspec.Struct, frozen=True, kw_only=True):
    """What the child knows of the model it has loaded."""

    description: str = ""
    architecture: str = ""
    quantization: str = ""
    parameters: int = 0
    size_bytes: int = 0
    n_ctx: int = 0
    n_ctx_train: int = 0
    n_layers: int = 0
    n_gpu_layers: int = 0
    n_threads: int = 0
    n_batch: int = 0
    n_parallel: int = 1
    flash_attn: str = ""
    cache_type_k: str = ""
    cache_type_v: str = ""
    n_embd: int = 0
    is_embedding_model: bool = False
    is_recurrent: bool = False
    has_chat_template: bool = False
    default_sampling: dict[str, Any] = {}
    """Sampling values the GGUF's metadata recommends, under `Sampling`'s names."""
    load_s: float = 0.0
    memory_bytes: int = 0


class Loaded(msgspec.Struct, frozen=True, tag="loaded", tag_field="reply", kw_only=True):
    id: int
    model: LoadedModel


class Event(msgspec.Struct, frozen=True, tag="event", tag_field="reply", kw_only=True):
    id: int
    event: StreamEvent


class Embeddings(msgspec.Struct, frozen=True, tag="embeddings", tag_field="reply", kw_only=True):
    id: int
    vectors: list[list[float]]
    prompt_tokens: int


class Counted(msgspec.Struct, frozen=True, tag="counted", tag_field="reply", kw_only=True):
    id: int
    prompt_tokens: int
    n_ctx: int
    rendered_prompt: str


class StatusReport(msgspec.Struct, frozen=True, tag="status", tag_field="reply", kw_only=True):
    id: int
    memory_bytes: int
    running: int
    queued: int
    cells_used: int
    """KV cache cells that hold a token, parked prefixes included."""
    n_ctx: int
    gpu_memory_used: int = 0
    """Bytes in use on the GPUs that llama.cpp computes on, by whatever program; 0 without one."""
    gpu_memory_total: int = 0


class Failed(msgspec.Struct, frozen=True, tag="failed", tag_field="reply", kw_only=True):
    id: int
    error: ErrorInfo


Reply = Hello | Progress | Loaded | Event | Embeddings | Counted | StatusReport | Failed

encode = msgspec.json.Encoder().encode
decode_command = msgspec.json.Decoder(Command).decode
decode_reply = msgspec.json.Decoder(Reply).decode
