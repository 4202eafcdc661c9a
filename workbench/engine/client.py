"""The parent's side of one local model: starts its engine process when needed, and again after it died."""

from __future__ import annotations

import hashlib
import itertools
import queue
import re
import sys
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

import msgspec

from workbench.core.cancel import CancelToken
from workbench.core.errors import BadModelFile, Cancelled, EngineDied, ErrorInfo, WorkbenchError, error_class
from workbench.core.events import Finished, LoadProgress, StreamEvent, Timings
from workbench.core.gguf import read_header, split_parts
from workbench.core.requests import ChatRequest, LoadOptions
from workbench.engine.connection import Connection, EngineError, Item, Wake
from workbench.engine.failures import AGAIN
from workbench.engine.protocol import (
    Cancel,
    Count,
    Counted,
    Embed,
    Embeddings,
    Event,
    Failed,
    Generate,
    LoadedModel,
    Status,
    StatusReport,
)

OBEY_WITHIN_S = 2.0
"""A child that does not end a cancelled request within this time is killed."""
HANDSHAKE_S = 60.0
ATTEMPTS = 2
"""A process that died while it was idle, or whose load another request gave up, is noticed only by the next request:
that is no failure of this one, so it is sent again, once."""
RETIRED = EngineDied("The model was unloaded to make room.", hint=AGAIN).info
EMBED_BATCH = 64
"""Texts in one command, so that no reply becomes a huge line."""

ReplyType = TypeVar("ReplyType", Counted, Embeddings, StatusReport)


def default_command() -> list[str]:
    """How the child is started: in the frozen program it is the program itself. `-P`: a folder of our name where the
    user happens to be must not be run in our place."""
    if getattr(sys, "frozen", False):
        program = Path(sys.executable)
        if program.name == "workbench-gui.exe":  # Windows: made for windows, without streams; its neighbour has them
            program = program.with_name("workbench.exe")
        return [str(program), "--engine-worker"]
    return [sys.executable, "-P", "-m", "workbench", "--engine-worker"]


