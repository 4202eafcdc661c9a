"""Keyboard input of the transcript.

Arrows go from message to message once one is current (Tab into the view, or Ctrl+arrow); a message taller than the
view is scrolled through first. Enter or Menu opens its menu, Space shows its thoughts, Ctrl+C copies, Shift+arrows
extend the selection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QKeySequence, QTextCursor

from workbench.ui.transcript.selection import Position

if TYPE_CHECKING:
    from workbench.ui.transcript.view import TranscriptView

_LINE_PX = 48
_TAB_REASONS = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)

_MOVES = {
    (Qt.Key.Key_Left, False): QTextCursor.MoveOperation.PreviousCharacter,
    (Qt.Key.Key_Right, False): QTextCursor.MoveOperation.NextCharacter,
    (Qt.Key.Key_Left, True): QTextCursor.MoveOperation.PreviousWord,
    (Qt.Key.Key_Right, True): QTextCursor.MoveOperation.NextWord,
    (Qt.Key.Key_Up, False): QTextCursor.MoveOperation.Up,
    (Qt.Key.Key_Down, False): QTextCursor.MoveOperation.Down,
    (Qt.Key.Key_Home, False): QTextCursor.MoveOperation.StartOfLine,
    (Qt.Key.Key_End, False): QTextCursor.MoveOperation.EndOfLine,
    (Qt.Key.Key_Home, True): QTextCursor.MoveOperation.Start,
    (Qt.Key.Key_End, True): QTextCursor.MoveOperation.End,
}


class KeyControl:
    def __init__(self, view: TranscriptView) -> None:
        self._view = view

    def press(self, event: QKeyEvent) -> bool:
        """False if the key is not for the transcript."""
        view = self._view
        if event.matches(QKeySequence.StandardKey.Copy):
            return view.copy()
        if event.matches(QKeySequence.StandardKey.SelectAll):
            view.select_all()
            return True
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if shift and control and event.key() == Qt.Key.Key_C:
            return view.copy(markdown=True)
        if shift and not view.board.selection.is_empty:
            return self._extend(event.key(), control)
        return self._navigate(event.key(), control)

    def focus_in(self, reason: Qt.FocusReason) -> None:
        """Coming by Tab, the last message in view becomes the current one."""
        view = self._view
        if reason in _TAB_REASONS and view.current < 0 and view.board.stack.rows:
            visible = view.board.stack.visible(
                view.verticalScrollBar().value(), view.verticalScrollBar().value() + view.viewport().height()
            )
            view.set_current(visible[-1])
        else:
            view.set_current(view.current) if view.current >= 0 and reason in _TAB_REASONS else None

    def _navigate(self, key: int, control: bool) -> bool:
        view = self._view
        bar = view.verticalScrollBar()
        last = len(view.board.stack.rows) - 1
        if key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self._arrow(1 if key == Qt.Key.Key_Down else -1, jump=control)
        elif key == Qt.Key.Key_PageUp:
            bar.setValue(bar.value() - bar.pageStep() + _LINE_PX)
        elif key in (Qt.Key.Key_PageDown, Qt.Key.Key_Space) and not (key == Qt.Key.Key_Space and view.current >= 0):
            bar.setValue(bar.value() + bar.pageStep() - _LINE_PX)
        elif key == Qt.Key.Key_Home:
            view.set_current(0) if view.current >= 0 else bar.setValue(0)
        elif key == Qt.Key.Key_End:
            if view.current >= 0:
                view.set_current(last)
            view.scroll_to_end()
        elif key == Qt.Key.Key_Escape and (view.current >= 0 or not view.board.selection.is_empty):
            view.clear_selection()
            view.set_current(-1)
        elif view.current >= 0:
            return self._on_message(key)
        else:
            return False
        return True

    def _on_message(self, key: int) -> bool:
        view = self._view
        row = view.board.stack.rows[view.current]
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Menu):
            view.open_menu(view.current)
        elif key == Qt.Key.Key_Space and row.text_of("reasoning"):
            view.set_expanded(row.item.key, not row.expanded)
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right) and row.item.sibling[1] > 1:
            step = 1 if key == Qt.Key.Key_Right else -1
            if 1 <= row.item.sibling[0] + step <= row.item.sibling[1]:
                action = "next_sibling" if step > 0 else "previous_sibling"
                view.action_requested.emit(row.item.key, action)
        else:
            return False
        return True

    def _arrow(self, step: int, *, jump: bool) -> None:
        """To the next message, or by a line where there is no current one or it reaches beyond the view."""
        view = self._view
        bar = view.verticalScrollBar()
        rows = view.board.stack.rows
        if not rows:
            return
        if view.current < 0:
            if jump:
                view.set_current(view.board.stack.at(bar.value() + view.viewport().height() / 2))
            else:
                view.scroll_by(step * _LINE_PX)
            return
        top = view.board.stack.tops[view.current] - bar.value()
        bottom = top + rows[view.current].height
        beyond = bottom > view.viewport().height() + 4 if step > 0 else top < -4
        if beyond and not jump:
            view.scroll_by(step * _LINE_PX * 2)
        elif 0 <= view.current + step < len(rows):
            view.set_current(view.current + step)

    def _extend(self, key: int, control: bool) -> bool:
        view = self._view
        board = view.board
        move = _MOVES.get((Qt.Key(key), control)) or _MOVES.get((Qt.Key(key), False))
        if move is None or board.selection.cursor is None:
            return False
        position = board.selection.cursor
        if position.piece >= len(board.stack.rows[position.row].pieces):
            return True
        cursor = board.cursor(position)
        if cursor.movePosition(move) and cursor.position() != position.offset:
            position = position._replace(offset=cursor.position())
        else:
            position = self._neighbour(position, forward=key in (Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_End))
        board.selection.origin = None
        board.selection.cursor = position
        view.viewport().update()
        return True

    def _neighbour(self, position: Position, *, forward: bool) -> Position:
        """The end of the piece before, or the beginning of the one after."""
        board = self._view.board
        places = [
            (index, number)
            for index in range(max(0, position.row - 1), min(len(board.stack.rows), position.row + 2))
            for number, piece in enumerate(board.stack.rows[index].pieces)
            if piece in board.stack.rows[index].shown_pieces()
        ]
        here = places.index((position.row, position.piece)) + (1 if forward else -1)
        if not 0 <= here < len(places):
            return position
        target = Position(*places[here], 0)
        if forward:
            return target
        cursor = board.cursor(target)
        cursor.movePosition(QTextCursor.MoveOperation.End)
        return target._replace(offset=cursor.position())
