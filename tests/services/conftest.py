from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from workbench.core.cancel import CancelToken
from workbench.core.events import Finished, StreamEvent
from workbench.core.models import ModelInfo, Prices
from workbench.core.requests import ChatRequest
from workbench.services.runner import Runner
from workbench.store import Store


class ScriptedModel:
    """Says what the test wrote down. An exception in the script is raised, an event waited for, a function called."""

    def __init__(
        self,
        *script: StreamEvent | BaseException | threading.Event | Callable[[], None],
        id: str = "scripted",
        prices: Prices | None = None,
        remote: bool = False,
    ) -> None:
        self.info = ModelInfo(id=id, name=id.title(), provider="test", prices=prices, remote=remote)
        self.script = script
        self.requests: list[ChatRequest] = []
        self.streaming = threading.Event()
        self.closed = 0

    def stream(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        self.requests.append(request)
        self.streaming.set()
        try:
            for step in self.script:
                if isinstance(step, threading.Event):
                    cancel.on_cancel(step.set)
                    assert step.wait(20)
                    if cancel.cancelled:
                        yield Finished(reason="cancelled")
                        return
                elif isinstance(step, BaseException):
                    raise step
                elif callable(step):
                    step()
                else:
                    yield step
        finally:
            self.closed += 1


class Models:
    """A catalogue of what the test puts into it."""

    def __init__(self, **models: ScriptedModel) -> None:
        self.models = models

    def get(self, model_id: str) -> ScriptedModel:
        return self.models[model_id]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "workbench.db") as opened:
        yield opened


@pytest.fixture
def runner(store: Store) -> Iterator[Runner]:
    runner = Runner(store)
    yield runner
    runner.close()
