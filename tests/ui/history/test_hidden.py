"""A blind comparison without a vote: nothing in History tells who wrote which answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PySide6 import QtWidgets
from PySide6.QtCore import Qt

from tests.ui.compare.driver import told_texts
from tests.ui.history.conftest import History, ask_blindly
from workbench.store import Vote


def told(history: History) -> list[str]:
    """All that the rows of the blind comparison and the details say, also of columns that are not shown."""
    model, roles = history.page.table.runs, Qt.ItemDataRole
    cells = [
        str(model.index(row, place).data(role) or "")
        for row in (0, 1)
        for place in range(model.columnCount())
        for role in (roles.DisplayRole, roles.ToolTipRole, roles.AccessibleTextRole)
    ]
    return cells + list(told_texts(history.page.details, visible_only=True))


GIVEAWAYS = ("Echo", "echo", "Remote", "remote", "fake", "1,234", "77.7", "0.5", "9.9", "I am")


def test_a_blind_comparison_without_a_vote_tells_nobody(history: History) -> None:
    ask_blindly(history)
    history.click_row(0)
    assert [text for text in told(history) if any(word in text for word in GIVEAWAYS)] == []
    assert history.cell(0, "model") == "Hidden"
    assert history.cell(0, "title") == "Who is it?"
    assert not history.page.replay.isEnabled()
    assert not history.page.export.isEnabled()
    history.click_row(2)  # a comparison that was voted on
    assert history.page.details.name.full_text == "openai:big"
    assert history.page.replay.isEnabled()


def test_a_blind_comparison_is_revealed_here_and_in_compare(history: History) -> None:
    ask_blindly(history)
    history.click_row(0)
    history.driver.click(history.page.details.secret.vote)
    history.driver.wait(lambda: history.driver.window.place == "compare")
    page = history.driver.window.page("compare")
    history.driver.wait(lambda: page.state.hidden)
    history.driver.window.show_place("history")
    history.settle()
    history.driver.click(history.page.details.secret.reveal)
    history.driver.wait(lambda: not history.page.details.secret.isVisible())
    history.settle()
    assert [history.cell(row, "model") for row in (0, 1)] == ["Remote", "Echo"]
    assert history.cell(0, "cost") == "$0.5000"
    assert history.page.details.name.full_text == "Remote"
    assert history.page.export.isEnabled()
    history.driver.window.show_place("compare")
    history.driver.wait(lambda: not page.state.hidden)


def test_a_vote_given_elsewhere_is_seen_in_rows_read_before(history: History) -> None:
    ask_blindly(history)
    (turn,) = history.driver.store.comparisons(history.driver.store.run("blind-0").session_id)
    history.click_row(1)
    history.driver.store.add_vote(
        Vote(comparison_id=turn.id, verdict="better", winner_run_id="blind-0", run_ids=("blind-0", "blind-1"))
    )
    history.driver.window.show_place("compare")
    history.driver.window.show_place("history")
    history.driver.wait(lambda: history.cell(1, "judged") == "Won")
    assert history.cell(1, "model") == "Echo"
    history.driver.wait(lambda: not history.page.details.secret.isVisible())
    assert history.page.details.name.full_text == "Echo"


def test_words_of_an_answer_and_a_model_find_both_or_none(history: History) -> None:
    ask_blindly(history)
    for words, model in (("I am 0", "fake:echo"), ("I am 0", "fake:remote"), ("I am 1", "fake:echo")):
        history.state.change(text=f'"{words}"', models=(model,))
        history.settle()
        assert history.ids() == ["blind-1", "blind-0"], (words, model)
    history.state.change(text='"I am 0"', models=("local:small",))
    history.settle()
    assert history.ids() == []


def test_an_export_leaves_hidden_names_out_and_says_so(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_blindly(history)
    file = tmp_path / "out.jsonl"
    monkeypatch.setattr(QtWidgets.QFileDialog, "getSaveFileName", lambda *_: (str(file), ""))
    history.driver.press("Ctrl+A", history.page.table)
    assert history.page.export.isEnabled()
    history.page.export_menu().actions()[0].trigger()
    history.driver.wait(file.exists)
    history.settle()
    titles = [json.loads(line)["session"]["title"] for line in file.read_text().splitlines()]
    assert len(titles) == 5
    assert "Who is it?" not in titles
    assert "1 is left out" in history.driver.window.toaster.text.text()


def test_nothing_is_written_where_all_names_are_hidden(history: History, tmp_path: Path) -> None:
    ask_blindly(history)
    backend = history.driver.program.slot.value
    (exporter,) = [entry for entry in backend.plugins.exporters() if entry.suffix == ".jsonl" and not entry.loses]
    history.page.transfer.write_runs(backend, ["blind-0", "blind-1"], exporter, tmp_path / "out.jsonl")
    history.settle()
    assert list(tmp_path.glob("out*")) == []
    assert "Nothing was written" in history.driver.window.toaster.text.text()


def test_hidden_runs_are_not_replayed(history: History) -> None:
    ask_blindly(history)
    history.page.replays.start(["blind-0", "blind-1"], "fake:echo")
    history.settle()
    assert history.page.replays.batch is None
    assert "2 runs are not replayed" in history.driver.window.toaster.text.text()
    history.page.replays.start(["run-b", "blind-0"], "fake:echo")
    history.driver.wait(lambda: history.page.replays.batch is not None)
    assert history.page.replays.batch.total == 1
    history.driver.wait(lambda: history.page.replays.batch is None)
    history.settle()
    assert len(history.ids()) == 10  # a replay stands beside a copy of what it is compared with
