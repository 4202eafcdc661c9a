"""2,000 simulated evaluations with a known truth: clustered pass/fail and continuous scores.

    python -m tests.benchmarks.coverage_simulation

For each kind: how often the 95 % interval holds the truth, and how often a candidate that is exactly as much worse
as the margin is called replaceable.
"""

from __future__ import annotations

import numpy as np

from workbench.evaluation.verdict import Outcome, PairedScores, judge

EVALUATIONS = 2_000
MARGIN = 0.05


def clustered(random: np.random.Generator, clusters: int, size: int) -> list[PairedScores]:
    """Cases of one document share how hard it is for each side; the candidate is worse by the margin on average."""
    pairs = []
    for cluster in range(clusters):
        hardness = random.normal(0, 0.12)
        ours, theirs = (float(np.clip(p + hardness * sign, 0, 1)) for p, sign in ((0.70, 1), (0.75, -1)))
        for case in range(size):
            candidate, baseline = float(random.random() < ours), float(random.random() < theirs)
            pairs.append(PairedScores(f"{cluster}-{case}", candidate, baseline, cluster))
    return pairs


def continuous(random: np.random.Generator, n: int) -> list[PairedScores]:
    """Shares of right fields: skewed, bounded, and correlated through the case."""
    base = random.beta(6, 2, n)
    noise = random.normal(-MARGIN, 0.15, n)
    ours = base + noise
    return [PairedScores(str(i), float(ours[i]), float(base[i])) for i in range(n)]


def main() -> None:
    random = np.random.default_rng(5)
    kinds = {
        "clustered, 20 documents of 5": lambda: clustered(random, 20, 5),
        "clustered, 60 documents of 4": lambda: clustered(random, 60, 4),
        "continuous, 30 cases": lambda: continuous(random, 30),
        "continuous, 200 cases": lambda: continuous(random, 200),
    }
    for name, draw in kinds.items():
        held = wrong = 0
        for _ in range(EVALUATIONS):
            verdict = judge(draw(), MARGIN)
            held += verdict.difference.low <= -MARGIN <= verdict.difference.high
            wrong += verdict.outcome is Outcome.REPLACEABLE
        print(f"{name}: coverage {held / EVALUATIONS:.3f}, false “replaceable” {wrong / EVALUATIONS:.3f}")


if __name__ == "__main__":
    main()
