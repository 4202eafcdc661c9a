"""What all votes say: wins, ties and shares with their uncertainty, and a ranking for three or more."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from workbench.core.errors import ErrorInfo
from workbench.ui.backend import Backend
from workbench.ui.context import Context
from workbench.ui.formats import percent
from workbench.ui.icons import PushButton
from workbench.ui.tr import tr
from workbench.ui.widgets import label

if TYPE_CHECKING:
    from workbench.evaluation.tally import Tally


RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
LEAST_VOTES = 10
"""Fewer votes say nothing about the order of three or more."""


def count(backend: Backend, blind_only: bool) -> Tally:
    """Read and count all votes. Runs in a worker: it brings in scipy."""
    module: Any = importlib.import_module("workbench.evaluation.tally")
    result: Tally = module.tally(module.read_judgements(backend.store, blind_only=blind_only))
    return result


class TallyDialog(QDialog):
    def __init__(self, backend: Backend, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Votes"))
        self.setAccessibleName(tr("Votes"))
        self.resize(820, 460)
        self._backend, self._context = backend, context
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(10)
        self.intro = label(tr("Counting…"), wrap=True)
        column.addWidget(self.intro)
        self.table = QTableWidget(0, 7)
        self.table.setAccessibleName(tr("Votes for each model"))
        titles = (tr("Model"), tr("Shown"), tr("Won"), tr("Lost"), tr("Tie"), tr("All bad"), tr("Share won, 95 %"))
        self.table.setHorizontalHeaderLabels(list(titles))
        self.table.setStyleSheet("QTableWidget::item { padding: 0 8px; }")
        for place, text in enumerate(titles[1:-1], start=1):
            title = QTableWidgetItem(text)
            title.setTextAlignment(RIGHT)
            self.table.setHorizontalHeaderItem(place, title)
        self.table.verticalHeader().hide()
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        self.table.setShowGrid(False)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        column.addWidget(self.table, 1)
        self.verdict = label("", wrap=True, selectable=True)
        column.addWidget(self.verdict)
        row = QHBoxLayout()
        self.blind_only = QCheckBox(tr("Blind votes only"))
        self.blind_only.toggled.connect(self.refresh)
        row.addWidget(self.blind_only)
        row.addStretch(1)
        close = PushButton(tr("Close"), primary=True)
        close.setDefault(True)
        close.clicked.connect(self.accept)
        row.addWidget(close)
        column.addLayout(row)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        backend, blind_only = self._backend, self.blind_only.isChecked()
        self._context.jobs.run(lambda: count(backend, blind_only), self._show, self._failed, owner=self, key="tally")

    def _failed(self, error: ErrorInfo) -> None:
        self.intro.setText(str(error))

    def _show(self, result: Tally) -> None:
        if not result.votes:
            self.intro.setText(
                tr("No votes yet. Compare answers and say which is better; what you say is counted here.")
            )
        else:
            self.intro.setText(tr("Votes: {votes}, blind: {blind}.", votes=result.votes, blind=result.blind_votes))
        self.table.setRowCount(len(result.standings))
        for row, standing in enumerate(result.standings):
            decided = standing.wins + standing.losses
            share = tr("no decided vote")
            if decided:
                low, high = percent(standing.share.low), percent(standing.share.high)
                share = tr("{share} ({low} to {high})", share=percent(standing.share.estimate), low=low, high=high)
            numbers = (standing.shown, standing.wins, standing.losses, standing.ties, standing.both_bad)
            for place, text in enumerate((standing.name, *map(str, numbers), share)):
                item = QTableWidgetItem(text)
                item.setToolTip(text if place == 0 else "")
                if 0 < place <= len(numbers):
                    item.setTextAlignment(RIGHT)
                self.table.setItem(row, place, item)
        self.verdict.setText(verdict(result))


def verdict(result: Tally) -> str:
    """What may be concluded, in plain words."""
    if result.preference is not None:
        preference = result.preference
        if preference.wins + preference.losses == 0:
            return tr("Every vote was a tie so far.")
        name, p_value = result.standings[0].name, f"{preference.p_value:.2g}"
        if preference.p_value < 0.05:
            return tr("{name} is preferred (sign test, p = {p}).", name=name, p=p_value)
        return tr("Not enough votes to tell the two apart (sign test, p = {p}).", p=p_value)
    if result.strengths and result.votes < LEAST_VOTES:
        return tr("A ranking needs at least {count} votes.", count=LEAST_VOTES)
    if result.strengths:
        lines = [
            tr(
                "{place}. {name}: {strength} ({low} to {high})",
                place=place,
                name=entry.model,
                strength=f"{entry.strength.estimate:+.2f}",
                low=f"{entry.strength.low:+.2f}",
                high=f"{entry.strength.high:+.2f}",
            )
            for place, entry in enumerate(result.strengths, start=1)
        ]
        return tr("Ranking (Bradley-Terry, log-odds against the average model):") + "\n" + "\n".join(lines)
    return ""
