"""Turns a model's stream of events into a run's buffer and record. Knows no threads and no storage."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from workbench.core.cost import cost_usd
from workbench.core.errors import Cancelled, ErrorInfo, WorkbenchError
from workbench.core.events import (
    Finished,
    LoadProgress,
    Logprobs,
    Notice,
    PromptProgress,
    ReasoningDelta,
    RunDetails,
    StreamEvent,
    TextDelta,
    Timings,
    ToolCallDelta,
    Usage,
)
from workbench.core.models import ModelInfo, Prices
from workbench.core.redact import format_exception
from workbench.core.requests import ChatRequest
from workbench.core.runs import RunRecord, RunStatus
from workbench.services.run_buffer import RunBuffer

_STATUS: dict[str, RunStatus] = {"stop": "done", "length": "done", "cancelled": "cancelled", "failed": "failed"}

_CONDITIONS = frozenset({"ignored", "truncated"})
"""Kinds of notices that tell that a run was asked otherwise than wanted."""


def new_record(
    run_id: str, info: ModelInfo, request: ChatRequest, *, started_at: str, prices: Prices | None = None
) -> RunRecord:
    """The record of a run that is about to start."""
    prices = prices or info.prices
    return RunRecord(
        id=run_id,
        session_id="",
        model=info.id,
        model_name=info.name,
        provider=info.provider,
        remote=info.remote,
        started_at=started_at,
        sampling=msgspec.to_builtins(request.sampling),
        request=_asked(request),
        system_prompt="\n\n".join(message.text for message in request.messages if message.role == "system"),
        quantization=info.quantization,
        architecture=info.architecture,
        gguf_path=info.path,
        price_snapshot=msgspec.to_builtins(prices) if prices is not None else None,
    )


def _asked(request: ChatRequest) -> dict[str, Any]:
    """What was asked for besides the messages, where it differs from the default. The record's own `sampling` is what
    was really used: services add to it, a token limit for example."""
    default = ChatRequest(messages=())
    return {
        name: msgspec.to_builtins(getattr(request, name), enc_hook=str)
        for name in ChatRequest.__struct_fields__
        if name != "messages" and getattr(request, name) != getattr(default, name)
    }


class Recorder:
    """Used by the run's thread; `snapshot` may be called from another."""

    def __init__(self, record: RunRecord, buffer: RunBuffer) -> None:
        self.record = record
        self.buffer = buffer
        self.signature = ""
        """Proof that belongs to the reasoning, to be sent back to the provider."""
        self.finished: Finished | None = None
        self._started = time.monotonic()
        self._asked = self._started
        """When the model was ready: loading does not count as waiting for the first token."""
        self._first: float | None = None
        self._last: float | None = None
        self.details_at: float | None = None
        """Monotonic seconds at which it was known how the answer would come to be."""
        self._reasoning_since: float | None = None
        self._calls: dict[int, dict[str, str]] = {}
        self._usage = Usage()
        self._timings = Timings()

    @property
    def first_token_at(self) -> float | None:
        """Monotonic seconds."""
        return self._first

    def take(self, event: StreamEvent) -> None:
        match event:
            case TextDelta():
                self._end_reasoning(self._token(event.text))
                if event.text:
                    self.buffer.add_text(_whole(event.text), self._last or 0.0)
            case ReasoningDelta():
                self._reason(event)
            case ToolCallDelta():
                self._end_reasoning(self._token("call"))
                self._call(event)
            case Usage():
                _check(event)
                self._usage = event
                self.buffer.set_usage(event)
                for name in Usage.__struct_fields__:
                    setattr(self.record, name, getattr(event, name))
            case RunDetails():
                _check(event)
                self._detail(event)
            case Finished():
                _check(event)
                self.finished = event
            case _:
                self._aside(event)

    def _aside(self, event: StreamEvent) -> None:
        """Events that are about the answer rather than of it."""
        match event:
            case LoadProgress():
                self._asked = time.monotonic()
                self.buffer.set_loading(event.fraction)
            case PromptProgress():
                self.buffer.set_progress(event)
                self._read_prompt(event)
            case Logprobs():
                if self.record.logprobs is None:
                    self.record.logprobs = []
                self.record.logprobs += msgspec.json.decode(
                    msgspec.json.encode(event.tokens)
                )  # as it will be read again
            case Timings():
                _check(event)
                self._timings = event
            case Notice():
                self.notice(event.message)
                if event.kind in _CONDITIONS:
                    self.record.conditions = [*self.record.conditions, event.message]

    def _read_prompt(self, progress: PromptProgress) -> None:
        """The prompt's tokens stay known if the engine ends before it reports its usage."""
        if self.record.prompt_tokens is None and progress.evaluated + progress.cached >= progress.total:
            self.record.prompt_tokens, self.record.cached_tokens = progress.total, progress.cached

    def begin(self) -> None:
        """The run's turn has come: what it waited before is not its time."""
        self._started = self._asked = time.monotonic()

    def notice(self, message: str) -> None:
        self.record.notices = [*self.record.notices, message]
        self.buffer.add_notice(message)

    def _token(self, text: str) -> float:
        now = time.monotonic()
        if text:
            if self._first is None:
                self._first = now
                self.record.time_to_first_token_s = now - self._asked
                self.buffer.set_first_token(now - self._asked)
            self._last = now
        return now

    def _reason(self, event: ReasoningDelta) -> None:
        now = self._token(event.text)
        self.signature += event.signature
        if event.text:
            if self._reasoning_since is None:
                self._reasoning_since = now
            self.buffer.add_reasoning(_whole(event.text), now)

    def _end_reasoning(self, now: float) -> None:
        if self._reasoning_since is not None:
            self.record.reasoning_s = (self.record.reasoning_s or 0.0) + now - self._reasoning_since
            self._reasoning_since = None

    def _call(self, event: ToolCallDelta) -> None:
        call = self._calls.setdefault(event.index, {"id": "", "name": "", "arguments": ""})
        call["id"] = call["id"] or event.id
        call["name"] = call["name"] or event.name
        call["arguments"] += event.arguments

    def _detail(self, details: RunDetails) -> None:
        """Later details add to earlier ones: what a provider tells in pieces is not blanked."""
        self.details_at = self.details_at or time.monotonic()
        for name in RunDetails.__struct_fields__:
            value = getattr(details, name)
            if value not in ("", None, {}):
                setattr(self.record, name, value)

    def snapshot(self) -> RunRecord:
        """The record as it is now, independent of later changes."""
        return msgspec.structs.replace(
            self.record,
            text=self.buffer.text,
            reasoning=self.buffer.reasoning,
            tool_calls=[dict(call) for _, call in sorted(dict(self._calls).items())],
        )

    def finish(self, finished: Finished, ended_at: str) -> RunRecord:
        """Complete the record. Returns what is to be stored; the buffer is not told yet."""
        now = time.monotonic()
        self._end_reasoning(now)
        record = self.record
        record.status = _STATUS[finished.reason]
        record.finish_reason, record.finish_detail, record.error = finished.reason, finished.detail, finished.error
        record.ended_at, record.duration_s = ended_at, now - self._started
        for name in ("load_s", "prefill_tokens_per_s", "decode_tokens_per_s", "memory_bytes"):
            setattr(record, name, getattr(self._timings, name))
        if record.decode_tokens_per_s is None:
            record.decode_tokens_per_s = self._measured_speed()
        if record.prompt_tokens is not None and record.cached_tokens is not None:
            record.evaluated_tokens = record.prompt_tokens - record.cached_tokens
        if record.prompt_tokens is not None and record.completion_tokens is not None:
            record.context_tokens = record.prompt_tokens + record.completion_tokens
        prices = msgspec.convert(record.price_snapshot, Prices) if record.price_snapshot is not None else None
        record.cost_usd = cost_usd(prices, self._usage)
        complete = self.snapshot()
        for name in ("text", "reasoning", "tool_calls"):
            setattr(record, name, getattr(complete, name))
        return complete

    def _measured_speed(self) -> float | None:
        """Tokens after the first, over the time between the first and the last."""
        tokens = self._usage.completion_tokens
        if tokens is None or tokens < 2 or self._first is None or self._last is None or self._last <= self._first:
            return None
        return (tokens - 1) / (self._last - self._first)


