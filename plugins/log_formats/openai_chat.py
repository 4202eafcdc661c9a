"""OpenAI's chat format as JSON lines, `{"messages": […]}`: what its fine-tuning takes, and many data sets are.

Each branch of a session is a line of its own, so that no answer is left out.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from workbench.core.errors import BadInput

from .common import (
    Builder,
    Plain,
    attachment_part,
    branches,
    expect,
    file_part,
    lines_of,
    parsed,
    reasoning_part,
    stable_id,
    string,
    system_prompt_of,
    text_part,
)

LOSES = "One line for each branch. Left out: reasoning, titles, folders, the record of each run, votes and ratings."
SOURCE = "OpenAI JSONL"
ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool"}
_AUDIO_FORMATS = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}
_DATA_URL = re.compile(r"data:([\w.+/-]+);base64,(.*)", re.DOTALL)


# --- out ------------------------------------------------------------------------------------------------------
def write_openai(sessions: Iterable[Plain]) -> Iterator[str]:
    for archive in sessions:
        for path in branches(archive):
            messages = list(_messages(archive, path))
            if messages:
                yield json.dumps({"messages": messages}, ensure_ascii=False) + "\n"


def _messages(archive: Plain, path: list[Plain]) -> Iterator[Plain]:
    system = system_prompt_of(archive, path)
    if system:
        yield {"role": "system", "content": system}
    for message in path:
        yield from _message(message)


def _message(message: Plain) -> Iterator[Plain]:
    parts = message["parts"]
    results = [part for part in parts if part["type"] == "tool_result"]
    others = [part for part in parts if part["type"] not in ("tool_result", "reasoning")]
    calls = [_call(part) for part in others if part["type"] == "tool_call"]
    content = _content([part for part in others if part["type"] != "tool_call"])
    if message["role"] != "tool" and (content or calls):
        written: Plain = {"role": message["role"], "content": content or None}
        if calls:
            written["tool_calls"] = calls
        yield written
    for result in results:
        yield {"role": "tool", "tool_call_id": result["call_id"], "content": result["content"]}


def _call(part: Plain) -> Plain:
    function = {"name": part["name"], "arguments": part["arguments"]}
    return {"id": part["id"], "type": "function", "function": function}


def _content(parts: list[Plain]) -> str | list[Plain]:
    if all(part["type"] == "text" for part in parts):
        return "\n\n".join(part["text"] for part in parts)
    return [_content_part(part) for part in parts]


def _content_part(part: Plain) -> Plain:
    if part["type"] == "text":
        return {"type": "text", "text": part["text"]}
    attachment = part["attachment"]
    media_type, data = attachment["media_type"], attachment.get("data", "")
    url = f"data:{media_type};base64,{data}"
    if part["type"] == "image":
        return {"type": "image_url", "image_url": {"url": url}}
    if part["type"] == "audio" and media_type in _AUDIO_FORMATS:
        return {"type": "input_audio", "input_audio": {"data": data, "format": _AUDIO_FORMATS[media_type]}}
    return {"type": "file", "file": {"filename": attachment.get("name", ""), "file_data": url}}


# --- in -------------------------------------------------------------------------------------------------------
def is_openai(beginning: bytes) -> bool:
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
    return text.startswith(b"{") and re.search(rb'"messages"\s*:\s*\[', text.partition(b"\n")[0]) is not None


def read_openai(path: str) -> Iterator[Plain]:
    seen: Counter[str] = Counter()
    for number, line in lines_of(path):
        place = f"Line {number}"
        value = parsed(line, place)
        expect(
            isinstance(value, dict) and isinstance(value.get("messages"), list), place, "there is no list “messages”"
        )
        content = stable_id(json.dumps(value, sort_keys=True))
        seen[content] += 1
        yield session_of(SOURCE, f"{content} {seen[content]}", value, place).archive()


def session_of(source: str, id_: str, value: Plain, place: str) -> Builder:
    """A straight conversation in OpenAI's form. Raises BadInput that names the message."""
    builder = Builder(source, id_, title=string(value.get("title")))
    parent: str | None = None
    for index, message in enumerate(value["messages"], 1):
        where = f"{place}, message {index}"
        expect(isinstance(message, dict) and message.get("role") in ROLES, where, "it has no known role")
        role = ROLES[message["role"]]
        parts = list(_parts(message, where))
        if role == "system" and parent is None and all(part["type"] == "text" for part in parts):
            texts = [builder.system_prompt, *(part["text"] for part in parts)]
            builder.system_prompt = "\n\n".join(filter(None, texts))
            continue
        parent = builder.add(index, parent, role, parts, model=message.get("model") or value.get("model"))
    builder.leaf_id = parent
    return builder


def _parts(message: Plain, where: str) -> Iterator[Plain]:
    thought = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(thought, str) and thought:
        yield reasoning_part(thought)
    content = message.get("content")
    if message["role"] == "tool":
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        yield {"type": "tool_result", "call_id": string(message.get("tool_call_id")), "content": text}
        return
    if isinstance(content, str):
        yield text_part(content)
    elif isinstance(content, list):
        for item in content:
            expect(isinstance(item, dict), where, "a part of its content is not an object")
            yield _part(item, where)
    else:
        expect(content is None, where, "its content is neither text nor a list")
    for call in message.get("tool_calls") or []:
        function = call.get("function") if isinstance(call, dict) else None
        expect(isinstance(function, dict), where, "a tool call has no function")
        assert isinstance(function, dict)
        yield {
            "type": "tool_call",
            "id": string(call.get("id")),
            "name": string(function.get("name")),
            "arguments": string(function.get("arguments")),
        }


def _part(item: Plain, where: str) -> Plain:
    kind = item.get("type")
    if kind in ("text", "input_text", "output_text", "refusal"):
        return text_part(string(item.get("text") or item.get("refusal")))
    if kind in ("image_url", "input_image"):
        image = item.get("image_url")
        url = string(image.get("url") if isinstance(image, dict) else image)
        match = _DATA_URL.fullmatch(url)
        return attachment_part(_bytes(match[2], where), match[1]) if match else text_part(f"[Image: {url}]")
    if kind == "input_audio" and isinstance(item.get("input_audio"), dict):
        audio = item["input_audio"]
        media_type = "audio/mpeg" if audio.get("format") == "mp3" else "audio/wav"
        return attachment_part(_bytes(string(audio.get("data")), where), media_type)
    if kind == "file" and isinstance(item.get("file"), dict):
        name = string(item["file"].get("filename"))
        match = _DATA_URL.fullmatch(string(item["file"].get("file_data")))
        if match is None:
            return text_part(f"[File: {name or item['file'].get('file_id')}]")
        data = _bytes(match[2], where)
        if match[1].startswith("text/"):
            return file_part(data.decode("utf-8", "replace"), name)
        return attachment_part(data, match[1], name)
    raise BadInput(f"{where}: its content has a part of an unknown type ({kind!r}).")


def _bytes(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadInput(f"{where}: an attachment is not valid base64.") from error
