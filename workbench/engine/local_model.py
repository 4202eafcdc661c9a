"""A GGUF file as a chat model: the same interface as every closed one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from workbench.core.cancel import CancelToken
from workbench.core.errors import BadInput, BadModelFile
from workbench.core.events import Finished, LoadProgress, RunDetails, StreamEvent, Timings, Usage
from workbench.core.gguf import ModelFacts, read_header, split_parts
from workbench.core.messages import Message
from workbench.core.models import ModelInfo
from workbench.core.requests import ChatRequest, LoadOptions, merged
from workbench.engine.client import EngineClient
from workbench.engine.protocol import Counted, LoadedModel, StatusReport

HASH_CHUNK = 4 * 1024 * 1024
HASH_WAIT_S = 2.0
"""How long the end of a run waits for the file's hash. A file that takes longer is hashed by the next run's end."""
CHAT_CAPABILITIES = frozenset({"json_schema", "grammar", "logprobs", "seed", "tools"})
REASONING_MARKS = (
    "<think>",
    "enable_thinking",
    "[THINK]",
    "<|channel|>analysis",
    "reasoning_content",
    "<|channel>thought",
)


@dataclass(frozen=True, slots=True)
class Measured:
    """What loading a model took (then there is no speed) or what a run of it was like."""

    memory_bytes: int = 0
    """Of the engine's process."""
    decode_tokens_per_s: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    alone: bool = True
    """No other run shared the model meanwhile."""


