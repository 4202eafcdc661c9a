"""Engine clients and models that end with their test, and no process after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.fakes.models import fake_command, write_model_file
from workbench.core.requests import LoadOptions
from workbench.engine.client import EngineClient


@pytest.fixture
def no_processes_left() -> Iterator[None]:
    """Neither running nor zombies."""
    before = set(psutil.Process().children(recursive=True))
    yield
    left = set(psutil.Process().children(recursive=True)) - before
    assert not left, f"processes left: {left}"


@pytest.fixture
def make_client(tmp_path: Path, no_processes_left: None) -> Iterator[Callable[..., EngineClient]]:
    """Clients of the scripted child: `make_client(tokens=5, die="kill", …)`; `client_…` goes to EngineClient."""
    clients: list[EngineClient] = []

    def make(**fields: Any) -> EngineClient:
        own = {name.removeprefix("client_"): fields.pop(name) for name in list(fields) if name.startswith("client_")}
        path = write_model_file(tmp_path / "models" / f"model{len(clients)}.gguf")
        command = own.pop("command", fake_command(**fields))
        client = EngineClient(path, LoadOptions(), log_dir=tmp_path / "logs", command=command, **own)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()
