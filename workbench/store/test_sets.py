"""Test sets: their cases, prompts, and looks at the sealed part."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from workbench.store.base import Tables
from workbench.store.ids import new_id, now
from workbench.store.library import put_row
from workbench.store.records import to_json


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


def case_row_id(test_set_id: str, case_id: str) -> str:
    return f"{test_set_id}:{case_id}"


class TestSetTables(Tables):
    __test__ = False

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
        return self._rows(TestSetRow, "test_sets", "WHERE deleted_at IS NULL ORDER BY updated_at DESC", [])

    def test_set(self, id: str) -> TestSetRow | None:
        """Also one that is hidden."""
        found = self._rows(TestSetRow, "test_sets", "WHERE id = ?", [id])
        return found[0] if found else None

    def test_set_sizes(self) -> dict[str, int]:
        """Cases of every set."""
        rows = self._all("SELECT test_set_id, count(*) FROM test_cases WHERE deleted_at IS NULL GROUP BY 1")
        return {str(id): int(count) for id, count in rows}

    def test_cases(self, test_set_id: str) -> list[TestCaseRow]:
        return self._rows(
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
        return self._rows(
            PromptTemplateRow, "prompt_templates", "WHERE test_set_id = ? ORDER BY name, version DESC", [test_set_id]
        )
