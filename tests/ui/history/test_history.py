"""History: sort, filter, search, look, open, replay, export, import, delete with undo; all of it also by keys."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6 import QtWidgets
from PySide6.QtCore import QLocale, Qt

from tests.ui.driver import Driver
from tests.ui.history.conftest import SAMPLES, History, add_run, compare_again, fill
from workbench.core.runs import RunRecord
from workbench.store.archive import export_session
from workbench.ui.evaluate.add_to_set import AddToSetDialog
from workbench.ui.formats import when
from workbench.ui.history.table import MARGIN

NEWEST_FIRST = ["run-1", "run-0", "run-d", "run-c", "run-b", "run-a"]


def test_everything_is_there_newest_first(history: History) -> None:
    assert history.ids() == NEWEST_FIRST
    assert history.page.count.text() == "6 runs"
    assert history.cell(4, "model") == "big"
    assert history.cell(4, "cost") == "$0.0200"
    assert history.cell(4, "where") == "openai"
    assert history.cell(5, "where") == "Here"
    assert history.cell(3, "status") == "Failed"
    assert history.cell(0, "judged") == "Won"
    assert history.cell(1, "judged") == "Lost"


def test_a_click_on_a_heading_sorts_and_a_second_turns_it_round(history: History) -> None:
    history.click_header("tokens")
    assert history.ids()[:4] == ["run-d", "run-b", "run-a", "run-c"]
    history.click_header("tokens")
    assert history.ids()[:4] == ["run-c", "run-a", "run-b", "run-d"]
    history.click_header("title")
    assert history.cell(0, "title") == "Explain gravity"
    history.click_header("judged")
    assert history.ids()[0] == "run-1"
    header = history.page.table.horizontalHeader()
    assert header.sortIndicatorOrder() == Qt.SortOrder.DescendingOrder


def test_search_reads_prompts_and_answers(history: History) -> None:
    history.driver.shortcut("Ctrl+F")
    assert history.page.search.hasFocus()
    history.driver.qtbot.keyClicks(history.page.search, "scatter")
    history.driver.wait(lambda: history.ids() == ["run-a"])
    assert history.page.count.text() == "1 of 6 runs"
    history.page.search.clear()
    history.driver.qtbot.keyClicks(history.page.search, "haiku")
    history.driver.wait(lambda: history.ids() == ["run-b"])
    history.driver.press("Down", history.page.search)
    assert history.page.table.hasFocus()
    assert history.page.table.selected_ids() == ["run-b"]


def test_filters_narrow_together_and_clear(history: History) -> None:
    history.choose("models", "openai:big")
    assert history.ids() == ["run-1", "run-c", "run-b"]
    assert history.page.filters.chips["models"].text() == "Model: openai:big"
    history.choose("statuses", "Failed")
    assert history.ids() == ["run-c"]
    history.driver.click(history.page.filters.clear)
    history.settle()
    assert history.ids() == NEWEST_FIRST
    history.choose("remote", "Stayed here")
    assert history.ids() == ["run-0", "run-d", "run-a"]
    history.driver.press("Backspace", history.page.filters.chips["remote"])
    history.choose("voted", "Judged")
    assert history.ids() == ["run-1", "run-0"]


def test_two_models_at_once(history: History) -> None:
    history.choose("models", "openai:big", "local:small")
    assert len(history.ids()) == 6
    assert history.page.filters.chips["models"].text().endswith("+1")
    history.choose("models", "openai:big")
    assert set(history.ids()) == {"run-0", "run-a", "run-d"}


def test_days(history: History) -> None:
    history.choose("period", "Last 7 days")
    assert history.ids() == []
    assert history.page.empty.isVisible()
    assert history.page.empty.title.text() == "No run fits"
    history.driver.click(history.page.empty.clear)
    history.settle()
    assert len(history.ids()) == 6
    history.state.change(period="custom", first_day="2026-03-02", last_day="2026-03-03")
    history.settle()
    assert history.ids() == ["run-c", "run-b"]


def test_the_selected_run_is_shown_with_its_record(history: History) -> None:
    history.click_row(4)
    details = history.page.details
    assert details.name.full_text == "big"
    assert [(item.role, item.text) for item in details.view.items] == [
        ("user", "Write a haiku"),
        ("assistant", "Autumn leaves fall"),
    ]
    history.driver.click(details.tabs[1])
    assert details.record.isVisible()
    texts = [
        group.child(row).text(1)
        for group in map(details.record.topLevelItem, range(details.record.topLevelItemCount()))
        for row in range(group.childCount())
    ]
    assert {"run-b", "openai:big", "temperature: 0.5", "120"} <= set(texts)
    history.driver.click(details.copy)
    assert json.loads(QtWidgets.QApplication.clipboard().text())["id"] == "run-b"


def test_a_comparison_shows_the_other_answers_too(history: History) -> None:
    history.click_row(0)
    assert [item.text for item in history.page.details.view.items] == ["Compare us", "Answer 1", "Answer 0"]


def test_rating(history: History) -> None:
    history.click_row(5)
    history.driver.click(history.page.details.good)
    history.driver.wait(lambda: history.cell(5, "judged") == "Good")
    rating = history.driver.store.rating("run-a")
    assert rating is not None
    assert rating.rating == 1
    history.driver.click(history.page.details.good)
    history.driver.wait(lambda: history.driver.store.rating("run-a") is None)


def test_enter_opens_a_chat_at_its_answer(history: History) -> None:
    history.click_row(5)
    history.driver.press("Return", history.page.table)
    driver = history.driver
    driver.wait(lambda: driver.window.place == "chat" and driver.state.path)
    assert [stored.message.text for stored in driver.state.path] == ["Why is the sky blue?", "Because of scattering."]


def test_a_comparison_opens_in_compare(history: History) -> None:
    driver = history.driver
    driver.window.show_place("compare")
    driver.window.show_place("history")
    history.click_row(0)
    driver.click(history.page.open)
    driver.wait(lambda: driver.window.place == "compare")
    driver.wait(lambda: driver.window.page("compare").state.session_id)


def test_a_comparison_opens_at_the_turn_and_the_answer_of_the_run(history: History) -> None:
    driver = history.driver
    session = driver.store.create_session("comparison", "Three turns")
    for turn in range(3):
        compare_again(driver.store, turn, session.id)
    driver.window.show_place("compare")
    history.page.open_run("first-1")
    driver.wait(lambda: driver.window.place == "compare" and driver.window.page("compare").state.session_id)
    driver.wait(lambda: driver.program.jobs.pending == 0)
    page = driver.window.page("compare")
    turns = page.state.turns
    assert [turn.cells["a"].answer.record.id for turn in turns] == ["again-0", "first-1", "again-2"]
    for panel in page.board.panels.values():
        stack, place = panel.view.board.stack, panel.view.board.stack.index(f"prompt-{turns[1].id}")
        assert 0 <= stack.tops[place] - panel.view.verticalScrollBar().value() < panel.view.viewport().height() / 2
    hit = driver.store.search("Prompt 2")[0]
    page.sessions.hit_chosen.emit(session.id, hit.message_id)
    driver.wait(lambda: driver.program.jobs.pending == 0)
    panel = page.board.panels["b"]
    stack, place = panel.view.board.stack, panel.view.board.stack.index(f"prompt-{turns[2].id}")
    assert 0 <= stack.tops[place] - panel.view.verticalScrollBar().value() < panel.view.viewport().height() / 2


def test_delete_and_undo(history: History) -> None:
    history.click_row(5)
    history.driver.press("Delete", history.page.table)
    history.driver.wait(lambda: "run-a" not in history.ids())
    store = history.driver.store
    assert store.search("scattering") == []
    assert "Why is the sky blue?" not in [session.title for session in store.sessions()]
    history.driver.wait(lambda: history.driver.window.toaster.isVisible())
    history.driver.click(history.driver.window.toaster.button)
    history.driver.wait(lambda: history.ids() == NEWEST_FIRST)
    assert [hit.role for hit in store.search("scattering")] == ["assistant"]


def test_deleting_one_column_keeps_the_other(history: History) -> None:
    history.click_row(0)
    history.driver.click(history.page.delete)
    history.driver.wait(lambda: "run-1" not in history.ids())
    assert "run-0" in history.ids()
    assert any(session.title == "Side by side" for session in history.driver.store.sessions())


def test_all_can_be_selected_and_deleted(history: History) -> None:
    history.driver.press("Ctrl+A", history.page.table)
    history.settle()
    assert history.page.chosen.text() == "6 selected"
    assert not history.page.open.isEnabled()
    history.driver.press("Delete", history.page.table)
    history.driver.wait(lambda: history.ids() == [])
    assert history.page.empty.title.text() == "Nothing here yet"
    assert history.driver.store.sessions() == []
    history.driver.shortcut("Ctrl+Shift+Z")
    history.driver.wait(lambda: history.ids() == NEWEST_FIRST)


def test_replay_stands_beside_what_was_answered(history: History) -> None:
    history.click_row(4)
    history.driver.click(history.page.replay)
    picker = history.page.picker
    history.driver.wait(picker.isVisible)
    history.driver.qtbot.keyClicks(picker.field, "echo")
    history.driver.press("Return", picker.field)
    history.driver.wait(lambda: len(history.ids()) == 8)
    toaster = history.driver.window.toaster
    history.driver.wait(lambda: toaster.isVisible() and "replay" in toaster.text.text())
    new = history.driver.store.run(history.ids()[0])
    assert new is not None
    assert new.model == "fake:echo"
    assert new.text.strip() == "1: Write a haiku"
    both = export_session(history.driver.store, new.session_id)
    assert [
        (run["comparison_column"], run["text"].strip())
        for run in sorted(both["runs"], key=lambda r: r["comparison_column"])
    ] == [
        (0, "Autumn leaves fall"),
        (1, "1: Write a haiku"),
    ]
    assert [entry.run_id for entry in history.driver.store.ledger()] == ["run-1", "run-c", "run-b"]
    history.driver.click(toaster.button)
    history.driver.wait(lambda: history.driver.window.place == "compare")


def test_models_that_are_not_here_are_found_from_the_replay_too(history: History) -> None:
    history.click_row(4)
    history.driver.click(history.page.replay)
    picker = history.page.picker
    history.driver.wait(picker.isVisible)
    history.driver.click(picker.more)
    history.driver.wait(lambda: history.driver.window.place == "models")
    assert history.driver.window.page("models").segments.current == "discover"


def test_an_export_of_runs_without_a_conversation_says_that_none_is_written(history: History, tmp_path: Path) -> None:
    store, backend = history.driver.store, history.driver.program.slot.value
    store.start_run(
        RunRecord(
            id="alone", session_id="", model="local:small", provider="local", started_at="2026-03-09T12:00:00+00:00"
        )
    )
    exporter = next(iter(backend.plugins.exporters()))
    history.page.transfer.write_runs(backend, ["alone"], exporter, tmp_path / "out.jsonl")
    history.settle()
    assert list(tmp_path.glob("out*")) == []
    assert history.driver.window.toaster.text.text() == "Nothing was written: these runs belong to no conversation."


def test_replay_can_be_stopped(history: History) -> None:
    history.driver.press("Ctrl+A", history.page.table)
    history.page.replays.start(["run-a", "run-b", "run-d"], "fake:slow")
    history.driver.wait(lambda: history.driver.window.status.work_text.text().startswith("Replaying"))
    history.driver.wait(lambda: history.page.replays.batch and history.page.replays.batch.started)
    history.driver.click(history.driver.window.status.stop)
    history.driver.wait(lambda: history.page.replays.batch is None)
    history.settle()
    assert not history.driver.program.slot.value.runner.active()


def test_export_the_selection_and_import_it_again(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "out.jsonl"
    monkeypatch.setattr(QtWidgets.QFileDialog, "getSaveFileName", lambda *_: (str(file), ""))
    monkeypatch.setattr(QtWidgets.QFileDialog, "getOpenFileName", lambda *_: (str(file), ""))
    history.click_row(4)
    history.click_row(5, Qt.KeyboardModifier.ControlModifier)
    menu = history.page.export_menu()
    titles = [action.text() for action in menu.actions()]
    assert titles[0] == "JSON lines, complete"
    assert len(titles) == 6
    assert "Left out" in menu.actions()[3].toolTip()
    menu.actions()[0].trigger()
    history.driver.wait(file.exists)
    history.settle()
    assert {json.loads(line)["session"]["title"] for line in file.read_text().splitlines()} == {
        "Write a haiku",
        "Why is the sky blue?",
    }
    history.driver.store.delete_runs(["run-a", "run-b"])
    history.driver.shortcut("F5")
    history.driver.wait(lambda: len(history.ids()) == 4)
    history.driver.click(history.page.more)
    history.driver.wait(lambda: history.ids() == NEWEST_FIRST)


def test_a_damaged_file_is_told_above_the_list(history: History, tmp_path: Path) -> None:
    file = tmp_path / "bad.json"
    file.write_text('[{"mapping": 1}]')
    history.page.transfer.import_file(file)
    history.driver.wait(lambda: history.page._banner is not None)
    assert "Conversation 1" in history.page._banner.accessibleName()
    assert len(history.ids()) == 6


def test_the_ledger_is_a_filter_and_a_file(history: History, tmp_path: Path) -> None:
    history.driver.palette("what left this machine")
    history.settle()
    assert history.ids() == ["run-1", "run-c", "run-b"]
    assert history.page.filters.chips["remote"].text() == "Privacy: Left this machine"
    history.page.transfer.write_ledger(tmp_path / "ledger.csv")
    history.driver.wait((tmp_path / "ledger.csv").exists)
    assert len((tmp_path / "ledger.csv").read_text().splitlines()) == 4


def test_what_is_asked_meanwhile_appears(history: History) -> None:
    history.click_row(2)
    driver = history.driver
    driver.window.show_place("chat")
    driver.use("fake:echo")
    driver.send("hello")
    driver.window.show_place("history")
    driver.wait(lambda: len(history.ids()) == 7)
    assert history.page.table.selected_ids() == ["run-d"], "the selection stays with its run"


def test_columns_order_and_filters_survive_a_restart(fake_models: None, start: Callable[[], Driver]) -> None:
    driver = start()
    fill(driver.store)
    history = History(driver)
    history.click_header("cost")
    history.choose("remote", "Left this machine")
    menu = history.page.table.columns_menu()
    next(action for action in menu.actions() if action.text() == "Answer").trigger()
    history.page.table.horizontalHeader().resizeSection(1, 210)
    driver.close()
    reopened = start(wait=False)
    reopened.wait(lambda: reopened.program.slot.value is not None)
    again = History(reopened)
    assert again.ids() == ["run-b", "run-1", "run-c"]
    assert again.state.query.sort == "cost_usd"
    header = again.page.table.horizontalHeader()
    assert header.sectionSize(1) == 210
    assert not header.isSectionHidden(3)


def test_without_runs_it_says_what_comes_here(fake_models: None, start: Callable[[], Driver]) -> None:
    history = History(start())
    assert history.page.empty.isVisible()
    assert history.page.empty.title.text() == "Nothing here yet"
    assert not history.page.table.isVisible()


def test_thousands_of_rows_are_read_where_they_are_seen(fake_models: None, start: Callable[[], Driver]) -> None:
    driver = start()
    session = driver.store.create_session(title="Many").id
    for number in range(700):
        sample = (f"run-{number:04}", *SAMPLES[0][1:])
        add_run(driver.store, sample, session_id=session)
    history = History(driver)
    assert len(history.ids()) == 700
    assert len(history.state._rows) < 200
    history.page.table.scrollToBottom()
    assert history.cell(699, "model") == "small"
    history.driver.press("Ctrl+Home", history.page.table)
    assert history.cell(0, "model") == "small"


def test_everything_has_a_name(history: History) -> None:
    unnamed = [
        widget
        for kind in (QtWidgets.QAbstractButton, QtWidgets.QLineEdit, QtWidgets.QAbstractItemView)
        for widget in history.page.findChildren(kind)
        if not widget.accessibleName()
        and widget.objectName() != "qt_toolbar_ext_button"
        and widget.parent() is not None
        and not isinstance(
            widget.parent(), QtWidgets.QLineEdit | QtWidgets.QAbstractSpinBox | QtWidgets.QAbstractItemView
        )
    ]
    assert unnamed == []


def test_the_settings_lead_to_the_ledger(history: History) -> None:
    section = history.driver.window.show_place("settings").show_part("privacy")
    history.driver.click(section.in_history)
    history.driver.wait(lambda: history.driver.window.place == "history")
    history.settle()
    assert history.ids() == ["run-1", "run-c", "run-b"]


def test_a_run_becomes_a_case_of_a_test_set(history: History) -> None:
    history.click_row(4)
    chosen = history.driver.store.run(history.page.table.selected_ids()[0])
    assert chosen is not None
    history.page.add_to_test_set()
    dialog = history.page.findChild(AddToSetDialog)
    history.driver.wait(lambda: history.driver.program.jobs.pending == 0)
    dialog.expected.setChecked(True)
    dialog.add.click()
    history.driver.wait(dialog.isHidden)
    (row,) = history.driver.store.test_sets()
    (case,) = history.driver.store.test_cases(row.id)
    assert case.variables == {"prompt": "Write a haiku"}
    assert case.expected == {"value": chosen.text}
    toaster = history.driver.window.toaster
    history.driver.wait(lambda: toaster.isVisible() and row.name in toaster.text.text())
    history.driver.shortcut("Ctrl+Z")
    assert toaster.isVisible(), "it opens something, and takes nothing back"
    history.driver.click(toaster.button)
    page = history.driver.window.page("evaluate")
    history.driver.wait(lambda: page.state.shown == ("set", row.id))


def test_a_time_of_another_day_is_not_cut_however_the_language_writes_it(
    fake_models: None, start: Callable[[], Driver]
) -> None:
    driver = start()
    before = QLocale()
    QLocale.setDefault(QLocale("en_US"))  # with AM and PM: wider than the column was made for
    try:
        table = History(driver).page.table
        moment = datetime.datetime(datetime.date.today().year, 6, 28, 12, 58).astimezone()
        text = when(moment.isoformat(), now=moment + datetime.timedelta(days=2))
        assert text.endswith("PM")
        assert table.columnWidth(0) >= table.fontMetrics().horizontalAdvance(text) + 2 * MARGIN
    finally:
        QLocale.setDefault(before)
