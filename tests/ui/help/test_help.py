"""Help: whatever a page links to, shows or mentions exists; it is searched, walked, printed and read by keyboard."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec.structs import replace
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QImage, QTextDocument
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from tests.accessibility.test_names import nameless
from tests.ui.driver import Driver
from tests.ui.watchdog import Watchdog
from workbench.ui.help import pages as help_pages
from workbench.ui.help.pages import ACTION, PAGE_OF_PLACE, anchor, links, mentioned, pages, picture, pictures
from workbench.ui.help.window import HelpWindow
from workbench.ui.places import PLACES, SETTINGS_PARTS

PAGES = pages()
IDS = [page.id for page in PAGES]
WIDEST = 2_000_000
"""Bytes of all pictures together."""


@pytest.fixture
def helped(window: Driver, watchdog: Watchdog) -> HelpWindow:
    watchdog.cpu_limit_s = 0.6  # the keyboard map builds every place, whose own tests watch what that takes
    window.shortcut("F1")
    shown = window.window._help
    assert isinstance(shown, HelpWindow) and shown.isVisible()
    return shown


# --- what stands in the pages -----------------------------------------------------------------------------------------
def test_the_five_main_things_have_a_page_with_a_picture() -> None:
    by_id = {page.id: page for page in PAGES}
    for name in ("chat", "models", "compare", "evaluate", "history"):
        assert pictures(by_id[name]), name
    assert {"privacy", "keyboard", "statistics", "backup", "settings", "problems"} <= set(IDS)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_link_leads_somewhere(page: help_pages.HelpPage) -> None:
    by_id = {page.id: page for page in PAGES}
    for link in links(page):
        if link.startswith(ACTION):
            continue
        target, _, heading = link.partition("#")
        assert target in by_id, f"{page.id}: {link}"
        headings = [anchor(line.lstrip("# ")) for line in by_id[target].text.splitlines() if line.startswith("##")]
        assert not heading or heading in headings, f"{page.id}: {link}"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_picture_exists_in_both_themes(page: help_pages.HelpPage) -> None:
    for name in pictures(page):
        light, dark = (QImage(str(picture(name, dark=theme))) for theme in (False, True))
        assert light.width() > 800 and light.size() == dark.size()
        brightness = [image.scaled(1, 1).pixelColor(0, 0).lightness() for image in (light, dark)]
        assert brightness[0] > brightness[1] + 80, f"{name}: light is light and dark is dark"


def test_pictures_are_used_and_small() -> None:
    files = list((help_pages.help_folder() / "images").glob("*.png"))
    used = {name for page in PAGES for name in pictures(page)}
    assert {path.stem.rpartition("-")[0] for path in files} == used
    assert sum(path.stat().st_size for path in files) < WIDEST


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_no_keys_are_written_out_that_the_user_could_change(page: help_pages.HelpPage) -> None:
    assert re.findall(r"\b(?:Ctrl|Alt)\s*\+\s*\w+|\bF\d{1,2}\b", page.text) == []


def test_every_page_is_reached_by_links_from_the_first() -> None:
    by_id = {page.id: page for page in PAGES}
    reached, todo = set[str](), ["start"]
    while todo:
        page_id = todo.pop().partition("#")[0]
        if page_id in by_id and page_id not in reached:
            reached.add(page_id)
            todo += links(by_id[page_id])
    assert reached == set(IDS)


def test_every_place_and_part_has_a_page() -> None:
    assert set(PAGE_OF_PLACE.values()) <= set(IDS)
    assert {place.id for place in PLACES} <= set(PAGE_OF_PLACE)
    assert {name.partition(".")[2] for name in PAGE_OF_PLACE if "." in name} <= {part for part, _, _ in SETTINGS_PARTS}


def test_every_action_that_is_mentioned_exists(window: Driver, helped: HelpWindow) -> None:
    window.window.build_places()
    registry = window.window.registry
    window.wait(lambda: all(name in registry for name in ("compare.blind", "history.replay", "models.add_folder")))
    wanted = {(page.id, action_id) for page in PAGES for action_id in mentioned(page)}
    assert len(wanted) > 50
    assert sorted((page, action_id) for page, action_id in wanted if action_id not in registry) == []
    spoken_of = {(page.id, name) for page in PAGES for name in re.findall(r"\{keys:([a-z0-9_.]+)\}", page.text)}
    assert sorted((page, name) for page, name in spoken_of if not registry.keys(name)) == []


# --- the window -------------------------------------------------------------------------------------------------------
def test_f1_opens_the_page_of_the_place(window: Driver, helped: HelpWindow) -> None:
    assert helped.page_id == "chat"
    window.window.show_place("history")
    window.window.show_help()
    assert helped.page_id == "history"
    window.window.show_part("settings", "backup")
    window.window.show_help()
    assert helped.page_id == "backup"
    window.window.show_part("settings", "folders")
    window.window.show_help()
    assert helped.page_id == "settings"
    window.window.show_help("keyboard")
    assert helped.page_id == "keyboard"


def test_links_lead_to_pages_headings_and_places_and_back(window: Driver, helped: HelpWindow) -> None:
    helped.follow("evaluate")
    helped.follow("statistics#not-enough-evidence")
    assert helped.page_id == "statistics" and helped.view.verticalScrollBar().value() > 0
    helped.go_back()
    helped.go_back()
    assert helped.page_id == "chat" and not helped.back.isEnabled() and helped.forward.isEnabled()
    helped.go_forward()
    assert helped.page_id == "evaluate" and "Evaluate" in helped.windowTitle()
    helped.follow("action:settings.privacy")
    assert window.window.place == "settings"
    assert helped.isVisible() and helped.page_id == "evaluate"


def test_it_is_read_by_keyboard_alone(window: Driver, helped: HelpWindow) -> None:
    helped.activateWindow()
    window.wait(lambda: QApplication.focusWidget() is helped.view)
    while helped.view.textCursor().charFormat().anchorHref() != "action:answer.regenerate_with":
        before = helped.view.textCursor().position()
        QTest.keyClick(helped.view, Qt.Key.Key_Tab)
        assert QApplication.focusWidget() is helped.view and helped.view.textCursor().position() != before
    helped.show_page("start")
    QTest.keyClick(helped.view, Qt.Key.Key_Tab)
    QTest.keyClick(helped.view, Qt.Key.Key_Return)
    assert helped.page_id == "models"
    QTest.keyClick(helped.view, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
    assert helped.page_id == "start"
    QTest.keyClick(helped, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert QApplication.focusWidget() is helped.search
    window.qtbot.keyClicks(helped.search, "enough evidence")
    QTest.keyClick(helped.search, Qt.Key.Key_Return)
    assert helped.page_id in ("statistics", "evaluate") and QApplication.focusWidget() is helped.view


def test_search_finds_text_and_marks_it(helped: HelpWindow) -> None:
    helped.search.setText("keyring")
    rows = [helped.list.model().index(row, 0).data() for row in range(helped.list.model().rowCount())]
    assert rows and rows[0].startswith("Keys and privacy") and "keyring" in rows[0]
    helped._open_first()
    assert helped.page_id == "privacy" and len(helped.view.extraSelections()) >= 1
    helped.search.setText("xyzzy")
    assert helped.list.model().rowCount() == 0 and "Nothing" in helped.found.text()
    helped.search.setText("")
    assert helped.list.model().rowCount() == len(PAGES) and not helped.found.isVisible()


def test_every_page_is_drawn_whole_in_both_themes_and_at_every_size(window: Driver, helped: HelpWindow) -> None:
    for page in PAGES:
        helped.show_page(page.id)
        text = helped.view.toPlainText()
        assert page.title in text and not re.search(r"\{\w+[:}]|\]\(|\*\*", text), page.id
    helped.show_page("compare")
    kind = QTextDocument.ResourceType.ImageResource.value

    def shown() -> QImage:
        image = helped.view.document().resource(kind, QUrl("image:compare"))
        assert isinstance(image, QImage)
        return image

    light = shown().scaled(1, 1).pixelColor(0, 0).lightness()
    window.window.registry["theme.toggle"].trigger()
    window.wait(lambda: abs(shown().scaled(1, 1).pixelColor(0, 0).lightness() - light) > 80)
    height = helped.view.document().size().height()
    settings = window.program.settings
    appearance = replace(settings.value.appearance, text_scale=200)
    settings.save(replace(settings.value, appearance=appearance))
    window.wait(lambda: helped.view.document().size().height() > height)
    assert shown().deviceIndependentSize().width() <= helped.view.viewport().width()


def test_the_keyboard_map_follows_the_users_keys(window: Driver, helped: HelpWindow) -> None:
    helped.show_page("keyboard")
    registry = window.window.registry
    window.wait(lambda: "Blind mode on or off" in helped.view.toPlainText())
    text = helped.view.toPlainText()
    window.wait(lambda: "Replay on another model" in helped.view.toPlainText())
    assert "Ctrl+K" in text and "Shift+Return" in text
    registry.set_shortcuts({"palette": "Ctrl+Alt+Y"})
    window.wait(lambda: "Ctrl+Alt+Y" in helped.view.toPlainText())
    helped.show_page("start")
    assert "Ctrl+Alt+Y" in helped.view.toPlainText()


def test_a_page_is_saved_as_pdf(helped: HelpWindow, tmp_path: Path) -> None:
    helped.show_page("keyboard")
    helped.save_pdf(str(tmp_path / "map.pdf"))
    assert (tmp_path / "map.pdf").read_bytes().startswith(b"%PDF-") and "Saved" in helped.told.text()
    helped.save_pdf(str(tmp_path / "missing" / "map.pdf"))
    assert "can't be written" in helped.told.text()


def test_every_control_has_a_name(helped: HelpWindow) -> None:
    assert nameless(helped) == []


def test_a_translated_page_takes_the_place_of_the_english_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "de").mkdir()
    (tmp_path / "01-start.md").write_text("# Start\n\nHello")
    (tmp_path / "02-more.md").write_text("# More\n\nText")
    (tmp_path / "de" / "01-start.md").write_text("# Anfang\n\nHallo")
    monkeypatch.setattr(help_pages, "help_folder", lambda: tmp_path)
    pages.cache_clear()
    try:
        assert [(page.id, page.title) for page in pages("de")] == [("start", "Anfang"), ("more", "More")]
    finally:
        pages.cache_clear()
