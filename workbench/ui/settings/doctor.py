"""The doctor in the window: what is installed and what is wrong with it, to copy. Works without a database."""

from __future__ import annotations

from collections.abc import Callable

from PySide6 import QtWidgets
from PySide6.QtCore import Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from workbench.core.errors import ErrorInfo
from workbench.core.paths import bundled
from workbench.plugins import PluginManager
from workbench.services.doctor import Report, examine
from workbench.services.doctor_text import report_text
from workbench.services.keys import Keys
from workbench.services.private_text import without_identity
from workbench.ui.context import Context
from workbench.ui.icons import PushButton
from workbench.ui.settings.section import say
from workbench.ui.tr import tr, translated, trn
from workbench.ui.widgets import copy_text, label

REPORT_HEIGHT = 300


def examination(context: Context) -> Callable[[], Report]:
    """The work for a job. What is not open (a damaged database keeps everything shut) is made for the look alone."""
    backend, paths = context.backend.value, context.paths
    problem, disabled = context.settings.file.problem, context.settings.value.plugins.disabled

    def work() -> Report:
        if backend is not None:
            plugins, keys = backend.plugins, backend.keys
        else:
            plugins, keys = PluginManager(folders=[bundled("plugins"), paths.plugins], disabled=disabled), Keys(paths)
            plugins.load()
        return examine(paths, plugins, keys, settings_problem=problem)

    return work


class DoctorPanel(QWidget):
    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._text = ""
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(8)
        row = QHBoxLayout()
        row.addWidget(label(tr("Doctor"), "sectionTitle"))
        row.addStretch(1)
        self.run = PushButton(tr("Check the installation"), icon_name="stethoscope")
        self.run.clicked.connect(self.examine)
        row.addWidget(self.run)
        self.copy = PushButton(tr("Copy the report"), icon_name="copy")
        self.copy.clicked.connect(self._copy)
        self.copy.setEnabled(False)
        row.addWidget(self.copy)
        column.addLayout(row)
        hint = tr("Looks at the engine, the GPU, memory, the database and the plugins. Takes a few seconds.")
        self.state = label(hint, "muted", wrap=True, selectable=True)
        column.addWidget(self.state)
        self.report = QtWidgets.QPlainTextEdit()
        self.report.setObjectName("code")
        self.report.setReadOnly(True)
        self.report.setAccessibleName(tr("Report of the check"))
        self.report.setMinimumHeight(REPORT_HEIGHT)
        self.report.hide()
        column.addWidget(self.report)

    @Slot()
    def examine(self) -> None:
        self.run.setEnabled(False)
        say(self.state, tr("Checking…"), "muted")
        self._context.jobs.run(examination(self._context), self._examined, self._failed, owner=self, key="doctor")

    def _examined(self, report: Report) -> None:
        self.run.setEnabled(True)
        problems = list(report.problems)
        if problems:
            text = trn("{count} thing needs attention:", "{count} things need attention:", len(problems))
            lines = "\n".join([text, *(f"•  {translated(problem)}" for problem in problems)])
            say(self.state, lines, "warn")
        else:
            say(self.state, tr("All is well."), "good")
        self.report.setPlainText(without_identity(report_text(report)))
        self.report.show()
        self.copy.setEnabled(True)

    def _failed(self, error: ErrorInfo) -> None:
        self.run.setEnabled(True)
        say(self.state, str(error), "bad")

    @Slot()
    def _copy(self) -> None:
        copy_text(self.report.toPlainText())
        self._context.shell.toast(tr("Copied"))
