"""The report as one self-contained HTML file, readable without knowing statistics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from workbench import __version__
from workbench.core.paths import bundled
from workbench.core.tr import language, mark, tr, translated, trn
from workbench.evaluation.analysis import Analysis, ArmSummary, Comparison, Slice
from workbench.evaluation.answers import Answer
from workbench.evaluation.break_even import BreakEven
from workbench.evaluation.cases import TestCase
from workbench.evaluation.decision import limits_set
from workbench.evaluation.findings import (
    best_first,
    comparison_warnings,
    explanation,
    left_the_machine,
    settling,
    size_text,
    smallest,
)
from workbench.evaluation.spec import EvalSpec
from workbench.evaluation.verdict import Outcome, detail, headline, signed

OUTCOME_TITLES = {
    Outcome.REPLACEABLE: mark("Can replace"),
    Outcome.NOT_REPLACEABLE: mark("Can't replace"),
    Outcome.NOT_ENOUGH_EVIDENCE: mark("Not enough evidence"),
}
MAX_DIFFERING = 50
MAX_TEXT = 4_000


def html_report(
    spec: EvalSpec,
    analysis: Analysis,
    answers: Sequence[Answer],
    *,
    conditions: Sequence[str] = (),
    judges: Sequence[tuple[str, bool, int]] = (),
    money: Sequence[tuple[str, BreakEven]] = (),
    created: datetime | None = None,
) -> str:
    """All text of models and files is escaped; nothing is fetched, no script runs. `judges`: (model, remote, how many
    questions); `money`: (model, what it costs). In the language in use: the window's, and English on the command line;
    numbers, times and dates are written as in English."""
    from jinja2 import Environment, FileSystemLoader  # noqa: PLC0415  only reports need it
    from markupsafe import Markup  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(bundled("resources") / "report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["_"] = tr
    ordered = best_first(analysis.comparisons)
    comparisons = [_comparison(spec, c, analysis, answers) for c in ordered]
    for shown, comparison in zip(comparisons, ordered, strict=True):
        shown["picture"] = Markup(interval_svg(comparison))
    return environment.get_template("report.html.j2").render(
        language=language().replace("_", "-"),
        spec=spec,
        facts=_facts(spec),
        created=(created or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC"),
        comparisons=comparisons,
        arms=[{**_arm(arm), "bar": Markup(rate_svg(arm))} for arm in analysis.arms],
        smallest=translated(smallest(analysis)),
        money=[(name, translated(money_line(item))) for name, item in money],
        ledger=_all_translated(left_the_machine(analysis.arms, judges)),
        conditions=_all_translated(conditions),
        limits=_all_translated(limits_of(spec, analysis)),
        version=__version__,
    )


def _all_translated(lines: Sequence[str]) -> list[str]:
    return [translated(line) for line in lines]


def _facts(spec: EvalSpec) -> list[str]:
    """How it was set up, in a few words each."""
    facts = [trn("{count} case", "{count} cases", len(spec.selected_cases()))]
    if spec.repeats > 1:
        facts.append(trn("{count} answer to each", "{count} answers to each", spec.repeats))
    if spec.baseline:
        facts.append(tr("margin {points} points of 100, fixed beforehand", points=f"{spec.margin:g}"))
    if spec.part != "all":
        facts.append(tr("sealed part only") if spec.part == "sealed" else tr("working part only"))
    facts.append(tr("graded by {names}", names=", ".join(grader.grader for grader in spec.graders)))
    return facts


def interval_svg(comparison: Comparison) -> str:
    """The interval of the difference against the margin, on a scale of points."""
    verdict = comparison.verdict
    interval, margin = verdict.difference, verdict.margin * 100
    low, estimate, high = interval.low * 100, interval.estimate * 100, interval.high * 100
    left_end, right_end = scale_of(low, high, margin)
    width, side = 720, 16

    def x(points: float) -> float:
        return round(side + (points - left_end) / (right_end - left_end) * (width - 2 * side), 1)

    colour = {Outcome.REPLACEABLE: "good", Outcome.NOT_REPLACEABLE: "bad"}.get(verdict.outcome, "open")
    label = escape(
        tr(
            "Difference {estimate} points, interval {low} to {high}, margin {margin}",
            estimate=f"{estimate:+.1f}",
            low=f"{low:+.1f}",
            high=f"{high:+.1f}",
            margin=f"{-margin:g}",
        )
    )
    points, bound = (
        escape(tr("{points} points", points=signed(estimate))),
        escape(tr("your margin −{margin}", margin=f"{margin:g}")),
    )
    equal, worse, better = (
        escape(text) for text in (tr("equal"), tr("← worse than the baseline"), tr("better than the baseline →"))
    )
    near = x(0) - x(-margin) < 70
    equal_at, equal_anchor = (x(0) + 4, "start") if near else (x(0), "middle")
    mark_at, mark_anchor = (x(-margin) - 4, "end") if near else (x(-margin), "middle")
    estimate_at = min(max(x(estimate), 40), width - 40)
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {width} 106" width="100%">'
        f'<rect x="{side}" y="22" width="{x(-margin) - side:.1f}" height="34" rx="5" fill="var(--bad-bg)"/>'
        f'<rect x="{x(-margin)}" y="22" width="{width - side - x(-margin):.1f}" height="34" rx="5" '
        'fill="var(--good-bg)"/>'
        f'<line x1="{x(0)}" y1="18" x2="{x(0)}" y2="60" stroke="var(--muted)"/>'
        f'<line x1="{x(-margin)}" y1="18" x2="{x(-margin)}" y2="60" stroke="var(--bad)" stroke-width="2" '
        'stroke-dasharray="5 4"/>'
        f'<line x1="{x(low)}" y1="39" x2="{x(high)}" y2="39" stroke="var(--{colour})" stroke-width="6" '
        'stroke-linecap="round"/>'
        f'<circle cx="{x(estimate)}" cy="39" r="7.5" fill="var(--{colour})" stroke="var(--panel)" stroke-width="2"/>'
        f'<text class="strong" x="{estimate_at}" y="13" text-anchor="middle">{points}</text>'
        f'<text class="bad" x="{mark_at:.1f}" y="76" text-anchor="{mark_anchor}">{bound}</text>'
        f'<text x="{equal_at:.1f}" y="76" text-anchor="{equal_anchor}">{equal}</text>'
        f'<text x="{side}" y="98">{worse}</text>'
        f'<text x="{width - side}" y="98" text-anchor="end">{better}</text></svg>'
    )


def scale_of(low: float, high: float, margin: float) -> tuple[float, float]:
    """The ends of the picture's scale in points: the interval, the margin and zero, with some air, within ±105."""
    ends = min(low, -margin, 0.0), max(high, margin / 2, 0.0)
    air = max(0.12 * (ends[1] - ends[0]), margin * 0.4)
    return max(ends[0] - air, -105.0), min(ends[1] + air, 105.0)


