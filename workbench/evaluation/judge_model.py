"""A model as judge, calibrated against the user's blind votes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from statistics import fmean, variance

from workbench.evaluation.intervals import CONFIDENCE, Interval, t_quantile


def both_orders(first_then_second: float, second_then_first: float) -> float:
    """One verdict from two: the judge is asked with the answers in both orders, each verdict the first answer's
    score (1, 0.5 or 0) as that prompt showed it. Disagreement between the orders is a tie."""
    mirrored = 1 - second_then_first
    return first_then_second if first_then_second == mirrored else 0.5


def cohen_kappa(judge: Sequence[Hashable], human: Sequence[Hashable]) -> float:
    """Agreement beyond chance, 1 perfect, 0 chance. nan where it is not defined: without labels, and where both said
    the same one thing about everything, which chance would have done as well. Cohen 1960."""
    n = len(judge)
    if n != len(human):
        raise ValueError("one human label for each of the judge's")
    if n == 0:
        return math.nan
    observed = sum(a == b for a, b in zip(judge, human, strict=True)) / n
    ours, theirs = Counter(judge), Counter(human)
    expected = sum(ours[label] * theirs[label] for label in ours) / n**2
    if expected == 1:
        return math.nan
    return (observed - expected) / (1 - expected)


def prediction_powered_mean(
    judge_all: Sequence[float],
    judge_labelled: Sequence[float],
    human_labelled: Sequence[float],
    confidence: float = CONFIDENCE,
) -> Interval:
    """The mean human score, from the judge on all cases corrected by its error on the labelled ones.

    theta = mean(judge over all) + mean(human - judge over labelled). Angelopoulos et al. 2023, Science 382:669.
    Two made-up labels, one wrong each way, widen the interval (as Bonett & Price 2012 do for differences of rates), and
    it is a t interval: a handful of labels without an error does not show that the judge makes none.
    """
    errors = [human - judge for judge, human in zip(judge_labelled, human_labelled, strict=True)]
    if not judge_all or len(errors) < 2:
        return Interval(math.nan, -math.inf, math.inf, confidence, "prediction-powered")
    estimate = fmean(judge_all) + fmean(errors)
    spread = variance(judge_all) / len(judge_all) if len(judge_all) > 1 else 0.0
    of_errors = variance([*errors, 1.0, -1.0]) / (len(errors) + 2)
    half = t_quantile(confidence, len(errors) + 1) * math.sqrt(spread + of_errors)
    return Interval(estimate, estimate - half, estimate + half, confidence, "prediction-powered")
