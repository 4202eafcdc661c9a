"""The window in other languages: German from the settings, and a test language that is written from right to left."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from PySide6.QtCore import QLocale, Qt
from PySide6.QtWidgets import QApplication, QMessageBox

from tests.accessibility.walk import every_screen
from tests.ui.conftest import fake_models, garbage_on_this_thread, start, watchdog
from tests.ui.driver import Driver
from tests.ui.watchdog import Watchdog
from workbench.core import tr as tr_module
from workbench.ui import formats, language
from workbench.ui.settings.general import AppearanceSection

__all__ = ["fake_models", "garbage_on_this_thread", "start", "watchdog"]
Start = Callable[[], Driver]
FOLDER = Path(__file__).parents[2] / "resources" / "languages"


@pytest.fixture(autouse=True)
def english_afterwards(qapp: QApplication) -> Iterator[None]:
    yield
    language.Language(qapp, "en").leave()


def settings(home: Path, **appearance: object) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "settings.json").write_text(json.dumps({"appearance": appearance}))


def test_the_window_speaks_german(fake_models: None, start: Start, home: Path, watchdog: Watchdog) -> None:
    watchdog.cpu_limit_s = 0.6
    settings(home, language="de")
    driver = start()
    frame = driver.window
    assert [button.text() for button in frame.rail._buttons.values()][:2] == ["Chat", "Vergleich"]
    assert len({button.width() for button in frame.rail._buttons.values()}) == 1, "icons in one line, whatever the name"
    assert frame.registry["chat.new"].text() == "Neuer Chat"
    assert formats.number(1234567) == "1.234.567"
    assert formats.money(12.5) == "12,50\N{NO-BREAK SPACE}$"
    assert formats.decimal(3.14159, 2) == "3,14"
    assert formats.keys_text(frame.registry["palette"].shortcut()) == "Strg+K"
    driver.use("fake:dies")
    driver.send("hallo")
    (error,) = [item.error for item in driver.page.conversation.view.items if item.error]
    assert error.message == "The engine ended: out of memory."  # of a plugin: no catalogue knows it
    assert driver.store.runs()[0].error == error  # what is stored is not translated


def test_what_the_engine_says_is_german_in_the_window_and_english_in_the_database(
    fake_models: None, start: Start, home: Path
) -> None:
    settings(home, language="de")
    driver = start()
    driver.use("fake:overflow")
    driver.send("hallo")
    (error,) = [item.error for item in driver.page.conversation.view.items if item.error]
    assert error.message == "Der Prompt hat 9000 Token; der Kontext fasst 8192 (808 zu viel)."
    stored = driver.store.runs()[0].error
    assert stored is not None and stored.message.startswith("The prompt has 9000 tokens")


def test_the_texts_of_qt_are_german_too(fake_models: None, start: Start, home: Path) -> None:
    settings(home, language="de")
    driver = start()
    box = QMessageBox(QMessageBox.Icon.Question, "?", "?", QMessageBox.StandardButton.Cancel, driver.window)
    assert [button.text().replace("&", "") for button in box.buttons()] == ["Abbrechen"]
    box.deleteLater()


def test_the_language_is_chosen_in_the_settings(fake_models: None, start: Start, home: Path) -> None:
    driver = start()
    driver.window.show_part("settings", "appearance")
    section = driver.window.page("settings").findChild(AppearanceSection)
    names = [section.language.itemText(row) for row in range(section.language.count())]
    assert names == ["Like the system", "English", "Deutsch", "简体中文"]
    assert section.restart.isHidden()
    section.language.setCurrentIndex(2)
    section.language.activated.emit(2)
    assert json.loads((home / "settings.json").read_text())["appearance"]["language"] == "de"
    assert not section.restart.isHidden()
    driver.click(section.restart)
    assert driver.program.begins_anew
    driver.close()
    again = start(wait=False)  # at the settings, where it was
    again.wait(lambda: again.program.is_complete and again.program.jobs.pending == 0)
    assert again.window.registry["place.compare"].text() == "Zu Vergleich"


def test_numbers_and_dates_are_written_as_the_locale_does(qapp: QApplication) -> None:
    language.Language(qapp, "zh_CN")
    assert formats.number(12345) == "12,345"
    assert formats.date_and_time("2026-03-04T12:00:00+00:00").startswith("2026/3/4 ")
    language.Language(qapp, "de")
    assert formats.date_and_time("2026-03-04T12:00:00+00:00").startswith("04.03.2026 ")
    assert formats.size_text(4_280_000_000) == "4,28 GB"
    assert formats.elapsed_text(4.21) == "4,2 s"
    assert formats.percent(0.125, 1) == "12,5 %"
    language.Language(qapp, "en")
    assert formats.number(12345) == "12,345"
    assert formats.money(0.00001) == "<$0.0001"
    assert formats.date_and_time("not a moment") == "not a moment"
    assert QLocale().name() == "en_US"


@pytest.fixture
def right_to_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An Arabic whose texts are the German ones between marks: long, and from right to left."""
    with (FOLDER / "de.po").open("rb") as file:
        texts = read_po(file, locale="de")
    for message in texts:
        if message.id and isinstance(message.string, str):
            message.string = f"\u202b{message.string}\u202c"
    folder = tmp_path / "languages"
    folder.mkdir()
    with (folder / "ar.mo").open("wb") as file:
        write_mo(file, texts)
    monkeypatch.setitem(tr_module.LANGUAGES, "ar", "العربية")
    plain = tr_module.use_language
    monkeypatch.setattr(language, "use_language", lambda code: plain(code, folder if code == "ar" else None))


def test_a_language_from_right_to_left_breaks_nothing(
    right_to_left: None, fake_models: None, start: Start, home: Path, watchdog: Watchdog
) -> None:
    watchdog.cpu_limit_s = 1.0
    settings(home, language="ar")
    driver = start()
    frame = driver.window
    frame.resize(1280, 800)
    assert QApplication.layoutDirection() == Qt.LayoutDirection.RightToLeft
    driver.use("fake:echo")
    driver.send("hello")
    assert frame.rail.mapTo(frame, frame.rail.rect().topLeft()).x() > frame.width() / 2
    for _name, page in every_screen(driver):
        assert page.width() <= frame.width()
    code = driver.page.composer.edit
    assert code.document().defaultTextOption().textDirection() == Qt.LayoutDirection.LayoutDirectionAuto
