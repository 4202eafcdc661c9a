"""From graded answers to what the report shows. Pure: answers in, values out."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean, median

import msgspec

from workbench.evaluation.answers import Answer
from workbench.evaluation.busy import seconds_for_each
from workbench.evaluation.intervals import CONFIDENCE, Interval, holm
from workbench.evaluation.verdict import (
    Outcome,
    PairedScores,
    Verdict,
    difference,
    judge,
    judge_together,
    score_interval,
)

Arm = tuple[str, str]
PAIRWISE = "pairwise"
"""The grader whose score says how the candidate's answer did against the baseline's: 1 better, 0.5 tie, 0 worse."""


class ArmSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One contestant under one prompt."""

    contestant: str
    prompt: str
    model: str
    answered: int
    errors: int
    rate: Interval
    """Mean score with its interval; Wilson where every score is 0 or 1. Failed answers are not in it."""
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
    unjudged: int = 0
    """Answers that no grader, or no person, has judged yet."""
    seconds_for_each: float | None = None
    """Time one answer takes when several are made at once: the time the model was busy, by the number of answers."""
    quantization: str = ""
    file_bytes: int | None = None
    """Size of a local model's file."""
    common_error: str = ""
    """What went wrong most often."""
    rate_if_errors_were_wrong: Interval | None = None
    """None without errors."""


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """The cases with one tag."""

    tag: str
    n: int
    difference: Interval
    """At a level that holds for all tags of the comparison together (Bonferroni)."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate against the baseline under the same prompt."""

    candidate: Arm
    baseline: Arm
    verdict: Verdict
    left_out: int
    """Cases without a graded answer of both, be it failed, not asked for or not judged; they are in no score."""
    if_errors_were_wrong: Outcome
    """The verdict had every failed answer counted as wrong: where it differs, errors decide."""
    differing: tuple[str, ...]
    """Cases where the scores differ, the candidate's worst first."""
    adjusted_p: float | None = None
    """McNemar's p after Holm over all comparisons of the report."""
    slices: tuple[Slice, ...] = ()
    """By tag, the most different first; empty with fewer than two tags."""
    together: int = 1
    """How many comparisons were judged together (Holm)."""


class Analysis(msgspec.Struct, frozen=True, kw_only=True):
    arms: tuple[ArmSummary, ...]
    comparisons: tuple[Comparison, ...]


def analyse(answers: Sequence[Answer], baseline: str | None, margin: float) -> Analysis:
    """`baseline` names a contestant; `margin` is a fraction (0.05 for 5 points)."""
    by_arm: dict[Arm, list[Answer]] = defaultdict(list)
    for answer in answers:
        by_arm[answer.arm].append(answer)
    summaries = tuple(summarise(arm, items) for arm, items in by_arm.items())
    pairs = []
    for arm, items in by_arm.items():
        other = _baseline_arm(arm, baseline, by_arm)
        paired = _paired(arm, items, other, by_arm[other]) if other is not None else None
        if paired is not None:
            pairs.append(paired)
    verdicts = judge_together([paired.scores for paired in pairs], margin) if pairs else []
    comparisons = [paired.comparison(verdict, len(pairs)) for paired, verdict in zip(pairs, verdicts, strict=True)]
    return Analysis(arms=summaries, comparisons=_adjusted(comparisons))


def arm_names(arms: Iterable[Arm]) -> dict[Arm, str]:
    """How each is called: with its prompt where the contestant has several."""
    listed = list(arms)
    prompts = Counter(contestant for contestant, _ in listed)
    return {arm: " · ".join(arm) if prompts[arm[0]] > 1 else arm[0] for arm in listed}


def smallest_passing(analysis: Analysis) -> ArmSummary | None:
    """The local candidate with the smallest file that can replace the baseline; None where fewer than two files
    compete or none passes."""
    arms = {(arm.contestant, arm.prompt): arm for arm in analysis.arms}
    compared = [(c, arms[c.candidate]) for c in analysis.comparisons]
    local = [(c, arm) for c, arm in compared if arm.file_bytes and not arm.remote]
    passing = [arm for c, arm in local if c.verdict.outcome is Outcome.REPLACEABLE]
    if len({arm.file_bytes for _, arm in local}) < 2 or not passing:
        return None
    return min(passing, key=lambda arm: arm.file_bytes or 0)