def rate_svg(arm: ArmSummary) -> str:
    """A score with its interval between 0 and 100."""
    rate = arm.rate
    if math.isnan(rate.estimate):
        return ""
    low, estimate, high = (max(0.0, min(1.0, value)) * 140 + 4 for value in (rate.low, rate.estimate, rate.high))
    return (
        '<svg class="rate" aria-hidden="true" viewBox="0 0 148 16" width="148" height="16">'
        '<line x1="4" y1="8" x2="144" y2="8" stroke="var(--line)" stroke-width="4" stroke-linecap="round"/>'
        f'<line x1="{low:.1f}" y1="8" x2="{high:.1f}" y2="8" stroke="var(--accent)" stroke-opacity=".55" '
        'stroke-width="4" stroke-linecap="round"/>'
        f'<circle cx="{estimate:.1f}" cy="8" r="4" fill="var(--accent)"/></svg>'
    )


def _comparison(
    spec: EvalSpec, comparison: Comparison, analysis: Analysis, answers: Sequence[Answer]
) -> dict[str, Any]:
    verdict = comparison.verdict
    candidate, baseline = comparison.candidate[0], comparison.baseline[0]
    shown = comparison.differing[:MAX_DIFFERING]
    return {
        "candidate": candidate,
        "baseline": baseline,
        "outcome": verdict.outcome.value,
        "badge": tr(OUTCOME_TITLES[verdict.outcome]),
        "prompt": comparison.candidate[1] if len(spec.prompts) > 1 else "",
        "headline": translated(headline(verdict, candidate, baseline)),
        "detail": translated(detail(verdict, candidate, baseline)),
        "explanation": translated(explanation(comparison)),
        "settling": translated(settling(comparison, analysis.arms)),
        "method": verdict.difference.method,
        "p": None if verdict.p_value is None else f"{verdict.p_value:.2g}",
        "warnings": _all_translated(comparison_warnings(comparison, analysis.arms)),
        "slices": [_slice(item, verdict.margin) for item in comparison.slices],
        "cases": [_case(spec, case, comparison, answers) for case in shown],
        "cases_note": _differing_note(len(comparison.differing)),
    }


