"""“Add to test set”: logged answers become cases of a set. For chat, Compare and History.

    importlib.import_module("workbench.ui.evaluate.add_to_set").add_to_test_set(context, self, run_ids)

It is imported on use: evaluations are not needed before the first paint.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QCheckBox, QComboBox, QDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from workbench.core.errors import ErrorInfo
from workbench.evaluation.from_runs import add_cases, cases_from_runs
from workbench.evaluation.test_sets import TestSet
from workbench.store import TestSetRow
from workbench.ui.context import Context
from workbench.ui.evaluate.parts import field
from workbench.ui.icons import PushButton
from workbench.ui.jobs import SERIAL
from workbench.ui.tr import tr
from workbench.ui.widgets import label


def add_to_test_set(context: Context, parent: QWidget, run_ids: Sequence[str]) -> AddToSetDialog | None:
    """Open the dialog for these runs. None where there is nothing to add or the database is not open yet."""
    if context.backend.value is None or not run_ids:
        return None
    dialog = AddToSetDialog(context, run_ids, parent)
    dialog.open()
    return dialog


class AddToSetDialog(QDialog):
    def __init__(self, context: Context, run_ids: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context, self._run_ids = context, tuple(run_ids)
        title = tr("Add to test set")
        self.setWindowTitle(title)
        self.setAccessibleName(title)
        self.setMinimumWidth(460)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        many = len(self._run_ids)
        intro = (
            tr("The prompt becomes a case, with the turns before it and its attachments.")
            if many == 1
            else tr("{count} prompts become cases, with the turns before them and their attachments.", count=many)
        )
        column.addWidget(label(intro, "muted", wrap=True))
        self.choice = QComboBox()
        self.choice.addItem(tr("A new test set"), "")
        self.choice.activated.connect(self._chosen)
        column.addWidget(field(tr("Test set"), self.choice))
        self.name = QLineEdit(tr("From {day}", day=date.today().isoformat()))
        self.name_field = field(tr("Name of the new set"), self.name)
        column.addWidget(self.name_field)
        self.expected = QCheckBox(tr("This answer is right: keep it as the expected one"))
        self.expected.setToolTip(
            tr("Leave it out where the answer is wrong or unsure, and write the expected one later")
        )
        column.addWidget(self.expected)
        self.system = QCheckBox(tr("Keep the system prompt with the case"))
        self.system.setChecked(True)
        column.addWidget(self.system)
        self.problem = label("", "bad", wrap=True)
        self.problem.hide()
        column.addWidget(self.problem)
        line = QHBoxLayout()
        line.addStretch(1)
        cancel = PushButton(tr("Cancel"))
        cancel.clicked.connect(self.reject)
        line.addWidget(cancel)
        self.add = PushButton(tr("Add"), icon_name="plus", primary=True)
        self.add.setDefault(True)
        self.add.clicked.connect(self._add)
        line.addWidget(self.add)
        column.addLayout(line)
        backend = context.backend.value
        if backend is not None:
            context.jobs.run(backend.store.test_sets, self._fill, self._failed, owner=self, key="add-to-set-list")

    def _fill(self, sets: list[TestSetRow]) -> None:
        """The set that was used last stands first: the list is by its last change."""
        for row in sets:
            self.choice.addItem(row.name, row.id)
        if sets:
            self.choice.setCurrentIndex(1)
        self._chosen()

    @Slot()
    def _chosen(self) -> None:
        self.name_field.setVisible(not self.choice.currentData())

    def _failed(self, error: ErrorInfo) -> None:
        self.problem.setText(str(error))
        self.problem.show()
        self.add.setEnabled(True)

    @Slot()
    def _add(self) -> None:
        backend = self._context.backend.value
        if backend is None:
            return
        self.add.setEnabled(False)
        store, run_ids = backend.store, self._run_ids
        set_id, name = str(self.choice.currentData()), self.name.text().strip() or tr("New test set")
        expected, system = self.expected.isChecked(), self.system.isChecked()

        def work() -> tuple[TestSet | None, int]:
            cases = cases_from_runs(store, run_ids, with_expected=expected, with_system=system)
            return (add_cases(store, set_id, name, cases), len(cases)) if cases else (None, 0)

        self._context.jobs.run(work, self._added, self._failed, owner=self, lane=SERIAL)

    def _added(self, result: tuple[TestSet | None, int]) -> None:
        test_set, count = result
        if test_set is None:
            self._failed(ErrorInfo(kind="evaluate", message=tr("These answers have no prompt in the database.")))
            return
        context, set_id = self._context, test_set.id

        def show() -> None:
            page = context.shell.show_place("evaluate")
            show_set = getattr(page, "show_set", None)
            if show_set is not None:
                show_set(set_id)

        text = (
            tr("Added to “{name}”", name=test_set.name)
            if count == 1
            else tr("{count} cases added to “{name}”", count=count, name=test_set.name)
        )
        self.accept()
        context.shell.toast(text, tr("Open"), show)
