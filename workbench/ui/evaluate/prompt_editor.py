"""A test set's prompts: templates, what they make of a case, and every earlier version."""

from __future__ import annotations

import msgspec
from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QComboBox, QInputDialog, QMenu, QPlainTextEdit, QVBoxLayout, QWidget

from workbench.core.errors import WorkbenchError
from workbench.evaluation.cases import TestCase
from workbench.evaluation.prompts import build_request
from workbench.evaluation.spec import ModelSpec, PromptSpec
from workbench.evaluation.test_sets import PromptVersion, prompt_versions
from workbench.ui.as_written import keep_characters
from workbench.ui.context import Context
from workbench.ui.evaluate.examples_editor import ExamplesEditor
from workbench.ui.evaluate.parts import field, row
from workbench.ui.icons import IconButton, PushButton
from workbench.ui.tr import tr, translated_error
from workbench.ui.widgets import Section, label

PREVIEW_AFTER_MS = 150
SAVE_AFTER_MS = 1_500


class PromptEditor(QWidget):
    changed = Signal()

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._prompts: list[PromptSpec] = [PromptSpec()]
        self._case: TestCase | None = None
        self._set_id = ""
        self._filling = False
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self.choice = QComboBox()
        self.choice.setAccessibleName(tr("Prompt"))
        self.choice.activated.connect(self._fill)
        add = IconButton("plus", tr("Another prompt to compare"))
        add.clicked.connect(self._add)
        rename = IconButton("pencil", tr("Rename this prompt"))
        rename.clicked.connect(self._rename)
        remove = IconButton("trash-2", tr("Remove this prompt"))
        remove.clicked.connect(self._remove)
        self.versions = PushButton(tr("Versions"), icon_name="history")
        self.versions.clicked.connect(self._show_versions)
        line = row(self.choice, add, rename, remove, self.versions, stretch=False)
        line.setStretch(0, 1)
        column.addLayout(line)
        self.system = QPlainTextEdit()
        self.system.setObjectName("code")
        keep_characters(self.system)
        self.system.setTabChangesFocus(True)
        self.system.setFixedHeight(64)
        self.system.setPlaceholderText(tr("Optional"))
        column.addWidget(field(tr("System prompt"), self.system))
        self.examples = ExamplesEditor()
        self.examples.edited.connect(self._edited)
        self.examples_section = Section(tr("Examples (few-shot)"), opened=False)
        self.examples_section.content.addWidget(self.examples)
        column.addWidget(self.examples_section)
        self.text = QPlainTextEdit()
        self.text.setObjectName("code")
        keep_characters(self.text)
        self.text.setTabChangesFocus(True)
        hint = tr("A template: {{ name }} stands for the case's variable of that name.")
        column.addWidget(field(tr("Prompt"), self.text, hint), 1)
        self.preview = QPlainTextEdit()
        self.preview.setObjectName("code")
        keep_characters(self.preview)
        self.preview.setReadOnly(True)
        self.preview.setTabChangesFocus(True)
        column.addWidget(field(tr("What the model gets for the chosen case"), self.preview), 1)
        self.problem = label("", "bad", wrap=True)
        self.problem.hide()
        column.addWidget(self.problem)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(PREVIEW_AFTER_MS)
        self._later.timeout.connect(self._preview)
        self._save = QTimer(self)
        self._save.setSingleShot(True)
        self._save.setInterval(SAVE_AFTER_MS)
        self._save.timeout.connect(self.changed)
        self.system.textChanged.connect(self._edited)
        self.text.textChanged.connect(self._edited)

    # --- content ----------------------------------------------------------------------------------------------
    @property
    def prompts(self) -> tuple[PromptSpec, ...]:
        return tuple(self._prompts)

    def load(self, set_id: str, prompts: tuple[PromptSpec, ...]) -> None:
        self._save.stop()
        self._set_id, self._prompts = set_id, list(prompts)
        self._names(0)

    def set_case(self, case: TestCase | None) -> None:
        """The case of the preview; None where there is none, or a sealed one that is not open."""
        self._case = case
        self._later.start()

    def flush(self) -> None:
        """Save now what waits to be saved."""
        if self._save.isActive():
            self._save.stop()
            self.changed.emit()

    def _names(self, current: int) -> None:
        self.choice.clear()
        self.choice.addItems([prompt.name for prompt in self._prompts])
        self.choice.setCurrentIndex(current)
        self._fill()

    @Slot()
    def _fill(self) -> None:
        prompt = self._prompts[max(self.choice.currentIndex(), 0)]
        self._filling = True
        self.system.setPlainText(prompt.system)
        self.text.setPlainText(prompt.text)
        self.examples.set_examples(prompt.examples)
        self.examples_section.set_open(bool(prompt.examples))
        self._filling = False
        self._preview()

    @Slot()
    def _edited(self) -> None:
        if self._filling:
            return
        index = max(self.choice.currentIndex(), 0)
        self._prompts[index] = msgspec.structs.replace(
            self._prompts[index],
            system=self.system.toPlainText(),
            text=self.text.toPlainText(),
            examples=self.examples.examples(),
        )
        self._later.start()
        self._save.start()

    @Slot()
    def _preview(self) -> None:
        """Rendered in a worker: a template may run for two seconds before it is stopped."""
        prompt, case = self._prompts[max(self.choice.currentIndex(), 0)], self._case
        if case is None:
            self._previewed((tr("Choose a case in the table."), ""))
            return
        self._context.jobs.run(lambda: _rendered(prompt, case), self._previewed, owner=self, key="evaluate-preview")

    def _previewed(self, result: tuple[str, str]) -> None:
        text, problem = result
        if text or not problem:
            self.preview.setPlainText(text)
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))

    # --- prompts and versions ---------------------------------------------------------------------------------
    @Slot()
    def _add(self) -> None:
        name, accepted = QInputDialog.getText(self, tr("Another prompt"), tr("Name"))
        name = name.strip()
        if accepted and name and all(prompt.name != name for prompt in self._prompts):
            self._prompts.append(msgspec.structs.replace(self._prompts[self.choice.currentIndex()], name=name))
            self._names(len(self._prompts) - 1)
            self.changed.emit()

    @Slot()
    def _rename(self) -> None:
        """Its versions stay under the old name."""
        old = self.choice.currentText()
        name, accepted = QInputDialog.getText(self, tr("Rename this prompt"), tr("Name"), text=old)
        name, index = name.strip(), self.choice.currentIndex()
        if accepted and name and all(prompt.name != name for prompt in self._prompts):
            self._prompts[index] = msgspec.structs.replace(self._prompts[index], name=name)
            self._names(index)
            self.changed.emit()

    @Slot()
    def _remove(self) -> None:
        """The set forgets it for now; its versions stay in the database."""
        if len(self._prompts) > 1:
            del self._prompts[self.choice.currentIndex()]
            self._names(0)
            self.changed.emit()

    @Slot()
    def _show_versions(self) -> None:
        backend = self._context.backend.value
        if backend is None:
            return
        self.flush()
        store, set_id, name = backend.store, self._set_id, self.choice.currentText()
        self._context.jobs.run(
            lambda: prompt_versions(store, set_id, name), self._open_versions, owner=self, lane="serial"
        )

    def _open_versions(self, versions: list[PromptVersion]) -> None:
        menu = QMenu(self)
        for version in versions:
            first = " ".join(version.prompt.text.split())[:60]
            title = tr(
                "Version {number} · {day} · {text}", number=version.version, day=version.created_at[:16], text=first
            )
            action = menu.addAction(title.replace("T", " ", 1))
            action.triggered.connect(lambda _checked=False, chosen=version.prompt: self.use(chosen))
        if not versions:
            menu.addAction(tr("No version was kept yet")).setEnabled(False)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.versions.mapToGlobal(self.versions.rect().bottomLeft()))

    def use(self, prompt: PromptSpec) -> None:
        """Go back to an earlier version: it becomes the newest one."""
        self._prompts[self.choice.currentIndex()] = prompt
        self._fill()
        self.changed.emit()


def _rendered(prompt: PromptSpec, case: TestCase) -> tuple[str, str]:
    """(what the model gets, what is wrong)."""
    try:
        request = build_request(ModelSpec(model="preview"), prompt, case, seed=None)
    except WorkbenchError as error:
        return "", str(translated_error(error.info))
    return "\n\n".join(f"[{message.role}]\n{message.text}" for message in request.messages), ""
