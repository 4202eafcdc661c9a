"""The bytes' way: socket -> file, and to a second thread that hashes them meanwhile."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path
from typing import Any

import httpcore2
import httpx2

from workbench.core.cancel import CancelToken
from workbench.core.errors import Cancelled
from workbench.hub.errors import DiskFull, DownloadPaused, FolderNotWritable, HubError

READ_BYTES = 512 << 10
"""Small enough that a piece is still in the processor's cache when it is hashed."""
BUFFERS = 8
"""Pieces under way between socket, file and hash. They are used again and again: memory that is new for each piece
costs a fault for each page of it."""
POLL_S = 0.1
"""How often a silent connection is left to look for cancel; bounds the time a cancel takes."""


class Stalled(HubError):
    """Nothing came for too long."""

    kind = "stalled"


Piece = bytes | memoryview


def body(
    response: httpx2.Response, cancel: CancelToken, stall_s: float, room: Callable[[], memoryview]
) -> Iterator[Piece]:
    """The body's raw bytes; an empty piece says that nothing came for a moment.

    `room` gives the memory that the next piece is read into; a piece is valid until the next one is asked for, unless
    `room` gives other memory then. Raises Cancelled within `POLL_S`, Stalled, or HubError when it breaks off.

    A plain HTTP/1.1 body of known length is read from the connection directly, in large pieces and with a short
    poll: httpx2 reads 64 KiB at a time into new memory, and gives a connection up when a read times out.
    """
    length = response.headers.get("content-length", "")
    stream = response.extensions.get("network_stream")
    plain = response.extensions.get("http_version") == b"HTTP/1.1" and length.isdigit() and stream is not None
    chunks = iter(response.stream)
    left = int(length) if plain else 0
    with _closed_on_cancel(stream, cancel), _plain_errors(response, cancel):
        if not plain:
            yield from chunks
            return
        # its first piece empties the parser's buffer; what follows is the socket's, up to the body's end
        first = next(chunks, b"")
        left -= len(first)
        yield first
        read = _reader(stream)
        heard = time.monotonic()
        while left > 0:
            if cancel.cancelled:
                raise Cancelled("Stopped.")
            try:
                data = read(room()[:left])
            except (httpcore2.ReadTimeout, TimeoutError):
                if time.monotonic() - heard > stall_s:
                    raise Stalled(f"Nothing came for {stall_s:.0f} s.", retryable=True) from None
                yield b""
                continue
            if cancel.cancelled:  # it is shut down then: what came may be cut anywhere
                raise Cancelled("Stopped.")
            if not data:
                raise HubError(f"The connection broke off with {left} bytes to go.", retryable=True)
            left -= len(data)
            yield data
            heard = time.monotonic()


def _reader(stream: Any) -> Callable[[memoryview], Piece]:
    """Reads what is there into the given memory; raises a timeout after `POLL_S` without any."""
    connection = stream.get_extra_info("socket")
    tls = stream.get_extra_info("ssl_object")
    if isinstance(connection, socket.socket) and tls is getattr(connection, "_sslobj", None):
        connection.settimeout(POLL_S)
        return lambda into: into[: connection.recv_into(into)]
    return lambda into: stream.read(len(into), timeout=POLL_S)  # TLS within TLS, as through an HTTPS proxy


@contextlib.contextmanager
def _closed_on_cancel(stream: Any, cancel: CancelToken) -> Iterator[None]:
    def shut() -> None:
        sock = stream.get_extra_info("socket") if stream is not None else None
        if sock is not None:
            with contextlib.suppress(OSError):
                # not the TLS socket's own method, which lets a reader go on with the encrypted bytes
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    forget = cancel.on_cancel(shut)
    try:
        yield
    finally:
        forget()


@contextlib.contextmanager
def _plain_errors(response: httpx2.Response, cancel: CancelToken) -> Iterator[None]:
    try:
        yield
    except (
        httpx2.TransportError,
        httpcore2.NetworkError,
        httpcore2.TimeoutException,
        httpcore2.ProtocolError,
        OSError,  # a socket read directly: resets, TLS errors, and a network that went away
    ) as error:
        if cancel.cancelled:
            raise Cancelled("Stopped.") from error
        if isinstance(error, httpx2.TimeoutException):
            raise Stalled("Nothing came for too long.", retryable=True) from error
        detail = f"{type(error).__name__}: {error}"
        raise HubError(f"The connection to {response.url.host} broke off.", detail=detail, retryable=True) from error


