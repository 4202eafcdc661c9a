"""Runs: one row for each answer, written while it grows; and the lists that History shows."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import Future
from typing import Any

from workbench.core.events import RunDetails
from workbench.core.messages import Message
from workbench.core.runs import RunRecord
from workbench.store.base import Tables
from workbench.store.ids import now
from workbench.store.owner import is_alive, this_instance
from workbench.store.records import (
    MESSAGE_COLUMNS,
    RUN_COLUMNS,
    RUN_FIELDS,
    Rows,
    clean,
    message_of,
    row_of,
    run_of,
    run_values,
    with_answer,
)
from workbench.store.search import text_query
from workbench.store.sessions import insert_message, matching, set_message
from workbench.store.values import LedgerEntry, RunFilter, RunRow, RunSort, StoredMessage

IMPORTED = " import"
"""Ends the provider of runs that were imported from other programs: their prompts left from elsewhere."""

COPY_OF = "copy_of"
"""Key in a run's `request`: the id of the run that it is a copy of, made to stand beside a replay."""

_INSERT = (
    f"INSERT INTO runs ({', '.join(RUN_FIELDS)}, saved_at, owner) VALUES ({', '.join('?' * (len(RUN_FIELDS) + 2))})"
)
_UPDATE = f"UPDATE runs SET {', '.join(f'{name} = ?' for name in RUN_FIELDS)}, saved_at = ? WHERE id = ?"

_GROWING = frozenset(
    {"text", "reasoning", "tool_calls", "prompt_tokens", "cached_tokens", "completion_tokens"}
    | {"time_to_first_token_s", "reasoning_s", "notices", "conditions"}
    | {*RunDetails.__struct_fields__}
)
"""What a run that goes on may have changed since its last save."""
_GROWING_FIELDS = tuple(name for name in RUN_FIELDS if name in _GROWING)
_SAVE = (
    f"UPDATE runs SET {', '.join(f'{name} = ?' for name in _GROWING_FIELDS)}, saved_at = ? "
    "WHERE id = ? AND status = 'running'"
)


