"""Where the prompt is written: grows with its text, takes files, shows how full the context is."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from PySide6 import QtWidgets
from PySide6.QtCore import QEvent, QMimeData, Qt, Signal, Slot
from PySide6.QtGui import QFocusEvent, QFontMetrics, QKeyEvent, QPalette, QTextCursor
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QPlainTextEdit,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from workbench.core.messages import Attachment, FilePart, ImagePart, Message, Part, TextPart
from workbench.core.models import ModelInfo
from workbench.ui.formats import decimal, number
from workbench.ui.icons import IconButton, IconLabel
from workbench.ui.tr import tr
from workbench.ui.widgets import clear_layout, label, restyle

MAX_LINES = 12
MAX_FILE_BYTES = 20_000_000
NEARLY_FULL = 0.85
"""Share of the context from which on its bar warns."""


class PromptEdit(QPlainTextEdit):
    """Enter sends, Shift+Enter breaks the line, Up in an empty field edits the last message."""

    submitted = Signal()
    edit_last = Signal()
    files_given = Signal(list)
    focus_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Prompt"))
        self.setTabChangesFocus(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.document().setDocumentMargin(2)
        self.textChanged.connect(self._grow)
        self._grow()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self.textCursor().insertText("\n")
                self.ensureCursorVisible()
            else:
                self.submitted.emit()
            return
        if event.key() == Qt.Key.Key_Up and not self.toPlainText():
            self.edit_last.emit()
            return
        super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.focus_changed.emit(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.focus_changed.emit(False)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._grow()

    def resizeEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        super().resizeEvent(event)
        self._grow()

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        return _local_files(source) != [] or source.hasImage() or super().canInsertFromMimeData(source)

    def insertFromMimeData(self, source: QMimeData) -> None:
        files = _local_files(source)
        if files:
            self.files_given.emit(files)
        elif not source.hasText() and source.hasImage():
            self.files_given.emit([source.imageData()])
        else:
            self.insertPlainText(source.text())

    @Slot()
    def _grow(self) -> None:
        line = QFontMetrics(self.font()).lineSpacing()
        lines = 0
        block = self.document().begin()
        while block.isValid() and lines < MAX_LINES:
            layout = block.layout()
            lines += max(layout.lineCount() if layout else 1, 1)
            block = block.next()
        height = min(max(lines, 1), MAX_LINES) * line + 8
        if self.height() != height:
            self.setFixedHeight(height)


class AttachmentChip(QFrame):
    """One attached file; `problem` says why the chosen model can't take it."""

    removed = Signal(object)

    def __init__(self, attachment: Attachment, problem: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("attachment")
        self.attachment = attachment
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 3, 3, 3)
        row.setSpacing(6)
        role = QPalette.ColorRole.BrightText if problem else QPalette.ColorRole.PlaceholderText
        row.addWidget(IconLabel("triangle-alert" if problem else "file-text", 14, role))
        row.addWidget(label(attachment.name))
        row.addWidget(label(_size_text(attachment.size), "small"))
        remove = IconButton("x", tr("Remove {name}", name=attachment.name), size=12)
        remove.setObjectName("removeFile")
        remove.clicked.connect(self._remove)
        row.addWidget(remove)
        self.setToolTip(problem)
        self.setAccessibleName(f"{attachment.name}. {problem}" if problem else attachment.name)

    @Slot()
    def _remove(self) -> None:
        self.removed.emit(self.attachment)


