"""What a screen reader sees: a list of messages, and an announcement when an answer is complete."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint, QPointF, QRect, QSize, QTimer
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QAccessibleInterface, QWindow
from PySide6.QtWidgets import QAccessibleWidget, QWidget
from shiboken6 import Shiboken

from workbench.ui.tr import tr, trn
from workbench.ui.transcript.items import TranscriptItem

if TYPE_CHECKING:
    from workbench.ui.transcript.row import Row
    from workbench.ui.transcript.view import TranscriptView

PREVIEW_CHARS = 200
SPARE_CHILDREN = 64
"""Messages that are gone may be kept for Qt, above as many as there are messages, until they are let go of."""
_kept: list[AccessibleTranscript] = []
"""Qt's side of each is the view's to delete, Python's is ours."""
_installed = False


def install() -> None:
    """Make Qt use `AccessibleTranscript` for all transcripts."""
    global _installed
    if not _installed:
        _installed = True
        QAccessible.installFactory(_factory)


def _factory(_key: str, owner: object) -> QAccessibleInterface | None:
    if isinstance(owner, QWidget) and getattr(owner, "speaks_messages", False):
        _forget_closed()
        interface = AccessibleTranscript(owner)  # type: ignore[arg-type]
        _kept.append(interface)
        return interface
    return None


def _forget_closed() -> None:
    """Let go of transcripts whose views were closed, and of their messages, which Qt would keep for ever."""
    for transcript in [transcript for transcript in _kept if not transcript.is_open]:
        transcript.forget(list(transcript.children))
        _kept.remove(transcript)


# PySide's stubs do not know that Qt takes null for "there is none".
class AccessibleTranscript(QAccessibleWidget):
    """A list whose children are the messages."""

    def __init__(self, view: TranscriptView) -> None:
        super().__init__(view, QAccessible.Role.List)  # its name is the widget's, whatever it is later
        self._view = view
        self.children: dict[str, AccessibleMessage] = {}
        """By the messages' keys, as far as they were asked for."""
        self._forgets = False

    @property
    def is_open(self) -> bool:
        return Shiboken.isValid(self._view)

    def forget(self, keys: list[str]) -> None:
        """Delete these messages' interfaces. Not while Qt may be at one of them."""
        for key in keys:
            message = self.children.pop(key)  # held until Qt has let go of it, or Python would free it first
            QAccessible.deleteAccessibleInterface(message.id)

    def _forget_gone(self) -> None:
        self._forgets = False
        find = self._view.board.stack.find
        self.forget([key for key in self.children if find(key) is None])

    def text(self, kind: QAccessible.Text) -> str:
        if kind == QAccessible.Text.Value:
            rows = self._view.board.stack.rows
            if self._view.current >= 0:
                return describe_row(rows[self._view.current])
            return describe_row(rows[-1]) if rows else ""
        if kind == QAccessible.Text.Description:
            return trn("{count} message", "{count} messages", len(self._view.board.stack.rows))
        return str(super().text(kind))

    def childCount(self) -> int:
        return len(self._view.board.stack.rows)

    def child(self, index: int) -> QAccessibleInterface | None:  # type: ignore[override]
        rows = self._view.board.stack.rows
        if not 0 <= index < len(rows):
            return None
        key = rows[index].item.key
        if key not in self.children:
            self.children[key] = AccessibleMessage(self._view, self, key)
            if len(self.children) > len(rows) + SPARE_CHILDREN and not self._forgets:
                self._forgets = True
                QTimer.singleShot(0, self._view, self._forget_gone)
        return self.children[key]

    def indexOfChild(self, child: QAccessibleInterface) -> int:
        return self._view.board.stack.find(child.key) or 0 if isinstance(child, AccessibleMessage) else -1

    def focusChild(self) -> QAccessibleInterface | None:  # type: ignore[override]
        return self.child(self._view.current) if self._view.current >= 0 else None

    def childAt(self, x: int, y: int) -> QAccessibleInterface | None:  # type: ignore[override]
        point = self._view.viewport().mapFromGlobal(QPoint(x, y))
        return self.child(self._view.row_at(QPointF(point)))


