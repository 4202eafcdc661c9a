"""The frame: first start, lists, search, themes, the palette, restarts, problems, names for every control."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QRect, Qt, QTimer
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import (
    QApplication,
    QInputDialog,
    QMessageBox,
    QScrollArea,
    QToolButton,
)

from tests.ui.driver import Driver
from tests.ui.watchdog import Watchdog
from workbench.core.paths import Paths
from workbench.store import Store
from workbench.ui.palette import ACTION_ROLE, CommandPalette
from workbench.ui.places import PLACES
from workbench.ui.settings.erase_dialog import EraseDialog
from workbench.ui.tokens import DARK, LIGHT
from workbench.ui.window_actions import change_appearance

Start = Callable[..., Driver]


def test_first_start_has_the_starter_model_and_the_cursor_in_the_composer(start: Start) -> None:
    driver = start()
    driver.window.activateWindow()
    driver.wait(lambda: QApplication.focusWidget() is driver.composer.edit)
    assert driver.state.model_id == "starter"
    assert driver.state.model is not None and not driver.state.model.remote
    assert "tiny" in driver.page.welcome.hint.text()
    assert len(driver.page.welcome.buttons) == 3
    assert driver.window.banner_texts == []


def test_an_example_prompt_is_sent_by_one_click(window: Driver) -> None:
    window.click(window.page.welcome.buttons[0])
    window.wait(lambda: len(window.state.path) == 2)
    window.wait_idle()
    assert window.texts()[0][1].startswith("Explain what a context window is")


def test_a_prompt_typed_before_the_services_are_open_is_not_lost(fake_models: None, start: Start, home: Path) -> None:
    (home / "settings.json").write_text('{"default_model": "fake:echo"}')
    driver = start(wait=False)
    driver.type("early bird")
    driver.press("Return")
    driver.wait(lambda: len(driver.state.path) == 2)
    driver.wait_idle()
    assert driver.texts() == [("user", "early bird"), ("assistant", "1: early bird")]


def test_search_finds_text_inside_messages(window: Driver) -> None:
    window.send("the walrus sleeps")
    window.shortcut("Ctrl+N")
    window.send("something else")
    sessions = window.page.sessions
    window.wait(lambda: len(sessions.titles()) == 2)
    window.shortcut("Ctrl+F")
    window.qtbot.keyClicks(sessions.search, "walrus")
    window.wait(lambda: sessions.titles() == ["the walrus sleeps"])
    window.press("Return", sessions.search)
    window.wait(lambda: window.state.path and window.texts()[0][1] == "the walrus sleeps")
    window.press("Esc", sessions.search)
    window.wait(lambda: len(sessions.titles()) == 2)


def test_rename_pin_and_folder(window: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    window.send("one")
    window.shortcut("Ctrl+N")
    window.send("two")
    window.wait(lambda: window.page.sessions.titles() == ["two", "one"])
    monkeypatch.setattr(QInputDialog, "getText", lambda *_arguments: ("Better name", True))
    window.shortcut("F2")
    window.wait(lambda: window.page.sessions.titles() == ["Better name", "one"])
    assert window.page.title.full_text == "Better name"
    window.shortcut("Ctrl+PgDown")
    window.wait(lambda: window.page.title.full_text == "one")
    window.wait_idle()
    window.shortcut("Ctrl+P")
    window.wait(lambda: window.page.sessions.titles() == ["one", "Better name"])
    monkeypatch.setattr(QInputDialog, "getItem", lambda *_arguments: ("Work", True))
    window.palette("move the chat")
    window.wait(lambda: window.store.folders() == ["Work"])


@pytest.mark.parametrize("keys", ["Ctrl+Shift+Z", "Ctrl+Z"])
def test_a_deletion_is_taken_back_from_the_empty_composer_too(window: Driver, keys: str) -> None:
    window.send("precious")
    window.palette("delete the chat")
    window.wait(window.window.toaster.isVisible)
    window.window.activateWindow()
    window.wait(lambda: QApplication.focusWidget() is window.composer.edit)
    window.type("ab")
    window.press("Ctrl+Z")
    assert "b" not in window.composer.text, "text that was typed goes first"
    while window.composer.edit.document().isUndoAvailable():
        window.press("Ctrl+Z")
    if keys == "Ctrl+Shift+Z":
        window.composer.clear()
        window.composer.edit.document().clearUndoRedoStacks()
    window.press(keys)
    window.wait(lambda: window.page.sessions.titles() == ["precious"])


def test_a_deleted_chat_comes_back_by_undo(window: Driver) -> None:
    window.send("precious")
    window.wait(lambda: window.page.sessions.titles() == ["precious"])
    window.palette("delete the chat")
    window.wait(lambda: window.page.sessions.titles() == [])
    assert window.state.session_id is None
    window.wait(window.window.toaster.isVisible)
    window.shortcut("Ctrl+Shift+Z")
    window.wait(lambda: window.page.sessions.titles() == ["precious"])
    window.wait(lambda: len(window.state.path) == 2)


def test_a_restart_brings_back_the_chat_the_draft_and_the_window(fake_models: None, start: Start) -> None:
    first = start()
    first.use("fake:echo")
    first.send("kept")
    first.type("half a thou")
    first.shortcut("Ctrl+.")
    first.window.resize(790, 650)
    size = first.window.size()
    first.close()
    second = start()
    second.wait(lambda: len(second.state.path) == 2)
    assert second.texts()[0] == ("user", "kept")
    assert second.composer.text == "half a thou"
    assert second.state.model_id == "fake:echo"
    assert second.window.height() == size.height()
    assert second.window.width() == min(size.width(), QApplication.primaryScreen().availableGeometry().width() - 2)
    assert second.page.side_panel.isHidden()
    second.wait_idle()


def test_a_model_file_of_the_command_line_goes_before_the_restored_chat(
    fake_models: None, start: Start, tmp_path: Path
) -> None:
    first = start()
    first.use("fake:echo")
    first.send("kept")
    session_id = first.state.session_id
    first.close()
    file = tmp_path / "mine.gguf"
    second = start(files=(str(file),))
    second.wait_idle()
    assert second.state.model_id == str(file)
    assert second.state.session_id is None and second.state.path == []
    second.state.open_session(session_id)
    second.program.start_again([str(file)])  # while the chat is still being read
    second.wait_idle()
    assert second.state.model_id == str(file)
    assert second.state.session_id is None
    assert second.store.session(session_id).options["model"] == "fake:echo"


def test_the_draft_of_a_new_chat_survives_too(fake_models: None, start: Start) -> None:
    first = start()
    first.type("not sent yet")
    first.close()
    assert start().composer.text == "not sent yet"


def test_drafts_belong_to_their_chats(window: Driver) -> None:
    window.send("one")
    window.type("draft of one")
    window.shortcut("Ctrl+N")
    assert window.composer.text == ""
    window.type("new draft")
    window.wait_idle()
    window.shortcut("Ctrl+PgDown")
    window.wait(lambda: window.composer.text == "draft of one")
    window.shortcut("Ctrl+N")
    assert window.composer.text == "new draft"


def test_files_of_drafts_survive_a_restart(fake_models: None, start: Start, tmp_path: Path) -> None:
    notes, more = tmp_path / "notes.txt", tmp_path / "more.txt"
    notes.write_text("the notes")
    more.write_text("more of them")
    first = start()
    first.composer.add_files([str(more)])
    first.wait(lambda: first.composer.files)
    first.shortcut("Ctrl+N")
    first.use("fake:echo")
    first.send("one")
    first.composer.add_files([str(notes)])
    first.wait(lambda: first.composer.files)
    first.close()
    second = start()
    second.wait(lambda: second.composer.files)
    assert [(file.attachment.name, file.text) for file in second.composer.files] == [("notes.txt", "the notes")]
    second.send("two")
    assert second.page.conversation.view.items[2].attachments == ("notes.txt",)
    second.close()
    third = start()
    third.wait(lambda: len(third.state.path) == 4)
    third.wait_idle()
    assert third.composer.files == []


def test_files_of_a_new_chat_survive_too_and_go_where_they_are_removed(
    fake_models: None, start: Start, tmp_path: Path, home: Path
) -> None:
    (tmp_path / "notes.txt").write_text("the notes")
    first = start()
    first.composer.add_files([str(tmp_path / "notes.txt")])
    first.wait(lambda: first.composer.files)
    first.close()
    assert list((home / "drafts").iterdir())
    second = start()
    second.wait(lambda: second.composer.files)
    second.click(second.composer.findChild(QToolButton, "removeFile"))
    second.close()
    assert not list((home / "drafts").iterdir())


def test_theme_and_text_size_change_at_once_and_are_kept(window: Driver, home: Path, watchdog: Watchdog) -> None:
    watchdog.cpu_limit_s = 0.6  # every widget is styled anew, which takes Qt 100 ms; nobody switches while reading
    before = window.program.theme.tokens
    window.palette("switch between light and dark")
    after = window.program.theme.tokens
    assert after.dark != before.dark
    assert QApplication.palette().window().color().name() == after.bg
    window.shortcut("Ctrl++")
    window.wait(lambda: window.program.theme.scale == 110)
    assert QApplication.font().pixelSize() == 14
    saved = json.loads((home / "settings.json").read_text())["appearance"]
    assert saved["text_scale"] == 110 and saved["theme"] == ("dark" if after.dark else "light")


def test_a_key_held_down_styles_the_window_only_twice(window: Driver, watchdog: Watchdog) -> None:
    watchdog.cpu_limit_s = 0.6
    styled: list[int] = []
    window.program.theme.changed.connect(lambda: styled.append(window.program.theme.scale))
    for _ in range(5):
        window.window.registry["text.larger"].trigger()
    window.wait(lambda: window.program.theme.scale == 150)
    assert styled == [110, 150]


def test_every_action_is_in_the_palette(window: Driver) -> None:
    registry = window.window.registry
    window.shortcut("Ctrl+K")
    palette = window.window.command_palette
    wanted = {
        "New chat",
        "Settings: Network",
        "Keyboard map",
        "Compare: Add a column",
        "History: Read the history again",
    }
    window.wait(lambda: wanted <= shown_in(palette))
    usable = {action.objectName() for action in registry if action.isEnabled() and action.objectName() != "palette"}
    rows = [palette.rows.index(row, 0) for row in range(palette.rows.rowCount())]
    assert {row.data(ACTION_ROLE).objectName() for row in rows} == usable
    window.press("Esc", palette.field)
    assert not palette.isVisible()
    before = {action.objectName() for action in registry}
    for place in PLACES:
        window.window.show_place(place.id)
    assert {action.objectName() for action in registry} == before, "a place with acts=False brings actions"


def shown_in(palette: CommandPalette) -> set[str]:
    return {palette.rows.item(row).text() for row in range(palette.rows.rowCount())}


def test_an_action_of_another_place_is_done_there(window: Driver) -> None:
    window.shortcut("Ctrl+K")
    palette = window.window.command_palette
    window.wait(lambda: "compare.add" in window.window.registry)
    window.qtbot.keyClicks(palette.field, "compare: add a col")
    window.press("Return", palette.field)
    assert window.window.place == "compare"
    window.wait(window.window.page("compare").picker.isVisible)
    window.window.page("compare").picker.hide()


def test_no_two_actions_have_the_same_keys(window: Driver) -> None:
    seen: dict[str, str] = {}
    for action in window.window.registry:
        for keys in action.shortcuts():
            assert seen.setdefault(keys.toString(), action.text()) == action.text()


def test_offline_is_shown_and_saved(window: Driver) -> None:
    window.click(window.window.status.offline)
    assert window.program.settings.value.network.offline
    assert window.window.status.offline.text().strip() == "Offline"


def test_options_reach_the_run_and_presets_bring_them_back(window: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = window.page.side_panel
    window.wait(lambda: panel.sampling is not None)
    window.qtbot.keyClicks(panel.sampling.rows["temperature"].field, "0.25")
    window.qtbot.keyClicks(panel.system_prompt, "be brief")
    window.send("hello")
    record = window.store.runs()[0]
    assert record.system_prompt == "be brief"
    assert window.state.options.sampling.temperature == 0.25
    monkeypatch.setattr(QInputDialog, "getText", lambda *_arguments: ("Brief", True))
    panel.save_preset()
    window.wait(lambda: [preset.name for preset in window.store.presets("chat")] == ["Brief"])
    window.click(panel.reset)
    assert window.state.options.system_prompt == ""
    window.wait(lambda: panel.presets.findData("Brief") > 0)
    panel.presets.setCurrentText("Brief")
    panel.presets.activated.emit(panel.presets.currentIndex())
    assert window.state.options.system_prompt == "be brief"
    assert panel.system_prompt.toPlainText() == "be brief"


def test_a_wrong_number_is_told_and_not_used(window: Driver) -> None:
    panel = window.page.side_panel
    window.wait(lambda: panel.sampling is not None)
    row = panel.sampling.rows["top_p"]
    window.qtbot.keyClicks(row.field, "7")
    assert "from 0 to 1" in row.hint.text()
    assert window.state.options.sampling.top_p is None


def test_a_damaged_database_is_told_and_can_be_set_aside(start: Start, home: Path) -> None:
    home.mkdir(parents=True)
    (home / "workbench.db").write_bytes(b"not a database at all " * 500)
    driver = start(wait=False)
    driver.wait(lambda: driver.window.banner_texts)
    assert "not a database" in driver.window.banner_texts[0]
    driver.click(driver.window.messages["store"].action)
    driver.wait_ready()
    assert driver.window.banner_texts == []
    assert any("workbench" in path.name and path.name != "workbench.db" for path in home.iterdir())


def test_a_folder_that_can_not_be_written_shows_what_is_there(
    fake_models: None, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = start()
    first.use("fake:echo")
    first.send("kept")
    first.close()

    def refuse(_paths: Paths) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Paths, "create", refuse)
    monkeypatch.setattr("workbench.store.opening.os.access", lambda *_: False)
    second = start()
    second.wait(lambda: len(second.state.path) == 2)
    assert second.texts() == [("user", "kept"), ("assistant", "1: kept")]
    assert len(second.window.banner_texts) == 1
    second.type("more")
    assert not second.composer.send.isEnabled()


def test_a_newer_database_is_read_only_and_says_so(fake_models: None, start: Start, home: Path) -> None:
    first = start()
    first.use("fake:echo")
    first.send("from the future")
    first.close()
    import sqlite3

    with sqlite3.connect(home / "workbench.db") as connection:
        table = next(
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if "migration" in name
        )
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info([{table}])")]
        row = connection.execute(f"SELECT * FROM [{table}]").fetchone()
        values = {name: value for name, value in zip(columns, row, strict=True) if name != "id"}
        values["name"] = "from_a_newer_version"
        names = ", ".join(f"[{name}]" for name in values)
        marks = ", ".join("?" for _name in values)
        connection.execute(f"INSERT INTO [{table}] ({names}) VALUES ({marks})", list(values.values()))
    connection.close()
    second = start()
    assert second.window.banner_texts and "newer" in second.window.banner_texts[0]
    second.wait(lambda: second.state.path)
    second.type("more")
    assert not second.composer.send.isEnabled()


def test_a_bug_is_reported_and_the_window_goes_on(window: Driver, home: Path) -> None:
    def fail() -> None:
        raise RuntimeError("a bug with sk-abcdefghijklmnopqrstuvwxyz0123")

    QTimer.singleShot(0, fail)
    window.wait(lambda: any("failed" in text for text in window.window.banner_texts))
    reports = list((home / "logs" / "crashes").glob("*.txt"))
    assert len(reports) == 1
    text = reports[0].read_text()
    assert "a bug with" in text and "sk-abc" not in text
    window.send("still here")
    reports[0].unlink()


def test_help_opens_with_its_pages(window: Driver) -> None:
    window.shortcut("F1")
    help_window = window.window._help
    assert help_window is not None and help_window.isVisible()
    assert help_window.list.model().rowCount() >= 4
    help_window.close()


def test_the_database_is_closed_at_the_end(window: Driver, home: Path) -> None:
    window.send("bye")
    window.close()
    with Store.open(home / "workbench.db") as store:
        assert store.integrity() == []
        assert store.run_rows()[0].status == "done"


def test_a_page_that_fails_at_the_end_keeps_nothing_else_from_being_saved(
    window: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda _type, error, _trace: told.append(error))
    window.window.show_place("evaluate")
    window.window.show_place("chat")
    closed: list[str] = []
    monkeypatch.setattr(window.window.page("evaluate"), "close_page", lambda: 1 // 0)
    monkeypatch.setattr(window.page, "close_page", lambda: closed.append("chat"))
    window.window.closed.connect(lambda: closed.append("window"))
    pages = window.window._pages
    monkeypatch.setattr(window.window, "_pages", {"evaluate": pages["evaluate"], "chat": pages["chat"]})
    window.window.close()
    assert closed == ["chat", "window"]
    assert [type(error) for error in told] == [ZeroDivisionError]


def test_everything_is_deleted_once_the_word_was_typed_and_the_next_window_is_new(
    fake_models: None, start: Start, home: Path
) -> None:
    first = start()
    first.use("fake:echo")
    first.send("my secret plan")
    backend = first.program.slot.value
    assert backend is not None
    backend.keys.set("anthropic", "test-key-0123456789abcdef")
    backend.store.backup_now()
    first.palette("larger text")
    (home / "models").mkdir(exist_ok=True)
    (home / "models" / "kept.gguf").write_bytes(b"model")
    first.window.show_part("settings", "privacy")
    section = first.window.page("settings").show_part("privacy")
    first.click(section.erase)
    dialog = section.findChild(EraseDialog)
    assert not dialog.confirm.isEnabled()
    first.qtbot.keyClicks(dialog.field, "delet")
    assert not dialog.confirm.isEnabled()
    first.qtbot.keyClicks(dialog.field, "e")
    first.click(dialog.confirm)
    assert first.program.starts_over
    first.close()
    assert first.program.problems == []
    left = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}
    assert left == {"models/kept.gguf", "plugins/fake_models.py"}
    second = start()
    assert second.store.sessions() == []
    assert second.program.theme.scale == 100
    assert second.page.stack.currentWidget() is second.page.welcome


def test_the_ledger_counts_what_was_sent_since_it_was_last_shown(window: Driver) -> None:
    window.window.show_part("settings", "privacy")
    section = window.window.page("settings").show_part("privacy")
    window.wait(lambda: section.summary.text() == "No prompt has left this machine.")
    assert not section.table.isVisible()
    window.window.show_place("chat")
    window.use("fake:remote")
    window.send("hello")
    window.window.show_place("settings")
    window.wait(lambda: section.summary.text() == "One prompt left this machine.")
    assert section.table.rowCount() == 1


def test_the_largest_text_fits_the_window_as_it_is(window: Driver, watchdog: Watchdog) -> None:
    watchdog.cpu_limit_s = 0.6  # as above: every widget is styled anew
    frame, page = window.window, window.page
    frame.resize(1280, 800)
    window.wait(lambda: frame.width() == 1280 and page.side_panel.isVisible())
    change_appearance(frame, text_scale=200)
    window.wait(page.side_panel.isHidden)
    for place in ("compare", "evaluate", "history", "models", "settings", "chat"):
        frame.show_place(place)
        window.wait(lambda: frame.stack.width() + frame.rail.width() <= 1280)
        assert frame.width() == 1280
        assert frame.minimumSizeHint().width() <= 1280
    assert page.minimumSizeHint().width() <= page.width()
    assert page.welcome.minimumSizeHint().width() <= page.welcome.width()
    for button in page.welcome.buttons:
        advances = [button.fontMetrics().horizontalAdvance(line) for line in button.text().split("\n")]
        assert len(advances) > 1 and max(advances) < button.width() - 30
        assert button.height() > len(advances) * button.fontMetrics().height()
    window.shortcut("Ctrl+.")
    assert page.side_panel.isVisible()  # asked for, though there is little room
    window.shortcut("Ctrl+.")
    window.shortcut("Ctrl+.")
    change_appearance(frame, text_scale=100)
    window.wait(lambda: page.side_panel.isVisible() and frame.width() == 1280)


def test_a_long_preset_and_a_long_placeholder_are_not_cut_off(window: Driver) -> None:
    panel, edit = window.page.side_panel, window.composer.edit
    panel.presets.addItem("A preset with a name that is much longer than the panel is wide, by far")
    panel.presets.setCurrentIndex(panel.presets.count() - 1)
    content = panel.findChild(QScrollArea).widget()
    window.wait(lambda: content.width() <= panel.width())
    assert content.minimumSizeHint().width() <= panel.minimumWidth()
    edit.setPlaceholderText("Ask")
    one = edit.height()
    edit.setPlaceholderText("Ask a model with a long name. " * 8)
    several = edit.height()
    assert several > one
    window.type("short")
    assert edit.height() == several


def test_a_narrow_window_hides_the_list_and_shows_it_when_asked(window: Driver) -> None:
    frame = window.window
    assert frame.list_frame.isVisible()
    frame.resize(frame.minimumSize())
    window.wait(frame.list_frame.isHidden)
    window.shortcut("Ctrl+B")
    assert frame.list_frame.isVisible()
    window.shortcut("Ctrl+B")
    assert frame.list_frame.isHidden()
    window.shortcut("Ctrl+F")
    window.wait(window.page.sessions.isVisible)
    frame.resize(1200, 700)
    window.wait(lambda: frame.width() == 1200 and frame.list_frame.isVisible() and window.page.side_panel.isVisible())


def test_buttons_of_standard_dialogs_have_no_icons(window: Driver) -> None:
    kinds = QMessageBox.StandardButton
    box = QMessageBox(QMessageBox.Icon.Question, "Title", "Text?", kinds.Yes | kinds.No | kinds.Cancel, window.window)
    assert [button.icon().isNull() for button in box.buttons()] == [True, True, True]
    box.deleteLater()


@pytest.mark.parametrize(
    ("query", "action_id"),
    [
        ("dark mode", "theme.toggle"),
        ("zoom", "text.larger"),
        ("bigger font", "text.larger"),
        ("api key", "settings.providers"),
    ],
)
def test_the_palette_knows_other_words_too(window: Driver, query: str, action_id: str) -> None:
    palette = window.window.command_palette
    palette.open()
    palette.field.setText(query)
    assert palette.list.currentIndex().data(ACTION_ROLE).objectName() == action_id
    palette.leave()


def test_quitting_asks_while_an_answer_is_written(window: Driver) -> None:
    window.use("fake:slow")
    window.type("go on")
    window.press("Return")
    window.wait(lambda: window.state.running_here and "word3" in window.state.running_here.buffer.text)
    leaving = window.program.rest._leaving
    window.window.close()
    assert window.window.isVisible() and leaving.question is not None
    assert "Writing" in leaving.question.informativeText()
    window.click(next(button for button in leaving.question.buttons() if button.text() == "Go on working"))
    window.wait(lambda: leaving.question is None)
    assert window.window.isVisible() and window.state.running_here is not None
    window.window.close()
    window.click(next(button for button in leaving.question.buttons() if button.text() == "Quit"))
    window.wait(lambda: not window.window.isVisible())


def test_quitting_without_work_does_not_ask(window: Driver) -> None:
    window.send("hello")
    window.window.close()
    assert not window.window.isVisible()


def test_the_window_follows_the_system_into_the_dark(window: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """No desktop here tells its colours: what it would say is set by hand, the signal is Qt's."""
    theme = window.program.theme
    assert theme.tokens is LIGHT
    monkeypatch.setattr(theme, "_system_is_dark", lambda: True)
    QApplication.styleHints().colorSchemeChanged.emit(Qt.ColorScheme.Dark)
    assert theme.tokens is DARK
    assert QApplication.palette().color(QPalette.ColorRole.Window).name() == DARK.bg
    window.wait(lambda: window.page.conversation.view.tokens is DARK)
    change_appearance(window.window, theme="light")
    assert theme.tokens is LIGHT
    QApplication.styleHints().colorSchemeChanged.emit(Qt.ColorScheme.Dark)
    assert theme.tokens is LIGHT


