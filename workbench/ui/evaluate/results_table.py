"""The table of answers: 100,000 of them are filtered and sorted by index lists, without touching the rows."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor

from workbench.evaluation.stored import WRONG_BELOW, Line
from workbench.ui.formats import decimal
from workbench.ui.theme import Theme
from workbench.ui.tr import mark, tr, translated

Index = QModelIndex | QPersistentModelIndex
COLUMNS = (mark("Case"), mark("Model"), mark("Prompt"), mark("Score"), mark("What the graders said"))
KEYS = ("case", "contestant", "prompt", "score", "reason")
NO_PARENT = QModelIndex()


class ResultsModel(QAbstractTableModel):
    """Read only. `filter` and `sort` change which lines are shown and in which order."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._lines: list[Line] = []
        self._shown: list[int] = []
        self._order: list[int] | None = None
        """All lines by the chosen column; None: as they came."""

    # --- content ----------------------------------------------------------------------------------------------
    def set_lines(self, lines: list[Line]) -> None:
        self.beginResetModel()
        self._lines = lines
        self._order = None
        self._shown = list(range(len(lines)))
        self.endResetModel()

    def set_filter(
        self,
        *,
        arm: tuple[str, str] | None = None,
        verdict: str = "",
        words: str = "",
        cases: frozenset[str] | None = None,
        texts: frozenset[tuple[str, tuple[str, str], int]] | None = None,
    ) -> None:
        """`verdict`: right, wrong or error. `words`: in the case's id or the graders' reasons; or the answer is in
        `texts`: (case, arm, repeat) of answers whose text has them."""
        lines = self._lines
        order = self._order if self._order is not None else range(len(lines))
        keep = list(order)
        if arm is not None:
            contestant, prompt = arm
            keep = [i for i in keep if lines[i].contestant == contestant and lines[i].prompt == prompt]
        if verdict == "right":
            keep = [i for i in keep if lines[i].score >= WRONG_BELOW]
        elif verdict == "wrong":
            keep = [i for i in keep if 0 <= lines[i].score < WRONG_BELOW]
        elif verdict == "error":
            keep = [i for i in keep if lines[i].error]
        if cases is not None:
            keep = [i for i in keep if lines[i].case in cases]
        if words:
            needle = words.casefold()
            keep = [
                i
                for i in keep
                if needle in lines[i].case.casefold()
                or needle in lines[i].reason.casefold()
                or needle in lines[i].error.casefold()
                or (
                    texts is not None
                    and (lines[i].case, (lines[i].contestant, lines[i].prompt), lines[i].repeat) in texts
                )
            ]
        self.beginResetModel()
        self._shown = keep
        self.endResetModel()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sorts what is shown; a filter that is changed later keeps the order."""
        if not 0 <= column < len(KEYS):
            return
        values = [getattr(line, KEYS[column]) for line in self._lines]
        self._order = sorted(range(len(values)), key=values.__getitem__, reverse=order == Qt.SortOrder.DescendingOrder)
        shown = set(self._shown)
        self.layoutAboutToBeChanged.emit()
        self._shown = [i for i in self._order if i in shown]
        self.layoutChanged.emit()

    def line(self, row: int) -> Line | None:
        return self._lines[self._shown[row]] if 0 <= row < len(self._shown) else None

    @property
    def total(self) -> int:
        return len(self._lines)

    # --- Qt ---------------------------------------------------------------------------------------------------
    def rowCount(self, parent: Index = NO_PARENT) -> int:
        return 0 if parent.isValid() else len(self._shown)

    def columnCount(self, parent: Index = NO_PARENT) -> int:
        return len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return tr(COLUMNS[section])
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        line = self._lines[self._shown[index.row()]]
        column = index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return _text(line, column)
        if role == Qt.ItemDataRole.ForegroundRole and column == 3:
            return QColor(self._color(line))
        if role == Qt.ItemDataRole.ToolTipRole and column == 4:
            return translated(line.error or line.reason)
        return None

    def _color(self, line: Line) -> str:
        tokens = self._theme.tokens
        if line.error or line.score < 0:
            return tokens.warn
        return tokens.good if line.score >= WRONG_BELOW else tokens.bad


def _text(line: Line, column: int) -> str:
    if column == 0:
        return line.case if not line.repeat else f"{line.case} (#{line.repeat + 1})"
    if column == 1:
        return line.contestant
    if column == 2:
        return line.prompt
    if column == 3:
        if line.error:
            return tr("error")
        return tr("open") if line.score < 0 else decimal(line.score, 2)
    return translated(line.error or line.reason)
