"""Searching and opening repositories, with real clicks and keys against a Hub on the loopback interface."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QApplication, QWidget

from tests.fakes.fake_hub import FakeHub
from tests.ui.models.conftest import TINY, ModelsDriver
from tests.ui.models.hub_scene import CARD, family
from workbench.core.paths import bundled
from workbench.core.settings import Network, Settings
from workbench.services.catalogue import Catalogue
from workbench.services.fit import Machine, judge, rough_shape
from workbench.ui.icons import PushButton
from workbench.ui.models.card import readable
from workbench.ui.models.formats import LICENSES, TASKS, fit_badge, fit_text
from workbench.ui.models.parts import Row


def rows(driver: ModelsDriver) -> dict[str, Any]:
    return {row.model.label: row for row in driver.models.discover.panel.list.rows}


def test_nothing_connects_before_the_user_searches(driver: ModelsDriver, hub: FakeHub, tiny: bytes) -> None:
    page = driver.open_models("discover")
    driver.wait(lambda: page.discover.search.rows)
    assert "well-known models" in page.discover.heading.text()
    driver.qtbot.keyClicks(page.discover.field, "qwen3")
    driver.wait(lambda: 0 < len(page.discover.search.rows) < 20)
    assert all("qwen3" in repo.id.lower() for repo in page.discover.search.rows), "typing searches the bundled list"
    assert not hub.requests


def test_the_filters_reach_every_model_of_the_bundled_list() -> None:
    bundled_list = Catalogue.load(bundled("resources") / "catalogue.json")
    assert {entry.license for entry in bundled_list.models} <= {value for value, _title in LICENSES}
    assert {entry.task for entry in bundled_list.models} <= {value for value, _title in TASKS}


def test_search_open_and_download_one(driver: ModelsDriver, hub: FakeHub, tiny: bytes) -> None:
    page = driver.open_models("discover")
    driver.search("tiny")
    assert [repo.id for repo in page.discover.search.rows] == [TINY]
    assert [request.path for request in hub.requests] == ["/api/models"], "the first page is asked for once"
    driver.open_repository(TINY)
    driver.wait(lambda: "F16" in rows(driver) and rows(driver)["F16"].state.fit is not None)
    row = rows(driver)["F16"]
    assert row.verdict.text() == "Fits in RAM"
    assert row.recommended.isVisible()
    assert page.discover.panel.badges["architecture"].text() == "llama: supported"
    driver.click(row.button)
    driver.wait(lambda: row.state.installed)
    driver.wait(lambda: "is here" in driver.window.toaster.text.text())
    driver.click(driver.window.toaster.button)
    driver.wait(lambda: driver.state.model_id == "local:tiny-F16")
    assert driver.window.place == "chat"
    driver.wait(lambda: any(info.id == "local:tiny-F16" for info in driver.state.models))


def test_a_repository_tells_everything_before_a_byte_of_weights(
    driver: ModelsDriver, hub: FakeHub, tmp_path: Path
) -> None:
    family(hub, tmp_path / "files", "ggml-org/Seer-4B-GGUF", "Seer-4B", 4_000_000_000, projector=True)
    page = driver.open_models("discover")
    driver.search("seer")
    driver.open_repository("ggml-org/Seer-4B-GGUF")
    panel = page.discover.panel
    driver.wait(lambda: len(rows(driver)) == 7 and rows(driver)["Q4_K_M"].state.fit is not None)
    assert rows(driver)["F16"].detail.text().startswith("8.00 GB · 2 files"), "a split model is one row"
    assert panel.projector.isVisible()
    assert "851 MB" in panel.projector.text()
    recommended = [label for label, row in rows(driver).items() if row.recommended.isVisible()]
    assert len(recommended) == 1
    assert hub.bytes_sent < 2_000_000

    asked = len(hub.requests)
    driver.click(panel.inspect)
    driver.wait(lambda: panel.dialog.summary.text().startswith("GGUF version 3"))
    assert "37 tensors" in panel.dialog.summary.text()
    driver.click(panel.dialog.tabs.buttons["template"])
    assert "m.content" in panel.dialog.template.toPlainText()
    panel.dialog.accept()
    assert len(hub.requests) == asked, "it was read already"

    before = rows(driver)["Q4_K_M"].state.fit.total_bytes
    panel.context.setFocus()
    for _ in range(2):
        driver.qtbot.keyClick(panel.context, Qt.Key.Key_Right)
    assert "32,768" in panel.context_text.text()
    assert rows(driver)["Q4_K_M"].state.fit.total_bytes > before + 1_000_000_000, "36 layers, 24k more tokens"


def test_an_unknown_architecture_is_told_before_downloading(driver: ModelsDriver, hub: FakeHub, tmp_path: Path) -> None:
    family(hub, tmp_path / "files", "labs/New-GGUF", "New", 1_000_000_000, architecture="holoformer9")
    page = driver.open_models("discover")
    driver.search("labs")
    driver.open_repository("labs/New-GGUF")
    driver.wait(lambda: page.discover.panel.unsupported.isVisible())
    assert "holoformer9" in page.discover.panel.unsupported.title.text()
    driver.wait(lambda: "Q4_K_M" in rows(driver))
    assert rows(driver)["Q4_K_M"].button.isEnabled(), "advice, never a block"
    driver.wait(lambda: page.state.hub.machine is not None and rows(driver)["Q4_K_M"].state.fit is not None)
    assert not any(row.state.recommended for row in rows(driver).values()), "what can't be loaded is not recommended"


def test_a_file_that_is_no_model_is_not_recommended(driver: ModelsDriver, hub: FakeHub) -> None:
    hub.add("org/page-GGUF", {"page-Q4_0.gguf": b"<html>a page to log in at</html>" * 1000})
    page = driver.open_models("discover")
    driver.search("page")
    driver.open_repository("org/page-GGUF")
    driver.wait(lambda: "Q4_0" in rows(driver) and rows(driver)["Q4_0"].state.fit is not None)
    assert "web page" in page.discover.panel.error.title.text()
    assert not rows(driver)["Q4_0"].recommended.isVisible()


def test_a_header_that_comes_late_is_not_taken_for_the_next_repositorys(
    driver: ModelsDriver, hub: FakeHub, tmp_path: Path
) -> None:
    family(hub, tmp_path / "files", "org/Late-GGUF", "Late", 1_000_000_000)
    family(hub, tmp_path / "files", "org/Later-GGUF", "Later", 2_000_000_000)
    page = driver.open_models("discover")
    driver.search("late")
    repository = page.discover.repository
    found = {repo.id: repo for repo in page.discover.search.rows}
    hub.fault("hang", on="resolve", times=1, path="Late-Q", method="HEAD")
    repository.open(found["org/Late-GGUF"])
    driver.wait(lambda: repository.reading_header and hub.faults[0].times == 0)
    late = repository._header_job
    assert late is not None and page.discover.panel.stop.isVisible()
    repository.open(found["org/Later-GGUF"])
    assert late.token.cancelled and not repository.reading_header
    driver.wait(lambda: repository.header is not None)
    assert repository.header is not None and repository.header.name.startswith("Later-")


def test_a_page_that_fails_takes_none_of_those_away_that_came_before(driver: ModelsDriver, hub: FakeHub) -> None:
    for number in range(75):
        hub.add(f"many/model-{number:03}-GGUF", {"README.md": b"x"}, downloads=1000 - number)
    page = driver.open_models("discover")
    page.discover.search.set_fits_only(True)  # fetches several pages at a turn
    hub.fault("status", on="api", status=503, times=50, skip=1)
    driver.search("many")
    driver.wait(lambda: page.discover.error.isVisible())
    first = len(page.discover.search.rows)
    assert 0 < first < 75
    hub.faults.clear()
    driver.click(next(button for button in page.discover.error.findChildren(PushButton) if "again" in button.text()))
    driver.wait(lambda: len(page.discover.search.rows) == 75)
    ids = [repo.id for repo in page.discover.search.rows]
    assert ids == sorted(ids), "in the Hub's order, none left out"


def test_the_model_card_is_shown_without_fetching_anything(driver: ModelsDriver, hub: FakeHub, tmp_path: Path) -> None:
    family(hub, tmp_path / "files", "org/Carded-GGUF", "Carded", 1_000_000_000)
    page = driver.open_models("discover")
    driver.search("carded")
    driver.open_repository("org/Carded-GGUF")
    asked = len(hub.requests)
    driver.click(page.discover.panel.tabs.buttons["card"])
    driver.wait(lambda: page.discover.panel.card.items)
    text = page.discover.panel.card.items[0].text
    assert "<" not in text.replace('print("<b>stays as it is</b>")', "")
    assert "tracker.example" not in text
    assert "[Paper](https://example.org/paper)" in text
    assert len(hub.requests) == asked


def test_cards_without_html_stay_as_they_are() -> None:
    plain = "# Title\n\nText with `<b>` and a < b > c.\n\n```html\n<div>kept</div>\n```"
    assert readable(plain).endswith("```html\n<div>kept</div>\n```")
    assert "a < b > c" in readable(plain)
    assert readable(CARD).count("\n\n\n") == 0
    assert len(readable("<a href='x'>" * 20_000)) < 100_000


def test_choosing_an_order_asks_the_hub_which_alone_has_one(driver: ModelsDriver, hub: FakeHub) -> None:
    for number, downloads in enumerate((5, 90, 40)):
        hub.add(f"org/model-{number}-GGUF", {"README.md": b"x"}, downloads=downloads)
    page = driver.open_models("discover")
    driver.wait(lambda: page.discover.search.rows)
    page.discover.sort.setFocus()
    driver.qtbot.keyClick(page.discover.sort, Qt.Key.Key_Down)
    driver.wait(lambda: page.discover.search.source == "hub" and not page.discover.search.busy)
    assert page.discover.sort.currentText() == "Most downloads"
    assert [repo.downloads for repo in page.discover.search.rows] == [90, 40, 5]
    assert hub.of("hub")[-1].query["sort"] == ["downloads"]


def test_more_pages_come_by_scrolling(driver: ModelsDriver, hub: FakeHub) -> None:
    for number in range(75):
        hub.add(f"many/model-{number:03}-GGUF", {"README.md": b"x"}, downloads=1000 - number)
    page = driver.open_models("discover")
    driver.search("many")
    first = len(page.discover.search.rows)
    assert 0 < first < 75
    bar = page.discover.list.verticalScrollBar()
    while (before := len(page.discover.search.rows)) < 75:
        bar.setValue(0)
        bar.setValue(bar.maximum())
        driver.wait(lambda before=before: len(page.discover.search.rows) > before)
    assert len(page.discover.search.rows) == 75
    assert page.discover.heading.text() == "75 on Hugging Face"


def test_a_search_can_be_stopped_and_failures_retried(driver: ModelsDriver, hub: FakeHub, tiny: bytes) -> None:
    hub.fault("hang", on="api", times=9)
    page = driver.open_models("discover")
    driver.qtbot.keyClicks(page.discover.field, "tiny")
    driver.press("Return", page.discover.field)
    driver.wait(lambda: page.discover.stop.isVisible() and hub.requests)
    driver.click(page.discover.stop)
    driver.wait(lambda: not page.discover.search.busy)
    assert page.discover.go.isVisible()
    assert page.discover.nothing.title.text() == "Stopped" and "+" not in page.discover.heading.text()

    hub.faults.clear()
    hub.fault("status", on="api", status=503, times=50)
    driver.press("Return", page.discover.field)
    driver.wait(lambda: page.discover.error.isVisible())
    assert page.discover.heading.text() == "Hugging Face did not answer"
    notice, row = page.discover.error, page.discover.heading
    assert notice.mapTo(page, notice.rect().topLeft()).x() == row.mapTo(page, row.rect().topLeft()).x()
    driver.click(page.discover.in_list)
    driver.wait(lambda: page.discover.search.rows)
    assert "well-known" in page.discover.heading.text() and not page.discover.error.isVisible()
    driver.press("Return", page.discover.field)
    driver.wait(lambda: page.discover.error.isVisible())
    hub.faults.clear()
    driver.click(next(button for button in page.discover.error.findChildren(PushButton) if "again" in button.text()))
    driver.wait(lambda: [repo.id for repo in page.discover.search.rows] == [TINY])
    assert not page.discover.error.isVisible()


def test_gated_then_token_then_download(driver: ModelsDriver, hub: FakeHub, tiny: bytes) -> None:
    hub.repos[TINY].gated = "manual"
    hub.tokens["hf_let_me_in"] = {TINY}
    page = driver.open_models("discover")
    driver.search("tiny")
    driver.open_repository(TINY)
    panel = page.discover.panel
    driver.wait(lambda: panel.gated.isVisible() and "F16" in rows(driver))
    assert not rows(driver)["F16"].button.isEnabled()
    driver.click(panel.gated.token)
    driver.qtbot.keyClicks(panel.gated.token, "hf_mistyped")
    driver.press("Return", panel.gated.token)
    driver.wait(lambda: "does not accept" in panel.gated.title.text())
    assert panel.gated.isVisible() and not panel.error.isVisible(), "another one can be entered where the first was"
    assert panel.gated.token.hasFocus(), "asking again took the panel away"
    assert not rows(driver)["F16"].button.isEnabled(), "nothing comes with a token that is refused"
    driver.qtbot.keyClicks(panel.gated.token, "hf_let_me_in")
    driver.press("Return", panel.gated.token)
    driver.wait(lambda: not panel.gated.isVisible() and panel.badges["gated"].text() == "Access granted")
    assert panel.gated.token.text() == ""
    driver.wait(lambda: rows(driver)["F16"].button.isEnabled())
    assert rows(driver)["F16"].button.hasFocus(), "work goes on with what was kept back"
    driver.press("Space", rows(driver)["F16"].button)
    driver.wait(lambda: rows(driver)["F16"].state.installed)
    assert not hub.tokens_seen_by_cdn()


def test_offline_the_bundled_list_is_searched_and_no_socket_is_opened(
    begin: Callable[[], ModelsDriver], hub: FakeHub, tiny: bytes, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "settings.json").write_bytes(msgspec.json.encode(Settings(network=Network(offline=True))))
    driver = begin()
    connections: list[object] = []

    def connect(self: socket.socket, address: object) -> None:
        connections.append(address)
        raise OSError("no connections here")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: connections.append(args) or [])
    page = driver.open_models("discover")
    driver.wait(lambda: page.discover.search.rows)
    driver.search("qwen3 4b")
    assert page.discover.offline.isVisible()
    assert any(repo.id == "Qwen/Qwen3-4B-GGUF" for repo in page.discover.search.rows)
    driver.open_repository("Qwen/Qwen3-4B-GGUF")
    assert page.discover.panel.offline.isVisible()
    assert page.discover.panel.badges["parameters"].text() == "4.02B parameters"
    driver.click(page.segments.buttons["installed"])
    driver.wait(lambda: page.state.models)
    driver.click(page.segments.buttons["downloads"])
    assert not connections
    assert not hub.requests


def test_the_search_has_a_key_before_the_place_was_opened(driver: ModelsDriver, hub: FakeHub) -> None:
    assert driver.window.page("models") is None
    driver.shortcut("Ctrl+Shift+F")
    driver.wait(lambda: driver.window.page("models") is not None and driver.models.segments.current == "discover")
    driver.wait(lambda: driver.models.discover.field.hasFocus())
    driver.wait(lambda: driver.models.state.inventory is not None)
    driver.click(driver.models.segments.buttons["installed"])
    assert driver.models.installed.model is not None, "what was read before this part was opened is not shown"


def test_what_fits_and_is_slow_is_no_good_news() -> None:
    slow = judge(
        rough_shape(20_000_000_000), Machine(ram_total=64 << 30, ram_available=60 << 30, bandwidth_bytes_per_s=8e9)
    )
    assert (slow.verdict, fit_text(slow), fit_badge(slow)) == ("ram", "Fits in RAM, but slow", "badgeWarn")
    quick = judge(
        rough_shape(300_000_000), Machine(ram_total=64 << 30, ram_available=60 << 30, bandwidth_bytes_per_s=8e9)
    )
    assert (fit_text(quick), fit_badge(quick)) == ("Fits in RAM", "badgeGood")


def test_a_row_is_mirrored_where_text_runs_from_right_to_left() -> None:
    room = QRect(100, 0, 300, 60)
    right_to_left = Qt.LayoutDirection.RightToLeft
    assert Row(QPainter(), room, Qt.LayoutDirection.LeftToRight).place(QRect(0, 5, 40, 10)) == QRect(100, 5, 40, 10)
    assert Row(QPainter(), room, right_to_left).place(QRect(0, 5, 40, 10)) == QRect(360, 5, 40, 10)


def test_the_keyboard_reaches_everything(driver: ModelsDriver, hub: FakeHub, tiny: bytes) -> None:
    page = driver.open_models("discover")
    driver.search("tiny")
    driver.press("Down", page.discover.field)
    driver.wait(lambda: page.discover.list.hasFocus())
    assert page.discover.list.selectedIndexes(), "the row that Enter opens is not shown"
    driver.press("Return", page.discover.list)
    driver.wait(lambda: page.discover.repository.details is not None)
    driver.wait(lambda: "F16" in rows(driver))
    seen = set()
    for _ in range(40):
        focused = QApplication.focusWidget()
        if focused is rows(driver)["F16"].button:
            break
        seen.add(focused)
        driver.qtbot.keyClick(focused, Qt.Key.Key_Tab)
    assert QApplication.focusWidget() is rows(driver)["F16"].button
    driver.press("Space", rows(driver)["F16"].button)
    driver.wait(lambda: rows(driver)["F16"].state.installed)


def test_every_control_has_a_name(driver: ModelsDriver, hub: FakeHub, tiny: bytes) -> None:
    page = driver.open_models("discover")
    driver.search("tiny")
    driver.open_repository(TINY)
    driver.wait(lambda: "F16" in rows(driver))
    driver.click(page.segments.buttons["downloads"])
    driver.click(page.segments.buttons["installed"])
    unnamed = [
        child
        for child in page.findChildren(QWidget)
        if child.focusPolicy() & Qt.FocusPolicy.TabFocus
        and not child.accessibleName()
        and not getattr(child, "text", lambda: "")()
        and "qt_" not in child.objectName()
        and "QComboBox" not in type(child.parent()).__name__
        and "QComboBox" not in child.parent().metaObject().className()
    ]
    assert not unnamed, [(type(child).__name__, child.objectName(), child.parent()) for child in unnamed]
