BEGIN;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at) VALUES (1, 'workbench', 'create_sessions', '2026-11-26 20:49:18.289245+00:00');
INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at) VALUES (2, 'workbench', 'create_messages', '2026-11-26 20:49:18.289516+00:00');
INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at) VALUES (3, 'workbench', 'create_attachments', '2026-11-26 20:49:18.289765+00:00');
INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at) VALUES (4, 'workbench', 'create_runs', '2026-11-26 20:49:18.296317+00:00');
INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at) VALUES (5, 'workbench', 'create_comparisons_and_judgements', '2026-11-26 20:49:18.296810+00:00');
INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at) VALUES (6, 'workbench', 'create_models_and_presets', '2026-11-26 20:49:18.297063+00:00');
INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at) VALUES (7, 'workbench', 'create_evaluation_tables', '2026-11-26 20:49:18.297817+00:00');
INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at) VALUES (8, 'workbench', 'create_full_text_search', '2026-11-26 20:49:18.304775+00:00');
INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at) VALUES (9, 'workbench', 'add_conditions_of_runs', '2026-11-26 20:49:18.305772+00:00');
INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at) VALUES (10, 'workbench', 'add_context_tokens_of_runs', '2026-11-26 20:49:18.320168+00:00');
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
        );
INSERT INTO sessions (number, id, kind, title, folder, pinned, leaf_id, options, draft, created_at, updated_at, deleted_at) VALUES (1, '01a2199ea9f42245728f35b383', 'comparison', 'Capitals', 'Geography', 1, '01a2199eaa3c70cc21800de131', '{"model":"starter"}', 'What about', '2026-11-26T20:49:18.324+00:00', '2026-11-26T20:49:18.396+00:00', NULL);
INSERT INTO sessions (number, id, kind, title, folder, pinned, leaf_id, options, draft, created_at, updated_at, deleted_at) VALUES (2, '01a2199eaa3e0bb8a56415194a', 'chat', 'Deleted', '', 0, '01a2199eaa4287f8ce81ad6545', '{}', '', '2026-11-26T20:49:18.398+00:00', '2026-11-26T20:49:18.402+00:00', '2026-11-26T20:49:18.402849+00:00');
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
        );
INSERT INTO messages (number, id, session_id, parent_id, role, run_id, created_at, deleted_at, text, parts) VALUES (1, '01a2199ea9fa569d918c48abf0', '01a2199ea9f42245728f35b383', NULL, 'user', NULL, '2026-11-26T20:49:18.330+00:00', NULL, 'Größe of Paris?

Paris is in France', '[{"type":"text","text":"Größe of Paris?"},{"type":"file","attachment":{"sha256":"ac84bf23dc5514758cc6a1cec4f5c66e92f95986114cbc088a3328467c48ba63","media_type":"text/plain","name":"notes.txt","size":18,"data":""},"text":"Paris is in France"}]');
INSERT INTO messages (number, id, session_id, parent_id, role, run_id, created_at, deleted_at, text, parts) VALUES (2, '01a2199ea9fc2d540221699530', '01a2199ea9f42245728f35b383', '01a2199ea9fa569d918c48abf0', 'assistant', 'run-0', '2026-11-26T20:49:18.332+00:00', NULL, 'About 0 million', '[{"type":"reasoning","text":"I think","signature":"","duration_s":0.5},{"type":"text","text":"About 0 million"}]');
INSERT INTO messages (number, id, session_id, parent_id, role, run_id, created_at, deleted_at, text, parts) VALUES (3, '01a2199eaa35b245d672d0ebb2', '01a2199ea9f42245728f35b383', '01a2199ea9fa569d918c48abf0', 'assistant', 'run-1', '2026-11-26T20:49:18.389+00:00', NULL, 'About 1 million', '[{"type":"reasoning","text":"I think","signature":"","duration_s":0.5},{"type":"text","text":"About 1 million"}]');
INSERT INTO messages (number, id, session_id, parent_id, role, run_id, created_at, deleted_at, text, parts) VALUES (4, '01a2199eaa3c70cc21800de131', '01a2199ea9f42245728f35b383', '01a2199ea9fa569d918c48abf0', 'assistant', 'run-2', '2026-11-26T20:49:18.396+00:00', NULL, '', '[]');
INSERT INTO messages (number, id, session_id, parent_id, role, run_id, created_at, deleted_at, text, parts) VALUES (5, '01a2199eaa4287f8ce81ad6545', '01a2199eaa3e0bb8a56415194a', NULL, 'assistant', NULL, '2026-11-26T20:49:18.402+00:00', NULL, 'gone', '[{"type":"reasoning","text":"r","signature":"","duration_s":null},{"type":"text","text":"gone"}]');
CREATE TABLE attachments (
            sha256 TEXT PRIMARY KEY,
            media_type TEXT NOT NULL,
            size INTEGER NOT NULL,
            created_at TEXT NOT NULL,
            data BLOB NOT NULL
        );
INSERT INTO attachments (sha256, media_type, size, created_at, data) VALUES ('ac84bf23dc5514758cc6a1cec4f5c66e92f95986114cbc088a3328467c48ba63', 'text/plain', 18, '2026-11-26T20:49:18.330+00:00', X'506172697320697320696E204672616E6365');
CREATE TABLE message_attachments (
            message_id TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            sha256 TEXT NOT NULL REFERENCES attachments (sha256),
            name TEXT NOT NULL DEFAULT '',
            PRIMARY KEY (message_id, sha256)
        ) WITHOUT ROWID;
INSERT INTO message_attachments (message_id, sha256, name) VALUES ('01a2199ea9fa569d918c48abf0', 'ac84bf23dc5514758cc6a1cec4f5c66e92f95986114cbc088a3328467c48ba63', 'notes.txt');
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
        , comparison_column INTEGER, conditions TEXT NOT NULL DEFAULT '[]', context_tokens INTEGER);
