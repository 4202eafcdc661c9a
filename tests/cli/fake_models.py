"""A drop-in plugin with models that do exactly what a test needs. Copied into the home's plugin folder."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import msgspec

from workbench.core.cancel import CancelToken
from workbench.core.errors import ErrorInfo
from workbench.core.events import (
    Finished,
    Notice,
    ReasoningDelta,
    RunDetails,
    StreamEvent,
    TextDelta,
    Timings,
    ToolCallDelta,
    Usage,
)
from workbench.core.models import ModelInfo
from workbench.core.requests import ChatRequest
from workbench.hookspecs import hookimpl

meeting = threading.Barrier(3)


class FakeModel:
    def __init__(self, name: str, *, remote: bool = False) -> None:
        self._info = ModelInfo(
            id=f"fake:{name}", name=name, provider="fake", remote=remote, context_length=100, capabilities={"seed"}
        )

    @property
    def info(self) -> ModelInfo:
        return self._info

    def stream(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        yield RunDetails(seed=request.sampling.seed, sampling=msgspec.to_builtins(request.sampling))
        yield from getattr(self, f"_{self._info.name}")(request, cancel)

    def _echo(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        yield ReasoningDelta("thinking")
        yield Notice("a notice")
        for word in request.messages[-1].text.split(" "):
            yield TextDelta(word + " ")
        yield Usage(prompt_tokens=5, cached_tokens=2, completion_tokens=7)
        yield Timings(decode_tokens_per_s=42.0)
        yield Finished(reason="stop")

    _far = _echo

    def _request(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        yield TextDelta(json.dumps(msgspec.to_builtins(request)))
        yield Finished(reason="stop")

    def _fails(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        yield TextDelta("half an ans")
        yield Finished(reason="failed", error=ErrorInfo(kind="engine_died", message="It died.", hint="Try again."))

    def _endless(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        while not cancel.wait(0.01):
            yield TextDelta("more ")
        yield Finished(reason="cancelled")

    def _local(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        """Says whether three of its kind answer at the same time."""
        try:
            meeting.wait(10)
            yield TextDelta("together")
        except threading.BrokenBarrierError:
            yield TextDelta("alone")
        yield Finished(reason="stop")

    def _bug(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        raise RuntimeError("sk-abcdefghijklmnopqrstuvwx is wrong")
        yield

    def _calls(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        """Each of the tools it is given."""
        for index, tool in enumerate(request.tools):
            yield ToolCallDelta(index=index, id=f"c{index}", name=tool.name, arguments='{"a": 1}')
        yield Finished(reason="stop", detail="tool_calls")

    def _escapes(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        yield TextDelta("\x1b[2Jred\x07 naïve 🙂")
        yield Finished(reason="stop")


@hookimpl
def workbench_models() -> list[FakeModel]:
    names = ("echo", "request", "fails", "endless", "local", "bug", "escapes", "calls")
    return [*(FakeModel(name) for name in names), FakeModel("far", remote=True)]
