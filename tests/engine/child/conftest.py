"""Children to talk to: one with the starter model for a whole file, and fresh ones with tiny models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.child import tiny_models
from tests.engine.child.driver import Child, starter_model
from workbench.engine.protocol import LoadedModel


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    with Child(tmp_path_factory.mktemp("starter") / "child.log") as child:
        assert isinstance(child.load(starter_model(), n_ctx=2048), LoadedModel)
        yield child


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    """Without a model."""
    with Child(tmp_path / "child.log") as child:
        yield child


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Tiny models by name."""
    folder = tmp_path_factory.mktemp("tiny")
    return {
        "llama": tiny_models.llama(folder / "llama.gguf"),
        "qwen2": tiny_models.llama(folder / "qwen2.gguf", architecture="qwen2"),
        "gemma2": tiny_models.gemma2(folder / "gemma2.gguf"),
        "mamba": tiny_models.mamba(folder / "mamba.gguf"),
        "bert": tiny_models.bert(folder / "bert.gguf"),
        "lora": tiny_models.lora(folder / "lora.gguf"),
    }


@pytest.fixture
def with_tiny(tmp_path: Path, tiny: dict[str, Path]) -> Iterator[Callable[..., Child]]:
    """Starts children with a tiny model: `with_tiny("llama", n_ctx=512)`."""
    children: list[Child] = []

    def start(name: str, **options: Any) -> Child:
        child = Child(tmp_path / f"child{len(children)}.log")
        children.append(child)
        assert isinstance(child.load(tiny[name], **options), LoadedModel)
        return child

    yield start
    for child in children:
        child.close()
