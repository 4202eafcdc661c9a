"""One prompt to any number of models, side by side. No Qt.

A comparison is a session: its first prompt has one answer below it for each column, and from there each column is a
branch of its own. Each turn is a row of `comparisons`; its runs know their column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol

import msgspec

from workbench.core.cancel import CancelToken
from workbench.core.chat_options import ChatOptions
from workbench.core.errors import BadInput
from workbench.core.messages import Message
from workbench.core.models import ChatModel
from workbench.core.requests import ChatRequest
from workbench.core.runs import RunRecord
from workbench.services.chat import ChatService, automatic_title
from workbench.services.model_pool import ModelPool
from workbench.services.runner import Run, Runner
from workbench.services.turns import Turns
from workbench.store import Comparison, RunFilter, Store, StoredMessage, Vote

MAX_COLUMNS = 8
MAX_SAMPLES = 16
REVEALED = "revealed"
"""In a session's options: ids of its blind turns that are not blind any more. The store's history reads it too."""

Schedule = Literal["auto", "one_by_one"]


class ModelSource(Protocol):
    def get(self, model_id: str) -> ChatModel: ...


class ColumnSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one column asks. The same model may stand in several columns with other options."""

    model: str
    key: str = ""
    """Which column this is from turn to turn, also when others come, go or change places; empty: by its place."""
    label: str = ""
    options: ChatOptions = ChatOptions()
    samples: int = 1
    """Answers to each prompt; with a given seed each further one takes the next seed."""

    @property
    def title(self) -> str:
        return self.label or self.model


class ColumnRuns(msgspec.Struct, kw_only=True):
    """One column of one turn: a run for each sample."""

    spec: ColumnSpec
    runs: list[Run]
    wave: int | None = None
    """Its place in the order in which columns are answered; None: it waits for none."""

    @property
    def done(self) -> bool:
        return all(run.done for run in self.runs)


class TurnRuns(msgspec.Struct, kw_only=True):
    """A prompt under way in all columns."""

    comparison: Comparison
    columns: list[ColumnRuns]

    @property
    def runs(self) -> list[Run]:
        return [run for column in self.columns for run in column.runs]

    def waits_for(self, column: int) -> list[int]:
        """The columns that must end before this one begins."""
        wave = self.columns[column].wave
        if wave is None:
            return []
        return [
            index
            for index, other in enumerate(self.columns)
            if other.wave is not None and other.wave < wave and not other.done
        ]

    def cancel(self) -> None:
        for run in self.runs:
            run.cancel()

    def wait(self, timeout_s: float | None = None) -> bool:
        return all(run.wait(timeout_s) for run in self.runs)


class StoredTurn(msgspec.Struct, frozen=True, kw_only=True):
    """A turn as the store has it: for each column its runs, oldest first."""

    comparison: Comparison
    prompt: Message | None
    prompt_ids: frozenset[str]
    """The messages that hold the prompt: columns that go on from other answers have one each."""
    columns: tuple[ColumnSpec, ...]
    runs: tuple[tuple[RunRecord, ...], ...]


