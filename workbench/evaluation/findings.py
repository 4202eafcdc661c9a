"""What an evaluation found besides its verdicts, in sentences for the window and the report."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.core.models import ModelInfo
from workbench.evaluation.analysis import Analysis, ArmSummary, Comparison, smallest_passing
from workbench.evaluation.answers import Answer
from workbench.evaluation.model_graders import same_vendor_warnings
from workbench.evaluation.spec import EvalSpec
from workbench.evaluation.verdict import Outcome, percent_of
from workbench.services.conditions import Side, check_conditions
from workbench.store import EvaluationRow, Store

CASES_LOOKED_AT = 25
"""Cases whose runs are compared for the same-conditions check."""
MOST_CONDITIONS = 8
OUTCOME_WORDS = {
    Outcome.REPLACEABLE: "can replace",
    Outcome.NOT_REPLACEABLE: "can't replace",
    Outcome.NOT_ENOUGH_EVIDENCE: "not enough evidence",
}


def explanation(comparison: Comparison) -> str:
    """How to read the picture, for someone who knows no statistics."""
    verdict = comparison.verdict
    candidate, baseline = comparison.candidate[0], comparison.baseline[0]
    confidence, count = percent_of(verdict.difference.confidence), comparison.together
    said = []  # sentence by sentence, which is how they are translated
    if verdict.only_candidate or verdict.only_baseline or not comparison.differing:  # else: scores in between
        said.append(
            f"Cases that only {candidate} gets right: {verdict.only_candidate}; that only {baseline} gets right: "
            f"{verdict.only_baseline}."
        )
    said.append(
        f"Had you asked about all work of this kind instead of these {verdict.n} cases, the difference would lie "
        f"somewhere on the bar (with {confidence} confidence)."
    )
    said.append("Right of the dashed line it is no worse than you allowed.")
    if count > 1:
        said.append(f"{count} comparisons are judged together and so each more strictly: chance has more tries.")
    return " ".join(said)


def settling(comparison: Comparison, arms: Sequence[ArmSummary]) -> str:
    """What would settle an open verdict: cases, and what they would take. Empty where it is settled."""
    verdict = comparison.verdict
    if verdict.outcome is not Outcome.NOT_ENOUGH_EVIDENCE:
        return ""
    if verdict.more_cases is None:
        return (
            "What would settle it: hardly more cases. The difference seen lies almost on your margin; only a margin "
            "chosen anew, for new cases, would give another answer."
        )
    more = f"{verdict.more_cases:,}"
    said = [f"What would settle it: about {more} more cases like these, if the difference stays as it is."]
    both = [arm for arm in arms if (arm.contestant, arm.prompt) in (comparison.candidate, comparison.baseline)]
    usd = sum(arm.cost_per_1000_usd or 0.0 for arm in both if arm.remote) * verdict.more_cases / 1000
    minutes = sum(arm.seconds_for_each or 0.0 for arm in both if not arm.remote) * verdict.more_cases / 60
    if usd:
        said.append(f"They would cost about ${usd:,.2f}.")
    if minutes >= 1:
        said.append(f"They would take this machine about {minutes:,.0f} minutes.")
    return " ".join(said)


def best_first(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """What can replace before what may and what can't; within, the better one first."""
    order = [Outcome.REPLACEABLE, Outcome.NOT_ENOUGH_EVIDENCE, Outcome.NOT_REPLACEABLE]
    return sorted(comparisons, key=lambda c: (order.index(c.verdict.outcome), -c.verdict.difference.estimate))


def comparison_warnings(comparison: Comparison, arms: Sequence[ArmSummary]) -> list[str]:
    warnings = []
    if comparison.left_out:
        warnings.append(f"{comparison.left_out} cases are left out: one side has no graded answer.")
    if comparison.if_errors_were_wrong is not comparison.verdict.outcome:
        words = OUTCOME_WORDS[comparison.if_errors_were_wrong]
        warnings.append(f"Had failed answers been counted as wrong, the verdict would be: {words}.")
    sides = [arm for arm in arms if (arm.contestant, arm.prompt) in (comparison.candidate, comparison.baseline)]
    warnings += [
        f"Answers of {arm.contestant} that its token limit cut off: {arm.truncated}. They may be graded worse for it."
        for arm in sides
        if arm.truncated
    ]
    return warnings


def smallest(analysis: Analysis) -> str:
    """The smallest local file that passes, among several; empty where there is no such question."""
    arm = smallest_passing(analysis)
    local = {a.file_bytes for a in analysis.arms if a.file_bytes and not a.remote}
    if arm is None:
        if len(local) < 2 or not analysis.comparisons:
            return ""
        return f"None of the {len(local)} files tried can replace the baseline by this evidence."
    file = f"{arm.quantization} {size_text(arm.file_bytes or 0)}".strip()
    return f"The smallest that passes: {arm.contestant} ({file})."


def size_text(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def left_the_machine(arms: Sequence[ArmSummary], judges: Sequence[tuple[str, bool, int]] = ()) -> list[str]:
    """Which prompts left this machine, and to whom. `judges`: (model, remote, how many questions)."""
    sent: dict[str, int] = {}
    for arm in arms:
        if arm.remote and not arm.recorded:
            name = arm.model or arm.contestant
            sent[name] = sent.get(name, 0) + arm.answered + arm.errors - arm.reused
    lines = [f"{count:,} prompts were sent to {model}." for model, count in sorted(sent.items()) if count]
    lines += [
        f"{count:,} questions went to the judge {model}, with cases and answers in them."
        for model, remote, count in judges
        if remote
    ]
    return lines or ["Nothing: no prompt of this evaluation was sent to another machine."]


def outcomes_of(analysis: Analysis) -> dict[str, str]:
    """The outcome of each candidate, for lists."""
    return {" · ".join(c.candidate): c.verdict.outcome.value for c in analysis.comparisons}


def unjudged(arms: Sequence[ArmSummary]) -> int:
    return sum(arm.unjudged for arm in arms)


def conditions_of(store: Store, row: EvaluationRow, spec: EvalSpec, answers: Sequence[Answer]) -> list[str]:
    """In what else than the model the contestants differed, over some of the cases, and judges that are no strangers
    to a contestant. Raises StoreError."""
    arms = list(dict.fromkeys(answer.arm for answer in answers if not answer.recorded))
    by_place = {(answer.arm, answer.case_id): answer for answer in answers if answer.run_id and not answer.repeat}
    found: dict[str, None] = {}
    for case in spec.selected_cases()[:CASES_LOOKED_AT]:
        sides = []
        for arm in arms:
            answer = by_place.get((arm, case.id))
            run = store.run(answer.run_id) if answer is not None else None
            if run is not None:
                title = arm[0] if len(spec.prompts) == 1 else f"{arm[0]} ({arm[1]})"
                sides.append(Side(title=title, run=run))
        found.update(dict.fromkeys(difference.message for difference in check_conditions(sides)))
    return [*_judge_warnings(spec, store.judges_asked(row.id)), *list(found)[:MOST_CONDITIONS]]


def _judge_warnings(spec: EvalSpec, judges: Sequence[tuple[str, bool, int]]) -> list[str]:
    contestants = [_info(model.model) for model in (*spec.models, spec.baseline) if model and model.model]
    return [line for judge, _remote, _count in judges for line in same_vendor_warnings(_info(judge), contestants)]


def _info(model_id: str) -> ModelInfo:
    return ModelInfo(id=model_id, name=model_id.partition(":")[2] or model_id, provider=model_id.partition(":")[0])
