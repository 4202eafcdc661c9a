"""The report as one self-contained HTML file, readable without knowing statistics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from workbench import __version__
from workbench.core.paths import bundled
from workbench.evaluation.analysis import Analysis, ArmSummary, Comparison
from workbench.evaluation.answers import Answer
from workbench.evaluation.break_even import BreakEven
from workbench.evaluation.cases import TestCase
from workbench.evaluation.spec import EvalSpec
from workbench.evaluation.verdict import Outcome, sentence

MAX_DIFFERING = 50
MAX_TEXT = 4_000


def html_report(
    spec: EvalSpec,
    analysis: Analysis,
    answers: Sequence[Answer],
    *,
    conditions: Sequence[str] = (),
    money: Sequence[BreakEven] = (),
    created: datetime | None = None,
) -> str:
    """All text of models and files is escaped; nothing is fetched, no script runs."""
    from jinja2 import Environment, FileSystemLoader  # noqa: PLC0415  only reports need it
    from markupsafe import Markup  # noqa: PLC0415

    environment = Environment(loader=FileSystemLoader(bundled("resources") / "report"), autoescape=True)
    comparisons = [_comparison(spec, c, answers) for c in analysis.comparisons]
    for shown, comparison in zip(comparisons, analysis.comparisons, strict=True):
        shown["picture"] = Markup(interval_svg(comparison))
    return environment.get_template("report.html.j2").render(
        spec=spec,
        n_cases=len(spec.selected_cases()),
        created=(created or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC"),
        comparisons=comparisons,
        arms=[_arm(arm) for arm in analysis.arms],
        money=[money_line(item) for item in money],
        ledger=_ledger(answers),
        conditions=list(conditions),
        limits=limits_of(spec, analysis),
        version=__version__,
    )


def interval_svg(comparison: Comparison) -> str:
    """The interval of the difference against the margin, on a scale of points."""
    verdict = comparison.verdict
    interval, margin = verdict.difference, verdict.margin * 100
    low, estimate, high = interval.low * 100, interval.estimate * 100, interval.high * 100
    span = max(abs(low), abs(high), margin) * 1.25
    width, left = 720, 20

    def x(points: float) -> float:
        return round(left + (points + span) / (2 * span) * (width - 2 * left), 1)

    colour = {Outcome.REPLACEABLE: "good", Outcome.NOT_REPLACEABLE: "bad"}.get(verdict.outcome, "open")
    label = f"Difference {estimate:+.1f} points, interval {low:+.1f} to {high:+.1f}, margin {-margin:g}"
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {width} 84" width="100%">'
        f'<rect x="{x(-span)}" y="14" width="{x(-margin) - x(-span):.1f}" height="40" fill="var(--bad-bg)"/>'
        f'<line x1="{x(0)}" y1="10" x2="{x(0)}" y2="58" stroke="var(--line)" stroke-width="2"/>'
        f'<line x1="{x(-margin)}" y1="10" x2="{x(-margin)}" y2="58" stroke="var(--bad)" stroke-width="2" '
        'stroke-dasharray="4 3"/>'
        f'<line x1="{x(low)}" y1="34" x2="{x(high)}" y2="34" stroke="var(--{colour})" stroke-width="6" '
        'stroke-linecap="round"/>'
        f'<circle cx="{x(estimate)}" cy="34" r="7" fill="var(--{colour})"/>'
        f'<text x="{x(-margin) - 4:.1f}" y="76" text-anchor="end">margin −{margin:g}</text>'
        f'<text x="{x(0) + 4:.1f}" y="76">equal</text>'
        f'<text x="{width - left}" y="76" text-anchor="end">candidate better →</text></svg>'
    )


def _comparison(spec: EvalSpec, comparison: Comparison, answers: Sequence[Answer]) -> dict[str, Any]:
    verdict = comparison.verdict
    candidate, baseline = comparison.candidate[0], comparison.baseline[0]
    warnings = []
    if comparison.left_out:
        warnings.append(f"{comparison.left_out} cases are left out: one side gave no valid answer.")
    if comparison.if_errors_were_wrong is not verdict.outcome:
        words = comparison.if_errors_were_wrong.value.replace("_", " ")
        warnings.append(f"Had failed answers been counted as wrong, the verdict would be: {words}.")
    explanation = (
        f"{verdict.only_candidate} cases only {candidate} gets right, {verdict.only_baseline} only {baseline}. "
        f"The bar is where the true difference lies with {verdict.difference.confidence:.0%} confidence; to the right "
        "of the dashed line it is within the margin."
    )
    shown = comparison.differing[:MAX_DIFFERING]
    return {
        "candidate": candidate,
        "baseline": baseline,
        "outcome": verdict.outcome.value,
        "sentence": sentence(verdict, candidate, baseline),
        "explanation": explanation,
        "warnings": warnings,
        "cases": [_case(spec, case, comparison, answers) for case in shown],
        "cases_note": f"{len(comparison.differing)} cases differ"
        + (f"; the first {MAX_DIFFERING} are shown." if len(comparison.differing) > MAX_DIFFERING else "."),
    }


def _case(spec: EvalSpec, case_id: str, comparison: Comparison, answers: Sequence[Answer]) -> dict[str, Any]:
    case = next((c for c in spec.cases if c.id == case_id), TestCase(id=case_id))
    sides = []
    for arm in (comparison.candidate, comparison.baseline):
        answer = next((a for a in answers if a.arm == arm and a.case_id == case_id and a.score is not None), None)
        if answer is not None:
            reason = "; ".join(grade.reason for grade in answer.grades if grade.reason)
            sides.append(
                {
                    "name": arm[0],
                    "text": _cut(answer.text),
                    "score": f"score {answer.score:.2f}",
                    "reason": _cut(reason),
                }
            )
    return {
        "title": f"{case_id}: {' '.join(case.text.split())[:90]}",
        "input": _cut(case.text),
        "expected": "" if case.expected is None else _cut(str(case.expected)),
        "sides": sides,
    }


def _arm(arm: ArmSummary) -> dict[str, Any]:
    rate = arm.rate
    if arm.recorded:
        place = "recorded earlier"
    else:
        place = "left this machine" if arm.remote else "this machine"
    return {
        "name": arm.contestant,
        "prompt": arm.prompt,
        "rate": "–" if math.isnan(rate.estimate) else f"{rate.estimate * 100:.1f} %",
        "interval": f"{max(0.0, rate.low) * 100:.1f} – {min(1.0, rate.high) * 100:.1f} %",
        "answered": arm.answered,
        "errors": arm.errors,
        "median": _seconds(arm.latency_median_s),
        "p95": _seconds(arm.latency_p95_s),
        "speed": "–" if arm.tokens_per_s is None else f"{arm.tokens_per_s:.1f}",
        "cost": "unknown" if arm.cost_per_1000_usd is None else f"${arm.cost_per_1000_usd:.2f}",
        "place": place,
    }


def money_line(item: BreakEven) -> str:
    """What a month costs there and here, in a sentence or two."""
    api = "unknown" if item.api_usd_per_month is None else f"${item.api_usd_per_month:,.2f}"
    line = (
        f"{item.cases_per_month:,} cases a month: {api} on the API, ${item.local_usd_per_month:,.2f} of power here "
        f"({item.local_hours_per_month:,.1f} hours of work)."
    )
    if not item.fits_in_a_month:
        return line + " One such machine would not get it done in a month."
    if item.months_until_paid:
        return line + f" The machine is paid off after {item.months_until_paid:.1f} months."
    return line


def _ledger(answers: Sequence[Answer]) -> list[str]:
    sent: dict[str, int] = {}
    for answer in answers:
        if answer.remote and not answer.reused and not answer.recorded:
            sent[answer.model or answer.contestant] = sent.get(answer.model or answer.contestant, 0) + 1
    if not sent:
        return ["Nothing: no prompt of this evaluation was sent to another machine."]
    return [f"{count} prompts were sent to {model}." for model, count in sorted(sent.items())]


def limits_of(spec: EvalSpec, analysis: Analysis) -> list[str]:
    """What the reader should keep in mind, in plain sentences."""
    limits = [
        "It speaks of these cases and of work like them; other work may turn out differently.",
        "It is only as good as the graders: an answer they misjudge is misjudged here.",
    ]
    if any(arm.recorded for arm in analysis.arms):
        limits.append("Recorded answers are from their day; the service may answer differently now.")
    if any(arm.remote for arm in analysis.arms):
        limits.append("A closed service can change without notice; repeat the run to see whether it did.")
    if len(analysis.comparisons) > 1:
        limits.append(f"{len(analysis.comparisons)} comparisons were made; one in twenty may mislead by chance alone.")
    if any(case.sealed for case in spec.cases) and spec.part != "sealed":
        limits.append("Cases used while tuning flatter the candidate; the sealed part is the honest test.")
    return limits


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} s"


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + " …"
