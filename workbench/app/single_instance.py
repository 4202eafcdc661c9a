"""One window per user and data folder: a second start raises the first and hands its files over.

The first start holds a lock file for as long as it runs and listens on a local socket (a named pipe on Windows), both
in a folder that only the user can enter; no port is opened. What it receives is one line of JSON,
`{"files": [absolute paths], "activation_token": "…"}`, and it answers `ok`.
"""

from __future__ import annotations

import enum
import importlib
import os
import stat
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

from PySide6.QtCore import QCryptographicHash, QObject, Signal, Slot

from workbench.core.paths import Paths

ANSWER_WAIT_S = 2.0
"""After this an open window that took our words and says nothing counts as hanging."""
START_WAIT_S = 10.0
"""How long another start may take until it listens, or an ending program until it is gone."""
LOOK_EVERY_S = 0.05
MAX_MESSAGE_BYTES = 1_000_000
SOCKET_PATH_MAX = 100
"""Unix sockets' paths end at 104 (macOS) or 108 bytes (Linux)."""
ANSWER = b"ok\n"
WINDOWS = sys.platform == "win32"


class Start(enum.Enum):
    FIRST = "first"
    HANDED_OVER = "handed over"
    NO_ANSWER = "no answer"  # another window hangs, or is not ours to talk to


class SingleInstance(QObject):
    """Held by the composition root for as long as the window is open."""

    files_received = Signal(list)
    """Absolute paths another start was given; may be empty: it only wants the window to be seen."""

    def __init__(self, paths: Paths, folder: Path | None = None, parent: QObject | None = None) -> None:
        """`folder` for the lock and the socket is the user's runtime folder unless a test says otherwise."""
        super().__init__(parent)
        self._folder = folder or runtime_folder()
        name = _digest(paths.data.resolve())[:16]
        self._lock_path = self._folder / f"{name}.lock" if self._folder else None
        self._address = _address(self._folder, name) if self._folder else ""
        self._lock: IO[bytes] | None = None
        self._server: Any = None
        self._received: dict[Any, bytes] = {}  # of each other start that speaks to us

    # --- at the start --------------------------------------------------------------------------------------------
    def begin(self, files: list[str]) -> Start:
        """Become the first, or hand `files` over to it. Costs a fraction of a millisecond where there is no other."""
        if self._lock_path is None or self._take_lock():
            return Start.FIRST
        message = _message(files)
        deadline = time.monotonic() + START_WAIT_S
        while True:
            answer = self._ask(message)
            if answer is not None:
                return Start.HANDED_OVER if answer else Start.NO_ANSWER
            if self._take_lock():  # it has just ended
                return Start.FIRST
            if time.monotonic() > deadline:
                return Start.NO_ANSWER
            time.sleep(LOOK_EVERY_S)

    def _take_lock(self) -> bool:
        assert self._lock_path is not None
        try:
            file = self._lock_path.open("a+b")
        except OSError:
            return True  # no lock can be had here: every start opens a window
        if not _try_lock(file):
            file.close()
            return False
        self._lock = file
        return True

    def _ask(self, message: bytes) -> bool | None:
        """True: taken. False: it took our call and is silent. None: nobody listens (yet, or any more)."""
        network = importlib.import_module("PySide6.QtNetwork")
        deadline = time.monotonic() + ANSWER_WAIT_S
        socket = network.QLocalSocket()
        socket.connectToServer(self._address)
        if not socket.waitForConnected(round(ANSWER_WAIT_S * 1000)):
            return None
        socket.write(message)
        received = b""
        while ANSWER not in received:
            left_ms = round((deadline - time.monotonic()) * 1000)
            if left_ms <= 0:
                return False
            if not socket.waitForReadyRead(left_ms) and not socket.bytesAvailable():
                closed = socket.state() != network.QLocalSocket.LocalSocketState.ConnectedState
                return None if closed else False
            received += bytes(socket.readAll().data())
        return True

    # --- while the window is open ----------------------------------------------------------------------------------
    def listen(self, _result: object = None) -> None:
        """Answer further starts. Call it after the first paint; importing QtNetwork costs some milliseconds."""
        if self._lock is None or self._server is not None:
            return
        network = importlib.import_module("PySide6.QtNetwork")
        network.QLocalServer.removeServer(self._address)  # of a program that was killed: the lock says none is alive
        server = network.QLocalServer(self)
        server.setSocketOptions(network.QLocalServer.SocketOption.UserAccessOption)
        server.newConnection.connect(self._accept)
        if server.listen(self._address):
            self._server = server

    @property
    def listening(self) -> bool:
        return self._server is not None

    def close(self) -> None:
        """Stop answering, before the end begins; the lock is let go when nothing is written any more (`release`)."""
        if self._server is None:
            return
        for socket in list(self._received):
            socket.abort()
        self._server.close()
        self._server = None

    def release(self) -> None:
        self.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @Slot()
    def _accept(self) -> None:
        while self._server is not None and self._server.hasPendingConnections():
            socket = self._server.nextPendingConnection()
            self._received[socket] = b""
            socket.readyRead.connect(self._read_callers)
            socket.disconnected.connect(self._forget_gone)
        self._read_callers()

    @Slot()
    def _read_callers(self) -> None:
        for socket in list(self._received):
            if not socket.bytesAvailable():
                continue
            received = self._received[socket] + bytes(socket.readAll().data())
            line, newline, rest = received.partition(b"\n")
            self._received[socket] = rest if newline else received
            if newline or len(received) > MAX_MESSAGE_BYTES:
                self._answer(socket, line)

    def _answer(self, socket: Any, line: bytes) -> None:
        parsed = _parse(line)
        if parsed is None:
            socket.abort()
            return
        files, token = parsed
        socket.write(ANSWER)
        socket.flush()
        if token:  # Wayland lets only those come to the front whom the user's last click allowed to
            os.environ["XDG_ACTIVATION_TOKEN"] = token
        self.files_received.emit(files)

    @Slot()
    def _forget_gone(self) -> None:
        unconnected = importlib.import_module("PySide6.QtNetwork").QLocalSocket.LocalSocketState.UnconnectedState
        for socket in [socket for socket in self._received if socket.state() == unconnected]:
            del self._received[socket]
            socket.deleteLater()


