"""From graded answers to what the report shows. Pure: answers in, values out."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean, median

import msgspec

from workbench.evaluation.answers import Answer
from workbench.evaluation.intervals import Interval, clustered_t, holm, paired_t, wilson
from workbench.evaluation.verdict import Outcome, PairedScores, Verdict, judge

Arm = tuple[str, str]


class ArmSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One contestant under one prompt."""

    contestant: str
    prompt: str
    model: str
    answered: int
    errors: int
    rate: Interval
    """Mean score with its interval; Wilson where every score is 0 or 1."""
    latency_median_s: float | None
    latency_p95_s: float | None
    time_to_first_token_median_s: float | None
    tokens_per_s: float | None
    """Median decode speed."""
    cost_per_1000_usd: float | None
    """API cost of 1,000 cases; None unknown; 0 only for a local model."""
    remote: bool
    reused: int
    recorded: bool
    truncated: int
    """Answers cut off by the token limit."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate against the baseline under the same prompt."""

    candidate: Arm
    baseline: Arm
    verdict: Verdict
    left_out: int
    """Cases without a valid answer of both; they are in no score."""
    if_errors_were_wrong: Outcome
    """The verdict had every failed answer counted as wrong: where it differs, errors decide."""
    differing: tuple[str, ...]
    """Cases where the scores differ, the candidate's worst first."""
    adjusted_p: float | None = None
    """McNemar's p after Holm over all comparisons of the report."""


class Analysis(msgspec.Struct, frozen=True, kw_only=True):
    arms: tuple[ArmSummary, ...]
    comparisons: tuple[Comparison, ...]


def analyse(answers: Sequence[Answer], baseline: str | None, margin: float) -> Analysis:
    """`baseline` names a contestant; `margin` is a fraction (0.05 for 5 points)."""
    by_arm: dict[Arm, list[Answer]] = defaultdict(list)
    for answer in answers:
        by_arm[answer.arm].append(answer)
    summaries = tuple(summarise(arm, items) for arm, items in by_arm.items())
    comparisons = []
    for arm, items in by_arm.items():
        other = _baseline_arm(arm, baseline, by_arm)
        if other is not None:
            comparison = compare(arm, items, other, by_arm[other], margin)
            if comparison is not None:
                comparisons.append(comparison)
    return Analysis(arms=summaries, comparisons=_adjusted(comparisons))


def summarise(arm: Arm, answers: Sequence[Answer]) -> ArmSummary:
    good = [a for a in answers if a.score is not None]
    means = _case_means(good)
    clusters = {a.case_id: a.cluster for a in good}
    durations = sorted(a.duration_s for a in good if a.duration_s is not None and not a.reused)
    costs = [a.cost_usd for a in good]
    known = [cost for cost in costs if cost is not None]
    remote = any(a.remote for a in answers)
    return ArmSummary(
        contestant=arm[0],
        prompt=arm[1],
        model=next((a.model for a in answers if a.model), ""),
        answered=len(good),
        errors=sum(bool(a.error) for a in answers),
        rate=_rate(means, clusters),
        latency_median_s=median(durations) if durations else None,
        latency_p95_s=durations[min(len(durations) - 1, math.ceil(0.95 * len(durations)) - 1)] if durations else None,
        time_to_first_token_median_s=_median(a.time_to_first_token_s for a in good if not a.reused),
        tokens_per_s=_median(a.decode_tokens_per_s for a in good),
        cost_per_1000_usd=(
            fmean(known) * 1000 if known and len(known) == len(costs) else (None if remote or not good else 0.0)
        ),
        remote=remote,
        reused=sum(a.reused for a in answers),
        recorded=any(a.recorded for a in answers),
        truncated=sum(a.finish_reason == "length" for a in answers),
    )


def compare(
    candidate: Arm, answers: Sequence[Answer], baseline: Arm, baseline_answers: Sequence[Answer], margin: float
) -> Comparison | None:
    """None where no case was answered by both."""
    ours, theirs = _case_means(answers), _case_means(baseline_answers)
    clusters = {a.case_id: a.cluster for a in (*baseline_answers, *answers)}
    common = [case for case in theirs if case in ours]
    if not common:
        return None
    pairs = [PairedScores(case, ours[case], theirs[case], clusters[case]) for case in common]
    everything = {a.case_id for a in (*answers, *baseline_answers)}
    with_errors = [PairedScores(c, ours.get(c, 0.0), theirs.get(c, 0.0), clusters[c]) for c in sorted(everything)]
    differing = sorted((p for p in pairs if p.difference), key=lambda p: (p.difference, p.case_id))
    return Comparison(
        candidate=candidate,
        baseline=baseline,
        verdict=judge(pairs, margin),
        left_out=len(everything) - len(common),
        if_errors_were_wrong=judge(with_errors, margin).outcome,
        differing=tuple(p.case_id for p in differing),
    )


def _baseline_arm(arm: Arm, baseline: str | None, by_arm: dict[Arm, list[Answer]]) -> Arm | None:
    """The baseline under the same prompt; recorded answers have one prompt that serves for all."""
    if baseline is None or arm[0] == baseline:
        return None
    if (baseline, arm[1]) in by_arm:
        return baseline, arm[1]
    own = [other for other in by_arm if other[0] == baseline]
    return own[0] if len(own) == 1 else None


def _adjusted(comparisons: list[Comparison]) -> tuple[Comparison, ...]:
    tested = [c for c in comparisons if c.verdict.p_value is not None]
    adjusted = holm([c.verdict.p_value for c in tested if c.verdict.p_value is not None])
    by_arm = {c.candidate: p for c, p in zip(tested, adjusted, strict=True)}
    return tuple(msgspec.structs.replace(c, adjusted_p=by_arm.get(c.candidate)) for c in comparisons)


def _case_means(answers: Iterable[Answer]) -> dict[str, float]:
    """Mean score of each case over its repeats: repeats are no independent evidence."""
    scores: dict[str, list[float]] = defaultdict(list)
    for answer in answers:
        score = answer.score
        if score is not None:
            scores[answer.case_id].append(score)
    return {case: fmean(values) for case, values in scores.items()}


def _rate(means: dict[str, float], clusters: dict[str, str | None]) -> Interval:
    values = list(means.values())
    groups = [clusters[case] if clusters[case] is not None else ("case", case) for case in means]
    if len(set(groups)) < len(groups):
        return clustered_t(values, groups)
    if all(value in (0.0, 1.0) for value in values):
        return wilson(int(sum(values)), len(values))
    return paired_t(values)


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
