"""What the formats share: reading untrusted files within bounds, and building sessions of what they hold.

Ids of imported things are made from the source's own ids, so that a file imported twice, or a later and longer export
of the same conversations, is recognised.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from workbench.core.errors import BadInput

MAX_LINE_BYTES = 256 * 2**20
"""Longest line of a JSON-lines file: one session with its attachments."""
MAX_DOCUMENT_BYTES = 2 * 2**30
"""Largest file that has to be read as one piece."""
MAX_MESSAGES = 100_000
"""Most messages of one session."""
MAX_ATTACHMENT_BYTES = 64 * 2**20
LEAVES = 10_000

Plain = dict[str, Any]


# --- reading --------------------------------------------------------------------------------------------------
def lines_of(path: str) -> Iterator[tuple[int, bytes]]:
    """Lines with text and their numbers from 1. Raises BadInput for a file that can't be read or a line too long."""
    try:
        with open(path, "rb") as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise BadInput(f"Line {number} is longer than {MAX_LINE_BYTES >> 20} MiB.")
                line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if line.strip():
                    yield number, line
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}.") from error


def parsed(data: bytes, place: str) -> Any:
    """JSON. Raises BadInput that names the place."""
    try:
        return json.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadInput(f"{place} is not UTF-8 text.") from error
    except (json.JSONDecodeError, RecursionError) as error:
        reason = f"{error.msg} at character {error.pos}" if isinstance(error, json.JSONDecodeError) else "nested deeply"
        raise BadInput(f"{place} is not valid JSON: the file is cut off or damaged ({reason}).") from error


def elements_of(data: bytes, place: str) -> Iterator[tuple[int, Any]]:
    """Elements of a JSON array and their numbers from 1, decoded one at a time: only the text is held as a whole."""
    try:
        raw = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"{place} is not valid JSON: the file is cut off or damaged ({error}).") from error
    for number, element in enumerate(raw, 1):
        yield number, parsed(bytes(element), f"Conversation {number}")


def document(path: str) -> bytes:
    """The whole file. Raises BadInput."""
    try:
        if Path(path).stat().st_size > MAX_DOCUMENT_BYTES:
            raise BadInput(
                f"{path} is larger than {MAX_DOCUMENT_BYTES >> 30} GiB.", hint="Split it and import the parts."
            )
        return Path(path).read_bytes()
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}.") from error


def expect(condition: object, place: str, what: str) -> None:
    if not condition:
        raise BadInput(f"{place}: {what}.")


# --- values ---------------------------------------------------------------------------------------------------
def stable_id(*keys: object) -> str:
    """26 hexadecimal digits that depend on nothing but `keys`."""
    return hashlib.sha256("\x1f".join(map(str, keys)).encode("utf-8", "surrogatepass")).hexdigest()[:26]


def iso(value: Any) -> str:
    """Seconds since 1970, or ISO 8601, as ISO 8601 in UTC with milliseconds; empty for anything else."""
    try:
        if isinstance(value, bool):
            return ""
        if isinstance(value, int | float):
            time = datetime.fromtimestamp(value, UTC)
        elif isinstance(value, str) and value:
            time = datetime.fromisoformat(value)
            time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
        else:
            return ""
    except (ValueError, OverflowError, OSError):
        return ""
    return time.isoformat(timespec="milliseconds")


def string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def text_part(text: str) -> Plain:
    return {"type": "text", "text": text}


def reasoning_part(text: str) -> Plain:
    return {"type": "reasoning", "text": text}


def attachment_part(data: bytes, media_type: str, name: str = "", text: str = "") -> Plain:
    """An image, audio or file part with its bytes. Raises BadInput where it is too large."""
    if len(data) > MAX_ATTACHMENT_BYTES:
        raise BadInput(f"The attachment {name or media_type} is larger than {MAX_ATTACHMENT_BYTES >> 20} MiB.")
    attachment = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "media_type": media_type,
        "name": name,
        "size": len(data),
        "data": base64.b64encode(data).decode(),
    }
    kind = media_type.partition("/")[0]
    if kind in ("image", "audio"):
        return {"type": kind, "attachment": attachment}
    return {"type": "file", "attachment": attachment, "text": text}


def file_part(text: str, name: str) -> Plain:
    """A text file whose content is known."""
    return attachment_part(text.encode("utf-8", "replace"), "text/plain", name, text)


