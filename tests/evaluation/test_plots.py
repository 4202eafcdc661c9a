"""What the plots show: points and their families, distributions, and where two cost lines meet."""

from __future__ import annotations

import pytest

from workbench.evaluation.analysis import analyse, arm_names
from workbench.evaluation.answers import Answer, GradeRecord
from workbench.evaluation.break_even import CostLine, Machine, cost_lines, usd_per_1000
from workbench.evaluation.plots import (
    MOST_STEPS,
    distribution,
    durations_of,
    quality_points,
    quantile,
    quantisation_lines,
)


def answers(name: str, *, cases: int = 4, **fields) -> list[Answer]:
    grades = (GradeRecord(grader="exact", score=1.0),)
    return [
        Answer(contestant=name, prompt="p", case_id=str(n), grades=grades, **{"duration_s": 1.0 + n, **fields})
        for n in range(cases)
    ]


def test_quantisations_of_one_model_are_joined_by_size() -> None:
    sizes = {"Q8_0": 800, "Q4_K_M": 400, "F16": 1600}
    listed = [
        answer
        for kind, size in sizes.items()
        for answer in answers(kind, model=f"local:Small-{kind}", quantization=kind, file_bytes=size)
    ]
    listed += answers("other", model="local:Other-Q8_0", quantization="Q8_0", file_bytes=900)
    listed += answers("api", model="openai:x", remote=True, cost_usd=0.001)
    points, missing = quality_points(analyse(listed, "api", 0.05), lambda arm: float(arm.file_bytes or 1))
    assert not missing
    (line,) = quantisation_lines(points)
    assert [points[index].name for index in line] == ["Q4_K_M", "Q8_0", "F16"]
    assert points[0].name == "api" and points[0].low < points[0].score == 100.0 == points[0].high


def test_what_has_no_place_across_is_told_with_its_score() -> None:
    analysis = analyse([*answers("a"), *answers("b", duration_s=None)], None, 0.05)
    points, missing = quality_points(analysis, lambda arm: arm.latency_median_s)
    assert [point.name for point in points] == ["a"]
    assert missing == [("b", 100.0)]


def test_distributions_are_thinned_and_keep_their_ends() -> None:
    values = [float(n) for n in range(100_000)]
    xs, ys = distribution(values)
    assert len(xs) <= MOST_STEPS
    assert (xs[0], xs[-1], ys[-1]) == (0.0, 99_999.0, 100.0)
    assert distribution([2.0, 3.0]) == ([2.0, 3.0], [50.0, 100.0])
    assert (quantile([1.0, 2.0, 3.0, 4.0], 0.5), quantile([7.0], 0.95)) == (2.0, 7.0)


def test_times_from_the_log_count_only_where_nothing_was_asked_anew() -> None:
    logged, fresh = answers("a", duration_s=9.0, reused=True), answers("a", cases=1, duration_s=2.0)
    assert durations_of([*logged, *fresh]) == {("a", "p"): [2.0]}
    assert durations_of(logged) == {("a", "p"): [9.0] * 4}
    assert durations_of(answers("a", error="failed")) == {}


def test_cost_lines_meet_where_the_machine_is_paid_off() -> None:
    listed = [*answers("here", duration_s=3.6), *answers("api", remote=True, cost_usd=0.002)]
    analysis = analyse(listed, "api", 0.05)
    machine = Machine(watts=1_000.0, usd_per_kwh=1.0, price_usd=100.0)
    api, here = cost_lines(analysis, "api", machine=machine)
    assert (api.local, here.local) == (False, True)
    assert here.usd_per_case == pytest.approx(0.001)
    assert here.cheaper_than(api) == pytest.approx(100_000)
    assert here.at(100_000) == pytest.approx(api.at(100_000))
    assert CostLine(name="x", local=True, usd_per_case=0.001).cheaper_than(api) == 0.0
    assert CostLine(name="x", local=True, usd_per_case=0.003).cheaper_than(api) is None
    assert cost_lines(analysis, "api", api_usd_per_1000=5.0)[0].usd_per_case == 0.005
    assert [usd_per_1000(arm, machine) for arm in analysis.arms] == pytest.approx([1.0, 2.0])


def test_a_prompt_is_named_where_a_contestant_has_several() -> None:
    assert list(arm_names([("a", "p"), ("b", "q")]).values()) == ["a", "b"]
    assert list(arm_names([("a", "p"), ("a", "q"), ("b", "p")]).values()) == ["a · p", "a · q", "b"]