class ComparisonService:
    def __init__(self, store: Store, runner: Runner, catalog: ModelSource, chat: ChatService, pool: ModelPool) -> None:
        self._store = store
        self._runner = runner
        self._catalog = catalog
        self._chat = chat
        self._pool = pool

    # --- asking -----------------------------------------------------------------------------------------------
    def start(
        self, columns: Sequence[ColumnSpec], prompt: Message, *, blind: bool = False, schedule: Schedule = "auto"
    ) -> TurnRuns:
        """A new comparison. Raises BadInput, UnknownModel and StoreError; then nothing was asked or stored."""
        models = self._models(columns)
        options = {
            "columns": [msgspec.to_builtins(column) for column in columns],
            "blind": blind,
            "schedule": schedule,
        }
        session = self._store.create_session("comparison", automatic_title(prompt), options=options)
        return self._ask(session.id, columns, models, prompt, [None] * len(columns), blind, schedule)

    def follow_up(
        self,
        session_id: str,
        prompt: Message,
        *,
        columns: Sequence[ColumnSpec] | None = None,
        leaves: Mapping[str, str] | None = None,
        blind: bool = False,
        schedule: Schedule = "auto",
    ) -> TurnRuns:
        """The next prompt to all columns, each below its own last answer.

        `columns`: other ones than the last turn's; those with a known key go on, new ones begin with this prompt, and
        without keys they are told apart by their place. `leaves`: the answers to go on from by column key, where not
        from the newest. Raises BadInput, UnknownModel, StoreError.
        """
        turns = self.turns(session_id)
        if not turns:
            raise BadInput("There is no comparison to continue in this session.")
        columns = list(columns or turns[-1].columns)
        if not any(column.key for column in columns) and len(columns) != len(turns[-1].columns):
            raise BadInput("A comparison goes on with the columns it has.", hint="Start a new one for other columns.")
        models = self._models(columns)
        chosen = leaves or {}
        goes_on = [chosen.get(column.key) or _leaf(turns, place, column.key) for place, column in enumerate(columns)]
        return self._ask(session_id, columns, models, prompt, goes_on, blind, schedule)

    def join(self, comparison_id: str, spec: ColumnSpec) -> ColumnRuns:
        """Put a turn's prompt to one more column. Raises BadInput, UnknownModel, StoreError."""
        comparison = self._comparison(comparison_id)
        specs = specs_of(comparison)
        model = self._models([*specs, spec])[-1]
        prompt = self._prompt_message(comparison)
        request = self._chat.request(prompt.session_id, prompt.id, None, spec.options)
        self._store.add_comparison(
            msgspec.structs.replace(comparison, columns=[*comparison.columns, msgspec.to_builtins(spec)])
        )
        column = ColumnRuns(spec=spec, runs=[])
        for sample in range(spec.samples):
            run = self._runner.start(
                model,
                with_sample(request, sample),
                session_id=prompt.session_id,
                parent_id=prompt.id,
                comparison_id=comparison_id,
                comparison_column=len(specs),
            )
            column.runs.append(run)
        return column

    def retry(self, comparison_id: str, column: int, spec: ColumnSpec | None = None) -> Run:
        """Ask one column again, with other settings where `spec` is given; its earlier answer stays as a sibling."""
        return self._again(comparison_id, column, spec, None)

    def retry_all(
        self, comparison_id: str, specs: Mapping[int, ColumnSpec], *, schedule: Schedule = "auto"
    ) -> dict[int, Run]:
        """Ask several columns (by their places) again, once each, in the turns that memory and `schedule` demand."""
        once = {place: msgspec.structs.replace(spec, samples=1) for place, spec in specs.items()}
        models = self._models(list(once.values()))
        gate = Gate(self._pool, list(once.values()), models, one_by_one=schedule == "one_by_one")
        runs: dict[int, Run] = {}
        try:
            for index, (place, spec) in enumerate(specs.items()):
                runs[place] = self._again(comparison_id, place, spec, gate.turn(index))
        except BaseException:
            for run in runs.values():
                run.cancel()  # the rest would wait for ever for those that never start
            raise
        return runs

    def _again(self, comparison_id: str, column: int, spec: ColumnSpec | None, turn: _Place | None) -> Run:
        comparison = self._comparison(comparison_id)
        specs = specs_of(comparison)
        if not 0 <= column < len(specs):
            raise BadInput(f"The comparison has no column {column + 1}.")
        used = spec or specs[column]
        model = self._catalog.get(used.model)
        before = [run for run in self._runs(comparison_id) if run.comparison_column == column]
        message = self._store.message(before[0].message_id or "") if before else None
        if message is None or comparison.session_id is None:
            raise BadInput("The prompt of this column is gone.")
        request = self._chat.request(comparison.session_id, message.parent_id, None, used.options)
        if used != specs[column]:
            changed = [*comparison.columns]
            changed[column] = msgspec.to_builtins(used)
            self._store.add_comparison(msgspec.structs.replace(comparison, columns=changed))
        return self._runner.start(
            model,
            request,
            session_id=comparison.session_id,
            parent_id=message.parent_id,
            comparison_id=comparison_id,
            comparison_column=column,
            turn=turn,
        )

    def fork(self, session_id: str, column: int, message_id: str | None = None) -> str:
        """Copy one column's conversation into a new chat, up to `message_id` where given. Returns the chat's id.

        `column` is the place in the last turn.
        """
        turns = self.turns(session_id)
        if not turns or not 0 <= column < len(turns[-1].columns):
            raise BadInput("This column has no answer to go on from.")
        spec = turns[-1].columns[column]
        leaf = message_id or _leaf(turns, column, spec.key)
        if leaf is None:
            raise BadInput("This column has no answer to go on from.")
        source = self._store.session(session_id)
        chat = self._store.create_session("chat", source.title if source else "")
        parent: str | None = None
        for stored in self._chat.path_to(session_id, leaf):
            message = self._chat.with_attachments(stored.message)
            parent = self._store.add_message(chat.id, parent, message).id
        self._chat.remember(chat.id, spec.model, spec.options)
        if parent is not None:
            self._store.update_session(chat.id, leaf_id=parent)
        return chat.id

    # --- reading ----------------------------------------------------------------------------------------------
    def turns(self, session_id: str) -> list[StoredTurn]:
        """All turns of a comparison, oldest first, with their runs."""
        messages = {message.id: message for message in self._store.messages(session_id)}
        turns = []
        for comparison in self._store.comparisons(session_id):
            specs = specs_of(comparison)
            by_column: list[list[RunRecord]] = [[] for _ in specs]
            for run in self._runs(comparison.id):
                if run.comparison_column is not None and run.comparison_column < len(specs):
                    by_column[run.comparison_column].append(run)
            turns.append(
                StoredTurn(
                    comparison=comparison,
                    prompt=_prompt(comparison, by_column, messages),
                    prompt_ids=_prompt_ids(comparison, by_column, messages),
                    columns=specs,
                    runs=tuple(map(tuple, by_column)),
                )
            )
        return turns

    def leaf(self, session_id: str, column: int) -> str | None:
        """The message a column goes on from: its newest answer that has text, whatever the turn."""
        turns = self.turns(session_id)
        key = turns[-1].columns[column].key if turns and column < len(turns[-1].columns) else ""
        return _leaf(turns, column, key)

    # --- judging ----------------------------------------------------------------------------------------------
    def reveal(self, session_id: str) -> None:
        """Tell who wrote the answers of a session's blind turns, without a vote or beside the last turn's."""
        session = self._store.session(session_id)
        if session is not None:
            blind = [turn.id for turn in self._store.comparisons(session_id) if turn.blind]
            self._store.update_session(session_id, options={**session.options, REVEALED: blind})

    def revealed(self, session_id: str) -> frozenset[str]:
        """Ids of the turns whose writers were told without a vote."""
        session = self._store.session(session_id)
        return frozenset(session.options.get(REVEALED) or ()) if session is not None else frozenset()

    def vote(
        self,
        comparison_id: str,
        verdict: Literal["better", "tie", "both_bad"],
        *,
        shown: Sequence[str],
        winner: str | None = None,
        reason: str = "",
        blind: bool = False,
    ) -> Vote:
        """`shown`: ids of the runs that were looked at, in the order shown; `winner`: one of them, for `better`."""
        if (verdict == "better") != (winner is not None) or (winner is not None and winner not in shown):
            raise BadInput("A vote for the better answer names one of the answers shown.")
        return self._store.add_vote(
            Vote(
                comparison_id=comparison_id,
                verdict=verdict,
                winner_run_id=winner,
                run_ids=tuple(shown),
                reason=reason,
                blind=blind,
            )
        )

    # --- helpers ----------------------------------------------------------------------------------------------
    def _models(self, columns: Sequence[ColumnSpec]) -> list[ChatModel]:
        if not 1 <= len(columns) <= MAX_COLUMNS:
            raise BadInput(f"A comparison has one to {MAX_COLUMNS} columns.")
        if any(not 1 <= column.samples <= MAX_SAMPLES for column in columns):
            raise BadInput(f"A column has one to {MAX_SAMPLES} samples.")
        return [self._catalog.get(column.model) for column in columns]

    def _ask(
        self,
        session_id: str,
        columns: Sequence[ColumnSpec],
        models: Sequence[ChatModel],
        prompt: Message,
        leaves: Sequence[str | None],
        blind: bool,
        schedule: Schedule,
    ) -> TurnRuns:
        comparison = self._store.add_comparison(
            Comparison(session_id=session_id, columns=[msgspec.to_builtins(column) for column in columns], blind=blind)
        )
        gate = Gate(self._pool, columns, models, one_by_one=schedule == "one_by_one")
        turn = TurnRuns(comparison=comparison, columns=[])
        shared: dict[str | None, StoredMessage] = {}
        try:
            for index, (spec, model, leaf) in enumerate(zip(columns, models, leaves, strict=True)):
                column = ColumnRuns(spec=spec, runs=[], wave=gate.wave(index))
                turn.columns.append(column)
                request = self._chat.request(session_id, leaf, prompt, spec.options)
                for sample in range(spec.samples):
                    user = shared.get(leaf)
                    run = self._runner.start(
                        model,
                        with_sample(request, sample),
                        session_id=session_id,
                        parent_id=user.id if user else leaf,
                        user=None if user else prompt,
                        comparison_id=comparison.id,
                        comparison_column=index,
                        turn=gate.turn(index),
                    )
                    if run.user_message is not None:
                        shared[leaf] = run.user_message
                    column.runs.append(run)
        except BaseException:
            turn.cancel()  # the rest would wait for ever for those that never start
            raise
        return turn

    def _comparison(self, comparison_id: str) -> Comparison:
        comparison = self._store.comparison(comparison_id)
        if comparison is None:
            raise BadInput(f"There is no comparison {comparison_id}.")
        return comparison

    def _prompt_message(self, comparison: Comparison) -> StoredMessage:
        """The user's message that a turn's first column answers."""
        for run in self._runs(comparison.id):
            answer = self._store.message(run.message_id or "")
            prompt = self._store.message(answer.parent_id or "") if answer is not None else None
            if prompt is not None:
                return prompt
        raise BadInput("The prompt of this comparison is gone.")

    def _runs(self, comparison_id: str) -> list[RunRecord]:
        found = self._store.runs(filter=RunFilter(comparison_id=comparison_id), limit=10_000)
        return sorted(found, key=lambda run: (run.started_at, run.id))


