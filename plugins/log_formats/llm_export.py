"""Writes `llm`'s logs.db, so that `llm logs` and everything built on it reads our sessions.

A session becomes a thread for each of its branches (the further ones forked from the first), an answer a turn.
"""

from __future__ import annotations

import base64
import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import llm_schema
from .common import Plain, branches, system_prompt_of, visible_text

LOSES = (
    "One thread for each branch. Left out: folders, votes and ratings, and of each run's record what llm has no column "
    "for (seed and sampling stay as options; speeds, cost, hardware and errors don't)."
)
_CHUNK = 1 << 20


def write_llm(sessions: Iterable[Plain]) -> Iterator[bytes]:
    """The bytes of the database."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "logs.db"
        with closing(sqlite3.connect(path)) as db:
            llm_schema.create(db, datetime.now(UTC).isoformat())
            for archive in sessions:
                _Session(db, archive).write()
            db.commit()
        with path.open("rb") as file:
            while piece := file.read(_CHUNK):
                yield piece


class _Session:
    def __init__(self, db: sqlite3.Connection, archive: Plain) -> None:
        self._db = db
        self._archive = archive
        self._runs: dict[str, list[Plain]] = {}
        for run in archive.get("runs", []):
            self._runs.setdefault(run.get("message_id") or "", []).append(run)
        self._logged: set[str] = set()

    def write(self) -> None:
        session = self._archive["session"]
        for number, path in enumerate(branches(self._archive)):
            thread_id = f"{session['id']}-{number}" if number else session["id"]
            first = session["id"] if number else None
            name = session.get("title") or None
            self._db.execute(
                "INSERT OR IGNORE INTO threads VALUES (?, ?, NULL, ?, ?)",
                [thread_id, name, first, session.get("created_at")],
            )
            tip = self._branch(thread_id, path)
            self._db.execute("UPDATE threads SET tip_message_hash = ? WHERE id = ?", [tip, thread_id])

    def _branch(self, thread_id: str, path: list[Plain]) -> str | None:
        tip: str | None = None
        system = system_prompt_of(self._archive, path)
        if system:
            tip = self._message({"role": "system", "parts": [{"type": "text", "text": system}]}, [], tip)
        names = {
            part["id"]: part["name"] for message in path for part in message["parts"] if part["type"] == "tool_call"
        }
        asked = ""
        for message in path:
            parent = tip
            parts, attachments = _parts(message, names)
            tip = self._message({"role": message["role"], "parts": parts}, attachments, parent)
            if message["role"] == "user":
                asked = visible_text(message)
            elif message["role"] == "assistant" and message["id"] not in self._logged:
                self._logged.add(message["id"])
                for run in self._runs.get(message["id"]) or [_unknown_run(message)]:
                    self._turn(run, thread_id, parent, tip, asked, visible_text(message))
        return tip

    def _message(self, message: Plain, attachments: list[Plain | None], parent: str | None) -> str:
        hash_ = llm_schema.message_hash(message, parent)
        added = self._db.execute(
            "INSERT OR IGNORE INTO messages VALUES (?, ?, ?, NULL)", [hash_, parent, message["role"]]
        ).rowcount
        if added:
            for position, part in enumerate(message["parts"]):
                attachment = attachments[position] if attachments else None
                self._part(hash_, position, dict(part), attachment)
        return hash_

    def _part(self, message_hash: str, position: int, payload: Plain, attachment: Plain | None) -> None:
        kind = payload.pop("type")
        text = payload.pop("text", None)
        if attachment is not None:
            payload["attachment"] = {"id": attachment["sha256"]}
        cursor = self._db.execute(
            "INSERT INTO parts (message_hash, position, type, tool_name, text, payload) VALUES (?, ?, ?, ?, ?, ?)",
            [message_hash, position, kind, payload.get("name"), text, json.dumps(payload) if payload else None],
        )
        if attachment is not None:
            content = base64.b64decode(attachment.get("data", ""))
            values = [attachment["sha256"], attachment["media_type"], content]
            self._db.execute("INSERT OR REPLACE INTO attachments VALUES (?, ?, NULL, NULL, ?)", values)
            self._db.execute("INSERT INTO part_attachments VALUES (?, ?, 0)", [cursor.lastrowid, attachment["sha256"]])

    def _turn(self, run: Plain, thread_id: str, parent: str | None, tip: str, prompt: str, response: str) -> None:
        options = {name: value for name, value in (run.get("sampling") or {}).items() if value is not None}
        if run.get("seed") is not None:
            options["seed"] = run["seed"]
        details = {
            name: run[name] for name in ("cached_tokens", "reasoning_tokens", "cache_write_tokens") if run.get(name)
        }
        duration = run.get("duration_s")
        values: dict[str, Any] = {
            "id": run["id"],
            "thread_id": thread_id,
            "parent_message_hash": parent,
            "tip_message_hash": tip,
            "model": run["model"],
            "resolved_model": run.get("model_version") or None,
            "options_json": json.dumps(options) if options else None,
            "input_tokens": run.get("prompt_tokens"),
            "output_tokens": run.get("completion_tokens"),
            "token_details": json.dumps(details) if details else None,
            "duration_ms": round(duration * 1000) if duration is not None else None,
            "datetime_utc": run.get("started_at"),
        }
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        self._db.execute(f"INSERT OR IGNORE INTO turns ({names}) VALUES ({marks})", list(values.values()))
        self._db.execute(
            "INSERT OR IGNORE INTO turn_search (turn_id, prompt, response) VALUES (?, ?, ?)",
            [run["id"], prompt, response],
        )


def _unknown_run(message: Plain) -> Plain:
    return {"id": f"run-of-{message['id']}", "model": "unknown", "started_at": message.get("created_at")}


def _parts(message: Plain, names: dict[str, str]) -> tuple[list[Plain], list[Plain | None]]:
    """The parts as they are hashed (bytes by their sha256), and the attachment of each."""
    parts: list[Plain] = []
    attachments: list[Plain | None] = []
    for part in message["parts"]:
        attachment = part.get("attachment")
        parts.append(_part(part, names))
        attachments.append(attachment if parts[-1]["type"] == "attachment" else None)
    return parts, attachments


def _part(part: Plain, names: dict[str, str]) -> Plain:
    kind = part["type"]
    if kind in ("text", "reasoning"):
        return {"type": kind, "text": part["text"]}
    if kind == "tool_call":
        call = {"type": kind, "name": part["name"], "arguments": _arguments(part["arguments"])}
        return {**call, "tool_call_id": part["id"]} if part["id"] else call
    if kind == "tool_result":
        result = {"type": kind, "name": names.get(part["call_id"], ""), "output": part["content"]}
        return {**result, "tool_call_id": part["call_id"]} if part["call_id"] else result
    attachment = part["attachment"]
    return {"type": "attachment", "attachment": {"id": attachment["sha256"], "type": attachment["media_type"]}}


def _arguments(text: str) -> Plain:
    """llm wants an object; what is none is kept as text under one name."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {"arguments": text}
    return value if isinstance(value, dict) else {"arguments": text}
