"""A model file as a chat model, its engine scripted."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.models import fake_command, fake_local_model, write_model_file
from workbench.core.cancel import CancelToken
from workbench.core.errors import BadModelFile
from workbench.core.events import Finished, RunDetails, StreamEvent
from workbench.core.messages import Message
from workbench.core.models import ChatModel, CountsTokens, EmbeddingModel
from workbench.core.requests import ChatRequest, LoadOptions, merged
from workbench.engine import local_model
from workbench.engine.local_model import FileHashes, LocalModel

pytestmark = pytest.mark.usefixtures("no_processes_left")
HI = ChatRequest(messages=(Message.of("user", "hi there"),))


@pytest.fixture
def model(tmp_path: Path) -> Iterator[LocalModel]:
    made = fake_local_model(tmp_path)
    yield made
    made.close()


def events_of(model: ChatModel, request: ChatRequest = HI) -> list[StreamEvent]:
    return list(model.stream(request, CancelToken()))


def details_of(events: list[StreamEvent]) -> list[RunDetails]:
    return [event for event in events if isinstance(event, RunDetails)]


def test_is_what_the_program_expects(model: LocalModel) -> None:
    assert isinstance(model, ChatModel)
    assert isinstance(model, CountsTokens)
    assert isinstance(model, EmbeddingModel)


def test_info_comes_from_the_header_without_loading(model: LocalModel) -> None:
    info = model.info
    assert (info.id, info.name, info.provider, info.architecture) == ("fake", "fake", "local", "llama")
    assert (info.context_length, info.parameters, info.remote) == (4096, 128, False)
    assert info.size_bytes == model.path.stat().st_size
    assert "grammar" in info.capabilities
    assert not model.is_alive


def test_reasoning_is_a_capability_of_the_template(tmp_path: Path) -> None:
    template = {"tokenizer.chat_template": "{% if enable_thinking %}<think>{% endif %}"}
    path = write_model_file(tmp_path / "r.gguf", **template)
    assert "reasoning" in LocalModel("r", path, log_dir=tmp_path).info.capabilities


def test_run_details_hold_the_file_and_its_hash(model: LocalModel) -> None:
    digest = hashlib.sha256(model.path.read_bytes()).hexdigest()
    first = details_of(events_of(model))
    assert first[-1].gguf_sha256 == digest
    assert first[-1].gguf_path == str(model.path)
    assert first[-1].quantization == "F32"
    assert first[-1].llama_cpp_build == "fake"
    assert [details.gguf_sha256 for details in details_of(events_of(model))] == [digest], "known from the start"
    assert model.sha256() == digest


def test_run_details_hold_the_adapter_and_the_revision(tmp_path: Path) -> None:
    folder = tmp_path / "models--org--name" / "snapshots" / "0123abc"
    folder.mkdir(parents=True)
    lora = write_model_file(tmp_path / "lora.gguf")
    path = write_model_file(folder / "m.gguf")
    made = LocalModel("m", path, LoadOptions(lora_path=str(lora)), log_dir=tmp_path, command=fake_command())
    try:
        last = details_of(events_of(made))[-1]
    finally:
        made.close()
    assert last.model_version == "0123abc"
    assert last.adapter_sha256 == hashlib.sha256(lora.read_bytes()).hexdigest() == made._hashes.start(lora).value
    assert last.gguf_sha256


def test_hash_is_remembered_by_size_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, store = write_model_file(tmp_path / "m.gguf"), tmp_path / "cache" / "hashes.json"
    first = FileHashes(store).start(path).wait(None)
    assert first == hashlib.sha256(path.read_bytes()).hexdigest()

    def never(*_: Any) -> None:
        raise AssertionError("hashed again")

    with monkeypatch.context() as patched:
        patched.setattr(FileHashes, "_hash", never)
        assert FileHashes(store).start(path).value == first
    path.write_bytes(path.read_bytes() + b"more")
    assert FileHashes(store).start(path).wait(None) not in ("", first)


def test_damaged_store_of_hashes_is_no_error(tmp_path: Path) -> None:
    path, store = write_model_file(tmp_path / "m.gguf"), tmp_path / "hashes.json"
    store.write_text("not json")
    assert FileHashes(store).start(path).wait(None)


def test_hash_of_a_missing_file(model: LocalModel) -> None:
    model.path.unlink()
    with pytest.raises(BadModelFile):
        model.sha256()


def test_slow_hash_does_not_hold_the_run_up(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_model, "HASH_WAIT_S", 0.01)
    monkeypatch.setattr(FileHashes, "_hash", lambda *_: None)
    events = events_of(model)
    assert [details.gguf_sha256 for details in details_of(events)] == [""]
    assert isinstance(events[-1], Finished)


def test_counts_tokens_and_tells_status(model: LocalModel) -> None:
    assert model.status is None
    assert model.count_tokens(HI.messages) == 2
    assert model.is_loaded
    assert model.status is not None
    model.unload()
    assert not model.is_alive


def test_other_load_options_are_another_model(tmp_path: Path) -> None:
    model = fake_local_model(tmp_path)
    other = LocalModel("fake", model.path, LoadOptions(n_ctx=99), log_dir=tmp_path, command=fake_command())
    model.variant = {LoadOptions(n_ctx=99): other}.__getitem__
    try:
        list(model.stream(ChatRequest(messages=HI.messages, load=LoadOptions(n_ctx=99)), CancelToken()))
        assert (model.is_loaded, other.is_loaded) == (False, True)
        assert other.loaded is not None
        assert other.loaded.n_ctx == 99
    finally:
        model.close()
        other.close()


def test_merged_options() -> None:
    base = LoadOptions(n_ctx=1, n_threads=2)
    assert merged(base, LoadOptions(n_ctx=5, use_mmap=False)) == LoadOptions(n_ctx=5, n_threads=2, use_mmap=False)


def test_embedding_model_embeds_and_does_not_answer(tmp_path: Path) -> None:
    path = write_model_file(tmp_path / "e.gguf", **{"general.architecture": "bert"})
    model = LocalModel("e", path, log_dir=tmp_path, command=fake_command())
    try:
        assert model.info.capabilities == {"embeddings"}
        assert model.options.embeddings is True
        last = events_of(model)[-1]
        assert isinstance(last, Finished)
        assert last.error is not None
        assert "embedding model" in last.error.message
        assert not model.is_alive
        assert len(model.embed(["a", "b"], CancelToken())) == 2
    finally:
        model.close()


def test_file_that_is_no_model_fails_when_asked_not_before(tmp_path: Path) -> None:
    path = tmp_path / "page.gguf"
    path.write_text("<html>")
    model = LocalModel("page", path, log_dir=tmp_path)
    assert model.info.name == "page"
    last = events_of(model)[-1]
    assert isinstance(last, Finished)
    assert last.error is not None
    assert "web page" in last.error.message


def test_unreadable_file(tmp_path: Path) -> None:
    path = write_model_file(tmp_path / "m.gguf")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    last = events_of(LocalModel("m", path, log_dir=tmp_path))[-1]
    assert isinstance(last, Finished)
    assert last.error is not None
    assert "can't be read" in last.error.message
