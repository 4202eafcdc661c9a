"""What a chat model streams while it answers. Every stream ends with exactly one `Finished`."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from workbench.core.errors import ErrorInfo


class TextDelta(msgspec.Struct, frozen=True, tag="text"):
    text: str


class ReasoningDelta(msgspec.Struct, frozen=True, tag="reasoning"):
    text: str
    signature: str = ""


class ToolCallDelta(msgspec.Struct, frozen=True, tag="tool_call", kw_only=True):
    """A piece of a tool call. `id` and `name` come with the first piece of each `index`."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


class LoadProgress(msgspec.Struct, frozen=True, tag="load_progress"):
    fraction: float
    """0 to 1."""


class PromptProgress(msgspec.Struct, frozen=True, tag="prompt_progress", kw_only=True):
    evaluated: int
    """Tokens evaluated so far, without the cached ones."""
    total: int
    """Tokens of the whole prompt."""
    cached: int = 0
    """Tokens reused from an earlier request."""


class TokenLogprob(msgspec.Struct, frozen=True):
    token: str
    logprob: float
    """Natural logarithm of the probability before sampling filters."""
    alternatives: tuple[tuple[str, float], ...] = ()


class Logprobs(msgspec.Struct, frozen=True, tag="logprobs"):
    tokens: tuple[TokenLogprob, ...]


class Usage(msgspec.Struct, frozen=True, tag="usage", kw_only=True):
    """Token counts, cumulative for the run; None where the provider does not tell."""

    prompt_tokens: int | None = None
    """All tokens of the prompt, cached ones included."""
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    completion_tokens: int | None = None
    """Generated tokens, reasoning included."""
    reasoning_tokens: int | None = None


class Timings(msgspec.Struct, frozen=True, tag="timings", kw_only=True):
    """Speeds as the engine measured them. A remote run leaves them to the runner's clock."""

    load_s: float | None = None
    prefill_s: float | None = None
    decode_s: float | None = None
    prefill_tokens_per_s: float | None = None
    decode_tokens_per_s: float | None = None
    memory_bytes: int | None = None
    """Resident memory of the engine's process at the end of the run."""


class RunDetails(msgspec.Struct, frozen=True, tag="details", kw_only=True):
    """How the answer came to be, known once the model is ready: goes into the run's row."""

    model_version: str = ""
    """The version a provider resolved the model's name to."""
    seed: int | None = None
    sampling: dict[str, Any] = {}
    """Every effective sampling value, the model's defaults filled in."""
    rendered_prompt: str = ""
    chat_template_sha256: str = ""
    gguf_path: str = ""
    gguf_sha256: str = ""
    quantization: str = ""
    architecture: str = ""
    llama_cpp_build: str = ""
    adapter_sha256: str = ""
    adapter_scale: float | None = None
    n_ctx: int | None = None
    n_gpu_layers: int | None = None
    n_threads: int | None = None
    flash_attn: str = ""
    cache_type_k: str = ""
    cache_type_v: str = ""
    dropped_messages: int = 0
    """Oldest messages left out so that the prompt fits."""


class Notice(msgspec.Struct, frozen=True, tag="notice"):
    """Something the user should know while the run goes on: a retry, an ignored parameter."""

    message: str
    kind: str = "info"
    """info, retry, ignored, truncated or warning."""


FinishReason = Literal["stop", "length", "cancelled", "failed"]


class Finished(msgspec.Struct, frozen=True, tag="finished", kw_only=True):
    reason: FinishReason
    detail: str = ""
    """The provider's own word (`tool_calls`, `content_filter`, `refusal`, …), or the stop string that matched."""
    error: ErrorInfo | None = None
    """Set exactly when the reason is `failed`."""


StreamEvent = (
    TextDelta
    | ReasoningDelta
    | ToolCallDelta
    | LoadProgress
    | PromptProgress
    | Logprobs
    | Usage
    | Timings
    | RunDetails
    | Notice
    | Finished
)