class HashedFile:
    """A partial file open for appending, hashed in a second thread; `marks` as in `PartialState`."""

    def __init__(self, path: Path, block_bytes: int) -> None:
        self.path = path
        self.size = 0
        self.marks: list[str] = []
        self._block_bytes = block_bytes
        self._sha = hashlib.sha256()
        self._hashed = 0
        self._queue: queue.Queue[Piece | None] = queue.Queue(maxsize=2 * BUFFERS)
        self._free: queue.SimpleQueue[bytearray] = queue.SimpleQueue()
        self._made = 0
        self._room: bytearray | None = None
        with in_plain_words(path):
            self._file = FileIO(path, "r+" if path.exists() else "w+")
        self._thread = threading.Thread(target=self._hash, name="download-sha256", daemon=True)
        self._thread.start()

    def room(self, size: int) -> memoryview:
        """Memory for up to `size` bytes that are to be written next. Waits while hashing is far behind."""
        if self._room is None:
            if self._made < BUFFERS and self._free.empty():
                self._made += 1
                self._room = bytearray(READ_BYTES)
            else:
                self._room = self._free.get()
        return memoryview(self._room)[:size]

    def write(self, data: Piece) -> None:
        """Append. Raises DiskFull or FolderNotWritable; what was written before stays.

        What lies in `room` is hashed from there; other data must not change any more.
        """
        whole = memoryview(data)
        with in_plain_words(self.path):
            written = 0
            try:
                while written < len(whole):
                    written += self._file.write(whole[written:])
            finally:
                if written:
                    if whole.obj is self._room:
                        self._room = None
                    self._queue.put(whole[:written])
                    self.size += written

    def write_over(self, offset: int, data: Piece) -> None:
        """Mend bytes before the end. They are not hashed again here."""
        with in_plain_words(self.path):
            self._file.seek(offset)
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
            self._file.seek(self.size)

    def rehash(self, limit: int, cancel: CancelToken, progress: Callable[[int], None], marks: list[str]) -> int | None:
        """Take over what the file holds, up to `limit` bytes, from where hashing stands.

        Returns the number of the first block that differs from `marks` (hashing stands before it then), or None.
        """
        self._settle()
        self._file.seek(self._hashed)
        while self._hashed < limit:
            before, position = self._sha.copy(), self._hashed
            end = min(limit, (position // self._block_bytes + 1) * self._block_bytes)
            while self._hashed < end:
                if cancel.cancelled:
                    raise Cancelled("Stopped.")
                with in_plain_words(self.path):
                    data = self._file.read(min(READ_BYTES, end - self._hashed))
                if not data:  # shorter than it was: someone else cut it
                    limit = end = self._hashed
                    break
                self._sha.update(data)
                self._hashed += len(data)
                progress(self._hashed)
            block = position // self._block_bytes
            if self._hashed == (block + 1) * self._block_bytes:
                mark = self._sha.hexdigest()
                if block < len(marks) and marks[block] != mark:
                    self._sha, self._hashed = before, position
                    return block
                self.marks[block:] = [mark]
        self.size = self._hashed
        self._cut()
        return None

    def forget(self, offset: int = 0) -> None:
        """Start over from `offset`, which must be 0 or where hashing stands."""
        self._settle()
        if offset == 0:
            self._sha, self._hashed, self.marks = hashlib.sha256(), 0, []
        self.size = offset
        self._cut()

    def rewind(self) -> None:
        """Prepare to hash the file again from its beginning, keeping its bytes."""
        self._settle()
        self._sha, self._hashed, self.marks = hashlib.sha256(), 0, []

    def hexdigest(self) -> str:
        """sha256 of everything written."""
        self._settle()
        return self._sha.hexdigest()

    def flush_to_disk(self) -> None:
        """Raises DiskFull where the file system finds out only now."""
        with in_plain_words(self.path):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()
        self._file.close()

    def _cut(self) -> None:
        """Let the file end at `size`. An empty one is left alone: ext4 writes a file out at once that was cut to 0."""
        with in_plain_words(self.path):
            if os.fstat(self._file.fileno()).st_size != self.size:
                self._file.truncate(self.size)
            self._file.seek(self.size)

    def _settle(self) -> None:
        self._queue.join()

    def _hash(self) -> None:
        while (data := self._queue.get()) is not None:
            view = memoryview(data)
            while view:
                room = self._block_bytes - self._hashed % self._block_bytes
                part, view = view[:room], view[room:]
                self._sha.update(part)
                self._hashed += len(part)
                if len(part) == room:
                    self.marks.append(self._sha.hexdigest())
            if isinstance(view.obj, bytearray):  # one of ours
                self._free.put(view.obj)
            self._queue.task_done()
        self._queue.task_done()


@contextlib.contextmanager
def in_plain_words(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into what the user can do about it."""
    try:
        yield
    except OSError as error:
        where = path.parent
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                f"The disk of {where} is full.",
                hint="Free some space and resume; what was downloaded is kept.",
                detail=str(error),
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise FolderNotWritable(
                f"{where} can't be written to.",
                hint="Change its permissions, or choose another download folder in Settings > Folders.",
                detail=str(error),
            ) from error
        if error.errno == errno.EFBIG:
            raise DownloadPaused(
                f"The file system of {where} can't hold files this large.",
                hint="Choose a download folder on another disk in Settings > Folders.",
                detail=str(error),
            ) from error
        raise DownloadPaused(f"Writing to {where} failed: {error.strerror or error}.", detail=str(error)) from error
