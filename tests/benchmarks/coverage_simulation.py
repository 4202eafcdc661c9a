"""2,000 simulated evaluations of each kind, with a known truth: a candidate that is worse by exactly the margin.

    python -m tests.benchmarks.coverage_simulation [EVALUATIONS] [--json OUT]

For each kind: how often the interval holds the truth (goal: at least 93 %), how often the candidate is called
replaceable (goal: at most 5 %), and the interval's mean width. Beside it the same for the usual t interval and for the
BCa bootstrap, which the verdict does not use: the table shows why. tests/evaluation/test_simulation.py runs fewer.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import stats

from workbench.evaluation.verdict import PairedScores, difference

EVALUATIONS = 2_000
MARGIN = 0.05
Draw = Callable[[np.random.Generator], list[PairedScores]]


def pairs(ours: np.ndarray, theirs: np.ndarray, clusters: np.ndarray | None = None) -> list[PairedScores]:
    """Scores as the verdict takes them."""
    own = [None] * len(ours) if clusters is None else clusters.tolist()
    return [
        PairedScores(str(i), float(a), float(b), c) for i, (a, b, c) in enumerate(zip(ours, theirs, own, strict=True))
    ]


def passes(n: int, only_candidate: float, only_baseline: float) -> Draw:
    """Pass or fail, independent cases: Tango."""

    def draw(random: np.random.Generator) -> list[PairedScores]:
        x = random.random(n)
        return pairs((x >= only_baseline).astype(float), (x < 1 - only_candidate).astype(float))

    return draw


def clustered(clusters: int, size: int, baseline: float, spread: float) -> Draw:
    """Cases of one document share how hard it is for each side."""

    def draw(random: np.random.Generator) -> list[PairedScores]:
        hardness = random.normal(0, spread, clusters)
        ours = random.random((clusters, size)) < np.clip(baseline - MARGIN + hardness, 0, 1)[:, None]
        theirs = random.random((clusters, size)) < np.clip(baseline - hardness, 0, 1)[:, None]
        return pairs(ours.ravel(), theirs.ravel(), np.repeat(np.arange(clusters), size))

    return draw


def copies(clusters: int, size: int) -> Draw:
    """The worst clusters: all cases of a document fail together."""

    def draw(random: np.random.Generator) -> list[PairedScores]:
        lost = np.repeat(random.random(clusters) < MARGIN, size)
        return pairs(1.0 - lost, np.ones(clusters * size), np.repeat(np.arange(clusters), size))

    return draw


def repeats(n: int, times: int, *, some_always_lost: bool) -> Draw:
    """Means over repeats: the same chance for every case, or a few that are lost every time."""

    def draw(random: np.random.Generator) -> list[PairedScores]:
        if some_always_lost:
            return pairs(1.0 - (random.random(n) < MARGIN), np.ones(n))
        return pairs(random.binomial(times, 0.70, n) / times, random.binomial(times, 0.75, n) / times)

    return draw


def graded(n: int) -> Draw:
    """Shares of right fields: bounded and correlated through the case."""

    def draw(random: np.random.Generator) -> list[PairedScores]:
        base = random.beta(6, 2, n)
        return pairs(base + random.normal(-MARGIN, 0.15, n), base)

    return draw


def fields(n: int) -> Draw:
    """One of four fields wrong in one of five cases: lumpy."""

    def draw(random: np.random.Generator) -> list[PairedScores]:
        return pairs(1.0 - 0.25 * (random.random(n) < 0.2), np.ones(n))

    return draw


def skewed(n: int) -> Draw:
    """Nine of ten cases alike, the tenth lost by any amount."""

    def draw(random: np.random.Generator) -> list[PairedScores]:
        return pairs(1.0 - np.where(random.random(n) < 0.1, random.random(n), 0.0), np.ones(n))

    return draw


KINDS: dict[str, Draw] = {
    "pass/fail, 20 cases": passes(20, 0.05, 0.10),
    "pass/fail, 50 cases": passes(50, 0.05, 0.10),
    "pass/fail, 200 cases": passes(200, 0.06, 0.11),
    "pass/fail, 471 cases": passes(471, 0.05, 0.10),
    "pass/fail, only losses, 100 cases": passes(100, 0.0, 0.05),
    "clusters, 10 documents of 5": clustered(10, 5, 0.75, 0.12),
    "clusters, 20 documents of 5": clustered(20, 5, 0.75, 0.12),
    "clusters, 60 documents of 4": clustered(60, 4, 0.75, 0.12),
    "clusters, rare failures, 20 of 5": clustered(20, 5, 0.97, 0.02),
    "clusters that fail as one, 30 of 4": copies(30, 4),
    "clusters that fail as one, 80 of 4": copies(80, 4),
    "clusters that fail as one, 200 of 4": copies(200, 4),
    "4 repeats, 30 cases": repeats(30, 4, some_always_lost=False),
    "4 repeats, 100 cases": repeats(100, 4, some_always_lost=False),
    "4 repeats, some always lost, 30": repeats(30, 4, some_always_lost=True),
    "4 repeats, some always lost, 100": repeats(100, 4, some_always_lost=True),
    "graded, 10 cases": graded(10),
    "graded, 30 cases": graded(30),
    "graded, 200 cases": graded(200),
    "shares of fields, 10 cases": fields(10),
    "shares of fields, 100 cases": fields(100),
    "skewed, 30 cases": skewed(30),
    "skewed, 100 cases": skewed(100),
}


def simulate(draw: Draw, evaluations: int, seed: int) -> tuple[float, float, float]:
    """(coverage, share of false “replaceable”, mean width) of the verdict's interval."""
    random = np.random.default_rng(seed)
    held = wrong = 0
    width = 0.0
    for _ in range(evaluations):
        interval = difference(draw(random))
        held += interval.low <= -MARGIN <= interval.high
        wrong += interval.low > -MARGIN
        width += interval.high - interval.low
    return held / evaluations, wrong / evaluations, width / evaluations


def usual(draw: Draw, evaluations: int, seed: int) -> tuple[float, float]:
    """False “replaceable” of Student's t, and of the BCa bootstrap over cases (999 resamples, a tenth of the
    evaluations)."""
    random = np.random.default_rng(seed)
    t_wrong = bca_wrong = 0
    few = max(evaluations // 10, 1)
    for number in range(evaluations):
        values = np.array([pair.difference for pair in draw(random)])
        half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
        t_wrong += values.mean() - half > -MARGIN
        if number < few:
            low = values.mean()
            if np.ptp(values) > 0:
                found = stats.bootstrap((values,), np.mean, n_resamples=999, method="BCa", random_state=random)
                low = found.confidence_interval.low
            bca_wrong += low > -MARGIN
    return t_wrong / evaluations, bca_wrong / few


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("evaluations", nargs="?", type=int, default=EVALUATIONS)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    print(f"{'':38}{'coverage':>10}{'false':>8}{'width':>8}{'false, t':>12}{'false, BCa':>12}")
    result = {}
    for seed, (name, draw) in enumerate(KINDS.items()):
        coverage, wrong, width = simulate(draw, arguments.evaluations, seed)
        t_wrong, bca_wrong = usual(draw, arguments.evaluations, seed)
        print(f"{name:38}{coverage:>10.3f}{wrong:>8.3f}{width:>8.3f}{t_wrong:>12.3f}{bca_wrong:>12.3f}", flush=True)
        result[name] = {"coverage": coverage, "false_replaceable": wrong, "width": width}
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
