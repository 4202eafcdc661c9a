"""The cases of a test set as an editable table, with undo. Every change makes a new tuple of cases."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QColor, QUndoCommand, QUndoStack

from workbench.evaluation.cases import TestCase
from workbench.evaluation.test_sets import with_free_id
from workbench.ui.theme import Theme
from workbench.ui.tr import mark, tr

Index = QModelIndex | QPersistentModelIndex
Cases = tuple[TestCase, ...]
FIXED = ("expected", "tags", "cluster", "weight", "sealed")
TITLES = {
    "id": mark("Case"),
    "expected": mark("Expected"),
    "tags": mark("Tags"),
    "cluster": mark("Cluster"),
    "weight": mark("Weight"),
}
TITLES["sealed"] = mark("Sealed")
HIDDEN = "•••"
NO_PARENT = QModelIndex()
ROLE = Qt.ItemDataRole


class Change(QUndoCommand):
    def __init__(self, title: str, before: Cases, after: Cases, apply: Callable[[Cases], None]) -> None:
        super().__init__(title)
        self._before, self._after, self._apply = before, after, apply

    def redo(self) -> None:
        self._apply(self._after)

    def undo(self) -> None:
        self._apply(self._before)


class CaseModel(QAbstractTableModel):
    """`sealed_open` False hides what stands in sealed cases."""

    edited = Signal()
    """The cases changed by the user: save them."""
    refused = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._cases: Cases = ()
        self._variables: list[str] = []
        self.sealed_open = False
        self.near: set[str] = set()
        """Ids of cases that nearly stand on the other side of the split too."""
        self.stack = QUndoStack(self)

    # --- content ----------------------------------------------------------------------------------------------
    @property
    def cases(self) -> Cases:
        return self._cases

    @property
    def variables(self) -> list[str]:
        return list(self._variables)

    def load(self, cases: Cases) -> None:
        """Another set: its history begins anew."""
        self.stack.clear()
        self.near = set()
        self._apply(cases, tell=False)

    def change(self, title: str, cases: Cases) -> None:
        if cases != self._cases:
            self.stack.push(Change(title, self._cases, cases, self._apply))

    def _apply(self, cases: Cases, *, tell: bool = True) -> None:
        variables = list(dict.fromkeys(name for case in cases for name in case.variables))
        kept = [name for name in self._variables if name in variables]
        names = kept + [name for name in variables if name not in kept] or ["prompt"]
        if len(cases) == len(self._cases) and names == self._variables and cases:
            self._cases = cases
            self.dataChanged.emit(self.index(0, 0), self.index(len(cases) - 1, self.columnCount() - 1))
        else:
            self.beginResetModel()
            self._cases, self._variables = cases, names
            self.endResetModel()
        if tell:
            self.edited.emit()

    def add(self, case: TestCase | None = None) -> None:
        new = case or TestCase(id="", variables=dict.fromkeys(self._variables, ""), expected="")
        self.change(tr("Add a case"), (*self._cases, with_free_id(new, self._cases)))

    def add_all(self, cases: list[TestCase]) -> None:
        """Cases of a file; ids that are taken are numbered anew."""
        together = list(self._cases)
        taken = {case.id for case in together}
        for case in cases:
            fresh = case if case.id not in taken else with_free_id(case, together)
            taken.add(fresh.id)
            together.append(fresh)
        self.change(tr("Import cases"), tuple(together))

    def remove(self, rows: set[int]) -> None:
        self.change(tr("Delete cases"), tuple(case for i, case in enumerate(self._cases) if i not in rows))

    def replace(self, row: int, case: TestCase) -> None:
        cases = list(self._cases)
        cases[row] = case
        self.change(tr("Edit a case"), tuple(cases))

    def add_variable(self, name: str) -> None:
        cases = self._cases or (TestCase(id="case-1", expected=""),)
        filled = tuple(
            msgspec.structs.replace(case, variables={**case.variables, name: case.variables.get(name, "")})
            for case in cases
        )
        self.change(tr("Add a variable"), filled)

    def open_sealed(self) -> None:
        self.sealed_open = True
        if self._cases:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._cases) - 1, self.columnCount() - 1))

    def set_near(self, ids: set[str]) -> None:
        self.near = ids
        if self._cases:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._cases) - 1, 0))

    # --- Qt ---------------------------------------------------------------------------------------------------
    def columns(self) -> list[str]:
        return ["id", *(f"var:{name}" for name in self._variables), *FIXED]

    def rowCount(self, parent: Index = NO_PARENT) -> int:
        return 0 if parent.isValid() else len(self._cases)

    def columnCount(self, parent: Index = NO_PARENT) -> int:
        return 1 + len(self._variables) + len(FIXED)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = ROLE.DisplayRole) -> Any:
        if role != ROLE.DisplayRole or orientation != Qt.Orientation.Horizontal:
            return None
        column = self.columns()[section]
        return column[4:] if column.startswith("var:") else tr(TITLES[column])

    def flags(self, index: Index) -> Qt.ItemFlag:
        base = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        case, column = self._cases[index.row()], self.columns()[index.column()]
        if column == "sealed":
            return base | Qt.ItemFlag.ItemIsUserCheckable
        if case.sealed and not self.sealed_open:
            return base
        return base | Qt.ItemFlag.ItemIsEditable

    def data(self, index: Index, role: int = ROLE.DisplayRole) -> Any:
        case, column = self._cases[index.row()], self.columns()[index.column()]
        if column == "sealed":
            if role == ROLE.CheckStateRole:
                return Qt.CheckState.Checked if case.sealed else Qt.CheckState.Unchecked
            return None
        if role in (ROLE.DisplayRole, ROLE.EditRole):
            text = value_text(case, column)
            if role == ROLE.EditRole:
                return text
            if column == "id" and case.messages:
                return f"{text}  +{len(case.messages)}"
            if case.sealed and not self.sealed_open and column not in ("id", "weight"):
                return HIDDEN if text else ""
            return " ".join(text.split()) if len(text) < 400 else " ".join(text[:400].split()) + " …"
        if role == ROLE.ForegroundRole and column == "id" and case.id in self.near:
            return QColor(self._theme.tokens.warn)
        if role == ROLE.ToolTipRole and column == "id" and case.messages and case.id not in self.near:
            return tr("With messages or files before the prompt: Edit case… shows them.")
        if role == ROLE.ToolTipRole:
            if case.id in self.near and column == "id":
                return tr("Nearly the same case stands in the other part: whoever tuned on one has seen the other.")
            return None if case.sealed and not self.sealed_open else value_text(case, column)[:2000]
        return None

    def setData(self, index: Index, value: Any, role: int = ROLE.EditRole) -> bool:
        case, column = self._cases[index.row()], self.columns()[index.column()]
        if column == "sealed" and role == ROLE.CheckStateRole:
            if case.sealed and not self.sealed_open:  # to take the seal off is to look
                self.refused.emit(tr("This case is sealed. Open the sealed part to see it; that is counted."))
                return False
            self.replace(
                index.row(), msgspec.structs.replace(case, sealed=Qt.CheckState(value) == Qt.CheckState.Checked)
            )
            return True
        if role != ROLE.EditRole:
            return False
        try:
            changed = with_value(case, column, str(value))
        except ValueError as error:
            self.refused.emit(str(error))
            return False
        if column == "id" and any(other.id == changed.id for other in self._cases if other is not case):
            self.refused.emit(tr("There is a case called {id} already.", id=changed.id))
            return False
        self.replace(index.row(), changed)
        return True


def value_text(case: TestCase, column: str) -> str:
    """What stands in a cell, as it is edited."""
    if column.startswith("var:"):
        return _plain(case.variables.get(column[4:], ""))
    if column == "tags":
        return ", ".join(case.tags)
    if column == "weight":
        return f"{case.weight:g}"
    if column == "sealed":
        return ""
    return _plain(getattr(case, column))


def with_value(case: TestCase, column: str, text: str) -> TestCase:
    """The case with one cell changed. Raises ValueError with what is wrong."""
    if column.startswith("var:"):
        name = column[4:]
        return msgspec.structs.replace(
            case, variables={**case.variables, name: _typed(text, case.variables.get(name, ""))}
        )
    if column == "id":
        if not text.strip():
            raise ValueError(tr("A case needs a name."))
        return msgspec.structs.replace(case, id=text.strip())
    if column == "expected":
        return msgspec.structs.replace(case, expected=_typed(text, case.expected))
    if column == "tags":
        return msgspec.structs.replace(case, tags=tuple(tag.strip() for tag in text.split(",") if tag.strip()))
    if column == "cluster":
        return msgspec.structs.replace(case, cluster=text.strip() or None)
    try:
        weight = float(text.replace(",", "."))
    except ValueError:
        raise ValueError(tr("The weight must be a number, not {text}.", text=repr(text))) from None
    if not 0 < weight < float("inf"):
        raise ValueError(tr("The weight must be a positive number."))
    return msgspec.structs.replace(case, weight=weight)


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _typed(text: str, before: Any) -> Any:
    """Text stays text; a value that was a number, list or object is read as JSON again where that works."""
    if before is None or isinstance(before, str):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
