"""A report of a problem: the user says what happened, ticks what goes in, reads the very text, and saves it."""

from __future__ import annotations

from pathlib import Path

from PySide6 import QtWidgets
from PySide6.QtCore import QTimer, Slot
from PySide6.QtWidgets import QCheckBox, QDialog, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from workbench.core.errors import ErrorInfo, WorkbenchError
from workbench.services.problem_report import Section, chat_section, collect, compose, write_report
from workbench.ui.context import Context
from workbench.ui.icons import PushButton, in_scale
from workbench.ui.settings.doctor import examination
from workbench.ui.settings.section import Scrolled, roomy, say
from workbench.ui.tr import mark, tr
from workbench.ui.widgets import copy_text, label

PARTS = {
    "doctor": mark("Versions and the doctor's findings"),
    "crash": mark("The last crash report"),
    "log": mark("The last lines of the log"),
    "engine": mark("The engine's last lines"),
    "settings": mark("Settings that differ from the defaults"),
    "chat": mark("The text of the chat that is open"),
}
HEADINGS = {
    "doctor": "Doctor",
    "crash": "Last crash report",
    "log": "Log",
    "engine": "Engine log",
    "settings": "Settings",
    "chat": "Chat",
}
"""In the report itself, which is for whoever helps: English."""
SETTLE_MS = 250
DESCRIPTION_HEIGHT = 84
CHOICES_WIDTH = 304


class ReportDialog(QDialog):
    """What is shown is what is saved, to the letter."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._sections: dict[str, Section] = {}
        self._edited = False
        self.setWindowTitle(tr("Report a problem"))
        self.setAccessibleName(tr("Report a problem"))
        roomy(self, 940, 660)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(10)
        intro = tr(
            "Nothing is sent: the report is a text file that you may give to whoever helps you. Keys, passages of your "
            "chats and the name of your home folder are taken out. Read it and delete what you want."
        )
        column.addWidget(label(intro, wrap=True))
        row = QHBoxLayout()
        row.setSpacing(16)
        choices = Scrolled(self._make_choices())
        choices.setMaximumWidth(in_scale(CHOICES_WIDTH))
        row.addWidget(choices, 1)
        right = QVBoxLayout()
        self.text = QPlainTextEdit()
        self.text.setObjectName("code")
        self.text.setAccessibleName(tr("The report, as it will be saved"))
        self.text.textChanged.connect(self._typed)
        right.addWidget(self.text, 1)
        row.addLayout(right, 2)
        column.addLayout(row, 1)
        self.state = label(tr("Looking at the installation…"), "muted", wrap=True)
        column.addWidget(self.state)
        column.addLayout(self._make_buttons())
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(self.compose)
        self._collect()

    def _make_choices(self) -> QVBoxLayout:
        left = QVBoxLayout()
        left.setContentsMargins(0, 0, 8, 0)
        left.setSpacing(6)
        question = label(tr("What happened, and what did you expect?"), wrap=True)
        left.addWidget(question)
        self.description = QPlainTextEdit()
        self.description.setAccessibleName(tr("What happened, and what did you expect?"))
        self.description.setFixedHeight(in_scale(DESCRIPTION_HEIGHT))
        self.description.setTabChangesFocus(True)
        self.description.textChanged.connect(self._changed)
        question.setBuddy(self.description)
        left.addWidget(self.description)
        left.addSpacing(6)
        left.addWidget(label(tr("What goes in"), "sectionTitle"))
        self.choices: dict[str, QCheckBox] = {}
        for part, title in PARTS.items():
            box = QCheckBox(tr(title))
            box.setAccessibleName(tr(title))
            box.setChecked(part != "chat")
            box.setEnabled(False)
            box.clicked.connect(self.compose)
            self.choices[part] = box
            left.addWidget(box)
        hint = label(tr("The chat goes in only if you tick it, with everything in it."), "small", wrap=True)
        left.addWidget(hint)
        left.addStretch(1)
        return left

    def _make_buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addStretch(1)
        close = PushButton(tr("Close"))
        close.setAutoDefault(False)
        close.clicked.connect(self.reject)
        row.addWidget(close)
        self.copy = PushButton(tr("Copy"), icon_name="copy")
        self.copy.setAutoDefault(False)
        self.copy.clicked.connect(self._copy)
        row.addWidget(self.copy)
        self.save = PushButton(tr("Save…"), icon_name="save", primary=True)
        self.save.clicked.connect(self._choose_file)
        row.addWidget(self.save)
        for button in (self.copy, self.save):
            button.setEnabled(False)
        return row

    # --- what goes in ------------------------------------------------------------------------------------------------
    def _collect(self) -> None:
        context = self._context
        paths, settings = context.paths, context.settings.value
        examine, backend, session_id = examination(context), context.backend.value, context.state.value.session_id

        def work() -> dict[str, Section]:
            sections = collect(paths, examine(), settings)
            if backend is not None and session_id:
                chat = chat_section(backend.store, session_id)
                if chat is not None:
                    sections["chat"] = chat
            return sections

        context.jobs.run(work, self._collected, self._failed, owner=self, key="problem-report")

    def _collected(self, sections: dict[str, Section]) -> None:
        self._sections = sections
        for part, box in self.choices.items():
            box.setEnabled(part in sections)
            box.setChecked(part in sections and part != "chat")
        say(self.state, tr("This is the whole report. You can change it."), "muted")
        for button in (self.copy, self.save):
            button.setEnabled(True)
        self.compose()

    def _failed(self, error: ErrorInfo) -> None:
        say(self.state, str(error), "bad")
        for button in (self.copy, self.save):
            button.setEnabled(True)
        self.compose()

    @Slot()
    def _changed(self) -> None:
        self._settle.start()

    @Slot()
    def _typed(self) -> None:
        self._edited = True

    @Slot()
    def compose(self) -> None:
        """Put the text together anew. What the user changed by hand in it is asked about first, not lost silently."""
        chosen = [
            self._sections[part] for part, box in self.choices.items() if box.isChecked() and part in self._sections
        ]
        text = compose(HEADINGS, chosen, self.description.toPlainText())
        if self._edited and self.text.toPlainText() and not self._may_replace():
            return
        self.text.setPlainText(text)
        self._edited = False

    def _may_replace(self) -> bool:
        kinds = QtWidgets.QMessageBox.StandardButton
        question = tr("You changed the report by hand. Put it together anew without your changes?")
        answer = QtWidgets.QMessageBox.question(self, tr("Report a problem"), question, kinds.Yes | kinds.No, kinds.No)
        return answer == kinds.Yes

    # --- out of here -------------------------------------------------------------------------------------------------

    @Slot()
    def _copy(self) -> None:
        copy_text(self.text.toPlainText())
        say(self.state, tr("Copied"), "good")

    @Slot()
    def _choose_file(self) -> None:
        start = str(Path.home() / "model-workbench-problem.txt")
        path, _kind = QtWidgets.QFileDialog.getSaveFileName(self, tr("Save the report"), start, tr("Text") + " (*.txt)")
        if path:
            self.save_to(Path(path))

    def save_to(self, path: Path) -> None:
        """Raises nothing: what goes wrong is said."""
        try:
            write_report(path, self.text.toPlainText())
        except WorkbenchError as error:
            say(self.state, str(error), "bad")
            return
        say(self.state, tr("Saved as {path}.", path=path), "good")
