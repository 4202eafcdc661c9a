"""Every model of the installed plugins for `llm` (https://llm.datasette.io), as `llm:MODEL`.

Nothing of `llm` is imported before its models are listed or asked: finding them takes 0.3 to 6 s. Keys are llm's own
(`llm keys set`). Plugins that run llama.cpp are left out, since that must stay out of this process; their GGUF files
can be opened directly. What `llm` does not tell, the bridge can't know: an answer that broke off without an error
counts as complete here.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import queue
import re
import threading
from collections.abc import Iterator
from typing import Any

from workbench.core.cancel import CancelToken
from workbench.core.errors import Cancelled, WorkbenchError
from workbench.core.events import (
    Finished,
    ReasoningDelta,
    RunDetails,
    StreamEvent,
    TextDelta,
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
from workbench.core.models import ModelInfo
from workbench.core.redact import redact_error
from workbench.core.requests import ChatRequest
from workbench.core.settings import Provider
from workbench.core.tr import mark
from workbench.hookspecs import ProviderContext, ProviderPlugin, hookimpl
from workbench.providers.content import Omissions, json_object, note_local_only, tool_names
from workbench.providers.errors import ApiError, broken_answer
from workbench.providers.signatures import pack, unpack

TITLE = "llm"
OPTION_NAMES = {
    "max_tokens": ("max_tokens", "max_output_tokens", "num_predict"),
    "stop": ("stop", "stop_sequences"),
    "repeat_penalty": ("repeat_penalty", "repetition_penalty"),
    "repeat_last_n": ("repeat_last_n",),
}
EFFORT_OPTIONS = ("reasoning_effort", "thinking_effort", "thinking_level")
BUDGET_OPTIONS = ("thinking_budget",)
SWITCH_OPTIONS = ("thinking", "think")

_lock = threading.Lock()
_models: dict[str, Any] = {}


def _llm() -> Any:
    import llm  # noqa: PLC0415 - takes up to 6 s with its plugins, so never at the start

    return llm


def _discover() -> dict[str, Any]:
    """llm's models by id. Slow the first time. Raises ApiError."""
    with _lock:
        if _models:
            return _models
        try:
            llm = _llm()
            for entry in importlib.metadata.entry_points(group="llm"):
                if entry.dist and any(re.match(r"llama[-_]cpp", need) for need in entry.dist.requires or ()):
                    llm.pm.set_blocked(entry.name)
            found = {entry.model.model_id: entry.model for entry in llm.get_models_with_aliases() if entry.model}
        except (Exception, SystemExit) as error:  # a plugin of llm's may raise anything
            raise ApiError(
                "plugin_failed",
                f"The plugins of llm could not be loaded: {error}",
                hint="See `llm plugins`, and uninstall the one that fails.",
                detail=repr(error),
            ) from error
        _models.update(found)
        return _models


