"""A sequence that is taken out of the cache and put back, in this process."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.child.driver import Answer, chat
from workbench.core.requests import LoadOptions
from workbench.engine import protocol
from workbench.engine.child import llama, loader
from workbench.engine.child.batch import Batch
from workbench.engine.child.llama import lib
from workbench.engine.child.loader import Model
from workbench.engine.child.prepare import Preparer
from workbench.engine.child.saved_state import StateSaver
from workbench.engine.child.scheduler import Scheduler
from workbench.engine.child.sequence import Sequence

TOKENS = list(range(10, 60))


@pytest.fixture
def load(tiny: dict[str, Path]) -> Iterator[Callable[[str], Model]]:
    llama.start_backend()
    models: list[Model] = []

    def start(name: str) -> Model:
        models.append(loader.load(str(tiny[name]), LoadOptions(n_ctx=256, n_threads=1), lambda fraction: True))
        return models[-1]

    yield start
    for model in models:
        lib.llama_free(model.context)
        lib.llama_model_free(model.handle)


def next_logits(model: Model, batch: Batch, seq_id: int) -> bytes:
    """Of the token after `TOKENS`."""
    assert batch.decode_rows(model.context, [(seq_id, 7, len(TOKENS))]) == 0
    return ctypes.string_at(lib.llama_get_logits_ith(model.context, 0), 4 * model.vocab.size)


@pytest.mark.parametrize("name", ["llama", "gemma2", "mamba"])
def test_put_back_a_sequence_is_what_it_was_to_the_bit(load: Callable[[str], Model], name: str) -> None:
    model = load(name)
    batch, saver, memory = Batch(64), StateSaver(model.context), lib.llama_get_memory(model.context)
    assert batch.decode_chunk(model.context, 0, TOKENS, 0) == 0
    saved = saver.save(0, TOKENS, 0)
    assert saved is not None and saved.tokens == TOKENS
    expected = next_logits(model, batch, 0)
    lib.llama_memory_seq_rm(memory, 0, -1, -1)
    assert batch.decode_chunk(model.context, 1, TOKENS[::-1], 0) == 0, "another is where it was"
    assert saver.restore(saved, 2)
    assert next_logits(model, batch, 2) == expected


def test_what_is_too_big_is_not_kept(load: Callable[[str], Model]) -> None:
    model = load("llama")
    assert Batch(64).decode_chunk(model.context, 0, TOKENS, 0) == 0
    size = len(StateSaver(model.context).save(0, TOKENS, 0).data)  # type: ignore[union-attr]
    assert StateSaver(model.context, most_bytes=size - 1).save(0, TOKENS, 0) is None
    assert StateSaver(model.context, most_bytes=2 * size - 1).save(0, TOKENS, size) is None


@pytest.mark.parametrize("keeps", [True, False])
def test_who_stepped_back_goes_on(load: Callable[[str], Model], monkeypatch: pytest.MonkeyPatch, keeps: bool) -> None:
    """Put back, or evaluated again where its state could not be kept; each says all it has to, once."""
    model = load("llama")
    if not keeps:
        monkeypatch.setattr(StateSaver, "save", lambda self, *_: None)
    restored = []
    restore = StateSaver.restore
    monkeypatch.setattr(StateSaver, "restore", lambda self, *a: restored.append(restore(self, *a)) or restored[-1])
    events: dict[int, list] = {0: [], 1: [], 2: []}

    def send(sequences: list[Sequence]) -> None:
        for sequence in sequences:
            events[sequence.id].extend(sequence.events)
            sequence.events.clear()

    scheduler, preparer = Scheduler(model, send), Preparer(model)
    for n in events:
        request = chat(f"{n} cat", seed=n, max_tokens=100, logit_bias={"2": -100.0})
        scheduler.add(preparer.sequence(protocol.Generate(id=n, request=request)))
    steps = 0
    while not scheduler.idle:
        scheduler.step()
        steps += 1
        assert steps < 2000
    for said in events.values():
        answer = Answer(said)
        assert answer.finished.reason == "length"
        assert answer.usage.completion_tokens == 100
    assert all(restored) and bool(restored) == keeps
    assert scheduler.pool.cells_used <= 256
