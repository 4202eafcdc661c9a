"""The tables of `llm`'s logs.db as of its migration 27, and how it names messages by their content.

See `llm`'s documentation, "Logging to SQLite". Tables that hold only what `llm` itself logs of its tools stay empty.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from typing import Any

_FRAGMENTS = (
    "response_id TEXT REFERENCES responses (id)",
    "fragment_id INTEGER REFERENCES fragments (id)",
    '"order" INTEGER',
    'PRIMARY KEY (response_id, fragment_id, "order")',
)
TABLES: dict[str, tuple[str, ...]] = {
    "_llm_migrations": ("name TEXT PRIMARY KEY", "applied_at TEXT"),
    "conversations": ("id TEXT PRIMARY KEY", "name TEXT", "model TEXT"),
    "attachments": ("id TEXT PRIMARY KEY", "type TEXT", "path TEXT", "url TEXT", "content BLOB"),
    "schemas": ("id TEXT PRIMARY KEY", "content TEXT"),
    "responses": (
        "id TEXT PRIMARY KEY", "model TEXT", "prompt TEXT", "system TEXT", "prompt_json TEXT", "options_json TEXT",
        "response TEXT", "response_json TEXT", "conversation_id TEXT REFERENCES conversations (id)",
        "duration_ms INTEGER", "datetime_utc TEXT", "input_tokens INTEGER", "output_tokens INTEGER",
        "token_details TEXT", "schema_id TEXT REFERENCES schemas (id)", "resolved_model TEXT", "reasoning TEXT",
    ),
    "prompt_attachments": (
        "response_id TEXT REFERENCES responses (id)", "attachment_id TEXT REFERENCES attachments (id)",
        '"order" INTEGER', "PRIMARY KEY (response_id, attachment_id)",
    ),
    "fragments": ("id INTEGER PRIMARY KEY", "hash TEXT UNIQUE", "content TEXT", "datetime_utc TEXT", "source TEXT"),
    "fragment_aliases": ("alias TEXT PRIMARY KEY", "fragment_id INTEGER REFERENCES fragments (id)"),
    "prompt_fragments": _FRAGMENTS,
    "system_fragments": _FRAGMENTS,
    "tools": (
        "id INTEGER PRIMARY KEY", "hash TEXT UNIQUE", "name TEXT", "description TEXT", "input_schema TEXT",
        "plugin TEXT",
    ),
    "tool_instances": ("id INTEGER PRIMARY KEY", "plugin TEXT", "name TEXT", "arguments TEXT"),
    "tool_responses": (
        "tool_id INTEGER REFERENCES tools (id)", "response_id TEXT REFERENCES responses (id)",
        "PRIMARY KEY (tool_id, response_id)",
    ),
    "tool_calls": (
        "id INTEGER PRIMARY KEY", "response_id TEXT REFERENCES responses (id)", "tool_id INTEGER REFERENCES tools (id)",
        "name TEXT", "arguments TEXT", "tool_call_id TEXT",
    ),
    "tool_results": (
        "id INTEGER PRIMARY KEY", "response_id TEXT REFERENCES responses (id)", "tool_id INTEGER REFERENCES tools (id)",
        "name TEXT", "output TEXT", "tool_call_id TEXT", "instance_id INTEGER REFERENCES tool_instances (id)",
        "exception TEXT",
    ),
    "tool_results_attachments": (
        "tool_result_id INTEGER REFERENCES tool_results (id)", "attachment_id TEXT REFERENCES attachments (id)",
        '"order" INTEGER', "PRIMARY KEY (tool_result_id, attachment_id)",
    ),
    "messages": (
        "hash TEXT PRIMARY KEY", "parent_hash TEXT REFERENCES messages (hash)", "role TEXT", "provider_metadata TEXT",
    ),
    "parts": (
        "id INTEGER PRIMARY KEY", "message_hash TEXT REFERENCES messages (hash)", "position INTEGER", "type TEXT",
        "tool_name TEXT", "text TEXT", "payload TEXT", "UNIQUE (message_hash, position)",
    ),
    "part_attachments": (
        "part_id INTEGER REFERENCES parts (id)", "attachment_id TEXT REFERENCES attachments (id)", '"order" INTEGER',
        'PRIMARY KEY (part_id, attachment_id, "order")',
    ),
    "part_fragments": (
        "part_id INTEGER REFERENCES parts (id)", "fragment_id INTEGER REFERENCES fragments (id)", '"order" INTEGER',
        'PRIMARY KEY (part_id, fragment_id, "order")',
    ),
    "threads": (
        "id TEXT PRIMARY KEY", "name TEXT", "tip_message_hash TEXT REFERENCES messages (hash)",
        "forked_from TEXT REFERENCES threads (id)", "datetime_utc TEXT",
    ),
    "turns": (
        "id TEXT PRIMARY KEY", "thread_id TEXT REFERENCES threads (id)",
        "parent_message_hash TEXT REFERENCES messages (hash)", "tip_message_hash TEXT REFERENCES messages (hash)",
        "model TEXT", "resolved_model TEXT", "options_json TEXT", "schema_id TEXT REFERENCES schemas (id)",
        "input_tokens INTEGER", "output_tokens INTEGER", "token_details TEXT", "duration_ms INTEGER",
        "datetime_utc TEXT", "response_json TEXT",
    ),
    "turn_tools": (
        "turn_id TEXT REFERENCES turns (id)", "tool_id INTEGER REFERENCES tools (id)",
        "instance_id INTEGER REFERENCES tool_instances (id)", "PRIMARY KEY (turn_id, tool_id)",
    ),
    "turn_fragments": (
        "turn_id TEXT REFERENCES turns (id)", "fragment_id INTEGER REFERENCES fragments (id)", '"order" INTEGER',
        "kind TEXT", 'PRIMARY KEY (turn_id, fragment_id, kind, "order")',
    ),
    "turn_search": (
        "id INTEGER PRIMARY KEY", "turn_id TEXT UNIQUE REFERENCES turns (id)", "prompt TEXT", "response TEXT",
    ),
    "tool_instantiations": (
        "turn_id TEXT REFERENCES turns (id)", "tool_call_id TEXT",
        "instance_id INTEGER REFERENCES tool_instances (id)", "PRIMARY KEY (turn_id, tool_call_id)",
    ),
}  # fmt: skip
INDEXES = (
    ("messages", "parent_hash"),
    ("part_fragments", "fragment_id"),
    ("turns", "thread_id"),
    ("turn_fragments", "fragment_id"),
)
SEARCHED = ("responses", "turn_search")
STEPS = (
    "m001_initial", "m002_id_primary_key", "m003_chat_id_foreign_key", "m004_column_order", "m004_drop_provider",
    "m005_debug", "m006_new_logs_table", "m007_finish_logs_table", "m008_reply_to_id_foreign_key",
    "m008_fix_column_order_in_logs", "m009_delete_logs_table_if_empty", "m010_create_new_log_tables",
    "m011_fts_for_responses", "m012_attachments_tables", "m013_usage", "m014_schemas", "m015_fragments_tables",
    "m016_fragments_table_pks", "m017_tools_tables", "m017_tools_plugin", "m018_tool_instances", "m019_resolved_model",
    "m020_tool_results_attachments", "m021_tool_results_exception", "m022_response_reasoning", "m023_message_store",
    "m024_tool_instance_references", "m025_turn_tools_instance_backfill", "m027_turns_response_json",
)  # fmt: skip
"""Migrations whose result stands here. The one that makes a view (m026) is left to `llm`, which takes it at opening."""


def create(db: sqlite3.Connection, now: str) -> None:
    for name, columns in TABLES.items():
        db.execute(f"CREATE TABLE {name} ({', '.join(columns)})")
    for table, column in INDEXES:
        db.execute(f"CREATE INDEX idx_{table}_{column} ON {table} ({column})")
    first, second = "prompt", "response"
    for table in SEARCHED:
        index = f"{table}_fts"
        old = f"'delete', old.rowid, old.{first}, old.{second}"
        gone = f"INSERT INTO {index} ({index}, rowid, {first}, {second}) VALUES ({old});"
        new = f"INSERT INTO {index} (rowid, {first}, {second}) VALUES (new.rowid, new.{first}, new.{second});"
        db.execute(f"CREATE VIRTUAL TABLE {index} USING fts5 ({first}, {second}, content={table})")
        db.execute(f"CREATE TRIGGER {table}_ai AFTER INSERT ON {table} BEGIN {new} END")
        db.execute(f"CREATE TRIGGER {table}_ad AFTER DELETE ON {table} BEGIN {gone} END")
        db.execute(f"CREATE TRIGGER {table}_au AFTER UPDATE ON {table} BEGIN {gone} {new} END")
    db.executemany("INSERT INTO _llm_migrations VALUES (?, ?)", [(step, now) for step in STEPS])


def message_hash(message: dict[str, Any], parent_hash: str | None) -> str:
    """The message's key: BLAKE2b over the canonical JSON of its content and its parent's key."""
    canonical = json.dumps(
        {"parent": parent_hash, "message": message}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return f"b2:{hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()}"
