"""The one interface of every model, local or closed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import msgspec

from workbench.core.cancel import CancelToken
from workbench.core.events import StreamEvent
from workbench.core.messages import Message
from workbench.core.requests import ChatRequest


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """US dollars for a million tokens. None: unknown, which is not 0."""

    input: float | None = None
    output: float | None = None
    cached_input: float | None = None
    cache_write: float | None = None
    max_prompt_tokens: int | None = None
    """The prices hold for prompts up to this many tokens; longer ones cost more, by a price not known here."""
    until: str = ""
    """ISO date of the last day of a price that was announced to end; empty: no end is known."""
    as_of: str = ""
    """ISO date of the price list."""
    source: str = ""


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    """What `-m` takes: `starter`, `local:NAME`, `openai:gpt-…`."""
    name: str
    provider: str
    """`local` for llama.cpp, else the provider's id."""
    provider_title: str = ""
    """How the provider is called where its id is not: OpenAI, LM Studio. Empty: as its id."""
    context_length: int | None = None
    capabilities: frozenset[str] = frozenset()
    """Of: reasoning, images, audio, files, tools, json_schema, grammar, logprobs, seed, embeddings."""
    prices: Prices | None = None
    remote: bool = False
    """True: the prompt leaves this machine."""
    path: str = ""
    size_bytes: int | None = None
    quantization: str = ""
    architecture: str = ""
    parameters: int | None = None


@runtime_checkable
class ChatModel(Protocol):
    @property
    def info(self) -> ModelInfo: ...

    def stream(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        """Answer once. Blocks between events; never raises `WorkbenchError`: a failure is the last event.

        Safe to call from several threads at once.
        """
        ...


@runtime_checkable
class CountsTokens(Protocol):
    """Models that can tell how long a prompt is before it is sent."""

    def count_tokens(self, messages: tuple[Message, ...]) -> int:
        """Tokens of the rendered prompt. Raises WorkbenchError. May load the model: not for the UI thread."""
        ...


@runtime_checkable
class EmbeddingModel(Protocol):
    @property
    def info(self) -> ModelInfo: ...

    def embed(self, texts: list[str], cancel: CancelToken) -> list[list[float]]:
        """One vector for each text, L2-normalised. Raises WorkbenchError."""
        ...
