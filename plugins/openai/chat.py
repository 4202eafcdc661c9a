"""Chat Completions: the protocol nearly everybody speaks.

https://platform.openai.com/docs/api-reference/chat, and the extensions of the services in services.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from workbench.core.errors import BadInput
from workbench.core.events import (
    Finished,
    Logprobs,
    Notice,
    ReasoningDelta,
    StreamEvent,
    TextDelta,
    Timings,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from workbench.core.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from workbench.core.requests import ChatRequest, Reasoning
from workbench.providers.content import (
    Omissions,
    data_of,
    data_url,
    effective_sampling,
    is_strict_schema,
    note_local_only,
    sampling_fields,
)
from workbench.providers.errors import broken_answer, from_stream
from workbench.providers.remote_model import Call
from workbench.providers.signatures import pack, unpack

from .services import ServiceKind

PLAIN_ENDINGS = frozenset({"stop", "eos", "end_turn"})
LENGTH_ENDINGS = frozenset({"length", "max_tokens", "model_length"})
AUDIO_FORMATS = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}


class ChatAdapter:
    def __init__(self, kind: ServiceKind, origin: str, title: str, model: str, key_variable: str) -> None:
        self._kind = kind
        self._origin = origin
        self._title = title
        self._model = model
        self._key_variable = key_variable

    def call(self, request: ChatRequest) -> Call:
        omissions = Omissions(self._title)
        note_local_only(request, omissions, template_variables=self._kind.template_variables)
        names = dict(self._kind.sampling)
        fields = sampling_fields(request.sampling, names, omissions)
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [item for message in request.messages for item in self._messages(message)],
            "stream": True,
            **fields,
        }
        if self._kind.stream_usage:
            body["stream_options"] = {"include_usage": True}
        if "top_logprobs" in body:
            body["logprobs"] = True
        if "logit_bias" in body:
            body["logit_bias"] = _logit_bias(body["logit_bias"], self._title)
        if request.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": tool.name,
                        "description": tool.description,
                        "parameters": tool.parameters or {"type": "object", "properties": {}},
                    },
                }
                for tool in request.tools
            ]
        self._add_format(body, request, omissions)
        self._add_reasoning(body, request, omissions)
        self._add_continuation(body, request, omissions)
        return Call("/chat/completions", body, omissions.notices, effective_sampling(fields, names), names)

    def decoder(self) -> ChatDecoder:
        return ChatDecoder(self._origin, self._title, self._key_variable)

    def _messages(self, message: Message) -> Iterator[dict[str, Any]]:
        if message.role == "tool":
            for part in message.parts:
                if isinstance(part, ToolResultPart):
                    yield {"role": "tool", "tool_call_id": part.call_id, "content": part.content}
            return
        if message.role != "assistant":
            yield {"role": message.role, "content": self._content(message)}
            return
        entry: dict[str, Any] = {"role": "assistant"}
        text = message.text
        calls = [part for part in message.parts if isinstance(part, ToolCallPart)]
        if text or not calls:
            entry["content"] = text
        if calls:
            entry["tool_calls"] = [
                {"id": part.id, "type": "function", "function": {"name": part.name, "arguments": part.arguments}}
                for part in calls
            ]
        details = [
            detail
            for part in message.parts
            if isinstance(part, ReasoningPart)
            for data in unpack(part.signature, self._origin)
            if isinstance(data, list)
            for detail in data
        ]
        if details:
            entry["reasoning_details"] = details
        yield entry

    def _content(self, message: Message) -> str | list[dict[str, Any]]:
        if all(isinstance(part, TextPart) for part in message.parts):
            return message.text
        content: list[dict[str, Any]] = []
        for part in message.parts:
            match part:
                case TextPart(text=text) if text:
                    content.append({"type": "text", "text": text})
                case FilePart(text=text) if text:
                    content.append({"type": "text", "text": text})
                case ImagePart(attachment=image):
                    content.append({"type": "image_url", "image_url": {"url": data_url(image)}})
                case AudioPart(attachment=audio):
                    content.append({"type": "input_audio", "input_audio": _audio(audio.media_type, data_of(audio))})
                case FilePart(attachment=file):
                    content.append(
                        {"type": "file", "file": {"filename": file.name or "file", "file_data": data_url(file)}}
                    )
        return content

    def _add_format(self, body: dict[str, Any], request: ChatRequest, omissions: Omissions) -> None:
        wanted = request.response_format
        if wanted.kind == "json_object":
            body["response_format"] = {"type": "json_object"}
        elif wanted.kind == "json_schema" and wanted.schema is not None:
            if self._kind.json_schema:
                body["response_format"] = {
                    "type": "json_schema",
                    "json_schema": {
                        "name": "answer",
                        "schema": wanted.schema,
                        "strict": is_strict_schema(wanted.schema),
                    },
                }
            else:
                body["response_format"] = {"type": "json_object"}
                omissions.remark(f"Ignored: {self._title} knows JSON, but no JSON schema; only JSON was asked for.")
        elif wanted.kind == "grammar":
            if self._kind.grammar:
                body["grammar"] = wanted.grammar
            else:
                omissions.add("grammar")

    def _add_reasoning(self, body: dict[str, Any], request: ChatRequest, omissions: Omissions) -> None:
        wanted = request.reasoning
        style = self._kind.reasoning
        if style == "openrouter":
            _add_openrouter_reasoning(body, wanted, omissions)
            return
        if wanted.budget_tokens is not None:
            omissions.add("reasoning budget")
        effort = wanted.effort or ("none" if wanted.enabled is False else None)
        if style == "template":
            _add_template_variables(body, request, omissions)
        elif style == "effort" and effort:
            body["reasoning_effort"] = effort
        elif style == "deepseek" and (wanted.enabled or effort):
            body["thinking"] = {"type": "disabled" if effort == "none" else "enabled"}
            if effort != "none" and effort:
                omissions.add("reasoning effort")
        elif style == "none" and effort:
            omissions.add("reasoning")

    def _add_continuation(self, body: dict[str, Any], request: ChatRequest, omissions: Omissions) -> None:
        if not request.continue_last or not body["messages"] or body["messages"][-1]["role"] != "assistant":
            return
        match self._kind.continuation:
            case "none":
                omissions.remark(f"Ignored: {self._title} can't continue an unfinished answer and may begin a new one.")
            case "prefix":
                body["messages"][-1]["prefix"] = True
            case "vllm":
                body |= {"continue_final_message": True, "add_generation_prompt": False}


def _add_openrouter_reasoning(body: dict[str, Any], wanted: Reasoning, omissions: Omissions) -> None:
    """OpenRouter takes an effort or a budget, not both."""
    effort = wanted.effort
    if wanted.budget_tokens is not None and effort:
        effort = None
        omissions.add("reasoning effort (a budget is given)")
    options = {"effort": effort, "max_tokens": wanted.budget_tokens, "enabled": wanted.enabled}
    if any(value is not None for value in options.values()):
        body["reasoning"] = {name: value for name, value in options.items() if value is not None}


def _add_template_variables(body: dict[str, Any], request: ChatRequest, omissions: Omissions) -> None:
    """Local servers switch reasoning through a variable of the model's chat template."""
    if request.reasoning.effort:
        omissions.add("reasoning effort")
    variables = dict(request.template_variables)
    if request.reasoning.enabled is not None:
        variables.setdefault("enable_thinking", request.reasoning.enabled)
    if variables:
        body["chat_template_kwargs"] = variables


