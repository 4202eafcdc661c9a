"""Simulated evaluations of every kind of score, each with a candidate that is worse by exactly the margin.

The full run of 2,000 evaluations a kind is tests/benchmarks/coverage_simulation.py. Here are 300 with fixed seeds: the
limits leave room for the chance of so few (two standard errors of the goals).
"""

from __future__ import annotations

import pytest

from tests.benchmarks.coverage_simulation import KINDS, simulate

EVALUATIONS = 300


@pytest.mark.parametrize("kind", KINDS)
def test_intervals_hold_the_truth_and_verdicts_rarely_err(kind: str) -> None:
    coverage, wrong, _width = simulate(KINDS[kind], EVALUATIONS, seed=1)
    assert coverage >= 0.93 - 2 * (0.93 * 0.07 / EVALUATIONS) ** 0.5
    assert wrong <= 0.05 + 2 * (0.05 * 0.95 / EVALUATIONS) ** 0.5
