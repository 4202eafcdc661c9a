"""What a click on something in the transcript does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Slot

from workbench.ui.transcript.targets import Kind, Target

if TYPE_CHECKING:
    from workbench.ui.transcript.view import TranscriptView

COPIED_MS = 1_500


class Commands(QObject):
    def __init__(self, view: TranscriptView) -> None:
        super().__init__(view)
        self._view = view
        self.copied: Target | None = None
        """What was copied a moment ago: shown with a tick."""
        self._timer = QTimer(self, singleShot=True, interval=COPIED_MS)
        self._timer.timeout.connect(self._forget_copied)

    def activate(self, target: Target) -> None:
        """Do what a click on `target` does."""
        row = self._view.board.stack.rows[target.row]
        match target.kind:
            case Kind.TOGGLE:
                self._view.set_expanded(row.item.key, not row.expanded)
            case Kind.LINK:
                self._view.link_activated.emit(target.value)
            case Kind.COPY_CODE | Kind.WRAP_CODE:
                self._activate_code(target)
            case Kind.COPY_ERROR:
                error = row.item.error
                if error is not None:
                    self._view.copy_to_clipboard("\n".join(filter(None, (error.message, error.hint, error.detail))))
                    self._show_copied(target)
            case Kind.ACTION:
                self.trigger(target.row, target.value)
            case Kind.PREVIOUS | Kind.NEXT:
                number, count = row.item.sibling
                if 1 <= number + (1 if target.kind is Kind.NEXT else -1) <= count:
                    self._view.action_requested.emit(row.item.key, str(target.kind))
            case Kind.MENU:
                self._view.open_menu(target.row)

    def trigger(self, index: int, action: str) -> None:
        """Run a message's action: "copy" here, everything else by the window."""
        row = self._view.board.stack.rows[index]
        if action == "copy":
            self._view.copy_to_clipboard(row.text_of("body"))
            self._show_copied(Target(Kind.ACTION, index, "copy"))
        self._view.action_requested.emit(row.item.key, action)

    def _activate_code(self, target: Target) -> None:
        assert target.piece is not None
        rendering = self._view.board.documents.cached(target.piece)
        if rendering is None:
            return
        panel = next((p for p in rendering.panels.all() if p.number == target.panel), None)
        if panel is None:
            return
        if target.kind is Kind.COPY_CODE:
            code = rendering.panels.text(panel)
            self._view.copy_to_clipboard(code)
            self._show_copied(target)
            self._view.code_copied.emit(code)
            self._view.action_requested.emit(self._view.board.stack.rows[target.row].item.key, "copy_code")
        else:
            rendering.panels.set_wrapped(panel, panel.number not in rendering.panels.wrapped)
            target.piece.exact = False
            self._view.scroller.set_following(False)
            self._view.scroller.remeasure(target.row)

    def _show_copied(self, target: Target) -> None:
        self.copied = target
        self._timer.start()
        self._view.update_row(target.row)

    @Slot()
    def _forget_copied(self) -> None:
        self.copied = None
        self._view.viewport().update()
