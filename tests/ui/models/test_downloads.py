"""Downloads: pausing, going on, cancelling, failing, verifying, and what a restart leaves of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction

from tests.fakes.fake_hub import FakeHub
from tests.ui.models.conftest import TINY, ModelsDriver
from tests.ui.models.hub_scene import header
from workbench.core.cancel import CancelToken
from workbench.ui import status
from workbench.ui.models import transfers

MODEL = "org/big-GGUF"


def add_big(hub: FakeHub, size: int = 6_000_000) -> bytes:
    content = header(1_000_000, layers=2)
    content += bytes((7 * at) % 251 for at in range(1000)) * ((size - len(content)) // 1000)
    hub.add(MODEL, {"big-Q4_K_M.gguf": content})
    return content


def begin_download(
    driver: ModelsDriver, repo_id: str = MODEL, label: str = "Q4_K_M", before: Callable[[], object] = int
) -> Any:
    """Search, open, press Download, and go to the downloads; the download's card."""
    page = driver.open_models("discover")
    driver.search(repo_id.rpartition("/")[2])
    driver.open_repository(repo_id)
    driver.wait(lambda: any(row.model.label == label for row in page.discover.panel.list.rows))
    row = next(row for row in page.discover.panel.list.rows if row.model.label == label)
    before()
    driver.click(row.button)
    driver.wait(lambda: page.state.transfers.snapshots)
    driver.click(page.segments.buttons["downloads"])
    driver.wait(lambda: page.downloads.cards)
    return next(iter(page.downloads.cards.values()))


def slow(hub: FakeHub, **options: Any) -> None:
    hub.fault("slow", bytes_per_s=3_000_000, times=50, skip=1, **options)  # the header is read unharmed


def test_pause_and_resume(driver: ModelsDriver, hub: FakeHub) -> None:
    content = add_big(hub)
    slow(hub)
    card = begin_download(driver)
    driver.wait(lambda: card.snapshot.done_bytes > 500_000)
    driver.wait(lambda: "Downloading" in driver.window.status.work_text.text())
    assert driver.models.segments.buttons["downloads"].text() == "Downloads · 1"
    driver.click(card.buttons["pause"])
    driver.wait(lambda: card.snapshot.state == "paused")
    assert not driver.window.status.work_text.isVisible()
    kept = card.snapshot.done_bytes
    assert kept > 0
    driver.click(card.buttons["resume"])
    driver.wait(lambda: card.snapshot.state == "done")
    assert Path(card.snapshot.path).read_bytes() == content
    assert card.badge.text() == "Complete, checksum verified"
    driver.wait(lambda: "is here" in driver.window.toaster.text.text())