class Composer(QFrame):
    """`submitted` carries the message to send; the composer keeps its text until `clear`."""

    submitted = Signal(object)
    stop_requested = Signal()
    edit_last = Signal()
    text_changed = Signal()
    cancel_edit = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("composer")
        self.setAccessibleName(tr("Composer"))
        self._attachments: list[tuple[Attachment, str]] = []
        self._model: ModelInfo | None = None
        self._busy = False
        self._available = True
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 10, 8)
        column.setSpacing(6)
        self._build_editing(column)
        self._chips = QHBoxLayout()
        self._chips.setSpacing(6)
        column.addLayout(self._chips)
        self.problem = label("", "warn", wrap=True)
        self.problem.hide()
        column.addWidget(self.problem)
        self.edit = PromptEdit()
        self.edit.submitted.connect(self.submit)
        self.edit.edit_last.connect(self.edit_last)
        self.edit.files_given.connect(self.add_files)
        self.edit.focus_changed.connect(self._focus_changed)
        self.edit.textChanged.connect(self._text_changed)
        column.addWidget(self.edit)
        self._build_bar(column)
        self._update()

    def _build_editing(self, column: QVBoxLayout) -> None:
        self.editing = QWidget()
        row = QHBoxLayout(self.editing)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(IconLabel("pencil", 14))
        row.addWidget(
            label(tr("Editing an earlier message. Sending starts a new branch; the old one is kept."), "stat")
        )
        row.addStretch(1)
        cancel = IconButton("x", tr("Stop editing"), size=14)
        cancel.clicked.connect(self.cancel_edit)
        row.addWidget(cancel)
        self.editing.hide()
        column.addWidget(self.editing)

    def _build_bar(self, column: QVBoxLayout) -> None:
        self.bar = QHBoxLayout()
        self.bar.setSpacing(6)
        self.attach = IconButton("paperclip", tr("Attach files"))
        self.attach.clicked.connect(self.choose_files)
        self.bar.addWidget(self.attach)
        self.bar.addStretch(1)
        self.tokens = label("", "stat")
        self.tokens.setAccessibleName(tr("Size of the prompt"))
        self.bar.addWidget(self.tokens)
        self.context_bar = QProgressBar()
        self.context_bar.setTextVisible(False)
        self.context_bar.setFixedWidth(72)
        self.context_bar.setRange(0, 1000)
        self.context_bar.setAccessibleName(tr("How full the context is"))
        self.bar.addWidget(self.context_bar)
        self.bar.addSpacing(4)
        self.send = IconButton("arrow-up", tr("Send"), role=QPalette.ColorRole.HighlightedText, object_name="send")
        self.send.set_title(tr("Send"), "Enter")
        self.send.clicked.connect(self._send_clicked)
        self.bar.addWidget(self.send)
        column.addLayout(self.bar)

    # --- what the page sets ----------------------------------------------------------------------------------
    def set_model(self, model: ModelInfo | None) -> None:
        self._model = model
        name = model.name if model else tr("the model")
        self.edit.setPlaceholderText(tr("Ask {name}…   Enter to send, Shift+Enter for a new line", name=name))
        self._show_attachments()

    def set_busy(self, busy: bool) -> None:
        self._busy = busy
        if busy:
            self.send.set_icon("square")
            self.send.set_title(tr("Stop"), "Esc")
        else:
            self.send.set_icon("arrow-up")
            self.send.set_title(tr("Send"), "Enter")
        self._update()

    def set_available(self, available: bool) -> None:
        """Whether prompts can be sent at all (the store can be written)."""
        self._available = available
        self._update()

    def set_editing(self, editing: bool) -> None:
        self.editing.setVisible(editing)

    def set_count(self, tokens: int | None, limit: int | None, exact: bool) -> None:
        """Tokens of everything that would be sent, against the context's size."""
        mark = "" if exact else "~"
        over = tokens - limit if limit and tokens is not None else 0
        if tokens is None:
            text = ""
        elif over > 0:
            text = tr(
                "{mark}{over} tokens too many for {limit}", mark=mark, over=number(over), limit=number(tokens - over)
            )
        elif limit:
            text = tr("{mark}{tokens} of {limit} tokens", mark=mark, tokens=number(tokens), limit=number(limit))
        else:
            text = tr("{mark}{tokens} tokens", mark=mark, tokens=number(tokens))
        self.tokens.setText(text)
        self.context_bar.setVisible(bool(limit) and tokens is not None)
        share, tip = 0.0, ""
        if limit and tokens is not None:
            share = tokens / limit
            self.context_bar.setValue(min(round(share * 1000), 1000))
            tip = tr("The context is {percent} % full.", percent=round(share * 100))
            if over > 0:
                tip += " " + tr("The prompt does not fit: older turns must go, or the context must grow.")
        for widget, usual in ((self.context_bar, ""), (self.tokens, "stat")):
            widget.setToolTip(tip)
            name = "bad" if over > 0 else "warn" if share > NEARLY_FULL else usual
            if widget.objectName() != name:
                widget.setObjectName(name)
                restyle(widget)

    # --- text and files --------------------------------------------------------------------------------------
    @property
    def text(self) -> str:
        return self.edit.toPlainText()

    def set_text(self, text: str) -> None:
        self.edit.setPlainText(text)
        self.edit.moveCursor(QTextCursor.MoveOperation.End)

    def clear(self) -> None:
        self.edit.clear()
        self._attachments.clear()
        self.problem.hide()
        self._show_attachments()

    def message(self) -> Message:
        parts: list[Part] = [TextPart(self.text)] if self.text.strip() else []
        for attachment, text in self._attachments:
            if attachment.media_type.startswith("image/"):
                parts.append(ImagePart(attachment))
            else:
                parts.append(FilePart(attachment, text))
        return Message("user", tuple(parts))

    @Slot(list)
    def add_files(self, files: list[object]) -> None:
        problems = [self._add_file(Path(str(name))) for name in files if isinstance(name, str | Path)]
        if any(not isinstance(name, str | Path) for name in files):
            problems.append(
                tr("Pictures from the clipboard can't be attached yet; save the picture and drop the file.")
            )
        self._tell(" ".join(problem for problem in problems if problem))
        self._show_attachments()
        self.text_changed.emit()

    @Slot()
    def choose_files(self) -> None:
        names, _filter = QtWidgets.QFileDialog.getOpenFileNames(self, tr("Attach files"))
        if names:
            self.add_files(list(names))
        self.edit.setFocus()

    def _add_file(self, path: Path) -> str:
        """Returns what is wrong with it, for the user; empty if it was attached."""
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                return tr("{name} is larger than 20 MB and was not attached.", name=path.name)
            data = path.read_bytes()
        except OSError as error:
            return tr("{name} can't be read: {reason}.", name=path.name, reason=error.strerror or error)
        media_type = mimetypes.guess_type(path.name)[0] or "text/plain"
        if media_type.startswith("image/") and media_type != "image/svg+xml":
            self._attachments.append((Attachment.of(data, media_type, path.name), ""))
            return ""
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return tr("{name} is not a text file and was not attached.", name=path.name)
        if "\0" in text:
            return tr("{name} is not a text file and was not attached.", name=path.name)
        self._attachments.append((Attachment.of(data, "text/plain", path.name), text))
        return ""

    def _problem_of(self, attachment: Attachment) -> str:
        is_image = attachment.media_type.startswith("image/")
        if is_image and self._model is not None and "images" not in self._model.capabilities:
            return tr("{model} can't read images.", model=self._model.name)
        return ""

    def _show_attachments(self) -> None:
        clear_layout(self._chips)
        problems = []
        for attachment, _text in self._attachments:
            problem = self._problem_of(attachment)
            if problem:
                problems.append(problem)
            chip = AttachmentChip(attachment, problem)
            chip.removed.connect(self._remove)
            self._chips.addWidget(chip)
        if self._attachments:
            self._chips.addStretch(1)
        if problems:
            self._tell(problems[0] + " " + tr("Remove the picture or choose a model that can."))
        self._update()

    @Slot(object)
    def _remove(self, attachment: Attachment) -> None:
        self._attachments = [entry for entry in self._attachments if entry[0] is not attachment]
        self._tell("")
        self._show_attachments()
        self.text_changed.emit()

    def _tell(self, problem: str) -> None:
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))

    # --- sending ---------------------------------------------------------------------------------------------
    @Slot()
    def submit(self) -> None:
        if self._can_send():
            self.submitted.emit(self.message())

    @Slot()
    def _send_clicked(self) -> None:
        if self._busy:
            self.stop_requested.emit()
        else:
            self.submit()

    def _can_send(self) -> bool:
        has_content = bool(self.text.strip()) or bool(self._attachments)
        blocked = any(self._problem_of(attachment) for attachment, _text in self._attachments)
        return has_content and not blocked and not self._busy and self._available

    def _update(self) -> None:
        self.send.setEnabled(self._busy or self._can_send())

    @Slot()
    def _text_changed(self) -> None:
        self._update()
        self.text_changed.emit()

    @Slot(bool)
    def _focus_changed(self, focused: bool) -> None:
        self.setProperty("focused", focused)
        restyle(self)


def _local_files(source: QMimeData) -> list[object]:
    if not source.hasUrls():
        return []
    return [url.toLocalFile() for url in source.urls() if url.isLocalFile()]


def _size_text(size: int) -> str:
    if size < 1024:
        return tr("{size} B", size=size)
    if size < 1024 * 1024:
        return tr("{size} KB", size=round(size / 1024))
    return tr("{size} MB", size=decimal(size / 1024 / 1024))
