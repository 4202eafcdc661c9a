"""Setting up an evaluation: the margin first, then who takes part, and what it will take."""

from __future__ import annotations

import math

import msgspec
from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from workbench.core.errors import ErrorInfo
from workbench.core.models import ModelInfo
from workbench.evaluation.decision import Estimate, estimate_run
from workbench.evaluation.model_graders import same_vendor_warnings
from workbench.evaluation.spec import BudgetSpec, EvalSpec, GraderSpec, ModelSpec
from workbench.evaluation.verdict import cases_needed, margin_shown_by
from workbench.ui.context import Context
from workbench.ui.evaluate.contestant_editor import ContestantEditor
from workbench.ui.evaluate.grader_editor import GraderEditor
from workbench.ui.evaluate.parts import ComboBox, DoubleSpinBox, SpinBox, card, field, padded, row, scrolled, wrapped
from workbench.ui.evaluate.state import EvaluateState
from workbench.ui.formats import exact_money, number
from workbench.ui.icons import PushButton
from workbench.ui.tr import tr, trn
from workbench.ui.widgets import clear_layout, label

ESTIMATE_AFTER_MS = 250
NARROW = 105
"""Characters of the view's width under which nothing stands side by side."""


class SetupView(QWidget):
    def __init__(self, state: EvaluateState, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state, self._context = state, context
        self._spec: EvalSpec | None = None
        self.contestants: list[ContestantEditor] = []
        self.graders: list[GraderEditor] = []
        self.baseline: ContestantEditor | None = None
        outer = QVBoxLayout(self)
        outer.setContentsMargins(24, 16, 24, 16)
        outer.setSpacing(12)
        outer.addLayout(self._head())
        content = QWidget()
        outer.addWidget(scrolled(content), 1)
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(12)
        column.addWidget(self._margin_card())
        self._both = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._both.setSpacing(12)
        self._both.addWidget(self._model_card(), 1, Qt.AlignmentFlag.AlignTop)
        self._both.addWidget(self._baseline_card(), 1, Qt.AlignmentFlag.AlignTop)
        column.addLayout(self._both)
        column.addWidget(self._grader_card())
        column.addWidget(self._run_card())
        column.addStretch(1)
        outer.addLayout(self._foot())
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(ESTIMATE_AFTER_MS)
        self._timer.timeout.connect(self._estimate)
        state.models_changed.connect(self._models_changed)

    # --- building ---------------------------------------------------------------------------------------------
    def _head(self) -> QHBoxLayout:
        line = QHBoxLayout()
        self.name = QLineEdit()
        self.name.setAccessibleName(tr("Name of the evaluation"))
        line.addWidget(self.name, 1)
        self.cases = label("", "stat")
        line.addWidget(self.cases)
        return line

    def _margin_card(self) -> QWidget:
        hint = tr("Choose this before you look at any result. A margin chosen afterwards proves nothing.")
        frame, column = card(tr("How much worse may a replacement be?"), hint)
        self.margin = DoubleSpinBox()
        self.margin.setRange(0.5, 50)
        self.margin.setDecimals(1)
        self.margin.setSuffix(tr(" points of 100"))
        self.margin.setAccessibleName(tr("Margin"))
        self.margin.setMinimumWidth(170)
        self.margin.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.margin.valueChanged.connect(self._changed)
        self.needed = wrapped("", "muted")
        line = row(self.margin, self.needed, stretch=False, spacing=16)
        line.setStretch(1, 1)
        column.addLayout(line)
        return frame

    def _model_card(self) -> QWidget:
        hint = tr("Candidates. The same model may stand several times with other settings.")
        frame, column = card(tr("Models to try"), hint)
        self.model_box = QVBoxLayout()
        self.model_box.setSpacing(8)
        column.addLayout(self.model_box)
        self.add_model = PushButton(tr("Add a model"), icon_name="plus")
        self.add_model.clicked.connect(lambda: self._add_contestant(ModelSpec()))
        column.addLayout(row(self.add_model))
        return frame

    def _baseline_card(self) -> QWidget:
        hint = tr("What the models shall replace: asked live, or its answers recorded earlier.")
        frame, column = card(tr("Baseline"), hint)
        self.baseline_box = QVBoxLayout()
        column.addLayout(self.baseline_box)
        return frame

    def _grader_card(self) -> QWidget:
        hint = tr("How an answer is scored against the case's expected value. Several graders are averaged.")
        frame, column = card(tr("Graders"), hint)
        self.own_graders = wrapped("", "muted")
        column.addWidget(self.own_graders)
        self.grader_box = QVBoxLayout()
        self.grader_box.setSpacing(6)
        column.addLayout(self.grader_box)
        self.add_grader = PushButton(tr("Add a grader"), icon_name="plus")
        self.add_grader.clicked.connect(lambda: self._add_grader(GraderSpec(grader="contains")))
        column.addLayout(row(self.add_grader))
        self.judge_warning = wrapped("", "warn")
        self.judge_warning.hide()
        column.addWidget(self.judge_warning)
        return frame

    def _run_card(self) -> QWidget:
        frame, column = card(tr("The run"))
        self._run_grid = QGridLayout()
        self._run_grid.setHorizontalSpacing(12)
        self.part = ComboBox()
        for title, value in ((tr("All cases"), "all"), (tr("Working part"), "working"), (tr("Sealed part"), "sealed")):
            self.part.addItem(title, value)
        self.part.activated.connect(self._changed)
        self.repeats = SpinBox()
        self.repeats.setRange(1, 100)
        self.repeats.valueChanged.connect(self._changed)
        self.usd = DoubleSpinBox()
        self.usd.setRange(0, 100_000)
        self.usd.setPrefix("$")
        self.usd.setSpecialValueText(tr("no limit"))
        self.tokens = SpinBox()
        self.tokens.setRange(0, 2_000_000_000)
        self.tokens.setGroupSeparatorShown(True)
        self.tokens.setSpecialValueText(tr("no limit"))
        for spin in (self.usd, self.tokens):
            spin.valueChanged.connect(self._changed)
        for spin in (self.margin, self.repeats, self.usd, self.tokens):
            padded(spin)
        self._run_fields = (
            field(tr("Cases"), self.part),
            field(tr("Answers to each case"), self.repeats),
            field(tr("Most money for remote models"), self.usd),
            field(tr("Most tokens for remote models"), self.tokens),
        )
        self._arrange(narrow=False)
        column.addLayout(self._run_grid)
        self.reuse = QCheckBox(tr("Take answers to identical requests from the log"))
        self.reuse.setToolTip(
            tr("A request that was answered completely before is not asked, and not paid for, again.")
        )
        column.addWidget(self.reuse)
        self.sealed_note = wrapped("", "warn")
        column.addWidget(self.sealed_note)
        return frame

    def _arrange(self, *, narrow: bool) -> None:
        """What stands side by side goes below each other where there is no room: large text, a narrow window."""
        directions = QBoxLayout.Direction
        self._both.setDirection(directions.TopToBottom if narrow else directions.LeftToRight)
        columns = 2 if narrow else len(self._run_fields)
        for index, box in enumerate(self._run_fields):
            self._run_grid.addWidget(box, index // columns, index % columns)
        self._narrow = narrow

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        narrow = self.width() < NARROW * self.fontMetrics().averageCharWidth()
        if narrow != self._narrow:
            self._arrange(narrow=narrow)

    def _foot(self) -> QHBoxLayout:
        line = QHBoxLayout()
        line.setSpacing(12)
        self.summary = wrapped("", "muted")
        line.addWidget(self.summary, 1)
        self.start = PushButton(tr("Start"), icon_name="play", primary=True)
        self.start.clicked.connect(self._start)
        line.addWidget(self.start)
        return line

    # --- content ----------------------------------------------------------------------------------------------
    def show_draft(self) -> None:
        spec = self._state.draft
        if spec is None:
            return
        self._spec = None
        self.name.setText(spec.name)
        self.margin.setValue(spec.margin)
        self.repeats.setValue(spec.repeats)
        self.part.setCurrentIndex(self.part.findData(spec.part))
        self.usd.setValue(spec.budget.usd or 0)
        self.tokens.setValue(spec.budget.tokens or 0)
        self.reuse.setChecked(spec.reuse_answers)
        for box in (self.model_box, self.baseline_box, self.grader_box):
            clear_layout(box)
        self.contestants, self.graders = [], []
        for model in spec.models or (ModelSpec(),):
            self._add_contestant(model)
        self.baseline = ContestantEditor(spec.baseline or ModelSpec(), self._state.models, optional=True)
        self.baseline.changed.connect(self._changed)
        self.baseline_box.addWidget(self.baseline)
        for grader in spec.graders if not spec.case_graders else ():
            self._add_grader(grader)
        own = sorted({g.grader for graders in spec.case_graders.values() for g in graders})
        self.own_graders.setText(tr("Each case has graders of its own, from its file: {names}.", names=", ".join(own)))
        self.own_graders.setVisible(bool(spec.case_graders))
        self.add_grader.setVisible(not spec.case_graders)
        self._spec = spec
        self._changed()

    def _add_contestant(self, spec: ModelSpec) -> None:
        editor = ContestantEditor(spec, self._state.models)
        editor.changed.connect(self._changed)
        editor.copy_wanted.connect(self._copy)
        editor.variations_wanted.connect(self._vary)
        editor.remove_wanted.connect(self._remove)
        self.contestants.append(editor)
        self.model_box.addWidget(editor)
        self._changed()

    @Slot(list)
    def _vary(self, specs: list[ModelSpec]) -> None:
        """Variations of a contestant; those that are there already are left out."""
        for spec in specs:
            there = [msgspec.structs.replace(editor.spec, label="") for editor in self.contestants]
            if msgspec.structs.replace(spec, label="") not in there:
                self._add_contestant(spec)
        if len(specs) == 1:
            self.contestants[-1].settings.setChecked(True)

    @Slot(object)
    def _copy(self, editor: ContestantEditor) -> None:
        names = {other.spec.name for other in self.contestants}
        number = next(n for n in range(2, 1000) if f"{editor.spec.name} ({n})" not in names)
        self._add_contestant(msgspec.structs.replace(editor.spec, label=f"{editor.spec.name} ({number})"))
        self.contestants[-1].settings.setChecked(True)

    @Slot(object)
    def _remove(self, editor: QWidget) -> None:
        for items in (self.contestants, self.graders):
            if editor in items and len(items) > 1:
                items.remove(editor)  # type: ignore[arg-type]
                editor.setParent(None)
                editor.deleteLater()
        self._changed()

    def _add_grader(self, spec: GraderSpec) -> None:
        editor = GraderEditor(spec, self._state.graders, self._state.models)
        editor.changed.connect(self._changed)
        editor.remove_wanted.connect(self._remove)
        self.graders.append(editor)
        self.grader_box.addWidget(editor)
        self._changed()

    @Slot()
    def _models_changed(self) -> None:
        for editor in [*self.contestants, *([self.baseline] if self.baseline else [])]:
            editor.set_models(self._state.models)
        for grader in self.graders:
            grader.set_models(self._state.models)
        self._changed()

    def spec(self) -> EvalSpec | None:
        """The evaluation as it stands in the fields."""
        old = self._spec
        if old is None:
            return None
        baseline = self.baseline.spec if self.baseline is not None and self.baseline.is_set else None
        return msgspec.structs.replace(
            old,
            name=self.name.text().strip() or old.name,
            models=tuple(editor.spec for editor in self.contestants if editor.is_set),
            baseline=baseline,
            graders=tuple(editor.spec for editor in self.graders) or old.graders,
            margin=self.margin.value(),
            repeats=self.repeats.value(),
            part=self.part.currentData(),
            budget=BudgetSpec(usd=self.usd.value() or None, tokens=self.tokens.value() or None),
            reuse_answers=self.reuse.isChecked(),
            rule="replaceable" if baseline is not None else "not_worse_than_rate",
        )

    def problem(self, spec: EvalSpec) -> str:
        """Why it can't start; empty where it can."""
        names = [model.name for model in (*spec.models, *filter(None, (spec.baseline,)))]
        if not spec.models:
            return tr("Choose at least one model.")
        if not all(editor.valid for editor in self.contestants) or not all(grader.valid for grader in self.graders):
            return tr("A model's or grader's settings are not complete.")
        alone = next((g.grader for g in spec.graders if g.grader in ("pairwise", "human")), "")
        if alone and len(spec.graders) > 1:
            return tr("The grader {name} stands alone: remove the others.", name=alone)
        if alone == "pairwise" and spec.baseline is None:
            return tr("A pairwise judge needs a baseline to compare with.")
        if len(set(names)) < len(names):
            return tr("Two models have one name: give each a name of its own under its settings.")
        if not spec.selected_cases():
            return tr("There is no case in this part.")
        return ""

    @Slot()
    def _changed(self) -> None:
        spec = self.spec()
        if spec is None:
            return
        chosen = spec.selected_cases()
        self.cases.setText(trn("{count} case", "{count} cases", len(chosen)))
        needed = cases_needed(spec.margin / 100)
        text = tr(
            "About {needed} cases are needed to show that, if 15 % of them turn out differently.", needed=number(needed)
        )
        if 0 < len(chosen) < needed:
            text += " " + _what_few_show(len(chosen))
        meaning = tr("It may get {points} more of 100 cases wrong than the baseline.", points=f"{spec.margin:g}")
        self.needed.setText(f"{meaning} {text}")
        sealed = any(case.sealed for case in chosen)
        self.sealed_note.setText(tr("This opens the sealed part; it is counted.") if sealed else "")
        self.sealed_note.setVisible(sealed)
        self._warn_of_judge(spec)
        problem = self.problem(spec)
        self.start.setEnabled(not problem and self._state.running is None)
        if problem:
            self._timer.stop()
            self.summary.setText(problem)
        else:
            self._timer.start()

    def _warn_of_judge(self, spec: EvalSpec) -> None:
        infos = [
            info for model in (*spec.models, spec.baseline) if model and (info := self._state.model_info(model.model))
        ]
        judges = [g.options.get("model", "") for g in spec.graders if g.grader in ("judge", "pairwise")]
        found = [info for judge in judges if (info := self._state.model_info(str(judge)))]
        lines = [line for judge in found for line in same_vendor_warnings(judge, infos)]
        self.judge_warning.setText("\n".join(lines))
        self.judge_warning.setVisible(bool(lines))

    @Slot()
    def _estimate(self) -> None:
        spec, backend = self.spec(), self._context.backend.value
        if spec is None or backend is None:
            return
        catalog = backend.catalog

        def info(model_id: str) -> ModelInfo:
            return catalog.get(model_id).info

        self._context.jobs.run(
            lambda: estimate_run(spec, info),
            self._show_estimate,
            self._no_estimate,
            owner=self,
            key="evaluate-estimate",
        )

    def _show_estimate(self, estimate: Estimate) -> None:
        parts = [trn("{count} answer", "{count} answers", estimate.answers)]
        sent = estimate.remote_answers + estimate.judgements
        if sent:
            cost = tr("at an unknown price") if estimate.usd is None else f"≤ {exact_money(estimate.usd)}"
            parts.append(
                trn(
                    "{count} prompt leaves this machine, about {tokens} tokens, {cost}",
                    "{count} prompts leave this machine, about {tokens} tokens, {cost}",
                    sent,
                    tokens=number(estimate.remote_tokens),
                    cost=cost,
                )
            )
        else:
            parts.append(tr("nothing leaves this machine"))
        if estimate.limited_to:
            tokens = " / ".join(map(number, estimate.limited_to))
            text = tr("answers without a limit get one of {tokens} tokens", tokens=tokens)
            parts.append(text)
        if self._state.running is not None:
            parts.append(tr("another evaluation is running"))
        self.summary.setText(" · ".join(parts))

    def _no_estimate(self, error: ErrorInfo) -> None:
        self.summary.setText(str(error))

    @Slot()
    def _start(self) -> None:
        spec = self.spec()
        if spec is not None and not self.problem(spec):
            state = self._state
            state.start(spec, state.draft_folder, test_set=state.draft_set)


def _what_few_show(cases: int) -> str:
    points = margin_shown_by(cases) * 100
    if points >= 50:
        return tr("You have {count}: expect a verdict only if one model is far better.", count=number(cases))
    return tr(
        "You have {count}: expect a verdict only if one model is clearly better, or with a margin of {points} points "
        "or more.",
        count=number(cases),
        points=number(math.ceil(points)),
    )
