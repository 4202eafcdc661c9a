"""The Responses API: OpenAI's own way to ask its reasoning models.

https://platform.openai.com/docs/api-reference/responses. Nothing is stored at OpenAI (`store: false`); reasoning
comes back encrypted and is sent along with the next turn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from workbench.core.events import Finished, Notice, ReasoningDelta, StreamEvent, TextDelta, ToolCallDelta, Usage
from workbench.core.messages import (
    FilePart,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from workbench.core.requests import ChatRequest
from workbench.providers.content import (
    Omissions,
    data_url,
    effective_sampling,
    is_strict_schema,
    note_local_only,
    sampling_fields,
)
from workbench.providers.errors import ApiError, ended_early, from_stream
from workbench.providers.remote_model import Call
from workbench.providers.signatures import pack, unpack

SAMPLING = {
    "temperature": "temperature",
    "top_p": "top_p",
    "max_tokens": "max_output_tokens",
    "logprobs": "top_logprobs",
}
MIN_OUTPUT_TOKENS = 16
REASONING_MODELS = re.compile(r"^(?:o\d|gpt-(?:[5-9]|\d\d)|codex)(?!.*-chat)")
"""Families that think. A wrong guess costs one refused request: unknown parameters are left out and tried again."""


class ResponsesAdapter:
    def __init__(self, origin: str, title: str, model: str, key_variable: str) -> None:
        self._origin = origin
        self._title = title
        self._model = model
        self._key_variable = key_variable

    def call(self, request: ChatRequest) -> Call:
        omissions = Omissions(self._title)
        note_local_only(request, omissions)
        fields = sampling_fields(request.sampling, SAMPLING, omissions)
        if fields.get("max_output_tokens", MIN_OUTPUT_TOKENS) < MIN_OUTPUT_TOKENS:
            fields["max_output_tokens"] = MIN_OUTPUT_TOKENS
            omissions.remark(f"max_tokens was raised to {MIN_OUTPUT_TOKENS}, the least {self._title} accepts.")
        body: dict[str, Any] = {
            "model": self._model,
            "input": [item for message in request.messages for item in self._items(message, omissions)],
            "stream": True,
            "store": False,
            **fields,
        }
        include: list[str] = []
        if "top_logprobs" in body:
            include.append("message.output_text.logprobs")
        if request.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters or {"type": "object", "properties": {}},
                    "strict": False,
                }
                for tool in request.tools
            ]
        self._add_format(body, request, omissions)
        if self._add_reasoning(body, request, omissions):
            include.append("reasoning.encrypted_content")
        if include:
            body["include"] = include
        if request.continue_last and request.messages and request.messages[-1].role == "assistant":
            omissions.remark(f"Ignored: {self._title} can't continue an unfinished answer and may begin a new one.")
        return Call("/responses", body, omissions.notices, effective_sampling(fields, SAMPLING), SAMPLING)

    def decoder(self) -> ResponsesDecoder:
        return ResponsesDecoder(self._origin, self._title, self._key_variable)

    def _items(self, message: Message, omissions: Omissions) -> Iterator[dict[str, Any]]:
        if message.role != "assistant":
            results = [part for part in message.parts if isinstance(part, ToolResultPart)]
            for result in results:
                yield {"type": "function_call_output", "call_id": result.call_id, "output": result.content}
            content = [item for part in message.parts if (item := _input_content(part, omissions))]
            if content:
                role = "user" if message.role == "tool" else message.role
                yield {"type": "message", "role": role, "content": content}
            return
        for part in message.parts:
            match part:
                case ReasoningPart(signature=signature):
                    for data in unpack(signature, self._origin):
                        if isinstance(data, dict) and data.get("type") == "reasoning":
                            yield data
                case ToolCallPart():
                    yield {
                        "type": "function_call",
                        "call_id": part.id,
                        "name": part.name,
                        "arguments": part.arguments,
                    }
                case TextPart(text=text) if text:
                    yield {"type": "message", "role": "assistant", "content": text}

    def _add_format(self, body: dict[str, Any], request: ChatRequest, omissions: Omissions) -> None:
        wanted = request.response_format
        if wanted.kind == "json_object":
            body["text"] = {"format": {"type": "json_object"}}
        elif wanted.kind == "json_schema" and wanted.schema is not None:
            body["text"] = {
                "format": {
                    "type": "json_schema",
                    "name": "answer",
                    "schema": wanted.schema,
                    "strict": is_strict_schema(wanted.schema),
                }
            }
        elif wanted.kind == "grammar":
            omissions.add("grammar")

    def _add_reasoning(self, body: dict[str, Any], request: ChatRequest, omissions: Omissions) -> bool:
        wanted = request.reasoning
        if wanted.budget_tokens is not None:
            omissions.add("reasoning budget")
        effort = wanted.effort or ("none" if wanted.enabled is False else None)
        thinks = bool(REASONING_MODELS.match(self._model)) or bool(effort) or wanted.enabled is True
        if not thinks:
            return False
        body["reasoning"] = {"effort": effort} if effort else {}
        if effort != "none":
            body["reasoning"]["summary"] = "auto"
        return True


def _input_content(part: Part, omissions: Omissions) -> dict[str, Any] | None:
    match part:
        case TextPart(text=text) | FilePart(text=text) if text:
            return {"type": "input_text", "text": text}
        case ImagePart(attachment=image):
            return {"type": "input_image", "image_url": data_url(image), "detail": "auto"}
        case FilePart(attachment=file):
            return {"type": "input_file", "filename": file.name or "file", "file_data": data_url(file)}
        case TextPart() | ReasoningPart() | ToolCallPart() | ToolResultPart():
            return None
        case _:
            omissions.add("audio")
            return None


# --- the stream -----------------------------------------------------------------------------------------------
class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


class _Incomplete(msgspec.Struct):
    reason: str | None = None


class _Response(msgspec.Struct):
    model: str | None = None
    status: str | None = None
    error: dict[str, Any] | None = None
    incomplete_details: _Incomplete | None = None
    usage: _Usage | None = None


class _Item(msgspec.Struct):
    type: str = ""
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    summary: list[dict[str, Any]] | None = None
    encrypted_content: str | None = None


class _Event(msgspec.Struct):
    type: str
    delta: Any = None
    item: _Item | None = None
    output_index: int = 0
    response: _Response | None = None


_decode = msgspec.json.Decoder(_Event).decode


class ResponsesDecoder:
    def __init__(self, origin: str, title: str, key_variable: str) -> None:
        self.model_version = ""
        self.ended = False
        self._origin = origin
        self._title = title
        self._key_variable = key_variable
        self._response: _Response | None = None
        self._tools: dict[int, int] = {}
        """Output index -> our index of the tool call."""
        self._refused = False
        self._summaries = 0

    def feed(self, data: str) -> Iterator[StreamEvent]:
        if data.strip() == "[DONE]":
            self.ended = True
            return
        event = _decode(data)
        match event.type:
            case "response.output_text.delta":
                yield TextDelta(_text(event.delta))
            case "response.refusal.delta":
                self._refused = True
                yield TextDelta(_text(event.delta))
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                yield ReasoningDelta(_text(event.delta))
            case "response.reasoning_summary_part.added":
                self._summaries += 1
                if self._summaries > 1:
                    yield ReasoningDelta("\n\n")
            case "response.function_call_arguments.delta":
                yield ToolCallDelta(index=self._tool(event.output_index), arguments=_text(event.delta))
            case "response.output_item.added" | "response.output_item.done":
                yield from self._item(event)
            case "error" | "response.failed":
                raise self._error(event, data)
            case _:
                self._note(event)

    def _item(self, event: _Event) -> Iterator[StreamEvent]:
        item = event.item or _Item()
        if item.type == "function_call" and event.type == "response.output_item.added":
            yield ToolCallDelta(index=self._tool(event.output_index), id=item.call_id or "", name=item.name or "")
        elif item.type == "reasoning" and item.encrypted_content and event.type.endswith(".done"):
            yield ReasoningDelta("", signature=pack(self._origin, _reasoning_item(item)))

    def _tool(self, output_index: int) -> int:
        return self._tools.setdefault(output_index, len(self._tools))

    def _error(self, event: _Event, data: str) -> ApiError:
        body: Any = msgspec.json.decode(data)
        if event.response is not None:
            body = {"error": event.response.error or {"message": "The response failed."}}
        return from_stream(self._title, body, key_variable=self._key_variable)

    def _note(self, event: _Event) -> None:
        """Events that carry the response so far, the last one with its outcome."""
        is_last = event.type in {"response.completed", "response.incomplete"}
        if event.response is not None:
            self.model_version = event.response.model or self.model_version
        if is_last:
            if event.response is None:
                raise ValueError(f"{event.type} without a response")
            self._response = event.response
            self.ended = True

    def finish(self) -> Iterator[StreamEvent]:
        response = self._response
        if response is None:
            return
        if response.usage is not None:
            yield _usage(response.usage)
        if response.status == "incomplete":
            reason = (response.incomplete_details and response.incomplete_details.reason) or "incomplete"
            if reason == "max_output_tokens":
                yield Finished(reason="length", detail=reason)
                return
            yield Notice(f"{self._title} ended the answer: {reason}.", kind="warning")
            yield Finished(reason="stop", detail=reason)
            return
        if response.status not in {"completed", None}:
            raise ended_early(self._title)
        yield Finished(reason="stop", detail="refusal" if self._refused else "tool_calls" if self._tools else "")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected text, got {type(value).__name__}")
    return value


def _reasoning_item(item: _Item) -> dict[str, Any]:
    """What the next turn must send back, and nothing that only a response may hold."""
    return {
        "type": "reasoning",
        "id": item.id or "",
        "summary": item.summary or [],
        "encrypted_content": item.encrypted_content,
    }


def _usage(usage: _Usage) -> Usage:
    of_input = usage.input_tokens_details or _InputDetails()
    of_output = usage.output_tokens_details or _OutputDetails()
    return Usage(
        prompt_tokens=usage.input_tokens,
        cached_tokens=of_input.cached_tokens,
        cache_write_tokens=of_input.cache_write_tokens,
        completion_tokens=usage.output_tokens,
        reasoning_tokens=of_output.reasoning_tokens,
    )
