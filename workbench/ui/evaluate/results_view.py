"""One evaluation: its run while it runs, its verdict when it is done, every answer, the cost, and exports."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from workbench.evaluation.analysis import Analysis, Comparison
from workbench.evaluation.human import Calibration
from workbench.ui.context import Context
from workbench.ui.evaluate.answers_view import AnswersView
from workbench.ui.evaluate.cost_view import CostView
from workbench.ui.evaluate.loaded import Loaded, load_analysis, load_head
from workbench.ui.evaluate.parts import scrolled, wrapped
from workbench.ui.evaluate.plots_view import PlotsView
from workbench.ui.evaluate.state import EvaluateState, Running
from workbench.ui.evaluate.verdicts import Findings, Verdicts
from workbench.ui.flow import FlowLayout
from workbench.ui.formats import duration_text, exact_money, number
from workbench.ui.icons import PushButton
from workbench.ui.tr import mark, tr, trn
from workbench.ui.widgets import ElidedLabel, label, restyle

STATUS = {
    "running": ("badgeWarn", mark("interrupted")),
    "stopped": ("badgeWarn", mark("stopped")),
    "over_budget": ("badgeWarn", mark("budget used up")),
    "done": ("badge", mark("done")),
}


class ResultsView(QWidget):
    set_up_again = Signal(object)
    """Loaded: open its set-up."""
    export_wanted = Signal(str, object)
    """What (report, csv, jsonl, yaml, baseline) and Loaded."""
    queue_wanted = Signal(object)
    """Loaded: grade its answers blind."""

    def __init__(self, state: EvaluateState, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state, self._context = state, context
        self.loaded: Loaded | None = None
        self._about = ""
        """The evaluation that verdicts, cost and plots speak of; empty: of one whose id is not known yet, or none."""
        self._live: Analysis | None = None
        """The rates that are shown of what runs."""
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 16, 24, 16)
        column.setSpacing(12)
        column.addLayout(self._head())
        column.addWidget(self._progress_line())
        column.addLayout(self._segments())
        self.stack = QStackedWidget()
        self.verdicts = Verdicts(context.theme)
        self.verdicts.differing_wanted.connect(self._see_differing)
        self.verdicts.judge_wanted.connect(lambda: self.queue_wanted.emit(self.loaded))
        inner = QWidget()
        box = QVBoxLayout(inner)
        box.setContentsMargins(0, 0, 8, 0)
        box.setSpacing(12)
        self.note = wrapped("", "muted")
        box.addWidget(self.note)
        box.addWidget(self.verdicts)
        box.addStretch(1)
        self.stack.addWidget(scrolled(inner))
        self.answers = AnswersView(context)
        self.stack.addWidget(self.answers)
        self.cost = CostView()
        self.plots = PlotsView(state, context, self.cost)
        self.stack.addWidget(self.cost)
        self.stack.addWidget(self.plots)
        column.addWidget(self.stack, 1)
        state.run_changed.connect(self._show_running)
        self._choose(0)

    # --- building ---------------------------------------------------------------------------------------------
    def _head(self) -> FlowLayout:
        line = FlowLayout(spacing=8)
        self.title = ElidedLabel("", "heading")
        line.addWidget(self.title)
        self.badge = label("", "badge")
        line.addWidget(self.badge)
        line.add_stretch()
        self.stop = PushButton(tr("Stop"), icon_name="square")
        self.stop.clicked.connect(self._state.stop)
        line.addWidget(self.stop)
        self.resume = PushButton(tr("Resume"), icon_name="play", primary=True)
        self.resume.clicked.connect(self._resume)
        line.addWidget(self.resume)
        self.again = PushButton(tr("Set up again"), icon_name="sliders-horizontal")
        self.again.clicked.connect(lambda: self.set_up_again.emit(self.loaded))
        line.addWidget(self.again)
        self.queue = PushButton(tr("Judge blind"), icon_name="eye-off")
        self.queue.setToolTip(tr("Judge the answers yourself, without seeing which model wrote them"))
        self.queue.clicked.connect(lambda: self.queue_wanted.emit(self.loaded))
        line.addWidget(self.queue)
        self.export = PushButton(tr("Export"), icon_name="arrow-down-to-line")
        self.export.setMenu(self._export_menu())
        line.addWidget(self.export)
        return line

    def _export_menu(self) -> QMenu:
        menu = QMenu(self)
        for what, title in (
            ("report", tr("Report as HTML…")),
            ("csv", tr("Answers as CSV…")),
            ("jsonl", tr("Answers as JSONL…")),
            ("yaml", tr("Evaluation as a file for “workbench eval”…")),
            ("baseline", tr("Freeze the baseline's answers…")),
        ):
            menu.addAction(title).triggered.connect(partial(self._export, what))
        return menu

    def _progress_line(self) -> QFrame:
        frame = QFrame()
        line = QHBoxLayout(frame)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(12)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(tr("Progress"))
        line.addWidget(self.bar, 1)
        self.progress: QLabel = label("", "stat")
        line.addWidget(self.progress)
        self.progress_frame = frame
        return frame

    def _segments(self) -> FlowLayout:
        line = FlowLayout(spacing=4)
        self.group = QButtonGroup(self)
        self.segments: list[QToolButton] = []
        for index, title in enumerate((tr("Verdict"), tr("Answers"), tr("Cost"), tr("Plots"))):
            button = QToolButton()
            button.setObjectName("chip")
            button.setText(title)
            button.setAccessibleName(title)
            button.setCheckable(True)
            button.clicked.connect(partial(self._choose, index))
            self.group.addButton(button)
            self.segments.append(button)
            line.addWidget(button)
        self.verdict_button, self.answers_button, self.cost_button, self.plots_button = self.segments
        return line

    def _choose(self, index: int, _checked: bool = False) -> None:
        self.segments[index].setChecked(True)
        self.stack.setCurrentIndex(index)

    # --- content ----------------------------------------------------------------------------------------------
    def open(self, evaluation_id: str) -> None:
        """Show an evaluation; the one that runs may have no id yet."""
        running = self._state.running
        if running is not None and evaluation_id in ("", running.id):
            self.loaded, self._live = None, None
            self._clear(running.id)
            self._show_running()
            return
        backend = self._context.backend.value
        if backend is None or not evaluation_id:
            return
        if self.loaded is None or self.loaded.row.id != evaluation_id:
            self._choose(0)
        store = backend.store
        self._context.jobs.run(
            lambda: load_head(store, evaluation_id),
            self._show_head,
            self._state.failed.emit,
            owner=self,
            key="evaluate-open",
            lane="serial",  # behind the judgements that are still being written
        )

    def _show_head(self, loaded: Loaded | None) -> None:
        backend = self._context.backend.value
        if loaded is None or backend is None:
            self._state.show("welcome")
            return
        self.loaded = loaded
        if self._about != loaded.row.id:
            self._clear(loaded.row.id)
        self._show_buttons(None)
        self.title.set_text(loaded.row.name)
        name, text = STATUS.get(loaded.row.status, ("badge", loaded.row.status))
        self._badge(name, tr(text))
        self.note.setText(loaded.spec.notes.strip())
        self.note.setVisible(bool(loaded.spec.notes.strip()))
        self.answers.show_loaded(loaded)
        store = backend.store

        def done(found: tuple[Analysis, list[Calibration]]) -> None:
            loaded.analysis = found[0]
            if self.loaded is loaded:
                self._show_analysis(loaded, *found)

        self._context.jobs.run(
            lambda: load_analysis(store, loaded), done, self._state.failed.emit, owner=self, key="evaluate-analysis"
        )

    def _clear(self, evaluation_id: str) -> None:
        """What is told of the evaluation before must not stand under this one's title."""
        self._about = evaluation_id
        self.verdicts.clear()
        self.cost.clear()
        self.plots.clear()

    def _show_analysis(self, loaded: Loaded, analysis: Analysis, calibrations: list[Calibration]) -> None:
        findings = Findings(calibrations, loaded.conditions, loaded.judges)
        self.verdicts.show_analysis(loaded.spec, analysis, findings=findings)
        self.plots.show_loaded(loaded)
        self.cost.show_analysis(loaded.spec, analysis)
        self.answers.set_differing(frozenset(case for c in analysis.comparisons for case in c.differing))

    @Slot()
    def _show_running(self) -> None:
        running = self._state.running
        kind, id = self._state.shown
        if running is None or kind != "evaluation" or id not in ("", running.id):
            return
        self._about = running.id
        self._show_buttons(running)
        self.title.set_text(running.spec.name)
        self._badge("badgeGood", tr("stopping") if running.stopping else tr("running"))
        self.note.setText(running.spec.notes.strip())
        self.note.setVisible(bool(running.spec.notes.strip()))
        progress = running.progress
        self.bar.setRange(0, max(progress.total, 0))
        self.bar.setValue(progress.done)
        parts = [tr("{done} of {total} answers", done=number(progress.done), total=number(progress.total))]
        if progress.to_judge:
            judged = tr("{done} of {total} judged", done=number(progress.judged), total=number(progress.to_judge))
            parts = [judged]
            self.bar.setRange(0, progress.to_judge)
            self.bar.setValue(progress.judged)
        if progress.errors:
            parts.append(trn("{count} error", "{count} errors", progress.errors))
        if progress.reused:
            parts.append(tr("{count} from the log", count=progress.reused))
        if progress.spent_usd:
            parts.append(exact_money(progress.spent_usd, 3))
        if progress.remaining_s is not None:
            parts.append(tr("about {time} left", time=duration_text(progress.remaining_s)))
        self.progress.setText(" · ".join(parts))
        if running.live is not self._live:
            self._live = running.live
            if running.live is not None:
                self.verdicts.show_analysis(running.spec, running.live, live=True)

    def _show_buttons(self, running: Running | None) -> None:
        loaded = self.loaded
        self.stop.setVisible(running is not None)
        self.stop.setEnabled(running is not None and not running.stopping)
        self.progress_frame.setVisible(running is not None)
        finished = loaded is not None and running is None
        done = loaded is not None and loaded.row.status == "done"
        failed = loaded is not None and loaded.row.summary.get("errors")
        self.resume.setText(tr("Ask failed ones again") if done else tr("Resume"))
        self.resume.setVisible(finished and loaded is not None and bool(failed or not done))
        for widget in (self.again, self.queue, self.export):
            widget.setVisible(finished)
        for button in self.segments[1:]:
            button.setVisible(finished)
        if not finished:
            self._choose(0)

    def _badge(self, name: str, text: str) -> None:
        self.badge.setText(text)
        if self.badge.objectName() != name:
            self.badge.setObjectName(name)
            restyle(self.badge)

    @Slot()
    def _resume(self) -> None:
        if self.loaded is not None:
            self._state.resume(self.loaded.row)

    def _export(self, what: str, _checked: bool = False) -> None:
        if self.loaded is not None:
            self.export_wanted.emit(what, self.loaded)

    @Slot(object)
    def _see_differing(self, comparison: Comparison) -> None:
        self._choose(1)
        self.answers.show_differing(comparison)

    def search(self) -> None:
        """Look for an answer."""
        if self.loaded is not None:
            self._choose(1)
            self.answers.search.setFocus()
