"""The steps that make the schema; those that are missing are taken in one transaction. Only ever add to this list.

Tables are meant to be read by people, in Datasette or the sqlite3 shell: plain names, ISO times, JSON for lists.
`messages` and `sessions` have an integer key besides their id because the search index refers to rows by number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlite_utils import Database, Migrations

from workbench.store.schema import MIGRATION_SET

Step = Callable[[Any], None]


def create_sessions(db: Any) -> None:
    db.execute("""
        CREATE TABLE sessions (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            kind TEXT NOT NULL DEFAULT 'chat',
            title TEXT NOT NULL DEFAULT '',
            folder TEXT NOT NULL DEFAULT '',
            pinned INTEGER NOT NULL DEFAULT 0,
            leaf_id TEXT,
            options TEXT NOT NULL DEFAULT '{}',
            draft TEXT NOT NULL DEFAULT '',
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            deleted_at TEXT
        )""")
    db.execute("CREATE INDEX sessions_list ON sessions (pinned DESC, updated_at DESC) WHERE deleted_at IS NULL")
    db.execute("CREATE INDEX sessions_folder ON sessions (folder, pinned DESC, updated_at DESC)")


def create_messages(db: Any) -> None:
    """No cascade along parent_id: SQLite gives up a thousand levels deep, and a long chat is deeper."""
    db.execute("""
        CREATE TABLE messages (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
            parent_id TEXT REFERENCES messages (id) DEFERRABLE INITIALLY DEFERRED,
            role TEXT NOT NULL,
            run_id TEXT,
            created_at TEXT NOT NULL,
            deleted_at TEXT,
            text TEXT NOT NULL DEFAULT '',
            parts TEXT NOT NULL DEFAULT '[]'
        )""")
    db.execute("CREATE INDEX messages_session ON messages (session_id, number)")
    db.execute("CREATE INDEX messages_parent ON messages (parent_id)")


def create_attachments(db: Any) -> None:
    db.execute("""
        CREATE TABLE attachments (
            sha256 TEXT PRIMARY KEY,
            media_type TEXT NOT NULL,
            size INTEGER NOT NULL,
            created_at TEXT NOT NULL,
            data BLOB NOT NULL
        )""")
    db.execute("""
        CREATE TABLE message_attachments (
            message_id TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            sha256 TEXT NOT NULL REFERENCES attachments (sha256),
            name TEXT NOT NULL DEFAULT '',
            PRIMARY KEY (message_id, sha256)
        ) WITHOUT ROWID""")
    db.execute("CREATE INDEX message_attachments_sha256 ON message_attachments (sha256)")


def create_runs(db: Any) -> None:
    """Long texts stand last: a row's short columns are then read without them."""
    db.execute("""
        CREATE TABLE runs (
            id TEXT PRIMARY KEY,
            session_id TEXT REFERENCES sessions (id) ON DELETE CASCADE,
            message_id TEXT REFERENCES messages (id) ON DELETE CASCADE,
            comparison_id TEXT REFERENCES comparisons (id) ON DELETE SET NULL,
            model TEXT NOT NULL,
            model_name TEXT NOT NULL DEFAULT '',
            provider TEXT NOT NULL DEFAULT '',
            remote INTEGER NOT NULL DEFAULT 0,
            model_version TEXT NOT NULL DEFAULT '',
            status TEXT NOT NULL DEFAULT 'running',
            finish_reason TEXT NOT NULL DEFAULT '',
            finish_detail TEXT NOT NULL DEFAULT '',
            prompt_tokens INTEGER,
            cached_tokens INTEGER,
            cache_write_tokens INTEGER,
            completion_tokens INTEGER,
            reasoning_tokens INTEGER,
            evaluated_tokens INTEGER,
            load_s REAL,
            time_to_first_token_s REAL,
            reasoning_s REAL,
            duration_s REAL,
            prefill_tokens_per_s REAL,
            decode_tokens_per_s REAL,
            memory_bytes INTEGER,
            seed INTEGER,
            cost_usd REAL,
            started_at TEXT NOT NULL,
            ended_at TEXT,
            saved_at TEXT,
            owner TEXT NOT NULL DEFAULT '',
            deleted_at TEXT,
            chat_template_sha256 TEXT NOT NULL DEFAULT '',
            gguf_path TEXT NOT NULL DEFAULT '',
            gguf_sha256 TEXT NOT NULL DEFAULT '',
            quantization TEXT NOT NULL DEFAULT '',
            architecture TEXT NOT NULL DEFAULT '',
            llama_cpp_build TEXT NOT NULL DEFAULT '',
            adapter_sha256 TEXT NOT NULL DEFAULT '',
            adapter_scale REAL,
            n_ctx INTEGER,
            n_gpu_layers INTEGER,
            n_threads INTEGER,
            flash_attn TEXT NOT NULL DEFAULT '',
            cache_type_k TEXT NOT NULL DEFAULT '',
            cache_type_v TEXT NOT NULL DEFAULT '',
            dropped_messages INTEGER NOT NULL DEFAULT 0,
            price_snapshot TEXT,
            sampling TEXT NOT NULL DEFAULT '{}',
            error TEXT,
            notices TEXT NOT NULL DEFAULT '[]',
            tool_calls TEXT NOT NULL DEFAULT '[]',
            request TEXT NOT NULL DEFAULT '{}',
            text TEXT NOT NULL DEFAULT '',
            reasoning TEXT NOT NULL DEFAULT '',
            system_prompt TEXT NOT NULL DEFAULT '',
            rendered_prompt TEXT NOT NULL DEFAULT '',
            logprobs TEXT
        )""")
    # Everything History filters and sorts by: 100,000 rows are then read without touching the table.
    db.execute("""
        CREATE INDEX runs_overview ON runs (
            started_at, deleted_at, model, provider, remote, status, prompt_tokens, completion_tokens, cost_usd,
            duration_s, time_to_first_token_s, decode_tokens_per_s, session_id, comparison_id, message_id, id
        )""")
    db.execute("CREATE INDEX runs_model ON runs (model) WHERE deleted_at IS NULL")
    db.execute("CREATE INDEX runs_session ON runs (session_id, started_at)")
    db.execute("CREATE INDEX runs_message ON runs (message_id)")
    db.execute("CREATE INDEX runs_comparison ON runs (comparison_id) WHERE comparison_id IS NOT NULL")
    db.execute("CREATE INDEX runs_running ON runs (id) WHERE status = 'running'")


