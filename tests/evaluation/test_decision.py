"""What an evaluation decides, and what it expects to take."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.core.models import ModelInfo, Prices
from workbench.evaluation.analysis import analyse
from workbench.evaluation.answers import Answer, GradeRecord
from workbench.evaluation.decision import decide, estimate_run
from workbench.evaluation.spec import EvalSpec, parse_spec


def spec(**changes) -> EvalSpec:
    document = {
        "name": "n",
        "models": [{"model": "a"}, {"model": "b"}],
        "baseline": "base",
        "cases": [{"id": str(n), "prompt": "x" * 30} for n in range(400)],
        **changes,
    }
    return parse_spec(document, Path("x.yaml"))


def answers(who: str, right: int, prompt: str = "prompt 1") -> list[Answer]:
    return [
        Answer(
            contestant=who,
            prompt=prompt,
            case_id=str(n),
            grades=(GradeRecord(grader="g", score=float(n < right)),),
        )
        for n in range(400)
    ]


def test_all_or_any_model_must_be_replaceable() -> None:
    graded = [*answers("base", 380), *answers("a", 378), *answers("b", 200)]
    analysis = analyse(graded, "base", 0.05)
    assert decide(spec(), analysis).by_model == {"a": True, "b": False}
    assert not decide(spec(), analysis).passed
    assert decide(spec(require="any"), analysis).passed


def test_the_best_prompt_of_a_model_counts() -> None:
    graded = [*answers("base", 380, "x"), *answers("base", 380, "y"), *answers("a", 378, "x"), *answers("a", 10, "y")]
    one = spec(models=[{"model": "a"}], prompts=[{"name": "x", "text": "x"}, {"name": "y", "text": "y"}])
    assert decide(one, analyse(graded, "base", 0.05)).passed


def test_the_rate_rule_reads_the_lower_limit() -> None:
    analysis = analyse(answers("a", 200), None, 0.05)
    one = {"models": [{"model": "a"}], "baseline": None, "rule": "not_worse_than_rate"}
    assert decide(spec(**one, min_rate=0.44), analysis).passed
    assert not decide(spec(**one, min_rate=0.5), analysis).passed


def test_what_passes_only_without_its_failures_has_not_passed() -> None:
    failed = [
        Answer(contestant="a", prompt="prompt 1", case_id=str(n), error="too long for its context")
        for n in range(300, 400)
    ]
    graded = [*answers("base", 400), *answers("a", 400)[:300], *failed]
    analysis = analyse(graded, "base", 0.05)
    assert analysis.comparisons[0].verdict.outcome == "replaceable"
    assert not decide(spec(models=[{"model": "a"}]), analysis).passed
    rates = {"models": [{"model": "a"}], "baseline": None, "rule": "not_worse_than_rate"}
    assert not decide(spec(**rates, min_rate=0.9), analysis).passed
    assert decide(spec(**rates, min_rate=0.7), analysis).passed


@pytest.mark.parametrize("price", [None, 2.0])
def test_estimate_counts_remote_prompts_only(price: float | None) -> None:
    prices = Prices(input=price, output=price) if price else None

    def info(model_id: str) -> ModelInfo:
        return ModelInfo(id=model_id, name=model_id, provider="p", remote=model_id == "base", prices=prices)

    estimate = estimate_run(spec(repeats=2), info)
    assert (estimate.answers, estimate.remote_answers) == (2_400, 800)
    assert estimate.remote_tokens == 800 * (10 + 8 + 4_096)
    assert estimate.usd == (None if price is None else pytest.approx(estimate.remote_tokens * 2e-6))
    assert estimate.cases_needed > 371
    assert estimate.limited_to == ()
    thinks = [{"model": "a"}, {"model": "base", "label": "thinks", "reasoning": {"effort": "high"}}]
    assert estimate_run(spec(models=thinks, budget={"usd": 1}), info).limited_to == (4_096, 32_000)


def test_judges_on_other_machines_are_estimated() -> None:
    def info(model_id: str) -> ModelInfo:
        prices = Prices(input=1.0, output=1.0)
        return ModelInfo(id=model_id, name=model_id, provider="p", remote=model_id == "judge", prices=prices)

    alone = estimate_run(spec(), info)
    judged = estimate_run(spec(graders=[{"grader": "judge", "options": {"model": "judge"}}]), info)
    assert (alone.judgements, judged.judgements) == (0, 3 * 400)
    assert judged.usd == pytest.approx(judged.remote_tokens * 1e-6)
    pairs = estimate_run(spec(graders=[{"grader": "pairwise", "options": {"model": "judge"}}]), info)
    assert pairs.judgements == 2 * 2 * 400
    local = estimate_run(spec(graders=[{"grader": "judge", "options": {"model": "here"}}]), info)
    assert local.judgements == 0