# --- messages and places -------------------------------------------------------------------------------------------
def _message(files: list[str]) -> bytes:
    import json  # noqa: PLC0415 - not before the first paint

    absolute = [str(Path(name).absolute()) for name in files]  # the first start has another working folder
    token = os.environ.get("XDG_ACTIVATION_TOKEN", "")
    return json.dumps({"files": absolute, "activation_token": token}).encode() + b"\n"


def _parse(line: bytes) -> tuple[list[str], str] | None:
    import json  # noqa: PLC0415 - not before the first paint

    try:
        message = json.loads(line)
    except ValueError:
        return None
    if not isinstance(message, dict):
        return None
    files, token = message.get("files"), message.get("activation_token", "")
    if not isinstance(files, list) or not all(isinstance(name, str) for name in files) or not isinstance(token, str):
        return None
    return files, token


def runtime_folder() -> Path | None:
    """A folder that only this user can enter, or None where there is none: then every start opens a window."""
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or "")
    if not WINDOWS and base.is_absolute() and len(os.fsencode(base)) < SOCKET_PATH_MAX - 40:
        folder = _private(base / "model-workbench")
        if folder is not None:
            return folder
    owner = "" if WINDOWS else f"-{os.getuid()}"
    return _private(Path(tempfile.gettempdir()) / f"model-workbench{owner}")


def _private(folder: Path) -> Path | None:
    """The folder, made if need be; None if it is another user's, a link, or open to others."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    if WINDOWS:
        return folder
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not stat.S_IMODE(found.st_mode) & 0o077
    return folder if ours else None


def _address(folder: Path, name: str) -> str:
    if WINDOWS:
        user = _digest(folder)[:8]  # the temporary folder is the user's own there
        return f"model-workbench-{user}-{name}"
    return str(folder / f"{name}.sock")


def _digest(path: Path) -> str:
    """Hexadecimal SHA-256; Python's hashlib would load OpenSSL before the first paint."""
    return bytes(QCryptographicHash.hash(os.fsencode(path), QCryptographicHash.Algorithm.Sha256).data()).hex()


def _try_lock(file: IO[bytes]) -> bool:
    """Without waiting. The system lets go of it when the process ends, however it ends."""
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - exists on Windows only

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - does not exist on Windows

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
