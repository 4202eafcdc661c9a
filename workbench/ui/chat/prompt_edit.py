"""The field a prompt is written in. Part of the first paint: it imports nothing but Qt."""

from __future__ import annotations

from PySide6 import QtCore
from PySide6.QtCore import QEvent, QMimeData, QRect, QTimer, Signal, Slot
from PySide6.QtGui import QFocusEvent, QFontMetrics, QKeyEvent, QKeySequence, QResizeEvent
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from workbench.ui.numbers import NO_FRAME, NO_HORIZONTAL_BAR, set_number
from workbench.ui.tr import tr

MAX_LINES = 12
WORD_WRAP = 0x1000
"""Qt.TextFlag.TextWordWrap."""


class PromptEdit(QPlainTextEdit):
    """Enter sends, Shift+Enter breaks the line, Up in an empty field edits the last message."""

    submitted = Signal()
    edit_last = Signal()
    files_given = Signal(list)
    """Paths (str) or pictures (QImage) that were pasted or dropped."""
    focus_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Prompt"))
        self.setTabChangesFocus(True)
        set_number(self, NO_FRAME)
        set_number(self, NO_HORIZONTAL_BAR)
        self.document().setDocumentMargin(2)
        self.textChanged.connect(self._grow)
        self._grow()

    def event(self, event: QEvent) -> bool:
        """Where there is no text to undo or redo, the keys are the window's: they take back a deletion."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            document, keys = self.document(), QKeySequence.StandardKey
            idle = (keys.Undo, document.isUndoAvailable()), (keys.Redo, document.isRedoAvailable())
            if any(event.matches(key) and not available for key, available in idle):
                event.ignore()
                return False
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = QtCore.Qt.Key
        if event.key() in (key.Key_Return, key.Key_Enter):
            if event.modifiers() & QtCore.Qt.KeyboardModifier.ShiftModifier:
                self.textCursor().insertText("\n")
                self.ensureCursorVisible()
            else:
                self.submitted.emit()
            return
        if event.key() == key.Key_Up and not self.toPlainText():
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

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.height() != self._wanted_height():
            QTimer.singleShot(0, self, self._grow)  # in here Qt would leave the part that shows the text as it was

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

    def setPlaceholderText(self, text: str) -> None:
        super().setPlaceholderText(text)
        self._grow()

    @Slot()
    def _grow(self) -> None:
        height = self._wanted_height()
        if self.height() != height:
            self.setFixedHeight(height)

    def _wanted_height(self) -> int:
        metrics = QFontMetrics(self.font())
        lines = max(self._text_lines(), self._placeholder_lines(metrics))  # it does not shrink with the first letter
        return min(lines, MAX_LINES) * metrics.lineSpacing() + 8

    def _text_lines(self) -> int:
        lines, block = 0, self.document().begin()
        while block.isValid() and lines < MAX_LINES:
            layout = block.layout()
            lines += max(layout.lineCount() if layout else 1, 1)
            block = block.next()
        return lines

    def _placeholder_lines(self, metrics: QFontMetrics) -> int:
        room = self.viewport().width() - 2 * round(self.document().documentMargin())
        text = self.placeholderText()
        if not self.isVisible() or metrics.horizontalAdvance(text) <= room:
            return 1  # not visible: it has no width yet
        return -(-metrics.boundingRect(QRect(0, 0, room, 0), WORD_WRAP, text).height() // metrics.lineSpacing())


def _local_files(source: QMimeData) -> list[object]:
    if not source.hasUrls():
        return []
    return [url.toLocalFile() for url in source.urls() if url.isLocalFile()]