class Gate:
    """Gives each column of a turn its place in the waves."""

    def __init__(
        self, pool: ModelPool, columns: Sequence[ColumnSpec], models: Sequence[ChatModel], *, one_by_one: bool
    ) -> None:
        self._waves = pool.waves(models, [column.options.load for column in columns], one_by_one=one_by_one)
        count = max((wave + 1 for wave in self._waves if wave is not None), default=0)
        sizes = [0] * count
        members: list[list[ChatModel]] = [[] for _ in range(count)]
        for wave, column, model in zip(self._waves, columns, models, strict=True):
            if wave is not None:
                sizes[wave] += column.samples
                members[wave].append(model)
        self._turns = Turns(sizes, lambda wave: pool.make_room(members[wave]))

    def wave(self, column: int) -> int | None:
        return self._waves[column]

    def turn(self, column: int) -> _Place | None:
        wave = self._waves[column]
        return None if wave is None else _Place(self._turns, wave)


class _Place(msgspec.Struct, frozen=True):
    """`runner.Turn` for one wave."""

    turns: Turns
    wave: int

    def __call__(self, token: CancelToken) -> AbstractContextManager[bool]:
        return self.turns.turn(self.wave, token)


def _leaf(turns: Sequence[StoredTurn], place: int, key: str) -> str | None:
    """A column's newest answer with text. With a key, only that column counts, wherever it stood."""
    for turn in reversed(turns):
        keys = [spec.key for spec in turn.columns]
        index = keys.index(key) if key and key in keys else None if key and any(keys) else place
        if index is not None and index < len(turn.runs):
            answered = [run for run in turn.runs[index] if run.message_id and (run.text or run.tool_calls)]
            if answered:
                return answered[-1].message_id
    return None