def create_comparisons_and_judgements(db: Any) -> None:
    db.execute("""
        CREATE TABLE comparisons (
            id TEXT PRIMARY KEY,
            session_id TEXT REFERENCES sessions (id) ON DELETE CASCADE,
            message_id TEXT REFERENCES messages (id) ON DELETE CASCADE,
            columns TEXT NOT NULL DEFAULT '[]',
            blind INTEGER NOT NULL DEFAULT 0,
            created_at TEXT NOT NULL
        )""")
    db.execute("CREATE INDEX comparisons_session ON comparisons (session_id)")
    db.execute("CREATE INDEX comparisons_message ON comparisons (message_id)")
    db.execute("""
        CREATE TABLE votes (
            id TEXT PRIMARY KEY,
            comparison_id TEXT NOT NULL REFERENCES comparisons (id) ON DELETE CASCADE,
            verdict TEXT NOT NULL CHECK (verdict IN ('better', 'tie', 'both_bad')),
            winner_run_id TEXT REFERENCES runs (id) ON DELETE CASCADE,
            run_ids TEXT NOT NULL DEFAULT '[]',
            reason TEXT NOT NULL DEFAULT '',
            blind INTEGER NOT NULL DEFAULT 0,
            created_at TEXT NOT NULL
        )""")
    db.execute("CREATE INDEX votes_comparison ON votes (comparison_id)")
    db.execute("CREATE INDEX votes_winner ON votes (winner_run_id)")
    db.execute("""
        CREATE TABLE ratings (
            run_id TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
            rating INTEGER NOT NULL,
            reason TEXT NOT NULL DEFAULT '',
            created_at TEXT NOT NULL
        )""")


