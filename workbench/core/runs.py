"""The complete record of how one answer came to be: one row of the `runs` table."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from workbench.core.errors import ErrorInfo

RunStatus = Literal["running", "done", "cancelled", "failed", "interrupted"]
"""`interrupted`: the program ended while the run was going on; found and marked at the next start."""


class RunRecord(msgspec.Struct, kw_only=True):
    """Names are the columns' names. Times are ISO 8601 in UTC, speeds tokens per second."""

    id: str
    session_id: str
    message_id: str | None = None
    """The assistant's message that holds the answer."""
    comparison_id: str | None = None
    comparison_column: int | None = None
    """Place of its column in the comparison, from 0."""
    model: str
    model_name: str = ""
    provider: str = ""
    remote: bool = False
    model_version: str = ""
    status: RunStatus = "running"
    text: str = ""
    reasoning: str = ""
    tool_calls: list[dict[str, str]] = []
    finish_reason: str = ""
    finish_detail: str = ""
    error: ErrorInfo | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    evaluated_tokens: int | None = None
    """Prompt tokens that had to be evaluated: prompt_tokens - cached_tokens."""
    load_s: float | None = None
    time_to_first_token_s: float | None = None
    reasoning_s: float | None = None
    duration_s: float | None = None
    prefill_tokens_per_s: float | None = None
    decode_tokens_per_s: float | None = None
    memory_bytes: int | None = None
    seed: int | None = None
    sampling: dict[str, Any] = {}
    request: dict[str, Any] = {}
    """Response format, reasoning, tools, template variables and load options as asked for."""
    system_prompt: str = ""
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
    """Tokens that the context held, at most."""
    context_tokens: int | None = None
    """Tokens in the context at the end: prompt_tokens + completion_tokens."""
    n_gpu_layers: int | None = None
    n_threads: int | None = None
    flash_attn: str = ""
    cache_type_k: str = ""
    cache_type_v: str = ""
    dropped_messages: int = 0
    logprobs: list[Any] | None = None
    notices: list[str] = []
    conditions: list[str] = []
    """Those notices that tell how this run was asked otherwise than wanted: ignored parameters, parts left out."""
    price_snapshot: dict[str, Any] | None = None
    cost_usd: float | None = None
    """None: unknown, which is not 0."""
    started_at: str
    ended_at: str | None = None
