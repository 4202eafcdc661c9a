"""What the plots of an evaluation show. Pure: an analysis or answers in, values out."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import msgspec

from workbench.evaluation.analysis import Analysis, Arm, ArmSummary, arm_names
from workbench.evaluation.answers import Answer

MOST_STEPS = 400
"""Steps of one latency curve: more than a screen shows."""


class QualityPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One contestant under one prompt. Scores in percent."""

    name: str
    place: int
    """Among the contestants."""
    x: float
    score: float
    low: float
    high: float
    family: str = ""
    """The same for quantisations of one model under one prompt; empty where it is not a local file."""
    file_bytes: int | None = None


def quality_points(
    analysis: Analysis, x_of: Callable[[ArmSummary], float | None]
) -> tuple[list[QualityPoint], list[tuple[str, float | None]]]:
    """The contestants with a score and an x, from left to right, and (name, score in percent) of those that lack
    one of them."""
    names = arm_names((arm.contestant, arm.prompt) for arm in analysis.arms)
    points: list[QualityPoint] = []
    missing: list[tuple[str, float | None]] = []
    for place, arm in enumerate(analysis.arms):
        name, x = names[arm.contestant, arm.prompt], x_of(arm)
        if x is None or math.isnan(arm.rate.estimate):
            missing.append((name, None if math.isnan(arm.rate.estimate) else arm.rate.estimate * 100))
            continue
        points.append(
            QualityPoint(
                name=name,
                place=place,
                x=x,
                score=arm.rate.estimate * 100,
                low=max(arm.rate.low, 0.0) * 100,
                high=min(arm.rate.high, 1.0) * 100,
                family=_family(arm),
                file_bytes=arm.file_bytes,
            )
        )
    return sorted(points, key=lambda point: point.x), missing


def quantisation_lines(points: Sequence[QualityPoint]) -> list[list[int]]:
    """Indices of points that are quantisations of one model, by the size of their files."""
    families: dict[str, list[int]] = defaultdict(list)
    for index, point in enumerate(points):
        if point.family:
            families[point.family].append(index)
    sized = [sorted(found, key=lambda index: points[index].file_bytes or 0) for found in families.values()]
    return [found for found in sized if len({points[index].file_bytes for index in found}) > 1]


def durations_of(answers: Iterable[Answer]) -> dict[Arm, list[float]]:
    """Seconds that each contestant's answers took, sorted; those from the log only where nothing was asked anew."""
    fresh: dict[Arm, list[float]] = defaultdict(list)
    logged: dict[Arm, list[float]] = defaultdict(list)
    for answer in answers:
        if not answer.error and answer.duration_s is not None:
            (logged if answer.reused else fresh)[answer.arm].append(answer.duration_s)
    return {
        arm: sorted(fresh.get(arm) or logged[arm]) for arm in (*fresh, *(arm for arm in logged if arm not in fresh))
    }


def distribution(durations: Sequence[float]) -> tuple[list[float], list[float]]:
    """The empirical distribution of sorted values: (value, percent that are no larger), at most `MOST_STEPS` of them,
    the first and the last among them."""
    count = len(durations)
    ranks: Sequence[int] = range(1, count + 1)
    if count > MOST_STEPS:
        ranks = sorted({1 + round(step * (count - 1) / (MOST_STEPS - 1)) for step in range(MOST_STEPS)})
    return [durations[rank - 1] for rank in ranks], [100 * rank / count for rank in ranks]


def quantile(durations: Sequence[float], share: float) -> float:
    """The smallest of the sorted values that so large a share does not exceed."""
    return durations[max(math.ceil(share * len(durations)) - 1, 0)]


def _family(arm: ArmSummary) -> str:
    """The model's name without its quantisation, and the prompt."""
    if arm.remote or not arm.file_bytes or not arm.quantization:
        return ""
    name = re.sub(rf"[-_.:]?{re.escape(arm.quantization)}", "", arm.model, flags=re.IGNORECASE)
    return f"{name} · {arm.prompt}"
