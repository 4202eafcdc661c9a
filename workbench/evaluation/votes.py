"""What human votes say: two models by the sign test, three or more by Bradley-Terry."""

from __future__ import annotations

import math
import random
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from workbench.evaluation.intervals import CONFIDENCE, Interval, mcnemar_p, wilson

RIDGE = 0.1
"""Weight of the prior that draws strengths to 0: complete separation is normal with few votes and would otherwise
send them to infinity."""


@dataclass(frozen=True, slots=True)
class Vote:
    """One judgement of two answers to one prompt."""

    prompt: Hashable
    first: str
    second: str
    score: float
    """1: the first was better, 0: the second, 0.5: tie, or both bad."""


@dataclass(frozen=True, slots=True)
class Preference:
    """Two models: share of decided votes for the first, with ties reported beside it."""

    wins: int
    losses: int
    ties: int
    share: Interval
    p_value: float


@dataclass(frozen=True, slots=True)
class Strength:
    """A model's Bradley-Terry strength: natural log-odds against the average model, with a bootstrap interval."""

    model: str
    strength: Interval
    votes: int


def sign_test(wins: int, losses: int, ties: int = 0, confidence: float = CONFIDENCE) -> Preference:
    """Ties are left out of the test, as usual for the sign test, and shown."""
    return Preference(wins, losses, ties, wilson(wins, wins + losses, confidence), mcnemar_p(wins, losses))


def bradley_terry(
    votes: Sequence[Vote], *, confidence: float = CONFIDENCE, resamples: int = 300, seed: int = 0
) -> list[Strength]:
    """Strengths by maximum likelihood with ties as half a win each and a ridge prior, strongest first.

    Intervals by percentile bootstrap over prompts, so that several votes on one prompt count as one observation.
    """
    models = sorted({name for vote in votes for name in (vote.first, vote.second)})
    if not models:
        return []
    estimate = _fit(models, votes)
    by_prompt: dict[Hashable, list[Vote]] = {}
    for vote in votes:
        by_prompt.setdefault(vote.prompt, []).append(vote)
    groups = list(by_prompt.values())
    generator = random.Random(seed)
    samples: dict[str, list[float]] = {model: [] for model in models}
    for _ in range(resamples):
        drawn = [vote for group in generator.choices(groups, k=len(groups)) for vote in group]
        for model, strength in _fit(models, drawn).items():
            samples[model].append(strength)
    counts = {model: sum(model in (vote.first, vote.second) for vote in votes) for model in models}
    tail = (1 - confidence) / 2
    strengths = [
        Strength(
            model,
            Interval(
                estimate[model],
                _quantile(samples[model], tail),
                _quantile(samples[model], 1 - tail),
                confidence,
                "bootstrap over prompts",
            ),
            counts[model],
        )
        for model in models
    ]
    return sorted(strengths, key=lambda s: -s.strength.estimate)


def _fit(models: Sequence[str], votes: Sequence[Vote]) -> dict[str, float]:
    """Newton steps on the penalised log-likelihood; it is concave, so this converges from 0."""
    import numpy as np  # noqa: PLC0415  heavy: only when votes are tallied

    index = {model: i for i, model in enumerate(models)}
    size = len(models)
    wins = np.zeros((size, size))
    for vote in votes:
        i, j = index[vote.first], index[vote.second]
        wins[i, j] += vote.score
        wins[j, i] += 1 - vote.score
    played = wins + wins.T
    strength = np.zeros(size)
    for _ in range(50):
        p = 1 / (1 + np.exp(strength[None, :] - strength[:, None]))
        gradient = (wins - played * p).sum(axis=1) - RIDGE * strength
        weight = played * p * (1 - p)
        hessian = np.diag(weight.sum(axis=1) + RIDGE) - weight
        step = np.linalg.solve(hessian, gradient)
        strength = strength + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-9:
            break
    strength -= strength.mean()
    return {model: float(strength[i]) for model, i in index.items()}


def _quantile(values: Sequence[float], q: float) -> float:
    ordered = sorted(values)
    position = q * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)
