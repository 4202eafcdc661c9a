"""Pieces the vendors' request formats have in common: attachments, schemas, parameters that have no counterpart."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec

from workbench.core.errors import BadInput
from workbench.core.events import Notice
from workbench.core.messages import Attachment, Message, ToolCallPart
from workbench.core.requests import ChatRequest, LoadOptions, Sampling


class Omissions:
    """Collects what a service can't take, and tells the user in one sentence."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._names: list[str] = []
        self._remarks: list[str] = []

    def add(self, *names: str) -> None:
        self._names += [name for name in names if name not in self._names]

    def remark(self, text: str) -> None:
        """Something that needs a sentence of its own."""
        self._remarks.append(text)

    @property
    def notices(self) -> tuple[Notice, ...]:
        texts = list(self._remarks)
        if self._names:
            texts.insert(0, f"Ignored, because {self._service} has no such setting: {', '.join(self._names)}.")
        return tuple(Notice(text, kind="ignored") for text in texts)


def sampling_fields(sampling: Sampling, names: dict[str, str], omissions: Omissions) -> dict[str, Any]:
    """The request's fields for the sampling values that are set. `names`: our name -> the vendor's."""
    fields: dict[str, Any] = {}
    for name in sampling.__struct_fields__:
        value = getattr(sampling, name)
        if value is None:
            continue
        if name in names:
            fields[names[name]] = list(value) if isinstance(value, tuple) else value
        else:
            omissions.add(name)
    return fields


def note_local_only(request: ChatRequest, omissions: Omissions, *, template_variables: bool = False) -> None:
    """Name what was asked for and only a model on this machine can do."""
    if request.chat_template is not None:
        omissions.add("chat_template")
    if request.template_variables and not template_variables:
        omissions.add(*(f"template variable {name}" for name in request.template_variables))
    if request.load != LoadOptions():
        omissions.add(*msgspec.to_builtins(request.load))


def effective_sampling(fields: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """The sampling values that were really sent, under our names, for the run's record."""
    return {ours: fields[theirs] for ours, theirs in names.items() if theirs in fields}


def data_of(attachment: Attachment) -> str:
    """The attachment's bytes in base64. Raises BadInput if they are missing."""
    if not attachment.data and attachment.size:
        raise BadInput(
            f"The content of the attachment {attachment.name or attachment.sha256[:12]} is missing.",
            hint="Attach the file again.",
        )
    return base64.b64encode(attachment.data).decode("ascii")


def data_url(attachment: Attachment) -> str:
    return f"data:{attachment.media_type};base64,{data_of(attachment)}"


def json_object(text: str) -> dict[str, Any]:
    """A tool call's arguments as an object; text that isn't one is wrapped rather than lost."""
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {"arguments": text}
    return value if isinstance(value, dict) else {"arguments": value}


def tool_names(messages: tuple[Message, ...]) -> dict[str, str]:
    """Tool call id -> name of the tool, over the whole conversation."""
    return {part.id: part.name for message in messages for part in message.parts if isinstance(part, ToolCallPart)}


def is_strict_schema(schema: Any) -> bool:
    """Whether OpenAI's strict mode takes this schema: every object closed and every property required."""
    if isinstance(schema, list):
        return all(is_strict_schema(item) for item in schema)
    if not isinstance(schema, dict):
        return True
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, dict):
        if schema.get("additionalProperties") is not False:
            return False
        if set(schema.get("required", ())) != set(properties or ()):
            return False
    return all(is_strict_schema(value) for value in schema.values())


MAX_SHOWN_STRING = 20_000


def shown(body: dict[str, Any]) -> str:
    """The request as the user may read it in the run's record: attachments are named, not spelled out."""
    return json.dumps(_without_blobs(body), ensure_ascii=False, indent=1)


def _without_blobs(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: f"({len(item)} characters of base64)"
            if key in {"data", "file_data"} and isinstance(item, str)
            else _without_blobs(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_without_blobs(item) for item in value]
    if isinstance(value, str) and value.startswith("data:") and len(value) > 200:
        return f"{value.partition(',')[0]},({len(value)} characters)"
    return value