def _audio(media_type: str, data: str) -> dict[str, str]:
    audio_format = AUDIO_FORMATS.get(media_type)
    if audio_format is None:
        raise BadInput(f"Audio of the type {media_type} can't be sent.", hint="Convert it to WAV or MP3.")
    return {"data": data, "format": audio_format}


def _logit_bias(bias: dict[str, float], title: str) -> dict[str, float]:
    """OpenAI takes token ids and a bias of -100 to 100; llama.cpp's texts and -inf are translated or refused."""
    if not all(token.isdecimal() for token in bias):
        raise BadInput(f"{title} takes logit_bias by token id only.", hint="Give token ids, or leave logit_bias out.")
    return {token: round(max(-100.0, min(100.0, value))) for token, value in bias.items()}


# --- the stream -----------------------------------------------------------------------------------------------
class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class _ToolCall(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: str | list[dict[str, Any]] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[dict[str, Any]] | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Alternative(msgspec.Struct):
    token: str
    logprob: float


class _Token(msgspec.Struct):
    token: str
    logprob: float
    top_logprobs: list[_Alternative] | None = None


class _Logprobs(msgspec.Struct):
    content: list[_Token] | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Chunk(msgspec.Struct):
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: dict[str, Any] | None = None
    error: Any = None
    timings: dict[str, Any] | None = None
    x_groq: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(_Chunk).decode


class ChatDecoder:
    def __init__(self, origin: str, title: str, key_variable: str) -> None:
        self.model_version = ""
        self.ended = False
        self._origin = origin
        self._title = title
        self._key_variable = key_variable
        self._finish_reason = ""
        self._refused = False
        self._reasoning_details: list[dict[str, Any]] = []
        self._last_tool = -1

    def feed(self, data: str) -> Iterator[StreamEvent]:
        if data.strip() == "[DONE]":
            self.ended = True
            return
        chunk = _decode(data)
        if chunk.error:
            raise from_stream(self._title, msgspec.json.decode(data), key_variable=self._key_variable)
        if chunk.choices is None and chunk.usage is None and chunk.timings is None:
            raise ValueError("neither choices nor usage")
        self.model_version = self.model_version or chunk.model or ""
        for choice in chunk.choices or ():
            if choice.index == 0:
                yield from self._choice(choice)
        usage = chunk.usage or (chunk.x_groq or {}).get("usage")
        if usage and isinstance(usage, dict):
            yield read_usage(usage)
        if chunk.timings:
            yield _timings(chunk.timings)

    def finish(self) -> Iterator[StreamEvent]:
        if not self._finish_reason:
            return
        if self._reasoning_details:
            yield ReasoningDelta("", signature=pack(self._origin, self._reasoning_details))
        reason = self._finish_reason
        if reason in LENGTH_ENDINGS:
            yield Finished(reason="length", detail=reason)
            return
        if reason == "content_filter":
            yield Notice(f"{self._title}'s content filter ended the answer.", kind="warning")
        detail = "refusal" if self._refused and reason in PLAIN_ENDINGS else "" if reason in PLAIN_ENDINGS else reason
        yield Finished(reason="stop", detail=detail)

    def _choice(self, choice: _Choice) -> Iterator[StreamEvent]:
        delta = choice.delta
        if delta is not None:
            reasoning = delta.reasoning_content or delta.reasoning
            if reasoning:
                yield ReasoningDelta(reasoning)
            self._reasoning_details += delta.reasoning_details or ()
            yield from _content(delta.content)
            if delta.refusal:
                self._refused = True
                yield TextDelta(delta.refusal)
            for call in delta.tool_calls or ():
                yield self._tool_call(call)
        if choice.logprobs is not None and choice.logprobs.content:
            yield _logprobs(choice.logprobs.content)
        if choice.finish_reason == "error":
            raise broken_answer("server_error", self._title, "broke off with an error of the model's provider")
        self._finish_reason = choice.finish_reason or self._finish_reason

    def _tool_call(self, call: _ToolCall) -> ToolCallDelta:
        index = call.index
        if index is None:  # Gemini's compatible endpoint leaves it out and sends each call whole
            index = self._last_tool + 1 if call.id else max(self._last_tool, 0)
        self._last_tool = max(self._last_tool, index)
        function = call.function or _Function()
        arguments = function.arguments or ""
        return ToolCallDelta(
            index=index,
            id=call.id or "",
            name=function.name or "",
            arguments=arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False),
        )


