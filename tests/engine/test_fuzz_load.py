"""Hundreds of damaged models against llama.cpp's own loader, in its process. The parent survives all of them, and has
words for each end."""

from __future__ import annotations

import contextlib
import random
import resource
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.child import tiny_models
from tests.engine.child.driver import Child, chat
from workbench.core.cancel import CancelToken
from workbench.core.errors import BadModelFile
from workbench.core.events import Finished
from workbench.core.gguf import GgufHeader, read_header
from workbench.core.requests import LoadOptions
from workbench.engine.failures import explain_exit
from workbench.engine.local_model import LocalModel
from workbench.engine.protocol import Failed, LoadedModel

MUTATIONS = 320
THROUGH_CLIENT = 12
HANG_S = 20.0
MEMORY_LIMIT = 6 * 1024**3
NUMBERS = (0, 1, 2, 3, 7, 255, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63, 2**64 - 1)
KEYS = (
    b"llama.context_length",
    b"llama.embedding_length",
    b"llama.block_count",
    b"llama.feed_forward_length",
    b"llama.attention.head_count",
    b"llama.attention.head_count_kv",
    b"llama.attention.layer_norm_rms_epsilon",
    b"llama.rope.dimension_count",
    b"llama.vocab_size",
    b"tokenizer.ggml.bos_token_id",
    b"tokenizer.ggml.eos_token_id",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return tiny_models.llama(tmp_path_factory.mktemp("tiny") / "tiny.gguf").read_bytes()


def mutated(whole: bytes, header_bytes: int, seed: int) -> bytes:
    """One to four changes, most of them in the header: there all decisions are made."""
    chance = random.Random(seed)
    data = bytearray(whole)
    if chance.random() < 0.25:  # a header that is well-formed and says something absurd
        key = chance.choice(KEYS)
        value = data.index(key) + len(key) + 4
        data[value : value + 4] = struct.pack("<I", chance.choice(NUMBERS) & 0xFFFFFFFF)
        return bytes(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(4, min(header_bytes, len(data)) if chance.random() < 0.9 else len(data))
        kind = chance.randrange(6)
        if kind == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[at] = chance.randrange(256)
        elif kind == 2:
            data[at : at + 8] = struct.pack("<Q", chance.choice(NUMBERS))
        elif kind == 3:
            data[at : at + 4] = struct.pack("<I", chance.choice(NUMBERS) & 0xFFFFFFFF)
        elif kind == 4:
            data[at:at] = chance.randbytes(chance.randint(1, 16))
        elif chance.random() < 0.5:
            del data[at : at + chance.randint(1, 16)]
        else:
            del data[max(at, 100) :]
    return bytes(data)


@contextlib.contextmanager
def limited_memory() -> Iterator[None]:
    """For processes started inside: a header that asks for terabytes must not get what the machine has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


class Victim:
    """A child that is used for as long as it lives."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "child.log"
        self._child: Child | None = None
        self.hung = False

    def try_out(self, path: Path) -> str:
        """Load a file and, if that works, let it answer. What came of it, in one word."""
        if self._child is None:
            with limited_memory():
                self._child = Child(self._log)
        child = self._child
        guard = threading.Timer(HANG_S, self._kill)
        guard.start()
        try:
            reply = child.load(path, n_ctx=256, n_threads=1, n_gpu_layers=0)
            if isinstance(reply, Failed):
                assert reply.error.message
                return "refused"
            assert isinstance(reply, LoadedModel)
            [answer] = child.generate(chat("the cat", max_tokens=3, seed=1))
            self.end()
            return "answered" if answer.finished.reason != "failed" else "failed"
        except (EOFError, BrokenPipeError):
            return self._died(path)
        finally:
            guard.cancel()

    def end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.close()

    def _kill(self) -> None:
        self.hung = True
        if self._child is not None:
            self._child.process.kill()

    def _died(self, path: Path) -> str:
        assert self._child is not None
        exit_code = self._child.process.wait(HANG_S)
        self.end()
        log = self._log.read_text(errors="replace").splitlines()
        error = explain_exit(path.name, exit_code, log, loading=True)
        assert error.message.endswith(".")
        assert error.hint
        return "died"


def parents_opinion(path: Path) -> GgufHeader | None:
    with contextlib.suppress(BadModelFile):
        header = read_header(path)
        assert header.facts is not None
        return header
    return None


@pytest.mark.slow
def test_mutated_models_are_refused_or_end_their_own_process_only(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mutated.gguf"
    path.write_bytes(whole)
    header_bytes = read_header(path).header_bytes
    victim, outcomes, refused_early = Victim(tmp_path), Counter[str](), 0
    odd: list[bytes] = []
    try:
        assert victim.try_out(path) == "answered", "unharmed it works"
        for seed in range(MUTATIONS):
            data = mutated(whole, header_bytes, seed)
            path.write_bytes(data)
            early = parents_opinion(path) is None
            outcome = victim.try_out(path)
            assert not victim.hung, f"seed {seed} hangs"
            refused_early += early
            outcomes[outcome] += 1
            if outcome != "answered" and not early:
                odd.insert(0 if outcome == "died" else len(odd), data)
    finally:
        victim.end()
    print(f"{MUTATIONS} mutated models: {dict(outcomes)}; {refused_early} refused by the parent before any load")
    assert outcomes["refused"] > MUTATIONS // 4
    through_client(path, odd[:THROUGH_CLIENT], tmp_path)


def through_client(path: Path, files: list[bytes], folder: Path) -> None:
    """Those that only llama.cpp refuses or dies of, by the way the program takes: a failed run with a reason."""
    for data in files:
        path.write_bytes(data)
        options = LoadOptions(n_ctx=256, n_threads=1, n_gpu_layers=0)
        model = LocalModel("mutated", path, options, log_dir=folder / "logs")
        try:
            with limited_memory():
                last = list(model.stream(chat("the cat", max_tokens=3), CancelToken()))[-1]
            assert isinstance(last, Finished)
            assert last.reason == "failed"
            assert last.error is not None
            assert last.error.message
        finally:
            model.close()
