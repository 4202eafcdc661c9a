"""Which steps the database's schema is made of. Kept apart from the steps themselves: those need sqlite-utils,
whose import is slow, and a database that is up to date needs none of them."""

from __future__ import annotations

import sqlite3

MIGRATION_SET = "workbench"
MIGRATION_NAMES = (
    "create_sessions",
    "create_messages",
    "create_attachments",
    "create_runs",
    "create_comparisons_and_judgements",
    "create_models_and_presets",
    "create_evaluation_tables",
    "create_full_text_search",
    "add_conditions_of_runs",
    "add_context_tokens_of_runs",
)
"""In order; `migrations.py` has a function of each name. A name that was released is never renamed or removed."""


def applied(connection: sqlite3.Connection) -> list[str]:
    """Names of the steps this database has, in the order in which they were taken."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone():
        return []
    rows = connection.execute(
        "SELECT name FROM _sqlite_migrations WHERE migration_set = ? ORDER BY rowid", [MIGRATION_SET]
    )
    return [name for (name,) in rows]


def pending(names: list[str]) -> list[str]:
    return [name for name in MIGRATION_NAMES if name not in names]


def unknown(names: list[str]) -> list[str]:
    """Steps that only a newer version of the program knows."""
    return [name for name in names if name not in MIGRATION_NAMES]