class RunTables(Tables):
    _partials: dict[str, tuple[RunRecord, Future[None]]]
    _partials_lock: threading.Lock

    # --- one run ----------------------------------------------------------------------------------------------
    def start_run(self, run: RunRecord) -> None:
        """Add the run's row before the model is asked. Its `message_id` may name an answer that it goes on with."""
        self._write(lambda db: insert_run(db, run))

    def start_exchange(
        self,
        session_id: str,
        parent_id: str | None,
        user: Message | None,
        run: RunRecord,
        *,
        title: str = "",
    ) -> tuple[StoredMessage | None, StoredMessage]:
        """The user's message (if any), an empty answer below it, and the run's row, as one transaction.

        Sets the run's `session_id` and `message_id`. `title` names the session unless it has a title.
        Raises BadInput for an unknown session or parent, StoreError.
        """

        def write(db: sqlite3.Connection) -> tuple[StoredMessage | None, StoredMessage]:
            asked = insert_message(db, session_id, parent_id, user) if user is not None else None
            above = asked.id if asked is not None else parent_id
            answer = insert_message(db, session_id, above, Message("assistant", ()), run.id)
            run.session_id, run.message_id = session_id, answer.id
            insert_run(db, run)
            if title:
                db.execute("UPDATE sessions SET title = ? WHERE id = ? AND title = ''", [clean(title), session_id])
            return asked, answer

        return self._write(write)

    def save_partial(self, run: RunRecord) -> Future[None]:
        """Queue what the run has so far; returns at once. While it waits, a newer one takes its place.

        `run` must not change any more. The future tells whether it was saved.
        """
        with self._partials_lock:
            waiting = self._partials.get(run.id)
            if waiting is not None:
                self._partials[run.id] = (run, waiting[1])
                return waiting[1]
            future = self._submit(lambda db: self._save_newest(db, run.id))
            self._partials[run.id] = (run, future)
        future.add_done_callback(lambda _: self._forget_partial(run.id, future))
        return future

    def finish_run(self, run: RunRecord, message: Message | None = None) -> None:
        """Write the run's final row and, if given, its message's final content. Returns after the commit."""

        def write(db: sqlite3.Connection) -> None:
            with self._partials_lock:
                self._partials.pop(run.id, None)
            db.execute(_UPDATE, [*run_values(run), now(), run.id])
            if message is not None and run.message_id:
                set_message(db, run.message_id, message)

        self._write(write)

    def _save_newest(self, db: sqlite3.Connection, run_id: str) -> None:
        with self._partials_lock:
            waiting = self._partials.get(run_id)
        if waiting is not None:
            values = dict(zip(RUN_FIELDS, run_values(waiting[0]), strict=True))
            db.execute(_SAVE, [*(values[name] for name in _GROWING_FIELDS), now(), run_id])

    def _forget_partial(self, run_id: str, future: Future[None]) -> None:
        with self._partials_lock:
            if (waiting := self._partials.get(run_id)) is not None and waiting[1] is future:
                del self._partials[run_id]

    def run(self, id: str) -> RunRecord | None:
        row = self._one(f"SELECT {RUN_COLUMNS} FROM runs WHERE id = ?", [id])
        return run_of(row) if row else None

    # --- lists ------------------------------------------------------------------------------------------------
    def runs(
        self,
        session_id: str | None = None,
        filter: RunFilter | None = None,
        *,
        limit: int = 100,
        offset: int = 0,
        sort: RunSort = "started_at",
        descending: bool = True,
    ) -> list[RunRecord]:
        """Complete records, newest first unless told otherwise."""
        rows = self._sorted(RUN_COLUMNS, "", filter, session_id, limit, offset, sort, descending).rows
        return [run_of(row) for row in rows]

    def run_rows(
        self,
        filter: RunFilter | None = None,
        *,
        limit: int = 100,
        offset: int = 0,
        sort: RunSort = "started_at",
        descending: bool = True,
    ) -> list[RunRow]:
        """A page of the History table: runs without their long texts."""
        return row_of(RunRow, self._sorted(ROW_COLUMNS, ROW_JOINS, filter, None, limit, offset, sort, descending))

    def count_runs(self, filter: RunFilter | None = None) -> int:
        where, values = run_condition(filter or RunFilter(), None)
        row = self._one(f"SELECT count(*) FROM runs WHERE {where}", values)
        return int(row[0]) if row else 0

    def run_models(self) -> list[tuple[str, int]]:
        """Models that have runs and how many, most used first: the choices of a filter."""
        rows = self._all(
            "SELECT model, count(*) FROM runs INDEXED BY runs_model WHERE deleted_at IS NULL "
            "GROUP BY model ORDER BY count(*) DESC, model"
        )
        return [(model, count) for model, count in rows]

    def ledger(self, limit: int = 1000, offset: int = 0) -> list[LedgerEntry]:
        """Every prompt that left this machine, newest first; those of deleted sessions too, until they are purged."""
        return row_of(
            LedgerEntry,
            self._query(
                "SELECT runs.id AS run_id, runs.session_id, provider, model, started_at, prompt_tokens, cost_usd, "
                "status, ifnull(sessions.title, '') AS session_title FROM runs "
                "LEFT JOIN sessions ON sessions.id = runs.session_id "
                f"WHERE remote = 1 AND provider NOT LIKE '%{IMPORTED}' "
                f"AND json_extract(request, '$.{COPY_OF}') IS NULL "
                "ORDER BY started_at DESC LIMIT ? OFFSET ?",
                [limit, offset],
            ),
        )

    def _sorted(
        self,
        columns: str,
        joins: str,
        filter: RunFilter | None,
        session_id: str | None,
        limit: int,
        offset: int,
        sort: RunSort,
        descending: bool,
    ) -> Rows:
        """Chooses the page by the covering index first, then reads the rows of that page only."""
        filter = filter or RunFilter()
        where, values = run_condition(filter, session_id)
        selective = session_id or filter.session_id or filter.comparison_id or filter.text.strip()
        direction = "DESC" if descending else "ASC"
        if sort not in RunSort.__args__:  # type: ignore[attr-defined]
            raise ValueError(f"runs can't be sorted by {sort}")
        # Unknown values (NULL) come last either way.
        first = "" if sort == "started_at" else f"{sort} IS NULL, {sort} {direction}, "
        table = "runs" if selective else "runs INDEXED BY runs_overview"
        order = f"{first}started_at {direction}, id {direction}"
        page = f"SELECT runs.id AS id FROM {table} WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"
        return self._query(
            f"WITH page AS (SELECT id, row_number() OVER () AS place FROM ({page})) "
            f"SELECT {columns} FROM page JOIN runs ON runs.id = page.id {joins} ORDER BY page.place",
            [*values, limit, offset],
        )


