"""Test sets, evaluations and their results."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeVar

import msgspec

from workbench.store.base import Tables
from workbench.store.ids import new_id, now
from workbench.store.library import put_row
from workbench.store.records import row_of, to_json

S = TypeVar("S", bound=msgspec.Struct)

EvaluationStatus = Literal["running", "done", "stopped", "over_budget"]
ResultStatus = Literal["pending", "answered", "graded", "error"]


class TestSetRow(msgspec.Struct, frozen=True, kw_only=True):
    __test__ = False

    id: str
    name: str
    description: str = ""
    created_at: str = ""
    updated_at: str = ""


class TestCaseRow(msgspec.Struct, frozen=True, kw_only=True):
    __test__ = False

    id: str
    """Unique in the whole database: see `case_row_id`."""
    test_set_id: str
    position: int
    name: str = ""
    """The case's own id within its set."""
    split: Literal["working", "sealed"] = "working"
    cluster: str = ""
    weight: float = 1.0
    tags: list[str] = []
    variables: dict[str, Any] = {}
    messages: list[Any] = []
    expected: dict[str, Any] = {}
    """Empty, or the expected value under `value`."""
    source_run_id: str | None = None
    created_at: str = ""
    updated_at: str = ""


class EvaluationRow(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    test_set_id: str | None = None
    name: str = ""
    split: str = "all"
    status: str = "running"
    baseline: str = ""
    margin: float | None = None
    """Points of 100."""
    repeats: int = 1
    budget_usd: float | None = None
    budget_tokens: int | None = None
    config: dict[str, Any] = {}
    """The whole evaluation as its file has it, and the session that holds its answers."""
    summary: dict[str, Any] = {}
    created_at: str = ""
    ended_at: str | None = None


class ResultRow(msgspec.Struct, frozen=True, kw_only=True):
    """One place of an evaluation: with an empty `grader` the answer itself, else one grader's judgement of it."""

    evaluation_id: str
    test_case_id: str
    model: str
    variant: str
    """The contestant's name, and the prompt's: `CONTESTANT\\x1fPROMPT`."""
    repeat: int = 0
    grader: str = ""
    run_id: str | None = None
    score: float | None = None
    status: str = "pending"
    request_sha256: str = ""
    reason: str = ""
    error: str | None = None
    details: dict[str, Any] = {}
    id: str = ""
    created_at: str = ""


class PromptTemplateRow(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a test set's prompt; versions count from 1 and none is ever changed."""

    id: str
    test_set_id: str
    name: str
    version: int
    messages: list[Any] = []
    """Objects with `role` (system or user) and `text`, each a template."""
    note: str = ""
    created_at: str = ""


ResultLine = tuple[str, str, int, str, float | None, str, str]
"""One answer for a table: case row, variant, repeat, run id, score, error, reason."""

ASKED = "ask:"
"""Begins the grader's name in the place of a judge's answer; the rest is from its request's hash."""

_PLACE = ("evaluation_id", "test_case_id", "model", "variant", "repeat", "grader")


def case_row_id(test_set_id: str, case_id: str) -> str:
    return f"{test_set_id}:{case_id}"


class EvaluationTables(Tables):
    # --- test sets --------------------------------------------------------------------------------------------
    def save_test_set(self, test_set: TestSetRow, cases: Iterable[TestCaseRow], *, listed: bool = True) -> None:
        """Add or replace a set and its cases; cases that are no longer in it are hidden, as results refer to them.

        `listed` False: a copy that an evaluation keeps, which `test_sets` does not show.
        """
        rows, time = list(cases), now()
        stored = msgspec.structs.replace(test_set, created_at=test_set.created_at or time, updated_at=time)

        def write(db: sqlite3.Connection) -> None:
            put_row(db, "test_sets", "id", stored)
            db.execute("UPDATE test_cases SET deleted_at = ? WHERE test_set_id = ?", [time, stored.id])
            for row in rows:
                put_row(
                    db,
                    "test_cases",
                    "id",
                    msgspec.structs.replace(row, created_at=row.created_at or time, updated_at=time),
                )
            db.executemany("UPDATE test_cases SET deleted_at = NULL WHERE id = ?", [[row.id] for row in rows])
            if not listed:
                db.execute("UPDATE test_sets SET deleted_at = ? WHERE id = ?", [time, stored.id])

        self._write(write)

    def test_sets(self) -> list[TestSetRow]:
        return self._kind(TestSetRow, "test_sets", "WHERE deleted_at IS NULL ORDER BY updated_at DESC", [])

    def test_set(self, id: str) -> TestSetRow | None:
        """Also one that is hidden."""
        found = self._kind(TestSetRow, "test_sets", "WHERE id = ?", [id])
        return found[0] if found else None

    def test_set_sizes(self) -> dict[str, int]:
        """Cases of every set."""
        rows = self._all("SELECT test_set_id, count(*) FROM test_cases WHERE deleted_at IS NULL GROUP BY 1")
        return {str(id): int(count) for id, count in rows}

    def test_cases(self, test_set_id: str) -> list[TestCaseRow]:
        return self._kind(
            TestCaseRow, "test_cases", "WHERE test_set_id = ? AND deleted_at IS NULL ORDER BY position", [test_set_id]
        )

    def delete_test_set(self, id: str) -> None:
        """Hide it; evaluations of it stay readable."""
        self._write(lambda db: db.execute("UPDATE test_sets SET deleted_at = ? WHERE id = ?", [now(), id]).close())

    def restore_test_set(self, id: str) -> None:
        self._write(lambda db: db.execute("UPDATE test_sets SET deleted_at = NULL WHERE id = ?", [id]).close())

    def note_sealed_opening(self, test_set_id: str, reason: str) -> int:
        """Count one more look at the sealed part. Returns how many there were."""

        def write(db: sqlite3.Connection) -> int:
            db.execute(
                "INSERT INTO sealed_openings (id, test_set_id, reason, opened_at) VALUES (?, ?, ?, ?)",
                [new_id(), test_set_id, reason, now()],
            )
            count = db.execute("SELECT count(*) FROM sealed_openings WHERE test_set_id = ?", [test_set_id]).fetchone()
            return int(count[0])

        return self._write(write)

    def sealed_openings(self, test_set_id: str) -> list[tuple[str, str]]:
        """When and why the sealed part was opened, oldest first."""
        rows = self._all(
            "SELECT opened_at, reason FROM sealed_openings WHERE test_set_id = ? ORDER BY opened_at", [test_set_id]
        )
        return [(str(at), str(reason)) for at, reason in rows]

    def save_prompt_template(self, test_set_id: str, name: str, messages: list[Any], note: str = "") -> int:
        """Keep a new version; the same text as the newest one makes none. Returns the version that holds it."""

        def write(db: sqlite3.Connection) -> int:
            text = to_json(messages)
            newest = db.execute(
                "SELECT version, messages FROM prompt_templates WHERE test_set_id = ? AND name = ? "
                "ORDER BY version DESC LIMIT 1",
                [test_set_id, name],
            ).fetchone()
            if newest is not None and newest[1] == text:
                return int(newest[0])
            version = int(newest[0]) + 1 if newest else 1
            db.execute(
                "INSERT INTO prompt_templates (id, test_set_id, name, version, messages, note, created_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                [new_id(), test_set_id, name, version, text, note, now()],
            )
            return version

        return self._write(write)

    def prompt_templates(self, test_set_id: str) -> list[PromptTemplateRow]:
        """All versions, by name, newest first."""
        return self._kind(
            PromptTemplateRow, "prompt_templates", "WHERE test_set_id = ? ORDER BY name, version DESC", [test_set_id]
        )

    # --- evaluations ------------------------------------------------------------------------------------------
    def save_evaluation(self, evaluation: EvaluationRow) -> EvaluationRow:
        stored = msgspec.structs.replace(
            evaluation, id=evaluation.id or new_id(), created_at=evaluation.created_at or now()
        )
        self._write(lambda db: put_row(db, "evaluations", "id", stored))
        return stored

    def evaluation(self, id: str) -> EvaluationRow | None:
        found = self._kind(EvaluationRow, "evaluations", "WHERE id = ?", [id])
        return found[0] if found else None

    def evaluations(self) -> list[EvaluationRow]:
        """Newest first."""
        return self._kind(EvaluationRow, "evaluations", "WHERE deleted_at IS NULL ORDER BY created_at DESC", [])

    def delete_evaluation(self, id: str) -> None:
        self._write(lambda db: db.execute("UPDATE evaluations SET deleted_at = ? WHERE id = ?", [now(), id]).close())

    def restore_evaluation(self, id: str) -> None:
        self._write(lambda db: db.execute("UPDATE evaluations SET deleted_at = NULL WHERE id = ?", [id]).close())

    # --- results ----------------------------------------------------------------------------------------------
    def save_results(self, results: Iterable[ResultRow]) -> None:
        """Add or replace, by place. Returns after the commit."""
        rows = [msgspec.structs.replace(r, id=r.id or new_id(), created_at=r.created_at or now()) for r in results]

        def write(db: sqlite3.Connection) -> None:
            for row in rows:
                db.execute(
                    f"DELETE FROM results WHERE {' AND '.join(f'{name} = ?' for name in _PLACE)}",
                    [getattr(row, name) for name in _PLACE],
                )
                put_row(db, "results", "id", row)

        self._write(write)

    def results(self, evaluation_id: str) -> list[ResultRow]:
        return self._kind(ResultRow, "results", "WHERE evaluation_id = ? ORDER BY created_at, id", [evaluation_id])

    def result_lines(self, evaluation_id: str) -> list[ResultLine]:
        """Every answer as a plain tuple, without its text: 100,000 of them in a fraction of a second."""
        return self._all(
            "SELECT test_case_id, variant, repeat, ifnull(run_id, ''), score, ifnull(error, ''), reason "
            "FROM results WHERE evaluation_id = ? AND grader = ''",
            [evaluation_id],
        )

    def result_texts(self, evaluation_id: str, words: str) -> set[tuple[str, str, int]]:
        """(case row, variant, repeat) of the answers that contain `words`, case ignored for ASCII letters."""
        like = "%" + words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        rows = self._all(
            "SELECT test_case_id, variant, repeat FROM results LEFT JOIN runs ON runs.id = run_id "
            "WHERE evaluation_id = ? AND grader = '' AND (runs.text LIKE ? ESCAPE '\\' "
            "OR (run_id IS NULL AND json_extract(results.details, '$.recorded.text') LIKE ? ESCAPE '\\'))",
            [evaluation_id, like, like],
        )
        return {(str(case), str(variant), int(repeat)) for case, variant, repeat in rows}

    def result_runs(self, evaluation_id: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        """The id and some columns of every run behind an evaluation's answers."""
        names = ", ".join(f"runs.{name}" for name in columns)
        return self._all(
            f"SELECT runs.id, {names} FROM results JOIN runs ON runs.id = run_id "
            "WHERE evaluation_id = ? AND grader = ''",
            [evaluation_id],
        )

    def judges_asked(self, evaluation_id: str) -> list[tuple[str, bool, int]]:
        """(model, whether its prompts left the machine, how many) of the models that judged."""
        rows = self._all(
            "SELECT results.model, runs.remote, count(*) FROM results JOIN runs ON runs.id = run_id "
            f"WHERE evaluation_id = ? AND grader LIKE '{ASKED}%' GROUP BY 1, 2 ORDER BY 1",
            [evaluation_id],
        )
        return [(str(model), bool(remote), int(count)) for model, remote, count in rows]

    def remote_use(self, session_id: str) -> list[tuple[int | None, float | None]]:
        """(tokens, dollars) of every run of the session that a service on another machine answered, at least in part;
        None for what is not known. Deleted runs count: they were paid for."""
        return self._all(
            "SELECT prompt_tokens + completion_tokens, cost_usd FROM runs WHERE session_id = ? AND remote "
            "AND NOT (status = 'failed' AND text = '' AND reasoning = '' AND prompt_tokens IS NULL)",
            [session_id],
        )

    def set_score(self, place: ResultRow, score: float | None) -> None:
        """The score of an answer that a person judged just now."""
        self._write(
            lambda db: db.execute(
                "UPDATE results SET score = ? WHERE evaluation_id = ? AND test_case_id = ? AND variant = ? "
                "AND repeat = ? AND grader = ''",
                [score, place.evaluation_id, place.test_case_id, place.variant, place.repeat],
            ).close()
        )

    def place_rows(self, evaluation_id: str, case_row: str, variant: str, repeat: int) -> list[ResultRow]:
        """One answer and its grades."""
        return self._kind(
            ResultRow,
            "results",
            "WHERE evaluation_id = ? AND test_case_id = ? AND variant = ? AND repeat = ?",
            [evaluation_id, case_row, variant, repeat],
        )

    def recorded_text(self, evaluation_id: str, case_id: str, variant: str, repeat: int) -> str:
        """The text of a recorded answer; empty where there is none."""
        row = self._one(
            "SELECT json_extract(details, '$.recorded.text') FROM results WHERE evaluation_id = ? AND grader = '' "
            "AND variant = ? AND repeat = ? AND substr(test_case_id, instr(test_case_id, ':') + 1) = ?",
            [evaluation_id, variant, repeat, case_id],
        )
        return str(row[0]) if row and row[0] is not None else ""

    def answered_request(self, request_sha256: str) -> str | None:
        """The run that answered an identical request completely, of any evaluation; None if there is none."""
        row = self._one(
            "SELECT runs.id FROM results JOIN runs ON runs.id = run_id WHERE request_sha256 = ? "
            f"AND (grader = '' OR grader LIKE '{ASKED}%') "
            "AND runs.status = 'done' ORDER BY runs.started_at DESC LIMIT 1",
            [request_sha256],
        )
        return str(row[0]) if row else None

    def _kind(self, kind: type[S], table: str, rest: str, values: list[Any]) -> list[S]:
        return row_of(kind, self._query(f"SELECT {', '.join(kind.__struct_fields__)} FROM {table} {rest}", values))