def _differing_note(count: int) -> str:
    note = trn("{count} case differs.", "{count} cases differ.", count)
    return f"{note} {tr('The first {count} are shown.', count=MAX_DIFFERING)}" if count > MAX_DIFFERING else note


def _slice(item: Slice, margin: float) -> dict[str, Any]:
    interval = item.difference
    tone = "good" if interval.low > -margin else "bad" if interval.high < -margin else "open"
    return {
        "tag": item.tag,
        "n": item.n,
        "difference": signed(interval.estimate * 100),
        "interval": tr("{low} to {high}", low=signed(interval.low * 100), high=signed(interval.high * 100)),
        "tone": tone,
    }


def _case(spec: EvalSpec, case_id: str, comparison: Comparison, answers: Sequence[Answer]) -> dict[str, Any]:
    case = next((c for c in spec.cases if c.id == case_id), TestCase(id=case_id))
    sides = []
    for arm in (comparison.candidate, comparison.baseline):
        answer = next((a for a in answers if a.arm == arm and a.case_id == case_id and not a.error), None)
        if answer is not None:
            reason = "; ".join(grade.reason for grade in answer.grades if grade.reason)
            sides.append(
                {
                    "name": arm[0],
                    "text": _cut(answer.text),
                    "score": "" if answer.score is None else tr("score {score}", score=f"{answer.score:.2f}"),
                    "reason": _cut(translated(reason)),
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
        place = tr("recorded earlier")
    else:
        place = tr("left this machine") if arm.remote else tr("this machine")
    return {
        "name": arm.contestant,
        "prompt": arm.prompt,
        "rate": "–" if math.isnan(rate.estimate) else f"{rate.estimate * 100:.1f} %",
        "interval": f"{max(0.0, rate.low) * 100:.1f} – {min(1.0, rate.high) * 100:.1f} %",
        "answered": arm.answered,
        "errors": arm.errors,
        "median": _seconds(arm.latency_median_s),
        "p95": _seconds(arm.latency_p95_s),
        "file": f"{arm.quantization} {size_text(arm.file_bytes)}".strip() if arm.file_bytes else "",
        "speed": "–" if arm.tokens_per_s is None else f"{arm.tokens_per_s:.1f}",
        "cost": tr("unknown") if arm.cost_per_1000_usd is None else f"${arm.cost_per_1000_usd:.2f}",
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
        more = "One such machine would not get it done in a month."
    elif item.months_until_paid:
        more = f"The machine is paid off after {item.months_until_paid:.1f} months."
    else:
        return line
    return f"{line} {more}"


def limits_of(spec: EvalSpec, analysis: Analysis) -> list[str]:
    """What the reader should keep in mind, in plain sentences."""
    limits = [
        "It speaks of these cases and of work like them; other work may turn out differently.",
        "It is only as good as the graders: an answer they misjudge is misjudged here.",
    ]
    if any(arm.recorded for arm in analysis.arms):
        limits.append("Recorded answers are from their day; the service may answer differently now.")
    if any(arm.seconds_for_each is not None and not arm.remote for arm in analysis.arms):
        limits.append("Times on this machine were taken with several answers at once; one alone comes faster.")
    if any(arm.truncated for arm in analysis.arms):
        cut = sum(arm.truncated for arm in analysis.arms)
        limits.append(f"{cut} answers were cut off by their token limit; a larger limit may score otherwise.")
    asked = [arm for arm in analysis.arms if arm.remote and not arm.recorded]
    anew = {arm.contestant for arm in asked if arm.reused < arm.answered + arm.errors}
    contestants = (*spec.models, *([spec.baseline] if spec.baseline else []))
    limits += [
        f"So that the budget holds, answers of models without a token limit of their own were limited to "
        f"{tokens:,} tokens."
        for tokens in limits_set(spec, (model for model in contestants if model.name in anew))
    ]
    if asked:
        limits.append("A closed service can change without notice; repeat the run to see whether it did.")
    if len(analysis.comparisons) > 1:
        limits.append(
            f"{len(analysis.comparisons)} comparisons were judged together (Holm): the chance that any of them calls a "
            "candidate replaceable that is not stays as low as for one."
        )
    if any(case.sealed for case in spec.cases) and spec.part != "sealed":
        limits.append("Cases used while tuning flatter the candidate; the sealed part is the honest test.")
    return limits


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} s"


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + " …"
