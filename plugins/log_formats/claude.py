"""Claude's data export: conversations with a list of messages; newer ones tell each message's parent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .common import Builder, Plain, expect, file_part, iso, reasoning_part, stable_id, string, text_part
from .data_export import conversations, is_array_with, opened

SOURCE = "Claude"
ROLES = {"human": "user", "user": "user", "assistant": "assistant"}


def is_claude(beginning: bytes) -> bool:
    return is_array_with(beginning, b"chat_messages")


def read_claude(path: str) -> Iterator[Plain]:
    with opened(path) as (data, _assets):
        for place, value in conversations(data, path):
            archive = conversation(value, place)
            if archive["messages"]:
                yield archive


def conversation(value: Plain, place: str) -> Plain:
    messages = value.get("chat_messages")
    expect(isinstance(messages, list), place, "it has no list “chat_messages”")
    assert isinstance(messages, list)
    key = string(value.get("uuid")) or stable_id(place, json.dumps(value))
    builder = Builder(
        SOURCE,
        key,
        title=string(value.get("name")),
        created_at=iso(value.get("created_at")),
        updated_at=iso(value.get("updated_at")),
    )
    ids: dict[str, str] = {}
    previous: str | None = None
    for index, message in enumerate(messages, 1):
        where = f"{place}, message {index}"
        expect(isinstance(message, dict), where, "it is not an object")
        role = ROLES.get(string(message.get("sender")))
        expect(role, where, "it does not say who sent it")
        parts = list(_parts(message))
        if not parts:
            continue
        uuid = string(message.get("uuid")) or str(index)
        parent = message.get("parent_message_uuid")
        parent_id = ids.get(parent, None if index == 1 else previous) if isinstance(parent, str) else previous
        known = {"model": message.get("model") or value.get("model") or "claude"} if role == "assistant" else {}
        time = iso(message.get("created_at"))
        ids[uuid] = previous = builder.add(uuid, parent_id, str(role), parts, time, **known)
    builder.leaf_id = ids.get(string(value.get("current_leaf_message_uuid")), previous)
    return builder.archive()


def _parts(message: Plain) -> Iterator[Plain]:
    content = message.get("content")
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    parts = [part for block in blocks for part in _block(block)]
    if not any(part["type"] == "text" for part in parts) and string(message.get("text")):
        parts.append(text_part(message["text"]))
    yield from parts
    for attachment in _dicts(message.get("attachments")):
        yield file_part(string(attachment.get("extracted_content")), string(attachment.get("file_name")))
    for file in _dicts(message.get("files")):
        yield text_part(f"[Not part of the export: {string(file.get('file_name'))}]")


def _block(block: Plain) -> Iterator[Plain]:
    kind = block.get("type")
    if kind == "text" and string(block.get("text")):
        yield text_part(block["text"])
    elif kind == "thinking" and string(block.get("thinking")):
        yield reasoning_part(block["thinking"])
    elif kind == "tool_use":
        arguments = json.dumps(block.get("input"), ensure_ascii=False)
        yield {
            "type": "tool_call",
            "id": string(block.get("id")),
            "name": string(block.get("name")),
            "arguments": arguments,
        }
    elif kind == "tool_result":
        inner = block.get("content")
        texts = [string(item.get("text")) for item in _dicts(inner)] if isinstance(inner, list) else [string(inner)]
        yield {
            "type": "tool_result",
            "call_id": string(block.get("tool_use_id")),
            "content": "\n\n".join(filter(None, texts)),
            "is_error": block.get("is_error") is True,
        }


def _dicts(value: Any) -> list[Plain]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