class LlmModel:
    def __init__(self, context: ProviderContext, name: str) -> None:
        self._context = context
        self._name = name

    @property
    def info(self) -> ModelInfo:
        return _info(self._context, self._name, _models.get(self._name))

    def stream(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        try:
            yield from self._answer(request, cancel)
        except Cancelled:
            yield Finished(reason="cancelled")
        except WorkbenchError as error:
            yield Finished(reason="failed", error=redact_error(error.info))

    def _answer(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        if self._context.network.offline:
            raise ApiError(
                "offline",
                "Models of llm are not asked while the program is set to stay offline: they may use the network.",
                hint="Switch offline mode off under Settings, Network.",
            )
        events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        forget = cancel.on_cancel(lambda: events.put(Cancelled("Stopped.")))
        worker = threading.Thread(target=self._work, args=(request, cancel, events), name="llm-bridge", daemon=True)
        # A thread of its own: llm's models can't be interrupted, so a cancelled run leaves it behind.
        worker.start()
        try:
            while True:
                event = events.get()
                if isinstance(event, Exception):
                    raise event
                yield event
                if isinstance(event, Finished):
                    return
        finally:
            forget()

    def _work(self, request: ChatRequest, cancel: CancelToken, events: queue.SimpleQueue[Any]) -> None:
        try:
            for event in self._run(request):
                if cancel.cancelled:
                    return
                events.put(event)
        except WorkbenchError as error:
            events.put(error)
        except (Exception, SystemExit) as error:  # a plugin of llm's may raise anything
            events.put(_failure(error))

    def _run(self, request: ChatRequest) -> Iterator[StreamEvent]:
        llm_model = _discover().get(self._name)
        if llm_model is None:
            raise ApiError(
                "not_found", f"llm has no model named {self._name}.", hint="See `llm models` for those it has."
            )
        omissions = Omissions(f"the llm model {self._name}")
        note_local_only(request, omissions)
        arguments = self._arguments(llm_model, request, omissions)
        yield from omissions.notices
        response = llm_model.prompt(stream=True, **arguments)
        yield from _read(response, self._context.name)
        usage = response.usage()
        resolved = getattr(response, "resolved_model", None) or self._name
        yield RunDetails(
            model_version=str(resolved), sampling=arguments["options"], seed=arguments["options"].get("seed")
        )
        if usage.input is not None or usage.output is not None:
            yield Usage(prompt_tokens=usage.input, completion_tokens=usage.output)
        yield Finished(reason="stop")

    def _arguments(self, llm_model: Any, request: ChatRequest, omissions: Omissions) -> dict[str, Any]:
        llm = _llm()
        arguments: dict[str, Any] = {
            "messages": _messages(llm, llm_model, request, self._context.name, omissions),
            "options": _options(llm_model, request, omissions),
        }
        wanted = request.response_format
        if wanted.kind == "json_schema" and wanted.schema is not None and llm_model.supports_schema:
            arguments["schema"] = wanted.schema
        elif wanted.kind != "text":
            omissions.add({"json_schema": "JSON schema", "json_object": "JSON mode", "grammar": "grammar"}[wanted.kind])
        if request.tools and llm_model.supports_tools:
            arguments["tools"] = [
                llm.Tool(name=tool.name, description=tool.description, input_schema=tool.parameters)
                for tool in request.tools
            ]
        elif request.tools:
            omissions.add("tools")
        if request.continue_last and request.messages and request.messages[-1].role == "assistant":
            omissions.remark("Ignored: llm can't continue an unfinished answer and may begin a new one.")
        return arguments


def _options(llm_model: Any, request: ChatRequest, omissions: Omissions) -> dict[str, Any]:
    known = set(llm_model.Options.model_fields)
    options: dict[str, Any] = {}

    def put(ours: str, names: tuple[str, ...], value: Any) -> None:
        name = next((name for name in names if name in known), None)
        if name is None:
            omissions.add(ours)
        else:
            options[name] = value

    sampling = request.sampling
    for name in sampling.__struct_fields__:
        value = getattr(sampling, name)
        if value is not None:
            put(name, OPTION_NAMES.get(name, (name,)), list(value) if isinstance(value, tuple) else value)
    reasoning = request.reasoning
    if reasoning.effort is not None:
        put("reasoning effort", EFFORT_OPTIONS, reasoning.effort)
    if reasoning.budget_tokens is not None:
        put("reasoning budget", BUDGET_OPTIONS, reasoning.budget_tokens)
    if reasoning.enabled is not None and reasoning.effort is None and reasoning.budget_tokens is None:
        put("reasoning", SWITCH_OPTIONS, reasoning.enabled)
    return options


def _messages(llm: Any, llm_model: Any, request: ChatRequest, provider: str, omissions: Omissions) -> list[Any]:
    names = tool_names(request.messages)
    return [
        llm.Message(
            role=message.role,
            parts=[part for part in _parts(message, provider, names) if _accepted(part, llm_model, omissions)],
        )
        for message in request.messages
    ]


def _parts(message: Message, provider: str, names: dict[str, str]) -> Iterator[Any]:
    from llm import Attachment, parts  # noqa: PLC0415 - see _llm

    for part in message.parts:
        match part:
            case TextPart(text=text) | FilePart(text=text) if text:
                yield parts.TextPart(text=text)
            case ImagePart(attachment=file) | AudioPart(attachment=file) | FilePart(attachment=file):
                yield parts.AttachmentPart(attachment=Attachment(type=file.media_type, content=file.data))
            case ReasoningPart(text=text, signature=signature):
                found = unpack(signature, provider)
                if found:
                    yield parts.ReasoningPart(text=text, provider_metadata=found[-1])
            case ToolCallPart(id=call_id, name=name, arguments=arguments):
                yield parts.ToolCallPart(name=name, arguments=json_object(arguments), tool_call_id=call_id)
            case ToolResultPart(call_id=call_id, content=content):
                yield parts.ToolResultPart(name=names.get(call_id, ""), output=content, tool_call_id=call_id)


def _accepted(part: Any, llm_model: Any, omissions: Omissions) -> bool:
    attachment = getattr(part, "attachment", None)
    if attachment is None or attachment.type in llm_model.attachment_types:
        return True
    omissions.add(f"attachment of the type {attachment.type}")
    return False


def _read(response: Any, provider: str) -> Iterator[StreamEvent]:
    indexes: dict[Any, int] = {}
    for event in response.stream_events():
        if event.server_executed:
            continue
        match event.type:
            case "text" if event.chunk:
                yield TextDelta(event.chunk)
            case "reasoning":
                signature = pack(provider, event.provider_metadata) if event.provider_metadata else ""
                if event.chunk or signature:
                    yield ReasoningDelta(event.chunk, signature=signature)
            case "tool_call_name" | "tool_call_args":
                key = event.tool_call_id or event.part_index
                new = key not in indexes
                index = indexes.setdefault(key, len(indexes))
                is_name = event.type == "tool_call_name"
                yield ToolCallDelta(
                    index=index,
                    id=(event.tool_call_id or f"call-{index}") if new else "",
                    name=event.chunk if is_name else "",
                    arguments="" if is_name else event.chunk,
                )


def _failure(error: BaseException) -> ApiError:
    if type(error).__name__ == "NeedsKeyException":
        return ApiError("missing_key", str(error), hint="Set it with `llm keys set NAME`.")
    failed = broken_answer("plugin_failed", TITLE, f"failed: {error}", repr(error), retryable=False)
    failed.hint = "The text so far is kept. The error comes from the plugin of llm that serves this model."
    return failed


def _info(context: ProviderContext, name: str, llm_model: Any | None) -> ModelInfo:
    capabilities: set[str] = set()
    if llm_model is not None:
        capabilities |= {"tools"} if llm_model.supports_tools else set()
        capabilities |= {"json_schema"} if llm_model.supports_schema else set()
        kinds = {str(kind).partition("/")[0] for kind in llm_model.attachment_types}
        capabilities |= {ours for theirs, ours in (("image", "images"), ("audio", "audio")) if theirs in kinds}
    return ModelInfo(
        id=f"{context.name}:{name}",
        name=name,
        provider=context.name,
        capabilities=frozenset(capabilities),
        remote=True,  # llm does not say where a model runs
    )


class LlmProvider:
    kind = "llm"
    title = mark("Models of llm plugins")
    key_variable = ""

    def __init__(self) -> None:
        self.presets = {self.kind: Provider(kind=self.kind)}

    def models(self, context: ProviderContext, cancel: CancelToken) -> list[ModelInfo]:
        return [_info(context, name, model) for name, model in _discover().items()]

    def model(self, context: ProviderContext, model_name: str) -> LlmModel:
        return LlmModel(context, model_name)


@hookimpl
def workbench_providers() -> list[ProviderPlugin]:
    if importlib.util.find_spec("llm") is None:
        return []
    return [LlmProvider()]