def failure(error: BaseException, *, cancelled: bool) -> Finished:
    """How a run ends whose model raised. Anything but a WorkbenchError is a bug in the model's code."""
    if cancelled or isinstance(error, Cancelled):
        return Finished(reason="cancelled")
    if isinstance(error, WorkbenchError):
        return Finished(reason="failed", error=error.info)
    return Finished(
        reason="failed",
        error=ErrorInfo(
            kind="bug",
            message=f"The model's code failed: {type(error).__name__}.",
            hint="What it had answered is kept. Please report this with the details below.",
            detail=format_exception(error),
        ),
    )


def ended_early(*, cancelled: bool) -> Finished:
    """How a run ends whose stream stopped without saying why."""
    if cancelled:
        return Finished(reason="cancelled")
    return Finished(
        reason="failed",
        error=ErrorInfo(
            kind="ended_early",
            message="The answer ended early: the model's stream stopped without saying that it was complete.",
            hint="What had come is kept. Continue the answer or try again.",
        ),
    )


def _check(event: msgspec.Struct) -> None:
    """Structs do not check their fields' types; a plugin's mistake should show here and not when the run is stored.

    Raises msgspec.ValidationError.
    """
    msgspec.convert(msgspec.to_builtins(event, enc_hook=str), type(event))


def _whole(text: str) -> str:
    """Text that UTF-8 can hold: half of a surrogate pair becomes U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
