"""The verdict: is the candidate not worse than the baseline by more than the margin?

Non-inferiority on scores paired by case. The margin is chosen before looking; "not enough evidence" is an answer.
The verdict reads the same interval that is shown, so picture and sentence can't disagree: 95 % two-sided, so the
chance to call a candidate replaceable that is worse by exactly the margin is about 2.5 %, and the number of cases to
plan for is computed for that level. (A one-sided level of 5 % would plan for fewer, 371 instead of 471 at 5 points,
and let the verdict be wrong twice as often.) Several candidates are judged together by Holm's method, and each one's
interval is shown at the level it was judged at.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

from workbench.evaluation.intervals import (
    CONFIDENCE,
    Interval,
    mcnemar_p,
    mean_difference,
    mean_score,
    tango,
    tango_confidence,
    wilson,
)

DEFAULT_MARGIN = 0.05
DEFAULT_DISCORDANT = 0.15
DEFAULT_POWER = 0.80
MOST_CASES = 1_000_000
"""Nobody collects more; a number beyond it would only look like advice."""


class Outcome(StrEnum):
    REPLACEABLE = "replaceable"
    NOT_REPLACEABLE = "not_replaceable"
    NOT_ENOUGH_EVIDENCE = "not_enough_evidence"


@dataclass(frozen=True, slots=True)
class PairedScores:
    """Scores (0 to 1) of one case: means over its repeats. Cases of one document or conversation share a cluster."""

    case_id: str
    candidate: float
    baseline: float
    cluster: Hashable | None = None
    weight: float = 1.0

    @property
    def difference(self) -> float:
        return self.candidate - self.baseline


@dataclass(frozen=True, slots=True)
class Verdict:
    outcome: Outcome
    margin: float
    n: int
    difference: Interval
    candidate_rate: Interval
    baseline_rate: Interval
    only_candidate: int
    """Cases that only the candidate passes (score at least 0.5 against below 0.5)."""
    only_baseline: int
    p_value: float | None
    """Exact McNemar for pass/fail scores; None for continuous ones, and where cases share clusters or have weights: it
    would take them for independent."""
    more_cases: int | None
    """About how many further cases would settle it if what was seen holds; None when it is settled or can't be told."""


def cases_needed(
    margin: float,
    discordant: float = DEFAULT_DISCORDANT,
    *,
    power: float = DEFAULT_POWER,
    alpha: float = (1 - CONFIDENCE) / 2,
    difference: float = 0.0,
) -> int:
    """Cases for the lower limit to clear -margin with probability `power` when the true difference is `difference`.

    n = (z_alpha + z_power)^2 (p10 + p01 - d^2) / (margin + d)^2, `alpha` one-sided, `discordant` = p10 + p01.
    Raises ValueError where the true difference is beyond the margin: no number of cases would do.
    """
    distance = margin + difference
    if margin <= 0 or distance <= 0:
        raise ValueError("the margin must be positive and not below the expected loss")
    normal = NormalDist()
    z = normal.inv_cdf(1 - alpha) + normal.inv_cdf(power)
    return math.ceil(z * z * max(discordant - difference * difference, 0.0) / distance**2)


def margin_shown_by(cases: int, discordant: float = DEFAULT_DISCORDANT) -> float:
    """The smallest margin for which so many cases are likely enough when both models are equally good: `cases_needed`
    the other way round. 1 or more: no margin is. Raises ValueError for no cases."""
    if cases < 1:
        raise ValueError("no cases")
    return math.sqrt(cases_needed(0.01, discordant) / cases) * 0.01


def judge(scores: Sequence[PairedScores], margin: float = DEFAULT_MARGIN, confidence: float = CONFIDENCE) -> Verdict:
    """Compare candidate and baseline over their common cases. Raises ValueError for no cases or a margin <= 0."""
    if not scores:
        raise ValueError("no case was answered by both")
    if not 0 < margin < 1:
        raise ValueError("the margin must be between 0 and 1")
    only_candidate = sum(s.candidate >= 0.5 > s.baseline for s in scores)
    only_baseline = sum(s.baseline >= 0.5 > s.candidate for s in scores)
    interval = difference(scores, confidence)
    outcome = _outcome(interval, margin)
    binary = all(value in (0.0, 1.0) for s in scores for value in (s.candidate, s.baseline))
    clusters, weights = [s.cluster for s in scores], [s.weight for s in scores]
    return Verdict(
        outcome=outcome,
        margin=margin,
        n=len(scores),
        difference=interval,
        candidate_rate=score_interval([s.candidate for s in scores], clusters, weights, confidence),
        baseline_rate=score_interval([s.baseline for s in scores], clusters, weights, confidence),
        only_candidate=only_candidate,
        only_baseline=only_baseline,
        p_value=mcnemar_p(only_candidate, only_baseline) if binary and _plain(scores) is not None else None,
        more_cases=_more_cases(len(scores), interval, margin) if outcome is Outcome.NOT_ENOUGH_EVIDENCE else None,
    )


def judge_together(
    families: Sequence[Sequence[PairedScores]], margin: float = DEFAULT_MARGIN, confidence: float = CONFIDENCE
) -> list[Verdict]:
    """One verdict for each candidate, so that all of them together are wrong as rarely as one alone would be (Holm).

    The clearest one is judged at 1 - 5 %/m, the next at 1 - 5 %/(m-1), and so on until one is not settled; that one
    and the rest are judged, and their intervals shown, at the level where it stopped.
    """
    clearness = [_settled_up_to(scores, margin) for scores in families]
    order = sorted(range(len(families)), key=lambda index: -clearness[index])
    levels = [confidence] * len(families)
    level, stopped = confidence, False
    for rank, index in enumerate(order):
        if not stopped:
            level = 1 - (1 - confidence) / (len(families) - rank)
            stopped = clearness[index] <= level
        levels[index] = level
    return [judge(scores, margin, own) for scores, own in zip(families, levels, strict=True)]


