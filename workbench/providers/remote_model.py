"""One run against a remote API: key, place in the queue, retries, reading the stream, and one honest ending.

A vendor's adapter says how a request is written (`Call`) and how its stream is read (`StreamDecoder`); everything
that can go wrong on the way is dealt with here, once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from workbench.core.cancel import CancelToken
from workbench.core.errors import Cancelled, WorkbenchError
from workbench.core.events import (
    Finished,
    Notice,
    ReasoningDelta,
    RunDetails,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
)
from workbench.core.models import ModelInfo
from workbench.core.redact import redact_error, register_secret
from workbench.core.requests import ChatRequest
from workbench.core.settings import Provider
from workbench.hookspecs import ProviderContext
from workbench.providers.content import shown
from workbench.providers.errors import ApiError, ended_early, malformed
from workbench.providers.http import ApiClient, ApiResponse, Timeouts, client_for, is_local
from workbench.providers.limits import MAXIMUM, START, AdaptiveLimit, Slot, limit_for
from workbench.providers.reasoning_text import split_reasoning
from workbench.providers.retry import Backoff, RetryPolicy

MAX_DROPPED_PARAMETERS = 6
NEVER_DROPPED = frozenset({"model", "messages", "input", "contents", "stream", "tools", "max_tokens"})


@dataclass(frozen=True, slots=True)
class Call:
    """A request as a vendor wants it."""

    path: str
    """Below the base URL, with a slash in front."""
    body: dict[str, Any]
    notices: tuple[Notice, ...] = ()
    sampling: dict[str, Any] = field(default_factory=dict)
    """What was really sent, under `Sampling`'s names."""
    sampling_names: Mapping[str, str] = field(default_factory=dict)
    """`Sampling`'s names -> the body's fields, for what the model turns out not to take."""
    headers: dict[str, str] = field(default_factory=dict)


class StreamDecoder(Protocol):
    """Reads one vendor's stream, event by event."""

    model_version: str
    """The model's resolved name, as soon as the stream has told it."""
    ended: bool
    """The stream has said that it is over: nothing after this is read."""

    def feed(self, data: str) -> Iterator[StreamEvent]:
        """Read one event's data. Raises ApiError for an error event, ValueError or msgspec.DecodeError for
        anything that is not as the vendor documents it."""
        ...

    def finish(self) -> Iterator[StreamEvent]:
        """The stream's end: what is left to say, `Finished` last. Nothing, if the answer is not complete."""
        ...


class Adapter(Protocol):
    """One vendor's API, for one model."""

    def call(self, request: ChatRequest) -> Call:
        """Raises BadInput for what can't be sent."""
        ...

    def decoder(self) -> StreamDecoder: ...


@dataclass(frozen=True, slots=True)
class Service:
    """Where and how a provider is reached; the part of a vendor's plugin that needs no knowledge of its formats."""

    context: ProviderContext
    title: str
    base_url: str
    key_variable: str
    key_required: bool
    auth: Callable[[str], dict[str, str]]
    """Key -> headers."""
    tagged_reasoning: bool = False
    """Reasoning may come as a part of the text, between tags: it is split off."""

    @property
    def local(self) -> bool:
        return is_local(self.base_url)

    @property
    def client(self) -> ApiClient:
        return client_for(self.title, self.base_url, self.context.network, timeouts_of(self.context.config))

    @property
    def limit(self) -> AdaptiveLimit:
        maximum = _number(self.context.config, "max_concurrency", MAXIMUM)
        return limit_for(self.context.name, self.base_url, start=min(START, int(maximum)), maximum=int(maximum))

    def headers(self) -> dict[str, str]:
        """Headers with the key, read now. Raises ApiError if there is none and one is needed."""
        key = (self.context.key() or "").strip()
        if not key:
            if not self.key_required or self.local:
                return {}
            variable = f", or set the environment variable {self.key_variable}" if self.key_variable else ""
            raise ApiError(
                "missing_key",
                f"There is no key for {self.title}.",
                hint=f"Enter it under Settings, Providers{variable}.",
            )
        if not key.isascii() or not key.isprintable():
            raise ApiError(
                "bad_key", f"The key for {self.title} contains characters that no key has.", hint="Enter it again."
            )
        register_secret(key)
        return self.auth(key)

    def check_configured(self) -> None:
        if not self.base_url:
            raise ApiError(
                "not_configured",
                f"{self.title} needs the address of your own resource.",
                hint="Enter its base URL under Settings, Providers.",
            )