class AccessibleMessage(QAccessibleInterface):
    """One message: named after who wrote it, its text as value."""

    def __init__(self, view: TranscriptView, parent: AccessibleTranscript, key: str) -> None:
        super().__init__()
        self._view = view
        self._parent = parent
        self.key = key
        self.id = QAccessible.registerAccessibleInterface(self)
        """Qt's, by which it is deleted."""

    def isValid(self) -> bool:
        return Shiboken.isValid(self._view) and self._view.board.stack.find(self.key) is not None

    def object(self) -> QObject | None:  # type: ignore[override]
        return None

    def window(self) -> QWindow | None:  # type: ignore[override]
        return self._view.window().windowHandle()

    def parent(self) -> QAccessibleInterface:
        return self._parent

    def child(self, _index: int) -> QAccessibleInterface | None:  # type: ignore[override]
        return None

    def childAt(self, _x: int, _y: int) -> QAccessibleInterface | None:  # type: ignore[override]
        return None

    def childCount(self) -> int:
        return 0

    def indexOfChild(self, _child: QAccessibleInterface) -> int:
        return -1

    def role(self) -> QAccessible.Role:
        return QAccessible.Role.ListItem

    def rect(self) -> QRect:
        index = self._view.board.stack.find(self.key)
        if index is None:
            return QRect()
        board = self._view.board
        y = board.stack.tops[index] - self._view.verticalScrollBar().value()
        corner = self._view.viewport().mapToGlobal(QPoint(int(board.left), int(y)))
        return QRect(corner, QSize(int(board.width), int(board.stack.rows[index].height)))

    def state(self) -> QAccessible.State:
        state = QAccessible.State()
        index = self._view.board.stack.find(self.key)
        state.focusable = True
        state.readOnly = True
        state.focused = index == self._view.current and self._view.hasFocus()
        return state

    def setText(self, _kind: QAccessible.Text, _text: str) -> None:
        """Messages are read-only."""

    def text(self, kind: QAccessible.Text) -> str:
        index = self._view.board.stack.find(self.key)
        if index is None:
            return ""
        row = self._view.board.stack.rows[index]
        if kind == QAccessible.Text.Name:
            return writer(row.item)
        if kind in (QAccessible.Text.Value, QAccessible.Text.Description):
            return describe_row(row)
        return ""


def writer(item: TranscriptItem) -> str:
    """Who wrote a message."""
    names = {
        "user": tr("You"),
        "assistant": item.title or tr("Answer"),
        "system": tr("System prompt"),
        "tool": tr("Tool"),
        "notice": tr("Note"),
    }
    return names[item.role]


def describe(item: TranscriptItem) -> str:
    """A message as it is read out."""
    parts = [writer(item)]
    if item.error is not None:
        parts.append(tr("Error: {message}", message=str(item.error)))
    if item.attachments:
        parts.append(tr("Attached: {names}", names=", ".join(item.attachments)))
    parts.append(item.text)
    return ". ".join(part for part in parts if part)


def describe_row(row: Row) -> str:
    """As `describe`, with what has come so far of an answer that is being written."""
    if row.item.streaming:
        return describe(replace(row.item, text=row.text_of("body") or row.item.status))
    return describe(row.item)


def finished_text(item: TranscriptItem) -> str:
    if item.error is not None:
        return tr("The answer failed: {message}", message=item.error.message)
    preview = item.text[:PREVIEW_CHARS]
    return tr("Answer finished. {text}", text=preview)


def announce(view: TranscriptView, text: str) -> None:
    if QAccessible.isActive():
        event = QAccessibleAnnouncementEvent(view, text)
        event.setPoliteness(QAccessible.AnnouncementPoliteness.Polite)
        QAccessible.updateAccessibility(event)


def focus_row(view: TranscriptView, index: int) -> None:
    announce(view, describe_row(view.board.stack.rows[index]))