class LocalModel:
    """One model file with one set of load options. Thread-safe.

    It is a ChatModel, CountsTokens and EmbeddingModel. Facts come from the file's header, without loading it.
    """

    def __init__(
        self,
        model_id: str,
        path: Path,
        options: LoadOptions = LoadOptions(),  # noqa: B008 - frozen
        *,
        log_dir: Path,
        facts: ModelFacts | None = None,
        hashes: FileHashes | None = None,
        command: list[str] | None = None,
        name: str = "",
    ) -> None:
        """`facts`: of the header, where they are known. A file that can't be read fails when it is used."""
        self.path = path
        self.facts = facts if facts is not None else _facts(path)
        if self.facts.is_embedding and options.embeddings is None:
            options = msgspec.structs.replace(options, embeddings=True)
        self.options = options
        self.client = EngineClient(path, options, log_dir=log_dir, command=command)
        self.on_use: Callable[[LocalModel], None] = _nothing
        """Called in the run's thread before the model is used and perhaps loaded: makes room for it."""
        self.on_measured: Callable[[LocalModel, Measured], None] = _nothing_learned
        """Called in the run's thread after a load and at a run's end, to learn from what was measured."""
        self.variant: Callable[[LoadOptions], LocalModel] | None = None
        """Gives the same file with other load options, for requests that ask for such."""
        self._hashes = hashes or FileHashes(None)
        self._info = describe(model_id, path, self.facts, name=name)

    @property
    def info(self) -> ModelInfo:
        return self._info

    @property
    def is_loaded(self) -> bool:
        return self.client.loaded is not None

    @property
    def is_alive(self) -> bool:
        """Loaded or being loaded: it takes memory."""
        return self.client.alive

    @property
    def loaded(self) -> LoadedModel | None:
        return self.client.loaded

    @property
    def running(self) -> int:
        """Requests under way."""
        return self.client.running

    @property
    def status(self) -> StatusReport | None:
        """What the engine is doing; None while the model is not loaded. Asks the engine: not for the UI thread."""
        return self.client.status()

    def load(self, cancel: CancelToken) -> Iterator[LoadProgress]:
        """Load ahead of the first prompt. Raises WorkbenchError."""
        self.on_use(self)
        yield from self.client.load(cancel)
        if self.loaded is not None:
            self.on_measured(self, Measured(memory_bytes=self.loaded.memory_bytes))

    def unload(self) -> None:
        """Free its memory. Requests under way fail; the next one loads it again."""
        self.client.unload()

    def unload_if_idle(self) -> bool:
        """Free its memory unless it is answering. Whether that was done."""
        return self.client.unload_if_idle()

    def close(self) -> None:
        """For good."""
        self.client.close()

    def stream(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        options = merged(self.options, request.load)
        if options != self.options and self.variant is not None:
            yield from self.variant(options).stream(msgspec.structs.replace(request, load=LoadOptions()), cancel)
            return
        if options.embeddings and self.facts.is_embedding:
            refused = BadInput(f"{self.info.name} is an embedding model: it does not answer.")
            yield Finished(reason="failed", error=refused.info)
            return
        self.on_use(self)
        hashes = self._start_hashing()
        details: RunDetails | None = None
        timings, usage = Timings(), Usage()
        alone = self.running == 0
        for event in self.client.generate(request, cancel):
            alone = alone and self.running <= 1
            if isinstance(event, RunDetails):
                event = details = self._completed(event, hashes)
            elif isinstance(event, Timings):
                timings = event
            elif isinstance(event, Usage):
                usage = event
            elif isinstance(event, Finished) and details is not None:
                for pending in hashes.values():
                    pending.wait(0 if cancel.cancelled else HASH_WAIT_S)
                if (completed := self._completed(details, hashes)) != details:
                    yield completed
            if isinstance(event, Finished) and event.reason in ("stop", "length"):
                self.on_measured(self, _measured(timings, usage, alone))
            yield event

    def count_tokens(self, messages: tuple[Message, ...]) -> int:
        return self.count(ChatRequest(messages=messages)).prompt_tokens

    def count(self, request: ChatRequest) -> Counted:
        """The rendered prompt, its tokens and the context's size. Loads the model. Raises WorkbenchError."""
        options = merged(self.options, request.load)
        if options != self.options and self.variant is not None:
            return self.variant(options).count(msgspec.structs.replace(request, load=LoadOptions()))
        self.on_use(self)
        return self.client.count(msgspec.structs.replace(request, load=LoadOptions()))

    def embed(self, texts: list[str], cancel: CancelToken) -> list[list[float]]:
        if not self.options.embeddings and self.variant is not None:
            return self.variant(merged(self.options, LoadOptions(embeddings=True))).embed(texts, cancel)
        self.on_use(self)
        return self.client.embed(texts, cancel)

    def sha256(self) -> str:
        """The file's hash: at once if it was hashed before and is unchanged, else it takes as long as reading the file.
        Raises BadModelFile."""
        digest = self._hashes.start(self.path).wait(None)
        if not digest:
            raise BadModelFile(f"The model file {self.path} can't be read.", hint="Check that it is still there.")
        return digest

    def _start_hashing(self) -> dict[str, PendingHash]:
        """By the field of `RunDetails` that the hash belongs in."""
        hashes = {"gguf_sha256": self._hashes.start(self.path)}
        if self.options.lora_path:
            hashes["adapter_sha256"] = self._hashes.start(Path(self.options.lora_path))
        return hashes

    def _completed(self, details: RunDetails, hashes: dict[str, PendingHash]) -> RunDetails:
        """With what the engine's process does not know."""
        return msgspec.structs.replace(
            details,
            model_version=details.model_version or revision_of(self.path),
            gguf_path=details.gguf_path or str(self.path),
            quantization=details.quantization or self.facts.quantization,
            architecture=details.architecture or self.facts.architecture,
            **{field: getattr(details, field) or pending.value for field, pending in hashes.items()},
        )


class PendingHash:
    """A hash that is known or being computed."""

    def __init__(self, value: str = "") -> None:
        self.value = value
        self._done = threading.Event()
        if value:
            self._done.set()

    def set(self, value: str) -> None:
        self.value = value
        self._done.set()

    def wait(self, timeout_s: float | None) -> str:
        """Empty if it takes longer or the file can't be read."""
        self._done.wait(timeout_s)
        return self.value


class FileHashes:
    """SHA-256 of files, each computed once in a thread and remembered by path, size and modification time."""

    def __init__(self, store: Path | None) -> None:
        """`store`: a JSON file that keeps them over restarts, or None."""
        self._store = store
        self._lock = threading.Lock()
        self._pending: dict[str, PendingHash] = {}
        self._known: dict[str, str] | None = None

    def start(self, path: Path) -> PendingHash:
        """Begin hashing if it has not been done. Returns at once."""
        try:
            stat = path.stat()
        except OSError:
            gone = PendingHash()
            gone.set("")
            return gone
        key = f"{path}|{stat.st_size}|{stat.st_mtime_ns}"
        with self._lock:
            if self._known is None:
                self._known = self._read()
            if key in self._known:
                return PendingHash(self._known[key])
            if key not in self._pending:
                self._pending[key] = PendingHash()
                threading.Thread(target=self._hash, args=(path, key), name="file hash", daemon=True).start()
            return self._pending[key]

    def _hash(self, path: Path, key: str) -> None:
        digest = ""
        with contextlib.suppress(OSError), path.open("rb") as file:
            sha256 = hashlib.sha256()
            while chunk := file.read(HASH_CHUNK):
                sha256.update(chunk)
            stat = os.fstat(file.fileno())
            if key == f"{path}|{stat.st_size}|{stat.st_mtime_ns}":  # else it changed while it was read
                digest = sha256.hexdigest()
        with self._lock:
            pending = self._pending.pop(key)
            if digest and self._known is not None:
                self._known[key] = digest
                self._write()
        pending.set(digest)

    def _read(self) -> dict[str, str]:
        if self._store is None:
            return {}
        try:
            return msgspec.json.decode(self._store.read_bytes(), type=dict[str, str])
        except (OSError, msgspec.MsgspecError):
            return {}

    def _write(self) -> None:
        if self._store is None:
            return
        with contextlib.suppress(OSError):
            self._store.parent.mkdir(parents=True, exist_ok=True)
            unfinished = self._store.with_suffix(".tmp")
            unfinished.write_text(json.dumps(self._known, indent=1))
            unfinished.replace(self._store)


def _nothing(_model: LocalModel) -> None:
    """The default of `on_use`."""


def _nothing_learned(_model: LocalModel, _measured: Measured) -> None:
    """The default of `on_measured`."""


def _measured(timings: Timings, usage: Usage, alone: bool) -> Measured:
    return Measured(
        memory_bytes=timings.memory_bytes or 0,
        decode_tokens_per_s=timings.decode_tokens_per_s or 0.0,
        prompt_tokens=usage.prompt_tokens or 0,
        completion_tokens=usage.completion_tokens or 0,
        alone=alone,
    )


def revision_of(path: Path) -> str:
    """The commit of its repository that a file of Hugging Face's cache belongs to; empty for other files."""
    match = re.search(r"/models--[^/]+/snapshots/([^/]+)/", path.as_posix())
    return match[1] if match else ""


def _facts(path: Path) -> ModelFacts:
    try:
        return read_header(path).facts
    except BadModelFile:
        return ModelFacts()


def describe(model_id: str, path: Path, facts: ModelFacts, size_bytes: int | None = None, name: str = "") -> ModelInfo:
    """What the window and the command line show of a model file. `size_bytes`: of all its parts."""
    capabilities = set(CHAT_CAPABILITIES)
    if any(mark in (facts.chat_template or "") for mark in REASONING_MARKS):
        capabilities.add("reasoning")
    if size_bytes is None:
        with contextlib.suppress(OSError, BadModelFile):
            size_bytes = sum(part.stat().st_size for part in split_parts(path, facts))
    return ModelInfo(
        id=model_id,
        name=name or facts.name or path.stem,
        provider="local",
        context_length=facts.context_length,
        capabilities=frozenset({"embeddings"} if facts.is_embedding else capabilities),
        path=str(path),
        size_bytes=size_bytes,
        quantization=facts.quantization,
        architecture=facts.architecture,
        parameters=facts.parameters or None,
    )
