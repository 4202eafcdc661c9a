"""The editor of a test set: its cases on the left, its prompts with a preview on the right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
from PySide6.QtCore import QEvent, QModelIndex, QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QInputDialog,
    QLineEdit,
    QMenu,
    QSplitter,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from workbench.evaluation.case_files import SUFFIXES, read_cases
from workbench.evaluation.cases import NearDuplicate, TestCase, near_duplicates, split
from workbench.evaluation.test_sets import TestSet, to_csv, to_json_lines
from workbench.ui.context import Context
from workbench.ui.evaluate.case_dialog import CaseDialog
from workbench.ui.evaluate.case_table import CaseModel
from workbench.ui.evaluate.prompt_editor import PromptEditor
from workbench.ui.evaluate.state import EvaluateState
from workbench.ui.flow import FlowLayout
from workbench.ui.formats import number
from workbench.ui.icons import IconButton, PushButton
from workbench.ui.tr import tr, trn
from workbench.ui.widgets import label

NEAR_AFTER_MS = 600
WIDTHS = {"id": 100, "expected": 100, "tags": 80, "cluster": 70, "weight": 64, "sealed": 64}
VARIABLE_WIDTH = 200


class TestSetView(QWidget):
    __test__ = False

    set_up_wanted = Signal(object)
    """TestSet: evaluate with it."""

    def __init__(self, state: EvaluateState, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state, self._context = state, context
        self.test_set: TestSet | None = None
        self.model = CaseModel(context.theme)
        self.model.edited.connect(self._save)
        self.model.refused.connect(self._refuse)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 16, 24, 16)
        column.setSpacing(10)
        column.addLayout(self._head())
        column.addLayout(self._tools())
        self.split = QSplitter()
        self.split.setChildrenCollapsible(False)
        self.split.setHandleWidth(13)
        left = QWidget()
        box = QVBoxLayout(left)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(8)
        self.table = self._table()
        box.addWidget(self.table, 1)
        self.notice = label("", "warn", wrap=True)
        self.notice.hide()
        box.addWidget(self.notice)
        self.split.addWidget(left)
        self.prompts = PromptEditor(context)
        self.prompts.changed.connect(self._save)
        self.split.addWidget(self.prompts)
        self.split.setSizes([620, 340])
        self.split.setStretchFactor(0, 1)
        column.addWidget(self.split, 1)
        self._near = QTimer(self)
        self._near.setSingleShot(True)
        self._near.setInterval(NEAR_AFTER_MS)
        self._near.timeout.connect(self._look_for_duplicates)
        self._shortcuts()

    # --- building ---------------------------------------------------------------------------------------------
    def _head(self) -> QHBoxLayout:
        line = QHBoxLayout()
        line.setSpacing(8)
        self.name = QLineEdit()
        self.name.setAccessibleName(tr("Name of the test set"))
        self.name.editingFinished.connect(self._save)
        line.addWidget(self.name, 1)
        self.count = label("", "stat")
        line.addWidget(self.count)
        self.evaluate = PushButton(tr("Set up an evaluation"), icon_name="play", primary=True)
        self.evaluate.clicked.connect(self._set_up)
        line.addWidget(self.evaluate)
        return line

    def _tools(self) -> FlowLayout:
        line = FlowLayout()
        self.add = PushButton(tr("Add a case"), icon_name="plus")
        self.add.clicked.connect(self._add)
        self.edit = PushButton(tr("Edit case…"), icon_name="pencil")
        self.edit.setToolTip(tr("Long texts, earlier messages, attached files (Ctrl+Return)"))
        self.edit.clicked.connect(self._edit)
        self.variable = PushButton(tr("Add a variable"), icon_name="braces")
        self.variable.clicked.connect(self._add_variable)
        self.import_cases = PushButton(tr("Import…"), icon_name="folder")
        self.import_cases.clicked.connect(self._import)
        self.export = PushButton(tr("Export"), icon_name="arrow-down-to-line")
        menu = QMenu(self)
        menu.addAction(tr("Cases as JSONL…")).triggered.connect(lambda: self._export("jsonl"))
        menu.addAction(tr("Cases as CSV…")).triggered.connect(lambda: self._export("csv"))
        self.export.setMenu(menu)
        self.seal = PushButton(tr("Seal a part…"), icon_name="shield")
        self.seal.setToolTip(tr("Keep some cases unseen while you tune; they are the honest test"))
        self.seal.clicked.connect(self._seal)
        self.open_sealed = PushButton(tr("Open the sealed part"), icon_name="eye")
        self.open_sealed.clicked.connect(self._open_sealed)
        for button in (self.add, self.edit, self.variable, self.import_cases, self.export, self.seal, self.open_sealed):
            line.addWidget(button)
        line.add_stretch()
        self.undo = IconButton("undo-2", tr("Undo"))
        self.undo.set_title(tr("Undo"), "Ctrl+Z")
        self.undo.clicked.connect(self.model.stack.undo)
        self.undo.setEnabled(False)
        self.model.stack.canUndoChanged.connect(self.undo.setEnabled)
        line.addWidget(self.undo)
        self.delete = IconButton("trash-2", tr("Delete the chosen cases"))
        self.delete.set_title(tr("Delete the chosen cases"), "Del")
        self.delete.clicked.connect(self._delete)
        line.addWidget(self.delete)
        return line

    def _table(self) -> QTableView:
        table = QTableView()
        table.setModel(self.model)
        table.setAccessibleName(tr("Cases"))
        table.setWordWrap(False)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
            | QAbstractItemView.EditTrigger.AnyKeyPressed
        )
        table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        table.verticalHeader().hide()
        table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        table.verticalHeader().setDefaultSectionSize(table.fontMetrics().height() + 14)
        table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        table.selectionModel().currentRowChanged.connect(self._row_changed)
        table.setCornerWidget(QWidget())
        self.model.modelReset.connect(self._size_columns)
        return table

    def _shortcuts(self) -> None:
        for keys, slot in (
            (QKeySequence(Qt.Key.Key_Delete), self._delete),
            (QKeySequence(Qt.Key.Key_Insert), self._add),
            (QKeySequence(Qt.KeyboardModifier.ControlModifier | Qt.Key.Key_Return), self._edit),
        ):
            shortcut = QShortcut(QKeySequence(keys), self.table)
            shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
            shortcut.activated.connect(slot)
        self.table.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Undo and redo in the table are its own: as shortcuts they would be ambiguous with the window's undo."""
        if watched is not self.table or not isinstance(event, QKeyEvent):
            return False
        undo = event.matches(QKeySequence.StandardKey.Undo)
        if not undo and not event.matches(QKeySequence.StandardKey.Redo):
            return False
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
        elif event.type() == QEvent.Type.KeyPress:
            (self.model.stack.undo if undo else self.model.stack.redo)()
        return True

    @Slot()
    def _size_columns(self) -> None:
        columns = self.model.columns()
        hidden = self._unused()
        for index, name in enumerate(columns):
            self.table.setColumnHidden(index, name in hidden)
        room = self.table.viewport().width() - sum(width for name, width in WIDTHS.items() if name not in hidden)
        share = max(room // max(len(columns) - len(WIDTHS), 1), VARIABLE_WIDTH)
        for index, name in enumerate(columns):
            self.table.setColumnWidth(index, WIDTHS.get(name, share))

    def _unused(self) -> set[str]:
        """Columns in which nothing stands: Edit case… has them."""
        cases = self.model.cases
        unused = set() if any(case.cluster for case in cases) else {"cluster"}
        return unused if any(case.weight != 1 for case in cases) else unused | {"weight"}

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._size_columns()

    # --- content ----------------------------------------------------------------------------------------------
    def open(self, set_id: str) -> None:
        if self.test_set is not None and self.test_set.id != set_id:
            self.prompts.flush()
        self._state.read_set(set_id, self._show, self)

    def _show(self, test_set: TestSet | None) -> None:
        if test_set is None:
            self._state.show("welcome")
            return
        same = self.test_set is not None and self.test_set.id == test_set.id
        self.test_set = test_set
        if same and self.model.cases == test_set.cases and self.prompts.prompts == test_set.prompts:
            return
        self.model.sealed_open = False
        self.model.load(test_set.cases)
        self.name.setText(test_set.name)
        self.prompts.load(test_set.id, test_set.prompts)
        self._counts()
        if test_set.cases:
            self.table.setCurrentIndex(self.model.index(0, 0))
        else:
            self.prompts.set_case(None)
        self._near.start()

    def current(self) -> TestSet | None:
        """The set as it stands in the editor."""
        if self.test_set is None:
            return None
        return msgspec.structs.replace(
            self.test_set,
            name=self.name.text().strip() or self.test_set.name,
            cases=self.model.cases,
            prompts=self.prompts.prompts,
        )

    @Slot()
    def _save(self) -> None:
        changed = self.current()
        if changed is not None and changed != self.test_set:
            self.test_set = changed
            self._state.keep_set(changed)
            self._counts()
            self._size_columns()
            self._near.start()
            self._row_changed()

    def _counts(self) -> None:
        cases = self.model.cases
        sealed = sum(case.sealed for case in cases)
        text = trn("{count} case", "{count} cases", len(cases))
        if sealed:
            text = trn(
                "{count} case, {sealed} sealed", "{count} cases, {sealed} sealed", len(cases), sealed=number(sealed)
            )
        self.count.setText(text)
        openings = self.test_set.sealed_openings if self.test_set else 0
        self.open_sealed.setVisible(bool(sealed))
        self.open_sealed.setEnabled(not self.model.sealed_open)
        title = tr("Sealed part open") if self.model.sealed_open else tr("Open the sealed part")
        times = tr("opened once") if openings == 1 else tr("opened {count} times", count=openings)
        self.open_sealed.setText(f" {title} ({times})")
        self.open_sealed.setAccessibleName(f"{title}, {times}")
        self.evaluate.setEnabled(bool(cases))

    @Slot()
    def _row_changed(self, current: QModelIndex | None = None, _previous: QModelIndex | None = None) -> None:
        index = current if isinstance(current, QModelIndex) else self.table.currentIndex()
        cases = self.model.cases
        case = cases[index.row()] if 0 <= index.row() < len(cases) else None
        if case is not None and case.sealed and not self.model.sealed_open:
            case = None
        self.prompts.set_case(case)

    @Slot()
    def _look_for_duplicates(self) -> None:
        cases = self.model.cases
        self._context.jobs.run(
            lambda: near_duplicates(cases), self._show_duplicates, owner=self, key="evaluate-duplicates"
        )

    def _show_duplicates(self, pairs: list[NearDuplicate]) -> None:
        self.model.set_near({id for pair in pairs for id in (pair.working, pair.sealed)})
        if pairs:
            shown = ", ".join(f"{pair.working} ≈ {pair.sealed}" for pair in pairs[:4])
            text = trn(
                "{count} case nearly stands in both parts ({shown}): the sealed part is no honest test of these.",
                "{count} cases nearly stand in both parts ({shown}): the sealed part is no honest test of these.",
                len(pairs),
                shown=shown,
            )
            self.notice.setText(text)
        self.notice.setVisible(bool(pairs))

    # --- acting -----------------------------------------------------------------------------------------------
    @Slot()
    def _add(self) -> None:
        self.model.add()
        row = len(self.model.cases) - 1
        index = self.model.index(row, 1)
        self.table.setCurrentIndex(index)
        self.table.setFocus()
        self.table.edit(index)

    @Slot()
    def _edit(self) -> None:
        """The whole case in a dialog: what does not fit into a cell."""
        row = self.table.currentIndex().row()
        if not 0 <= row < len(self.model.cases):
            return
        case = self.model.cases[row]
        if case.sealed and not self.model.sealed_open:
            self._refuse(tr("This case is sealed. Open the sealed part to see it; that is counted."))
            return
        dialog = CaseDialog(case, self.model.variables, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.accepted_case.connect(lambda changed: self._edited(case.id, changed))
        dialog.open()

    def _edited(self, case_id: str, changed: TestCase) -> None:
        for row, case in enumerate(self.model.cases):
            if case.id == case_id:
                self.model.replace(row, changed)

    @Slot()
    def _add_variable(self) -> None:
        name, accepted = QInputDialog.getText(self, tr("Add a variable"), tr("Name, as the prompt's template uses it"))
        name = name.strip()
        if accepted and name.isidentifier():
            self.model.add_variable(name)
        elif accepted and name:
            self._refuse(tr("A variable's name has letters, digits and underscores only."))

    @Slot()
    def _delete(self) -> None:
        rows = {index.row() for index in self.table.selectionModel().selectedRows()}
        if rows:
            self.model.remove(rows)
            count = len(rows)
            text = trn("{count} case deleted", "{count} cases deleted", count)
            self._context.shell.toast(text, tr("Undo"), self.model.stack.undo)

    @Slot()
    def _seal(self) -> None:
        percent, accepted = QInputDialog.getInt(
            self,
            tr("Seal a part"),
            tr("Percent of the cases to seal (cases of one cluster stay together)"),
            30,
            0,
            100,
            5,
        )
        if accepted:
            anew = split(self.model.cases, percent / 100)
            if not self.model.sealed_open:  # a smaller part would show what nobody has counted
                keep = [case.sealed for case in self.model.cases]
                anew = [
                    msgspec.structs.replace(case, sealed=case.sealed or was)
                    for case, was in zip(anew, keep, strict=True)
                ]
            self.model.change(tr("Seal a part"), tuple(anew))

    @Slot()
    def _open_sealed(self) -> None:
        self._count_opening("looked at in the editor", self.model.open_sealed)

    def _count_opening(self, reason: str, then: Callable[[], object] = lambda: None) -> None:
        backend = self._context.backend.value
        if backend is None or self.test_set is None:
            return
        store, set_id = backend.store, self.test_set.id

        def done(count: int) -> None:
            if self.test_set is not None:
                self.test_set = msgspec.structs.replace(self.test_set, sealed_openings=count)
            then()
            self._counts()
            self._row_changed()

        self._context.jobs.run(
            lambda: store.note_sealed_opening(set_id, reason),
            done,
            self._state.failed.emit,
            owner=self,
            lane="serial",
        )

    @Slot()
    def _import(self) -> None:
        patterns = " ".join(f"*{suffix}" for suffix in sorted(SUFFIXES))
        name, _ = QFileDialog.getOpenFileName(self, tr("Import cases"), "", f"{tr('Cases')} ({patterns})")
        if name:
            self.add_file(Path(name))

    def add_file(self, path: Path) -> None:
        """Append the cases of a file."""

        def done(cases: list[TestCase]) -> None:
            self.model.add_all(cases)
            self._context.shell.toast(
                trn("{count} case imported", "{count} cases imported", len(cases)), tr("Undo"), self.model.stack.undo
            )

        self._context.jobs.run(lambda: read_cases(path), done, self._state.failed.emit, owner=self)

    def _export(self, kind: str) -> None:
        if self.test_set is None:
            return
        name, _ = QFileDialog.getSaveFileName(self, tr("Export cases"), f"{self.name.text()}.{kind}", f"*.{kind}")
        if name:
            if any(case.sealed for case in self.model.cases) and not self.model.sealed_open:
                self._count_opening("exported")
            text = to_csv(self.model.cases) if kind == "csv" else to_json_lines(self.model.cases)
            self._state.write_file(Path(name), text)

    @Slot()
    def _set_up(self) -> None:
        self.prompts.flush()
        self.set_up_wanted.emit(self.current())

    @Slot(str)
    def _refuse(self, text: str) -> None:
        self._context.shell.toast(text)
