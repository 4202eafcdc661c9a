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
FEW = 5
"""From so many clusters that differ on, their variance is trusted."""


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
    low, high = _wilson_limits(passed / n, n, _z(confidence))
    return Interval(passed / n, low, high, confidence, "Wilson")


def _wilson_limits(rate: float, n: float, z: float) -> tuple[float, float]:
    """scipy has Wilson's interval for whole counts only."""
    centre = rate + z * z / (2 * n)
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def tango(only_candidate: int, only_baseline: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Difference of two paired rates by inverting the score test. Tango 1998, Statistics in Medicine 17:891-908.

    `only_candidate` and `only_baseline` count the discordant pairs among `n`. Equation numbers are the paper's
    in spirit: for a hypothesised difference the discordant rate is fitted under the constraint (a quadratic), and
    the limits are where the score statistic reaches the normal quantile.
    """
    if n <= 0:
        return Interval(math.nan, -1.0, 1.0, confidence, "Tango")
    low, high = _tango_limits(only_candidate, only_baseline, n, _z(confidence))
    return Interval((only_candidate - only_baseline) / n, low, high, confidence, "Tango")


def tango_confidence(only_candidate: int, only_baseline: int, n: int, value: float) -> float:
    """The confidence at which Tango's interval just reaches `value`: below it, the interval does not hold it."""
    from statistics import NormalDist  # noqa: PLC0415  see _z

    z = _tango_statistic(only_candidate, only_baseline, n, value)
    return max(0.0, min(2 * NormalDist().cdf(abs(z)) - 1, 1.0))


def _tango_limits(b: float, c: float, n: float, z: float) -> tuple[float, float]:
    """Also for counts that are no whole numbers."""
    estimate = (b - c) / n

    def statistic(delta: float) -> float:
        return _tango_statistic(b, c, n, delta)

    low = -1.0 if estimate <= -1 else _crossing(statistic, z, -1.0, estimate)
    high = 1.0 if estimate >= 1 else _crossing(statistic, -z, estimate, 1.0)
    return low, high


def _tango_statistic(b: float, c: float, n: float, delta: float) -> float:
    """Standard normal where `delta` is the true difference."""
    linear = -b - c + (2 * n - b + c) * delta
    constant = -c * delta * (1 - delta)
    p01 = (math.sqrt(max(linear * linear - 8 * n * constant, 0.0)) - linear) / (4 * n)
    variance = n * (2 * p01 + delta * (1 - delta))
    residual = b - c - n * delta
    if variance <= 0:
        return math.copysign(math.inf, residual) if residual else 0.0
    return residual / math.sqrt(variance)


def bonett_price(only_candidate: int, only_baseline: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Difference of two paired rates, adjusted Wald. Bonett & Price 2012, J. Educ. Behav. Stat. 37:479-488."""
    if n <= 0:
        return Interval(math.nan, -1.0, 1.0, confidence, "Bonett-Price")
    p, q = (only_candidate + 1) / (n + 2), (only_baseline + 1) / (n + 2)
    half = _z(confidence) * math.sqrt((p + q - (p - q) ** 2) / (n + 2))
    estimate = (only_candidate - only_baseline) / n
    return Interval(estimate, max(-1.0, p - q - half), min(1.0, p - q + half), confidence, "Bonett-Price")


def mean_difference(
    differences: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    weights: Sequence[float] | None = None,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Mean of paired differences (-1 to 1) that are no plain pass/fail: means over repeats, graded scores, cases that
    share a cluster, cases with weights.

    The hull of two intervals. (1) t with a cluster-robust standard error (Miller 2024, arXiv 2411.00640, eq. 4),
    G clusters, G-1 degrees of freedom and the factor G/(G-1). (2) Tango's score interval at the effective number of
    cases, as is done for proportions of complex surveys (Korn & Graubard 1998; Dean & Pagano 2015): the n of
    independent pass/fail pairs whose mean would vary as much, times (z/t)^2 for the few clusters; at most G where
    fewer than five of them differ, as so few can't tell how much they vary. The first alone says "no doubt at all"
    where no difference was seen, and errs far too often where differences are rare: see
    tests/benchmarks/coverage_simulation.py.
    """
    spread = _spread(differences, clusters, weights)
    if spread.units < 2:
        return Interval(spread.mean, -1.0, 1.0, confidence, "t and Tango at the effective n")
    t, z = t_quantile(confidence, spread.groups - 1), _z(confidence)
    half = t * math.sqrt(spread.variance)
    binary = spread.absolute - spread.mean**2
    n = spread.effective(binary) * (z / t) ** 2
    ups, downs = (spread.absolute + spread.mean) / 2, (spread.absolute - spread.mean) / 2
    low, high = _tango_limits(ups * n, downs * n, n, z)
    return Interval(
        spread.mean,
        max(-1.0, min(low, spread.mean - half)),
        min(1.0, max(high, spread.mean + half)),
        confidence,
        "t and Tango at the effective n",
    )


def mean_score(
    scores: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    weights: Sequence[float] | None = None,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Mean of scores (0 to 1): the hull of the cluster-robust t interval and Wilson's at the effective number of cases.
    See `mean_difference`."""
    spread = _spread(scores, clusters, weights)
    name = "t and Wilson at the effective n"
    if spread.units < 2:
        return Interval(spread.mean, 0.0, 1.0, confidence, name)
    t, z = t_quantile(confidence, spread.groups - 1), _z(confidence)
    half = t * math.sqrt(spread.variance)
    n = spread.effective(spread.mean * (1 - spread.mean)) * (z / t) ** 2
    low, high = _wilson_limits(spread.mean, n, z)
    return Interval(
        spread.mean, max(0.0, min(low, spread.mean - half)), min(1.0, max(high, spread.mean + half)), confidence, name
    )


@dataclass(frozen=True, slots=True)
class _Spread:
    """A weighted mean and how much it varies."""

    mean: float
    absolute: float
    """Weighted mean of the absolute values."""
    variance: float
    """Of the mean, robust against clusters."""
    groups: int
    units: float
    """Clusters, fewer where their weights are unequal (Kish)."""
    uncommon: int
    """Clusters that are not like most: not all 0, or not all 1."""

    def effective(self, binary_variance: float) -> float:
        """How many independent pass/fail cases tell as much."""
        if self.variance <= 0 or binary_variance <= 0:
            return self.units
        n = binary_variance / self.variance
        return min(n, self.units) if self.uncommon < FEW else n


def _spread(values: Sequence[float], clusters: Sequence[Hashable] | None, weights: Sequence[float] | None) -> _Spread:
    n = len(values)
    own = clusters if clusters is not None else range(n)
    shares = weights if weights is not None else [1.0] * n
    if n != len(own) or n != len(shares):
        raise ValueError("one cluster and one weight for each value")
    total = math.fsum(shares)
    if not n or total <= 0:
        return _Spread(math.nan, math.nan, 0.0, 0, 0.0, 0)
    mean = math.fsum(w * v for w, v in zip(shares, values, strict=True)) / total
    absolute = math.fsum(w * abs(v) for w, v in zip(shares, values, strict=True)) / total
    residuals: dict[Hashable, float] = {}
    sizes: dict[Hashable, float] = {}
    for value, cluster, weight in zip(values, own, shares, strict=True):
        residuals[cluster] = residuals.get(cluster, 0.0) + weight * (value - mean)
        sizes[cluster] = sizes.get(cluster, 0.0) + weight
    groups = len(residuals)
    factor = groups / (groups - 1) if groups > 1 else 1.0
    variance = math.fsum(r * r for r in residuals.values()) / total**2 * factor
    units = total**2 / math.fsum(size * size for size in sizes.values())
    # Rounding leaves a trace of variance where every value is the same.
    not_zero = {cluster for value, cluster in zip(values, own, strict=True) if value != 0}
    not_one = {cluster for value, cluster in zip(values, own, strict=True) if value != 1}
    uncommon = min(len(not_zero), len(not_one))
    return _Spread(mean, absolute, variance if variance > 1e-20 else 0.0, groups, units, uncommon)


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
    for _ in range(60):
        middle = (low + high) / 2
        if statistic(middle) > level:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _z(confidence: float) -> float:
    from statistics import NormalDist  # noqa: PLC0415  standard library, but pulls in fractions and decimal

    return NormalDist().inv_cdf(0.5 + confidence / 2)


def t_quantile(confidence: float, degrees: int) -> float:
    """Two-sided: half of the rest lies beyond it."""
    return float(_stats().t.ppf(0.5 + confidence / 2, degrees))


def _stats() -> Any:
    from scipy import stats  # noqa: PLC0415  heavy: see the module's docstring

    return stats
