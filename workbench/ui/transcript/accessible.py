"""What a screen reader sees: a list of messages, and an announcement when an answer is complete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QAccessibleInterface
from PySide6.QtWidgets import QAccessibleWidget, QWidget

from workbench.ui.tr import tr
from workbench.ui.transcript.items import TranscriptItem

if TYPE_CHECKING:
    from workbench.ui.transcript.view import TranscriptView

PREVIEW_CHARS = 200
_kept: list[QAccessibleInterface] = []
_installed = False


def install() -> None:
    """Make Qt use `AccessibleTranscript` for all transcripts."""
    global _installed
    if not _installed:
        _installed = True
        QAccessible.installFactory(_factory)


def _factory(_key: str, owner: object) -> QAccessibleInterface | None:
    if isinstance(owner, QWidget) and hasattr(owner, "board") and hasattr(owner, "finder"):
        interface = AccessibleTranscript(owner)  # type: ignore[arg-type]
        _kept.append(interface)
        return interface
    return None


class AccessibleTranscript(QAccessibleWidget):
    def __init__(self, view: TranscriptView) -> None:
        super().__init__(view, QAccessible.Role.List, view.accessibleName())
        self._view = view

    def text(self, kind: QAccessible.Text) -> str:
        if kind == QAccessible.Text.Value:
            rows = self._view.board.stack.rows
            if self._view.current >= 0:
                return describe(rows[self._view.current].item)
            return describe(rows[-1].item) if rows else ""
        if kind == QAccessible.Text.Description:
            return tr("{count} messages", count=len(self._view.board.stack.rows))
        return str(super().text(kind))


def describe(item: TranscriptItem) -> str:
    """A message as it is read out."""
    names = {
        "user": tr("You"),
        "assistant": item.title or tr("Answer"),
        "system": tr("System prompt"),
        "tool": tr("Tool"),
        "notice": tr("Note"),
    }
    parts = [names[item.role]]
    if item.error is not None:
        parts.append(tr("Error: {message}", message=str(item.error)))
    if item.attachments:
        parts.append(tr("Attached: {names}", names=", ".join(item.attachments)))
    parts.append(item.text)
    return ". ".join(part for part in parts if part)


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
    announce(view, describe(view.board.stack.rows[index].item))
