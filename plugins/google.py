"""Google's Gemini API (generateContent as a stream). https://ai.google.dev/api/generate-content"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec

from workbench.core.cancel import CancelToken
from workbench.core.events import (
    Finished,
    Logprobs,
    Notice,
    ReasoningDelta,
    StreamEvent,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from workbench.core.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    Message,
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
    tool_names,
)
from workbench.providers.errors import broken_answer, from_stream, malformed
from workbench.providers.remote_model import Call, RemoteModel, Service
from workbench.providers.signatures import pack, unpack
from workbench.providers.vendor import Vendor, remote_info

TITLE = "Google Gemini"
KEY_VARIABLE = "GEMINI_API_KEY"
SECOND_KEY_VARIABLE = "GOOGLE_API_KEY"
SAMPLING = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
    "seed": "seed",
    "stop": "stopSequences",
    "max_tokens": "maxOutputTokens",
    "logprobs": "logprobs",
}
MAX_SEED = 2**31 - 1
BUDGET_MODELS = re.compile(r"gemini-(?:2\.5|robotics)")
"""Models that take a thinking budget; later ones take a level."""
EFFORT_BUDGETS = {"minimal": 512, "low": 1024, "medium": 8192, "high": 24576}
EFFORT_LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "HIGH", "max": "HIGH"}
BLOCKED = frozenset(
    {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "IMAGE_SAFETY", "MODEL_ARMOR"}
)
BROKEN = frozenset(
    {"MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "MISSING_THOUGHT_SIGNATURE"}
)


class GeminiAdapter:
    def __init__(self, origin: str, model: str) -> None:
        self._origin = origin
        self._model = model

    def call(self, request: ChatRequest) -> Call:
        omissions = Omissions(TITLE)
        note_local_only(request, omissions)
        fields = sampling_fields(request.sampling, SAMPLING, omissions)
        if fields.get("seed", 0) > MAX_SEED:
            fields["seed"] %= MAX_SEED + 1
            omissions.remark(f"The seed was shortened to {fields['seed']}: {TITLE} takes 31 bits.")
        config = dict(fields)
        if "logprobs" in config:
            config["responseLogprobs"] = True
        self._add_format(config, request, omissions)
        self._add_reasoning(config, request, omissions)
        body: dict[str, Any] = {"contents": self._contents(request, omissions)}
        system = "\n\n".join(message.text for message in request.messages if message.role == "system" and message.text)
        if system:
            body["systemInstruction"] = {"parts": [{"text": system}]}
        if request.tools:
            body["tools"] = [
                {
                    "functionDeclarations": [
                        {
                            "name": tool.name,
                            "description": tool.description,
                            "parametersJsonSchema": tool.parameters or {"type": "object", "properties": {}},
                        }
                        for tool in request.tools
                    ]
                }
            ]
        if config:
            body["generationConfig"] = config
        if request.continue_last and request.messages and request.messages[-1].role == "assistant":
            omissions.remark(f"{TITLE} may begin a new answer instead of continuing the unfinished one.")
        path = f"/v1beta/models/{quote(self._model, safe='')}:streamGenerateContent?alt=sse"
        return Call(path, body, omissions.notices, effective_sampling(fields, SAMPLING))

    def decoder(self) -> GeminiDecoder:
        return GeminiDecoder(self._origin)

    def _contents(self, request: ChatRequest, omissions: Omissions) -> list[dict[str, Any]]:
        names = tool_names(request.messages)
        contents: list[dict[str, Any]] = []
        for message in request.messages:
            if message.role == "system":
                continue
            role = "model" if message.role == "assistant" else "user"
            parts = self._parts(message, names, omissions)
            if not parts:
                continue
            if contents and contents[-1]["role"] == role:
                contents[-1]["parts"] += parts
            else:
                contents.append({"role": role, "parts": parts})
        return contents

    def _parts(self, message: Message, names: dict[str, str], omissions: Omissions) -> list[dict[str, Any]]:
        signatures: dict[str, str] = {}
        text_signature = ""
        for part in message.parts:
            if isinstance(part, ReasoningPart):
                for data in unpack(part.signature, self._origin):
                    if isinstance(data, dict) and data.get("call"):
                        signatures[str(data["call"])] = str(data["signature"])
                    elif isinstance(data, dict):
                        text_signature = str(data.get("signature", ""))
        parts: list[dict[str, Any]] = []
        for part in message.parts:
            entry = self._part(part, names, signatures, omissions)
            if entry is not None:
                parts.append(entry)
        if text_signature:
            texts = [entry for entry in parts if "text" in entry]
            (texts[-1] if texts else parts[-1] if parts else {})["thoughtSignature"] = text_signature
        return parts

    def _part(
        self, part: Part, names: dict[str, str], signatures: dict[str, str], omissions: Omissions
    ) -> dict[str, Any] | None:
        match part:
            case TextPart(text=text) | FilePart(text=text) if text:
                return {"text": text}
            case ImagePart(attachment=file) | AudioPart(attachment=file) | FilePart(attachment=file) if file.data:
                return {"inlineData": {"mimeType": file.media_type, "data": data_of(file)}}
            case ImagePart(attachment=file) | AudioPart(attachment=file) | FilePart(attachment=file):
                data_of(file)  # tells that the bytes are missing
                return None
            case ToolCallPart():
                call: dict[str, Any] = {"functionCall": {"name": part.name, "args": json_object(part.arguments)}}
                if not part.id.startswith(OWN_CALL_ID):
                    call["functionCall"]["id"] = part.id
                return call | ({"thoughtSignature": signatures[part.id]} if part.id in signatures else {})
            case ToolResultPart():
                outcome = {"error" if part.is_error else "result": part.content}
                response: dict[str, Any] = {"name": names.get(part.call_id, part.call_id), "response": outcome}
                if not part.call_id.startswith(OWN_CALL_ID):
                    response["id"] = part.call_id
                return {"functionResponse": response}
            case _:
                return None

    def _add_format(self, config: dict[str, Any], request: ChatRequest, omissions: Omissions) -> None:
        wanted = request.response_format
        if wanted.kind in {"json_object", "json_schema"}:
            config["responseMimeType"] = "application/json"
        if wanted.kind == "json_schema" and wanted.schema is not None:
            config["responseJsonSchema"] = wanted.schema
        elif wanted.kind == "grammar":
            omissions.add("grammar")

    def _add_reasoning(self, config: dict[str, Any], request: ChatRequest, omissions: Omissions) -> None:
        wanted = request.reasoning
        off = wanted.enabled is False or wanted.effort == "none"
        if wanted.enabled is None and wanted.effort is None and wanted.budget_tokens is None:
            return
        thinking: dict[str, Any] = {"includeThoughts": not off}
        takes_budget = bool(BUDGET_MODELS.search(self._model))
        if off:
            thinking |= {"thinkingBudget": 0} if takes_budget else {"thinkingLevel": "MINIMAL"}
        elif wanted.budget_tokens is not None:
            thinking["thinkingBudget"] = wanted.budget_tokens
            if wanted.effort:
                omissions.add("reasoning effort (a budget is given)")
        elif wanted.effort and takes_budget:
            thinking["thinkingBudget"] = EFFORT_BUDGETS.get(wanted.effort, EFFORT_BUDGETS["high"])
        elif wanted.effort:
            thinking["thinkingLevel"] = EFFORT_LEVELS.get(wanted.effort, "HIGH")
        config["thinkingConfig"] = thinking


# --- the stream -----------------------------------------------------------------------------------------------
OWN_CALL_ID = "gemini-call-"
"""Start of the ids we give to calls that came without one; Gemini does not know them."""


class _FunctionCall(msgspec.Struct):
    name: str
    args: dict[str, Any] | None = None
    id: str | None = None


class _Part(msgspec.Struct, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: _FunctionCall | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Token(msgspec.Struct, rename="camel"):
    token: str = ""
    log_probability: float = 0.0


class _Top(msgspec.Struct):
    candidates: list[_Token] | None = None


class _Logprobs(msgspec.Struct, rename="camel"):
    chosen_candidates: list[_Token] | None = None
    top_candidates: list[_Top] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    logprobs_result: _Logprobs | None = None


class _UsageMetadata(msgspec.Struct, rename="camel"):
    prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    candidates_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    thoughts_token_count: int | None = None


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _Chunk(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: _UsageMetadata | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: Any = None


_decode = msgspec.json.Decoder(_Chunk).decode


class GeminiDecoder:
    def __init__(self, origin: str) -> None:
        self.model_version = ""
        self.ended = False
        """Stays False: Gemini's stream has no closing event, it ends with the response."""
        self._origin = origin
        self._finish_reason = ""
        self._finish_message = ""
        self._block_reason = ""
        self._calls = 0

    def feed(self, data: str) -> Iterator[StreamEvent]:
        chunk = _decode(data)
        if chunk.error:
            raise from_stream(TITLE, msgspec.json.decode(data), key_variable=KEY_VARIABLE)
        known = (chunk.candidates, chunk.prompt_feedback, chunk.usage_metadata, chunk.response_id, chunk.model_version)
        if all(value is None for value in known):
            raise ValueError("neither candidates nor usage")
        self.model_version = chunk.model_version or self.model_version
        if chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason:
            self._block_reason = chunk.prompt_feedback.block_reason
        for candidate in (chunk.candidates or ())[:1]:
            for part in (candidate.content and candidate.content.parts) or ():
                yield from self._part(part)
            if candidate.logprobs_result is not None:
                yield from _logprobs(candidate.logprobs_result)
            self._finish_reason = candidate.finish_reason or self._finish_reason
            self._finish_message = candidate.finish_message or self._finish_message
        if chunk.usage_metadata is not None:
            yield _usage(chunk.usage_metadata)

    def finish(self) -> Iterator[StreamEvent]:
        reason = self._finish_reason
        if not reason and not self._block_reason:
            return
        if self._block_reason:
            yield Notice(f"{TITLE} refused the prompt: {self._block_reason}.", kind="warning")
            yield Finished(reason="stop", detail=f"prompt_blocked: {self._block_reason}")
        elif reason in BROKEN:
            raise broken_answer(
                "bad_answer", TITLE, "could not be completed", f"{reason}: {self._finish_message}", retryable=False
            )
        elif reason == "MAX_TOKENS":
            yield Finished(reason="length", detail=reason)
        elif reason == "STOP":
            yield Finished(reason="stop", detail="tool_calls" if self._calls else "")
        else:
            if reason in BLOCKED:
                yield Notice(f"{TITLE} ended the answer: {self._finish_message or reason}.", kind="warning")
            yield Finished(reason="stop", detail=reason)

    def _part(self, part: _Part) -> Iterator[StreamEvent]:
        if part.function_call is not None:
            call = part.function_call
            call_id = call.id or f"{OWN_CALL_ID}{self._calls}-{call.name}"
            if part.thought_signature:
                data = {"call": call_id, "signature": part.thought_signature}
                yield ReasoningDelta("", signature=pack(self._origin, data))
            arguments = msgspec.json.encode(call.args or {}).decode()
            yield ToolCallDelta(index=self._calls, id=call_id, name=call.name, arguments=arguments)
            self._calls += 1
            return
        if part.text:
            yield ReasoningDelta(part.text) if part.thought else TextDelta(part.text)
        if part.thought_signature:
            yield ReasoningDelta("", signature=pack(self._origin, {"signature": part.thought_signature}))