# --- building a session ---------------------------------------------------------------------------------------
@dataclass
class Builder:
    """Collects one conversation of another program and makes an archive of it."""

    source: str
    """Name of the program it comes from; runs get it as their provider."""
    id: str
    title: str = ""
    created_at: str = ""
    updated_at: str = ""
    remote: bool = True
    """The answers were made on another machine."""
    system_prompt: str = ""
    leaf_id: str | None = None
    read_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))
    """Stands for the time of answers whose source does not tell one."""
    messages: list[Plain] = field(default_factory=list)
    runs: list[Plain] = field(default_factory=list)

    def add(self, key: object, parent_id: str | None, role: str, parts: list[Plain], time: str = "", **run: Any) -> str:
        """Add a message and, for an answer, its run. Returns the message's id."""
        expect(len(self.messages) < MAX_MESSAGES, self.title or self.id, f"more than {MAX_MESSAGES:,} messages")
        id_ = stable_id(self.source, self.id, "message", key)
        message = {
            "id": id_, "parent_id": parent_id, "role": role, "parts": parts,
            "created_at": time or self.created_at, "run_id": None,
        }  # fmt: skip
        self.messages.append(message)
        if role == "assistant":
            message["run_id"] = self.add_run(key, message, **run)
        return id_

    def add_run(self, key: object, message: Plain, **known: Any) -> str:
        """A run for an answer: what the source tells of it."""
        parts = message["parts"]
        model = string(known.pop("model", "")) or "unknown"
        time = message["created_at"] or self.created_at or self.updated_at or self.read_at
        calls = [part for part in parts if part["type"] == "tool_call"]
        run = {
            "id": stable_id(self.source, self.id, "run", key),
            "session_id": self.session_id,
            "message_id": message["id"],
            "model": model,
            "model_name": model,
            "provider": f"{self.source}{IMPORTED}",
            "remote": self.remote,
            "status": "done",
            "finish_reason": "stop",
            "text": "\n\n".join(part["text"] for part in parts if part["type"] == "text"),
            "reasoning": "\n\n".join(part["text"] for part in parts if part["type"] == "reasoning"),
            "tool_calls": [{name: call[name] for name in ("id", "name", "arguments")} for call in calls],
            "system_prompt": self.system_prompt,
            "started_at": time,
            "notices": [f"Imported from {self.source}."],
            **{name: value for name, value in known.items() if value is not None},
        }
        self.runs.append(run)
        return str(run["id"])

    @property
    def session_id(self) -> str:
        return stable_id(self.source, self.id)

    def archive(self) -> Plain:
        options: Plain = {"system_prompt": self.system_prompt} if self.system_prompt else {}
        session = {
            "id": self.session_id,
            "title": self.title or self._first_words(),
            "created_at": self.created_at,
            "updated_at": self.updated_at or self.created_at,
            "options": options,
            "leaf_id": self.leaf_id,
        }
        return {"session": session, "messages": self.messages, "runs": self.runs}

    def _first_words(self) -> str:
        for message in self.messages:
            for part in message["parts"]:
                if message["role"] == "user" and part["type"] == "text" and part["text"].strip():
                    line = " ".join(part["text"].split())
                    return line if len(line) <= 60 else f"{line[:59].rstrip()}…"
        return ""


IMPORTED = " import"
"""Ends the provider's name of imported runs: these prompts did not leave this machine through this program."""


# --- reading archives on their way out ------------------------------------------------------------------------
def branches(archive: Plain) -> Iterator[list[Plain]]:
    """Every path from the first message to a last one, in the order of the last ones."""
    messages = archive.get("messages", [])
    by_id = {message["id"]: message for message in messages}
    parents = {message.get("parent_id") for message in messages}
    for message in messages:
        if message["id"] in parents:
            continue
        path, current = [], message
        while current is not None:
            path.append(current)
            current = by_id.get(current.get("parent_id"))
        yield path[::-1]


def system_prompt_of(archive: Plain, path: list[Plain]) -> str:
    """What stood before this branch: the prompt of its last run, else the session's."""
    if any(message["role"] == "system" for message in path):
        return ""
    runs = {run["id"]: run for run in archive.get("runs", [])}
    for message in reversed(path):
        run = runs.get(message.get("run_id"))
        if run is not None:
            return string(run.get("system_prompt"))
    return string(archive.get("session", {}).get("options", {}).get("system_prompt"))


def visible_text(message: Plain) -> str:
    """Text parts and the text of files, as `core.messages.Message.text`."""
    texts = [part.get("text", "") for part in message.get("parts", []) if part["type"] in ("text", "file")]
    return "\n\n".join(filter(None, texts))
