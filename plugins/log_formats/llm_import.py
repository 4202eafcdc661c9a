"""Reads `llm`'s logs.db: the threads of its message store, and the conversations of its older tables.

The file is untrusted: it is opened for reading only, only ordinary tables are read, and a path that an attachment
names is never followed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from workbench.core.errors import BadInput

from .common import (
    MAX_LINE_BYTES,
    MAX_MESSAGES,
    Builder,
    Plain,
    attachment_part,
    count,
    expect,
    file_part,
    iso,
    reasoning_part,
    string,
    text_part,
)

SOURCE = "llm"
MAGIC = b"SQLite format 3\x00"
Row = dict[str, Any]


def is_llm(beginning: bytes) -> bool:
    return beginning.startswith(MAGIC)


def read_llm(path: str) -> Iterator[Plain]:
    """Raises BadInput for a database of another program, and where it is damaged."""
    try:
        with closing(_open(path)) as db:
            names = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            tables = {str(row["name"]) for row in names}
            new, old = {"threads", "turns", "messages", "parts"} <= tables, "responses" in tables
            hint = "Give the logs.db that `llm logs path` names."
            if not (new or old):
                raise BadInput(f"{path} is a database, but none of llm's.", hint=hint)
            said: dict[str, set[str]] = {}
            if new:
                yield from _Threads(db, tables).read(said)
            if old:
                yield from _Responses(db, tables).read(said)
    except sqlite3.Error as error:
        raise BadInput(f"{path} is not a readable database: {error}.") from error


def _open(path: str) -> sqlite3.Connection:
    uri = Path(path).absolute().as_uri()
    try:
        db = sqlite3.connect(f"{uri}?mode=ro", uri=True)
        db.execute("SELECT 1 FROM sqlite_master")
    except sqlite3.OperationalError:  # in a folder that can't be written, or its log is missing
        db = sqlite3.connect(f"{uri}?immutable=1", uri=True)
    for pragma in ("query_only = ON", "trusted_schema = OFF", "cell_size_check = ON"):
        db.execute(f"PRAGMA {pragma}")
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_LINE_BYTES)
    db.text_factory = lambda data: data.decode("utf-8", "replace")
    db.row_factory = lambda cursor, row: {
        column[0]: value for column, value in zip(cursor.description, row, strict=True)
    }
    return db


def _json(text: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) and text else None
    except (ValueError, RecursionError):
        return None


def _run_facts(row: Row) -> Plain:
    """What a turn or response tells of its run."""
    details = _json(row.get("token_details"))
    details = details if isinstance(details, dict) else {}
    options = _json(row.get("options_json"))
    duration = row.get("duration_ms")
    seed = options.get("seed") if isinstance(options, dict) else None
    return {
        "model": string(row.get("model")),
        "model_version": string(row.get("resolved_model")) or None,
        "prompt_tokens": count(row.get("input_tokens")),
        "completion_tokens": count(row.get("output_tokens")),
        "cached_tokens": count(details.get("cached_tokens")),
        "reasoning_tokens": count(details.get("reasoning_tokens")),
        "duration_s": duration / 1000 if isinstance(duration, int | float) and duration >= 0 else None,
        "sampling": options if isinstance(options, dict) else None,
        "seed": count(seed),
        "started_at": iso(row.get("datetime_utc")) or None,
    }


def _attachment(row: Row | None) -> Plain:
    if row is None:
        return text_part("[An attachment that is not in the database]")
    content, media_type = row.get("content"), string(row.get("type")) or "application/octet-stream"
    if isinstance(content, bytes):
        if media_type.startswith("text/"):
            return file_part(content.decode("utf-8", "replace"), str(row["id"])[:12])
        return attachment_part(content, media_type)
    return text_part(f"[Attachment, not copied into the log: {string(row.get('url')) or string(row.get('path'))}]")


class _Threads:
    def __init__(self, db: sqlite3.Connection, tables: set[str]) -> None:
        self._db = db
        self._tables = tables

    def read(self, said: dict[str, set[str]]) -> Iterator[Plain]:
        """`said` gets the answers of each thread, by its id."""
        for thread in self._db.execute("SELECT * FROM threads ORDER BY rowid").fetchall():
            builder = Builder(
                SOURCE,
                f"thread {thread['id']}",
                title=string(thread.get("name")),
                created_at=iso(thread.get("datetime_utc")),
                remote=False,
            )
            self._fill(builder, thread)
            said[str(thread["id"])] = {run["text"] for run in builder.runs}
            if builder.messages:
                yield builder.archive()

    def _fill(self, builder: Builder, thread: Row) -> None:
        """Every turn's chain; the messages that chains share are added once."""
        place = f"Thread {thread['id']}"
        turns = self._db.execute(
            "SELECT * FROM turns WHERE thread_id = ? ORDER BY datetime_utc, rowid", [thread["id"]]
        ).fetchall()
        by_tip: dict[str, list[Row]] = {}
        for turn in turns:
            by_tip.setdefault(string(turn.get("tip_message_hash")), []).append(turn)
        tips = [*(tip for tip in by_tip if tip), *filter(None, [thread.get("tip_message_hash")])]
        added: dict[str, str | None] = {}
        for tip in dict.fromkeys(tips):
            parent: str | None = None
            for row in self._chain(tip, place):
                hash_ = row["hash"]
                if hash_ not in added:
                    added[hash_] = self._add(builder, row, parent, by_tip.get(hash_, []))
                parent = added[hash_]
            builder.leaf_id = parent
        times = [iso(turn.get("datetime_utc")) for turn in turns]
        builder.updated_at = max(times, default="") or builder.created_at

    def _chain(self, tip: str, place: str) -> list[Row]:
        chain: list[Row] = []
        hash_: Any = tip
        while hash_ is not None:
            row = self._db.execute("SELECT * FROM messages WHERE hash = ?", [hash_]).fetchone()
            expect(row is not None, place, f"the message {hash_} is missing")
            chain.append(row)
            expect(len(chain) <= MAX_MESSAGES, place, "its messages refer to each other in a circle")
            hash_ = row["parent_hash"]
        return chain[::-1]

    def _add(self, builder: Builder, row: Row, parent: str | None, turns: list[Row]) -> str | None:
        parts = list(self._parts(row["hash"]))
        role = row["role"] if row["role"] in ("system", "user", "assistant", "tool") else "user"
        if role == "system" and parent is None:
            texts = [part["text"] for part in parts if part["type"] == "text"]
            builder.system_prompt = "\n\n".join(filter(None, [builder.system_prompt, *texts]))
            return None
        if role != "assistant":
            return builder.add(row["hash"], parent, role, parts)
        facts = [_run_facts(turn) for turn in turns] or [{}]
        id_ = builder.add(row["hash"], parent, role, parts, facts[0].get("started_at") or "", **facts[0])
        message = builder.messages[-1]
        for turn, more in zip(turns[1:], facts[1:], strict=False):
            builder.add_run(turn["id"], message, **more)
        return id_

    def _parts(self, message_hash: str) -> Iterator[Plain]:
        rows = self._db.execute("SELECT * FROM parts WHERE message_hash = ? ORDER BY position", [message_hash])
        for row in rows.fetchall():
            payload = _json(row.get("payload"))
            payload = payload if isinstance(payload, dict) else {}
            text = row["text"] if isinstance(row.get("text"), str) else self._referenced(payload)
            yield from self._part(str(row["type"]), text, payload)

    def _part(self, kind: str, text: str, payload: Plain) -> Iterator[Plain]:
        call_id = string(payload.get("tool_call_id"))
        if kind == "text":
            yield text_part(text)
        elif kind == "reasoning" and text:
            yield reasoning_part(text)
        elif kind == "tool_call":
            arguments = json.dumps(payload.get("arguments") or {}, ensure_ascii=False)
            yield {"type": kind, "id": call_id, "name": string(payload.get("name")), "arguments": arguments}
        elif kind == "tool_result":
            failed = payload.get("exception") is not None
            output = string(payload.get("output"))
            yield {"type": kind, "call_id": call_id, "content": output, "is_error": failed}
        elif kind == "attachment":
            reference = payload.get("attachment")
            key = reference.get("id") if isinstance(reference, dict) else reference
            found = self._db.execute("SELECT * FROM attachments WHERE id = ?", [key]).fetchone()
            yield _attachment(found)

    def _referenced(self, payload: Plain) -> str:
        """Text put together of fragments and literals."""
        pieces = payload.get("text_ref")
        texts = []
        for piece in pieces if isinstance(pieces, list) else []:
            if isinstance(piece, str):
                texts.append(piece)
            elif isinstance(piece, dict):
                texts.append(string(piece.get("text") or piece.get("literal")))
                key = piece.get("fragment") or piece.get("fragment_id")
                row = self._db.execute("SELECT content FROM fragments WHERE id = ?", [key]).fetchone() if key else None
                texts.append(string(row["content"]) if row else "")
        return "".join(texts)


