"""Judging the last prompt's answers: which is better, a tie, or all bad; with a reason if wanted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QWidget

from workbench.ui.compare.state import CompareState
from workbench.ui.icons import IconLabel, PushButton
from workbench.ui.tr import tr
from workbench.ui.widgets import ElidedLabel, announce, clear_layout


class VoteBar(QFrame):
    """Hidden until all answers are there. Keys: 1 to 8 for the better answer, T for a tie, B for all bad."""

    def __init__(self, state: CompareState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("voteBar")
        self.setAccessibleName(tr("Vote"))
        self._state = state
        self._again = False
        self.buttons: list[PushButton] = []
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 6, 8, 6)
        row.setSpacing(8)
        row.addWidget(IconLabel("scale", 16))
        self.text = ElidedLabel("")
        row.addWidget(self.text, 5)
        self.reason = QLineEdit()
        self.reason.setPlaceholderText(tr("Why? (optional)"))
        self.reason.setAccessibleName(tr("Reason for the vote, optional"))
        self.reason.setMinimumWidth(60)
        row.addWidget(self.reason, 3)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(6)
        row.addLayout(self._buttons)
        self.again = PushButton(tr("Vote again"))
        self.again.clicked.connect(self._vote_again)
        row.addWidget(self.again)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        state.turns_changed.connect(self.refresh)
        state.columns_changed.connect(self.refresh)
        state.models_changed.connect(self.refresh)
        state.turn_done.connect(self._finished)
        state.running_changed.connect(self.refresh)
        state.cell_changed.connect(self.refresh)
        self.refresh()

    @property
    def is_open(self) -> bool:
        """A vote is asked for."""
        return not self.isHidden() and not self.reason.isHidden()

    @Slot()
    def refresh(self) -> None:
        state = self._state
        turn = state.last_turn
        if turn is None or not state.judging.can_vote:
            self._again = False
            if turn is not None and state.hidden and turn.done:
                self._show_unjudgeable()
            else:
                self.hide()
            return
        voted = turn.vote is not None and not self._again
        self._fill(voted)
        self.reason.setVisible(not voted)
        self.again.setVisible(voted)
        if voted:
            self.text.set_text(self._verdict())
        elif state.hidden:
            self.text.set_text(tr("Which is better? Names are shown after the vote."))
        else:
            self.text.set_text(tr("Which answer is better?"))
        self.show()

    def _fill(self, voted: bool) -> None:
        clear_layout(self._buttons)
        self.buttons = []
        turn = self._state.last_turn
        if voted or turn is None:
            return
        for number, column in enumerate(self._state.shown_columns, start=1):
            cell = turn.cells.get(column.key)
            if cell is None or cell.answer is None or not cell.answer.text:
                continue
            title = self._state.title(column)
            name = tr("{title} is better (key {number})", title=title, number=number)
            self._add(str(number), name, partial(self.vote_for, column.key))
        self._add(tr("Tie"), tr("Tie (key T)"), self.vote_tie)
        self._add(tr("Both bad") if len(turn.cells) == 2 else tr("All bad"), tr("All bad (key B)"), self.vote_bad)
        if self._state.hidden:
            self._add(tr("Reveal"), tr("Show who wrote what without a vote"), self._state.judging.reveal)

    def _add(self, text: str, name: str, callback: Callable[[], None]) -> None:
        button = PushButton(text)
        button.setAccessibleName(name)
        button.setToolTip(name)
        button.clicked.connect(lambda _checked=False: callback())
        self.buttons.append(button)
        self._buttons.addWidget(button)

    def _show_unjudgeable(self) -> None:
        """Too few answers came: nothing to vote on, so only the names can be asked for."""
        clear_layout(self._buttons)
        self.buttons = []
        self._add(tr("Reveal"), tr("Show who wrote what without a vote"), self._state.judging.reveal)
        self.text.set_text(tr("There are not two answers to judge."))
        self.reason.hide()
        self.again.hide()
        self.show()

    def _verdict(self) -> str:
        turn = self._state.last_turn
        vote = turn.vote if turn else None
        if turn is None or vote is None:
            return ""
        if vote.verdict == "better":
            found = self._state.answer(vote.winner_run_id or "")
            column = next((c for c in turn.columns if found and c.key == found[1]), None)
            text = tr("Your vote: {title}", title=self._state.title(column) if column else "?")
        else:
            text = tr("Your vote: a tie") if vote.verdict == "tie" else tr("Your vote: all bad")
        return f"{text} – {vote.reason}" if vote.reason else text

    # --- voting -----------------------------------------------------------------------------------------------
    def vote_place(self, number: int) -> None:
        """The answer with this number (from 1) is better."""
        columns = self._state.shown_columns
        if self.is_open and 1 <= number <= len(columns):
            self.vote_for(columns[number - 1].key)

    def vote_for(self, key: str) -> None:
        self._send("better", key)

    @Slot()
    def vote_tie(self) -> None:
        self._send("tie")

    @Slot()
    def vote_bad(self) -> None:
        self._send("both_bad")

    def _send(self, verdict: Literal["better", "tie", "both_bad"], key: str = "") -> None:
        if self.is_open:
            self._again = False
            self._state.judging.vote(verdict, key, self.reason.text())
            self.reason.clear()

    @Slot()
    def _vote_again(self) -> None:
        self._again = True
        self.refresh()
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot()
    def _finished(self) -> None:
        self.refresh()
        if self.is_open:
            announce(self, self.text.full_text)
