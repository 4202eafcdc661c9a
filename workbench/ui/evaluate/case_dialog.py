"""One case with all it has: long texts, the turns before the prompt, attached files."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any

import msgspec
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from workbench.core.errors import BadInput
from workbench.core.messages import Message, Part, TextPart
from workbench.evaluation.case_files import part_of_file
from workbench.evaluation.cases import TestCase, with_attachments
from workbench.ui.evaluate.case_table import value_text, with_value
from workbench.ui.evaluate.parts import ComboBox, field, row, scrolled
from workbench.ui.icons import IconButton, PushButton
from workbench.ui.tr import mark, tr
from workbench.ui.widgets import clear_layout, label

ROLES = (("system", mark("System")), ("user", mark("User")), ("assistant", mark("Assistant")))


class TurnEditor(QFrame):
    """One earlier message."""

    remove_wanted = Signal(object)

    def __init__(self, message: Message) -> None:
        super().__init__()
        self._message = message
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 4)
        column.setSpacing(4)
        self.role = ComboBox()
        self.role.setAccessibleName(tr("Who says it"))
        for value, title in ROLES:
            self.role.addItem(tr(title), value)
        self.role.setCurrentIndex(max(self.role.findData(message.role), 0))
        remove = IconButton("x", tr("Remove this message"))
        remove.clicked.connect(lambda: self.remove_wanted.emit(self))
        line = row(self.role, stretch=True)
        line.addWidget(remove)
        column.addLayout(line)
        self.text = _area("\n\n".join(part.text for part in message.parts if isinstance(part, TextPart)), 64)
        self.text.setAccessibleName(tr("Text of the message"))
        column.addWidget(self.text)

    def message(self) -> Message:
        """As edited; what is no text stays."""
        others = tuple(part for part in self._message.parts if not isinstance(part, TextPart))
        text = self.text.toPlainText()
        return Message(self.role.currentData(), (*((TextPart(text),) if text.strip() else ()), *others))


class CaseDialog(QDialog):
    accepted_case = Signal(object)
    """The case as edited."""

    def __init__(self, case: TestCase, variables: list[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        title = tr("Case {id}", id=case.id)
        self.setWindowTitle(title)
        self.setAccessibleName(title)
        self.resize(720, 640)
        self._case = case
        self.turns: list[TurnEditor] = []
        turns, files = with_attachments(case)
        self.files: list[Part] = list(files)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(16, 16, 16, 16)
        outer.setSpacing(12)
        content = QWidget()
        outer.addWidget(scrolled(content), 1)
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(10)
        self.values: dict[str, QPlainTextEdit] = {}
        for name in variables:
            text = value_text(case, f"var:{name}")
            self.values[name] = _area(text, 96 if len(text) > 120 or "\n" in text else 58)
            column.addWidget(field(name, self.values[name]))
        self.expected = _area(value_text(case, "expected"), 58)
        column.addWidget(field(tr("Expected"), self.expected))
        column.addLayout(self._details())
        self.turn_box = QVBoxLayout()
        column.addWidget(label(tr("Messages before the prompt"), "stat"))
        column.addLayout(self.turn_box)
        self.add_turn = PushButton(tr("Add a message"), icon_name="plus")
        self.add_turn.clicked.connect(self._new_turn)
        column.addLayout(row(self.add_turn))
        column.addWidget(label(tr("Attached files"), "stat"))
        self.file_box = QVBoxLayout()
        column.addLayout(self.file_box)
        self.attach = PushButton(tr("Attach files…"), icon_name="paperclip")
        self.attach.clicked.connect(self._choose_files)
        column.addLayout(row(self.attach))
        column.addStretch(1)
        self.problem = label("", "bad", wrap=True)
        self.problem.hide()
        outer.addWidget(self.problem)
        outer.addLayout(self._foot())
        for message in turns:
            self._add_turn(message)
        self._show_files()

    def _details(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        case = self._case
        self.tags = QLineEdit(value_text(case, "tags"))
        self.tags.setPlaceholderText(tr("separated by commas"))
        self.cluster = QLineEdit(case.cluster or "")
        self.cluster.setPlaceholderText(tr("document or conversation it is from"))
        self.weight = QLineEdit(value_text(case, "weight"))
        self.sealed = QCheckBox(tr("Sealed: not to be looked at while tuning"))
        self.sealed.setChecked(case.sealed)
        grid.addWidget(field(tr("Tags"), self.tags), 0, 0)
        grid.addWidget(field(tr("Cluster"), self.cluster), 0, 1)
        grid.addWidget(field(tr("Weight"), self.weight), 0, 2)
        grid.addWidget(self.sealed, 1, 0, 1, 3)
        grid.setColumnStretch(0, 2)
        grid.setColumnStretch(1, 2)
        grid.setColumnStretch(2, 1)
        return grid

    def _foot(self) -> QHBoxLayout:
        line = QHBoxLayout()
        line.addStretch(1)
        cancel = PushButton(tr("Cancel"))
        cancel.clicked.connect(self.reject)
        line.addWidget(cancel)
        self.save = PushButton(tr("Save"), icon_name="check", primary=True)
        self.save.setDefault(True)
        self.save.clicked.connect(self._save)
        line.addWidget(self.save)
        return line

    # --- messages and files -----------------------------------------------------------------------------------
    def _add_turn(self, message: Message) -> None:
        editor = TurnEditor(message)
        editor.remove_wanted.connect(self._remove_turn)
        self.turns.append(editor)
        self.turn_box.addWidget(editor)

    @Slot()
    def _new_turn(self) -> None:
        role = "assistant" if self.turns and self.turns[-1].role.currentData() == "user" else "user"
        self._add_turn(Message(role, ()))  # type: ignore[arg-type]
        self.turns[-1].text.setFocus()

    @Slot(object)
    def _remove_turn(self, editor: TurnEditor) -> None:
        self.turns.remove(editor)
        editor.hide()
        editor.deleteLater()

    @Slot()
    def _choose_files(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, tr("Attach files"))
        self.add_files([Path(name) for name in names])

    def add_files(self, paths: list[Path]) -> None:
        for path in paths:
            try:
                self.files.append(part_of_file(path))
            except BadInput as error:
                self._tell(str(error))
        self._show_files()

    def _show_files(self) -> None:
        clear_layout(self.file_box)
        for number, part in enumerate(self.files):
            attachment: Any = getattr(part, "attachment", None)
            name = attachment.name or tr("file") if attachment is not None else tr("file")
            kind = mimetypes.guess_extension(attachment.media_type) or "" if attachment is not None else ""
            text = label(f"{name} {kind if not name.endswith(kind) else ''}".strip(), "")
            remove = IconButton("x", tr("Remove {name}", name=name))
            remove.clicked.connect(lambda _checked=False, index=number: self._remove_file(index))
            line = QWidget()
            box = row(text, remove)
            box.setAlignment(Qt.AlignmentFlag.AlignLeft)
            line.setLayout(box)
            self.file_box.addWidget(line)

    def _remove_file(self, index: int) -> None:
        del self.files[index]
        self._show_files()

    # --- saving -----------------------------------------------------------------------------------------------
    def case(self) -> TestCase:
        """As edited. Raises ValueError with what is wrong."""
        case = self._case
        for name, edit in self.values.items():
            case = with_value(case, f"var:{name}", edit.toPlainText())
        case = with_value(case, "expected", self.expected.toPlainText())
        case = with_value(case, "tags", self.tags.text())
        case = with_value(case, "cluster", self.cluster.text())
        case = with_value(case, "weight", self.weight.text())
        messages = [message for editor in self.turns if (message := editor.message()).parts]
        if self.files:
            messages.append(Message("user", tuple(self.files)))
        return msgspec.structs.replace(case, messages=tuple(messages), sealed=self.sealed.isChecked())

    def _tell(self, text: str) -> None:
        self.problem.setText(text)
        self.problem.show()

    @Slot()
    def _save(self) -> None:
        try:
            case = self.case()
        except ValueError as error:
            self._tell(str(error))
            return
        self.accepted_case.emit(case)
        self.accept()


def _area(text: str, height: int) -> QPlainTextEdit:
    area = QPlainTextEdit(text)
    area.setTabChangesFocus(True)
    area.setFixedHeight(height)
    return area
