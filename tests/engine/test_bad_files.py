"""Bad input against the real engine process: one clear error each, the parent lives, the next prompt works."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.child import tiny_models
from workbench.core.cancel import CancelToken
from workbench.core.errors import ErrorInfo
from workbench.core.events import Finished, StreamEvent, TextDelta
from workbench.core.messages import Message
from workbench.core.requests import ChatRequest, LoadOptions, ResponseFormat, Sampling
from workbench.engine.local_model import LocalModel
from workbench.services.header_cache import starter_path

pytestmark = pytest.mark.usefixtures("no_processes_left")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.llama(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Callable[[Path], LocalModel]]:
    models: list[LocalModel] = []

    def make(path: Path) -> LocalModel:
        options = LoadOptions(n_ctx=256, n_threads=1, n_gpu_layers=0)
        models.append(LocalModel(path.stem, path, options, log_dir=tmp_path / "logs"))
        return models[-1]

    yield make
    for model in models:
        model.close()


@pytest.fixture
def model(load: Callable[[Path], LocalModel], tiny: Path) -> LocalModel:
    return load(tiny)


def ask(text: str = "a cat", max_tokens: int = 4, **fields: Any) -> ChatRequest:
    sampling = Sampling(max_tokens=max_tokens, seed=1, temperature=1.0)
    return ChatRequest(messages=(Message.of("user", text),), sampling=sampling, **fields)


def run(model: LocalModel, request: ChatRequest | None = None) -> Finished:
    events = list(model.stream(request or ask(), CancelToken()))
    last = events[-1]
    assert isinstance(last, Finished)
    assert [isinstance(event, Finished) for event in events].count(True) == 1
    return last


def error_of(last: Finished) -> ErrorInfo:
    assert last.reason == "failed"
    error = last.error
    assert error is not None
    assert len(error.message.splitlines()) == 1
    assert "Traceback" not in error.message
    return error


def works(model: LocalModel) -> bool:
    return run(model).reason in ("stop", "length")


class TestFiles:
    def test_not_a_model(self, load: Callable[[Path], LocalModel], tmp_path: Path) -> None:
        path = tmp_path / "page.gguf"
        path.write_text("<!doctype html><title>Sign in</title>")
        model = load(path)
        assert "web page" in error_of(run(model)).message
        assert not model.is_alive

    def test_truncated(self, load: Callable[[Path], LocalModel], tiny: Path, tmp_path: Path) -> None:
        path = tmp_path / "cut.gguf"
        path.write_bytes(tiny.read_bytes()[:-50_000])
        error = error_of(run(load(path)))
        assert (error.kind, error.hint) == ("bad_model_file", "Download the file again.")
        assert "truncated: " in error.message

    @pytest.mark.parametrize(
        ("old", "new", "word"),
        [
            (b"llama.block_count", b"llama.block_coumt", "llama.block_count"),
            (b"blk.1.attn_q.weight", b"blk.1.attn_z.weight", "blk.1.attn_q.weight|tensor"),
            (b"tokenizer.ggml.model", b"tokenizer.ggml.modle", "tokenizer.ggml.model"),
        ],
    )
    def test_mutated_header(
        self, load: Callable[[Path], LocalModel], tiny: Path, tmp_path: Path, old: bytes, new: bytes, word: str
    ) -> None:
        path = tmp_path / "mutated.gguf"
        data = tiny.read_bytes()
        assert old in data
        path.write_bytes(data.replace(old, new, 1))
        error = error_of(run(load(path)))
        assert error.kind == "bad_model_file"
        assert any(part in error.message for part in word.split("|")), error
        assert "mutated" in error.message

    def test_unknown_architecture(self, load: Callable[[Path], LocalModel], tmp_path: Path) -> None:
        path = tiny_models.llama(tmp_path / "new.gguf", architecture="martian")
        error = error_of(run(load(path)))
        assert error.kind == "bad_model_file"
        assert "unknown architecture “martian”" in error.message
        assert "newer version" in error.hint

    def test_vanished(self, load: Callable[[Path], LocalModel], tmp_path: Path) -> None:
        path = tiny_models.llama(tmp_path / "soon_gone.gguf")
        model = load(path)
        assert works(model)
        path.unlink()
        assert works(model), "loaded is loaded"
        model.unload()
        assert "not there" in error_of(run(model)).message

    def test_vanished_before_the_first_use(self, load: Callable[[Path], LocalModel], tmp_path: Path) -> None:
        path = tiny_models.llama(tmp_path / "soon_gone.gguf")
        model = load(path)
        path.unlink()
        assert "not there" in error_of(run(model)).message


class TestRequests:
    @pytest.mark.parametrize(
        ("request_", "kind", "words"),
        [
            (ask("cat " * 500), "context_overflow", "the context holds 256"),
            (ask(response_format=ResponseFormat(kind="grammar", grammar='root ::= ("a"')), "bad_input", "rammar"),
            (ask(response_format=ResponseFormat(kind="grammar", grammar="nothing")), "bad_input", "rammar"),
            (
                ask(response_format=ResponseFormat(kind="json_schema", schema={"type": "no such type"})),
                "bad_input",
                "chema",
            ),
            (
                ask(response_format=ResponseFormat(kind="json_schema", schema={"$ref": "#/nowhere"})),
                "bad_input",
                "chema",
            ),
            (ask(chat_template="one\n{% if %}"), "template_error", "line 2"),
            (ask(chat_template="{{ raise_exception('not like this') }}"), "template_error", "not like this"),
            (ask(chat_template="{{ 'x' * 10**9 }}"), "template_error", "stopped"),
        ],
    )
    def test_one_clear_error_and_the_process_goes_on(
        self, model: LocalModel, request_: ChatRequest, kind: str, words: str
    ) -> None:
        assert works(model)
        pid = model.client.pid
        error = error_of(run(model, request_))
        assert error.kind == kind
        assert words in error.message
        assert works(model)
        assert model.client.pid == pid


class TestDeath:
    def test_killed_mid_answer_keeps_the_text_and_the_next_prompt_works(
        self, load: Callable[[Path], LocalModel]
    ) -> None:
        path = starter_path()
        assert path is not None
        model = load(path)
        stream = model.stream(ask("Tell a long story.", max_tokens=200), CancelToken())
        texts: list[str] = []
        events: list[StreamEvent] = []
        for event in stream:
            events.append(event)
            if isinstance(event, TextDelta):
                texts.append(event.text)
                if len(texts) == 3:
                    assert model.client.pid is not None
                    os.kill(model.client.pid, signal.SIGKILL)
        assert 3 <= len(texts) < 200
        last = events[-1]
        assert isinstance(last, Finished)
        error = error_of(last)
        assert error.kind == "engine_died"
        assert "ended by the system" in error.message
        assert works(model)

    def test_killed_while_idle(self, model: LocalModel) -> None:
        assert works(model)
        assert model.client.pid is not None
        os.kill(model.client.pid, signal.SIGKILL)
        assert works(model)
