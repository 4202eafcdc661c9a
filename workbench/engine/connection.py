"""One engine process, from its start to its end, and the requests under way in it.

Three threads serve it: one writes commands (a child that does not read must not block a caller), one reads replies and
hands each to its request's queue, one keeps the log.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Generator
from pathlib import Path
from queue import SimpleQueue
from typing import IO

import msgspec

from workbench.core.cancel import CancelToken
from workbench.core.errors import Cancelled, EngineDied, ErrorInfo
from workbench.core.events import LoadProgress
from workbench.core.requests import LoadOptions
from workbench.engine import protocol
from workbench.engine.failures import AGAIN, explain_exit
from workbench.engine.job_object import tie_to_this_process
from workbench.engine.protocol import Command, Failed, Hello, Load, Loaded, LoadedModel, Progress, Reply

LONGEST_LINE = 64 * 1024 * 1024
LOG_BYTES = 1024 * 1024
TAIL_LINES = 200
SECRET_ENDINGS = ("_KEY", "_KEYS", "_TOKEN", "_SECRET", "_PASSWORD", "_PAT", "_CREDENTIALS")
SPINS = "1000"
"""How often a thread of libgomp looks before it sleeps, where llama.cpp was built with it. libgomp's own 300,000 hold
the cores while the thread that is waited for has none: beside other work on the machine (a second model, say) that was
measured to be 4 to 10 times slower. With nothing else to do, both are equally fast."""


class Wake(msgspec.Struct, frozen=True):
    """Put into a request's queue to make its reader look at its cancel token."""


Item = Reply | ErrorInfo | Wake
"""What a request's queue holds. `ErrorInfo`: the process is gone, nothing more will come."""