INSERT INTO runs (id, session_id, message_id, comparison_id, model, model_name, provider, remote, model_version, status, finish_reason, finish_detail, prompt_tokens, cached_tokens, cache_write_tokens, completion_tokens, reasoning_tokens, evaluated_tokens, load_s, time_to_first_token_s, reasoning_s, duration_s, prefill_tokens_per_s, decode_tokens_per_s, memory_bytes, seed, cost_usd, started_at, ended_at, saved_at, owner, deleted_at, chat_template_sha256, gguf_path, gguf_sha256, quantization, architecture, llama_cpp_build, adapter_sha256, adapter_scale, n_ctx, n_gpu_layers, n_threads, flash_attn, cache_type_k, cache_type_v, dropped_messages, price_snapshot, sampling, error, notices, tool_calls, request, text, reasoning, system_prompt, rendered_prompt, logprobs, comparison_column, conditions, context_tokens) VALUES ('run-0', '01a2199ea9f42245728f35b383', '01a2199ea9fc2d540221699530', '01a2199ea9fbdb480f833d9951', 'starter', '', '', 0, '', 'done', '', '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0.5, NULL, NULL, NULL, NULL, NULL, NULL, '2024-01-01T00:00:00.000+00:00', NULL, '2024-01-03T00:00:05.000+00:00', 'elsewhere 1 1.0', NULL, '', '', '', '', '', '', '', NULL, NULL, NULL, NULL, '', '', '', 0, NULL, '{"temperature":0.5}', NULL, '[]', '[]', '{}', 'About 0 million', 'I think', '', '', NULL, NULL, '[]', NULL);
INSERT INTO runs (id, session_id, message_id, comparison_id, model, model_name, provider, remote, model_version, status, finish_reason, finish_detail, prompt_tokens, cached_tokens, cache_write_tokens, completion_tokens, reasoning_tokens, evaluated_tokens, load_s, time_to_first_token_s, reasoning_s, duration_s, prefill_tokens_per_s, decode_tokens_per_s, memory_bytes, seed, cost_usd, started_at, ended_at, saved_at, owner, deleted_at, chat_template_sha256, gguf_path, gguf_sha256, quantization, architecture, llama_cpp_build, adapter_sha256, adapter_scale, n_ctx, n_gpu_layers, n_threads, flash_attn, cache_type_k, cache_type_v, dropped_messages, price_snapshot, sampling, error, notices, tool_calls, request, text, reasoning, system_prompt, rendered_prompt, logprobs, comparison_column, conditions, context_tokens) VALUES ('run-1', '01a2199ea9f42245728f35b383', '01a2199eaa35b245d672d0ebb2', '01a2199ea9fbdb480f833d9951', 'openai:x', '', '', 1, '', 'failed', '', '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0.5, NULL, NULL, NULL, NULL, NULL, NULL, '2024-01-02T00:00:00.000+00:00', NULL, '2024-01-03T00:00:05.000+00:00', 'elsewhere 1 1.0', NULL, '', '', '', '', '', '', '', NULL, NULL, NULL, NULL, '', '', '', 0, '{"input":1.0}', '{"temperature":0.5}', '{"kind":"k","message":"m","hint":"","detail":""}', '[]', '[]', '{}', 'About 1 million', 'I think', '', '', NULL, NULL, '[]', NULL);
INSERT INTO runs (id, session_id, message_id, comparison_id, model, model_name, provider, remote, model_version, status, finish_reason, finish_detail, prompt_tokens, cached_tokens, cache_write_tokens, completion_tokens, reasoning_tokens, evaluated_tokens, load_s, time_to_first_token_s, reasoning_s, duration_s, prefill_tokens_per_s, decode_tokens_per_s, memory_bytes, seed, cost_usd, started_at, ended_at, saved_at, owner, deleted_at, chat_template_sha256, gguf_path, gguf_sha256, quantization, architecture, llama_cpp_build, adapter_sha256, adapter_scale, n_ctx, n_gpu_layers, n_threads, flash_attn, cache_type_k, cache_type_v, dropped_messages, price_snapshot, sampling, error, notices, tool_calls, request, text, reasoning, system_prompt, rendered_prompt, logprobs, comparison_column, conditions, context_tokens) VALUES ('run-2', '01a2199ea9f42245728f35b383', '01a2199eaa3c70cc21800de131', '01a2199ea9fbdb480f833d9951', 'openai:x', '', '', 1, '', 'running', '', '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0.5, NULL, NULL, NULL, NULL, NULL, NULL, '2024-01-03T00:00:00.000+00:00', NULL, '2024-01-03T00:00:05.000+00:00', 'elsewhere 1 1.0', NULL, '', '', '', '', '', '', '', NULL, NULL, NULL, NULL, '', '', '', 0, '{"input":1.0}', '{"temperature":0.5}', NULL, '[]', '[]', '{}', 'About 2 million', 'I think', '', '', NULL, NULL, '[]', NULL);
CREATE TABLE comparisons (
            id TEXT PRIMARY KEY,
            session_id TEXT REFERENCES sessions (id) ON DELETE CASCADE,
            message_id TEXT REFERENCES messages (id) ON DELETE CASCADE,
            columns TEXT NOT NULL DEFAULT '[]',
            blind INTEGER NOT NULL DEFAULT 0,
            created_at TEXT NOT NULL
        );
INSERT INTO comparisons (id, session_id, message_id, columns, blind, created_at) VALUES ('01a2199ea9fbdb480f833d9951', '01a2199ea9f42245728f35b383', '01a2199ea9fa569d918c48abf0', '[{"model":"a"}]', 0, '2026-11-26T20:49:18.331+00:00');
CREATE TABLE votes (
            id TEXT PRIMARY KEY,
            comparison_id TEXT NOT NULL REFERENCES comparisons (id) ON DELETE CASCADE,
            verdict TEXT NOT NULL CHECK (verdict IN ('better', 'tie', 'both_bad')),
            winner_run_id TEXT REFERENCES runs (id) ON DELETE CASCADE,
            run_ids TEXT NOT NULL DEFAULT '[]',
            reason TEXT NOT NULL DEFAULT '',
            blind INTEGER NOT NULL DEFAULT 0,
            created_at TEXT NOT NULL
        );
INSERT INTO votes (id, comparison_id, verdict, winner_run_id, run_ids, reason, blind, created_at) VALUES ('01a2199eaa3dbe04d8a9d376c4', '01a2199ea9fbdb480f833d9951', 'better', 'run-0', '[]', 'right', 0, '2026-11-26T20:49:18.397+00:00');
CREATE TABLE ratings (
            run_id TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
            rating INTEGER NOT NULL,
            reason TEXT NOT NULL DEFAULT '',
            created_at TEXT NOT NULL
        );
INSERT INTO ratings (run_id, rating, reason, created_at) VALUES ('run-1', -1, '', '2026-11-26T20:49:18.397+00:00');
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
        );
INSERT INTO models (id, path, name, sha256, architecture, quantization, parameters, size_bytes, context_length, repo, revision, filename, modified_ns, measured, last_used_at, added_at) VALUES ('starter', '', '', 'ab', '', '', NULL, 98000000, NULL, '', '', '', NULL, '{}', NULL, '2026-11-26T20:49:18.398+00:00');
CREATE TABLE presets (
            name TEXT NOT NULL,
            kind TEXT NOT NULL,
            options TEXT NOT NULL DEFAULT '{}',
            updated_at TEXT NOT NULL,
            PRIMARY KEY (kind, name)
        );
INSERT INTO presets (name, kind, options, updated_at) VALUES ('Precise', 'chat', '{"sampling":{"temperature":0}}', '2026-11-26T20:49:18.397+00:00');
CREATE TABLE test_sets (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            description TEXT NOT NULL DEFAULT '',
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            deleted_at TEXT
        );
CREATE TABLE prompt_templates (
            id TEXT PRIMARY KEY,
            test_set_id TEXT NOT NULL REFERENCES test_sets (id) ON DELETE CASCADE,
            name TEXT NOT NULL,
            version INTEGER NOT NULL,
            messages TEXT NOT NULL DEFAULT '[]',
            note TEXT NOT NULL DEFAULT '',
            created_at TEXT NOT NULL,
            UNIQUE (test_set_id, name, version)
        );
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
        );
CREATE TABLE sealed_openings (
            id TEXT PRIMARY KEY,
            test_set_id TEXT NOT NULL REFERENCES test_sets (id) ON DELETE CASCADE,
            reason TEXT NOT NULL DEFAULT '',
            opened_at TEXT NOT NULL
        );
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
        );
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
        );