def specs_of(comparison: Comparison) -> tuple[ColumnSpec, ...]:
    """The columns a turn was asked with; unreadable ones (of another version) keep their model."""
    return tuple(_spec(column) for column in comparison.columns)


def _spec(column: dict[str, Any]) -> ColumnSpec:
    try:
        return msgspec.convert(column, ColumnSpec)
    except msgspec.ValidationError:
        return ColumnSpec(model=str(column.get("model", "")), label=str(column.get("label", "")))


def with_sample(request: ChatRequest, sample: int) -> ChatRequest:
    """The request of one sample: a given seed counts up, so that samples differ and can be had again."""
    seed = request.sampling.seed
    if seed is None or sample == 0:
        return request
    sampling = msgspec.structs.replace(request.sampling, seed=(seed + sample) % 2**32)
    return msgspec.structs.replace(request, sampling=sampling)


def _prompt_ids(
    comparison: Comparison, by_column: Sequence[Sequence[RunRecord]], messages: dict[str, StoredMessage]
) -> frozenset[str]:
    answers = [messages.get(run.message_id or "") for runs in by_column for run in runs]
    above = [answer.parent_id for answer in answers if answer is not None]
    return frozenset(id_ for id_ in (comparison.message_id, *above) if id_)


def _prompt(
    comparison: Comparison, by_column: Sequence[Sequence[RunRecord]], messages: dict[str, StoredMessage]
) -> Message | None:
    """The user's message of a turn: above any of its answers."""
    if comparison.message_id in messages:
        return messages[comparison.message_id or ""].message
    for runs in by_column:
        for run in runs:
            answer = messages.get(run.message_id or "")
            if answer is not None and answer.parent_id in messages:
                return messages[answer.parent_id].message
    return None