def _logprobs(result: _Logprobs) -> Iterator[Logprobs]:
    chosen = result.chosen_candidates or []
    tops = result.top_candidates or []
    if chosen:
        yield Logprobs(
            tuple(
                TokenLogprob(
                    token.token,
                    token.log_probability,
                    tuple(
                        (item.token, item.log_probability)
                        for item in ((tops[position].candidates or ()) if position < len(tops) else ())
                    ),
                )
                for position, token in enumerate(chosen)
            )
        )


def _usage(counts: _UsageMetadata) -> Usage:
    """Gemini counts thoughts apart from the answer; ours are part of the completion."""
    prompt = counts.prompt_token_count
    answer, thoughts = counts.candidates_token_count, counts.thoughts_token_count
    return Usage(
        prompt_tokens=None if prompt is None else prompt + (counts.tool_use_prompt_token_count or 0),
        cached_tokens=counts.cached_content_token_count,
        completion_tokens=None if answer is None and thoughts is None else (answer or 0) + (thoughts or 0),
        reasoning_tokens=thoughts,
    )


# --- the plugin -----------------------------------------------------------------------------------------------
VENDOR = Vendor(
    kind="google",
    title=TITLE,
    base_url="https://generativelanguage.googleapis.com",
    version_path="/v1beta",
    url_variable="GOOGLE_GEMINI_BASE_URL",
    key_variable=KEY_VARIABLE,
    auth=lambda key: {"x-goog-api-key": key},
)
CAPABILITIES = frozenset({"reasoning", "images", "audio", "files", "tools", "json_schema", "seed", "logprobs"})


