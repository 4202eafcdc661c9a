"""The order of all runs, rows by id, deleting runs and taking it back."""

from __future__ import annotations

import pytest

from workbench.core.messages import Message
from workbench.core.runs import RunRecord
from workbench.store import Comparison, Rating, RunFilter, Store, Vote, with_answer


def exchange(store: Store, run_id: str, session_id: str, parent: str | None, **fields: object) -> str:
    """Returns the answer's message id."""
    run = RunRecord(
        id=run_id,
        session_id="",
        model=str(fields.pop("model", "m")),
        text=f"answer {run_id}",
        started_at=str(fields.pop("started_at", f"2026-01-01T00:00:00.{len(store.runs()):03}+00:00")),
        **fields,  # type: ignore[arg-type]
    )
    _, answer = store.start_exchange(session_id, parent, Message.of("user", f"prompt {run_id}"), run)
    run.status = "done"
    store.finish_run(run, with_answer(answer.message, run))
    return answer.id


@pytest.fixture
def chat(store: Store) -> str:
    """Three turns in a row, and a second answer to the last prompt."""
    session = store.create_session(title="Chat")
    first = exchange(store, "a", session.id, None, cost_usd=1.0)
    second = exchange(store, "b", session.id, first, cost_usd=3.0)
    exchange(store, "c", session.id, second)
    return session.id


def visible(store: Store, session_id: str) -> list[str]:
    return [stored.message.text for stored in store.messages(session_id)]


def test_order(store: Store, chat: str) -> None:
    assert store.run_ids() == ["c", "b", "a"]
    assert store.run_ids(descending=False) == ["a", "b", "c"]
    assert store.run_ids(sort="cost_usd") == ["b", "a", "c"], "unknown values come last"
    assert store.run_ids(sort="cost_usd", descending=False) == ["a", "b", "c"]
    assert store.run_ids(RunFilter(text="prompt")) == ["c", "b", "a"]
    with pytest.raises(ValueError, match="sorted"):
        store.run_ids(sort="text; DROP TABLE runs")  # type: ignore[arg-type]


def test_order_by_judgement_and_title(store: Store, chat: str) -> None:
    other = store.create_session("comparison", "Another")
    comparison = store.add_comparison(Comparison(session_id=other.id))
    exchange(store, "won", other.id, None, comparison_id=comparison.id)
    exchange(store, "lost", other.id, None, comparison_id=comparison.id)
    store.add_vote(Vote(comparison_id=comparison.id, verdict="better", winner_run_id="won"))
    store.rate(Rating(run_id="a", rating=1))
    store.rate(Rating(run_id="b", rating=-1))
    assert store.run_ids(sort="judgement") == ["a", "won", "lost", "b", "c"]
    assert store.run_ids(sort="session_title", descending=False)[:2] == ["won", "lost"]


def test_rows_by_id_in_the_order_asked(store: Store, chat: str) -> None:
    assert [row.id for row in store.run_rows_of(["a", "gone", "c", "b"])] == ["a", "c", "b"]
    assert store.run_rows_of(["a"]) == [row for row in store.run_rows() if row.id == "a"]
    assert store.run_rows_of([]) == []


def test_deleting_the_last_answer_takes_its_prompt(store: Store, chat: str) -> None:
    before = visible(store, chat)
    deletion = store.delete_runs(["c"])
    assert deletion.runs == 1
    assert visible(store, chat) == before[:4]
    assert store.run_ids() == ["b", "a"]
    store.restore_runs(deletion)
    assert visible(store, chat) == before
    assert store.run_ids() == ["c", "b", "a"]


def test_deleting_in_the_middle_takes_what_is_below(store: Store, chat: str) -> None:
    deletion = store.delete_runs(["b"])
    assert deletion.runs == 2
    assert visible(store, chat) == ["prompt a", "answer a"]


def test_deleting_all_takes_the_session_and_comes_back(store: Store, chat: str) -> None:
    deletion = store.delete_runs(["a", "b", "c"])
    assert deletion.runs == 3
    assert store.sessions() == []
    assert store.search("prompt") == []
    store.restore_runs(deletion)
    assert len(visible(store, chat)) == 6
    assert store.integrity() == []


