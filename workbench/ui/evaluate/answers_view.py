"""All answers of an evaluation: filter, sort, and the answers to one case side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, Qt, QTimer, Slot
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QSplitter,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from workbench.core.errors import ErrorInfo
from workbench.evaluation.analysis import Comparison
from workbench.evaluation.answers import SEPARATOR
from workbench.evaluation.cases import TestCase
from workbench.evaluation.prompts import build_request
from workbench.evaluation.spec import EvalSpec
from workbench.evaluation.stored import Line, answer_text
from workbench.ui.context import Context
from workbench.ui.evaluate.loaded import Loaded
from workbench.ui.evaluate.results_table import ResultsModel
from workbench.ui.formats import decimal, number
from workbench.ui.tr import tr, translated
from workbench.ui.transcript import TranscriptView
from workbench.ui.transcript.items import TranscriptItem
from workbench.ui.widgets import add_clear_button, label

if TYPE_CHECKING:
    from workbench.store import Store

SEARCH_AFTER_MS = 150
MAX_SIDES = 4


class AnswersView(QWidget):
    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._loaded: Loaded | None = None
        self._texts: frozenset[tuple[str, tuple[str, str], int]] | None = None
        self._differing: frozenset[str] = frozenset()
        self._by_case: dict[str, list[Line]] = {}
        self.model = ResultsModel(context.theme)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(self._filters())
        self.split = QSplitter(Qt.Orientation.Vertical)
        self.split.setChildrenCollapsible(False)
        self.split.setHandleWidth(9)
        self.table = self._table()
        self.split.addWidget(self.table)
        self.sides = QWidget()
        self._sides = QHBoxLayout(self.sides)
        self._sides.setContentsMargins(0, 0, 0, 0)
        self._sides.setSpacing(8)
        self.views: list[TranscriptView] = []
        self.split.addWidget(self.sides)
        self.split.setSizes([320, 260])
        column.addWidget(self.split, 1)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SEARCH_AFTER_MS)
        self._timer.timeout.connect(self._search)
        context.theme.changed.connect(self._tint)

    def _filters(self) -> QHBoxLayout:
        line = QHBoxLayout()
        line.setSpacing(8)
        self.search = QLineEdit()
        self.search.setPlaceholderText(tr("Search cases, answers and reasons"))
        self.search.setAccessibleName(tr("Search cases, answers and reasons"))
        add_clear_button(self.search)
        self.search.textChanged.connect(self._search_later)
        line.addWidget(self.search, 1)
        self.arm = QComboBox()
        self.arm.setAccessibleName(tr("Model"))
        self.arm.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.arm.setMinimumContentsLength(18)
        self.arm.activated.connect(self._filter)
        line.addWidget(self.arm)
        self.verdict = QComboBox()
        self.verdict.setAccessibleName(tr("Which answers"))
        for title, value in (
            (tr("All answers"), ""),
            (tr("Cases that differ"), "differ"),
            (tr("Right"), "right"),
            (tr("Wrong"), "wrong"),
            (tr("Errors"), "error"),
        ):
            self.verdict.addItem(title, value)
        self.verdict.activated.connect(self._filter)
        line.addWidget(self.verdict)
        self.count = label("", "stat")
        line.addWidget(self.count)
        return line

    def _table(self) -> QTableView:
        table = QTableView()
        table.setModel(self.model)
        table.setAccessibleName(tr("Answers"))
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setSortingEnabled(False)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.verticalHeader().hide()
        table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        table.verticalHeader().setDefaultSectionSize(table.fontMetrics().height() + 12)
        header = table.horizontalHeader()
        header.setStretchLastSection(True)
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.sortIndicatorChanged.connect(self.model.sort)
        for column, width in enumerate((150, 230, 110, 70)):
            header.resizeSection(column, width)
        table.selectionModel().currentRowChanged.connect(self._show_case)
        return table

    # --- content ----------------------------------------------------------------------------------------------
    def show_loaded(self, loaded: Loaded) -> None:
        """The lines are there at once; which cases differ comes with the analysis."""
        same = self._loaded is not None and self._loaded.row.id == loaded.row.id
        self._loaded = loaded
        self._by_case = loaded.by_case
        self.model.set_lines(loaded.lines)
        if not same:
            self._texts = None
            self.search.clear()
            self.verdict.setCurrentIndex(0)
            self.arm.clear()
            self.arm.addItem(tr("All models"), None)
            for arm in loaded.arms:
                self.arm.addItem(f"{arm[0]} · {arm[1]}", arm)
        self._filter()

    def show_differing(self, comparison: Comparison) -> None:
        """The cases where this comparison's two sides differ, the candidate's worst first."""
        self.search.clear()
        self._differing = frozenset(comparison.differing)
        self.arm.setCurrentIndex(
            next((i for i in range(self.arm.count()) if tuple(self.arm.itemData(i) or ()) == comparison.candidate), 0)
        )
        self.verdict.setCurrentIndex(self.verdict.findData("differ"))
        self._filter()
        self.table.setFocus()

    def set_differing(self, cases: frozenset[str]) -> None:
        self._differing = cases
        self._filter()

    @Slot()
    def _search_later(self) -> None:
        self._timer.start()

    @Slot()
    def _search(self) -> None:
        """Ids and reasons are searched at once; the answers' texts by the database, in a worker."""
        words = self.search.text().strip()
        self._texts = None
        self._filter()
        backend, loaded = self._context.backend.value, self._loaded
        if not words or backend is None or loaded is None:
            return
        store, evaluation_id = backend.store, loaded.row.id

        def done(found: frozenset[tuple[str, tuple[str, str], int]]) -> None:
            self._texts = found
            self._filter()

        self._context.jobs.run(
            lambda: _matching(store, evaluation_id, words), done, owner=self, key="evaluate-answer-search"
        )

    @Slot()
    def _filter(self) -> None:
        kind = self.verdict.currentData() or ""
        arm = self.arm.currentData()
        self.model.set_filter(
            arm=tuple(arm) if arm else None,
            verdict="" if kind == "differ" else kind,
            words=self.search.text().strip(),
            cases=self._differing if kind == "differ" else None,
            texts=self._texts,
        )
        shown, total = self.model.rowCount(), self.model.total
        self.count.setText(
            tr("{total} answers", total=number(total))
            if shown == total
            else tr("{shown} of {total}", shown=number(shown), total=number(total))
        )
        if shown and not self.table.currentIndex().isValid():
            self.table.setCurrentIndex(self.model.index(0, 0))
        if not shown:
            self._show_sides([])

    # --- side by side -----------------------------------------------------------------------------------------
    @Slot(QModelIndex, QModelIndex)
    def _show_case(self, current: QModelIndex, _previous: QModelIndex) -> None:
        line = self.model.line(current.row())
        loaded, backend = self._loaded, self._context.backend.value
        if line is None or loaded is None or backend is None:
            return
        others = [other for other in self._by_case.get(line.case, []) if other.repeat == line.repeat]
        # The chosen answer always stands among the sides, however many models there are.
        sides = [line, *[other for other in others if other is not line]][:MAX_SIDES]
        sides.sort(key=others.index)
        store, evaluation_id, spec = backend.store, loaded.row.id, loaded.spec

        def work() -> list[tuple[Line, str, str]]:
            return [(side, prompt_of(spec, side), answer_text(store, evaluation_id, side)) for side in sides]

        self._context.jobs.run(work, self._show_sides, owner=self, key="evaluate-sides")

    def _show_sides(self, sides: list[tuple[Line, str, str]]) -> None:
        while len(self.views) < len(sides):
            view = TranscriptView()
            self._dress(view)
            self.views.append(view)
            self._sides.addWidget(view, 1)
        for view in self.views[len(sides) :]:
            view.hide()
        for view, (line, prompt, text) in zip(self.views, sides, strict=False):
            view.setAccessibleName(tr("Answer of {name}", name=line.contestant))
            view.set_items(_items(line, prompt, text, self._expected(line.case)))
            view.show()

    def _expected(self, case_id: str) -> str:
        spec = self._loaded.spec if self._loaded else None
        case = next((case for case in spec.cases if case.id == case_id), None) if spec else None
        return "" if case is None or case.expected is None else str(case.expected)

    def _dress(self, view: TranscriptView) -> None:
        view.set_tokens(self._context.theme.tokens)
        view.set_background(self._context.theme.tokens.panel)
        view.set_text_scale(self._context.theme.scale)

    @Slot()
    def _tint(self) -> None:
        for view in self.views:
            self._dress(view)


