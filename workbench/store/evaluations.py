"""Evaluations and their results."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from workbench.store.base import Tables
from workbench.store.ids import new_id, now
from workbench.store.library import put_row

EvaluationStatus = Literal["running", "done", "stopped", "over_budget"]
ResultStatus = Literal["pending", "answered", "graded", "error"]


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


ResultLine = tuple[str, str, int, str, float | None, str, str]
"""One answer for a table: case row, variant, repeat, run id, score, error, reason."""

ASKED = "ask:"
"""Begins the grader's name in the place of a judge's answer; the rest is from its request's hash."""

_PLACE = ("evaluation_id", "test_case_id", "model", "variant", "repeat", "grader")


class EvaluationTables(Tables):
    def save_evaluation(self, evaluation: EvaluationRow) -> EvaluationRow:
        stored = msgspec.structs.replace(
            evaluation, id=evaluation.id or new_id(), created_at=evaluation.created_at or now()
        )
        self._write(lambda db: put_row(db, "evaluations", "id", stored))
        return stored

    def evaluation(self, id: str) -> EvaluationRow | None:
        found = self._rows(EvaluationRow, "evaluations", "WHERE id = ?", [id])
        return found[0] if found else None

    def evaluations(self) -> list[EvaluationRow]:
        """Newest first."""
        return self._rows(EvaluationRow, "evaluations", "WHERE deleted_at IS NULL ORDER BY created_at DESC", [])

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
        return self._rows(ResultRow, "results", "WHERE evaluation_id = ? ORDER BY created_at, id", [evaluation_id])

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
        return self._rows(
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
