"""Between rows and values."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar, get_origin

import msgspec

from workbench.core.errors import ErrorInfo
from workbench.core.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
)
from workbench.core.runs import RunRecord
from workbench.store.values import Session, StoredMessage

S = TypeVar("S", bound=msgspec.Struct)

_encode = msgspec.json.Encoder(enc_hook=str).encode
_decode_parts = msgspec.json.Decoder(tuple[Part, ...]).decode
_decode_error = msgspec.json.Decoder(ErrorInfo).decode
_decode_any = msgspec.json.Decoder().decode

RUN_FIELDS: tuple[str, ...] = RunRecord.__struct_fields__
_RUN_JSON = frozenset(
    {"tool_calls", "error", "sampling", "request", "logprobs", "notices", "conditions", "price_snapshot"}
)
_RUN_REFERENCES = frozenset({"session_id", "message_id", "comparison_id"})

SESSION_COLUMNS = ", ".join(f"sessions.{name}" for name in Session.__struct_fields__)
MESSAGE_COLUMNS = "id, session_id, parent_id, role, parts, created_at, run_id"
RUN_COLUMNS = ", ".join(f"runs.{name}" for name in RUN_FIELDS)


def clean(text: str) -> str:
    """`text` without what UTF-8 can't hold (lone surrogates, which JSON from the network may carry)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def to_json(value: Any) -> str:
    """JSON text. Values that JSON does not know become their text."""
    try:
        return _encode(value).decode()
    except UnicodeEncodeError:
        return _encode(_cleaned(msgspec.to_builtins(value, enc_hook=str))).decode()


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(key)): _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    return value


def from_json(text: str) -> Any:
    return _decode_any(text)


# --- sessions and messages ------------------------------------------------------------------------------------
def session_of(row: tuple[Any, ...]) -> Session:
    values = dict(zip(Session.__struct_fields__, row, strict=True))
    values["pinned"] = bool(values["pinned"])
    values["options"] = from_json(values["options"])
    return Session(**values)


def message_of(row: tuple[Any, ...]) -> StoredMessage:
    id_, session_id, parent_id, role, parts, created_at, run_id = row
    return StoredMessage(
        id=id_,
        session_id=session_id,
        parent_id=parent_id,
        message=Message(role, _decode_parts(parts)),
        created_at=created_at,
        run_id=run_id,
    )


def parts_json(message: Message) -> str:
    """The message's parts without attachments' bytes, which stand in a table of their own."""
    return to_json([_without_bytes(part) for part in message.parts])


def _without_bytes(part: Part) -> Part:
    if isinstance(part, ImagePart | AudioPart | FilePart) and part.attachment.data:
        return msgspec.structs.replace(part, attachment=msgspec.structs.replace(part.attachment, data=b""))
    return part


# --- runs -----------------------------------------------------------------------------------------------------
def run_values(record: RunRecord) -> list[Any]:
    """One value for each of RUN_FIELDS."""
    return [_run_value(name, getattr(record, name)) for name in RUN_FIELDS]


def _run_value(name: str, value: Any) -> Any:
    if name in _RUN_JSON:
        return None if value is None else to_json(value)
    if name in _RUN_REFERENCES:
        return value or None
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return None  # SQLite can't hold it; a count this large is a server's mistake
    return clean(value) if isinstance(value, str) else value


def run_of(row: tuple[Any, ...]) -> RunRecord:
    values = dict(zip(RUN_FIELDS, row, strict=True))
    for name in _RUN_JSON:
        if values[name] is not None and name != "error":
            values[name] = from_json(values[name])
    if values["error"] is not None:
        values["error"] = _decode_error(values["error"])
    values["remote"] = bool(values["remote"])
    values["session_id"] = values["session_id"] or ""
    return RunRecord(**values)


def with_answer(before: Message, record: RunRecord, *, signature: str = "") -> Message:
    """The assistant's message with what a run added to it.

    A run that goes on with an unfinished answer lengthens its reasoning and its text; tool calls are appended.
    """
    parts = list(before.parts)
    if record.reasoning:
        _lengthen_reasoning(parts, record, signature)
    if record.text:
        index = max((i for i, part in enumerate(parts) if isinstance(part, TextPart)), default=None)
        if index is None:
            parts.append(TextPart(record.text))
        else:
            last = parts[index]
            assert isinstance(last, TextPart)
            parts[index] = TextPart(last.text + record.text)
    for call in record.tool_calls:
        parts.append(ToolCallPart(call.get("id", ""), call.get("name", ""), call.get("arguments", "")))
    return Message(before.role, tuple(parts))


def _lengthen_reasoning(parts: list[Part], record: RunRecord, signature: str) -> None:
    for index, part in enumerate(parts):
        if isinstance(part, ReasoningPart):
            duration = (part.duration_s or 0.0) + (record.reasoning_s or 0.0)
            parts[index] = ReasoningPart(
                part.text + record.reasoning, signature or part.signature, duration if duration else None
            )
            return
    parts.insert(0, ReasoningPart(record.reasoning, signature, record.reasoning_s))


class Rows(NamedTuple):
    """What a statement gave."""

    names: list[str]
    rows: list[tuple[Any, ...]]


def row_of(kind: type[S], found: Rows) -> list[S]:
    """Rows as structs whose fields are the columns; JSON text and 0/1 are converted as the fields' types say."""
    json_fields = {f.name for f in msgspec.structs.fields(kind) if get_origin(f.type) in (list, dict, tuple)}
    structs = []
    for row in found.rows:
        values = dict(zip(found.names, row, strict=True))
        for name in json_fields:
            if isinstance(values.get(name), str):
                values[name] = from_json(values[name])
        structs.append(msgspec.convert(values, kind, strict=False))
    return structs