class EngineError(Exception):
    """Carries an ErrorInfo from the process to the caller."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message)
        self.info = info


class Connection:
    """A running child that has been told to load its one model."""

    def __init__(self, command: list[str], path: Path, options: LoadOptions, log: Path, handshake_s: float) -> None:
        """Starts the process. Raises EngineError where that is impossible."""
        self.name = path.name
        self.hello: Hello | None = None
        self.loaded: LoadedModel | None = None
        self.failure: ErrorInfo | None = None
        """Why this process can't be used any more."""
        self.ended = threading.Event()
        """Set once the process is gone and every request has been told."""
        self._load = Load(id=0, path=str(path), options=options)
        self._handshake_s = handshake_s
        self._handshake_until = time.monotonic() + handshake_s
        self._ids = itertools.count(1)
        self._changed = threading.Condition()
        self._fraction = 0.0
        self._waiting = 0
        self._requests: dict[int, SimpleQueue[Item]] = {}
        self._outbox: SimpleQueue[bytes | None] = SimpleQueue()
        self._log = EngineLog(log)
        self._process = _start(command, self._log)
        self.pid = self._process.pid
        self._job = tie_to_this_process(self._process)
        self._log_reader = self._thread(self._read_log, "log")
        self._threads = [self._log_reader, self._thread(self._read, "replies"), self._thread(self._write, "commands")]
        for thread in self._threads:
            thread.start()

    @property
    def usable(self) -> bool:
        return self.failure is None

    @property
    def running(self) -> int:
        """Requests under way."""
        return len(self._requests)

    def send(self, command: Command) -> None:
        """Never blocks. A command to a dead process is lost; its request hears of the death."""
        self._outbox.put(protocol.encode(command) + b"\n")

    def open_request(self) -> tuple[int, SimpleQueue[Item]]:
        """An id and the queue its replies will come to. Raises EngineError where the process is gone."""
        queue: SimpleQueue[Item] = SimpleQueue()
        with self._changed:
            if self.failure is not None:
                raise EngineError(self.failure)
            number = next(self._ids)
            self._requests[number] = queue
        return number, queue

    def close_request(self, number: int) -> None:
        with self._changed:
            self._requests.pop(number, None)

    def retire(self, reason: ErrorInfo) -> bool:
        """Take no further request if there is none now; False if there is one."""
        with self._changed:
            if self._requests or self._waiting:
                return False
            self.failure = self.failure or reason
            return True

    def wait_loaded(self, cancel: CancelToken) -> Generator[LoadProgress, None, None]:
        """Wait until the model is loaded, for any number of threads. Raises EngineError, Cancelled.

        A load that nobody waits for any more is stopped, by ending the process: that takes effect at once.
        """
        forget = cancel.on_cancel(self._notify)
        with self._changed:
            self._waiting += 1
        try:
            seen = -1.0
            while self._wait_change(seen, cancel):
                seen = self._fraction
                yield LoadProgress(seen)
        finally:
            forget()
            with self._changed:
                self._waiting -= 1
                abandoned = not self._waiting and self.loaded is None and self.failure is None
            if abandoned:
                self.stop(Cancelled("The load was stopped.").info, kill=True)

    def stop(self, reason: ErrorInfo, *, kill: bool = False) -> None:
        """End the process and wait for that: ask (by closing its stdin), then terminate, then kill."""
        self._fail(reason)
        if not kill:
            self._outbox.put(None)
            if not self.ended.wait(2):
                self._process.terminate()
                kill = not self.ended.wait(1)
        if kill:
            self._process.kill()
            self.ended.wait(5)
        if threading.current_thread() not in self._threads:
            for thread in self._threads:
                thread.join(2)

    def _wait_change(self, seen: float, cancel: CancelToken) -> bool:
        """True: there is progress to tell; False: loaded."""
        with self._changed:
            while True:
                if cancel.cancelled:
                    raise Cancelled("The load was stopped.")
                if self.failure is not None:
                    raise EngineError(self.failure)
                if self.loaded is not None:
                    return False
                if self._fraction > seen:
                    return True
                left = self._handshake_until - time.monotonic() if self.hello is None else None
                if left is not None and left <= 0:
                    break
                self._changed.wait(left)
        silent = EngineDied(
            f"The engine did not answer within {self._handshake_s:g} s of its start.",
            hint="The machine may be overloaded, or a virus scanner holds the program up; try again.",
        )
        self.stop(silent.info, kill=True)
        raise EngineError(self.failure or silent.info)

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _fail(self, reason: ErrorInfo) -> None:
        """The first reason stands: what follows a kill is its consequence."""
        with self._changed:
            self.failure = self.failure or reason
            self._changed.notify_all()

    def _thread(self, target: object, name: str) -> threading.Thread:
        return threading.Thread(target=target, name=f"engine {name} {self.pid}", daemon=True)  # type: ignore[arg-type]

    # --- the three threads ------------------------------------------------------------------------------------
    def _write(self) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        with contextlib.suppress(OSError):
            while (line := self._outbox.get()) is not None:
                stdin.write(line)
                stdin.flush()
        with contextlib.suppress(OSError):
            stdin.close()

    def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        try:
            while line := stdout.readline(LONGEST_LINE):
                if len(line) == LONGEST_LINE:
                    self._give_up(f"The engine sent a line of more than {LONGEST_LINE >> 20} MB.")
                    break
                self._handle_line(line)
        except OSError as error:
            self._log.write(f"workbench: reading replies failed: {error}\n")
        finally:
            self._finish(stdout)

    def _handle_line(self, line: bytes) -> None:
        try:
            reply = protocol.decode_reply(line)
        except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
            self._log.write(f"workbench: not a reply ({error}): {line[:200]!r}\n")
            return
        if isinstance(reply, Hello):
            self._greet(reply)
        elif reply.id != self._load.id:
            queue = self._requests.get(reply.id)
            if queue is not None:
                queue.put(reply)
        else:
            with self._changed:
                if isinstance(reply, Progress):
                    self._fraction = max(self._fraction, reply.fraction)
                elif isinstance(reply, Loaded):
                    self.loaded = reply.model
                elif isinstance(reply, Failed):
                    self.failure = self.failure or reply.error
                    self._outbox.put(None)  # a child without its model is of no use
                self._changed.notify_all()

    def _greet(self, hello: Hello) -> None:
        if hello.version != protocol.PROTOCOL_VERSION:
            self._give_up(
                f"The engine speaks version {hello.version} of the protocol, this program version "
                f"{protocol.PROTOCOL_VERSION}.",
                "Parts of two versions of the program are mixed; install it again.",
            )
            return
        with self._changed:
            self.hello = hello
            self._changed.notify_all()
        self.send(self._load)

    def _give_up(self, message: str, hint: str = AGAIN) -> None:
        self._fail(EngineDied(message, hint=hint).info)
        self._process.kill()

    def _finish(self, stdout: IO[bytes]) -> None:
        """The process has ended, or has closed its stdout and is of no use."""
        try:
            exit_code: int | None = self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            exit_code = self._process.wait()
        self._log_reader.join(2)
        self._outbox.put(None)
        loading = self.loaded is None
        with self._changed:
            if self.failure is None:
                self.failure = explain_exit(self.name, exit_code, self._log.tail, loading=loading)
            requests, self._requests = list(self._requests.values()), {}
            self._changed.notify_all()
        for queue in requests:
            queue.put(self.failure)
        with contextlib.suppress(OSError):
            stdout.close()
        self.ended.set()

    def _read_log(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        with stderr, contextlib.suppress(OSError):
            while line := stderr.readline(4096):
                self._log.write(line.decode("utf-8", "replace"))
        self._log.close()


class EngineLog:
    """What the process writes to stderr: the last lines in memory, and a file that never grows beyond two times
    LOG_BYTES (the older half is renamed). A disk that is full or read-only loses the file, not the run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._lock = threading.Lock()
        self._file: IO[str] | None = None
        self._size = 0
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open()

    @property
    def tail(self) -> list[str]:
        with self._lock:
            return [line.rstrip("\r\n") for line in self._lines]

    def write(self, line: str) -> None:
        with self._lock:
            self._lines.append(line)
            if self._file is None:
                return
            try:
                if self._size > LOG_BYTES:
                    self._file.close()
                    self._path.replace(self._path.with_suffix(".1.log"))
                    self._open()
                self._file.write(line)
                self._size += len(line)
            except (OSError, ValueError):
                self._file = None

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                with contextlib.suppress(OSError):
                    self._file.close()
                self._file = None

    def _open(self) -> None:
        self._file = self._path.open("a", encoding="utf-8", errors="replace", buffering=1)
        self._size = self._file.tell()


def _start(command: list[str], log: EngineLog) -> subprocess.Popen[bytes]:
    log.write(f"workbench: starts {' '.join(command)} at {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
    flags: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows only
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=child_environment(dict(os.environ), frozen=bool(getattr(sys, "frozen", False))),
            creationflags=flags,
            start_new_session=True,  # Ctrl-C in a terminal is for the parent, which cancels in order
        )
    except OSError as error:
        log.close()
        failure = EngineDied(
            f"The engine could not be started: {error.strerror or error}.",
            hint="Install the program again, or close other programs if the machine is out of memory.",
            detail=" ".join(command),
        )
        raise EngineError(failure.info) from None


def child_environment(environment: dict[str, str], *, frozen: bool) -> dict[str, str]:
    """The child runs templates of strangers: it gets no keys. A frozen program's own library path is taken back. An
    abort is to be quick and to leave its reason in the log, not a debugger's pages. Threads that wait give way to other
    programs soon, unless the user's own variables say otherwise."""
    kept = {name: value for name, value in environment.items() if not name.upper().endswith(SECRET_ENDINGS)}
    kept["GGML_NO_BACKTRACE"] = "1"
    if "OMP_WAIT_POLICY" not in kept:
        kept.setdefault("GOMP_SPINCOUNT", SPINS)
    if frozen:
        original = kept.pop("LD_LIBRARY_PATH_ORIG", None)
        kept.pop("LD_LIBRARY_PATH", None)
        if original is not None:
            kept["LD_LIBRARY_PATH"] = original
        kept["PYINSTALLER_RESET_ENVIRONMENT"] = "1"  # else it thinks the path is set, and finds no bundled library
    return kept
