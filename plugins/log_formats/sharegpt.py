"""ShareGPT, `{"conversations": [{"from": "human", "value": …}]}`: JSON lines out; lines or one array in."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from .common import (
    Builder,
    Plain,
    branches,
    document,
    elements_of,
    expect,
    lines_of,
    parsed,
    stable_id,
    string,
    system_prompt_of,
    text_part,
    visible_text,
)

LOSES = (
    "One line for each branch, text only. Left out: images, audio, reasoning, folders, the record of each run, votes "
    "and ratings."
)
SOURCE = "ShareGPT"
TO = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}
FROM = {
    "system": "system", "human": "user", "user": "user", "gpt": "assistant", "chatgpt": "assistant",
    "assistant": "assistant", "bing": "assistant", "bard": "assistant", "model": "assistant",
    "observation": "tool", "tool": "tool", "function_response": "tool", "function_call": "assistant",
}  # fmt: skip


def write_sharegpt(sessions: Iterable[Plain]) -> Iterator[str]:
    for archive in sessions:
        session = archive.get("session", {})
        for number, path in enumerate(branches(archive)):
            turns = list(_turns(archive, path))
            if turns:
                id_ = f"{session.get('id', '')}{f'-{number}' if number else ''}"
                yield json.dumps({"id": id_, "conversations": turns}, ensure_ascii=False) + "\n"


def _turns(archive: Plain, path: list[Plain]) -> Iterator[Plain]:
    system = system_prompt_of(archive, path)
    if system:
        yield {"from": "system", "value": system}
    for message in path:
        text = visible_text(message)
        if text:
            yield {"from": TO.get(message["role"], "human"), "value": text}
        for part in message["parts"]:
            if part["type"] == "tool_call":
                call = {"name": part["name"], "arguments": part["arguments"]}
                yield {"from": "function_call", "value": json.dumps(call, ensure_ascii=False)}
            elif part["type"] == "tool_result":
                yield {"from": "observation", "value": part["content"]}


def is_sharegpt(beginning: bytes) -> bool:
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
    return text[:1] in (b"{", b"[") and re.search(rb'"conversations"\s*:\s*\[', text[:4096]) is not None


def read_sharegpt(path: str) -> Iterator[Plain]:
    seen: Counter[str] = Counter()
    for place, value in _conversations(path):
        expect(isinstance(value, dict) and isinstance(value.get("conversations"), list), place, "no “conversations”")
        content = stable_id(json.dumps(value, sort_keys=True))
        seen[content] += 1
        yield _session(f"{content} {seen[content]}", value, place)


def _conversations(path: str) -> Iterator[tuple[str, Plain]]:
    with open(path, "rb") as file:
        array = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")
    if array:
        for number, value in elements_of(document(path), path):
            yield f"Conversation {number}", value
        return
    for number, line in lines_of(path):
        yield f"Line {number}", parsed(line, f"Line {number}")


def _session(id_: str, value: Plain, place: str) -> Plain:
    builder = Builder(SOURCE, id_, title=string(value.get("title")), system_prompt=string(value.get("system")))
    parent: str | None = None
    for index, turn in enumerate(value["conversations"], 1):
        where = f"{place}, turn {index}"
        expect(isinstance(turn, dict) and turn.get("from") in FROM, where, "it does not say who speaks")
        role, text = FROM[turn["from"]], string(turn.get("value"))
        if role == "system" and parent is None:
            builder.system_prompt = "\n\n".join(filter(None, [builder.system_prompt, text]))
            continue
        part = text_part(text)
        if role == "tool":
            part = {"type": "tool_result", "call_id": "", "content": text}
        elif turn["from"] == "function_call":
            part = _call(text)
        parent = builder.add(index, parent, role, [part], model=value.get("model"))
    builder.leaf_id = parent
    return builder.archive()


def _call(text: str) -> Plain:
    try:
        call = json.loads(text)
        name, arguments = call["name"], call["arguments"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return text_part(text)
    arguments = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {"type": "tool_call", "id": "", "name": str(name), "arguments": arguments}
