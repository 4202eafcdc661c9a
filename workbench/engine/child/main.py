"""Entry of the child process: says hello, takes commands from stdin, answers on a duplicate of stdout.

Three threads. The reader takes lines from stdin, and its end ends the process at once, even in the middle of a
computation: a pipe closes whichever way the parent dies. (PR_SET_PDEATHSIG would not do: Linux sends it when the
*thread* that started the child ends.) The preparer renders and tokenizes. The main thread alone computes.
"""

from __future__ import annotations

import gc
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Iterator

import psutil

from workbench.core.errors import BadInput, Cancelled, ErrorInfo, WorkbenchError
from workbench.core.events import Finished
from workbench.engine import protocol
from workbench.engine.child import devices, llama, loader
from workbench.engine.child.embeddings import Embedder
from workbench.engine.child.loader import Model
from workbench.engine.child.prepare import Preparer
from workbench.engine.child.scheduler import Scheduler
from workbench.engine.child.sequence import Sequence
from workbench.engine.child.wire import Output, commands
from workbench.engine.protocol import Cancel, Command, Count, Embed, Event, Failed, Generate, Load, Status

PROGRESS_STEP = 0.01
_IDLE_WAIT_S = 3600.0


class Worker:
    """The child's state. Methods named `_do_…` run on the main thread."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._to_prepare: queue.SimpleQueue[Generate | Count] = queue.SimpleQueue()
        self._cancelled: set[int] = set()
        self._live: set[int] = set()
        self._model: Model | None = None
        self._preparer: Preparer | None = None
        self._scheduler: Scheduler | None = None
        self._embedder: Embedder | None = None
        self._embedding: list[tuple[Embed, Iterator[None]]] = []

    # --- reader thread ---
    def receive(self, command: Command) -> None:
        if isinstance(command, Cancel):
            if command.id in self._live:
                self._cancelled.add(command.id)
                self._jobs.put(lambda: self._do_cancel(command.id))
            return
        self._live.add(command.id)
        match command:
            case Load():
                self._jobs.put(lambda: self._guard(command.id, lambda: self._do_load(command)))
            case Generate() | Count():
                # By way of the main thread, so that what follows a load finds the model.
                self._jobs.put(lambda: self._to_prepare.put(command))
            case Embed():
                self._jobs.put(lambda: self._guard(command.id, lambda: self._do_embed(command)))
            case Status():
                self._jobs.put(lambda: self._guard(command.id, lambda: self._do_status(command)))

    def refuse(self, request_id: int | None, problem: str) -> None:
        """A command that can't be understood; its sender must not wait for ever."""
        print(problem, file=sys.stderr, flush=True)  # noqa: T201 - the log
        if request_id is not None:
            error = BadInput("The engine does not understand this request.", detail=problem)
            self._output.write(Failed(id=request_id, error=error.info))

    # --- preparing thread ---
    def prepare_for_ever(self) -> None:
        while True:
            command = self._to_prepare.get()
            if isinstance(command, Count):
                self._guard(command.id, lambda c=command: self._count(c))  # type: ignore[misc]
            else:
                self._prepare(command)

    def _prepare(self, command: Generate) -> None:
        """A generate command that can't start ends with `Finished` like any other."""
        try:
            sequence = self._ready().sequence(command)
        except Exception as error:
            reason = Finished(reason="failed", error=_info(error))
            self._finish(command.id, Event(id=command.id, event=reason))
            return
        self._jobs.put(lambda: self._do_start(sequence))

    def _count(self, command: Count) -> None:
        prompt = self._ready().prompts.count(command.request)
        assert self._model is not None
        reply = protocol.Counted(
            id=command.id,
            prompt_tokens=len(prompt.tokens),
            n_ctx=self._model.info.n_ctx,
            rendered_prompt=prompt.rendered,
        )
        self._finish(command.id, reply)

    # --- main thread ---
    def run(self) -> None:
        """Work for ever; the reader ends the process."""
        while True:
            busy = bool(self._embedding) or (self._scheduler is not None and not self._scheduler.idle)
            try:
                job = self._jobs.get(block=not busy, timeout=None if busy else _IDLE_WAIT_S)
            except queue.Empty:
                pass
            else:
                self._run_job(job)
                continue
            if self._scheduler is not None and not self._scheduler.idle:
                self._scheduler.step()
            if self._embedding:
                self._embed_a_batch()

    def _run_job(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception:
            traceback.print_exc()  # to the log; the loop goes on for the others

    def _do_load(self, command: Load) -> None:
        if self._model is not None:
            raise BadInput("This process has a model already; start another one.")
        reported = -1.0

        def progress(fraction: float) -> bool:
            nonlocal reported
            if fraction - reported >= PROGRESS_STEP or fraction >= 1.0:
                reported = fraction
                self._output.write(protocol.Progress(id=command.id, fraction=min(max(fraction, 0.0), 1.0)))
            return command.id not in self._cancelled

        model = loader.load(command.path, command.options, progress)
        self._model = model
        self._preparer = Preparer(model)
        if model.context is not None:
            self._scheduler = Scheduler(model, self._send)
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        self._finish(command.id, protocol.Loaded(id=command.id, model=model.info))

    def _do_start(self, sequence: Sequence) -> None:
        assert self._scheduler is not None
        self._scheduler.add(sequence)
        if sequence.id in self._cancelled:
            self._scheduler.cancel(sequence.id)

    def _do_cancel(self, request_id: int) -> None:
        if self._scheduler is not None:
            self._scheduler.cancel(request_id)

    def _do_status(self, command: Status) -> None:
        scheduler = self._scheduler
        gpu_used, gpu_total = devices.gpu_memory(devices.devices())
        reply = protocol.StatusReport(
            id=command.id,
            memory_bytes=psutil.Process().memory_info().rss,
            running=scheduler.running if scheduler else 0,
            queued=scheduler.queued if scheduler else 0,
            cells_used=scheduler.pool.cells_used if scheduler else 0,
            n_ctx=self._model.info.n_ctx if self._model else 0,
            gpu_memory_used=gpu_used,
            gpu_memory_total=gpu_total,
        )
        self._finish(command.id, reply)

    def _do_embed(self, command: Embed) -> None:
        self._ready()
        if self._embedder is None:
            assert self._model is not None
            self._embedder = Embedder(self._model)
        self._embedding.append((command, self._embed(command, self._embedder)))

    def _embed(self, command: Embed, embedder: Embedder) -> Iterator[None]:
        vectors: list[list[float]] = []
        total = 0
        for batch, n_tokens in embedder.run(command.texts):
            vectors.extend(batch)
            total += n_tokens
            yield
        self._finish(command.id, protocol.Embeddings(id=command.id, vectors=vectors, prompt_tokens=total))

    def _embed_a_batch(self) -> None:
        """One batch of the first waiting embed command; the others' tokens flow in between."""
        command, steps = self._embedding[0]

        def advance() -> None:
            if command.id in self._cancelled:
                self._embedding.pop(0)
                raise Cancelled("Cancelled.")
            try:
                next(steps)
            except StopIteration:
                self._embedding.pop(0)
            except BaseException:
                self._embedding.pop(0)
                raise

        self._guard(command.id, advance)

    def _send(self, sequences: list[Sequence]) -> None:
        """All that a step brought, in one write."""
        lines: list[bytes] = []
        for sequence in sequences:
            lines.extend(protocol.encode(Event(id=sequence.id, event=event)) for event in sequence.events)
            sequence.events.clear()
            if sequence.finished:
                self._forget(sequence.id)
        self._output.write_lines(lines)

    # --- any thread ---
    def _ready(self) -> Preparer:
        if self._preparer is None:
            raise BadInput("No model is loaded in this process.")
        return self._preparer

    def _guard(self, request_id: int, work: Callable[[], None]) -> None:
        """Every command is answered, whatever happens."""
        try:
            work()
        except Exception as error:
            self._finish(request_id, Failed(id=request_id, error=_info(error)))

    def _finish(self, request_id: int, reply: protocol.Reply) -> None:
        self._forget(request_id)
        self._output.write(reply)

    def _forget(self, request_id: int) -> None:
        self._live.discard(request_id)
        self._cancelled.discard(request_id)


def _info(error: Exception) -> ErrorInfo:
    if isinstance(error, WorkbenchError):
        return error.info
    detail = "".join(traceback.format_exception(error))
    return ErrorInfo(kind="bug", message=f"The engine has a bug: {type(error).__name__}: {error}", detail=detail)


def main() -> int:
    """Serve until stdin closes."""
    output = Output.take_stdout()
    llama.start_backend()
    output.write(
        protocol.Hello(
            version=protocol.PROTOCOL_VERSION,
            llama_cpp_build=llama.build(),
            backends=devices.devices(),
            pid=os.getpid(),
        )
    )
    worker = Worker(output)
    threading.Thread(target=_read_for_ever, args=(worker,), name="reader", daemon=True).start()
    threading.Thread(target=worker.prepare_for_ever, name="preparer", daemon=True).start()
    worker.run()
    return 0


def _read_for_ever(worker: Worker) -> None:
    try:
        for command in commands(0, worker.refuse):
            worker.receive(command)
    finally:
        os._exit(0)


if __name__ == "__main__":
    raise SystemExit(main())