class GoogleProvider:
    kind = VENDOR.kind
    title = VENDOR.title
    key_variable = VENDOR.key_variable

    def __init__(self) -> None:
        self.presets = VENDOR.presets

    def models(self, context: ProviderContext, cancel: CancelToken) -> list[ModelInfo]:
        service = _service(context)
        found: list[ModelInfo] = []
        for page in VENDOR.pages(service, "/v1beta/models?pageSize=1000", _next_page, cancel):
            entries = page.get("models", [])
            if not isinstance(entries, list):
                raise malformed(TITLE, str(page)[:500])
            for entry in entries:
                if "generateContent" in entry.get("supportedGenerationMethods", ()):
                    found.append(_described(context, service, entry))
        return found

    def model(self, context: ProviderContext, model_name: str) -> RemoteModel:
        name = model_name.removeprefix("models/")
        service = _service(context)
        adapter = GeminiAdapter(f"{context.name}:{name}", name)
        return RemoteModel(remote_info(context, service, name, CAPABILITIES), service, adapter)


def _next_page(page: dict[str, Any]) -> str:
    token = page.get("nextPageToken")
    return f"&pageToken={quote(str(token), safe='')}" if token else ""


def _service(context: ProviderContext) -> Service:
    return VENDOR.service(_with_second_key(context) if VENDOR.is_preset(context) else context)


def _described(context: ProviderContext, service: Service, entry: dict[str, Any]) -> ModelInfo:
    model = str(entry.get("name", "")).removeprefix("models/")
    fields: dict[str, Any] = {"name": entry.get("displayName") or model}
    if isinstance(entry.get("inputTokenLimit"), int):
        fields["context_length"] = entry["inputTokenLimit"]
    capabilities = CAPABILITIES if "thinking" in entry else CAPABILITIES - {"reasoning"}
    return remote_info(context, service, model, capabilities, **fields)


def _with_second_key(context: ProviderContext) -> ProviderContext:
    """Google's own SDK also reads GOOGLE_API_KEY."""
    return ProviderContext(
        name=context.name,
        config=context.config,
        network=context.network,
        key=lambda: context.key() or os.environ.get(SECOND_KEY_VARIABLE),
    )


@hookimpl
def workbench_providers() -> list[ProviderPlugin]:
    return [GoogleProvider()]
