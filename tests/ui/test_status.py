"""What the status bar says of memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from tests.fakes.models import fake_local_model
from workbench.core.cancel import CancelToken
from workbench.core.settings import SettingsFile
from workbench.engine.local_model import LocalModel
from workbench.ui.backend import Backend, BackendSlot
from workbench.ui.context import SettingsModel
from workbench.ui.jobs import Jobs
from workbench.ui.status import StatusBar, read_machine

GIB = 1024**3


@pytest.fixture
def models(tmp_path: Path) -> Iterator[list[LocalModel]]:
    made = [
        fake_local_model(tmp_path, "on the CPU"),
        fake_local_model(tmp_path, "on the GPU", gpu=(3 * GIB, 8 * GIB)),
    ]
    yield made
    for model in made:
        model.close()


def slot_with(models: list[LocalModel]) -> BackendSlot:
    slot = BackendSlot()
    catalog = SimpleNamespace(loaded=lambda: [model for model in models if model.is_loaded])
    slot.value = cast(Backend, SimpleNamespace(catalog=catalog))
    return slot


def test_gpu_memory_counts_while_a_model_has_layers_there(models: list[LocalModel]) -> None:
    slot = slot_with(models)
    list(models[0].load(CancelToken()))
    state = read_machine(slot)
    assert state.loaded == ("on the CPU",)
    assert (state.gpu_used, state.gpu_total) == (0, 0)
    list(models[1].load(CancelToken()))
    state = read_machine(slot)
    assert state.loaded == ("on the CPU", "on the GPU")
    assert (state.gpu_used, state.gpu_total) == (3 * GIB, 8 * GIB)


def test_the_bar_says_ram_and_vram(qtbot: QtBot, tmp_path: Path, models: list[LocalModel]) -> None:
    jobs = Jobs()
    slot = slot_with(models)
    bar = StatusBar(slot, SettingsModel(SettingsFile(tmp_path / "settings.json")), jobs, lambda: None)
    qtbot.addWidget(bar)
    list(models[1].load(CancelToken()))
    bar.refresh()
    qtbot.waitUntil(lambda: "VRAM" in bar.memory.text())
    assert bar.memory.text().endswith("3.0 of 8.0 GB VRAM used")
    assert "RAM used · " in bar.memory.text()
    jobs.close()


def test_what_has_no_room_ends_with_an_ellipsis_and_is_read_whole(qtbot: QtBot, tmp_path: Path) -> None:
    jobs = Jobs()
    bar = StatusBar(BackendSlot(), SettingsModel(SettingsFile(tmp_path / "settings.json")), jobs, lambda: None)
    qtbot.addWidget(bar)
    bar.resize(420, 28)
    bar.show()
    text = "Downloading An-Extremely-Long-Model-Name Q4_K_M · 172 MB of 370 MB · 3 min left"
    bar.set_work("downloads", text, 0.5, None)
    qtbot.waitUntil(lambda: bar.work_text.width() < 300)
    assert bar.minimumSizeHint().width() <= 420
    assert QLabel.text(bar.work_text).endswith("…") and bar.work_text.toolTip() == text
    assert bar.work_text.text() == bar.work_text.accessibleName() == text
    jobs.close()
