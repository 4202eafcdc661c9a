"""The comparison the window shows: its columns, its turns, and what is running. Views hold no truth of their own."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from PySide6.QtCore import QObject, Signal, Slot

from workbench.core.errors import ErrorInfo
from workbench.core.messages import Message
from workbench.core.models import ModelInfo
from workbench.ui.compare import columns as sets
from workbench.ui.compare.columns import Column
from workbench.ui.compare.judging import Judging
from workbench.ui.compare.setup import ColumnSetup
from workbench.ui.compare.turns import Answer, Cell, Opened, Turn, read_comparison, turn_of
from workbench.ui.context import Context
from workbench.ui.jobs import SERIAL, Job
from workbench.ui.tr import mark, tr

if TYPE_CHECKING:
    from workbench.services.comparison import ColumnRuns, ColumnSpec, TurnRuns
    from workbench.services.runner import Run
    from workbench.store.values import Session


class CompareState(ColumnSetup):
    kind = "comparison"
    deleted_text = mark("Comparison deleted")
    turns_changed = Signal()
    """Other turns are shown, or who wrote them is hidden or shown now."""
    cell_changed = Signal(str)
    """A column (by key) has another answer or shows another one."""
    answer_done = Signal(str)
    """An answer (by the id of its run) is complete."""
    turn_done = Signal()
    running_changed = Signal()
    opened_at = Signal(str)
    """A stored comparison is shown, and looked at for the sake of this turn (by its id)."""
    models_changed = Signal()
    draft_returned = Signal(object)
    """A Message that could not be sent."""

    def __init__(self, context: Context, parent: QObject | None = None) -> None:
        remembered = sets.set_from(dict(context.state.value.compare))
        super().__init__(context, remembered, parent)
        self.judging = Judging(self, context)
        self.session: Session | None = None
        self.turns: list[Turn] = []
        self.models: list[ModelInfo] = []
        self.sending = False
        self._wanted = remembered.session_id
        self._opening: Job | None = None
        self._hidden_order: list[str] = []
        context.backend.when_ready(self._backend_ready)
        context.backend.models_changed.connect(self.reload_models)

    # --- reading ----------------------------------------------------------------------------------------------
    @property
    def session_id(self) -> str | None:
        return self.session.id if self.session else None

    @property
    def hidden(self) -> bool:
        """Who wrote the answers is hidden until the vote."""
        return bool(self.turns) and self.turns[-1].hides

    @property
    def shown_turns(self) -> list[Turn]:
        """While names are hidden only the turns not judged yet: earlier ones would tell who is who."""
        if not self.hidden:
            return self.turns
        first = len(self.turns)
        while first > 0 and self.turns[first - 1].hides:
            first -= 1
        return self.turns[first:]

    @property
    def shown_columns(self) -> list[Column]:
        """In the order in which they stand; shuffled while names are hidden."""
        if not self.hidden:
            return list(self.columns)
        by_key = {column.key: column for column in self.turns[-1].columns}
        return [by_key[key] for key in self._hidden_order if key in by_key]

    @property
    def last_turn(self) -> Turn | None:
        return self.turns[-1] if self.turns else None

    @property
    def running_here(self) -> bool:
        return any(not turn.done for turn in self.turns)

    def title(self, column: Column) -> str:
        """The column's name, or while names are hidden its place."""
        if self.hidden:
            keys = [other.key for other in self.shown_columns]
            return tr("Answer {number}", number=keys.index(column.key) + 1 if column.key in keys else "?")
        return sets.title(column, self.models, self.columns)

    def titles(self) -> dict[str, str]:
        return {column.key: self.title(column) for column in self.shown_columns}

    def model(self, column: Column) -> ModelInfo | None:
        return next((info for info in self.models if info.id == column.model), None)

    def answer(self, run_id: str) -> tuple[Turn, str, Answer] | None:
        """(turn, column key, answer) of a run that is shown."""
        for turn in self.turns:
            for key, cell in turn.cells.items():
                for answer in cell.answers:
                    if answer.record.id == run_id:
                        return turn, key, answer
        return None

    # --- sessions ---------------------------------------------------------------------------------------------
    def new_chat(self) -> None:
        """Begin another comparison with the columns as they are."""
        self._stop_opening()
        self.session, self.turns = None, []
        self._remember()
        self.session_changed.emit()
        self.turns_changed.emit()

    def open_session(self, session_id: str, at: str = "") -> None:
        """`at`: the id of a prompt, of a run or of its message, whose turn is to be seen."""
        backend = self.backend
        if backend is None:
            self._wanted = session_id
            return
        if session_id == self.session_id and self._look_at(at):
            return
        self._opening = self._context.jobs.run(
            lambda: read_comparison(backend, session_id),
            lambda opened: self._show(opened, at),
            self.failed.emit,
            owner=self,
            key="open-compare",
        )

    def _look_at(self, at: str) -> bool:
        """Show a turn of the comparison that is shown already, without reading again: the columns as they are set up
        and the chosen answers stay. False: it has no such turn."""
        wanted = next((turn for turn in self.turns if at and turn.begin_at(at)), None)
        if wanted is None:
            return False
        self._stop_opening()
        for key in wanted.cells:
            self.cell_changed.emit(key)
        self.opened_at.emit(wanted.id)
        return True

    def _stop_opening(self) -> None:
        """Else a comparison that is still being read would take the place of the one the user began meanwhile."""
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None

    def take_changes(self, changes: Mapping[str, Any]) -> None:
        if self.session is not None:
            self.session = replace(self.session, **changes)

    # --- asking -----------------------------------------------------------------------------------------------
    def send(self, prompt: Message) -> bool:
        """Put the prompt to all columns. False: it can't be sent now."""
        backend = self.backend
        if backend is None or self.sending or self.running_here:
            return False
        self._stop_opening()
        columns, session_id = list(self.columns), self.session_id
        if self.hidden and self.last_turn is not None:
            columns = list(self.last_turn.columns)
        blind, schedule, leaves = self.blind or self.hidden, self.schedule, self._leaves()
        self.sending = True
        self.running_changed.emit()

        def work() -> tuple[TurnRuns, Session | None]:
            specs = [_spec(column) for column in columns]
            if session_id is None:
                started = backend.comparisons.start(specs, prompt, blind=blind, schedule=schedule)
            else:
                started = backend.comparisons.follow_up(
                    session_id, prompt, columns=specs, leaves=leaves, blind=blind, schedule=schedule
                )
            return started, backend.store.session(started.comparison.session_id or "")

        def done(result: tuple[TurnRuns, Session | None]) -> None:
            self.sending = False
            started, session = result
            for run in started.runs:
                self._watch(run)
            if session is not None and self.session_id == session_id:
                self._show_turn(turn_of(started, columns, prompt), session)
            self.running_changed.emit()
            self.sessions_changed.emit()

        def failed(error: ErrorInfo) -> None:
            self.sending = False
            self.running_changed.emit()
            self.draft_returned.emit(prompt)
            self.failed.emit(error)

        self._context.jobs.run(work, done, failed, owner=self, lane=SERIAL)
        return True

    def ask_column(self, key: str) -> None:
        """Ask one column the last prompt: again if it was asked before."""
        backend, turn, column = self.backend, self.last_turn, self.column(key)
        if backend is None or turn is None or self.sending:
            return
        cell = turn.cells.get(key)
        if cell is not None and not cell.done:
            return
        if self.hidden:
            column = next((other for other in turn.columns if other.key == key), None)
        if column is None:
            return
        chosen = column
        if cell is not None:
            index = cell.index
            work: Callable[[], list[Run]] = lambda: [  # noqa: E731
                backend.comparisons.retry(turn.id, index, _spec(chosen))
            ]
        else:

            def work() -> list[Run]:
                joined: ColumnRuns = backend.comparisons.join(turn.id, _spec(chosen))
                return joined.runs

        def done(runs: list[Run]) -> None:
            if all(known.key != key for known in turn.columns):
                turn.columns = (*turn.columns, chosen)
            self._show_answers(turn, key, runs)

        self._context.jobs.run(work, done, self.failed.emit, owner=self, lane=SERIAL)

    def _show_answers(self, turn: Turn, key: str, runs: list[Run]) -> None:
        """New answers of a column that begin now."""
        cell = turn.cells.setdefault(key, Cell([], len(turn.cells)))
        cell.shown = len(cell.answers)
        cell.answers += [Answer(run.record, run) for run in runs]
        for run in runs:
            self._watch(run)
        self.cell_changed.emit(key)
        self.running_changed.emit()

    def ask_all(self) -> None:
        """Ask every column the last prompt again; the earlier answers stay beside the new ones."""
        backend, turn = self.backend, self.last_turn
        if backend is None or turn is None or not turn.done or self.sending:
            return
        columns = {column.key: column for column in (turn.columns if self.hidden else self.columns)}
        keys = {cell.index: key for key, cell in turn.cells.items() if key in columns}
        schedule = self.schedule

        def work() -> dict[int, Run]:
            specs = {place: _spec(columns[key]) for place, key in keys.items()}
            return backend.comparisons.retry_all(turn.id, specs, schedule=schedule)

        def done(runs: dict[int, Run]) -> None:
            for place, run in runs.items():
                self._show_answers(turn, keys[place], [run])

        self._context.jobs.run(work, done, self.failed.emit, owner=self, lane=SERIAL)

    def can_ask(self, key: str) -> bool:
        """A column that was not there when the only prompt was sent can still be asked it."""
        return len(self.turns) == 1 and key not in self.turns[0].cells

    def stop(self, key: str | None = None) -> bool:
        """Stop one column or all; False if nothing was running."""
        stopped = False
        for turn in self.turns:
            for name, cell in turn.cells.items():
                for answer in cell.answers if key in (None, name) else ():
                    if answer.run is not None and not answer.run.done:
                        answer.run.cancel()
                        stopped = True
        return stopped

    def show_sibling(self, run_id: str, step: int) -> None:
        found = self.answer(run_id)
        if found is not None and found[0].cells[found[1]].step(step):
            self.cell_changed.emit(found[1])

    def fork(self, key: str, run_id: str = "") -> None:
        """Go on with one column in a chat of its own."""
        backend, session_id = self.backend, self.session_id
        found = self.answer(run_id) if run_id else self._last_answer(key)
        if backend is None or session_id is None or found is None or self.hidden:
            return
        answer = found[2]
        index = next((turn.cells[key].index for turn in reversed(self.turns) if key in turn.cells), 0)

        def done(chat_id: str) -> None:
            page: Any = self._context.shell.show_place("chat")
            page.state.sessions_changed.emit()
            page.state.open_session(chat_id)

        self._context.jobs.run(
            lambda: backend.comparisons.fork(session_id, index, answer.record.message_id),
            done,
            self.failed.emit,
            owner=self,
            lane=SERIAL,
        )

    # --- inside -----------------------------------------------------------------------------------------------
    @Slot()
    def _backend_ready(self) -> None:
        self.reload_models()
        self.sessions_changed.emit()
        if self._wanted:
            self.open_session(self._wanted)
            self._wanted = ""

    def reload_models(self) -> None:
        backend = self.backend
        if backend is not None:
            key = "compare-models"
            self._context.jobs.run(backend.catalog.models, self._set_models, self.failed.emit, owner=self, key=key)

    def _set_models(self, models: list[ModelInfo]) -> None:
        self.models = models
        self.models_changed.emit()

    def _show(self, opened: Opened | None, at: str = "") -> None:
        if opened is None:
            self.new_chat()
            return
        wanted = next((turn for turn in opened.turns if at and turn.begin_at(at)), None)
        self.session, self.turns = opened.session, opened.turns
        if self.turns:
            self.columns = self.turns[-1].columns
            self._hide_order()
        for turn in self.turns:
            for cell in turn.cells.values():
                for answer in cell.answers:
                    if answer.run is not None and not answer.run.done:
                        self._watch(answer.run)
        self._remember()
        self.session_changed.emit()
        self.columns_changed.emit()
        self.turns_changed.emit()
        self.running_changed.emit()
        if wanted is not None:
            self.opened_at.emit(wanted.id)

    def _show_turn(self, turn: Turn, session: Session) -> None:
        was_hidden, is_new = self.hidden, self.session_id is None
        self.session = session
        same = next((place for place, other in enumerate(self.turns) if other.id == turn.id), None)
        if same is None:
            self.turns.append(turn)
        else:  # it was stored, and read with the others, before it was delivered here
            turn.vote, turn.revealed = self.turns[same].vote, self.turns[same].revealed
            self.turns[same] = turn
        if not was_hidden:
            self._hide_order()
        self._remember()
        if is_new:
            self.session_changed.emit()
        if self.hidden != was_hidden:
            self.columns_changed.emit()
        self.turns_changed.emit()

    def _hide_order(self) -> None:
        """Shuffle the columns for a turn whose writers are hidden."""
        turn = self.last_turn
        self._hidden_order = [column.key for column in turn.columns] if turn is not None else []
        random.SystemRandom().shuffle(self._hidden_order)

    def _leaves(self) -> dict[str, str]:
        """The shown answers, to go on from."""
        leaves: dict[str, str] = {}
        for turn in self.turns:
            for key, cell in turn.cells.items():
                answer = cell.answer
                if answer is not None and answer.record.message_id and (answer.text or answer.record.tool_calls):
                    leaves[key] = answer.record.message_id
        return leaves

    def _last_answer(self, key: str) -> tuple[Turn, str, Answer] | None:
        for turn in reversed(self.turns):
            cell = turn.cells.get(key)
            if cell is not None and cell.answer is not None and cell.answer.text:
                return turn, key, cell.answer
        return None

    def _watch(self, run: Run) -> None:
        self.active[run.id] = run
        self._context.ticker.add(self._look)

    def _look(self) -> bool:
        """Notice runs that have ended. Called by the window's ticker."""
        ended = [run for run in self.active.values() if run.done]
        for run in ended:
            del self.active[run.id]
            self.answer_done.emit(run.id)
        if ended:
            self.running_changed.emit()
            if self.turns and self.turns[-1].done and any(self.answer(run.id) for run in ended):
                self.turn_done.emit()
        if not self.active:
            self.sessions_changed.emit()
        return bool(self.active)


def _spec(column: Column) -> ColumnSpec:
    """The service's column. Runs in a worker."""
    module = importlib.import_module("workbench.services.comparison")
    options = column.options
    spec: ColumnSpec = module.ColumnSpec(
        model=column.model, key=column.key, label=column.label, options=options, samples=column.samples
    )
    return spec