def test_the_largest_text_cuts_no_button_of_the_list_and_no_prompt_to_try(window: Driver) -> None:
    change_appearance(window.window, text_scale=200)
    window.wait(lambda: window.program.theme.scale == 200)
    window.window.resize(1280, 640)
    window.shortcut("Ctrl+1")
    welcome = window.page.welcome
    window.wait(lambda: all(b.height() >= b.sizeHint().height() for b in welcome.buttons))
    window.wait(lambda: welcome.title.height() >= welcome.title.heightForWidth(welcome.title.width()))
    search = window.page.sessions.search
    compare_search = window.window.show_place("compare").sessions.search
    window.wait(lambda: compare_search.placeholderText() == "Search")
    assert search.accessibleName() == "Search chats" and compare_search.accessibleName() == "Search comparisons"
    new = window.page.sessions.new
    new.setText(" New comparison, or what it is called elsewhere")
    window.shortcut("Ctrl+2")
    window.shortcut("Ctrl+1")
    window.wait(lambda: new.width() >= new.sizeHint().width())
    window.shortcut("Ctrl+M")
    window.wait(window.page.picker.isVisible)
    picker, frame = window.page.picker, window.window
    assert frame.rect().contains(QRect(frame.mapFromGlobal(picker.pos()), picker.size()))
    change_appearance(window.window, text_scale=100)


def test_the_palette_says_when_nothing_is_found(window: Driver) -> None:
    window.shortcut("Ctrl+K")
    palette = window.window.command_palette
    window.wait(palette.isVisible)
    window.qtbot.keyClicks(palette.field, "zzzqq")
    assert [palette.rows.item(row).text() for row in range(palette.rows.rowCount())] == ["Nothing found."]
    window.qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    assert palette.isVisible()