class RemoteModel:
    """A `ChatModel` that asks a remote API. Thread-safe: each run has its own state."""

    def __init__(
        self, info: ModelInfo, service: Service, adapter: Adapter, *, retry_policy: RetryPolicy | None = None
    ) -> None:
        self._info = info
        self._service = service
        self._adapter = adapter
        self.retry_policy = retry_policy
        """None: by the provider's options."""

    @property
    def info(self) -> ModelInfo:
        return self._info

    def stream(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        try:
            policy = self.retry_policy or _policy_of(self._service.context.config)
            yield from _Run(self._service, self._adapter, policy, request, cancel).events()
        except Cancelled:
            yield Finished(reason="cancelled")
        except WorkbenchError as error:
            if cancel.cancelled:
                yield Finished(reason="cancelled")
            else:
                yield Finished(reason="failed", error=redact_error(error.info))


class _Run:
    def __init__(
        self, service: Service, adapter: Adapter, policy: RetryPolicy, request: ChatRequest, cancel: CancelToken
    ) -> None:
        self._service = service
        self._adapter = adapter
        self._request = request
        self._cancel = cancel
        self._backoff = Backoff(policy)
        self._call = Call("", {})
        self._content_arrived = False
        self._details_told = False
        self._dropped = 0

    def events(self) -> Iterator[StreamEvent]:
        self._service.check_configured()
        self._call = self._adapter.call(self._request)
        yield from self._call.notices
        while True:
            try:
                yield from self._attempt()
                return
            except ApiError as error:
                if self._cancel.cancelled:
                    raise Cancelled("Stopped.") from None
                yield from self._before_next_attempt(error)

    def _before_next_attempt(self, error: ApiError) -> Iterator[StreamEvent]:
        """Wait for the next attempt, or raise `error`."""
        if self._content_arrived:
            raise error
        parameter = self._droppable(error)
        if parameter:
            self._dropped += 1
            self._call.body.pop(parameter)
            for ours, theirs in self._call.sampling_names.items():
                if theirs == parameter:
                    self._call.sampling.pop(ours, None)  # the record says what was sent
            yield Notice(f"Ignored, because this model does not accept it: {parameter}.", kind="ignored")
            return
        wait = self._backoff.next_wait_s(error.retry_after_s) if error.retryable else None
        if wait is None:
            yield from self._details("")
            raise error
        attempts = f"attempt {self._backoff.attempt} of {self._backoff.attempts}"
        yield Notice(f"Trying again in {_seconds(wait)} ({attempts}): {error.message}", kind="retry")
        if self._cancel.wait(wait):
            raise Cancelled("Stopped while waiting to try again.")

    def _droppable(self, error: ApiError) -> str:
        """The field of the request that this model does not take, though its vendor documents it.

        Which model takes which parameter changes with every release (reasoning models refuse `temperature`), so the
        service is asked rather than a list kept.
        """
        name = error.parameter.split(".")[0]
        refused = error.status in {400, 422} and error.kind == "bad_request" and self._dropped < MAX_DROPPED_PARAMETERS
        return name if refused and name in self._call.body and name not in NEVER_DROPPED else ""

    def _attempt(self) -> Iterator[StreamEvent]:
        limit = self._service.limit
        headers = {**self._call.headers, **self._service.headers()}
        if headers and self._service.base_url.startswith("http://") and not self._service.local:
            yield Notice(f"The key travels to {self._service.client.host} without encryption.", kind="warning")
        if limit.full:
            yield Notice(f"Waiting: {limit.running} requests to {self._service.title} are under way.")
        with limit.slot(self._cancel) as slot:
            self._backoff.begin()
            try:
                yield from self._ask(headers, slot)
            except ApiError as error:
                if error.status == 429:
                    slot.rate_limited()
                raise

    def _ask(self, headers: dict[str, str], slot: Slot) -> Iterator[StreamEvent]:
        response = self._service.client.open(
            "POST",
            self._call.path,
            headers={"content-type": "application/json", "accept": "text/event-stream", **headers},
            body=json.dumps(self._call.body, ensure_ascii=False, separators=(",", ":")).encode(),
            cancel=self._cancel,
            key_variable=self._service.key_variable,
        )
        try:
            events = self._read(response, slot)
            yield from split_reasoning(events, self._request) if self._service.tagged_reasoning else events
        finally:
            response.close()

    def _read(self, response: ApiResponse, slot: Slot) -> Iterator[StreamEvent]:
        decoder = self._adapter.decoder()
        data = ""
        try:
            for data in response.events():
                for event in decoder.feed(data):
                    if isinstance(event, TextDelta | ReasoningDelta | ToolCallDelta):
                        self._content_arrived = True
                    yield event
                if decoder.model_version:
                    yield from self._details(decoder.model_version)
                if decoder.ended:
                    break
            last = list(decoder.finish())
        except (ValueError, msgspec.DecodeError) as error:
            raise malformed(self._service.title, f"{error}: {data[:500]}") from error
        if not last:
            raise ended_early(self._service.title)
        yield from self._details(decoder.model_version)
        yield from last[:-1]
        if not isinstance(last[-1], Finished) or last[-1].reason != "failed":
            slot.succeeded()
        response.drain()
        yield last[-1]

    def _details(self, model_version: str) -> Iterator[RunDetails]:
        if not self._details_told:
            self._details_told = True
            sampling = self._call.sampling
            seed = sampling.get("seed")
            yield RunDetails(
                model_version=model_version, sampling=sampling, seed=seed, rendered_prompt=shown(self._call.body)
            )


def timeouts_of(config: Provider) -> Timeouts:
    default = Timeouts()
    return Timeouts(
        connect=_number(config, "connect_timeout_s", default.connect),
        read=_number(config, "read_timeout_s", default.read),
        write=default.write,
    )


def _policy_of(config: Provider) -> RetryPolicy:
    return RetryPolicy(attempts=1 + int(_number(config, "max_retries", RetryPolicy().attempts - 1)))


def _number(config: Provider, option: str, default: float) -> float:
    text = config.options.get(option, "")
    try:
        value = float(text) if text else default
    except ValueError:
        value = -1.0
    if value < 0:
        raise ApiError(
            "bad_option",
            f"The provider's option {option} is {text!r}, which is not a number.",
            hint="Correct it under Settings, Providers.",
        )
    return value


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