def prompt_of(spec: EvalSpec, line: Line) -> str:
    """What the model was asked; for recorded answers the case itself."""
    case = next((case for case in spec.cases if case.id == line.case), TestCase(id=line.case))
    prompt = next((prompt for prompt in spec.prompts if prompt.name == line.prompt), None)
    contestant = next(
        (model for model in (*spec.models, spec.baseline) if model and model.name == line.contestant), None
    )
    if prompt is None or contestant is None:
        return case.text
    try:
        return build_request(contestant, prompt, case, seed=None).messages[-1].text
    except Exception:  # a template of an older version that fails now
        return case.text


def _items(line: Line, prompt: str, text: str, expected: str) -> list[TranscriptItem]:
    parts = [tr("no score") if line.score < 0 else tr("score {score}", score=decimal(line.score, 2))]
    if line.reason:
        parts.append(translated(line.reason))
    if expected and expected not in line.reason:
        parts.append(tr("expected: {expected}", expected=expected[:200]))
    error = ErrorInfo(kind="answer", message=translated(line.error)) if line.error else None
    answer = TranscriptItem(
        key="answer", role="assistant", title=line.contestant, text=text, footer=" · ".join(parts), error=error
    )
    return [TranscriptItem(key="prompt", role="user", text=prompt), answer]


def _matching(store: Store, evaluation_id: str, words: str) -> frozenset[tuple[str, tuple[str, str], int]]:
    found = set()
    for case_row, variant, repeat in store.result_texts(evaluation_id, words):
        contestant, _, prompt = variant.partition(SEPARATOR)
        found.add((case_row.partition(":")[2], (contestant, prompt), repeat))
    return frozenset(found)