def test_undo_brings_back_only_what_this_deletion_took(store: Store, chat: str) -> None:
    store.delete_runs(["c"])
    deletion = store.delete_runs(["a"])
    store.restore_runs(deletion)
    assert store.run_ids() == ["b", "a"]


def test_what_was_deleted_is_gone_after_the_purge(store: Store, chat: str) -> None:
    store.delete_runs(["a", "b", "c"])
    store.purge_deleted()
    assert store.sizes().runs == store.sizes().messages == store.sizes().sessions == 0
    assert store.integrity() == []


def test_another_answer_keeps_the_prompt(store: Store, chat: str) -> None:
    messages = store.messages(chat)
    run = RunRecord(id="d", session_id="", model="m", text="other", started_at="2026-02-01")
    store.start_exchange(chat, messages[4].id, None, run)
    store.delete_runs(["c"])
    assert "prompt c" in visible(store, chat)
    store.delete_runs(["d"])
    assert "prompt c" not in visible(store, chat)


def test_providers(store: Store, chat: str) -> None:
    assert store.run_providers() == [("", 3)]


@pytest.fixture
def blind(store: Store, chat: str) -> Comparison:
    """Two answers of a blind comparison without a vote, beside the chat's three of the model "m"."""
    session = store.create_session("comparison", "Blind")
    comparison = store.add_comparison(Comparison(session_id=session.id, blind=True))
    for run_id, model, remote, cost in (("x", "alpha", False, 0.5), ("y", "omega", True, 9.0)):
        exchange(
            store, run_id, session.id, None, comparison_id=comparison.id, model=model, remote=remote, cost_usd=cost
        )
    return comparison


def test_no_filter_singles_out_a_hidden_run(store: Store, blind: Comparison) -> None:
    assert store.run_ids(RunFilter(text='"answer x"', models=("alpha",))) == ["y", "x"]
    assert store.run_ids(RunFilter(text='"answer x"', models=("omega",))) == ["y", "x"], "as for the other model"
    assert store.run_ids(RunFilter(text='"answer y"', remote=True)) == ["y", "x"]
    assert store.run_ids(RunFilter(text='"answer y"', remote=False)) == ["y", "x"]
    assert store.run_ids(RunFilter(models=("alpha",))) == ["y", "x"]
    assert store.run_ids(RunFilter(models=("m",))) == ["c", "b", "a"], "none of the comparison's models"
    assert store.run_ids(RunFilter(text='"answer x"', models=("m",))) == []
    assert store.run_ids(RunFilter(text="nowhere", models=("alpha",))) == []
    assert store.run_ids(RunFilter(text='"answer b"', models=("m",))) == ["b"], "nothing is hidden there"


def test_no_order_tells_of_a_hidden_run(store: Store, blind: Comparison) -> None:
    for sort in ("model", "provider", "remote", "status"):
        assert store.run_ids(sort=sort)[-2:] == ["y", "x"], sort  # type: ignore[arg-type]
        assert store.run_ids(sort=sort, descending=False)[-2:] == ["x", "y"], sort  # type: ignore[arg-type]
    assert store.run_ids(sort="cost_usd") == ["b", "a", "y", "x", "c"], "as unknown as that of c, newest first"
    assert store.hidden_runs() == {"x", "y"}
    assert store.hidden_sessions() == {blind.session_id}


def test_a_vote_or_revealing_tells_all(store: Store, blind: Comparison) -> None:
    store.add_vote(Vote(comparison_id=blind.id, verdict="better", winner_run_id="x"))
    assert store.hidden_runs() == store.hidden_sessions() == set()
    assert store.run_ids(RunFilter(text='"answer x"', models=("alpha",))) == ["x"]
    assert store.run_ids(RunFilter(text='"answer x"', models=("omega",))) == []
    assert store.run_ids(sort="cost_usd") == ["y", "b", "a", "x", "c"]