def create_models_and_presets(db: Any) -> None:
    db.execute("""
        CREATE TABLE models (
            id TEXT PRIMARY KEY,
            path TEXT NOT NULL DEFAULT '',
            name TEXT NOT NULL DEFAULT '',
            sha256 TEXT NOT NULL DEFAULT '',
            architecture TEXT NOT NULL DEFAULT '',
            quantization TEXT NOT NULL DEFAULT '',
            parameters INTEGER,
            size_bytes INTEGER,
            context_length INTEGER,
            repo TEXT NOT NULL DEFAULT '',
            revision TEXT NOT NULL DEFAULT '',
            filename TEXT NOT NULL DEFAULT '',
            modified_ns INTEGER,
            measured TEXT NOT NULL DEFAULT '{}',
            last_used_at TEXT,
            added_at TEXT NOT NULL
        )""")
    db.execute("CREATE INDEX models_sha256 ON models (sha256)")
    db.execute("""
        CREATE TABLE presets (
            name TEXT NOT NULL,
            kind TEXT NOT NULL,
            options TEXT NOT NULL DEFAULT '{}',
            updated_at TEXT NOT NULL,
            PRIMARY KEY (kind, name)
        )""")


def create_evaluation_tables(db: Any) -> None:
    """Every version of a prompt template stays; opening the sealed part of a set is counted; a result names the
    case, prompt, model, variant and repeat it belongs to, so an evaluation goes on where it stopped."""
    db.execute("""
        CREATE TABLE test_sets (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            description TEXT NOT NULL DEFAULT '',
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            deleted_at TEXT
        )""")
    db.execute("""
        CREATE TABLE prompt_templates (
            id TEXT PRIMARY KEY,
            test_set_id TEXT NOT NULL REFERENCES test_sets (id) ON DELETE CASCADE,
            name TEXT NOT NULL,
            version INTEGER NOT NULL,
            messages TEXT NOT NULL DEFAULT '[]',
            note TEXT NOT NULL DEFAULT '',
            created_at TEXT NOT NULL,
            UNIQUE (test_set_id, name, version)
        )""")
    db.execute("""
        CREATE TABLE test_cases (
            id TEXT PRIMARY KEY,
            test_set_id TEXT NOT NULL REFERENCES test_sets (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            name TEXT NOT NULL DEFAULT '',
            split TEXT NOT NULL DEFAULT 'working' CHECK (split IN ('working', 'sealed')),
            cluster TEXT NOT NULL DEFAULT '',
            weight REAL NOT NULL DEFAULT 1.0 CHECK (weight >= 0),
            tags TEXT NOT NULL DEFAULT '[]',
            variables TEXT NOT NULL DEFAULT '{}',
            messages TEXT NOT NULL DEFAULT '[]',
            expected TEXT,
            source_run_id TEXT REFERENCES runs (id) ON DELETE SET NULL,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            deleted_at TEXT
        )""")
    db.execute("CREATE INDEX test_cases_set ON test_cases (test_set_id, position)")
    db.execute("CREATE INDEX test_cases_source ON test_cases (source_run_id) WHERE source_run_id IS NOT NULL")
    db.execute("""
        CREATE TABLE sealed_openings (
            id TEXT PRIMARY KEY,
            test_set_id TEXT NOT NULL REFERENCES test_sets (id) ON DELETE CASCADE,
            reason TEXT NOT NULL DEFAULT '',
            opened_at TEXT NOT NULL
        )""")
    db.execute("CREATE INDEX sealed_openings_set ON sealed_openings (test_set_id)")
    db.execute("""
        CREATE TABLE evaluations (
            id TEXT PRIMARY KEY,
            test_set_id TEXT REFERENCES test_sets (id) ON DELETE CASCADE,
            name TEXT NOT NULL DEFAULT '',
            split TEXT NOT NULL DEFAULT 'working',
            status TEXT NOT NULL DEFAULT 'running',
            baseline TEXT NOT NULL DEFAULT '',
            margin REAL,
            repeats INTEGER NOT NULL DEFAULT 1,
            budget_usd REAL,
            budget_tokens INTEGER,
            config TEXT NOT NULL DEFAULT '{}',
            summary TEXT NOT NULL DEFAULT '{}',
            created_at TEXT NOT NULL,
            ended_at TEXT,
            deleted_at TEXT
        )""")
    db.execute("CREATE INDEX evaluations_set ON evaluations (test_set_id, created_at)")
    db.execute("""
        CREATE TABLE results (
            id TEXT PRIMARY KEY,
            evaluation_id TEXT NOT NULL REFERENCES evaluations (id) ON DELETE CASCADE,
            test_case_id TEXT NOT NULL REFERENCES test_cases (id) ON DELETE CASCADE,
            prompt_template_id TEXT REFERENCES prompt_templates (id),
            run_id TEXT REFERENCES runs (id) ON DELETE SET NULL,
            model TEXT NOT NULL,
            variant TEXT NOT NULL DEFAULT '',
            repeat INTEGER NOT NULL DEFAULT 0,
            grader TEXT NOT NULL DEFAULT '',
            score REAL,
            status TEXT NOT NULL DEFAULT 'pending',
            request_sha256 TEXT NOT NULL DEFAULT '',
            created_at TEXT NOT NULL,
            reason TEXT NOT NULL DEFAULT '',
            error TEXT,
            details TEXT NOT NULL DEFAULT '{}'
        )""")
    db.execute("""
        CREATE UNIQUE INDEX results_place ON results (
            evaluation_id, test_case_id, ifnull(prompt_template_id, ''), model, variant, repeat, grader
        )""")
    db.execute("CREATE INDEX results_run ON results (run_id)")
    db.execute("CREATE INDEX results_case ON results (test_case_id)")
    db.execute("CREATE INDEX results_request ON results (request_sha256) WHERE request_sha256 != ''")


