"""The window with a Hub on the loopback interface."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from tests.engine.child import tiny_models
from tests.fakes.fake_hub import FakeHub
from tests.ui.driver import Driver
from workbench.ui.models.page import ModelsPage

TINY = "org/tiny-GGUF"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_CACHE", "LLAMA_CACHE", "OLLAMA_MODELS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    with FakeHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub


@pytest.fixture
def tiny(hub: FakeHub, tmp_path: Path) -> bytes:
    """A model that really loads, on the Hub as org/tiny-GGUF."""
    (tmp_path / "source").mkdir()
    content = tiny_models.llama(tmp_path / "source" / "tiny-F16.gguf").read_bytes()
    hub.add(TINY, {"tiny-F16.gguf": content, "README.md": b"# Tiny\n\nA model card.\n"})
    return content


class ModelsDriver(Driver):
    """What a user does in the Models place."""

    @property
    def models(self) -> ModelsPage:
        page = self.window.page("models")
        assert isinstance(page, ModelsPage)
        return page

    def open_models(self, part: str = "installed") -> ModelsPage:
        self.shortcut("Ctrl+3")
        self.wait(lambda: self.window.page("models") is not None)
        self.wait(lambda: self.models.state.hub.access is not None)
        self.wait(lambda: self.models.state.inventory is not None)
        self.click(self.models.segments.buttons[part])
        return self.models

    def search(self, text: str) -> None:
        """Type and press Enter, and wait for the first page."""
        discover = self.models.discover
        discover.field.clear()
        self.qtbot.keyClicks(discover.field, text)
        self.press("Return", discover.field)
        self.wait(lambda: not discover.search.busy)

    def open_repository(self, repo_id: str) -> None:
        """Click its row, and wait for what the Hub knows of it."""
        discover = self.models.discover
        row = [repo.id for repo in discover.search.rows].index(repo_id)
        index = discover.model.index(row)
        discover.list.scrollTo(index)
        area = discover.list.visualRect(index)

        self.qtbot.mouseClick(discover.list.viewport(), Qt.MouseButton.LeftButton, pos=area.center())
        self.wait(lambda: discover.repository.id == repo_id)
        self.wait(lambda: not discover.repository.busy and not discover.repository.reading_header)

    def rows(self) -> dict[str, object]:
        return {row.model.label: row for row in self.models.discover.panel.list.rows}


@pytest.fixture
def begin(hub: FakeHub, start: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch) -> Callable[[], ModelsDriver]:
    """Starts the window; several times for tests about restarts."""

    def made() -> ModelsDriver:
        driver = start(wait=False)  # the window opens in the place it was closed in
        driver.wait(lambda: driver.program.slot.value is not None)
        driver.__class__ = ModelsDriver
        assert isinstance(driver, ModelsDriver)
        return driver

    return made


@pytest.fixture
def driver(begin: Callable[[], ModelsDriver]) -> ModelsDriver:
    return begin()