class EngineClient:
    """One model file with one set of load options. Thread-safe; any number of requests at once.

    The process is started by the first request, and by the first one after its death, with no action by the user.
    """

    def __init__(
        self,
        path: Path,
        options: LoadOptions,
        *,
        log_dir: Path,
        command: list[str] | None = None,
        handshake_s: float = HANDSHAKE_S,
        obey_within_s: float = OBEY_WITHIN_S,
    ) -> None:
        self.path = path
        self.options = options
        self._command = command or default_command()
        self._log = log_dir / f"engine-{_log_name(path, options)}.log"
        self._handshake_s = handshake_s
        self._obey_within_s = obey_within_s
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._closed = False

    @property
    def loaded(self) -> LoadedModel | None:
        """Facts of the loaded model; None while it is not loaded."""
        connection = self._connection
        return connection.loaded if connection is not None and connection.usable else None

    @property
    def pid(self) -> int | None:
        connection = self._connection
        return connection.pid if connection is not None and connection.usable else None

    @property
    def alive(self) -> bool:
        """A process exists: the model is loaded or being loaded."""
        return self.pid is not None

    @property
    def running(self) -> int:
        connection = self._connection
        return connection.running if connection is not None else 0

    def load(self, cancel: CancelToken) -> Generator[LoadProgress, None, None]:
        """Load without asking anything. Raises WorkbenchError."""
        try:
            yield from self._connect().wait_loaded(cancel)
        except EngineError as error:
            raise _as_exception(error.info) from None

    def generate(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        """Events as the child sends them, `LoadProgress` before them where the model had to be loaded first. Always
        ends with one `Finished`; raises nothing of the environment."""
        request = msgspec.structs.replace(request, load=LoadOptions())
        for attempt in itertools.count(1):
            connection, was_loaded, answered = None, False, False
            try:
                connection = self._connect()
                was_loaded = connection.loaded is not None
                start = time.monotonic()
                yield from connection.wait_loaded(cancel)
                load_s = None if was_loaded else time.monotonic() - start
                for event in self._answer(connection, request, cancel):
                    answered = True
                    yield _with_load_time(event, load_s)
                return
            except Cancelled:
                yield Finished(reason="cancelled")
                return
            except EngineError as error:
                still_ours = connection is not None and connection is self._connection and not self._closed
                died_idle = was_loaded and not answered and error.info.kind == EngineDied.kind
                load_left = error.info.kind == Cancelled.kind and not cancel.cancelled
                retired = error.info is RETIRED and not self._closed
                if retired or (attempt < ATTEMPTS and still_ours and (died_idle or load_left)):
                    continue
                yield _finished(error.info)
                return
            except WorkbenchError as failure:
                yield _finished(failure.info)
                return

    def embed(self, texts: list[str], cancel: CancelToken) -> list[list[float]]:
        """One L2-normalised vector for each text. Raises WorkbenchError."""
        vectors: list[list[float]] = []
        for start in range(0, len(texts), EMBED_BATCH):
            batch = texts[start : start + EMBED_BATCH]
            reply = self._ask(Embed(id=0, texts=batch), Embeddings, cancel)
            vectors += reply.vectors
        return vectors

    def count(self, request: ChatRequest, cancel: CancelToken | None = None) -> Counted:
        """The rendered prompt and its length in tokens. Loads the model. Raises WorkbenchError."""
        return self._ask(Count(id=0, request=request), Counted, cancel or CancelToken())

    def status(self) -> StatusReport | None:
        """What the child is doing; None while no model is loaded. Blocks briefly."""
        if self.loaded is None:
            return None
        try:
            return self._ask(Status(id=0), StatusReport, CancelToken())
        except WorkbenchError:
            return None

    def unload(self) -> None:
        """End the process; the next request starts another."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.stop(EngineDied("The model was unloaded.", hint=AGAIN).info)

    def unload_if_idle(self) -> bool:
        """End the process unless a request is under way; one that comes meanwhile starts another."""
        with self._lock:
            connection = self._connection
            if connection is None or not connection.retire(RETIRED):
                return False
            self._connection = None
        connection.stop(RETIRED)
        return True

    def close(self) -> None:
        """End the process for good."""
        self._closed = True
        self.unload()

    def kill(self) -> None:
        """End the process at once; its requests fail."""
        connection = self._connection
        if connection is not None:
            self._kill(connection)

    def _connect(self) -> Connection:
        """The running process, or a new one. Raises EngineError, BadModelFile."""
        with self._lock:
            if self._closed:
                raise EngineError(EngineDied("The engine has been closed.").info)
            if self._connection is not None and self._connection.usable:
                return self._connection
            dead, self._connection = self._connection, None
            if dead is not None:
                dead.ended.wait(5)
            self._check_files()
            self._connection = Connection(self._command, self.path, self.options, self._log, self._handshake_s)
            return self._connection

    def _check_files(self) -> None:
        """What can be said without llama.cpp is said without starting it. Raises BadModelFile."""
        facts = read_header(self.path).facts
        if facts.kind == "adapter":
            raise BadModelFile(f"{self.path.name} is a LoRA adapter.", hint="Load it together with its base model.")
        if facts.is_projector:
            raise BadModelFile(f"{self.path.name} is an image encoder (mmproj), no model of its own.")
        for part in split_parts(self.path, facts)[1:]:
            read_header(part)
        if self.options.lora_path:
            read_header(Path(self.options.lora_path))

    def _answer(self, connection: Connection, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        number, replies = connection.open_request()
        finished = False
        try:
            connection.send(Generate(id=number, request=request))
            for reply in self._replies(connection, number, replies, cancel):
                if isinstance(reply, Failed):
                    yield _finished(reply.error)
                    finished = True
                    return
                if isinstance(reply, Event):
                    finished = isinstance(reply.event, Finished)
                    yield reply.event
                if finished:
                    return
        finally:
            connection.close_request(number)
            if not finished:  # the consumer went away
                connection.send(Cancel(id=number))

    def _ask(self, command: Embed | Count | Status, wanted: type[ReplyType], cancel: CancelToken) -> ReplyType:
        try:
            connection = self._connect()
            for _ in connection.wait_loaded(cancel):
                pass
            number, replies = connection.open_request()
            try:
                connection.send(msgspec.structs.replace(command, id=number))
                for reply in self._replies(connection, number, replies, cancel):
                    if isinstance(reply, Failed):
                        raise _as_exception(reply.error)
                    if isinstance(reply, wanted):
                        return reply
            finally:
                connection.close_request(number)
        except EngineError as error:
            raise _as_exception(error.info) from None
        raise AssertionError("replies end only by an exception")

    def _replies(
        self, connection: Connection, number: int, replies: SimpleQueue[Item], cancel: CancelToken
    ) -> Iterator[Item]:
        """Replies until the process is gone. After a cancel the child has `obey_within_s` to end the request; then it
        is killed. Raises EngineError, Cancelled."""

        def pass_on() -> None:
            connection.send(Cancel(id=number))
            replies.put(Wake())

        forget = cancel.on_cancel(pass_on)
        deadline: float | None = None
        try:
            while True:
                try:
                    item = replies.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
                except queue.Empty:
                    self._kill(connection)
                    raise Cancelled("Stopped; the engine did not obey and was restarted.") from None
                if isinstance(item, Wake):
                    deadline = time.monotonic() + self._obey_within_s
                elif isinstance(item, ErrorInfo):
                    if deadline is not None:
                        raise Cancelled("Stopped.")
                    raise EngineError(item)
                else:
                    yield item
        finally:
            forget()

    def _kill(self, connection: Connection) -> None:
        reason = EngineDied("The engine did not react and was ended.", hint=AGAIN)
        connection.stop(reason.info, kill=True)


def _with_load_time(event: StreamEvent, load_s: float | None) -> StreamEvent:
    if load_s is not None and isinstance(event, Timings) and event.load_s is None:
        return msgspec.structs.replace(event, load_s=load_s)
    return event


def _finished(error: ErrorInfo) -> Finished:
    if error.kind == Cancelled.kind:
        return Finished(reason="cancelled")
    return Finished(reason="failed", error=error)


def _as_exception(info: ErrorInfo) -> WorkbenchError:
    """The exception that the child had; of the general class, with its kind, where the class wants more than texts."""
    kind = error_class(info.kind)
    if kind.__init__ is not WorkbenchError.__init__:
        kind = WorkbenchError
    error = kind(info.message, hint=info.hint, detail=info.detail)
    error.kind = info.kind
    return error


def _log_name(path: Path, options: LoadOptions) -> str:
    digest = hashlib.sha256(str(path).encode("utf-8", "replace") + msgspec.json.encode(options)).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', path.stem)[:60]}-{digest}"