class _Responses:
    """The tables `llm` wrote until 0.26 or so: one row for each answer."""

    def __init__(self, db: sqlite3.Connection, tables: set[str]) -> None:
        self._db = db
        self._tables = tables

    def read(self, said: dict[str, set[str]]) -> Iterator[Plain]:
        order = self._all("SELECT id, conversation_id FROM responses ORDER BY datetime_utc, rowid")
        groups: dict[str, list[str]] = {}
        for row in order:
            groups.setdefault(row["conversation_id"] or f"response {row['id']}", []).append(row["id"])
        for key, ids in groups.items():
            archive = self._conversation(key, ids, said.get(key, set()))
            if archive is not None:
                yield archive

    def _conversation(self, key: str, ids: list[str], said: set[str]) -> Plain | None:
        """None where the thread of this conversation already has all of its answers."""
        rows = [self._all("SELECT * FROM responses WHERE id = ?", [id_])[0] for id_ in ids]
        if said and all(string(row.get("response")) in said for row in rows):
            return None
        found = (
            self._all("SELECT name FROM conversations WHERE id = ?", [key]) if "conversations" in self._tables else []
        )
        builder = Builder(
            SOURCE,
            key,
            title=string(found[0]["name"]) if found else "",
            created_at=iso(rows[0].get("datetime_utc")),
            updated_at=iso(rows[-1].get("datetime_utc")),
            remote=False,
            system_prompt=next((string(row["system"]) for row in rows if row.get("system")), ""),
        )
        parent: str | None = None
        for row in rows:
            parent = self._exchange(builder, row, parent)
        builder.leaf_id = parent
        return builder.archive()

    def _exchange(self, builder: Builder, row: Row, parent: str | None) -> str:
        id_, time = row["id"], iso(row.get("datetime_utc"))
        results = [
            {
                "type": "tool_result",
                "call_id": string(result.get("tool_call_id")),
                "content": string(result.get("output")),
            }
            for result in self._of(id_, "tool_results")
        ]
        if results:
            parent = builder.add(f"{id_} results", parent, "tool", results, time)
        asked = list(self._prompt(row))
        if asked:
            parent = builder.add(f"{id_} prompt", parent, "user", asked, time)
        parts = [reasoning_part(row["reasoning"])] if string(row.get("reasoning")) else []
        parts += [text_part(row["response"])] if string(row.get("response")) else []
        for call in self._of(id_, "tool_calls"):
            parts.append(
                {
                    "type": "tool_call",
                    "id": string(call.get("tool_call_id")),
                    "name": string(call.get("name")),
                    "arguments": string(call.get("arguments")),
                }
            )
        facts = {**_run_facts(row), "system_prompt": string(row.get("system")) or builder.system_prompt}
        return builder.add(id_, parent, "assistant", parts, time, **facts)

    def _prompt(self, row: Row) -> Iterator[Plain]:
        for fragment in self._linked(row["id"], "prompt_fragments", "fragments", "fragment_id"):
            yield file_part(string(fragment.get("content")), string(fragment.get("source")) or "fragment")
        if string(row.get("prompt")):
            yield text_part(row["prompt"])
        for attachment in self._linked(row["id"], "prompt_attachments", "attachments", "attachment_id"):
            yield _attachment(attachment)

    def _of(self, response_id: str, table: str) -> list[Row]:
        if table not in self._tables:
            return []
        return self._all(f"SELECT * FROM {table} WHERE response_id = ? ORDER BY id", [response_id])

    def _linked(self, response_id: str, link: str, table: str, column: str) -> list[Row]:
        if link not in self._tables or table not in self._tables:
            return []
        sql = f'SELECT t.* FROM {link} l JOIN {table} t ON t.id = l.{column} WHERE l.response_id = ? ORDER BY l."order"'
        return self._all(sql, [response_id])

    def _all(self, sql: str, values: list[Any] | None = None) -> list[Row]:
        return self._db.execute(sql, values or []).fetchall()
