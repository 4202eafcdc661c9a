"""Where the prompt is written: grows with its text, takes files, shows how full the context is.

It is part of the first paint and takes text from then on; what it needs for files and messages is imported when it is
used first.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from PySide6 import QtWidgets
from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QPalette, QTextCursor
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from workbench.ui.chat.prompt_edit import PromptEdit
from workbench.ui.icons import IconButton, IconLabel
from workbench.ui.tr import tr
from workbench.ui.widgets import clear_layout, label, restyle

if TYPE_CHECKING:
    from workbench.core.messages import Message
    from workbench.core.models import ModelInfo
    from workbench.ui.chat.attachments import Attached, Read
    from workbench.ui.chat.context_meter import ContextMeter
    from workbench.ui.flow import FlowLayout
    from workbench.ui.jobs import Jobs


SEND_ROLES = (QPalette.ColorRole.PlaceholderText, QPalette.ColorRole.HighlightedText)
"""Colours of the send button's arrow where nothing can be sent, and where it can."""


class Composer(QFrame):
    """`submitted` carries the message to send; the composer keeps its text until `clear`."""

    submitted = Signal(object)
    stop_requested = Signal()
    edit_last = Signal()
    text_changed = Signal()
    cancel_edit = Signal()

    def __init__(self, parent: QWidget | None = None, *, ready: bool = True) -> None:
        """`ready` False: a prompt that is sent stays here, and goes out with `set_ready`."""
        super().__init__(parent)
        self.setObjectName("composer")
        self.setAccessibleName(tr("Composer"))
        self._files: list[Attached] = []
        self._unread = ""
        """What is wrong with files that were not attached."""
        self._model: ModelInfo | None = None
        self._jobs: Jobs | None = None
        self._reading = 0
        self._busy = False
        self._available = True
        self._ready = ready
        self._held = False
        self._meter: ContextMeter | None = None
        self._editing: QWidget | None = None
        self._chips: FlowLayout | None = None
        self._problem: QLabel | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(14, 10, 10, 8)
        self._column.setSpacing(6)
        self.edit = PromptEdit()
        self.edit.submitted.connect(self.submit)
        self.edit.edit_last.connect(self.edit_last)
        self.edit.files_given.connect(self.add_files)
        self.edit.focus_changed.connect(self._focus_changed)
        self.edit.textChanged.connect(self._text_changed)
        self._column.addWidget(self.edit)
        self._build_bar()
        self._update()

    def _build_bar(self) -> None:
        self.bar = QHBoxLayout()
        self.bar.setSpacing(6)
        self.attach = IconButton("paperclip", tr("Attach files"))
        self.attach.clicked.connect(self.choose_files)
        self.bar.addWidget(self.attach)
        self.bar.addStretch(1)
        self.send = IconButton("arrow-up", tr("Send"), role=QPalette.ColorRole.HighlightedText, object_name="send")
        self.send.set_title(tr("Send"), "Enter")
        self.send.clicked.connect(self._send_clicked)
        self.bar.addWidget(self.send)
        self._column.addLayout(self.bar)

    # --- parts made when first wanted ------------------------------------------------------------------------
    @property
    def meter(self) -> ContextMeter:
        if self._meter is None:
            made: ContextMeter = importlib.import_module("workbench.ui.chat.context_meter").ContextMeter()
            self.bar.insertWidget(self.bar.count() - 1, made)
            self._meter = made
        return self._meter

    @property
    def editing(self) -> QWidget:
        """The line that says an earlier message is being edited."""
        if self._editing is None:
            self._editing = QWidget()
            row = QHBoxLayout(self._editing)
            row.setContentsMargins(0, 0, 0, 0)
            row.addWidget(IconLabel("pencil", 14))
            text = tr("Editing an earlier message. Sending starts a new branch; the old one is kept.")
            row.addWidget(label(text, "stat", wrap=True), 1)
            cancel = IconButton("x", tr("Stop editing"), size=14)
            cancel.clicked.connect(self.cancel_edit)
            row.addWidget(cancel)
            self._column.insertWidget(0, self._editing)
            self._editing.hide()
        return self._editing

    @property
    def problem(self) -> QLabel:
        """What is wrong with the files."""
        if self._problem is None:
            self._problem = label("", "warn", wrap=True)
            self._column.insertWidget(self._column.indexOf(self.edit), self._problem)
            self._problem.hide()
        return self._problem

    @property
    def chips(self) -> FlowLayout:
        if self._chips is None:
            self._chips = importlib.import_module("workbench.ui.flow").FlowLayout()
            assert self._chips is not None
            self._column.insertLayout(self._column.indexOf(self.problem), self._chips)
        return self._chips

    # --- what the page sets ----------------------------------------------------------------------------------
    def set_jobs(self, jobs: Jobs) -> None:
        """Files are read in a worker from now on."""
        self._jobs = jobs

    def expect_focus(self) -> None:
        """Look as if it had the focus, which it gets as soon as the window is shown: before the style sheet is put on
        that costs nothing, afterwards 15 ms of the first paint."""
        self.edit.setFocus()
        self.setProperty("focused", True)

    def show_focus(self) -> None:
        """Look as it is, after `expect_focus`."""
        self._focus_changed(self.edit.hasFocus())

    def set_ready(self) -> None:
        """Messages can be sent now: send what waited for it."""
        self._ready = True
        if self._held:
            self._held = False
            self.submit()

    @property
    def holds(self) -> bool:
        """What stands in it was sent, and waits for `set_ready`."""
        return self._held

    def set_model(self, model: ModelInfo | None) -> None:
        self._model = model
        name = model.name if model else tr("the model")
        self.edit.setPlaceholderText(tr("Ask {name}…   Enter to send, Shift+Enter for a new line", name=name))
        self.edit.viewport().update()  # Qt paints a placeholder anew only where there was none before
        self._show_attachments()

    def set_busy(self, busy: bool) -> None:
        if busy != self._busy:
            self._busy = busy
            self.send.set_icon("square" if busy else "arrow-up")
            self.send.set_title(tr("Stop") if busy else tr("Send"), "Esc" if busy else "Enter")
        self._update()

    def set_available(self, available: bool) -> None:
        """Whether prompts can be sent at all (the store can be written)."""
        self._available = available
        self._update()

    def set_editing(self, editing: bool) -> None:
        if editing or self._editing is not None:
            self.editing.setVisible(editing)

    def set_count(self, tokens: int | None, limit: int | None, exact: bool) -> None:
        """Tokens of everything that would be sent, against the context's size."""
        if tokens is not None or self._meter is not None:
            self.meter.show_count(tokens, limit, exact)

    # --- text and files --------------------------------------------------------------------------------------
    @property
    def text(self) -> str:
        return self.edit.toPlainText()

    def set_text(self, text: str) -> None:
        self.edit.setPlainText(text)
        self.edit.moveCursor(QTextCursor.MoveOperation.End)

    @property
    def has_pictures(self) -> bool:
        return any(file.attachment.media_type.startswith("image/") for file in self._files)

    @Slot(object)
    def take_back(self, message: Message) -> None:
        """A message that could not be sent, before what was written since."""
        text, files = _attachments().contents_of(message)
        self.set_text("\n\n".join(part for part in (text, self.text) if part.strip()))
        self._files = [*files, *self._files]
        self._show_attachments()

    def clear(self) -> None:
        self.edit.clear()
        self._files = []
        self._unread = ""
        self._show_attachments()

    @property
    def files(self) -> list[Attached]:
        return list(self._files)

    def set_files(self, files: list[Attached]) -> None:
        self._files = list(files)
        self._show_attachments()

    def bring_back(self, files: list[Attached]) -> None:
        """Files of a draft, read again: they go before what was attached since."""
        self.set_files([*files, *self._files])
        self.text_changed.emit()

    def message(self) -> Message:
        made: Message = _attachments().message_of(self.text, self._files)
        return made

    @Slot(list)
    def add_files(self, files: list[object]) -> None:
        """Paths or pictures (QImage)."""
        read = _attachments().read_files
        if self._jobs is None:
            self._take(read(files))
            return
        self._reading += 1
        self._update()
        self._jobs.run(lambda: read(files), self._take_read, owner=self)

    def _take_read(self, read: Read) -> None:
        self._reading -= 1
        self._take(read)

    def _take(self, read: Read) -> None:
        self._files += read.files
        self._unread = " ".join(read.problems)
        self._show_attachments()
        self.text_changed.emit()

    @Slot()
    def choose_files(self) -> None:
        names, _filter = QtWidgets.QFileDialog.getOpenFileNames(self, tr("Attach files"))
        if names:
            self.add_files(list(names))
        self.edit.setFocus()

    def _problem_of(self, file: Attached) -> str:
        problem: str = _attachments().problem_of(file, self._model)
        return problem

    def _show_attachments(self) -> None:
        if not self._files and self._chips is None:
            self._tell(self._unread)
            return
        clear_layout(self.chips)
        problems = []
        for file in self._files:
            problem = self._problem_of(file)
            if problem:
                problems.append(problem)
            chip = _attachments().AttachmentChip(file, problem)
            chip.removed.connect(self._remove)
            self.chips.addWidget(chip)
        can = tr("Remove the picture or choose a model that can.")
        self._tell(f"{problems[0]} {can}" if problems else self._unread)
        self._update()

    @Slot(object)
    def _remove(self, file: Attached) -> None:
        self._files = [entry for entry in self._files if entry is not file]
        self._unread = ""
        self._show_attachments()
        self.text_changed.emit()

    def _tell(self, problem: str) -> None:
        if problem or self._problem is not None:
            self.problem.setText(problem)
            self.problem.setVisible(bool(problem))

    # --- sending ---------------------------------------------------------------------------------------------
    @Slot()
    def submit(self) -> None:
        if not self._can_send():
            return
        if self._ready:
            self.submitted.emit(self.message())
        else:
            self._held = True

    @Slot()
    def _send_clicked(self) -> None:
        if self._busy:
            self.stop_requested.emit()
        else:
            self.submit()

    def _can_send(self) -> bool:
        has_content = bool(self._files) or bool(self.text.strip())
        blocked = self._reading > 0 or any(self._problem_of(file) for file in self._files)
        return has_content and not blocked and not self._busy and self._available

    def _update(self) -> None:
        enabled = self._busy or self._can_send()
        if enabled != self.send.isEnabled():
            self.send.setEnabled(enabled)
            self.send.set_icon("square" if self._busy else "arrow-up", SEND_ROLES[enabled])

    @Slot()
    def _text_changed(self) -> None:
        self._held = False  # the user goes on writing
        self._update()
        self.text_changed.emit()

    @Slot(bool)
    def _focus_changed(self, focused: bool) -> None:
        if focused != bool(self.property("focused")):
            self.setProperty("focused", focused)
            restyle(self)


def _attachments() -> Any:
    return importlib.import_module("workbench.ui.chat.attachments")
