"""Comparing: one prompt to several columns, with real keys and clicks."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import shiboken6
from msgspec.structs import replace
from PySide6 import QtWidgets
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDrag, QDragEnterEvent, QDragMoveEvent, QDropEvent, QImage, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton

from tests.ui.compare.driver import CompareDriver
from tests.ui.driver import Driver
from workbench.core.chat_options import ChatOptions
from workbench.core.errors import BadInput
from workbench.core.requests import Sampling
from workbench.ui.compare.columns import Column, summary
from workbench.ui.compare.header import DRAG_TYPE


def test_one_prompt_is_answered_in_every_column_and_kept(compare: CompareDriver) -> None:
    compare.send("hello there")
    assert compare.texts(0) == compare.texts(1) == ["hello there", "1: hello there"]
    store = compare.window.store
    (session,) = store.sessions(kind="comparison")
    assert session.title == "hello there"
    assert {run.model for run in store.runs(session_id=session.id)} == {"fake:echo", "fake:other"}
    assert compare.page.sessions.titles() == ["hello there"]
    assert compare.window.window.windowTitle() == "hello there – Model Workbench"


def test_numbers_stand_in_the_heads_and_the_best_are_marked(compare: CompareDriver) -> None:
    compare.use("echo", "remote")
    compare.send("hi")
    local, remote = (panel.header for panel in compare.panels)
    assert local.badge.text() == "local · Q4_K_M"
    assert local.tokens.value.accessibleName() == "Tokens of the answer: 2 tokens"
    assert "41.2" in local.speed.value.text()
    assert local.cost.isHidden()
    assert remote.badge.text() == "Fake"
    assert "$0.0033" in remote.cost.value.text()
    assert not local.cheapest.isHidden()
    assert remote.cheapest.isHidden()
    assert local.fastest.isHidden()  # both 41.2


def test_follow_ups_go_on_in_every_column(compare: CompareDriver) -> None:
    compare.send("one")
    compare.send("two")
    assert compare.texts(1) == ["one", "1: one", "two", "3: two"]


def test_the_same_model_with_other_settings(compare: CompareDriver) -> None:
    compare.use("echo", "echo")
    compare.click(compare.panels[1].header.settings)
    sheet = compare.page.sheet
    compare.wait(lambda: sheet.panel.system_prompt is not None)
    compare.window.qtbot.keyClicks(sheet.panel.system_prompt, "Be brief.")
    compare.window.qtbot.keyClicks(sheet.label, "short")
    compare.send("hi")
    assert (compare.texts(0)[1], compare.texts(1)[1]) == ("1: hi", "2: hi")
    assert compare.panels[1].header.summary.full_text == "short"
    assert [c.options.system_prompt for c in compare.state.columns] == ["", "Be brief."]
    assert "system prompts differ" in " ".join(compare.page.conditions.messages)
    assert compare.page.conditions.isVisible()


def test_columns_come_go_and_change_places(compare: CompareDriver) -> None:
    state, page = compare.state, compare.page
    compare.click(page.toolbar.add)
    page.picker.hide()
    page.picker.chosen.emit("fake:remote")
    assert [c.model for c in state.columns] == ["fake:echo", "fake:other", "fake:remote"]
    page.board.focus_place(2)
    compare.window.shortcut("Ctrl+Shift+Left")
    assert [c.model for c in state.columns] == ["fake:echo", "fake:remote", "fake:other"]
    compare.window.shortcut("Ctrl+D")
    assert [c.model for c in state.columns] == ["fake:echo", "fake:remote", "fake:remote", "fake:other"]
    compare.window.shortcut("Ctrl+W")
    assert len(state.columns) == 3
    compare.window.shortcut("Ctrl+Shift+Z")
    assert len(state.columns) == 4
    assert [panel.key for panel in compare.panels] == [c.key for c in state.columns]


def test_a_column_dropped_elsewhere_moves_there(compare: CompareDriver) -> None:
    compare.use("echo", "other", "remote")
    board = compare.page.board
    last = compare.panels[2]
    right = last.mapTo(board, QPoint(last.width() - 4, 0)).x()
    assert board.place_at(right, "k0") == 2
    assert board.place_at(0, "k2") == 0
    board.splitter.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    board.equal_widths()
    compare.wait(lambda: compare.panels[2].x() < compare.panels[0].x())
    assert board.place_at(0, "k0") == 2
    board.splitter.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
    board.equal_widths()
    compare.wait(lambda: compare.panels[0].x() < compare.panels[2].x())
    data = QMimeData()
    data.setData(DRAG_TYPE, b"k0")
    button, move = Qt.MouseButton.LeftButton, Qt.DropAction.MoveAction
    entered = QDragEnterEvent(QPoint(right, 20), move, data, button, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(board, entered)
    for x, line_shown in ((right, True), (4, False), (right, True)):
        moved = QDragMoveEvent(QPoint(x, 20), move, data, button, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(board, moved)
        assert board.drop_line.isVisible() is line_shown
    dropped = QDropEvent(QPointF(right, 20), move, data, button, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(board, dropped)
    assert [column.key for column in compare.state.columns] == ["k1", "k2", "k0"]
    assert board.drop_line.isHidden()


def test_buttons_that_are_replaced_at_once_become_no_windows(compare: CompareDriver) -> None:
    compare.send("hi")
    votes = compare.page.votes
    votes.refresh()
    shortlived = list(votes.buttons)
    votes.refresh()
    QApplication.processEvents()
    assert shortlived
    assert not any(shiboken6.isValid(button) and button.isVisible() for button in shortlived)


def test_tabs_tell_which_columns_still_answer(compare: CompareDriver) -> None:
    compare.use("echo", "slow")
    compare.window.window.resize(560, 700)
    compare.wait(lambda: compare.page.board.is_narrow)
    compare.send("hello", finish=False)
    compare.wait(lambda: len(compare.state.active) == 1)
    tabs = compare.page.board.tabs
    assert [tabs.tabText(place) for place in (0, 1)] == ["Echo 8B", "Slow 8B · answering"]
    compare.state.stop()
    compare.wait_done()
    assert tabs.tabText(1) == "Slow 8B"


def test_there_are_two_to_eight_columns(compare: CompareDriver) -> None:
    for _ in range(10):
        compare.state.duplicate("k0")
    assert len(compare.state.columns) == 8
    assert not compare.page.toolbar.add.isEnabled()
    for column in compare.state.columns[:-1]:
        compare.state.remove(column.key)
    assert len(compare.state.columns) == 2


def test_stop_one_and_stop_all(compare: CompareDriver) -> None:
    compare.use("slow", "slow", "echo")
    compare.send("go on", finish=False)
    running = compare.panels[0].header
    compare.wait(lambda: len(compare.state.active) == 2 and "Stop" in running.retry.accessibleName())
    compare.wait(lambda: all("word1" in run.buffer.text for run in compare.state.active.values()))
    compare.wait(lambda: [panel.view.items[-1].status for panel in compare.panels] == ["", "", ""])
    compare.click(running.retry)
    compare.wait(lambda: len(compare.state.active) == 1)
    assert compare.page.composer.send.text() == "Stop all"
    compare.window.shortcut("Esc")
    compare.wait_done()
    statuses = {cell.answer.record.status for cell in compare.state.last_turn.cells.values()}
    assert statuses == {"cancelled", "done"}
    assert [compare.texts(place)[1].split()[0] for place in (0, 1)] == ["word1", "word1"]


def test_waiting_columns_say_what_they_wait_for(compare: CompareDriver) -> None:
    compare.use("slow", "echo")
    compare.state.set_options(schedule="one_by_one")
    compare.send("x", finish=False)
    compare.wait(lambda: compare.panels[1].view.items and compare.panels[1].view.items[-1].status)
    assert compare.panels[1].view.items[-1].status == "Waits for Slow 8B"
    compare.state.stop("k0")
    compare.wait_done()
    assert compare.texts(1)[1] == "1: x"


def test_an_error_stands_in_its_column_with_what_to_do(compare: CompareDriver) -> None:
    compare.use("echo", "overflow")
    compare.send("long")
    panel = compare.panels[1]
    error = panel.view.items[-1].error
    assert error is not None
    assert "9000 tokens" in error.message
    drop = next(b for b in panel.remedies.findChildren(QPushButton) if "oldest" in b.text())
    compare.click(drop)
    compare.wait(lambda: compare.texts(1)[-1] == "It fits now.")
    compare.wait_done()
    assert panel.remedies.isHidden()
    assert panel.view.items[-1].sibling == (2, 2)
    assert compare.texts(0) == ["long", "1: long"]


def test_an_unknown_model_is_told_and_the_prompt_comes_back(compare: CompareDriver) -> None:
    compare.use("echo", "nobody")
    compare.type("hello")
    compare.press("Return")
    compare.wait(lambda: compare.page.problem.isVisible())
    assert "nobody" in compare.page.problem.text()
    assert compare.page.composer.text == "hello"
    assert compare.window.store.sessions(kind="comparison") == []


def test_files_come_back_too_and_stand_before_what_was_written_since(compare: CompareDriver, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("Inside the file", encoding="utf-8")
    compare.use("echo", "nowhere")
    compare.page.composer.add_files([str(note)])
    compare.wait_jobs()
    compare.type("Ask that")
    message = compare.page.composer.message()
    compare.press("Return")
    compare.type("Meanwhile")
    compare.wait(lambda: not compare.page.problem.isHidden())
    assert compare.page.composer.text == "Ask that\n\nMeanwhile"
    assert compare.page.composer.message().attachments == message.attachments


def test_a_comparison_that_is_still_being_read_does_not_replace_a_new_one(compare: CompareDriver) -> None:
    compare.send("hello")
    old = compare.state.session_id
    compare.page.new_comparison()
    compare.state.open_session(old)
    compare.page.new_comparison()
    compare.wait_jobs()
    assert compare.state.session_id is None
    compare.state.open_session(old)
    compare.send("another")
    assert compare.state.session_id != old
    assert [turn.prompt.text for turn in compare.state.turns] == ["another"]


def test_a_later_column_is_asked_the_same_prompt(compare: CompareDriver) -> None:
    compare.send("hi")
    compare.state.add_column("fake:remote")
    panel = compare.panels[2]
    compare.wait(panel.ask.isVisible)
    compare.click(panel.ask)
    compare.wait(lambda: len(compare.state.last_turn.cells) == 3)
    compare.wait_done()
    assert compare.texts(2)[1].startswith("## Attention")


def test_samples_are_looked_through(compare: CompareDriver) -> None:
    compare.state.change("k0", samples=3)
    compare.send("hi")
    view = compare.panels[0].view
    assert view.items[-1].sibling == (1, 3)
    first = view.items[-1].key
    view.action_requested.emit(first, "next_sibling")
    assert view.items[-1].sibling == (2, 3)
    assert view.items[-1].key != first
    compare.send("more")
    runs = compare.window.store.runs(session_id=compare.state.session_id)
    assert len(runs) == 8


def test_a_column_goes_on_as_a_chat(compare: CompareDriver) -> None:
    compare.send("hi")
    compare.page.board.focus_place(1)
    compare.window.shortcut("Ctrl+Return")
    compare.wait(lambda: compare.window.window.place == "chat" and compare.window.state.path)
    assert compare.window.texts() == [("user", "hi"), ("assistant", "1: hi")]
    assert compare.window.state.model_id == "fake:other"


def test_everything_is_there_again_after_a_restart(
    compare: CompareDriver, start: Callable[..., Driver], fake_models: None, tmp_path: Path
) -> None:
    options = ChatOptions(sampling=Sampling(temperature=0.3))
    compare.state.change("k1", label="calm", options=options)
    compare.state.set_options(schedule="one_by_one", linked=True)
    compare.send("remember me")
    compare.send("and this")
    compare.type("a draft")
    (tmp_path / "notes.txt").write_text("notes")
    compare.page.composer.add_files([str(tmp_path / "notes.txt")])
    compare.wait(lambda: compare.page.composer.files)
    compare.window.close()
    again = CompareDriver(start(wait=False))
    again.wait(lambda: len(again.state.turns) == 2)
    assert again.texts(1) == ["remember me", "1: remember me", "and this", "3: and this"]
    assert again.state.columns[1].label == "calm"
    assert again.state.columns[1].options == options
    assert (again.state.schedule, again.state.linked) == ("one_by_one", True)
    assert again.page.composer.text == "a draft"
    again.wait(lambda: again.page.composer.files)
    again.page.new_comparison()
    assert again.state.columns[1].label == "calm"


def test_comparisons_are_found_renamed_pinned_and_deleted(
    compare: CompareDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare.send("about cats")
    compare.page.new_comparison()
    compare.send("about dogs")
    lists = compare.page.sessions
    compare.window.qtbot.keyClicks(lists.search, "cats")
    compare.wait(lambda: lists.titles() == ["about cats"])
    compare.press("Return", lists.search)
    compare.wait(lambda: compare.texts(0) == ["about cats", "1: about cats"])
    lists.search.clear()
    compare.wait(lambda: len(lists.titles()) == 2)
    monkeypatch.setattr(QtWidgets.QInputDialog, "getText", lambda *a: ("Felines", True))
    compare.window.shortcut("F2")
    compare.wait(lambda: "Felines" in lists.titles())
    compare.window.shortcut("Ctrl+P")
    compare.wait(lambda: lists.titles()[0] == "Felines" and compare.window.store.sessions()[0].pinned)
    compare.window.shortcut("Ctrl+Shift+Backspace")
    compare.wait(lambda: lists.titles() == ["about dogs"])
    assert compare.state.session is None
    compare.window.shortcut("Ctrl+Shift+Z")
    compare.wait(lambda: "Felines" in lists.titles() and compare.state.turns)


def test_column_sets_are_presets(compare: CompareDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QtWidgets.QInputDialog, "getText", lambda *a: ("My pair", True))
    compare.page.sets.save()
    compare.wait(lambda: compare.page.sets.presets)
    assert compare.window.store.presets("columns")[0].name == "My pair"
    compare.use("remote", "slow", "dies")
    menu = compare.page.sets.menu()
    menu.actions()[0].trigger()
    assert [c.model for c in compare.state.columns] == ["fake:echo", "fake:other"]
    menu.deleteLater()
    compare.page.sets.delete(compare.page.sets.presets[0])
    compare.wait(lambda: not compare.page.sets.presets)
    compare.window.shortcut("Ctrl+Shift+Z")
    compare.wait(lambda: compare.page.sets.presets)


@pytest.mark.parametrize("format_", ["jsonl", "markdown"])
def test_export(compare: CompareDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_: str) -> None:
    compare.send("hello")
    menu = compare.page.answers.export_menu()
    assert menu.actions()
    menu.deleteLater()
    target = tmp_path / "out"
    monkeypatch.setattr(QtWidgets.QFileDialog, "getSaveFileName", lambda *a: (str(target), ""))
    exporters: list[Any] = compare.state.backend.plugins.exporters()
    compare.page.answers.export(next(e for e in exporters if e.format == format_))
    compare.wait(lambda: target.exists() and compare.window.program.jobs.pending == 0)
    text = target.read_text()
    if format_ == "jsonl":
        archive = json.loads(text.splitlines()[0])
        assert [run["text"].strip() for run in archive["runs"]] == ["1: hello", "1: hello"]
    assert "1: hello" in text


def test_an_export_that_fails_leaves_the_older_file(
    compare: CompareDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare.send("hello")
    target = tmp_path / "out.md"
    target.write_text("older", encoding="utf-8")
    monkeypatch.setattr(QtWidgets.QFileDialog, "getSaveFileName", lambda *a: (str(target), ""))

    def broken(_sessions: object) -> Iterator[str]:
        yield "half of "
        raise BadInput("This format can't hold it.")

    compare.page.answers.export(SimpleNamespace(format="x", title="X", suffix=".md", loses="", write=broken))
    compare.wait(lambda: compare.page.problem.isVisible())
    assert target.read_text(encoding="utf-8") == "older"
    assert list(tmp_path.glob("*out.md*")) == [target]  # and no part of the new one


def test_two_answers_word_by_word(compare: CompareDriver) -> None:
    compare.state.change("k1", options=ChatOptions(system_prompt="Be brief."))
    compare.send("same words")
    compare.window.shortcut("Ctrl+Shift+D")
    dialog = compare.page.answers.diff_dialog
    compare.wait(lambda: dialog.numbers.text())
    assert [dialog.first.itemText(row) for row in (0, 1)] == ["Echo 8B", "Other 3B"]
    assert dialog.view.toPlainText().strip() == "12: same words"
    dialog.as_text.setChecked(True)
    assert dialog.view.toPlainText().strip() == "[-1-]{+2+}: same words"
    dialog.accept()


def test_votes_and_their_tally(compare: CompareDriver) -> None:
    compare.send("hi")
    votes = compare.page.votes
    assert votes.isVisible()
    compare.window.qtbot.keyClicks(votes.reason, "clearer")
    compare.click(votes.buttons[1])
    compare.wait(lambda: compare.state.last_turn.vote is not None)
    (vote,) = compare.window.store.votes()
    shown = [cell.answer.record.id for cell in compare.state.last_turn.cells.values()]
    assert (vote.verdict, vote.winner_run_id, vote.reason, vote.blind) == ("better", shown[1], "clearer", False)
    assert votes.text.full_text == "Your vote: Other 3B – clearer"
    compare.click(compare.page.toolbar.tally)
    dialog = compare.page.answers.tally_dialog
    compare.wait(lambda: dialog.table.rowCount() == 2)
    assert [dialog.table.item(0, place).text() for place in range(4)] == ["Other 3B", "1", "1", "0"]
    dialog.accept()


def test_ratings_are_stored(compare: CompareDriver) -> None:
    compare.send("hi")
    run = compare.state.last_turn.cells["k0"].answer.record.id
    compare.panels[0].view.action_requested.emit(run, "good")
    compare.wait_jobs()
    assert compare.window.store.rating(run).rating == 1
    compare.window.shortcut("Ctrl+Shift+Z")
    compare.wait(lambda: compare.window.store.rating(run) is None)


def test_narrow_windows_show_tabs(compare: CompareDriver) -> None:
    compare.send("hi")
    compare.window.window.resize(840, 640)
    board = compare.page.board
    compare.wait(lambda: board.is_narrow and board.tabs.isVisible())
    assert [panel.isVisible() for panel in compare.panels] == [True, False]
    compare.click(board.tabs)
    board.tabs.setCurrentIndex(1)
    assert [panel.isVisible() for panel in compare.panels] == [False, True]
    compare.window.window.resize(1400, 800)
    compare.wait(lambda: all(panel.isVisible() for panel in compare.panels))


def test_columns_scroll_together(compare: CompareDriver) -> None:
    compare.window.window.resize(1000, 560)
    compare.use("remote", "remote")
    compare.send("hi")
    compare.send("again")
    compare.click(compare.page.toolbar.linked)
    bars = [panel.view.verticalScrollBar() for panel in compare.panels]
    compare.wait(lambda: bars[0].maximum() > 0)
    bars[0].setValue(bars[0].maximum() // 3)
    share = bars[0].value() / bars[0].maximum()
    assert bars[1].value() / bars[1].maximum() == pytest.approx(share, abs=0.05)


def test_keys_mean_the_place_that_is_shown(compare: CompareDriver) -> None:
    compare.send("hi")
    compare.window.shortcut("Ctrl+N")
    assert compare.state.session is None
    assert compare.window.window.place == "compare"
    compare.window.shortcut("Ctrl+1")
    compare.window.shortcut("Ctrl+N")
    assert compare.window.window.place == "chat"


def test_every_button_has_a_name(compare: CompareDriver) -> None:
    compare.send("hi")
    unnamed = [
        widget
        for widget in compare.page.findChildren(QtWidgets.QAbstractButton)
        if not widget.accessibleName() and not widget.text() and widget.isVisible()
    ]
    assert unnamed == []
    names = [panel.accessibleName() for panel in compare.panels]
    assert names == ["Column 1: Echo 8B", "Column 2: Other 3B"]
    order = compare.panels[0].header.settings.focusPolicy()
    assert order & Qt.FocusPolicy.TabFocus


def test_newcomers_find_two_columns_and_an_example(start: Callable[..., Driver]) -> None:
    driver = CompareDriver(start(wait=False))
    assert [c.model for c in driver.state.columns] == ["starter", "starter"]
    assert [c.options.sampling.temperature for c in driver.state.columns] == [0.2, 1.0]
    assert driver.page.example_buttons[0].isVisible()
    for column in driver.state.columns:  # a short answer is enough here
        sampling = Sampling(temperature=column.options.sampling.temperature, max_tokens=12)
        driver.state.change(column.key, options=ChatOptions(sampling=sampling))
    driver.click(driver.page.example_buttons[1])
    driver.wait(lambda: driver.state.turns)
    driver.wait_done()
    records = [cell.answer.record for cell in driver.state.last_turn.cells.values()]
    assert [record.status for record in records] == ["done", "done"]
    assert all(record.text.strip() and record.gguf_sha256 for record in records)
    assert [text.strip() for text in (driver.texts(0)[1], driver.texts(1)[1])] == [r.text.strip() for r in records]


def test_all_columns_are_asked_again_beside_their_first_answers(compare: CompareDriver) -> None:
    compare.send("hello")
    compare.window.shortcut("Ctrl+Shift+R")
    compare.wait(lambda: all(len(cell.answers) == 2 for cell in compare.state.last_turn.cells.values()))
    compare.wait_done()
    assert [panel.view.items[-1].sibling for panel in compare.panels] == [(2, 2), (2, 2)]
    assert len(compare.window.store.runs()) == 4


def test_one_columns_settings_for_all_and_back(compare: CompareDriver) -> None:
    options = ChatOptions(sampling=Sampling(temperature=0.3), system_prompt="Be brief.")
    compare.state.change("k0", options=options, label="mine")
    before = compare.state.columns
    compare.state.use_settings_of("k0")
    first, second = compare.state.columns
    assert (second.options, second.model, second.label) == (options, "fake:other", "")
    assert first == before[0]
    compare.window.window.toaster.undo()
    assert compare.state.columns == before


def test_large_numbers_stand_whole_in_the_head() -> None:
    column = Column(key="k", model="m", options=ChatOptions(sampling=Sampling(seed=4294967295, max_tokens=1200000)))
    assert summary(column) == "seed 4294967295 · max 1200000"


def test_a_missing_key_leads_to_where_it_is_entered(compare: CompareDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    compare.state.set_columns([Column(key="k0", model="fake:echo"), Column(key="k1", model="openai:gpt-4o")])
    compare.send("hello")
    panel = compare.panels[1]
    assert panel.view.items[-1].error is not None
    assert panel.header.cost.isHidden()  # nothing was asked, so nothing is unknown
    (enter,) = [button for button in panel.remedies.findChildren(QPushButton) if "key" in button.text()]
    compare.click(enter)
    assert compare.window.window.place == "settings"


def test_a_column_that_reads_no_pictures_is_told_and_the_others_are_asked(compare: CompareDriver) -> None:
    page, note = compare.page, compare.page.picture_note
    picture = QImage(4, 4, QImage.Format.Format_RGB32)
    picture.fill(0)
    page.composer.add_files([picture])
    compare.wait_jobs()
    compare.type("What is this?")
    assert note.isHidden()
    assert "can't read images" in page.composer.problem.text()
    assert not page.composer.send.isEnabled(), "nobody could read it"
    able = frozenset({"images"})
    models = [replace(info, capabilities=able) if info.id == "fake:other" else info for info in compare.state.models]
    compare.state._set_models(models)
    assert note.isVisible()
    assert "Echo 8B" in note.text() and "Other" not in note.text()
    assert page.composer.send.isEnabled()
    assert not page.composer.problem.isVisible()
    compare.press("Return")
    compare.wait(lambda: compare.state.turns)
    compare.wait_done()
    assert note.isHidden()
    assert compare.state.last_turn.prompt.attachments
    assert compare.texts(1) == ["What is this?", "1: What is this?"]


def test_a_column_is_dragged_by_its_name_too(compare: CompareDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    dragged = []

    def exec_drag(drag: QDrag, *_actions: object) -> Qt.DropAction:
        dragged.append(
            (
                bytes(drag.mimeData().data(DRAG_TYPE).data()).decode(),
                drag.pixmap().toImage().pixelColor(60, 4).alpha(),
                drag.hotSpot(),
            )
        )
        return Qt.DropAction.IgnoreAction

    monkeypatch.setattr(QDrag, "exec", exec_drag)
    header = compare.panels[0].header
    start = QPoint(20, 10)
    QTest.mousePress(header.name, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
    for step in (3, 30, 60):
        point = QPointF(start) + QPointF(step, 0)
        no_modifier, left = Qt.KeyboardModifier.NoModifier, Qt.MouseButton.LeftButton
        at = QPointF(header.name.mapToGlobal(point.toPoint()))
        move = QMouseEvent(QEvent.Type.MouseMove, point, at, Qt.MouseButton.NoButton, left, no_modifier)
        QApplication.sendEvent(header.name, move)
    QTest.mouseRelease(header.name, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start + QPoint(60, 0))
    assert [(key, alpha) for key, alpha, _spot in dragged] == [(compare.panels[0].key, 255)]
    assert not compare.page.picker.isVisible()
    QTest.mouseMove(header.name, start)  # the drag is over: the next press may come as the second of a double click
    at = QPointF(header.name.mapToGlobal(start))
    for kind in (QEvent.Type.MouseButtonDblClick, QEvent.Type.MouseButtonRelease):
        held = left if kind == QEvent.Type.MouseButtonDblClick else Qt.MouseButton.NoButton
        QApplication.sendEvent(header.name, QMouseEvent(kind, QPointF(start), at, left, held, no_modifier))
    assert compare.page.picker.isVisible()


def test_a_column_that_is_added_beyond_the_edge_comes_into_view(compare: CompareDriver) -> None:
    compare.use("echo", "other", "echo", "other", "echo", "other")
    compare.page.add_column()
    compare.page.picker.chosen.emit("fake:remote")
    bar = compare.page.board.area.horizontalScrollBar()
    compare.wait(lambda: bar.maximum() > 0 and bar.value() == bar.maximum())


def test_a_narrow_column_leaves_the_room_to_its_name(compare: CompareDriver) -> None:
    compare.use("echo", "other", "echo", "other", "echo", "remote")
    compare.send("hi")
    header = compare.panels[5].header
    assert not header.retry.isVisible() and not header.settings.isVisible() and header.more.isVisible()
    assert "$0.003" in header.cost.value.text()
    stats = (header.speed, header.first, header.tokens, header.cost)
    compare.wait(lambda: all(stat.value.width() >= stat.value.sizeHint().width() for stat in stats))
    assert header.cost.geometry().right() <= header.numbers.width()
    assert not header.cost.icon.isVisible() and compare.panels[0].header.speed.icon.isVisible()


def test_an_answer_without_text_says_so_in_its_column(compare: CompareDriver) -> None:
    compare.use("echo", "empty")
    compare.send("hi")
    assert compare.panels[1].view.items[1].footer == "the model wrote nothing"
    assert compare.panels[0].view.items[1].footer == ""


def test_each_list_finds_its_own_kind_only(compare: CompareDriver) -> None:
    compare.send("about walruses")
    window = compare.window
    window.shortcut("Ctrl+1")
    window.use("fake:echo")
    window.send("a chat about walruses")
    window.qtbot.keyClicks(window.page.sessions.search, "walruses")
    window.wait(lambda: window.page.sessions.titles() == ["a chat about walruses"])
    window.qtbot.keyClicks(compare.page.sessions.search, "walruses")
    window.wait(lambda: compare.page.sessions.titles() == ["about walruses"])


def test_a_hit_in_the_shown_comparison_leaves_its_set_up_alone(compare: CompareDriver) -> None:
    compare.send("about walruses")
    compare.send("about seals")
    state, (first, last) = compare.state, compare.state.turns
    state.ask_all()
    compare.wait(lambda: last.cells["k0"].done and len(last.cells["k0"].answers) == 2)
    compare.wait_done()
    again = last.cells["k0"].answers[1].record.id
    state.show_sibling(again, -1)
    state.change("k1", label="mine")
    before, turns = state.columns, list(state.turns)
    seen: list[str] = []
    state.opened_at.connect(seen.append)
    hits = compare.window.store.search("walruses")
    for hit in hits:
        compare.page.sessions.hit_chosen.emit(state.session_id, hit.message_id)
    compare.wait_jobs()
    assert {hit.role for hit in hits} == {"user", "assistant"}
    assert seen == [first.id] * len(hits)
    assert state.columns == before
    assert [id(turn) for turn in state.turns] == [id(turn) for turn in turns]
    assert last.cells["k0"].shown == 0
    state.open_session(state.session_id, again)
    assert last.cells["k0"].shown == 1
    session_id = state.session_id
    for hit in hits:
        state.new_chat()
        state.open_session(session_id, hit.message_id)
        compare.wait(lambda: state.session_id == session_id)
        compare.wait_jobs()
    assert seen[-len(hits) :] == [first.id] * len(hits), "read from the store its prompts and answers are known too"


def test_a_turn_that_was_read_from_the_store_already_is_not_shown_twice(
    compare: CompareDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare.send("first")
    state = compare.state
    backend = compare.window.program.slot.value
    assert backend is not None
    comparisons = backend.comparisons
    stored, follow_up = threading.Event(), comparisons.follow_up
    shown = threading.Event()

    def slow(*given: Any, **named: Any) -> Any:
        started = follow_up(*given, **named)
        stored.set()
        shown.wait(20)
        return started

    monkeypatch.setattr(comparisons, "follow_up", slow)
    session_id = state.session_id
    compare.type("second")
    compare.press("Return")
    compare.wait(stored.is_set)
    state.new_chat()
    state.open_session(session_id)
    compare.wait(lambda: len(state.turns) == 2)
    shown.set()
    compare.wait(lambda: not state.sending)
    compare.wait_done()
    assert [turn.prompt.text for turn in state.turns] == ["first", "second"]
    assert compare.texts(0).count("second") == 1