def summarise(arm: Arm, answers: Sequence[Answer]) -> ArmSummary:
    good, failed = [a for a in answers if not a.error], [a for a in answers if a.error]
    scored = [a for a in good if a.score is not None]
    # Answers from the log were timed when they were made; they count where nothing was asked anew.
    timed = [a for a in good if not a.reused] or good
    durations = sorted(a.duration_s for a in timed if a.duration_s is not None)
    costs = [a.cost_usd for a in good]
    known = [cost for cost in costs if cost is not None]
    remote = any(a.remote for a in answers)
    return ArmSummary(
        contestant=arm[0],
        prompt=arm[1],
        model=next((a.model for a in answers if a.model), ""),
        answered=len(good),
        errors=len(failed),
        common_error=Counter(a.error for a in failed).most_common(1)[0][0] if failed else "",
        rate=_rate(scored),
        rate_if_errors_were_wrong=_rate([*scored, *failed], failed=0.0) if failed else None,
        latency_median_s=median(durations) if durations else None,
        latency_p95_s=durations[min(len(durations) - 1, math.ceil(0.95 * len(durations)) - 1)] if durations else None,
        time_to_first_token_median_s=_median(a.time_to_first_token_s for a in timed),
        tokens_per_s=_median(a.decode_tokens_per_s for a in good),
        cost_per_1000_usd=(
            fmean(known) * 1000 if known and len(known) == len(costs) else (None if remote or not good else 0.0)
        ),
        remote=remote,
        reused=sum(a.reused for a in answers),
        recorded=any(a.recorded for a in answers),
        truncated=sum(a.finish_reason == "length" for a in answers),
        unjudged=len(good) - len(scored),
        seconds_for_each=seconds_for_each([(a.started_at, a.ended_at) for a in timed]),
        quantization=next((a.quantization for a in good if a.quantization), ""),
        file_bytes=next((a.file_bytes for a in good if a.file_bytes), None),
    )


class _Paired(msgspec.Struct, frozen=True, kw_only=True):
    """The scores of a candidate and the baseline, case by case."""

    candidate: Arm
    baseline: Arm
    scores: list[PairedScores]
    with_errors: list[PairedScores]
    """With the cases in which an answer failed, scored 0."""
    left_out: int
    tags: dict[str, tuple[str, ...]]

    def comparison(self, verdict: Verdict, together: int) -> Comparison:
        differing = sorted((p for p in self.scores if p.difference), key=lambda p: (p.difference, p.case_id))
        return Comparison(
            candidate=self.candidate,
            baseline=self.baseline,
            verdict=verdict,
            left_out=self.left_out,
            if_errors_were_wrong=judge(self.with_errors, verdict.margin, verdict.difference.confidence).outcome,
            differing=tuple(p.case_id for p in differing),
            slices=self._slices(),
            together=together,
        )

    def _slices(self) -> tuple[Slice, ...]:
        by_tag: dict[str, list[PairedScores]] = defaultdict(list)
        for pair in self.scores:
            for tag in self.tags.get(pair.case_id, ()):
                by_tag[tag].append(pair)
        if len(by_tag) < 2:
            return ()
        level = 1 - (1 - CONFIDENCE) / len(by_tag)
        slices = [Slice(tag=tag, n=len(own), difference=difference(own, level)) for tag, own in by_tag.items()]
        return tuple(sorted(slices, key=lambda item: (item.difference.estimate, item.tag)))


def _paired(arm: Arm, answers: Sequence[Answer], other: Arm, others: Sequence[Answer]) -> _Paired | None:
    """None where no case was answered and scored for both."""
    ours, theirs = _case_means(answers), _case_means(others)
    if any(grade.grader == PAIRWISE for answer in answers for grade in answer.grades):
        theirs = {case: 1 - score for case, score in ours.items()}
    common = [case for case in theirs if case in ours]
    if not common:
        return None
    first = {a.case_id: a for a in (*others, *answers)}
    our_failed, their_failed = ({a.case_id for a in side if a.error} for side in (answers, others))
    # An answer that was not asked for, or waits to be judged, is no failure.
    settled = (ours.keys() | our_failed) & (theirs.keys() | their_failed)
    seen = ours.keys() | theirs.keys() | our_failed | their_failed

    def pair(case: str) -> PairedScores:
        own = first[case]
        return PairedScores(case, ours.get(case, 0.0), theirs.get(case, 0.0), own.cluster, own.weight)

    return _Paired(
        candidate=arm,
        baseline=other,
        scores=[pair(case) for case in common],
        with_errors=[pair(case) for case in (*common, *sorted(settled - set(common)))],
        left_out=len(seen) - len(common),
        tags={case: first[case].tags for case in common},
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


def _case_means(answers: Iterable[Answer], failed: float | None = None) -> dict[str, float]:
    """Mean score of each case over its repeats: repeats are no independent evidence. `failed`: the score of an answer
    that failed; None: it has none."""
    scores: dict[str, list[float]] = defaultdict(list)
    for answer in answers:
        score = failed if answer.error else answer.score
        if score is not None:
            scores[answer.case_id].append(score)
    return {case: fmean(values) for case, values in scores.items()}


def _rate(answers: Sequence[Answer], failed: float | None = None) -> Interval:
    means = _case_means(answers, failed)
    if not means:
        return Interval(math.nan, 0.0, 1.0, CONFIDENCE, "none")
    first = {a.case_id: a for a in answers}
    clusters = [first[case].cluster for case in means]
    return score_interval(list(means.values()), clusters, [first[case].weight for case in means])


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
