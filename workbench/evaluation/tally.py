"""What all votes in the database say about each contestant: a model, or a labelled column of one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

from workbench.core.runs import RunRecord
from workbench.evaluation.intervals import CONFIDENCE, Interval, wilson
from workbench.evaluation.votes import Preference, Strength, Vote, bradley_terry, sign_test
from workbench.store import Comparison, Store

Verdict = Literal["better", "tie", "both_bad"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """One vote, by contestants' names. `prompt` groups votes on the same prompt."""

    prompt: str
    shown: tuple[str, ...]
    verdict: Verdict
    winner: str | None = None
    blind: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """One contestant. `share`: of the decided votes in which it was shown, those it won (Wilson interval)."""

    name: str
    shown: int
    wins: int
    losses: int
    ties: int
    both_bad: int
    share: Interval


@dataclass(frozen=True, slots=True)
class Tally:
    standings: tuple[Standing, ...]
    """Best share first."""
    preference: Preference | None
    """With exactly two contestants: the sign test, of the first standing against the second."""
    strengths: tuple[Strength, ...]
    """With three or more: Bradley-Terry, strongest first."""
    votes: int
    blind_votes: int


def tally(judgements: Sequence[Judgement], confidence: float = CONFIDENCE) -> Tally:
    """Count and rank. A contestant shown several times in one vote (samples) counts once."""
    names = sorted({name for judgement in judgements for name in judgement.shown})
    standings = sorted(
        (_standing(name, judgements, confidence) for name in names), key=lambda s: (-_rank(s), -s.wins, s.name)
    )
    preference = None
    if len(names) == 2:
        best = standings[0]
        preference = sign_test(best.wins, best.losses, best.ties + best.both_bad, confidence)
    strengths = bradley_terry(pairwise(judgements), confidence=confidence) if len(names) > 2 else []
    return Tally(
        tuple(standings),
        preference,
        tuple(strengths),
        len(judgements),
        sum(judgement.blind for judgement in judgements),
    )


def pairwise(judgements: Iterable[Judgement]) -> list[Vote]:
    """Votes on several answers as votes on pairs: the winner beat each other one; among the losers nothing is known.
    A tie, or all bad, is a tie of every pair."""
    votes = []
    for judgement in judgements:
        shown = list(dict.fromkeys(judgement.shown))
        if judgement.verdict == "better":
            losers = [name for name in shown if name != judgement.winner]
            votes += [Vote(judgement.prompt, judgement.winner or "", name, 1.0) for name in losers]
        else:
            votes += [Vote(judgement.prompt, first, second, 0.5) for first, second in combinations(shown, 2)]
    return votes


def read_judgements(store: Store, *, blind_only: bool = False) -> list[Judgement]:
    """The newest vote on each comparison, contestants named by their columns. Raises StoreError."""
    newest = {vote.comparison_id: vote for vote in store.votes()}
    judgements = []
    for vote in newest.values():
        comparison = store.comparison(vote.comparison_id)
        runs = [store.run(run_id) for run_id in vote.run_ids]
        if comparison is None or (blind_only and not vote.blind) or any(run is None for run in runs):
            continue
        names = _names(comparison, [run for run in runs if run is not None])
        winner = names.get(vote.winner_run_id or "")
        if vote.verdict == "better" and winner is None:
            continue
        judgements.append(
            Judgement(vote.comparison_id, tuple(names.values()), vote.verdict, winner=winner, blind=vote.blind)
        )
    return [judgement for judgement in judgements if len(set(judgement.shown)) > 1]


def _names(comparison: Comparison, runs: Sequence[RunRecord]) -> dict[str, str]:
    """Contestants by run id: the model's name, with the label or what else sets columns of one model apart."""
    labels = {run.id: _label(comparison, run) for run in runs}
    names: dict[str, str] = {}
    for run in runs:
        model = run.model_name or run.model
        alike = [other for other in runs if other.model == run.model]
        special = labels[run.id] or (_special(run, alike) if len(alike) > 1 else "")
        names[run.id] = f"{model} ({special})" if special else model
    return names


def _label(comparison: Comparison, run: RunRecord) -> str:
    place = run.comparison_column
    column: dict[str, Any] = comparison.columns[place] if place is not None and place < len(comparison.columns) else {}
    return str(column.get("label") or "")


def _special(run: RunRecord, alike: Sequence[RunRecord]) -> str:
    """The sampling values in which a run differs from others of its model; its column if there are none."""
    parts = []
    for name in sorted({name for other in alike for name in other.sampling} - {"seed"}):
        values = [other.sampling.get(name) for other in alike]
        if any(value != values[0] for value in values[1:]) and run.sampling.get(name) is not None:
            parts.append(f"{name} {run.sampling[name]}")
    if run.system_prompt and any(other.system_prompt != run.system_prompt for other in alike):
        parts.append("system prompt")
    return ", ".join(parts) or f"column {(run.comparison_column or 0) + 1}"


def _standing(name: str, judgements: Sequence[Judgement], confidence: float) -> Standing:
    mine = [judgement for judgement in judgements if name in judgement.shown]
    wins = sum(judgement.verdict == "better" and judgement.winner == name for judgement in mine)
    losses = sum(judgement.verdict == "better" and judgement.winner != name for judgement in mine)
    ties = sum(judgement.verdict == "tie" for judgement in mine)
    both_bad = sum(judgement.verdict == "both_bad" for judgement in mine)
    share = wilson(wins, wins + losses, confidence)
    return Standing(name, len(mine), wins, losses, ties, both_bad, share)


def _rank(standing: Standing) -> float:
    decided = standing.wins + standing.losses
    return standing.wins / decided if decided else -1.0