def create_full_text_search(db: Any) -> None:
    """External content: the index holds no second copy of the text; triggers keep it in step.

    Prefixes of up to five characters have lists of their own: without them, the beginning of many words takes 100 ms.
    """
    for table, column in (("messages", "text"), ("sessions", "title")):
        index = f"{table}_fts"
        db.execute(f"""
            CREATE VIRTUAL TABLE {index} USING fts5 (
                {column}, content='{table}', content_rowid='number',
                tokenize='unicode61 remove_diacritics 2', prefix='2 3 4 5'
            )""")
        gone = f"INSERT INTO {index} ({index}, rowid, {column}) VALUES ('delete', old.number, old.{column});"
        new = f"INSERT INTO {index} (rowid, {column}) VALUES (new.number, new.{column});"
        db.execute(f"CREATE TRIGGER {index}_insert AFTER INSERT ON {table} BEGIN {new} END")
        db.execute(f"CREATE TRIGGER {index}_delete AFTER DELETE ON {table} BEGIN {gone} END")
        db.execute(
            f"CREATE TRIGGER {index}_update AFTER UPDATE OF {column} ON {table} "
            f"WHEN old.{column} IS NOT new.{column} BEGIN {gone} {new} END"
        )


def add_conditions_of_runs(db: Any) -> None:
    """Which column of a comparison a run answers, and in what it was asked otherwise than wanted."""
    db.execute("ALTER TABLE runs ADD COLUMN comparison_column INTEGER")
    db.execute("ALTER TABLE runs ADD COLUMN conditions TEXT NOT NULL DEFAULT '[]'")


def add_context_tokens_of_runs(db: Any) -> None:
    """How much of its context a run had used at its end."""
    db.execute("ALTER TABLE runs ADD COLUMN context_tokens INTEGER")
    db.execute("UPDATE runs SET context_tokens = prompt_tokens + completion_tokens")


STEPS: tuple[Step, ...] = (
    create_sessions,
    create_messages,
    create_attachments,
    create_runs,
    create_comparisons_and_judgements,
    create_models_and_presets,
    create_evaluation_tables,
    create_full_text_search,
    add_conditions_of_runs,
    add_context_tokens_of_runs,
)

migrations = Migrations(MIGRATION_SET)
for step in STEPS:
    migrations(name=step.__name__)(step)


def migrate(connection: Any) -> None:
    """Take all pending steps within the caller's transaction: all or none."""
    migrations.apply(Database(connection, recursive_triggers=False, execute_plugins=False))
