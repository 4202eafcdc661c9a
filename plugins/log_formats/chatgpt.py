"""ChatGPT's data export: each conversation is a tree, `mapping`, of which all branches are kept.

Thoughts stand there as messages of their own; they become the reasoning of the answer that follows them. What the
product hides from its users (empty and hidden messages) is left out.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Iterator
from typing import Any

from .common import (
    Builder,
    Plain,
    attachment_part,
    expect,
    file_part,
    iso,
    reasoning_part,
    stable_id,
    string,
    text_part,
)
from .data_export import Assets, conversations, is_array_with, opened

SOURCE = "ChatGPT"
ROLES = ("user", "assistant", "tool", "system")
SKIPPED = ("user_editable_context", "model_editable_context")


def is_chatgpt(beginning: bytes) -> bool:
    return is_array_with(beginning, b"mapping")


def read_chatgpt(path: str) -> Iterator[Plain]:
    with opened(path) as (data, assets):
        for place, value in conversations(data, path):
            archive = conversation(value, place, assets)
            if archive["messages"]:
                yield archive


def conversation(value: Plain, place: str, assets: Assets) -> Plain:
    mapping = value.get("mapping")
    expect(isinstance(mapping, dict), place, "it has no tree of messages (“mapping”)")
    assert isinstance(mapping, dict)
    key = string(value.get("conversation_id")) or string(value.get("id")) or stable_id(place, json.dumps(value))
    builder = Builder(
        SOURCE,
        key,
        title=string(value.get("title")),
        created_at=iso(value.get("create_time")),
        updated_at=iso(value.get("update_time")),
    )
    _Tree(builder, mapping, place, assets, string(value.get("default_model_slug"))).add_all()
    builder.leaf_id = stable_id(SOURCE, key, "message", value.get("current_node"))
    if builder.leaf_id not in {message["id"] for message in builder.messages}:
        builder.leaf_id = None
    return builder.archive()


class _Tree:
    def __init__(self, builder: Builder, mapping: Plain, place: str, assets: Assets, model: str) -> None:
        self._builder = builder
        self._mapping = mapping
        self._place = place
        self._assets = assets
        self._model = model

    def add_all(self) -> None:
        """Parents first. A node that is not kept hands its parent and its thoughts on to the nodes below it."""
        children: dict[str | None, list[str]] = {}
        for id_, node in self._mapping.items():
            expect(isinstance(node, dict), self._place, f"the node {id_[:40]} is not an object")
            parent = node.get("parent")
            known = isinstance(parent, str) and parent in self._mapping
            children.setdefault(parent if known else None, []).append(id_)
        waiting: list[tuple[str, str | None, list[Plain]]] = [
            (id_, None, []) for id_ in reversed(children.get(None, []))
        ]
        seen = 0
        while waiting:
            id_, parent_id, thoughts = waiting.pop()
            parent_id, thoughts = self._node(id_, parent_id, thoughts)
            seen += 1
            waiting += [(child, parent_id, thoughts) for child in reversed(children.get(id_, []))]
        expect(seen == len(self._mapping), self._place, "its messages refer to each other in a circle")

    def _node(self, id_: str, parent_id: str | None, thoughts: list[Plain]) -> tuple[str | None, list[Plain]]:
        message = self._mapping[id_].get("message")
        if not isinstance(message, dict):
            return parent_id, thoughts
        author, content = message.get("author"), message.get("content")
        metadata = _dict(message.get("metadata"))
        role = author.get("role") if isinstance(author, dict) else None
        if role not in ROLES or not isinstance(content, dict):
            return parent_id, thoughts
        parts = list(self._parts(content, message))
        hidden = metadata.get("is_visually_hidden_from_conversation") or content.get("content_type") in SKIPPED
        if role == "assistant" and parts and all(part["type"] == "reasoning" for part in parts):
            return parent_id, [*thoughts, *parts]
        if not parts or hidden:
            return parent_id, thoughts
        if role == "tool":
            text = "\n\n".join(part["text"] for part in parts if part["type"] == "text")
            parts = [{"type": "tool_result", "call_id": "", "content": text}]
        elif role == "assistant":
            parts = [*thoughts, *parts]
        known = {"model": metadata.get("model_slug") or self._model} if role == "assistant" else {}
        time = iso(message.get("create_time"))
        return self._builder.add(id_, parent_id, role, parts, time, **known), []

    def _parts(self, content: Plain, message: Plain) -> Iterator[Plain]:
        kind = content.get("content_type")
        if kind == "thoughts":
            for thought in _list(content.get("thoughts")):
                if isinstance(thought, dict) and string(thought.get("content")):
                    yield reasoning_part(string(thought["content"]))
            return
        if kind == "reasoning_recap":
            return
        texts = [content.get("text"), content.get("result"), *_list(content.get("parts"))]
        recipient = message.get("recipient")
        for item in texts:
            if isinstance(item, str) and item:
                if isinstance(recipient, str) and recipient not in ("all", ""):
                    yield {"type": "tool_call", "id": "", "name": recipient, "arguments": item}
                else:
                    yield text_part(item)
            elif isinstance(item, dict):
                yield from self._asset(item)
        for attachment in _list(_dict(message.get("metadata")).get("attachments")):
            yield from self._attached(_dict(attachment))

    def _asset(self, item: Plain) -> Iterator[Plain]:
        """An image, a recording or its transcript."""
        if string(item.get("text")):
            yield text_part(item["text"])
        pointer = string(item.get("asset_pointer"))
        if pointer:
            found = self._assets(pointer.rpartition("/")[2])
            yield _file(*found) if found else text_part(f"[Not part of the export: {pointer}]")

    def _attached(self, attachment: Plain) -> Iterator[Plain]:
        """Documents; images stand in the content already."""
        name = string(attachment.get("name"))
        if not string(attachment.get("mime_type")).startswith("image/"):
            found = self._assets(string(attachment.get("id")))
            yield _file(name or found[0], found[1]) if found else text_part(f"[Not part of the export: {name}]")


def _file(name: str, data: bytes) -> Plain:
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if media_type.startswith("text/"):
        return file_part(data.decode("utf-8", "replace"), name)
    return attachment_part(data, media_type, name)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: Any) -> Plain:
    return value if isinstance(value, dict) else {}
