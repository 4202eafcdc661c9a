"""What an evaluation decides by its own rule, and what it will take before it starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from workbench.core.cost import cost_usd
from workbench.core.errors import WorkbenchError
from workbench.core.events import Usage
from workbench.core.models import ModelInfo
from workbench.evaluation.analysis import PAIRWISE, Analysis
from workbench.evaluation.budget import UNKNOWN_ANSWER_TOKENS, answer_room, estimate, limits_answers, text_tokens
from workbench.evaluation.model_graders import JUDGE_SYSTEM, JUDGE_TOKENS, RUBRIC_PROMPT
from workbench.evaluation.prompts import build_request
from workbench.evaluation.spec import EvalSpec, GraderSpec, ModelSpec
from workbench.evaluation.verdict import Outcome, cases_needed

JUDGES = ("judge", PAIRWISE)


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    passed: bool
    by_model: dict[str, bool]


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """Before the start. Rather too much than too little, without what the log may answer."""

    answers: int
    remote_answers: int
    judgements: int = 0
    """Questions to judges on other machines; a pair is asked twice."""
    remote_tokens: int
    usd: float | None
    """None where a price is unknown."""
    cases: int
    cases_needed: int
    """For the margin, at 80 % power, if 15 % of the cases turn out differently and both are equally good."""
    limited_to: tuple[int, ...] = ()
    """The token limits that answers without one get, so that the budget holds, smallest first."""


def decide(spec: EvalSpec, analysis: Analysis) -> Decision:
    """`replaceable`: the verdict says so. `not_worse_than_rate`: the rate's lower limit reaches `min_rate`. Neither
    passes where it would not, had failed answers been wrong: what passes only without its failures has not passed."""
    by_model = {}
    for model in spec.models:
        if spec.rule == "replaceable":
            good = [
                comparison.verdict.outcome is comparison.if_errors_were_wrong is Outcome.REPLACEABLE
                for comparison in analysis.comparisons
                if comparison.candidate[0] == model.name
            ]
        else:
            good = [
                min(arm.rate.low, (arm.rate_if_errors_were_wrong or arm.rate).low) >= spec.min_rate
                for arm in analysis.arms
                if arm.contestant == model.name and arm.answered
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
    judgements = 0
    for grader in spec.graders:
        asked, its_tokens, its_usd = _of_judge(spec, grader, info)
        judgements += asked
        tokens += its_tokens
        known = known and (its_usd is not None or not asked)
        usd += its_usd or 0.0
    return Estimate(
        judgements=judgements,
        answers=len(live) * len(cases) * rounds,
        remote_answers=len(remote) * len(cases) * rounds,
        remote_tokens=tokens,
        usd=usd if known else None,
        cases=len(cases),
        cases_needed=cases_needed(spec.margin / 100),
        limited_to=limits_set(spec, remote),
    )


def limits_set(spec: EvalSpec, contestants: Iterable[ModelSpec]) -> tuple[int, ...]:
    """The token limits that the budget puts on answers of these models on other machines, smallest first."""
    if not limits_answers(spec.budget):
        return ()
    unlimited = [contestant for contestant in contestants if contestant.sampling.max_tokens is None]
    return tuple(sorted({answer_room(contestant.reasoning) for contestant in unlimited}))


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


def _of_judge(spec: EvalSpec, grader: GraderSpec, info: Callable[[str], ModelInfo]) -> tuple[int, int, float | None]:
    """(questions, tokens, dollars) of a judge on another machine."""
    model_id = str(grader.options.get("model", ""))
    if grader.grader not in JUDGES or not model_id or not info(model_id).remote:
        return 0, 0, 0.0
    judge, pairs = info(model_id), grader.grader == PAIRWISE
    judged = len(spec.models) if pairs or spec.baseline is None else len(spec.models) + 1
    questions = judged * spec.repeats * len(spec.prompts) * (2 if pairs else 1)
    limits = [model.sampling.max_tokens or UNKNOWN_ANSWER_TOKENS for model in spec.models]
    answer = max(limits) * (2 if pairs else 1)
    tokens, usd, known = 0, 0.0, True
    for case in spec.selected_cases():
        question = text_tokens(RUBRIC_PROMPT + JUDGE_SYSTEM + case.text + str(case.expected or ""))
        usage = Usage(
            prompt_tokens=question + answer,
            completion_tokens=int(grader.options.get("max_tokens", JUDGE_TOKENS)),
        )
        cost = cost_usd(judge.prices, usage)
        known = known and cost is not None
        usd += (cost or 0.0) * questions
        tokens += ((usage.prompt_tokens or 0) + (usage.completion_tokens or 0)) * questions
    return questions * len(spec.selected_cases()), tokens, usd if known else None
