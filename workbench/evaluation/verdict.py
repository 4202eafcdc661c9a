"""The verdict: is the candidate not worse than the baseline by more than the margin?

Non-inferiority on scores paired by case. The margin is chosen before looking; "not enough evidence" is an answer.
The verdict reads the same 95 % interval that is shown, so picture and sentence can't disagree. Its one-sided error
at the margin is therefore about 2.5 %, and the number of cases to plan for is computed for that level.
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
    clustered_t,
    mcnemar_p,
    paired_t,
    tango,
    wilson,
)

DEFAULT_MARGIN = 0.05
DEFAULT_DISCORDANT = 0.15
DEFAULT_POWER = 0.80


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
    """Exact McNemar for pass/fail scores; None for continuous ones."""
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


def judge(scores: Sequence[PairedScores], margin: float = DEFAULT_MARGIN, confidence: float = CONFIDENCE) -> Verdict:
    """Compare candidate and baseline over their common cases. Raises ValueError for no cases or a margin <= 0."""
    if not scores:
        raise ValueError("no case was answered by both")
    if not 0 < margin < 1:
        raise ValueError("the margin must be between 0 and 1")
    n = len(scores)
    only_candidate = sum(s.candidate >= 0.5 > s.baseline for s in scores)
    only_baseline = sum(s.baseline >= 0.5 > s.candidate for s in scores)
    binary = all(value in (0.0, 1.0) for s in scores for value in (s.candidate, s.baseline))
    interval = _difference(scores, binary, only_candidate, only_baseline, confidence)
    outcome = _outcome(interval, margin)
    return Verdict(
        outcome=outcome,
        margin=margin,
        n=n,
        difference=interval,
        candidate_rate=_rate([s.candidate for s in scores], [s.cluster for s in scores], binary, confidence),
        baseline_rate=_rate([s.baseline for s in scores], [s.cluster for s in scores], binary, confidence),
        only_candidate=only_candidate,
        only_baseline=only_baseline,
        p_value=mcnemar_p(only_candidate, only_baseline) if binary else None,
        more_cases=_more_cases(scores, interval, margin) if outcome is Outcome.NOT_ENOUGH_EVIDENCE else None,
    )


def sentence(verdict: Verdict, candidate: str, baseline: str) -> str:
    """The verdict in plain words, with the effect and its interval."""
    points = verdict.difference.estimate * 100
    seen = (
        f"Over {verdict.n} cases {candidate} scored {abs(points):.1f} points "
        f"{'higher' if points > 0 else 'lower'} than {baseline}"
        if round(points, 1)
        else f"Over {verdict.n} cases {candidate} and {baseline} scored the same"
    )
    band = (
        f"({verdict.difference.confidence:.0%} interval {verdict.difference.low * 100:+.1f} "
        f"to {verdict.difference.high * 100:+.1f})"
    )
    margin = f"{verdict.margin * 100:g} points"
    if verdict.outcome is Outcome.REPLACEABLE:
        return f"{candidate} can replace {baseline} here: it is not worse by more than {margin}. {seen} {band}."
    if verdict.outcome is Outcome.NOT_REPLACEABLE:
        return f"{candidate} can't replace {baseline} here: it is worse by more than {margin}. {seen} {band}."
    more = f" About {verdict.more_cases} more cases would settle it." if verdict.more_cases else ""
    return f"Not enough evidence to tell whether {candidate} is within {margin} of {baseline}. {seen} {band}.{more}"


def _difference(
    scores: Sequence[PairedScores], binary: bool, only_candidate: int, only_baseline: int, confidence: float
) -> Interval:
    clusters = _clusters([s.cluster for s in scores])
    differences = [s.difference for s in scores]
    if len(set(clusters)) < len(clusters):
        return clustered_t(differences, clusters, confidence)
    if binary:
        return tango(only_candidate, only_baseline, len(scores), confidence)
    return paired_t(differences, confidence)


def _rate(values: Sequence[float], clusters: Sequence[Hashable | None], binary: bool, confidence: float) -> Interval:
    own = _clusters(clusters)
    if len(set(own)) < len(own):
        return clustered_t(values, own, confidence)
    if binary:
        return wilson(int(sum(values)), len(values), confidence)
    return paired_t(values, confidence)


def _clusters(clusters: Sequence[Hashable | None]) -> list[Hashable]:
    """A case without a cluster is a cluster of its own."""
    return [("case", index) if cluster is None else ("cluster", cluster) for index, cluster in enumerate(clusters)]


def _outcome(interval: Interval, margin: float) -> Outcome:
    if interval.low > -margin:
        return Outcome.REPLACEABLE
    if interval.high < -margin:
        return Outcome.NOT_REPLACEABLE
    return Outcome.NOT_ENOUGH_EVIDENCE


def _more_cases(scores: Sequence[PairedScores], interval: Interval, margin: float) -> int | None:
    """Further cases after which the interval around what was seen would no longer hold -margin: its width shrinks
    with the square root of n. Where the estimate sits on the margin itself there is no such number."""
    distance = abs(interval.estimate + margin)
    if distance < 1e-3 or interval.half_width == 0:
        return None
    n = len(scores)
    total = math.ceil(n * (interval.half_width / distance) ** 2)
    return max(total - n, 1)
