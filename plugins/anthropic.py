"""Anthropic's Messages API. https://docs.anthropic.com/en/api/messages"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from workbench.core.cancel import CancelToken
from workbench.core.events import (
    Finished,
    Notice,
    ReasoningDelta,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from workbench.core.messages import (
    FilePart,
    ImagePart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from workbench.core.models import ModelInfo
from workbench.core.requests import ChatRequest
from workbench.hookspecs import ProviderContext, ProviderPlugin, hookimpl
from workbench.providers.content import (
    Omissions,
    data_of,
    effective_sampling,
    json_object,
    note_local_only,
    sampling_fields,
)
from workbench.providers.errors import from_stream, malformed
from workbench.providers.remote_model import Call, RemoteModel, Service
from workbench.providers.signatures import pack, unpack
from workbench.providers.vendor import Vendor, remote_info

TITLE = "Anthropic"
KEY_VARIABLE = "ANTHROPIC_API_KEY"
API_VERSION = "2023-06-01"
"""The version that still takes temperature, top_p and top_k, for the models that do. The option `api_version` of a
configured provider chooses another, such as 2026-10-21."""
SAMPLING = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "stop": "stop_sequences",
    "max_tokens": "max_tokens",
}
NOT_WITH_THINKING = ("temperature", "top_k")

# Models before 4.6 take a budget, later ones decide for themselves how long to think, given an effort.
BUDGET_MODELS = re.compile(r"^claude-(?:[23]|instant|(?:opus|sonnet|haiku)-(?:3|4-[015]|4-20))")
EFFORT_MODELS = re.compile(r"^claude-(?!opus-4-[01]\b|opus-4-20|[23]|instant|(?:sonnet|haiku)-(?:3|4-[015]|4-20))")
EFFORT_BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 24576, "max": 28672}
DEFAULT_BUDGET = 8192
MIN_BUDGET = 1024

# The API wants a limit with every request. These are the models' own limits where they are small.
OUTPUT_LIMITS = (
    (re.compile(r"^claude-(?:2|instant|3-(?:opus|sonnet|haiku))"), 4096),
    (re.compile(r"^claude-3-5"), 8192),
)
DEFAULT_OUTPUT_LIMIT = 32000


class AnthropicAdapter:
    def __init__(self, origin: str, model: str, version: str) -> None:
        self._origin = origin
        self._model = model
        self._version = version

    def call(self, request: ChatRequest) -> Call:
        omissions = Omissions(TITLE)
        note_local_only(request, omissions)
        fields = sampling_fields(request.sampling, SAMPLING, omissions)
        limit = next((limit for pattern, limit in OUTPUT_LIMITS if pattern.match(self._model)), DEFAULT_OUTPUT_LIMIT)
        fields.setdefault("max_tokens", limit)
        if "temperature" in fields and fields["temperature"] > 1:
            fields["temperature"] = 1.0
            omissions.remark(f"temperature was lowered to 1, the most {TITLE} accepts.")
        body: dict[str, Any] = {"model": self._model, "messages": self._messages(request, omissions), "stream": True}
        system = "\n\n".join(message.text for message in request.messages if message.role == "system" and message.text)
        if system:
            body["system"] = system
        if request.tools:
            body["tools"] = [
                {
                    "name": tool.name,
                    "description": tool.description,
                    "input_schema": {"type": "object", **tool.parameters},
                }
                for tool in request.tools
            ]
        self._add_format(body, request, omissions)
        self._add_reasoning(body, fields, request, omissions)
        body |= fields
        return Call(
            "/v1/messages",
            body,
            omissions.notices,
            effective_sampling(fields, SAMPLING),
            SAMPLING,
            headers={"anthropic-version": self._version},
        )

    def decoder(self) -> AnthropicDecoder:
        return AnthropicDecoder(self._origin)

    def _messages(self, request: ChatRequest, omissions: Omissions) -> list[dict[str, Any]]:
        """Turns of user and assistant in alternation; neighbours of one role are joined, as the API would do."""
        turns: list[dict[str, Any]] = []
        for message in request.messages:
            if message.role == "system":
                continue
            role = "assistant" if message.role == "assistant" else "user"
            blocks = [block for part in message.parts for block in self._blocks(part, role, omissions)]
            if not blocks:
                continue
            if turns and turns[-1]["role"] == role:
                turns[-1]["content"] += blocks
            else:
                turns.append({"role": role, "content": blocks})
        last = turns[-1]["content"][-1] if turns and turns[-1]["role"] == "assistant" else {}
        if last.get("type") == "text":
            last["text"] = last["text"].rstrip()  # refused otherwise
        return turns

    def _blocks(self, part: Part, role: str, omissions: Omissions) -> Iterator[dict[str, Any]]:
        match part:
            case TextPart(text=text) | FilePart(text=text) if text.strip():
                yield {"type": "text", "text": text}
            case ImagePart(attachment=image):
                source = {"type": "base64", "media_type": image.media_type, "data": data_of(image)}
                yield {"type": "image", "source": source}
            case FilePart(attachment=file) if file.media_type == "application/pdf":
                source = {"type": "base64", "media_type": file.media_type, "data": data_of(file)}
                yield {"type": "document", "source": source}
            case FilePart(attachment=file) if not part.text:
                omissions.add(f"attachment {file.name or file.media_type}")
            case ReasoningPart() if role == "assistant":
                yield from self._thinking(part)
            case ToolCallPart():
                yield {
                    "type": "tool_use",
                    "id": _tool_id(part.id),
                    "name": part.name,
                    "input": json_object(part.arguments),
                }
            case ToolResultPart():
                result: dict[str, Any] = {
                    "type": "tool_result",
                    "tool_use_id": _tool_id(part.call_id),
                    "content": part.content,
                }
                yield result | ({"is_error": True} if part.is_error else {})
            case TextPart() | ReasoningPart() | FilePart():
                return
            case _:
                omissions.add("audio")

    def _thinking(self, part: ReasoningPart) -> Iterator[dict[str, Any]]:
        """Thinking goes back exactly as it came, which is why each signature carries the text it signs."""
        for data in unpack(part.signature, self._origin):
            if isinstance(data, dict) and data.get("type") in {"thinking", "redacted_thinking"}:
                yield data

    def _add_format(self, body: dict[str, Any], request: ChatRequest, omissions: Omissions) -> None:
        wanted = request.response_format
        if wanted.kind == "json_schema" and wanted.schema is not None:
            body["output_config"] = {"format": {"type": "json_schema", "schema": wanted.schema}}
        elif wanted.kind == "json_object":
            omissions.add("JSON mode without a schema")
        elif wanted.kind == "grammar":
            omissions.add("grammar")

    def _add_reasoning(
        self, body: dict[str, Any], fields: dict[str, Any], request: ChatRequest, omissions: Omissions
    ) -> None:
        wanted = request.reasoning
        effort = wanted.effort
        if wanted.enabled is False or effort == "none":
            body["thinking"] = {"type": "disabled"}
            return
        if wanted.enabled is None and effort is None and wanted.budget_tokens is None:
            return
        thinking: dict[str, Any]
        if wanted.budget_tokens is not None or BUDGET_MODELS.match(self._model):
            budget = wanted.budget_tokens or EFFORT_BUDGETS.get(effort or "", DEFAULT_BUDGET)
            if fields["max_tokens"] <= MIN_BUDGET:
                omissions.remark(f"Reasoning was left out: it needs max_tokens above {MIN_BUDGET}.")
                return
            budget = max(MIN_BUDGET, min(budget, fields["max_tokens"] - 1))
            thinking = {"type": "enabled", "budget_tokens": budget}
        else:
            thinking = {"type": "adaptive", "display": "summarized"}
        body["thinking"] = thinking
        if effort and EFFORT_MODELS.match(self._model):
            body["output_config"] = body.get("output_config", {}) | {"effort": "low" if effort == "minimal" else effort}
        for name in NOT_WITH_THINKING:
            if fields.pop(name, None) is not None:
                omissions.remark(f"{name} was left out: {TITLE} does not take it while the model reasons.")


def _tool_id(text: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]", "_", text) or "call"


# --- the stream -----------------------------------------------------------------------------------------------
class _OutputDetails(msgspec.Struct):
    thinking_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens_details: _OutputDetails | None = None


class _Message(msgspec.Struct):
    model: str | None = None
    usage: _Usage | None = None


class _Block(msgspec.Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None


class _StopDetails(msgspec.Struct):
    explanation: str | None = None


class _Delta(msgspec.Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: _StopDetails | None = None


class _Event(msgspec.Struct):
    type: str
    index: int = 0
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None


_decode = msgspec.json.Decoder(_Event).decode


class AnthropicDecoder:
    def __init__(self, origin: str) -> None:
        self.model_version = ""
        self.ended = False
        self._origin = origin
        self._usage: dict[str, Any] = {}
        self._stop = _Delta()
        self._tools: dict[int, int] = {}
        """Index of the content block -> our index of the tool call."""
        self._thoughts: dict[int, dict[str, str]] = {}
        self._unread_input: dict[int, Any] = {}

    def feed(self, data: str) -> Iterator[StreamEvent]:
        event = _decode(data)
        match event.type:
            case "message_start" if event.message is not None:
                self.model_version = event.message.model or ""
                yield from self._count(event.message.usage)
            case "content_block_start" if event.content_block is not None:
                yield from self._start(event.index, event.content_block)
            case "content_block_delta" if event.delta is not None:
                yield from self._delta(event.index, event.delta)
            case "content_block_stop":
                yield from self._end(event.index)
            case "message_delta" if event.delta is not None:
                self._stop = event.delta if event.delta.stop_reason else self._stop
                yield from self._count(event.usage)
            case "message_stop":
                self.ended = True
            case "error":
                raise from_stream(TITLE, msgspec.json.decode(data), key_variable=KEY_VARIABLE)
            case "message_start" | "content_block_start" | "content_block_delta" | "message_delta":
                raise ValueError(f"{event.type} without its content")

    def finish(self) -> Iterator[StreamEvent]:
        reason = self._stop.stop_reason
        if not reason or not self.ended:
            return
        match reason:
            case "max_tokens" | "model_context_window_exceeded":
                yield Finished(reason="length", detail=reason)
            case "end_turn":
                yield Finished(reason="stop")
            case "stop_sequence":
                yield Finished(reason="stop", detail=self._stop.stop_sequence or reason)
            case "refusal":
                why = self._stop.stop_details and self._stop.stop_details.explanation
                yield Notice(f"{TITLE} declined to answer{f': {why}' if why else '.'}", kind="warning")
                yield Finished(reason="stop", detail=reason)
            case "tool_use":
                yield Finished(reason="stop", detail="tool_calls")
            case _:
                yield Finished(reason="stop", detail=reason)

    def _start(self, index: int, block: _Block) -> Iterator[StreamEvent]:
        match block.type:
            case "text" if block.text:
                yield TextDelta(block.text)
            case "thinking":
                self._thought(index)["thinking"] = block.thinking or ""
                if block.thinking:
                    yield ReasoningDelta(block.thinking)
            case "redacted_thinking":
                data = {"type": "redacted_thinking", "data": block.data or ""}
                yield ReasoningDelta("", signature=pack(self._origin, data))
            case "tool_use":
                number = self._tools.setdefault(index, len(self._tools))
                self._unread_input[index] = block.input
                yield ToolCallDelta(index=number, id=block.id or "", name=block.name or "")

    def _delta(self, index: int, delta: _Delta) -> Iterator[StreamEvent]:
        match delta.type:
            case "text_delta" if text := _present(delta.text):
                yield TextDelta(text)
            case "thinking_delta" if text := _present(delta.thinking):
                self._thought(index)["thinking"] += text
                yield ReasoningDelta(text)
            case "signature_delta":
                self._thought(index)["signature"] += _present(delta.signature)
            case "input_json_delta" if text := _present(delta.partial_json):
                self._unread_input.pop(index, None)
                yield ToolCallDelta(index=self._tools.setdefault(index, len(self._tools)), arguments=text)

    def _end(self, index: int) -> Iterator[StreamEvent]:
        thought = self._thoughts.pop(index, None)
        if thought is not None and thought["signature"]:
            yield ReasoningDelta("", signature=pack(self._origin, thought))
        whole = self._unread_input.pop(index, None)
        if whole:  # arguments that came whole with the block's start
            yield ToolCallDelta(index=self._tools[index], arguments=msgspec.json.encode(whole).decode())

    def _thought(self, index: int) -> dict[str, str]:
        return self._thoughts.setdefault(index, {"type": "thinking", "thinking": "", "signature": ""})

    def _count(self, usage: _Usage | None) -> Iterator[Usage]:
        """Counts are cumulative; the prompt's come at the start, split by how they met the cache."""
        if usage is None:
            return
        told = {name: getattr(usage, name) for name in usage.__struct_fields__}
        self._usage |= {name: value for name, value in told.items() if value is not None}
        fresh = self._usage.get("input_tokens")
        cached = self._usage.get("cache_read_input_tokens")
        written = self._usage.get("cache_creation_input_tokens")
        details = self._usage.get("output_tokens_details") or _OutputDetails()
        yield Usage(
            prompt_tokens=None if fresh is None else fresh + (cached or 0) + (written or 0),
            cached_tokens=cached,
            cache_write_tokens=written,
            completion_tokens=self._usage.get("output_tokens"),
            reasoning_tokens=details.thinking_tokens,
        )


