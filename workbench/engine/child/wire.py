"""The child's two pipes: commands in, replies out."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator

import msgspec

from workbench.engine import protocol
from workbench.engine.protocol import Command, Reply


class Output:
    """Writes replies, one JSON object a line; thread-safe. The parent's absence ends the process."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()

    @classmethod
    def take_stdout(cls) -> Output:
        """A duplicate of stdout for the protocol; stdout itself then goes to stderr, where stray prints do no harm."""
        sys.stdout.flush()
        fd = os.dup(1)
        os.dup2(2, 1)
        return cls(fd)

    def write(self, *replies: Reply) -> None:
        self.write_lines([protocol.encode(reply) for reply in replies])

    def write_lines(self, lines: list[bytes]) -> None:
        """Encoded replies, with a single system call where the pipe has room."""
        data = memoryview(b"\n".join([*lines, b""]))
        with self._lock:
            try:
                while data:
                    data = data[os.write(self._fd, data) :]
            except OSError:
                os._exit(0)  # nobody reads any more


class _Numbered(msgspec.Struct):
    id: int


def commands(fd: int, on_invalid: Callable[[int | None, str], None]) -> Iterator[Command]:
    """Commands until the pipe closes. Of a line that can't be understood `on_invalid` gets the id, as far as there is
    one, and the reason."""
    with os.fdopen(fd, "rb", closefd=False) as stream:
        for line in stream:
            if not line.strip():
                continue
            try:
                yield protocol.decode_command(line)
            except Exception as error:
                on_invalid(_id_of(line), f"{error}: {line[:200]!r}")


def _id_of(line: bytes) -> int | None:
    try:
        return msgspec.json.decode(line, type=_Numbered).id
    except msgspec.DecodeError:
        return None
