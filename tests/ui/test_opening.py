"""The first paint: what it needs and what it must not need, what is typed into it, where it opens."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtWidgets import QFrame, QLabel, QPlainTextEdit, QToolButton

from tests.ui.driver import Driver
from workbench.core.errors import StoreError
from workbench.core.paths import Paths
from workbench.ui import numbers
from workbench.ui.opening import Opening
from workbench.ui.screens import is_reachable
from workbench.ui.theme import SCHEMES, Look

Start = Callable[..., Driver]
FIRST_PAINT = """
import sys
from PySide6 import QtCore
from workbench.app import main as program

class Watched(program.Program):
    def _after_paint(self):
        print(" ".join(sys.modules))
        print("Qt" in vars(QtCore))
        app.exit()

from workbench.core.paths import Paths
app = program.make_app(["workbench"])
watched = Watched(app, Paths.of_user(), [])
watched.start()
app.exec()
watched.close()
"""
LATER = (
    "msgspec",
    "json",
    "sqlite3",
    "datetime",
    "dataclasses",
    "hashlib",
    "platformdirs",
    "psutil",
    "socket",
    "jinja2",
)
"""Modules that cost milliseconds and that the first paint has no need of."""


def test_the_first_paint_waits_for_nothing_it_does_not_need(home: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FIRST_PAINT], capture_output=True, text=True, timeout=60, check=True)
    modules, made_enums = done.stdout.splitlines()
    assert [name for name in LATER if name in modules.split()] == []
    assert made_enums == "False", "something before the first paint uses Qt.…: see ui/numbers.py"


@pytest.mark.parametrize("place", ["chat", "models"])
def test_the_window_opens_in_the_place_it_was_left_in(start: Start, home: Path, place: str) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "ui-state.json").write_text(json.dumps({"place": place}))
    driver = start(wait=False)
    driver.wait(lambda: driver.window.page(place) is not None and driver.window.page(place).isVisible())
    assert driver.window.place == place


def test_a_click_in_the_rail_before_everything_is_there_is_not_lost(start: Start) -> None:
    driver = start(complete=False)
    button = next(button for button in driver.window.rail.findChildren(QToolButton) if button.text() == "Settings")
    driver.click(button)
    driver.wait(lambda: driver.program.is_complete)
    assert driver.window.place == "settings"
    assert driver.window.page("settings").isVisible()


def test_a_prompt_sent_into_the_first_paint_is_answered(fake_models: None, start: Start, home: Path) -> None:
    (home / "settings.json").write_text('{"default_model": "fake:echo"}')
    driver = start(complete=False)
    composer = driver.window.page("chat").composer
    driver.qtbot.keyClicks(composer.edit, "early bird")
    driver.qtbot.keyClick(composer.edit, Qt.Key.Key_Return)
    assert composer.text == "early bird"
    driver.wait(lambda: driver.program.is_complete)
    driver.wait(lambda: len(driver.state.path) == 2)
    driver.wait_idle()
    assert driver.texts() == [("user", "early bird"), ("assistant", "1: early bird")]
    assert composer.text == ""


def test_what_is_typed_before_the_last_chat_is_there_goes_behind_its_draft(
    fake_models: None, start: Start, home: Path
) -> None:
    first = start()
    first.use("fake:echo")
    first.send("hello")
    first.type("half a ")
    first.close()
    again = start(complete=False)
    composer = again.window.page("chat").composer
    assert not again.window.page("chat").welcome.isVisible()
    again.qtbot.keyClicks(composer.edit, "thought")
    again.wait(lambda: again.program.is_complete)
    again.wait(lambda: again.state.path)
    assert composer.text == "half a thought"


def test_what_is_sent_before_the_last_chat_is_there_goes_into_it(fake_models: None, start: Start, home: Path) -> None:
    first = start()
    first.use("fake:echo")
    first.send("hello")
    session_id = first.state.session_id
    first.type("half a thought")
    first.close()
    again = start(complete=False)
    composer = again.window.page("chat").composer
    again.send_while_opening("more")
    again.wait(lambda: len(again.state.path) == 4)
    again.wait_idle()
    assert again.state.session_id == session_id
    assert again.texts()[2:] == [("user", "more"), ("assistant", "3: more")]
    assert composer.text == "half a thought"


def test_a_last_chat_that_is_gone_leaves_what_was_typed(fake_models: None, start: Start, home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "ui-state.json").write_text(json.dumps({"session_id": "gone", "model_id": "fake:echo"}))
    driver = start(complete=False)
    driver.send_while_opening("typed at once")
    driver.wait(lambda: len(driver.state.path) == 2)
    driver.wait_idle()
    assert driver.texts()[1] == ("assistant", "1: typed at once")


def test_a_last_chat_that_can_not_be_read_does_not_keep_a_prompt_back(
    fake_models: None, start: Start, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "ui-state.json").write_text(json.dumps({"session_id": "damaged", "model_id": "fake:echo"}))

    def unreadable(*_: object) -> None:
        raise StoreError("The chat can't be read.")

    driver = start(complete=False)
    with monkeypatch.context() as patch:
        patch.setattr("workbench.ui.chat.state.read_view", unreadable)
        driver.wait(lambda: driver.program.is_complete)
        driver.wait(driver.page.remedies.isVisible)
    assert "can't be read" in driver.page.remedies.title.text()
    driver.send("then a new one")
    assert driver.texts()[1] == ("assistant", "1: then a new one")


def test_a_prompt_waits_in_sight_where_the_services_do_not_open(start: Start, home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    Paths.of_user().database.write_bytes(b"no database" * 1000)
    driver = start(complete=False)
    composer = driver.window.page("chat").composer
    driver.send_while_opening("not lost")
    driver.wait(lambda: driver.window.banner_texts)
    assert composer.text == "not lost"
    assert composer.holds


def test_a_model_file_dropped_on_the_first_paint_is_used(fake_models: None, start: Start, tmp_path: Path) -> None:
    driver = start(complete=False)
    file = tmp_path / "mine.gguf"
    driver.window.model_files_dropped.emit([str(file)])
    driver.wait(lambda: driver.program.is_complete)
    assert driver.state.model_id == str(file)
    driver.wait_ready()
    assert driver.state.model_id == str(file)


def test_a_window_that_is_closed_at_once_leaves_nothing_behind(start: Start) -> None:
    driver = start(complete=False)
    driver.wait(lambda: driver.window._painted)
    driver.window.close()
    driver.close()
    assert not hasattr(driver.program, "rest") or driver.program.slot.value is None


@pytest.mark.parametrize("broken", ["import", "step"])
def test_a_damaged_installation_is_told(
    start: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], broken: str
) -> None:
    def damaged(*_: object) -> None:
        raise ImportError("cannot import name 'tools'")

    if broken == "import":
        monkeypatch.setitem(sys.modules, "workbench.app.rest", None)
    else:
        monkeypatch.setattr("workbench.ui.window_actions.add_window_actions", damaged)
    driver = start(complete=False)
    driver.wait(lambda: driver.program.failure is not None)
    box = driver.program.failure
    assert box.isVisible()
    assert "install the program again" in box.informativeText()
    assert "Error" in box.detailedText() and "Error" in capsys.readouterr().err
    box.accept()
    driver.wait(lambda: not driver.window.isVisible())


def test_unusable_files_of_the_last_time_are_as_none(home: Path) -> None:
    paths = Paths.of_user()
    home.mkdir(parents=True, exist_ok=True)
    assert Opening.read(paths) == Opening()
    paths.settings.write_text('{"appearance": {"theme": "purple", "text_scale": 900, "language": 3}}')
    paths.ui_state.write_text('{"splitters": {"chat": 4, "window": "AAA="}, "place": ["x"], "list_open": "no"}')
    assert Opening.read(paths) == Opening(splitters={"window": "AAA="})
    paths.settings.write_text("[1, 2")
    paths.ui_state.write_text("17")
    assert Opening.read(paths) == Opening()
    paths.settings.write_text('{"appearance": {"theme": "dark", "text_scale": 150}}')
    paths.ui_state.write_text('{"session_id": "s", "draft": "of a new chat", "model_name": "Smol"}')
    opening = Opening.read(paths)
    assert (opening.look, opening.resumes, opening.draft) == (Look("dark", 150), True, "")
    assert opening.model_name == "Smol"


def test_the_numbers_are_those_of_qt(qapp: object) -> None:
    label, button, edit = QLabel(), QToolButton(), QPlainTextEdit()
    for target, number, read in (
        (label, numbers.PLAIN_TEXT, lambda: label.textFormat() is Qt.TextFormat.PlainText),
        (label, numbers.CENTERED, lambda: label.alignment() == Qt.AlignmentFlag.AlignCenter),
        (label, numbers.AT_RIGHT, lambda: label.alignment() == RIGHT),
        (button, numbers.FOCUS_BY_TAB, lambda: button.focusPolicy() == Qt.FocusPolicy.TabFocus),
        (button, numbers.NO_FOCUS, lambda: button.focusPolicy() == Qt.FocusPolicy.NoFocus),
        (button, numbers.ICON_ABOVE_TEXT, lambda: button.toolButtonStyle() is STYLE.ToolButtonTextUnderIcon),
        (button, numbers.ICON_BESIDE_TEXT, lambda: button.toolButtonStyle() is STYLE.ToolButtonTextBesideIcon),
        (edit, numbers.NO_HORIZONTAL_BAR, lambda: edit.horizontalScrollBarPolicy() is OFF),
        (edit, numbers.NO_FRAME, lambda: edit.frameShape() == QFrame.Shape.NoFrame),
    ):
        numbers.set_number(target, number)
        assert read(), number
    assert {"system": 0, "light": Qt.ColorScheme.Light.value, "dark": Qt.ColorScheme.Dark.value} == SCHEMES
    with pytest.raises(ValueError, match="no property"):
        numbers.set_number(label, numbers.NO_HORIZONTAL_BAR)


RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
STYLE = Qt.ToolButtonStyle
OFF = Qt.ScrollBarPolicy.ScrollBarAlwaysOff


def test_a_window_is_reachable_where_its_upper_edge_is_on_a_screen() -> None:
    screens = [QRect(0, 0, 1920, 1080), QRect(1920, 0, 1280, 1024)]
    assert is_reachable(QRect(100, 100, 1280, 800), screens)
    assert is_reachable(QRect(1800, 100, 1280, 800), screens)
    assert not is_reachable(QRect(1800, 100, 1280, 800), [QRect(0, 0, 1280, 800)])  # that monitor is gone
    assert not is_reachable(QRect(100, -300, 1280, 800), screens)  # nothing to take hold of
    assert not is_reachable(QRect(0, 0, 1920, 1080), [QRect(0, 0, 1366, 768)])  # a smaller one is there now
