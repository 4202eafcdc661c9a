"""Analysis of graded answers."""

from __future__ import annotations

import pytest

from workbench.evaluation.analysis import analyse
from workbench.evaluation.answers import Answer, GradeRecord
from workbench.evaluation.break_even import Machine, break_even
from workbench.evaluation.verdict import Outcome


def answer(contestant: str, case: str, score: float | None, **fields) -> Answer:
    grades = () if score is None else (GradeRecord(grader="exact", score=score),)
    return Answer(contestant=contestant, prompt=fields.pop("prompt", "p"), case_id=case, grades=grades, **fields)


def test_errors_are_left_out_and_their_weight_is_told() -> None:
    answers = [answer("api", f"c{i}", 1.0, remote=True, cost_usd=0.002) for i in range(400)]
    answers += [answer("local", f"c{i}", 1.0) for i in range(300)]
    answers += [answer("local", f"c{i}", None, error="engine died") for i in range(300, 400)]
    result = analyse(answers, "api", 0.05)
    (comparison,) = result.comparisons
    assert comparison.verdict.outcome is Outcome.REPLACEABLE
    assert comparison.verdict.n == 300
    assert comparison.left_out == 100
    assert comparison.if_errors_were_wrong is Outcome.NOT_REPLACEABLE
    local = next(arm for arm in result.arms if arm.contestant == "local")
    assert (local.answered, local.errors) == (300, 100)


def test_what_was_not_asked_or_not_judged_is_no_failure() -> None:
    answers = [answer("api", f"c{i}", 1.0) for i in range(400)]
    answers += [answer("local", f"c{i}", 1.0) for i in range(300)]
    answers += [answer("local", f"c{i}", None) for i in range(300, 350)]  # waits for a person
    (comparison,) = analyse(answers, "api", 0.05).comparisons
    assert comparison.left_out == 100
    assert comparison.if_errors_were_wrong is Outcome.REPLACEABLE


def test_costs_unknown_known_and_local() -> None:
    result = analyse(
        [
            answer("known", "c", 1.0, remote=True, cost_usd=0.002),
            answer("unknown", "c", 1.0, remote=True),
            answer("local", "c", 1.0),
        ],
        None,
        0.05,
    )
    costs = {arm.contestant: arm.cost_per_1000_usd for arm in result.arms}
    assert costs == {"known": pytest.approx(2.0), "unknown": None, "local": 0.0}


def test_repeats_are_averaged_within_the_case() -> None:
    answers = [answer("a", f"c{i}", float(r < 2), repeat=r) for i in range(10) for r in range(4)]
    answers += [answer("b", f"c{i}", 0.5) for i in range(10)]
    (comparison,) = analyse(answers, "b", 0.05).comparisons
    assert comparison.verdict.n == 10
    assert comparison.verdict.difference.estimate == 0
    assert comparison.differing == ()


def test_differing_cases_worst_first_and_by_prompt() -> None:
    answers = []
    for prompt in ("x", "y"):
        answers += [answer("base", c, s, prompt=prompt) for c, s in (("c1", 1.0), ("c2", 0.0), ("c3", 1.0))]
        answers += [answer("cand", c, s, prompt=prompt) for c, s in (("c1", 0.0), ("c2", 1.0), ("c3", 1.0))]
    result = analyse(answers, "base", 0.05)
    assert [c.candidate for c in result.comparisons] == [("cand", "x"), ("cand", "y")]
    assert result.comparisons[0].differing == ("c1", "c2")
    assert result.comparisons[0].baseline == ("base", "x")
    assert all(c.adjusted_p == 1.0 for c in result.comparisons)


def test_recorded_baseline_serves_every_prompt() -> None:
    answers = [answer("base", f"c{i}", 1.0, prompt="recorded", recorded=True) for i in range(5)]
    answers += [answer("cand", f"c{i}", 1.0, prompt="x") for i in range(5)]
    (comparison,) = analyse(answers, "base", 0.05).comparisons
    assert comparison.baseline == ("base", "recorded")


def test_no_common_case_gives_no_comparison() -> None:
    assert analyse([answer("a", "1", 1.0), answer("b", "2", 1.0)], "a", 0.05).comparisons == ()


def test_break_even() -> None:
    result = break_even(
        cases_per_month=100_000,
        api_usd_per_1000=2.0,
        local_seconds_per_case=3.6,
        machine=Machine(watts=100, usd_per_kwh=0.3, price_usd=1_970),
    )
    assert result.local_hours_per_month == pytest.approx(100)
    assert result.local_usd_per_month == pytest.approx(3.0)
    assert result.api_usd_per_month == pytest.approx(200)
    assert result.months_until_paid == pytest.approx(10)
    unknown = break_even(cases_per_month=10, api_usd_per_1000=None, local_seconds_per_case=1, machine=Machine())
    assert unknown.api_usd_per_month is None
    assert unknown.months_until_paid is None