CREATE VIRTUAL TABLE messages_fts USING fts5 (
                text, content='messages', content_rowid='number',
                tokenize='unicode61 remove_diacritics 2', prefix='2 3 4 5'
            );
INSERT INTO messages_fts (messages_fts) VALUES ('rebuild');
CREATE VIRTUAL TABLE sessions_fts USING fts5 (
                title, content='sessions', content_rowid='number',
                tokenize='unicode61 remove_diacritics 2', prefix='2 3 4 5'
            );
INSERT INTO sessions_fts (sessions_fts) VALUES ('rebuild');
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX sessions_list ON sessions (pinned DESC, updated_at DESC) WHERE deleted_at IS NULL;
CREATE INDEX sessions_folder ON sessions (folder, pinned DESC, updated_at DESC);
CREATE INDEX messages_session ON messages (session_id, number);
CREATE INDEX messages_parent ON messages (parent_id);
CREATE INDEX message_attachments_sha256 ON message_attachments (sha256);
CREATE INDEX runs_overview ON runs (
            started_at, deleted_at, model, provider, remote, status, prompt_tokens, completion_tokens, cost_usd,
            duration_s, time_to_first_token_s, decode_tokens_per_s, session_id, comparison_id, message_id, id
        );
CREATE INDEX runs_model ON runs (model) WHERE deleted_at IS NULL;
CREATE INDEX runs_session ON runs (session_id, started_at);
CREATE INDEX runs_message ON runs (message_id);
CREATE INDEX runs_comparison ON runs (comparison_id) WHERE comparison_id IS NOT NULL;
CREATE INDEX runs_running ON runs (id) WHERE status = 'running';
CREATE INDEX comparisons_session ON comparisons (session_id);
CREATE INDEX comparisons_message ON comparisons (message_id);
CREATE INDEX votes_comparison ON votes (comparison_id);
CREATE INDEX votes_winner ON votes (winner_run_id);
CREATE INDEX models_sha256 ON models (sha256);
CREATE INDEX test_cases_set ON test_cases (test_set_id, position);
CREATE INDEX test_cases_source ON test_cases (source_run_id) WHERE source_run_id IS NOT NULL;
CREATE INDEX sealed_openings_set ON sealed_openings (test_set_id);
CREATE INDEX evaluations_set ON evaluations (test_set_id, created_at);
CREATE UNIQUE INDEX results_place ON results (
            evaluation_id, test_case_id, ifnull(prompt_template_id, ''), model, variant, repeat, grader
        );