def _present(text: str | None) -> str:
    if text is None:
        raise ValueError("a delta without its text")
    return text


# --- the plugin -----------------------------------------------------------------------------------------------
VENDOR = Vendor(
    kind="anthropic",
    title=TITLE,
    base_url="https://api.anthropic.com",
    version_path="/v1",
    url_variable="ANTHROPIC_BASE_URL",
    key_variable=KEY_VARIABLE,
    auth=lambda key: {"x-api-key": key},
)
CAPABILITIES = frozenset({"reasoning", "images", "files", "tools", "json_schema"})


class AnthropicProvider:
    kind = VENDOR.kind
    title = VENDOR.title
    key_variable = VENDOR.key_variable

    def __init__(self) -> None:
        self.presets = VENDOR.presets

    def models(self, context: ProviderContext, cancel: CancelToken) -> list[ModelInfo]:
        service = VENDOR.service(context)
        headers = {"anthropic-version": _version_of(context)}
        found: list[ModelInfo] = []
        for page in VENDOR.pages(service, "/v1/models?limit=100", _next_page, cancel, headers):
            if not isinstance(page.get("data"), list):
                raise malformed(TITLE, str(page)[:500])
            found += [_described(context, service, entry) for entry in page["data"] if "id" in entry]
        return found

    def model(self, context: ProviderContext, model_name: str) -> RemoteModel:
        service = VENDOR.service(context)
        adapter = AnthropicAdapter(f"{context.name}:{model_name}", model_name, _version_of(context))
        return RemoteModel(remote_info(context, service, model_name, CAPABILITIES), service, adapter)


def _next_page(page: dict[str, Any]) -> str:
    return f"&after_id={page['last_id']}" if page.get("has_more") and page.get("last_id") else ""


def _described(context: ProviderContext, service: Service, entry: dict[str, Any]) -> ModelInfo:
    fields: dict[str, Any] = {}
    if entry.get("display_name"):
        fields["name"] = entry["display_name"]
    if isinstance(entry.get("max_input_tokens"), int):
        fields["context_length"] = entry["max_input_tokens"]
    capabilities = CAPABILITIES
    told = entry.get("capabilities")
    if isinstance(told, dict):
        named = {"image_input": "images", "pdf_input": "files", "structured_outputs": "json_schema"}
        named["thinking"] = "reasoning"
        known = {ours for theirs, ours in named.items() if (told.get(theirs) or {}).get("supported")}
        capabilities = frozenset(known | {"tools"})
    return remote_info(context, service, str(entry["id"]), capabilities, **fields)


def _version_of(context: ProviderContext) -> str:
    return context.config.options.get("api_version") or API_VERSION


@hookimpl
def workbench_providers() -> list[ProviderPlugin]:
    return [AnthropicProvider()]
