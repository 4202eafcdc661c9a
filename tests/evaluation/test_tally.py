"""Counting votes: per contestant, for two and for more."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.core.messages import Message
from workbench.core.runs import RunRecord
from workbench.evaluation.tally import Judgement, pairwise, read_judgements, tally
from workbench.store import Comparison, Store, Vote, now


def better(prompt: str, winner: str, *shown: str) -> Judgement:
    return Judgement(prompt, shown, "better", winner=winner)


def test_wins_losses_and_ties_are_counted_for_each() -> None:
    judgements = [
        better("1", "a", "a", "b"),
        better("2", "a", "a", "b"),
        better("3", "b", "a", "b"),
        Judgement("4", ("a", "b"), "tie", blind=True),
        Judgement("5", ("a", "b"), "both_bad"),
    ]
    result = tally(judgements)
    first, second = result.standings
    assert (first.name, first.shown, first.wins, first.losses, first.ties, first.both_bad) == ("a", 5, 2, 1, 1, 1)
    assert (second.name, second.wins, second.losses) == ("b", 1, 2)
    assert first.share.estimate == pytest.approx(2 / 3)
    # Wilson's limits for 2 of 3, from his formula: centre and half width with z = 1.959964
    z2 = 1.959963984540054**2
    centre = (2 / 3 + z2 / 6) / (1 + z2 / 3)
    half = math.sqrt(z2) / (1 + z2 / 3) * math.sqrt(2 / 9 / 3 + z2 / 36)
    assert first.share.low == pytest.approx(centre - half)
    assert first.share.high == pytest.approx(centre + half)
    assert result.preference is not None
    assert (result.preference.wins, result.preference.losses, result.preference.ties) == (2, 1, 2)
    assert result.strengths == ()
    assert (result.votes, result.blind_votes) == (5, 1)


def test_three_are_ranked_by_bradley_terry() -> None:
    judgements = [better(f"{n}", "a", "a", "b", "c") for n in range(6)]
    judgements += [better(f"x{n}", "b", "b", "c") for n in range(5)] + [better("y", "c", "b", "c")]
    result = tally(judgements)
    assert [strength.model for strength in result.strengths] == ["a", "b", "c"]
    assert result.preference is None
    assert result.strengths[0].votes == 12


def test_votes_on_several_answers_become_pairs() -> None:
    votes = pairwise([better("p", "b", "a", "b", "c"), Judgement("q", ("a", "b", "c"), "tie")])
    assert [(vote.first, vote.second, vote.score) for vote in votes] == [
        ("b", "a", 1.0),
        ("b", "c", 1.0),
        ("a", "b", 0.5),
        ("a", "c", 0.5),
        ("b", "c", 0.5),
    ]


def test_nothing_voted_is_no_error() -> None:
    assert tally([]).standings == ()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "workbench.db") as opened:
        yield opened


def compared(store: Store, *columns: tuple[str, str, float]) -> tuple[str, list[str]]:
    """A comparison with a run for each (model, label, temperature): its id and the runs' ids."""
    session = store.create_session("comparison", "t")
    comparison = store.add_comparison(
        Comparison(session_id=session.id, columns=[{"model": m, "label": text} for m, text, _t in columns])
    )
    ids = []
    for place, (model, _text, temperature) in enumerate(columns):
        run = RunRecord(
            id=f"{comparison.id}-{place}",
            session_id=session.id,
            comparison_id=comparison.id,
            comparison_column=place,
            model=model,
            model_name=model.upper(),
            sampling={"temperature": temperature},
            started_at=now(),
        )
        store.start_exchange(session.id, None, Message.of("user", "x"), run)
        ids.append(run.id)
    return comparison.id, ids


def test_contestants_are_named_by_model_and_label(store: Store) -> None:
    comparison, runs = compared(store, ("m", "", 0.2), ("m", "", 1.0), ("n", "pirate", 0.5))
    store.add_vote(Vote(comparison_id=comparison, verdict="tie", run_ids=tuple(runs)))
    last = Vote(comparison_id=comparison, verdict="better", winner_run_id=runs[1], run_ids=tuple(runs), blind=True)
    store.add_vote(last)
    (judgement,) = read_judgements(store)
    assert judgement.shown == ("M (temperature 0.2)", "M (temperature 1.0)", "N (pirate)")
    assert (judgement.verdict, judgement.winner) == ("better", "M (temperature 1.0)")


def test_only_blind_votes_if_wanted(store: Store) -> None:
    comparison, runs = compared(store, ("m", "", 0.2), ("n", "", 1.0))
    store.add_vote(Vote(comparison_id=comparison, verdict="tie", run_ids=tuple(runs)))
    assert read_judgements(store, blind_only=True) == []
    assert len(read_judgements(store)) == 1
