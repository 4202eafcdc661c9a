"""Comparisons and judgements, presets, and the model files that were seen."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from workbench.store.base import Tables
from workbench.store.ids import new_id, now
from workbench.store.records import clean, to_json
from workbench.store.values import Comparison, ModelRow, Preset, Rating, Vote


class LibraryTables(Tables):
    # --- comparisons ------------------------------------------------------------------------------------------
    def add_comparison(self, comparison: Comparison) -> Comparison:
        """Fills in `id` and `created_at` where they are empty."""
        stored = msgspec.structs.replace(
            comparison, id=comparison.id or new_id(), created_at=comparison.created_at or now()
        )
        self._write(lambda db: put_row(db, "comparisons", "id", stored))
        return stored

    def comparison(self, id: str) -> Comparison | None:
        found = self._rows(Comparison, "comparisons", "WHERE id = ?", [id])
        return found[0] if found else None

    def comparisons(self, session_id: str) -> list[Comparison]:
        return self._rows(Comparison, "comparisons", "WHERE session_id = ? ORDER BY created_at", [session_id])

    def add_vote(self, vote: Vote) -> Vote:
        """Fills in `id` and `created_at`. Several votes on one comparison are kept; the newest counts."""
        stored = msgspec.structs.replace(vote, id=vote.id or new_id(), created_at=vote.created_at or now())
        self._write(lambda db: put_row(db, "votes", "id", stored))
        return stored

    def votes(self, comparison_id: str | None = None) -> list[Vote]:
        """Oldest first; of all comparisons if none is named."""
        where = "" if comparison_id is None else "WHERE comparison_id = ? "
        return self._rows(
            Vote, "votes", f"{where}ORDER BY created_at", [] if comparison_id is None else [comparison_id]
        )

    def rate(self, rating: Rating) -> None:
        stored = msgspec.structs.replace(rating, created_at=rating.created_at or now())
        self._write(lambda db: put_row(db, "ratings", "run_id", stored))

    def unrate(self, run_id: str) -> None:
        self._write(lambda db: db.execute("DELETE FROM ratings WHERE run_id = ?", [run_id]).close())

    def rating(self, run_id: str) -> Rating | None:
        found = self._rows(Rating, "ratings", "WHERE run_id = ?", [run_id])
        return found[0] if found else None

    # --- presets ----------------------------------------------------------------------------------------------
    def save_preset(self, name: str, kind: str, options: dict[str, Any]) -> Preset:
        """Replaces a preset of this kind and name."""
        preset = Preset(name=clean(name), kind=kind, options=options, updated_at=now())
        self._write(lambda db: put_row(db, "presets", "kind, name", preset))
        return preset

    def presets(self, kind: str) -> list[Preset]:
        return self._rows(Preset, "presets", "WHERE kind = ? ORDER BY name COLLATE NOCASE", [kind])

    def delete_preset(self, name: str, kind: str) -> None:
        self._write(lambda db: db.execute("DELETE FROM presets WHERE kind = ? AND name = ?", [kind, name]).close())

    # --- models -----------------------------------------------------------------------------------------------
    def upsert_model(self, model: ModelRow) -> None:
        """Add or replace; the time it was added stays."""

        def write(db: sqlite3.Connection) -> None:
            before = db.execute("SELECT added_at FROM models WHERE id = ?", [model.id]).fetchone()
            added_at = before[0] if before else model.added_at or now()
            put_row(db, "models", "id", msgspec.structs.replace(model, added_at=added_at))

        self._write(write)

    def model_used(self, id: str) -> None:
        """Note that the model was used now."""
        self._write(lambda db: db.execute("UPDATE models SET last_used_at = ? WHERE id = ?", [now(), id]).close())

    def model(self, id: str) -> ModelRow | None:
        found = self._rows(ModelRow, "models", "WHERE id = ?", [id])
        return found[0] if found else None

    def models(self) -> list[ModelRow]:
        return self._rows(ModelRow, "models", "ORDER BY id", [])

    def forget_model(self, id: str) -> None:
        """Remove the row; the file and the runs stay."""
        self._write(lambda db: db.execute("DELETE FROM models WHERE id = ?", [id]).close())


def put_row(db: sqlite3.Connection, table: str, key: str, value: msgspec.Struct) -> None:
    """Insert `value`, or replace the row that has its key."""
    names = value.__struct_fields__
    values = [_plain(getattr(value, name)) for name in names]
    changes = ", ".join(f"{name} = excluded.{name}" for name in names)
    db.execute(
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))}) "
        f"ON CONFLICT ({key}) DO UPDATE SET {changes}",
        values,
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict | list | tuple):
        return to_json(value)
    return clean(value) if isinstance(value, str) else value