def _content(content: str | list[dict[str, Any]] | None) -> Iterator[StreamEvent]:
    if isinstance(content, str):
        if content:
            yield TextDelta(content)
        return
    for part in content or ():  # Mistral's reasoning models: a list of text and thinking parts
        if part.get("type") == "thinking":
            thinking = part.get("thinking")
            pieces = thinking if isinstance(thinking, list) else [{"text": thinking}]
            text = "".join(str(piece.get("text") or "") for piece in pieces)
            if text:
                yield ReasoningDelta(text)
        elif part.get("text"):
            yield TextDelta(str(part["text"]))


def _logprobs(tokens: list[_Token]) -> Logprobs:
    return Logprobs(
        tuple(
            TokenLogprob(
                token.token, token.logprob, tuple((item.token, item.logprob) for item in token.top_logprobs or ())
            )
            for token in tokens
        )
    )


def read_usage(usage: dict[str, Any]) -> Usage:
    """OpenAI's usage object, and its dialects."""
    prompt = _count(usage, "prompt_tokens")
    completion = _count(usage, "completion_tokens")
    of_prompt = usage.get("prompt_tokens_details")
    of_completion = usage.get("completion_tokens_details")
    of_prompt = of_prompt if isinstance(of_prompt, dict) else {}
    of_completion = of_completion if isinstance(of_completion, dict) else {}
    cached = _count(of_prompt, "cached_tokens")
    if cached is None:
        cached = _count(usage, "prompt_cache_hit_tokens")  # DeepSeek
    reasoning = _count(of_completion, "reasoning_tokens")
    total = _count(usage, "total_tokens")
    if prompt is not None and completion is not None and reasoning and total == prompt + completion + reasoning:
        completion += reasoning  # xAI counts them apart
    return Usage(
        prompt_tokens=prompt,
        cached_tokens=cached,
        cache_write_tokens=_count(of_prompt, "cache_write_tokens"),
        completion_tokens=completion,
        reasoning_tokens=reasoning,
    )


def _count(values: dict[str, Any], name: str) -> int | None:
    value = values.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _timings(timings: dict[str, Any]) -> Timings:
    """llama-server's measurements."""

    def number(name: str, factor: float = 1.0) -> float | None:
        value = timings.get(name)
        return value * factor if isinstance(value, int | float) and not isinstance(value, bool) else None

    return Timings(
        prefill_s=number("prompt_ms", 0.001),
        decode_s=number("predicted_ms", 0.001),
        prefill_tokens_per_s=number("prompt_per_second"),
        decode_tokens_per_s=number("predicted_per_second"),
    )
