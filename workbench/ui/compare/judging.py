"""Judging the shown answers: votes, ratings, and the end of hiding who wrote what."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Literal

from PySide6.QtCore import QObject

from workbench.ui.context import Context
from workbench.ui.jobs import SERIAL
from workbench.ui.tr import tr

if TYPE_CHECKING:
    from workbench.ui.compare.state import CompareState


class Judging(QObject):
    """Belongs to the state, whose signals tell of what changes here."""

    def __init__(self, state: CompareState, context: Context) -> None:
        super().__init__(state)
        self._state, self._context = state, context

    @property
    def can_vote(self) -> bool:
        """The last turn is complete and has at least two answers with text."""
        turn = self._state.last_turn
        if turn is None or not turn.done:
            return False
        return sum(bool(cell.answer and cell.answer.text) for cell in turn.cells.values()) >= 2

    def vote(self, verdict: Literal["better", "tie", "both_bad"], key: str = "", reason: str = "") -> None:
        """`verdict` is better (then `key` is the better column's), tie or both_bad."""
        backend, turn = self._state.backend, self._state.last_turn
        if backend is None or turn is None or not self.can_vote:
            return
        columns = [column.key for column in self._state.shown_columns if column.key in turn.cells]
        answers = {name: turn.cells[name].answer for name in columns}
        shown = [answer.record.id for answer in answers.values() if answer is not None and answer.text]
        best = answers.get(key)
        winner = best.record.id if verdict == "better" and best is not None else None
        if verdict == "better" and winner not in shown:
            return
        blind = self._state.hidden

        def work() -> Any:
            return backend.comparisons.vote(
                turn.id,
                verdict,
                shown=shown,
                winner=winner,
                reason=reason.strip(),
                blind=blind,
            )

        def done(vote: Any) -> None:
            for judged in self._state.shown_turns:
                judged.revealed = True
            turn.vote = vote
            if blind and len(self._state.turns) > 1:
                self._reveal_stored()
            self._state.columns_changed.emit()
            self._state.turns_changed.emit()

        self._context.jobs.run(work, done, self._state.failed.emit, owner=self, lane=SERIAL)

    def reveal(self) -> None:
        """Show who wrote what without a vote."""
        if not self._state.hidden:
            return
        for turn in self._state.shown_turns:
            turn.revealed = True
        self._reveal_stored()
        self._state.columns_changed.emit()
        self._state.turns_changed.emit()

    def look(self) -> None:
        """Notice that the names were revealed elsewhere, in the history for example."""
        backend, session_id = self._state.backend, self._state.session_id
        if backend is None or session_id is None or not self._state.hidden:
            return

        def done(revealed: frozenset[str]) -> None:
            if self._state.session_id != session_id or not self._state.hidden:
                return
            for turn in self._state.turns:
                turn.revealed = turn.revealed or turn.id in revealed
            if not self._state.hidden:
                self._state.columns_changed.emit()
                self._state.turns_changed.emit()

        self._state.write(lambda: backend.comparisons.revealed(session_id), done)

    def rate(self, run_id: str, rating: int) -> None:
        """Judge one answer on its own: 1 good, -1 bad."""
        backend = self._state.backend
        if backend is not None:
            made: Any = importlib.import_module("workbench.store").Rating(run_id=run_id, rating=rating)
            text = tr("Rated as good") if rating > 0 else tr("Rated as bad")
            undo = lambda: self._state.write(lambda: backend.store.unrate(run_id), None)  # noqa: E731
            self._state.write(
                lambda: backend.store.rate(made), lambda _result: self._context.shell.toast(text, tr("Undo"), undo)
            )

    def _reveal_stored(self) -> None:
        backend, session = self._state.backend, self._state.session
        if backend is not None and session is not None and not backend.store.read_only:
            self._state.write(lambda: backend.comparisons.reveal(session.id), None)