def test_a_cancel_can_be_taken_back_and_deletes_what_came_after_a_moment(
    driver: ModelsDriver, hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_big(hub)
    slow(hub)
    card = begin_download(driver)
    driver.wait(lambda: card.snapshot.done_bytes > 200_000)
    driver.click(card.buttons["cancel"])
    driver.wait(lambda: card.snapshot.state == "cancelled")
    came = card.snapshot.done_bytes
    assert came > 200_000
    driver.click(driver.window.toaster.button)
    driver.wait(lambda: card.snapshot.state == "running" and card.snapshot.done_bytes > came)
    assert hub.of("cdn")[-1].headers["range"].startswith(f"bytes={came}-")

    monkeypatch.setattr(transfers, "TOAST_MS", 50)
    driver.click(card.buttons["cancel"])
    driver.wait(lambda: card.snapshot.state == "cancelled" and card.snapshot.done_bytes == 0)
    assert not list((tmp_path / "hf").rglob("*.workbench-part"))


def test_pausing_by_key_leaves_the_focus_on_resume_not_on_cancel(driver: ModelsDriver, hub: FakeHub) -> None:
    add_big(hub)
    slow(hub)
    card = begin_download(driver)
    driver.wait(lambda: card.snapshot.done_bytes > 200_000)
    card.buttons["pause"].setFocus()
    driver.wait(card.buttons["pause"].hasFocus)
    card.buttons["pause"].click()
    driver.wait(lambda: card.snapshot.state == "paused")
    assert card.buttons["resume"].hasFocus()
    card.buttons["resume"].click()
    driver.wait(lambda: card.snapshot.state == "running")
    assert card.buttons["pause"].hasFocus()


def test_a_failed_download_says_what_to_do_and_can_be_tried_again(driver: ModelsDriver, hub: FakeHub) -> None:
    add_big(hub)
    card = begin_download(driver, before=lambda: hub.fault("status", on="resolve", status=404, times=50))
    driver.wait(lambda: card.snapshot.state in ("failed", "done"))
    assert card.snapshot.state == "failed"
    assert "look at the repository again" in card.message.text()
    hub.faults.clear()
    driver.click(card.buttons["retry"])
    driver.wait(lambda: card.snapshot.state == "done")
    assert not card.message.isVisible()


def test_downloads_survive_a_restart_and_wait_for_the_user(begin: Callable[[], ModelsDriver], hub: FakeHub) -> None:
    content = add_big(hub)
    slow(hub)
    first = begin()
    card = begin_download(first)
    first.wait(lambda: card.snapshot.done_bytes > 1_000_000)
    first.close()
    asked = len(hub.requests)
    hub.faults.clear()

    second = begin()
    page = second.open_models("downloads")
    second.wait(lambda: page.downloads.cards)
    card = next(iter(page.downloads.cards.values()))
    assert card.snapshot.state == "paused"
    assert card.snapshot.done_bytes > 0
    assert len(hub.requests) == asked, "nothing connects before the user asks"
    second.click(page.downloads.resume_all)
    second.wait(lambda: card.snapshot.state == "done")
    assert Path(card.snapshot.path).read_bytes() == content


def test_verify_finds_damage_and_mends_it(driver: ModelsDriver, hub: FakeHub) -> None:
    content = add_big(hub)
    card = begin_download(driver)
    driver.wait(lambda: card.snapshot.state == "done")
    driver.click(card.buttons["verify"])
    driver.wait(lambda: "checksum is right" in driver.window.toaster.text.text())
    blob = Path(card.snapshot.path).resolve()
    with blob.open("r+b") as file:
        file.seek(3_000_000)
        file.write(b"\xff\xfe\xfd")
    driver.click(card.buttons["verify"])
    driver.wait(lambda: card.snapshot.state == "failed")
    driver.click(card.buttons["retry"])
    driver.wait(lambda: card.snapshot.state == "done")
    assert Path(card.snapshot.path).read_bytes() == content


def test_several_at_once_and_all_paused_from_the_status_bar(driver: ModelsDriver, hub: FakeHub, tiny: bytes) -> None:
    add_big(hub, 20_000_000)
    hub.fault("slow", bytes_per_s=400_000, times=50, skip=2)
    begin_download(driver)
    begin_download(driver, TINY, "F16")
    transfers = driver.models.state.transfers
    driver.wait(lambda: len(transfers.snapshots) == 2)
    driver.wait(lambda: driver.window.status.stop.isVisible())
    driver.click(driver.window.status.stop)
    driver.wait(lambda: not transfers.active)
    assert {snapshot.state for snapshot in transfers.snapshots} <= {"paused", "done"}


def test_a_download_that_took_long_is_told(
    driver: ModelsDriver, hub: FakeHub, tiny: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(status, "LONG_WORK_S", 0.0)
    driver.window.status.long_work_done.connect(told.append)
    add_big(hub)
    slow(hub)
    card = begin_download(driver)
    driver.wait(lambda: card.snapshot.done_bytes > 500_000)
    driver.click(card.buttons["pause"])
    driver.wait(lambda: card.snapshot.state == "paused")
    assert told == []
    driver.click(card.buttons["resume"])
    driver.wait(lambda: card.snapshot.state == "done")
    driver.wait(lambda: told)
    assert len(told) == 1 and told[0].endswith("Q4_K_M is downloaded.")


def test_finished_ones_are_cleared(driver: ModelsDriver, hub: FakeHub, tiny: bytes) -> None:
    card = begin_download(driver, TINY, "F16")
    driver.wait(lambda: card.snapshot.state == "done")
    driver.click(driver.models.downloads.clear)
    driver.wait(lambda: not driver.models.downloads.cards)
    driver.wait(lambda: driver.models.downloads.empty.isVisible())


def test_the_palette_reaches_the_downloads(driver: ModelsDriver, hub: FakeHub) -> None:
    driver.open_models()
    action = driver.window.registry["models.downloads"]
    assert isinstance(action, QAction)
    driver.palette("Models: Downloads")
    driver.wait(lambda: driver.models.segments.current == "downloads")
    driver.qtbot.keyClick(driver.models.segments.buttons["downloads"], Qt.Key.Key_Left)
    assert driver.models.segments.current == "discover"


def test_the_speed_limit_is_chosen_where_the_downloads_are(driver: ModelsDriver, hub: FakeHub) -> None:
    add_big(hub, 3_000_000)
    begin_download(driver, before=lambda: slow(hub))
    limit = driver.models.downloads.limit
    assert limit.currentText() == "No speed limit"
    limit.setFocus()
    driver.qtbot.keyClick(limit, Qt.Key.Key_Down)
    assert limit.currentText() == "At most 1 MB/s"
    assert driver.program.settings.value.network.download_limit_kib_s == 977
    access = driver.models.state.hub.access
    assert access is not None
    assert access.downloads.downloader.limit.bytes_per_s == 977 * 1024


def test_what_waits_can_be_started_next(driver: ModelsDriver, hub: FakeHub) -> None:
    for number in range(5):
        hub.add(
            f"org/model-{number}-GGUF", {f"model-{number}-Q4_K_M.gguf": header(1_000_000, layers=2) + b"x" * 900_000}
        )
    page = driver.open_models("discover")
    hub.fault("hang", on="resolve", method="HEAD", times=99)
    access = page.state.hub.access
    assert access is not None
    for number in range(5):
        details = access.client.details(f"org/model-{number}-GGUF", CancelToken(), card=False)
        page.state.transfers.start(details.id, details.quantizations[0])
        driver.wait(lambda number=number: len(page.state.transfers.snapshots) == number + 1)
    driver.click(page.segments.buttons["downloads"])
    cards = {card.snapshot.repo_id: card for card in page.downloads.cards.values()}
    last = cards["org/model-4-GGUF"]
    assert (cards["org/model-3-GGUF"].badge.text(), last.badge.text()) == ("Next", "Waiting, 1 before it")
    driver.click(last.buttons["first"])
    driver.wait(lambda: last.badge.text() == "Next")
    assert cards["org/model-3-GGUF"].badge.text() == "Waiting, 1 before it"
    assert not last.buttons["first"].isVisible()