CREATE INDEX results_run ON results (run_id);
CREATE INDEX results_case ON results (test_case_id);
CREATE INDEX results_request ON results (request_sha256) WHERE request_sha256 != '';
CREATE TRIGGER messages_fts_insert AFTER INSERT ON messages BEGIN INSERT INTO messages_fts (rowid, text) VALUES (new.number, new.text); END;
CREATE TRIGGER messages_fts_delete AFTER DELETE ON messages BEGIN INSERT INTO messages_fts (messages_fts, rowid, text) VALUES ('delete', old.number, old.text); END;
CREATE TRIGGER messages_fts_update AFTER UPDATE OF text ON messages WHEN old.text IS NOT new.text BEGIN INSERT INTO messages_fts (messages_fts, rowid, text) VALUES ('delete', old.number, old.text); INSERT INTO messages_fts (rowid, text) VALUES (new.number, new.text); END;
CREATE TRIGGER sessions_fts_insert AFTER INSERT ON sessions BEGIN INSERT INTO sessions_fts (rowid, title) VALUES (new.number, new.title); END;
CREATE TRIGGER sessions_fts_delete AFTER DELETE ON sessions BEGIN INSERT INTO sessions_fts (sessions_fts, rowid, title) VALUES ('delete', old.number, old.title); END;
CREATE TRIGGER sessions_fts_update AFTER UPDATE OF title ON sessions WHEN old.title IS NOT new.title BEGIN INSERT INTO sessions_fts (sessions_fts, rowid, title) VALUES ('delete', old.number, old.title); INSERT INTO sessions_fts (rowid, title) VALUES (new.number, new.title); END;
COMMIT;
