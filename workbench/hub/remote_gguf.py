"""Reads the header of a GGUF file on the Hub with Range requests: what a model is, before a byte of weights."""

from __future__ import annotations

import importlib.util
import mmap
import threading
from collections.abc import Callable
from pathlib import Path

from workbench.core.cancel import CancelToken
from workbench.core.errors import BadModelFile
from workbench.core.gguf import GgufHeader, NeedMoreBytes, parse_header
from workbench.core.settings import Network
from workbench.hub.auth import usual_token
from workbench.hub.client import rate_limited
from workbench.hub.errors import HubError
from workbench.hub.network import hub_endpoint
from workbench.hub.repos import Quantization
from workbench.hub.resolve import HubSession, Resolved
from workbench.hub.transfer import body

FIRST_BYTES = 512 * 1024
"""Holds the metadata; vocabularies take 2 to 10 MB more."""
PIECE_BYTES = 64 * 1024
TRIES = 3
_KEPT = 64


class RemoteHeaders:
    """Fetches headers and keeps the last ones. Blocks: not for the UI thread. Thread-safe."""

    def __init__(
        self,
        network: Network | None = None,
        *,
        token: Callable[[], str | None] = usual_token,
        endpoint: str = "",
        stall_s: float = 15.0,
    ) -> None:
        self._network = network or Network()
        self._token = token
        self._endpoint = endpoint or hub_endpoint()
        self._stall_s = stall_s
        self._kept: dict[tuple[str, str], GgufHeader] = {}
        self._lock = threading.Lock()

    def read_model(
        self, repo_id: str, model: Quantization, cancel: CancelToken, *, revision: str = "main"
    ) -> tuple[GgufHeader, ...]:
        """The headers of all files of a model; each part of a split one lists its own tensors."""
        return tuple(self.read(repo_id, file.path, cancel, revision=revision) for file in model.files)

    def read(self, repo_id: str, filename: str, cancel: CancelToken, *, revision: str = "main") -> GgufHeader:
        """One file's header. Raises HubError, BadModelFile (no GGUF, or damaged) or Cancelled."""
        session = HubSession(self._network, self._endpoint, self._token, answer_s=self._stall_s)
        try:
            target = session.resolve(repo_id, filename, revision, cancel)
            key = (target.etag, filename)
            with self._lock:
                kept = self._kept.get(key)
            if kept is not None:
                return kept
            header = self._fetch(session, target, cancel)
        except BadModelFile as error:
            raise BadModelFile(f"{filename}: {error.message}", hint=error.hint, detail=error.detail) from None
        finally:
            session.close()
        with self._lock:
            self._kept[key] = header
            while len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]
        return header

    def _fetch(self, session: HubSession, target: Resolved, cancel: CancelToken) -> GgufHeader:
        data = bytearray()
        wanted = min(FIRST_BYTES, target.size)
        while True:
            self._extend(session, target, data, wanted, cancel)
            try:
                return parse_header(bytes(data), target.size)
            except NeedMoreBytes as more:
                if more.minimum > target.size or wanted == target.size:
                    raise BadModelFile(
                        "The file ends within its header.", hint="Choose another file or repository."
                    ) from None
                wanted = min(target.size, max(more.minimum, 2 * wanted))

    def _extend(self, session: HubSession, target: Resolved, data: bytearray, wanted: int, cancel: CancelToken) -> None:
        """Bring `data` to the first `wanted` bytes of the file, whatever part of it the server sends."""
        memory = memoryview(bytearray(PIECE_BYTES))
        for attempt in range(TRIES):
            try:
                response = session.open(target.link, len(data), wanted, cancel)
                try:
                    if response.status_code == 429:
                        raise rate_limited(response)
                    if response.status_code not in (200, 206):
                        raise HubError(f"The storage has trouble ({response.status_code}).", retryable=True)
                    if response.status_code == 200:
                        data.clear()
                    for piece in body(response, cancel, self._stall_s, lambda: memory):
                        data += piece
                        if len(data) >= wanted:
                            return
                finally:
                    response.close()
            except HubError as error:
                if not error.retryable or error.status == 429 or attempt == TRIES - 1:
                    raise
        raise HubError("The storage sent less than the file's header.", hint="Try again.")


def knows_architecture(architecture: str) -> bool | None:
    """Whether the llama.cpp that is installed has this architecture's name in it; None: it can't be found.

    Looked up in the library's file, because loading it belongs to the child process alone.
    """
    library = _library()
    if library is None or not architecture:
        return None
    try:
        with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            return text.find(architecture.encode() + b"\0") >= 0
    except (OSError, ValueError):
        return None


def _library() -> Path | None:
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations))) / "lib"
    names = ("libllama.so", "libllama.dylib", "llama.dll")
    return next((folder / name for name in names if (folder / name).is_file()), None)