def _settled_up_to(scores: Sequence[PairedScores], margin: float) -> float:
    """The highest confidence at which the interval does not hold -margin."""
    plain = _plain(scores)
    if plain is not None:
        return tango_confidence(*plain, -margin)
    low, high = 0.0, 1.0
    for _ in range(20):
        middle = (low + high) / 2
        settled = middle <= 0 or _outcome(difference(scores, middle), margin) is not Outcome.NOT_ENOUGH_EVIDENCE
        low, high = (middle, high) if settled else (low, middle)
    return low


def sentence(verdict: Verdict, candidate: str, baseline: str) -> str:
    """The verdict in plain words, with the effect and its interval."""
    text = f"{headline(verdict, candidate, baseline)} {detail(verdict, candidate, baseline)}"
    if verdict.outcome is Outcome.NOT_ENOUGH_EVIDENCE and verdict.more_cases:
        text += f" About {verdict.more_cases:,} more cases would settle it."
    return text


def headline(verdict: Verdict, candidate: str, baseline: str) -> str:
    """What was decided."""
    margin = f"{verdict.margin * 100:g} points"
    if verdict.outcome is Outcome.REPLACEABLE:
        return f"{candidate} can replace {baseline} here: it is not worse by more than {margin}."
    if verdict.outcome is Outcome.NOT_REPLACEABLE:
        return f"{candidate} can't replace {baseline} here: it is worse by more than {margin}."
    return f"Not enough evidence to tell whether {candidate} is within {margin} of {baseline}."


def detail(verdict: Verdict, candidate: str, baseline: str) -> str:
    """What was seen. One sentence in one piece, so that its translation is found whatever the names are."""
    n, points, interval = verdict.n, verdict.difference.estimate * 100, verdict.difference
    percent, low, high = percent_of(interval.confidence), signed(interval.low * 100), signed(interval.high * 100)
    if round(points, 1) > 0:
        return (
            f"Over {n} cases {candidate} scored {points:.1f} points higher than {baseline} "
            f"({percent} interval {low} to {high})."
        )
    if round(points, 1) < 0:
        return (
            f"Over {n} cases {candidate} scored {-points:.1f} points lower than {baseline} "
            f"({percent} interval {low} to {high})."
        )
    return f"Over {n} cases {candidate} and {baseline} scored the same ({percent} interval {low} to {high})."


def signed(points: float) -> str:
    """With its sign, a true minus; a difference of nothing has none."""
    text = f"{abs(points):.1f}"
    return text if text == "0.0" else f"{'−' if points < 0 else '+'}{text}"


def percent_of(confidence: float) -> str:
    """95 %, 98.3 %."""
    return f"{confidence * 100:.3g} %"


def difference(scores: Sequence[PairedScores], confidence: float = CONFIDENCE) -> Interval:
    """Tango's score interval for plain pass/fail pairs (or better/tie/worse), else `mean_difference`."""
    plain = _plain(scores)
    if plain is not None:
        return tango(*plain, confidence)
    clusters, weights = _clusters([s.cluster for s in scores]), _weights([s.weight for s in scores])
    return mean_difference([s.difference for s in scores], clusters, weights, confidence)


def _plain(scores: Sequence[PairedScores]) -> tuple[int, int, int] | None:
    """(only candidate, only baseline, cases) where that says everything: no clusters, weights or graded scores."""
    differences = [s.difference for s in scores]
    clusters = [s.cluster for s in scores if s.cluster is not None]
    if len(set(clusters)) < len(clusters) or _weights([s.weight for s in scores]) is not None:
        return None
    if any(value not in (-1.0, 0.0, 1.0) for value in differences):
        return None
    return differences.count(1.0), differences.count(-1.0), len(scores)


def score_interval(
    values: Sequence[float],
    clusters: Sequence[Hashable | None],
    weights: Sequence[float],
    confidence: float = CONFIDENCE,
) -> Interval:
    """Wilson's interval for plain passes and failures, else `mean_score`."""
    own, unequal = _clusters(clusters), _weights(weights)
    if unequal is None and len(set(own)) == len(own) and all(value in (0.0, 1.0) for value in values):
        return wilson(int(sum(values)), len(values), confidence)
    return mean_score(values, own, unequal, confidence)


def _weights(weights: Sequence[float]) -> Sequence[float] | None:
    """None where all are the same."""
    return weights if len(set(weights)) > 1 else None


def _clusters(clusters: Sequence[Hashable | None]) -> list[Hashable]:
    """A case without a cluster is a cluster of its own."""
    return [("case", index) if cluster is None else ("cluster", cluster) for index, cluster in enumerate(clusters)]


def _outcome(interval: Interval, margin: float) -> Outcome:
    if interval.low > -margin:
        return Outcome.REPLACEABLE
    if interval.high < -margin:
        return Outcome.NOT_REPLACEABLE
    return Outcome.NOT_ENOUGH_EVIDENCE


def _more_cases(n: int, interval: Interval, margin: float) -> int | None:
    """Further cases after which the interval around what was seen would no longer hold -margin: its sides shrink with
    the square root of n. Where the estimate sits on the margin itself there is no such number."""
    distance = interval.estimate + margin
    side = interval.estimate - interval.low if distance > 0 else interval.high - interval.estimate
    if abs(distance) < 1e-3 or side <= 0:
        return None
    total = math.ceil(n * (side / distance) ** 2)
    return max(total - n, 1) if total <= MOST_CASES else None
