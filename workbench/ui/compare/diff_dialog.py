"""Two answers word by word: what is only in the first is struck out, what is only in the second underlined."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Slot
from PySide6.QtGui import QColor, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QCheckBox, QComboBox, QDialog, QHBoxLayout, QTextEdit, QVBoxLayout, QWidget

from workbench.core.word_diff import Piece, word_diff
from workbench.ui.context import Context
from workbench.ui.icons import IconButton, PushButton
from workbench.ui.tr import tr
from workbench.ui.widgets import copy_text, label


@dataclass(frozen=True, slots=True)
class DiffText:
    title: str
    text: str


def marked(pieces: list[Piece]) -> str:
    """The comparison as plain text, for the clipboard and for reading aloud."""
    marks = {"same": "{}", "removed": "[-{}-]", "added": "{{+{}+}}"}
    return "".join(marks[piece.kind].format(piece.text) for piece in pieces)


def numbers(pieces: list[Piece]) -> str:
    """How alike the texts are, in words."""
    same, removed, added = (
        sum(len(piece.text.split()) for piece in pieces if piece.kind == kind) for kind in ("same", "removed", "added")
    )
    total = 2 * same + removed + added
    percent = round(200 * same / total) if total else 100
    return tr(
        "{percent} % alike · words only in the first: {removed}, only in the second: {added}",
        percent=percent,
        removed=removed,
        added=added,
    )


class DiffDialog(QDialog):
    def __init__(self, texts: list[DiffText], first: int, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Compare word by word"))
        self.setAccessibleName(tr("Compare word by word"))
        self.resize(880, 640)
        self._texts, self._context = texts, context
        self._pieces: list[Piece] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(10)
        column.addLayout(self._build_choice(first))
        self.numbers = label("", "stat")
        column.addWidget(self.numbers)
        self.view = QTextEdit()
        self.view.setObjectName("diff")
        self.view.setReadOnly(True)
        self.view.setAccessibleName(tr("Differences"))
        column.addWidget(self.view, 1)
        column.addLayout(self._build_foot())
        context.theme.changed.connect(self._paint)
        self._compare()

    def _build_choice(self, first: int) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        self.first, self.second = QComboBox(), QComboBox()
        for box, name in ((self.first, tr("First answer")), (self.second, tr("Second answer"))):
            box.setAccessibleName(name)
            for entry in self._texts:
                box.addItem(entry.title)
            row.addWidget(box, 1)
        swap = IconButton("arrow-right", tr("Swap the two answers"), size=16)
        swap.clicked.connect(self._swap)
        row.insertWidget(1, swap)
        self.first.setCurrentIndex(first)
        self.second.setCurrentIndex(1 if first == 0 else 0)
        self.first.activated.connect(self._compare)
        self.second.activated.connect(self._compare)
        return row

    def _build_foot(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.as_text = QCheckBox(tr("Mark with [-removed-] and {+added+}"))
        self.as_text.setToolTip(tr("For screen readers, and for where colours can't be seen."))
        self.as_text.toggled.connect(self._paint)
        row.addWidget(self.as_text)
        row.addStretch(1)
        copy = PushButton(tr("Copy"), icon_name="copy")
        copy.clicked.connect(self._copy)
        row.addWidget(copy)
        close = PushButton(tr("Close"), primary=True)
        close.setDefault(True)
        close.clicked.connect(self.accept)
        row.addWidget(close)
        return row

    @Slot()
    def _swap(self) -> None:
        first, second = self.first.currentIndex(), self.second.currentIndex()
        self.first.setCurrentIndex(second)
        self.second.setCurrentIndex(first)
        self._compare()

    @Slot()
    def _compare(self) -> None:
        first, second = (self._texts[box.currentIndex()].text for box in (self.first, self.second))
        self._context.jobs.run(lambda: word_diff(first, second), self._show, owner=self, key="word-diff")

    def _show(self, pieces: list[Piece]) -> None:
        self._pieces = pieces
        self.numbers.setText(numbers(pieces))
        self.view.setAccessibleDescription(self.numbers.text())
        self._paint()

    @Slot()
    def _paint(self) -> None:
        tokens = self._context.theme.tokens
        self.view.clear()
        cursor = self.view.textCursor()
        cursor.beginEditBlock()
        for piece in self._pieces:
            style = QTextCharFormat()
            text = piece.text
            if piece.kind == "removed":
                style.setBackground(QColor(tokens.bad_bg))
                style.setForeground(QColor(tokens.bad))
                style.setFontStrikeOut(True)
                text = f"[-{text}-]" if self.as_text.isChecked() else text
            elif piece.kind == "added":
                style.setBackground(QColor(tokens.good_bg))
                style.setForeground(QColor(tokens.good))
                style.setFontUnderline(True)
                text = f"{{+{text}+}}" if self.as_text.isChecked() else text
            else:
                style.setForeground(QColor(tokens.text))
            cursor.insertText(text, style)
        cursor.endEditBlock()
        self.view.moveCursor(QTextCursor.MoveOperation.Start)

    @Slot()
    def _copy(self) -> None:
        copy_text(marked(self._pieces))
