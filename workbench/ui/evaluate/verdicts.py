"""The verdicts of an evaluation: sentences, pictures, the table of arms, what it can't know."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from workbench.evaluation.analysis import Analysis, ArmSummary, Comparison
from workbench.evaluation.human import FEW_VOTES, Calibration
from workbench.evaluation.report import limits_of
from workbench.evaluation.spec import EvalSpec
from workbench.evaluation.verdict import Outcome, sentence
from workbench.ui.evaluate.interval_plot import IntervalPlot
from workbench.ui.evaluate.parts import card, wrapped
from workbench.ui.formats import decimal, exact_money, number, percent
from workbench.ui.theme import Theme
from workbench.ui.tr import mark, tr, translated, trn
from workbench.ui.widgets import clear_layout, label

BADGES = {
    Outcome.REPLACEABLE: ("badgeGood", mark("Can replace")),
    Outcome.NOT_REPLACEABLE: ("badgeBad", mark("Can't replace")),
    Outcome.NOT_ENOUGH_EVIDENCE: ("badgeWarn", mark("Not enough evidence")),
}
ARM_COLUMNS = (
    mark("Model"),
    mark("Prompt"),
    mark("Score"),
    mark("95 % interval"),
    mark("Cases"),
    mark("Errors"),
    mark("Median"),
    "p95",
    mark("Tokens/s"),
    mark("1,000 cases"),
)
LIVE_NOTE = mark("Still running: a verdict that is read while answers come in is no verdict. It is shown at the end.")


class Verdicts(QWidget):
    """Filled anew by `show_analysis`."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._shown: tuple[EvalSpec, Analysis, bool, tuple[Calibration, ...]] | None = None
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
        self, spec: EvalSpec, analysis: Analysis, *, live: bool = False, calibrations: Sequence[Calibration] = ()
    ) -> None:
        """`live`: rates so far, without verdicts: looking early and stopping when it suits breaks the statistics."""
        self._shown = (spec, analysis, live, tuple(calibrations))
        clear_layout(self.column)
        self.sentences = []
        if live:
            self.column.addWidget(wrapped(tr(LIVE_NOTE), "small"))
        else:
            for comparison in analysis.comparisons:
                self.column.addWidget(self._comparison(comparison))
            if not analysis.comparisons:
                self.column.addWidget(self._without(spec, analysis))
        frame, column = card(tr("All models"))
        self.arms = _arm_table(analysis.arms)
        column.addWidget(self.arms)
        self.column.addWidget(frame)
        if calibrations:
            self.column.addWidget(_calibration_card(calibrations))
        if not live:
            frame, column = card(tr("What this can't know"))
            for limit in limits_of(spec, analysis):
                column.addWidget(wrapped(f"• {translated(limit)}", "muted"))
            self.column.addWidget(frame)

    @Slot()
    def _again(self) -> None:
        if self._shown is not None:
            spec, analysis, live, calibrations = self._shown
            self.show_analysis(spec, analysis, live=live, calibrations=calibrations)

    def _comparison(self, comparison: Comparison) -> QWidget:
        verdict = comparison.verdict
        candidate, baseline = comparison.candidate[0], comparison.baseline[0]
        frame, column = card()
        badge, words = BADGES[verdict.outcome]
        column.addWidget(label(tr(words), badge), 0, Qt.AlignmentFlag.AlignLeft)
        text = translated(sentence(verdict, candidate, baseline))
        self.sentences.append(text)
        column.addWidget(wrapped(text, "verdict"))
        column.addWidget(IntervalPlot(self._theme, verdict))
        explanation = tr(
            "{ours} cases only {candidate} gets right, {theirs} only {baseline}. The bar is where the true difference "
            "lies with {confidence} confidence; to the right of the dashed line it is within the margin.",
            ours=verdict.only_candidate,
            theirs=verdict.only_baseline,
            candidate=candidate,
            baseline=baseline,
            confidence=f"{verdict.difference.confidence:.0%}",
        )
        column.addWidget(wrapped(explanation, "small"))
        for warning in _warnings(comparison):
            column.addWidget(wrapped(warning, "warn"))
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


def _warnings(comparison: Comparison) -> list[str]:
    warnings = []
    if comparison.left_out:
        warnings.append(
            trn(
                "{count} case is left out: one side gave no valid answer.",
                "{count} cases are left out: one side gave no valid answer.",
                comparison.left_out,
            )
        )
    if comparison.if_errors_were_wrong is not comparison.verdict.outcome:
        words = comparison.if_errors_were_wrong.value.replace("_", " ")
        warnings.append(tr("Had failed answers been counted as wrong, the verdict would be: {words}.", words=words))
    return warnings


def _arm_table(arms: tuple[ArmSummary, ...]) -> QTableWidget:
    table = QTableWidget(len(arms), len(ARM_COLUMNS))
    table.setObjectName("flatTable")
    table.setAccessibleName(tr("Models with their scores"))
    table.setHorizontalHeaderLabels([tr(title) for title in ARM_COLUMNS])
    table.verticalHeader().hide()
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    for row, arm in enumerate(arms):
        for column, text in enumerate(_arm_texts(arm)):
            item = QTableWidgetItem(text)
            item.setToolTip(text)
            if column >= 2:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            table.setItem(row, column, item)
    for column in range(len(ARM_COLUMNS)):
        head = table.horizontalHeaderItem(column)
        if head is not None:
            side = Qt.AlignmentFlag.AlignLeft if column < 2 else Qt.AlignmentFlag.AlignRight
            head.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
    header = table.horizontalHeader()
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    header.setMinimumSectionSize(60)
    line = table.fontMetrics().height() + 14
    table.verticalHeader().setDefaultSectionSize(line)
    table.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    table.setFixedHeight(line * len(arms) + line + 8)
    return table


def _arm_texts(arm: ArmSummary) -> tuple[str, ...]:
    rate = arm.rate
    known = arm.answered > 0 and not math.isnan(rate.estimate)
    name = arm.contestant
    if arm.recorded:
        cost = tr("recorded")
    elif arm.cost_per_1000_usd is None:
        cost = tr("unknown")
    else:
        cost = exact_money(arm.cost_per_1000_usd)
    return (
        name,
        arm.prompt,
        percent(rate.estimate, 1) if known else "–",
        f"{decimal(max(0.0, rate.low) * 100)} – {percent(min(1.0, rate.high), 1)}" if known else "–",
        number(arm.answered),
        number(arm.errors),
        _seconds(arm.latency_median_s),
        _seconds(arm.latency_p95_s),
        "–" if arm.tokens_per_s is None else number(arm.tokens_per_s),
        cost,
    )


def _seconds(value: float | None) -> str:
    return "–" if value is None else tr("{count} s", count=decimal(value, 2))
