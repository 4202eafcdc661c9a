"""What is installed: found in every place, loaded, unloaded, looked into, deleted with a way back."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QDropEvent
from PySide6.QtWidgets import QDialog, QLabel

from tests.engine.child import tiny_models
from tests.ui.models.conftest import ModelsDriver
from tests.ui.models.hub_scene import header
from workbench.core.cancel import CancelToken
from workbench.core.messages import Message, TextPart
from workbench.core.requests import ChatRequest, Sampling
from workbench.ui.models import removals
from workbench.ui.models.installed import LEAST_NAME_WIDTH
from workbench.ui.models.installed_table import MODEL_ROLE, NAME, SIZE, USED
from workbench.ui.models.state import ModelsState


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "own"
    made.mkdir()
    tiny_models.llama(made / "tiny-F16.gguf")
    return made


def names(driver: ModelsDriver) -> list[str]:
    proxy = driver.models.installed.proxy
    return [proxy.index(row, 0).data(MODEL_ROLE).name for row in range(proxy.rowCount())]


def drop(driver: ModelsDriver, *paths: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    driver.models.dropEvent(QDropEvent(QPointF(50, 50), Qt.DropAction.CopyAction, data, buttons, keys))


def choose(driver: ModelsDriver, name: str) -> None:
    driver.wait(lambda: name in names(driver))
    row = names(driver).index(name)
    table = driver.models.installed.table
    area = table.visualRect(driver.models.installed.proxy.index(row, 0))
    driver.qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=area.center())
    driver.wait(lambda: driver.models.installed.model is not None and driver.models.installed.model.name == name)


def dialog(driver: ModelsDriver) -> Any:
    driver.wait(lambda: getattr(driver.models.installed, "dialog", None) is not None)
    found = driver.models.installed.dialog
    driver.wait(found.isVisible)
    return found


def test_a_dropped_folder_is_searched_from_now_on(driver: ModelsDriver, folder: Path) -> None:
    driver.open_models()
    driver.wait(lambda: "SmolLM2 135M Instruct" in " ".join(names(driver)) or names(driver))
    (folder / "broken.gguf").write_bytes(b"\0" * 100)
    drop(driver, folder)
    choose(driver, "tiny-F16")
    assert driver.models.installed.model.source == "own folder"
    assert driver.program.settings.value.folders.model_folders == (str(folder),)
    assert driver.models.installed.problems.isVisible()
    assert "broken.gguf" in driver.models.installed.problems.hint.text().replace("\u200b", "")


def test_a_dropped_file_is_used_where_it_is_and_its_neighbours_are_not(driver: ModelsDriver, folder: Path) -> None:
    tiny_models.llama(folder / "other-F16.gguf")
    page = driver.open_models()
    drop(driver, folder / "tiny-F16.gguf")
    driver.wait(lambda: page.installed.model is not None and page.installed.model.name == "tiny-F16")
    assert "other-F16" not in names(driver)
    assert driver.program.settings.value.folders.model_folders == (str(folder / "tiny-F16.gguf"),)
    assert "used where it is" in driver.window.toaster.text.text()
    drop(driver, folder / "tiny-F16.gguf")
    driver.wait(lambda: "in the list already" in driver.window.toaster.text.text())


def test_a_dropped_file_that_is_no_model_is_told_of_and_not_added(driver: ModelsDriver, folder: Path) -> None:
    driver.open_models()
    (folder / "broken.gguf").write_bytes(b"\0" * 100)
    drop(driver, folder / "broken.gguf")
    driver.wait(lambda: any("GGUF" in text for text in driver.window.banner_texts))
    assert not driver.program.settings.value.folders.model_folders


def test_it_says_what_a_model_needs_here_and_learns_from_its_runs(driver: ModelsDriver, folder: Path) -> None:
    page = driver.open_models()
    drop(driver, folder / "tiny-F16.gguf")
    choose(driver, "tiny-F16")

    def facts() -> str:
        return " ".join(label.accessibleName() for label in page.installed.panel.findChildren(QLabel))

    driver.wait(lambda: "not run yet" in facts())
    before = page.installed.panel.findChildren(QLabel)
    assert "Needs: " in facts() and "RAM at 512 tokens" in facts()
    backend = driver.program.slot.value
    assert backend is not None
    request = ChatRequest(
        messages=(Message(role="user", parts=(TextPart(text="the cat"),)),),
        sampling=Sampling(max_tokens=32, temperature=0.0, seed=1),
    )
    for _ in backend.catalog.get("local:tiny-F16").stream(request, CancelToken()):  # what chat, compare, evaluate do
        pass
    backend.catalog.learner.close()
    page.state.expect(page.installed.model)
    driver.wait(lambda: "from 1 run" in facts())
    assert page.installed.panel.findChildren(QLabel) == before, "rows made anew would blink"


def test_the_name_has_room_at_every_text_size(driver: ModelsDriver, folder: Path) -> None:
    page = driver.open_models()
    driver.window.resize(1280, 800)
    choose(driver, "SmolLM2 135M Instruct")
    settings = driver.program.settings
    appearance = msgspec.structs.replace(settings.value.appearance, text_scale=200)
    settings.save(msgspec.structs.replace(settings.value, appearance=appearance))
    table, panel = page.installed.table, page.installed.panel
    driver.wait(lambda: table.isColumnHidden(USED) and not table.isColumnHidden(SIZE))
    driver.wait(lambda: table.columnWidth(NAME) >= 2 * LEAST_NAME_WIDTH - 1)
    driver.wait(lambda: panel.viewport().width() >= panel.widget().minimumSizeHint().width())


def test_load_and_unload(driver: ModelsDriver, folder: Path) -> None:
    page = driver.open_models()
    drop(driver, folder)
    choose(driver, "tiny-F16")
    panel = page.installed.panel
    driver.click(panel.buttons["load"])
    driver.wait(lambda: panel.badge.text().startswith("Loaded"))
    assert panel.buttons["unload"].isVisible()
    driver.press("Delete", page.installed.table)
    question = dialog(driver)
    assert "unloaded first" in question.text.text(), "what deleting does to a model in memory is said before"
    driver.click(question.cancel)
    driver.click(panel.buttons["unload"])
    driver.wait(lambda: panel.badge.text() == "Not loaded")


def test_a_model_that_can_not_be_loaded_says_why(driver: ModelsDriver, folder: Path) -> None:
    with (folder / "hollow-Q4_0.gguf").open("wb") as file:
        file.write(header(1_000_000, architecture="holoformer9", layers=2))
        file.truncate(2_000_000)
    page = driver.open_models()
    drop(driver, folder)
    choose(driver, "hollow-Q4_0")
    driver.click(page.installed.panel.buttons["load"])
    driver.wait(lambda: page.installed.panel.error.isVisible())
    assert "holoformer9" in page.installed.panel.error.title.text()


def test_chat_with_it(driver: ModelsDriver, folder: Path) -> None:
    page = driver.open_models()
    drop(driver, folder)
    choose(driver, "tiny-F16")
    driver.press("Return", page.installed.table)
    driver.wait(lambda: driver.window.place == "chat")
    assert driver.state.model_id == "local:tiny-F16"
    driver.wait(lambda: any(info.id == "local:tiny-F16" for info in driver.state.models))


def test_a_folder_that_can_not_be_opened_is_told(
    driver: ModelsDriver, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: bool(asked.append(url.toLocalFile())))
    page = driver.open_models()
    drop(driver, folder)
    choose(driver, "tiny-F16")
    driver.click(page.installed.panel.buttons["folder"])
    driver.wait(lambda: "could not be opened" in driver.window.toaster.text.text())
    assert asked == [str(folder)]


def test_look_inside(driver: ModelsDriver, folder: Path) -> None:
    page = driver.open_models()
    drop(driver, folder)
    choose(driver, "tiny-F16")
    driver.click(page.installed.panel.buttons["inspect"])
    inside = dialog(driver)
    driver.wait(lambda: "llama" in inside.summary.text())
    driver.click(inside.tabs.buttons["tensors"])
    assert inside.tensors.model().rowCount() > 5
    driver.qtbot.keyClicks(inside.filter, "token_embd")
    assert inside.tensors.model().rowCount() == 1
    driver.click(inside.tabs.buttons["template"])
    assert inside.stack.currentWidget() is inside.template
    inside.close()


def test_defaults_of_one_model(driver: ModelsDriver, folder: Path) -> None:
    page = driver.open_models()
    drop(driver, folder)
    choose(driver, "tiny-F16")
    driver.click(page.installed.panel.buttons["defaults"])
    form = dialog(driver)
    driver.qtbot.keyClicks(form.editor.rows["n_ctx"].field, "512")
    driver.click(form.save)
    driver.wait(lambda: driver.program.settings.value.engine.per_model["local:tiny-F16"].n_ctx == 512)
    model = driver.program.slot.value.catalog.get("local:tiny-F16")
    assert model.options.n_ctx == 512


def delete(driver: ModelsDriver, times: int) -> None:
    driver.press("Delete", driver.models.installed.table)
    question = dialog(driver)
    for _ in range(times):
        assert question.result() != QDialog.DialogCode.Accepted
        driver.click(question.delete)


def test_deleting_can_be_taken_back(driver: ModelsDriver, folder: Path) -> None:
    driver.open_models()
    drop(driver, folder)
    choose(driver, "tiny-F16")
    delete(driver, 1)
    driver.wait(lambda: "tiny-F16" not in names(driver))
    driver.click(driver.window.toaster.button)
    driver.wait(lambda: "tiny-F16" in names(driver))
    assert (folder / "tiny-F16.gguf").exists()


def test_deleting(driver: ModelsDriver, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removals, "TOAST_MS", 50)
    driver.open_models()
    drop(driver, folder)
    choose(driver, "tiny-F16")
    delete(driver, 1)
    driver.wait(lambda: not (folder / "tiny-F16.gguf").exists())
    assert "tiny-F16" not in names(driver)
    driver.wait(lambda: driver.program.jobs.pending == 0)
    assert "tiny-F16" not in names(driver)


def test_what_was_to_be_deleted_goes_when_the_window_closes(driver: ModelsDriver, folder: Path) -> None:
    driver.open_models()
    drop(driver, folder)
    choose(driver, "tiny-F16")
    delete(driver, 1)
    driver.close()
    assert not (folder / "tiny-F16.gguf").exists()


def test_files_of_other_programs_are_asked_for_twice(driver: ModelsDriver, folder: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "user/.lmstudio/models/org/tiny-GGUF/tiny-Q8.gguf"
    theirs.parent.mkdir(parents=True)
    shutil.copy(folder / "tiny-F16.gguf", theirs)
    page = driver.open_models()
    driver.click(page.installed.refresh)
    choose(driver, "tiny-Q8")
    assert page.installed.model.source == "LM Studio"
    driver.press("Delete", page.installed.table)
    question = dialog(driver)
    driver.click(question.delete)
    assert question.isVisible()
    assert "Really" in question.title.text()
    driver.click(question.cancel)
    assert "tiny-Q8" in names(driver)
    assert theirs.exists()


def test_the_same_content_twice_is_told(driver: ModelsDriver, folder: Path) -> None:
    shutil.copy(folder / "tiny-F16.gguf", folder / "another-name.gguf")
    page = driver.open_models()
    drop(driver, folder)
    driver.wait(lambda: page.installed.same.isVisible())
    choose(driver, "tiny-F16")
    assert page.installed.panel.duplicate.isVisible()


def test_the_bundled_copy_is_called_by_its_name(driver: ModelsDriver, folder: Path) -> None:
    page = driver.open_models()
    driver.wait(lambda: page.installed.alone.isVisible())
    starter = page.state.inventory.by_id("starter")
    shutil.copy(starter.found.path, folder / "copy.gguf")
    drop(driver, folder)
    driver.wait(lambda: page.installed.same.isVisible())
    assert not page.installed.alone.isVisible()
    choose(driver, "copy")
    assert page.installed.panel.duplicate.hint.text().replace("\u200b", "") == f"Bundled: {starter.found.path}"


def test_sorting_and_filtering(driver: ModelsDriver, folder: Path) -> None:
    page = driver.open_models()
    drop(driver, folder)
    driver.wait(lambda: "tiny-F16" in names(driver))
    page.installed.table.sortByColumn(SIZE, Qt.SortOrder.AscendingOrder)
    assert names(driver)[0] == "tiny-F16"
    page.installed.table.sortByColumn(SIZE, Qt.SortOrder.DescendingOrder)
    assert names(driver)[-1] == "tiny-F16"
    driver.qtbot.keyClicks(page.installed.filter, "tiny")
    assert names(driver) == ["tiny-F16"]


def test_the_watched_folder_updates_the_list(
    driver: ModelsDriver, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver.open_models()
    drop(driver, folder)
    driver.wait(lambda: "tiny-F16" in names(driver))
    state: ModelsState = driver.models.state
    shutil.copy(folder / "tiny-F16.gguf", folder / "arrived.gguf")
    state._folders_changed.set()  # what the watch does, some seconds later
    driver.wait(lambda: "arrived" in names(driver))
    driver.shortcut("Ctrl+1")
    driver.wait(lambda: any(info.id == "local:arrived" for info in driver.state.models))
