"""Fake models for tests, registered through the plugin API like anybody's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec

from tests.core.gguf_bytes import gguf_file
from workbench.core.models import ChatModel
from workbench.core.requests import LoadOptions
from workbench.engine.local_model import FileHashes, LocalModel
from workbench.hookspecs import hookimpl

FAKE_CHILD = Path(__file__).with_name("fake_child.py")


def fake_command(**script: Any) -> list[str]:
    return [sys.executable, str(FAKE_CHILD), msgspec.json.encode(script).decode()]


def write_model_file(path: Path, **metadata: Any) -> Path:
    """A valid GGUF without weights worth the name: enough for every check that is made before llama.cpp's own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {"general.architecture": "llama", "general.name": path.stem, "llama.context_length": 4096} | metadata
    path.write_bytes(gguf_file(facts, [("output.weight", (32, 4), 0, 512)]))
    return path


def fake_local_model(folder: Path, name: str = "fake", **script: Any) -> LocalModel:
    """A local model whose engine is the scripted child."""
    return LocalModel(
        name,
        write_model_file(folder / f"{name}.gguf"),
        LoadOptions(),
        log_dir=folder / "logs",
        hashes=FileHashes(folder / "hashes.json"),
        command=fake_command(**script),
    )


class FakeModels:
    """A plugin that offers models."""

    def __init__(self, *models: ChatModel) -> None:
        self._models = list(models)

    @hookimpl
    def workbench_models(self) -> list[ChatModel]:
        return self._models
