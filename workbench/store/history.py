"""What History needs of a hundred thousand runs: their order at once, their rows as they come into view."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from workbench.store.base import Tables
from workbench.store.ids import moment
from workbench.store.records import row_of
from workbench.store.runs import (
    HIDDEN_RUNS,
    ROW_COLUMNS,
    ROW_JOINS,
    Condition,
    joined,
    plain_conditions,
    telling_conditions,
)
from workbench.store.values import RunFilter, RunRow, RunSort

HistorySort = RunSort | Literal["provider", "remote", "session_title", "judgement"]

_BATCH = 500
"""Ids in one statement."""
_JUDGEMENT = (
    "CASE WHEN ratings.rating IS NOT NULL THEN ratings.rating * 2 WHEN votes.winner_run_id = runs.id THEN 1 "
    "WHEN votes.verdict = 'tie' THEN 0 WHEN votes.id IS NOT NULL THEN -1 END"
)
_OUTSIDE = {"session_title": "sessions.title", "judgement": _JUDGEMENT}
"""What to sort by that stands in other tables."""
_SUBTREE = (
    "WITH RECURSIVE subtree (id) AS (SELECT ? UNION ALL "
    "SELECT messages.id FROM messages JOIN subtree ON messages.parent_id = subtree.id) SELECT id FROM subtree"
)


_TELLING = frozenset(
    {"model", "provider", "remote", "status", "prompt_tokens", "completion_tokens", "cost_usd", "duration_s"}
    | {"time_to_first_token_s", "decode_tokens_per_s"}
)
"""What lets guess who wrote an answer."""
_IS_HIDDEN = "runs.id IN (SELECT id FROM hidden)"


def _together(condition: Condition) -> Condition:
    """The same for runs that are told of; a hidden one fits if any of its comparison does, this condition alone."""
    sql, values = condition
    same = f"SELECT hidden.comparison_id FROM hidden JOIN runs ON runs.id = hidden.id WHERE {sql}"
    together = f"runs.id IN (SELECT id FROM hidden WHERE comparison_id IN ({same}))"
    return f"({sql} AND NOT {_IS_HIDDEN} OR {together})", [*values, *values]


class Deletion(msgspec.Struct, frozen=True, kw_only=True):
    """What `restore_runs` needs to take a deletion back."""

    deleted_at: str
    session_ids: tuple[str, ...]
    runs: int
    """How many runs went, those of later answers below included."""


class HistoryTables(Tables):
    def run_ids(
        self,
        filter: RunFilter | None = None,
        *,
        sort: HistorySort = "started_at",
        descending: bool = True,
        limit: int | None = None,
    ) -> list[str]:
        """Ids of all runs that fit (the first `limit`), in order; unknown values come last either way.

        Runs of a blind comparison that is neither voted on nor revealed fit together or not at all, and their values
        count as unknown: no filter and no order tells who wrote which answer.

        They come as one string: a row each would hand the interpreter's lock to and fro 100,000 times.
        """
        filter = filter or RunFilter()
        telling, direction = telling_conditions(filter), "DESC" if descending else "ASC"
        outside = _OUTSIDE.get(sort)
        if outside is None and sort not in _COLUMNS:
            raise ValueError(f"runs can't be sorted by {sort}")
        column, secret = outside or f"runs.{sort}", ""
        if (telling or sort in _TELLING) and self._one(f"{HIDDEN_RUNS} LIMIT 1"):
            secret = f"WITH hidden AS MATERIALIZED ({HIDDEN_RUNS}) "
            telling = [_together(condition) for condition in telling]
            column = f"iif({_IS_HIDDEN}, NULL, {column})" if sort in _TELLING else column
        where, values = joined([*plain_conditions(filter, None), *telling])
        first = "" if sort == "started_at" else f"{column} IS NULL, {column} {direction}, "
        covered = not (filter.session_id or filter.comparison_id or filter.text.strip())
        table = f"runs{' INDEXED BY runs_overview' if covered else ''} {ROW_JOINS if outside else ''}"
        row = self._one(
            f"{secret}SELECT group_concat(id, char(10)) FROM (SELECT runs.id AS id FROM {table} WHERE {where} "
            f"ORDER BY {first}runs.started_at {direction}, runs.id {direction} LIMIT ?)",
            [*values, -1 if limit is None else limit],
        )
        return str(row[0]).split("\n") if row and row[0] is not None else []

    def hidden_runs(self) -> set[str]:
        """Ids of the runs of whom it is not to be told who wrote them (see `RunRow.hidden`)."""
        return {id_ for (id_,) in self._all(f"SELECT id FROM ({HIDDEN_RUNS})")}

    def hidden_sessions(self) -> set[str]:
        """Ids of the sessions that such runs belong to."""
        return {id_ for (id_,) in self._all(f"SELECT DISTINCT session_id FROM ({HIDDEN_RUNS})") if id_}

    def run_rows_of(self, ids: Sequence[str]) -> list[RunRow]:
        """The rows of these runs, in this order; those that are gone are left out."""
        found: dict[str, RunRow] = {}
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            marks = ", ".join("?" * len(batch))
            rows = self._query(f"SELECT {ROW_COLUMNS} FROM runs {ROW_JOINS} WHERE runs.id IN ({marks})", batch)
            found |= {row.id: row for row in row_of(RunRow, rows)}
        return [found[id_] for id_ in ids if id_ in found]

    def run_providers(self) -> list[tuple[str, int]]:
        """Providers that have runs and how many, most used first."""
        rows = self._all(
            "SELECT provider, count(*) FROM runs INDEXED BY runs_overview WHERE deleted_at IS NULL "
            "GROUP BY provider ORDER BY count(*) DESC, provider"
        )
        return [(provider, count) for provider, count in rows]

    def delete_runs(self, ids: Iterable[str]) -> Deletion:
        """Hide runs with their answers and what is below them; prompts without an answer left, and sessions without a
        message left, go with them. `restore_runs` takes it back, `purge_deleted` makes it final."""
        wanted = list(ids)
        return self._write(lambda db: _Deleting(db).run(wanted))

    def restore_runs(self, deletion: Deletion) -> None:
        def write(db: sqlite3.Connection) -> None:
            for session_id in deletion.session_ids:
                for table, column in (("sessions", "id"), ("messages", "session_id"), ("runs", "session_id")):
                    db.execute(
                        f"UPDATE {table} SET deleted_at = NULL WHERE {column} = ? AND deleted_at = ?",
                        [session_id, deletion.deleted_at],
                    )
            db.execute(
                "UPDATE runs SET deleted_at = NULL WHERE session_id IS NULL AND deleted_at = ?", [deletion.deleted_at]
            )

        self._write(write)


_COLUMNS = {*RunSort.__args__, "provider", "remote"}  # type: ignore[attr-defined]


class _Deleting:
    """One deletion, within the caller's transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._time = moment()
        self._sessions: dict[str, None] = {}
        self._runs = 0

    def run(self, ids: list[str]) -> Deletion:
        parents: dict[str, None] = {}
        for id_ in ids:
            row = self._db.execute(
                "SELECT session_id, message_id FROM runs WHERE id = ? AND deleted_at IS NULL", [id_]
            ).fetchone()
            if row is None:
                continue
            session_id, message_id = row
            if session_id:
                self._sessions[session_id] = None
            parent = self._answer(message_id) if message_id else None
            if parent:
                parents[parent] = None
            self._runs += self._hide("runs", "id", id_)
        for parent in parents:
            self._prompt(parent)
        for session_id in self._sessions:
            if not self._any("SELECT 1 FROM messages WHERE session_id = ? AND deleted_at IS NULL", session_id):
                self._hide("sessions", "id", session_id)
        return Deletion(deleted_at=self._time, session_ids=tuple(self._sessions), runs=self._runs)

    def _answer(self, message_id: str) -> str | None:
        """Hide a message and what is below; returns its parent."""
        for (id_,) in self._db.execute(_SUBTREE, [message_id]).fetchall():
            self._hide("messages", "id", id_)
            self._runs += self._hide("runs", "message_id", id_)
        row = self._db.execute("SELECT parent_id FROM messages WHERE id = ?", [message_id]).fetchone()
        parent: str | None = row[0] if row else None
        return parent

    def _prompt(self, message_id: str | None) -> None:
        """Hide what asked for answers that are all gone, up to the answer before."""
        while message_id is not None:
            row = self._db.execute("SELECT role, parent_id FROM messages WHERE id = ?", [message_id]).fetchone()
            answered = self._any("SELECT 1 FROM messages WHERE parent_id = ? AND deleted_at IS NULL", message_id)
            if row is None or row[0] == "assistant" or answered:
                return
            self._hide("messages", "id", message_id)
            message_id = row[1]

    def _hide(self, table: str, column: str, value: str) -> int:
        return self._db.execute(
            f"UPDATE {table} SET deleted_at = ? WHERE {column} = ? AND deleted_at IS NULL", [self._time, value]
        ).rowcount

    def _any(self, sql: str, value: str) -> bool:
        return self._db.execute(f"{sql} LIMIT 1", [value]).fetchone() is not None
