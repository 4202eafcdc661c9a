"""A comparison as the window shows it: turns, and in each a cell of answers for every column."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workbench.core.messages import Message
from workbench.core.runs import RunRecord
from workbench.ui.answers import answer_text
from workbench.ui.backend import Backend
from workbench.ui.compare.columns import Column, columns_from
from workbench.ui.tr import trn

if TYPE_CHECKING:
    from workbench.services.comparison import StoredTurn, TurnRuns
    from workbench.services.conditions import Difference
    from workbench.services.runner import Run
    from workbench.store.values import Session, Vote


@dataclass(slots=True)
class Answer:
    """One answer, finished or under way."""

    record: RunRecord
    """Complete once `done`."""
    run: Run | None = None

    @property
    def done(self) -> bool:
        return self.run is None or self.run.done

    @property
    def text(self) -> str:
        return answer_text(self.record)


@dataclass(slots=True)
class Cell:
    """One column's answers to one prompt: samples and retries."""

    answers: list[Answer]
    index: int
    """Place of the column in the stored turn."""
    shown: int = 0

    @property
    def answer(self) -> Answer | None:
        return self.answers[self.shown] if self.answers else None

    @property
    def done(self) -> bool:
        return all(answer.done for answer in self.answers)

    def step(self, by: int) -> bool:
        """Show another answer; False at the ends."""
        if 0 <= self.shown + by < len(self.answers):
            self.shown += by
            return True
        return False


@dataclass(slots=True)
class Turn:
    """One prompt to all columns."""

    id: str
    prompt: Message
    columns: tuple[Column, ...]
    cells: dict[str, Cell]
    """By column key."""
    blind: bool = False
    vote: Vote | None = None
    revealed: bool = False
    """Shown without a vote, as the user wanted."""
    live: TurnRuns | None = None
    prompt_ids: frozenset[str] = frozenset()
    """Of the messages that hold the prompt."""

    @property
    def done(self) -> bool:
        return all(cell.done for cell in self.cells.values())

    def begin_at(self, id_: str) -> bool:
        """Whether this is the turn of a prompt, a run or its message. That answer is shown then, unless it would tell
        which of the hidden ones it is."""
        if id_ in self.prompt_ids:
            return True
        for cell in self.cells.values():
            for place, answer in enumerate(cell.answers):
                if id_ in (answer.record.id, answer.record.message_id):
                    cell.shown = cell.shown if self.hides else place
                    return True
        return False

    @property
    def hides(self) -> bool:
        """Who wrote what is not shown yet."""
        return self.blind and self.vote is None and not self.revealed

    def waits_for(self, key: str) -> list[str]:
        """Keys of the columns that must end before this one begins."""
        cell = self.cells.get(key)
        if self.live is None or cell is None or cell.index >= len(self.live.columns):
            return []
        keys = {other.index: name for name, other in self.cells.items()}
        return [keys[index] for index in self.live.waits_for(cell.index) if index in keys]


@dataclass(slots=True)
class Opened:
    """A comparison as it was read from the store."""

    session: Session
    turns: list[Turn] = field(default_factory=list)


def read_comparison(backend: Backend, session_id: str) -> Opened | None:
    """Read a comparison with all its turns; None if it is gone. Runs in a worker."""
    session = backend.store.session(session_id)
    if session is None or session.deleted_at:
        return None
    revealed = backend.comparisons.revealed(session_id)
    running = {run.id: run for run in backend.runner.active()}
    turns = [
        _turn(backend, stored, running, stored.comparison.id in revealed)
        for stored in backend.comparisons.turns(session_id)
    ]
    return Opened(session, turns)


def _turn(backend: Backend, stored: StoredTurn, running: dict[str, Run], revealed: bool) -> Turn:
    comparison = stored.comparison
    columns = columns_from([_with_key(entry, place) for place, entry in enumerate(comparison.columns)])
    cells = {}
    for index, (column, records) in enumerate(zip(columns, stored.runs, strict=False)):
        answers = [Answer(running[r.id].record if r.id in running else r, running.get(r.id)) for r in records]
        cells[column.key] = Cell(answers, index, first_shown(len(answers), column.samples))
    votes = backend.store.votes(comparison.id)
    return Turn(
        id=comparison.id,
        prompt=stored.prompt or Message("user", ()),
        columns=columns,
        cells=cells,
        blind=comparison.blind,
        vote=votes[-1] if votes else None,
        revealed=revealed,
        prompt_ids=stored.prompt_ids,
    )


def _with_key(entry: dict[str, Any], place: int) -> dict[str, Any]:
    """Columns stored without a key are known by their place."""
    return entry if entry.get("key") else {**entry, "key": f"place-{place}"}


def turn_of(started: TurnRuns, columns: Sequence[Column], prompt: Message) -> Turn:
    cells = {
        column.key: Cell([Answer(run.record, run) for run in runs.runs], index)
        for index, (column, runs) in enumerate(zip(columns, started.columns, strict=True))
    }
    return Turn(
        id=started.comparison.id,
        prompt=prompt,
        columns=tuple(columns),
        cells=cells,
        blind=started.comparison.blind,
        live=started,
        prompt_ids=frozenset(run.user_message.id for run in started.runs if run.user_message is not None),
    )


def first_shown(count: int, samples: int) -> int:
    """The newest answer after retries, the first of several samples."""
    return max(count - 1, 0) if count > samples else 0


def finished_answers(turn: Turn) -> dict[str, RunRecord]:
    """The shown answers that are complete, by column key."""
    shown = {key: cell.answer for key, cell in turn.cells.items()}
    return {key: answer.record for key, answer in shown.items() if answer and answer.record.status == "done"}


def fastest(records: Iterable[tuple[str, RunRecord]]) -> str | None:
    """Key of the answer with the most tokens a second, if there is one alone at the top."""
    return _best([(key, record.decode_tokens_per_s) for key, record in records if record.decode_tokens_per_s], max)


def cheapest(records: Sequence[tuple[str, RunRecord]]) -> str | None:
    """Key of the answer that cost least. Nothing is cheapest while a price is unknown or nothing costs anything;
    local answers cost no API fee."""
    costs = [(key, 0.0 if not record.remote else record.cost_usd) for key, record in records]
    if any(cost is None for _key, cost in costs) or not any(cost for _key, cost in costs):
        return None
    return _best(costs, min)


def _best(values: Sequence[tuple[str, float | None]], choose: Any) -> str | None:
    known = [(key, value) for key, value in values if value is not None]
    if len(known) < 2:
        return None
    top = choose(value for _key, value in known)
    winners = [key for key, value in known if value == top]
    return winners[0] if len(winners) == 1 else None


def differences(turn: Turn, titles: dict[str, str]) -> list[Difference]:
    """In what the shown answers' conditions differ."""
    module = importlib.import_module("workbench.services.conditions")
    count = len(turn.prompt.attachments)
    sides = [
        module.Side(title=titles.get(key, key), run=cell.answer.record, attachments=count)
        for key, cell in turn.cells.items()
        if cell.answer is not None and cell.answer.done
    ]
    found: list[Difference] = module.check_conditions(sides)
    return found


def news_of(turn: Turn) -> str:
    """What came of a prompt, for users who are elsewhere; nothing where they stopped it."""
    records = [cell.answer.record for cell in turn.cells.values() if cell.answer is not None]
    if not turn.done or any(record.finish_reason == "cancelled" for record in records):
        return ""
    return trn("{count} model has answered.", "{count} models have answered.", len(records))
