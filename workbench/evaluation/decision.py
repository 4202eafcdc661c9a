"""What an evaluation decides by its own rule, and what it will take before it starts."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from workbench.core.cost import cost_usd
from workbench.core.errors import WorkbenchError
from workbench.core.models import ModelInfo
from workbench.evaluation.analysis import Analysis
from workbench.evaluation.budget import estimate
from workbench.evaluation.prompts import build_request
from workbench.evaluation.spec import EvalSpec, ModelSpec
from workbench.evaluation.verdict import Outcome, cases_needed


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    passed: bool
    by_model: dict[str, bool]


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """Before the start. Rather too much than too little, without what the log may answer."""

    answers: int
    remote_answers: int
    remote_tokens: int
    usd: float | None
    """None where a price is unknown."""
    cases: int
    cases_needed: int
    """For the margin, at 80 % power, if 15 % of the cases turn out differently and both are equally good."""


def decide(spec: EvalSpec, analysis: Analysis) -> Decision:
    """`replaceable`: the verdict says so. `not_worse_than_rate`: the rate's lower limit reaches `min_rate`."""
    by_model = {}
    for model in spec.models:
        if spec.rule == "replaceable":
            good = [
                comparison.verdict.outcome is Outcome.REPLACEABLE
                for comparison in analysis.comparisons
                if comparison.candidate[0] == model.name
            ]
        else:
            good = [
                arm.rate.low >= spec.min_rate for arm in analysis.arms if arm.contestant == model.name and arm.answered
            ]
        by_model[model.name] = any(good)
    combine = all if spec.require == "all" else any
    return Decision(passed=combine(by_model.values()), by_model=by_model)


def estimate_run(spec: EvalSpec, info: Callable[[str], ModelInfo]) -> Estimate:
    """`info` gives a model by its id; it raises UnknownModel."""
    contestants = [*spec.models, *([spec.baseline] if spec.baseline else [])]
    live = [contestant for contestant in contestants if contestant.model]
    remote = [contestant for contestant in live if info(contestant.model).remote]
    cases, rounds = spec.selected_cases(), spec.repeats * len(spec.prompts)
    tokens, usd = 0, 0.0
    known = True
    for contestant in remote:
        its_tokens, its_usd = _of_contestant(spec, contestant, info(contestant.model))
        tokens += its_tokens
        known = known and its_usd is not None
        usd += its_usd or 0.0
    return Estimate(
        answers=len(live) * len(cases) * rounds,
        remote_answers=len(remote) * len(cases) * rounds,
        remote_tokens=tokens,
        usd=usd if known else None,
        cases=len(cases),
        cases_needed=cases_needed(spec.margin / 100),
    )


def _of_contestant(spec: EvalSpec, contestant: ModelSpec, info: ModelInfo) -> tuple[int, float | None]:
    tokens, usd = 0, 0.0
    known = True
    for case in spec.selected_cases():
        for prompt in spec.prompts:
            try:
                request = build_request(contestant, prompt, case, seed=None)
            except WorkbenchError:
                continue  # told as this case's error when it runs
            usage = estimate(request)
            cost = cost_usd(info.prices, usage)
            known = known and cost is not None
            usd += (cost or 0.0) * spec.repeats
            tokens += ((usage.prompt_tokens or 0) + (usage.completion_tokens or 0)) * spec.repeats
    return tokens, usd if known else None
