"""What is asked of a model. `None` everywhere means: the model's own default."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

from workbench.core.messages import Message

BAN_BIAS = -100.0
"""A logit bias of this or less bans the token, as the APIs have it; JSON has no way to write -inf."""


class Sampling(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Sampling parameters under the names llama.cpp and the APIs use. A remote model ignores what it lacks
    and says so with a `Notice`."""

    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical_p: float | None = None
    xtc_probability: float | None = None
    xtc_threshold: float | None = None
    dry_multiplier: float | None = None
    dry_base: float | None = None
    dry_allowed_length: int | None = None
    dry_penalty_last_n: int | None = None
    dry_sequence_breakers: tuple[str, ...] | None = None
    repeat_penalty: float | None = None
    repeat_last_n: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    mirostat: Literal[0, 1, 2] | None = None
    mirostat_tau: float | None = None
    mirostat_eta: float | None = None
    logit_bias: dict[str, float] | None = None
    """Token id (as decimal text) or the text of one or more tokens -> bias added to the logit; `BAN_BIAS` bans it."""
    seed: int | None = None
    """0 to 2**32-1. None: drawn anew for each run and recorded."""
    stop: tuple[str, ...] | None = None
    max_tokens: int | None = None
    """Most tokens to generate; None: up to the end of the context."""
    logprobs: int | None = None
    """How many alternatives to report for each token; None: no log-probabilities."""


class ResponseFormat(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the answer must look. `schema` is a JSON Schema, `grammar` llama.cpp's GBNF."""

    kind: Literal["text", "json_object", "json_schema", "grammar"] = "text"
    schema: dict[str, Any] | None = None
    grammar: str | None = None


class Reasoning(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much the model may think. Providers map what they know."""

    enabled: bool | None = None
    effort: str | None = None
    budget_tokens: int | None = None


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    description: str = ""
    parameters: dict[str, Any] = {}
    """JSON Schema of the arguments."""


class LoadOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a local model is loaded. A model loaded with other options is another child process."""

    n_ctx: int | None = None
    """Tokens of context shared by all running requests; None: chosen from the model and free memory."""
    n_gpu_layers: int | None = None
    """None: as many as fit; 0: CPU only; -1: all."""
    n_threads: int | None = None
    n_threads_batch: int | None = None
    n_batch: int | None = None
    n_ubatch: int | None = None
    n_parallel: int | None = None
    """Most requests decoded as one batch."""
    flash_attn: Literal["auto", "on", "off"] | None = None
    cache_type_k: str | None = None
    cache_type_v: str | None = None
    use_mmap: bool | None = None
    use_mlock: bool | None = None
    embeddings: bool | None = None
    """Load for embeddings rather than for generating text."""
    lora_path: str | None = None
    lora_scale: float | None = None


Overflow = Literal["error", "drop_oldest"]

Options = TypeVar("Options", Sampling, LoadOptions, Reasoning)


def merged(base: Options, over: Options) -> Options:
    """`base`, with every value that `over` sets."""
    changes = {name: getattr(over, name) for name in over.__struct_fields__ if getattr(over, name) is not None}
    return msgspec.structs.replace(base, **changes)


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    response_format: ResponseFormat = ResponseFormat()
    reasoning: Reasoning = Reasoning()
    tools: tuple[Tool, ...] = ()
    overflow: Overflow = "error"
    """What to do when the prompt does not fit: fail and say by how much, or drop the oldest turns and record it."""
    continue_last: bool = False
    """The last message is the assistant's and unfinished: the model goes on where it stops."""
    template_variables: dict[str, Any] = {}
    """Extra variables for a local model's chat template, for example `enable_thinking`."""
    chat_template: str | None = None
    """A Jinja template to use instead of the model's own."""
    load: LoadOptions = LoadOptions()
