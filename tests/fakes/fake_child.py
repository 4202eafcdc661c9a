"""A scripted engine process: speaks the protocol as the real one does, and misbehaves on demand.

Run as `python fake_child.py SCRIPT`, a script being a JSON object with any of the fields of `Script`. The prompt's last
user text can choose a behaviour for one request: a line `script: {…}` overrides the fields.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from typing import Literal

import msgspec

from workbench.core.errors import ErrorInfo
from workbench.core.events import Finished, PromptProgress, RunDetails, TextDelta, Timings, Usage
from workbench.engine import protocol
from workbench.engine.protocol import (
    Cancel,
    Count,
    Counted,
    Embed,
    Embeddings,
    Event,
    Failed,
    Generate,
    Hello,
    Load,
    Loaded,
    LoadedModel,
    Progress,
    Reply,
    Status,
    StatusReport,
)

Death = Literal["", "kill", "abort", "exit", "illegal"]


class Script(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    tokens: int = 10
    rate: float = 2_000.0
    """Tokens per second."""
    version: int = protocol.PROTOCOL_VERSION
    silent_start: bool = False
    load_s: float = 0.0
    load_error: ErrorInfo | None = None
    die: Death = ""
    die_at_load: bool = False
    die_after: int = 3
    """Tokens before the death, the hang, the garbage or the huge line."""
    stderr: str = ""
    """Written before the death."""
    hang: bool = False
    garbage: int = 0
    """Lines that are no replies, sent between two tokens."""
    huge_line_mb: int = 0
    ignores_cancel: bool = False
    ignores_eof: bool = False
    stops_reading: bool = False
    error: ErrorInfo | None = None
    """The request's answer."""
    gpu: tuple[int, int] = (0, 0)
    """Bytes used and in all on a GPU that has all layers."""


class Child:
    def __init__(self, script: Script) -> None:
        self._script = script
        self._out = os.dup(1)
        os.dup2(2, 1)
        self._lock = threading.Lock()
        self._cancelled: set[int] = set()
        self._running = 0

    def run(self) -> None:
        if self._script.silent_start:
            time.sleep(3_600)
        self.reply(Hello(version=self._script.version, llama_cpp_build="fake", pid=os.getpid()))
        jobs: queue.SimpleQueue[Load] = queue.SimpleQueue()
        threading.Thread(target=self._load_all, args=(jobs,), daemon=True).start()
        for line in sys.stdin.buffer:
            command = protocol.decode_command(line)
            if isinstance(command, Load):
                jobs.put(command)
            elif isinstance(command, Cancel):
                self._cancelled.add(command.id)
            else:
                threading.Thread(target=self._serve, args=(command,), daemon=True).start()
            if self._script.stops_reading and isinstance(command, Generate):
                time.sleep(3_600)
        if self._script.ignores_eof:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(3_600)
        os._exit(0)

    def reply(self, reply: Reply) -> None:
        self._write(protocol.encode(reply) + b"\n")

    def _write(self, data: bytes) -> None:
        with self._lock:
            view = memoryview(data)
            while view:
                view = view[os.write(self._out, view) :]

    def _load_all(self, jobs: queue.SimpleQueue[Load]) -> None:
        while True:
            command = jobs.get()
            for step in range(1, 11):
                time.sleep(self._script.load_s / 10)
                self.reply(Progress(id=command.id, fraction=step / 10))
                if self._script.die_at_load and step == 5:
                    self._die(self._script)
            if self._script.load_error is not None:
                self.reply(Failed(id=command.id, error=self._script.load_error))
                continue
            model = LoadedModel(description="fake", n_ctx=command.options.n_ctx or 4096, n_embd=3)
            if self._script.gpu[1]:
                model = msgspec.structs.replace(model, n_gpu_layers=33)
            self.reply(Loaded(id=command.id, model=model))

    def _serve(self, command: Generate | Embed | Count | Status) -> None:
        if isinstance(command, Embed):
            vectors = [[1.0, 0.0, float(len(text))] for text in command.texts]
            self.reply(Embeddings(id=command.id, vectors=vectors, prompt_tokens=len(vectors)))
        elif isinstance(command, Count):
            text = command.request.messages[-1].text
            self.reply(Counted(id=command.id, prompt_tokens=len(text.split()), n_ctx=4096, rendered_prompt=text))
        elif isinstance(command, Status):
            report = StatusReport(
                id=command.id, memory_bytes=1, running=self._running, queued=0, cells_used=0, n_ctx=4096
            )
            used, total = self._script.gpu
            self.reply(msgspec.structs.replace(report, gpu_memory_used=used, gpu_memory_total=total))
        else:
            self._running += 1
            self._generate(command)
            self._running -= 1

    def _generate(self, command: Generate) -> None:
        script, number = self._chosen(command), command.id
        if script.error is not None:
            self.reply(Event(id=number, event=Finished(reason="failed", error=script.error)))
            return
        self.reply(Event(id=number, event=RunDetails(llama_cpp_build="fake", seed=1)))
        self.reply(Event(id=number, event=PromptProgress(evaluated=1, total=1)))
        for index in range(script.tokens):
            if number in self._cancelled and not script.ignores_cancel:
                self.reply(Event(id=number, event=Finished(reason="cancelled")))
                return
            if index == script.die_after:
                self._misbehave(script)
            time.sleep(1 / script.rate)
            self.reply(Event(id=number, event=TextDelta(f"{index} ")))
        self.reply(Event(id=number, event=Usage(prompt_tokens=1, completion_tokens=script.tokens)))
        self.reply(Event(id=number, event=Timings(decode_s=1.0)))
        self.reply(Event(id=number, event=Finished(reason="stop")))

    def _chosen(self, command: Generate) -> Script:
        for line in command.request.messages[-1].text.splitlines():
            if line.startswith("script: "):
                changed = msgspec.json.decode(line.removeprefix("script: "))
                return msgspec.convert(msgspec.to_builtins(self._script) | changed, Script)
        return self._script

    def _misbehave(self, script: Script) -> None:
        if script.die:
            self._die(script)
        for number in range(script.garbage):
            self._write(
                [b"not json\n", b"{}\n", b'{"reply":"event","id":1}\n', b"[" * 5_000 + b"\n", b"\xff\xfe\n"][number % 5]
            )
        if script.huge_line_mb:
            with self._lock:
                for _ in range(script.huge_line_mb):
                    os.write(self._out, b"x" * 1_000_000)
        if script.hang:
            time.sleep(3_600)

    def _die(self, script: Script) -> None:
        sys.stderr.write(script.stderr)
        sys.stderr.flush()
        if script.die == "exit":
            os._exit(3)
        wanted = {"kill": signal.SIGKILL, "abort": signal.SIGABRT, "illegal": signal.SIGILL}[script.die]
        os.kill(os.getpid(), wanted)
        time.sleep(10)


if __name__ == "__main__":
    Child(msgspec.json.decode(sys.argv[1] if len(sys.argv) > 1 else "{}", type=Script)).run()
