"""Confidence intervals for scores and for paired differences of scores.

All rates and scores are fractions (0 to 1); a difference is candidate minus baseline. scipy is imported on first
use: it costs a third of a second and the window must not wait for it.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its confidence interval."""

    estimate: float
    low: float
    high: float
    confidence: float
    method: str

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


def wilson(passed: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """One rate, `passed` of `n`. Wilson 1927, without continuity correction."""
    if n <= 0:
        return Interval(math.nan, 0.0, 1.0, confidence, "Wilson")
    limits = _stats().binomtest(passed, n).proportion_ci(confidence, method="wilson")
    return Interval(passed / n, float(limits.low), float(limits.high), confidence, "Wilson")


def tango(only_candidate: int, only_baseline: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Difference of two paired rates by inverting the score test. Tango 1998, Statistics in Medicine 17:891-908.

    `only_candidate` and `only_baseline` count the discordant pairs among `n`. Equation numbers are the paper's
    in spirit: for a hypothesised difference the discordant rate is fitted under the constraint (a quadratic), and
    the limits are where the score statistic reaches the normal quantile.
    """
    if n <= 0:
        return Interval(math.nan, -1.0, 1.0, confidence, "Tango")
    b, c = only_candidate, only_baseline
    z = _z(confidence)
    estimate = (b - c) / n

    def statistic(delta: float) -> float:
        linear = -b - c + (2 * n - b + c) * delta
        constant = -c * delta * (1 - delta)
        p01 = (math.sqrt(max(linear * linear - 8 * n * constant, 0.0)) - linear) / (4 * n)
        variance = n * (2 * p01 + delta * (1 - delta))
        residual = b - c - n * delta
        if variance <= 0:
            return math.copysign(math.inf, residual) if residual else 0.0
        return residual / math.sqrt(variance)

    low = -1.0 if estimate <= -1 else _crossing(statistic, z, -1.0, estimate)
    high = 1.0 if estimate >= 1 else _crossing(statistic, -z, estimate, 1.0)
    return Interval(estimate, low, high, confidence, "Tango")


def bonett_price(only_candidate: int, only_baseline: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Difference of two paired rates, adjusted Wald. Bonett & Price 2012, J. Educ. Behav. Stat. 37:479-488."""
    if n <= 0:
        return Interval(math.nan, -1.0, 1.0, confidence, "Bonett-Price")
    p, q = (only_candidate + 1) / (n + 2), (only_baseline + 1) / (n + 2)
    half = _z(confidence) * math.sqrt((p + q - (p - q) ** 2) / (n + 2))
    estimate = (only_candidate - only_baseline) / n
    return Interval(estimate, max(-1.0, p - q - half), min(1.0, p - q + half), confidence, "Bonett-Price")


def paired_t(differences: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Mean of paired differences, Student's t. For continuous scores."""
    n = len(differences)
    mean = math.fsum(differences) / n if n else math.nan
    if n < 2:
        return Interval(mean, -1.0, 1.0, confidence, "paired t")
    variance = math.fsum((d - mean) ** 2 for d in differences) / (n - 1)
    half = _t(confidence, n - 1) * math.sqrt(variance / n)
    return Interval(mean, mean - half, mean + half, confidence, "paired t")


def clustered_t(differences: Sequence[float], clusters: Sequence[Hashable], confidence: float = CONFIDENCE) -> Interval:
    """Mean of differences with cluster-robust standard error (Miller 2024, arXiv 2411.00640, eq. 4), and
    t with (clusters - 1) degrees of freedom and the usual G/(G-1) small-sample factor."""
    n = len(differences)
    if n != len(clusters):
        raise ValueError("one cluster for each difference")
    mean = math.fsum(differences) / n if n else math.nan
    sums: dict[Hashable, float] = {}
    for difference, cluster in zip(differences, clusters, strict=True):
        sums[cluster] = sums.get(cluster, 0.0) + difference - mean
    groups = len(sums)
    if groups < 2:
        return Interval(mean, -1.0, 1.0, confidence, "clustered t")
    variance = math.fsum(s * s for s in sums.values()) / n**2 * groups / (groups - 1)
    half = _t(confidence, groups - 1) * math.sqrt(variance)
    return Interval(mean, mean - half, mean + half, confidence, "clustered t")


def bootstrap(differences: Sequence[float], confidence: float = CONFIDENCE, *, seed: int = 0) -> Interval:
    """Mean of paired differences, bias-corrected and accelerated bootstrap over cases (10,000 resamples)."""
    import numpy as np  # noqa: PLC0415  heavy: only when an evaluation is judged

    values = np.asarray(differences, dtype=float)
    mean = float(values.mean()) if values.size else math.nan
    if values.size < 2 or np.ptp(values) == 0:
        return paired_t(differences, confidence)
    result = _stats().bootstrap(
        (values,), np.mean, n_resamples=9_999, batch=500, confidence_level=confidence, method="BCa", random_state=seed
    )
    limits = result.confidence_interval
    return Interval(mean, float(limits.low), float(limits.high), confidence, "BCa bootstrap")


def mcnemar_p(only_candidate: int, only_baseline: int) -> float:
    """Two-sided exact McNemar test: the probability of a split this uneven if both were equally good."""
    n = only_candidate + only_baseline
    if n == 0:
        return 1.0
    return float(_stats().binomtest(min(only_candidate, only_baseline), n).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment (Holm 1979), in the order given. statsmodels has it too, at the price of pandas."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, (len(p_values) - rank) * p_values[index])
        adjusted[index] = min(1.0, running)
    return adjusted


def _crossing(statistic: Any, level: float, low: float, high: float) -> float:
    """Where the decreasing `statistic` passes `level`, by bisection to double precision."""
    for _ in range(80):
        middle = (low + high) / 2
        if statistic(middle) > level:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _z(confidence: float) -> float:
    from statistics import NormalDist  # noqa: PLC0415  standard library, but pulls in fractions and decimal

    return NormalDist().inv_cdf(0.5 + confidence / 2)


def _t(confidence: float, degrees: int) -> float:
    return float(_stats().t.ppf(0.5 + confidence / 2, degrees))


def _stats() -> Any:
    from scipy import stats  # noqa: PLC0415  heavy: see the module's docstring

    return stats
