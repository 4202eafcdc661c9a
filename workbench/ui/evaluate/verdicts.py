"""The verdicts of an evaluation: sentences, pictures, the table of arms, what it can't know."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QTableWidget, QVBoxLayout, QWidget

from workbench.evaluation.analysis import Analysis, Comparison
from workbench.evaluation.answers import HUMAN
from workbench.evaluation.findings import (
    best_first,
    comparison_warnings,
    explanation,
    left_the_machine,
    settling,
    smallest,
    unjudged,
)
from workbench.evaluation.human import FEW_VOTES, Calibration
from workbench.evaluation.report import limits_of
from workbench.evaluation.spec import EvalSpec
from workbench.evaluation.verdict import Outcome, detail, headline
from workbench.ui.evaluate.arm_table import arm_table
from workbench.ui.evaluate.interval_plot import IntervalPlot, SlicePlot
from workbench.ui.evaluate.parts import card, row, wrapped
from workbench.ui.formats import decimal, percent
from workbench.ui.icons import PushButton
from workbench.ui.theme import Theme
from workbench.ui.tr import mark, tr, translated, trn
from workbench.ui.widgets import clear_layout, label

BADGES = {
    Outcome.REPLACEABLE: ("badgeGood", mark("Can replace")),
    Outcome.NOT_REPLACEABLE: ("badgeBad", mark("Can't replace")),
    Outcome.NOT_ENOUGH_EVIDENCE: ("badgeWarn", mark("Not enough evidence")),
}
LIVE_NOTE = mark("Still running: a verdict that is read while answers come in is no verdict. It is shown at the end.")


@dataclass(frozen=True, slots=True)
class Findings:
    """What stands beside the verdicts."""

    calibrations: Sequence[Calibration] = ()
    conditions: Sequence[str] = ()
    judges: Sequence[tuple[str, bool, int]] = ()


class Verdicts(QWidget):
    """Filled anew by `show_analysis`."""

    judge_wanted = Signal()
    differing_wanted = Signal(object)
    """Comparison: show the cases where its two sides differ."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._shown: tuple[EvalSpec, Analysis, bool, Findings] | None = None
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(12)
        self.arms: QTableWidget | None = None
        self.sentences: list[str] = []
        theme.changed.connect(self._again)

    def clear(self) -> None:
        self._shown, self.sentences, self.arms = None, [], None
        clear_layout(self.column)

    def show_analysis(
        self, spec: EvalSpec, analysis: Analysis, *, live: bool = False, findings: Findings | None = None
    ) -> None:
        """`live`: rates so far, without verdicts: looking early and stopping when it suits breaks the statistics."""
        found = findings or Findings()
        self._shown = (spec, analysis, live, found)
        clear_layout(self.column)
        self.sentences = []
        if live:
            self.column.addWidget(wrapped(tr(LIVE_NOTE), "small"))
        else:
            self._add_verdicts(spec, analysis)
        frame, column = card(tr("All models"))
        self.arms = arm_table(analysis.arms, self._theme)
        column.addWidget(self.arms)
        self.column.addWidget(frame)
        if live:
            return
        for comparison in analysis.comparisons:
            if comparison.slices:
                self.column.addWidget(self._slices(comparison))
        if found.calibrations:
            self.column.addWidget(_calibration_card(found.calibrations))
        self._add_lines(tr("Left this machine"), left_the_machine(analysis.arms, found.judges))
        if found.conditions:
            self._add_lines(tr("Same conditions?"), found.conditions)
        self._add_lines(tr("What this can't know"), limits_of(spec, analysis))

    def _add_verdicts(self, spec: EvalSpec, analysis: Analysis) -> None:
        waiting = unjudged(analysis.arms)
        if waiting and any(grader.grader == HUMAN for grader in spec.graders):
            frame, column = card()
            column.addWidget(label(tr("Waits for you"), "badgeWarn"), 0, Qt.AlignmentFlag.AlignLeft)
            text = tr("{count} answers wait for your judgement.", count=f"{waiting:,}")
            column.addWidget(wrapped(text, "verdict"))
            self.judge = PushButton(tr("Judge blind"), icon_name="eye-off", primary=True)
            self.judge.clicked.connect(self.judge_wanted)
            column.addLayout(row(self.judge))
            self.column.addWidget(frame)
        for comparison in best_first(analysis.comparisons):
            self.column.addWidget(self._comparison(comparison, analysis))
        if not analysis.comparisons and not waiting:
            self.column.addWidget(self._without(spec, analysis))
        text = smallest(analysis)
        if text:
            frame, column = card()
            column.addWidget(wrapped(translated(text), "verdict"))
            self.column.addWidget(frame)

    def _add_lines(self, title: str, lines: Sequence[str]) -> None:
        frame, column = card(title)
        for line in map(translated, lines):
            column.addWidget(wrapped(line if len(lines) == 1 else f"• {line}", "muted"))
        self.column.addWidget(frame)

    def _slices(self, comparison: Comparison) -> QWidget:
        hint = tr("Differences in points; the bars hold for all tags together. A tag with few cases tells little.")
        frame, column = card(tr("By tag: {name}", name=comparison.candidate[0]), hint)
        column.addWidget(SlicePlot(self._theme, comparison.slices, comparison.verdict.margin))
        return frame

    @Slot()
    def _again(self) -> None:
        if self._shown is not None:
            spec, analysis, live, findings = self._shown
            self.show_analysis(spec, analysis, live=live, findings=findings)

    def _comparison(self, comparison: Comparison, analysis: Analysis) -> QWidget:
        verdict = comparison.verdict
        candidate, baseline = comparison.candidate[0], comparison.baseline[0]
        frame, column = card()
        badge, words = BADGES[verdict.outcome]
        column.addWidget(label(tr(words), badge), 0, Qt.AlignmentFlag.AlignLeft)
        said = translated(headline(verdict, candidate, baseline)), translated(detail(verdict, candidate, baseline))
        text = " ".join(said)
        self.sentences.append(text)
        column.addWidget(wrapped(said[0], "verdict"))
        column.addWidget(wrapped(said[1]))
        column.addWidget(IntervalPlot(self._theme, verdict))
        column.addWidget(wrapped(translated(explanation(comparison)), "small"))
        more = settling(comparison, analysis.arms)
        if more:
            column.addWidget(wrapped(translated(more)))
        for warning in comparison_warnings(comparison, analysis.arms):
            column.addWidget(wrapped(translated(warning), "warn"))
        if comparison.differing:
            count = len(comparison.differing)
            see = PushButton(trn("See the case that differs", "See the {count} cases that differ", count))
            see.clicked.connect(lambda: self.differing_wanted.emit(comparison))
            column.addLayout(row(see))
        frame.setAccessibleName(text)
        return frame

    def _without(self, spec: EvalSpec, analysis: Analysis) -> QWidget:
        frame, column = card()
        text = (
            tr("No baseline was named, so there is nothing to replace: these are rates with their intervals.")
            if spec.baseline is None
            else tr("No case was answered by both a model and the baseline, so there is no verdict.")
        )
        column.addWidget(wrapped(text))
        errors = sum(arm.errors for arm in analysis.arms)
        if errors:
            column.addWidget(
                wrapped(
                    trn("{count} answer failed; see Answers.", "{count} answers failed; see Answers.", errors), "warn"
                )
            )
            for error in dict.fromkeys(arm.common_error for arm in analysis.arms if arm.errors):
                column.addWidget(wrapped(translated(error)))
        return frame


def _calibration_card(calibrations: Sequence[Calibration]) -> QWidget:
    hint = tr("Kappa is agreement beyond chance: 1 is perfect, 0 is none, above 0.6 is usually called good.")
    frame, column = card(tr("Your blind judgements"), hint)
    for item in calibrations:
        text = tr(
            "{grader}: agrees with {share} of your {votes} judgements, kappa {kappa}.",
            grader=item.grader,
            share=f"{item.agreement:.0%}",
            votes=item.votes,
            kappa="–" if math.isnan(item.kappa) else decimal(item.kappa, 2),
        )
        if item.votes < FEW_VOTES:
            text += " " + tr("Judge at least {count} for a reliable number.", count=FEW_VOTES)
        column.addWidget(wrapped(text))
        for contestant, rate in item.corrected.items():
            corrected = tr(
                "{name}: {rate} corrected by your judgements ({low} to {high}).",
                name=contestant,
                rate=percent(rate.estimate, 1),
                low=decimal(max(0.0, rate.low) * 100),
                high=percent(min(1.0, rate.high), 1),
            )
            column.addWidget(wrapped(corrected, "small"))
    return frame
