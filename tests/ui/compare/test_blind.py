"""Blind mode: until the vote nothing in the window tells who wrote what."""

from __future__ import annotations

from collections.abc import Callable

from tests.ui.compare.driver import CompareDriver, told_texts
from tests.ui.driver import Driver
from workbench.ui.compare.state import CompareState

GIVEAWAYS = (
    *("Echo", "Large", "Other", "Dying", "fake", "Fake", "Q4_K_M", "local", "tok/s", "41.2", "TTFT", "$0.0"),
    *("temp 0.7", "fastest", "cheapest", "to first token"),
)


def told(compare: CompareDriver) -> list[str]:
    """Everything the visible window says, and all of the page, visible or not."""
    window = compare.window.window
    return [*told_texts(window, visible_only=True), *told_texts(compare.page.board, visible_only=False)]


def leaks(compare: CompareDriver) -> list[str]:
    return [text for text in told(compare) if any(word in text for word in GIVEAWAYS)]


def blind(compare: CompareDriver, *models: str) -> None:
    compare.use(*models)
    compare.click(compare.page.toolbar.blind)
    assert compare.state.blind


def test_nothing_tells_who_wrote_what(compare: CompareDriver) -> None:
    blind(compare, "echo", "remote", "dies")
    assert leaks(compare)  # before sending, the names are there
    compare.send("hello")
    assert compare.state.hidden
    assert leaks(compare) == []
    for panel in compare.panels:
        for item in panel.view.items:
            assert (item.title, item.footer, item.reasoning) == ("", "", "")
            assert item.error is None or "out of memory" not in item.error.message
    assert compare.window.window.windowTitle() == "hello – Model Workbench"
    assert sorted(panel.header.name.text() for panel in compare.panels) == ["Answer 1", "Answer 2", "Answer 3"]


def test_answers_appear_together_so_that_no_speed_is_seen(compare: CompareDriver) -> None:
    blind(compare, "echo", "slow")
    compare.send("hello", finish=False)
    compare.wait(lambda: [bool(run.buffer.text) for run in compare.state.active.values()] == [True])
    statuses = {item.status for panel in compare.panels for item in panel.view.items if item.role == "assistant"}
    texts = [item.text for panel in compare.panels for item in panel.view.items if item.role == "assistant"]
    assert texts == ["", ""]
    assert all("Answers appear together" in status for status in statuses)
    assert leaks(compare) == []
    compare.state.stop()
    compare.wait_done()
    texts = [item.text for panel in compare.panels for item in panel.view.items if item.role == "assistant"]
    assert all(texts)


def test_the_columns_are_shuffled(compare: CompareDriver) -> None:
    blind(compare, "echo", "other", "remote")
    compare.send("hello")
    orders = set()
    for _ in range(60):
        compare.state._hide_order()
        orders.add(tuple(column.key for column in compare.state.shown_columns))
    assert len(orders) == 6


def test_a_key_votes_and_reveals(compare: CompareDriver) -> None:
    blind(compare, "echo", "remote")
    compare.send("hello")
    shown = [column.key for column in compare.state.shown_columns]
    compare.page.votes.setFocus()
    compare.window.shortcut("2")
    compare.wait(lambda: not compare.state.hidden)
    (vote,) = compare.window.store.votes()
    cells = compare.state.last_turn.cells
    assert vote.blind
    assert vote.winner_run_id == cells[shown[1]].answer.record.id
    assert list(vote.run_ids) == [cells[key].answer.record.id for key in shown]
    assert [panel.key for panel in compare.panels] == ["k0", "k1"]
    assert compare.panels[0].header.name.text() == "Echo 8B"
    assert compare.panels[1].header.cost.isVisible()
    assert "loaded" in compare.window.window.status.loaded.text() or not compare.state.hidden


def test_a_tie_and_all_bad_by_key(compare: CompareDriver) -> None:
    blind(compare, "echo", "other")
    compare.send("one")
    compare.page.votes.setFocus()
    compare.window.shortcut("T")
    compare.wait(lambda: not compare.state.hidden)
    compare.send("two")
    assert compare.state.hidden
    assert compare.texts(0) == ["two", "3: two"]  # earlier turns would tell who is who
    compare.page.votes.setFocus()
    compare.window.shortcut("B")
    compare.wait(lambda: not compare.state.hidden)
    assert [vote.verdict for vote in compare.window.store.votes()] == ["tie", "both_bad"]
    assert compare.texts(0) == ["one", "1: one", "two", "3: two"]


def test_vote_keys_are_letters_while_writing(compare: CompareDriver) -> None:
    blind(compare, "echo", "other")
    compare.send("hello")
    compare.type("2 Tables, B")
    assert compare.page.composer.text == "2 Tables, B"
    assert compare.state.hidden


def test_hidden_columns_can_not_be_looked_into(compare: CompareDriver) -> None:
    blind(compare, "echo", "other")
    compare.send("hello")
    page = compare.page
    page.open_sheet("k0")
    page.pick_model("k0")
    page.answers.show_record(page.answers.current_run(), prompt=False)
    compare.state.fork("k0")
    compare.wait_jobs()
    assert not page.sheet_open
    assert page._picker is None
    assert not page.toolbar.export.isEnabled()
    assert compare.window.window.place == "compare"
    assert page.conditions.isHidden()


def test_reveal_without_a_vote_is_remembered(
    compare: CompareDriver, start: Callable[..., Driver], fake_models: None
) -> None:
    blind(compare, "echo", "other")
    compare.send("hello")
    session_id = compare.state.session_id
    compare.page.new_comparison()
    compare.state.open_session(session_id)
    compare.wait(lambda: compare.state.turns)
    assert compare.state.hidden  # opening it again does not tell
    assert leaks(compare) == []
    compare.click(compare.page.votes.buttons[-1])
    assert not compare.state.hidden
    compare.wait_jobs()
    compare.window.close()
    again = CompareDriver(start(wait=False))
    again.wait(lambda: again.state.turns)
    assert not again.state.hidden
    assert again.window.store.votes() == []


def test_leaving_the_place_shows_the_loaded_models_again(compare: CompareDriver) -> None:
    blind(compare, "echo", "other")
    compare.send("hello")
    loaded = compare.window.window.status.loaded
    assert "hidden" in loaded.text()
    compare.window.shortcut("Ctrl+1")
    compare.wait(lambda: "hidden" not in loaded.text())


def test_who_is_who_is_fixed_until_the_vote(compare: CompareDriver) -> None:
    blind(compare, "echo", "other")
    compare.send("one")
    order = [column.key for column in compare.state.shown_columns]
    compare.send("two")
    assert [column.key for column in compare.state.shown_columns] == order
    assert compare.texts(0) == ["one", "1: one", "two", "3: two"]
    assert isinstance(compare.state, CompareState)


def test_answers_that_appear_together_are_read_from_the_prompt(compare: CompareDriver) -> None:
    blind(compare, "remote", "other")
    compare.send("hello")
    bars = [panel.view.verticalScrollBar() for panel in compare.panels]
    assert max(bar.maximum() for bar in bars) > 20
    assert all(bar.value() < 10 for bar in bars)


def test_the_number_of_samples_does_not_tell_who_it_is(compare: CompareDriver) -> None:
    blind(compare, "echo", "other")
    compare.state.change("k1", samples=2)
    compare.send("one")
    assert [panel.view.items[-1].sibling for panel in compare.panels] == [(1, 1), (1, 1)]
    compare.state.judging.reveal()
    assert [panel.view.items[-1].sibling for panel in compare.panels] == [(1, 1), (1, 2)]