_REVEALED = "EXISTS (SELECT 1 FROM json_each(sessions.options, '$.revealed') WHERE value = comparisons.id)"
ROW_JOINS = (
    "LEFT JOIN sessions ON sessions.id = runs.session_id LEFT JOIN ratings ON ratings.run_id = runs.id "
    "LEFT JOIN votes ON votes.id = (SELECT max(id) FROM votes v WHERE v.comparison_id = runs.comparison_id) "
    "LEFT JOIN comparisons ON comparisons.id = runs.comparison_id"
)
ROW_COLUMNS = (
    "runs.id, runs.session_id, runs.message_id, runs.comparison_id, ifnull(sessions.title, '') AS session_title, "
    "runs.model, runs.model_name, runs.provider, runs.remote, runs.status, runs.finish_reason, runs.prompt_tokens, "
    "runs.completion_tokens, runs.cost_usd, runs.duration_s, runs.time_to_first_token_s, runs.decode_tokens_per_s, "
    "runs.started_at, substr(runs.text, 1, 200) AS preview, ratings.rating, "
    "CASE WHEN votes.verdict != 'better' THEN votes.verdict WHEN votes.winner_run_id = runs.id THEN 'won' "
    "WHEN votes.id IS NOT NULL THEN 'lost' END AS vote, "
    f"ifnull(comparisons.blind AND votes.id IS NULL AND NOT {_REVEALED}, 0) AS hidden"
)
HIDDEN_RUNS = (
    "SELECT runs.id AS id, comparisons.id AS comparison_id, runs.session_id AS session_id FROM comparisons "
    "JOIN runs ON runs.comparison_id = comparisons.id LEFT JOIN sessions ON sessions.id = runs.session_id "
    "WHERE comparisons.blind AND NOT EXISTS (SELECT 1 FROM votes WHERE votes.comparison_id = comparisons.id) "
    f"AND NOT {_REVEALED}"
)
"""Those of whom `RunRow.hidden` says the same."""


Condition = tuple[str, list[Any]]
"""SQL about `runs`, and its values."""


def run_condition(filter: RunFilter, session_id: str | None) -> Condition:
    return joined([*plain_conditions(filter, session_id), *telling_conditions(filter)])


def joined(conditions: list[Condition]) -> Condition:
    """All must hold."""
    return " AND ".join(sql for sql, _ in conditions), [value for _, values in conditions for value in values]


def plain_conditions(filter: RunFilter, session_id: str | None) -> list[Condition]:
    """What may be known of every run."""
    conditions: list[Condition] = [("runs.deleted_at IS NULL", [])]
    equal = {"session_id": session_id or filter.session_id, "comparison_id": filter.comparison_id}
    for column, value in equal.items():
        if value is not None:
            conditions.append((f"runs.{column} = ?", [value]))
    for comparison, time in ((">=", filter.since), ("<", filter.until)):
        if time is not None:
            conditions.append((f"runs.started_at {comparison} ?", [time]))
    if filter.voted is not None:
        conditions.append((f"{'' if filter.voted else 'NOT '}{_VOTED}", []))
    return conditions


def telling_conditions(filter: RunFilter) -> list[Condition]:
    """What tells, or together lets guess, who wrote an answer."""
    conditions: list[Condition] = []
    if filter.remote is not None:
        conditions.append(("runs.remote = ?", [int(filter.remote)]))
    for column, choices in (("model", filter.models), ("provider", filter.providers), ("status", filter.statuses)):
        if choices:
            conditions.append((f"runs.{column} IN ({', '.join('?' * len(choices))})", list(choices)))
    if filter.text.strip():
        conditions.append(_about(filter.text))
    return conditions


_VOTED = (
    "(runs.id IN (SELECT run_id FROM ratings) "
    "OR (runs.comparison_id IS NOT NULL AND runs.comparison_id IN (SELECT comparison_id FROM votes)))"
)


def _about(text: str) -> Condition:
    """Runs whose answer or prompt has the words."""
    found = text_query(text)
    if not found:
        return "0", []
    numbers, values = matching("messages", "text", found)
    return (
        f"runs.message_id IN (WITH hits AS MATERIALIZED (SELECT id FROM messages WHERE number IN ({numbers})) "
        "SELECT id FROM hits UNION SELECT below.id FROM messages below JOIN hits ON below.parent_id = hits.id)",
        list(values),
    )


def insert_run(db: sqlite3.Connection, run: RunRecord) -> None:
    if run.comparison_id:
        db.execute(
            "INSERT OR IGNORE INTO comparisons (id, session_id, created_at) VALUES (?, ?, ?)",
            [run.comparison_id, run.session_id or None, now()],
        )
    db.execute(_INSERT, [*run_values(run), now(), this_instance()])
    if run.message_id:
        db.execute("UPDATE messages SET run_id = ? WHERE id = ?", [run.id, run.message_id])


def mark_interrupted(db: sqlite3.Connection) -> int:
    """Runs whose program ended under them become `interrupted`; their messages get the text that was saved.

    Returns how many. Call within a transaction.
    """
    left = db.execute(
        f"SELECT owner, saved_at, {RUN_COLUMNS} FROM runs WHERE status = 'running' ORDER BY started_at"
    ).fetchall()
    marked = 0
    for owner, saved_at, *row in left:
        if is_alive(owner, saved_at):
            continue
        run = run_of(tuple(row))
        db.execute("UPDATE runs SET status = 'interrupted', ended_at = ? WHERE id = ?", [saved_at or now(), run.id])
        message = db.execute(f"SELECT {MESSAGE_COLUMNS} FROM messages WHERE id = ?", [run.message_id]).fetchone()
        if message is not None:
            set_message(db, run.message_id or "", with_answer(message_of(message).message, run))
        marked += 1
    return marked
