"""Chat templates of GGUF files: structured messages -> the text a local model continues.

The messages take the shape that Hugging Face's templates expect. Templates come with model files from strangers, so
they run in `template_sandbox`.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, TypeVar

import jinja2
import msgspec

from workbench.core.errors import TemplateError
from workbench.core.messages import Message, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from workbench.core.reasoning import TAGS
from workbench.core.requests import ChatRequest
from workbench.engine.template_sandbox import Rejected, TemplateEnvironment, TooLong, TooMuch, time_limit

TIME_LIMIT_S = 2.0
LARGEST_SOURCE = 1024 * 1024
LARGEST_OUTPUT = 8 * 1024 * 1024
"""Characters of a template and of a rendered prompt."""
_END_OF_ANSWER = "\ue0ff<end-of-unfinished-answer>"

FALLBACK = """\
{%- for message in messages -%}
{%- if message.role == 'system' -%}{{ message.content }}
{%- elif message.role == 'user' -%}User: {{ message.content }}
{%- elif message.role == 'tool' -%}Tool: {{ message.content }}
{%- else -%}Assistant: {{ message.content }}
{%- endif -%}
{{ '\\n\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}Assistant:{%- endif -%}
"""
"""For base models, which know no chat format: a plain transcript, as it stands in books and web pages. The system
prompt comes first, without a label. Generation is best stopped at `FALLBACK_STOP`."""
FALLBACK_STOP = ("\nUser:",)

Result = TypeVar("Result")


class RenderedPrompt(msgspec.Struct, frozen=True):
    text: str
    notices: tuple[str, ...] = ()
    """What had to be changed so that the template takes the conversation, for the user."""


class ChatTemplate:
    """One compiled template. Rendering is thread-safe; the same request gives the same prompt."""

    def __init__(self, source: str, *, bos_token: str = "", eos_token: str = "", is_fallback: bool = False) -> None:
        """Raises TemplateError for a template that can't be compiled."""
        self.source = source
        self.sha256 = hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()
        self.is_fallback = is_fallback
        self.stop = FALLBACK_STOP if is_fallback else ()
        """Stop strings this template needs besides the model's own end-of-turn tokens."""
        self._tokens = {"bos_token": bos_token, "eos_token": eos_token}
        self._last = threading.local()
        if len(source) > LARGEST_SOURCE:
            raise TemplateError(f"The chat template has {len(source)} characters; at most {LARGEST_SOURCE} are read.")
        self._template = self._bounded(lambda: TemplateEnvironment().from_string(source))

    @property
    def notices(self) -> tuple[str, ...]:
        """Of the last rendering in this thread."""
        return getattr(self._last, "notices", ())

    def render(self, request: ChatRequest) -> str:
        """The prompt, with the beginning of the assistant's turn (or, with `continue_last`, of its unfinished answer)
        at its end. Raises TemplateError."""
        rendered = self.render_prompt(request)
        self._last.notices = rendered.notices
        return rendered.text

    def render_prompt(self, request: ChatRequest) -> RenderedPrompt:
        """Some templates refuse a system prompt, drop it, or refuse two turns of one role in a row. Then the system
        prompt becomes the beginning of the first user message, or the turns one, and a notice says so."""
        messages = request.messages
        try:
            text = self._render(request, messages)
            if not _dropped_system(messages, text):
                return RenderedPrompt(text)
            error = None
        except TemplateError as failure:
            error = failure
        notices = []
        for change, notice in _changes():
            changed = change(messages)
            if changed == messages:
                continue
            messages = changed
            notices.append(notice)
            try:
                return RenderedPrompt(self._render(request, messages), tuple(notices))
            except TemplateError:
                continue
        if error is None:
            return RenderedPrompt(text, ("The chat template leaves the system prompt out.",))
        raise error

    def _render(self, request: ChatRequest, messages: tuple[Message, ...]) -> str:
        if not (request.continue_last and messages and messages[-1].role == "assistant"):
            return self._run(request, messages, generation_prompt=True)
        last = messages[-1]
        if any(isinstance(part, TextPart) and part.text for part in last.parts):
            text = self._run(request, (*messages[:-1], _marked(last)), generation_prompt=False)
            before, found, _ = text.rpartition(_END_OF_ANSWER)
            if found:
                return before
        return _continue(self._run(request, messages[:-1], generation_prompt=True), last)

    def _run(self, request: ChatRequest, messages: tuple[Message, ...], *, generation_prompt: bool) -> str:
        variables = (
            self._tokens
            | _variables(request)
            | {
                "messages": template_messages(messages),
                "tools": _tools(request),
                "documents": None,
                "add_generation_prompt": generation_prompt,
            }
        )
        return self._bounded(lambda: self._collect(variables))

    def _collect(self, variables: dict[str, Any]) -> str:
        pieces, length = [], 0
        for piece in self._template.root_render_func(self._template.new_context(variables)):
            pieces.append(piece)
            length += len(piece)
            if length > LARGEST_OUTPUT:
                raise TooMuch(f"the prompt is longer than {LARGEST_OUTPUT} characters")
        return "".join(pieces)

    def _bounded(self, work: Callable[[], Result]) -> Result:
        """Do `work` in bounded time; whatever goes wrong in it is a TemplateError with the template's line."""
        try:
            with time_limit(TIME_LIMIT_S):
                return work()
        except TooLong as error:
            raise self._error(f"The chat template ran longer than {TIME_LIMIT_S:g} s", "", error) from None
        except Rejected as error:
            raise self._error("The chat template refuses this conversation", str(error), error) from None
        except TooMuch as error:
            raise self._error("The chat template was stopped", str(error), error) from None
        except RecursionError as error:
            raise self._error("The chat template is nested too deep", "", error) from None
        except Exception as error:
            raise self._error("The chat template failed", str(error)[:500], error) from None

    def _error(self, what: str, why: str, error: BaseException) -> TemplateError:
        line = _line_of(error)
        return TemplateError(
            what + (f" at line {line}" if line else "") + (f": {why.rstrip('.')}." if why else "."),
            hint="Use another chat template, or the plain one.",
            line=line,
            excerpt=_excerpt(self.source, line),
        )


def template_for(gguf_template: str | None, override: str | None = None, bos: str = "", eos: str = "") -> ChatTemplate:
    """The user's template, else the model's own, else the plain one for base models. Raises TemplateError."""
    source = next((text for text in (override, gguf_template) if text and text.strip()), None)
    return ChatTemplate(source or FALLBACK, bos_token=bos, eos_token=eos, is_fallback=source is None)


def template_messages(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """Messages as templates expect them: `role` and `content` (a text), and where there are such, `tool_calls`,
    `reasoning_content`, and for a tool's result `tool_call_id` and `name`."""
    out: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    for message in messages:
        results = [part for part in message.parts if isinstance(part, ToolResultPart)]
        for result in results:
            entry = {"role": "tool", "content": result.content, "tool_call_id": result.call_id}
            out.append(entry | ({"name": names[result.call_id]} if result.call_id in names else {}))
        if results and not message.text:
            continue
        shaped: dict[str, Any] = {"role": message.role, "content": message.text}
        if message.reasoning:
            shaped["reasoning_content"] = message.reasoning
        calls = [part for part in message.parts if isinstance(part, ToolCallPart)]
        if calls:
            names |= {call.id: call.name for call in calls}
            shaped["tool_calls"] = [_tool_call(call) for call in calls]
        out.append(shaped)
    return out


def _tool_call(call: ToolCallPart) -> dict[str, Any]:
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:
        arguments = call.arguments
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _tools(request: ChatRequest) -> list[dict[str, Any]] | None:
    functions = [msgspec.structs.asdict(tool) for tool in request.tools]
    return [{"type": "function", "function": function} for function in functions] or None


def _variables(request: ChatRequest) -> dict[str, Any]:
    """What the request says of reasoning under the names the model families use; its own variables win."""
    variables: dict[str, Any] = {}
    if request.reasoning.enabled is not None:
        variables |= {"enable_thinking": request.reasoning.enabled, "thinking": request.reasoning.enabled}
    if request.reasoning.effort:
        variables["reasoning_effort"] = request.reasoning.effort
    return variables | request.template_variables


def _marked(message: Message) -> Message:
    """The message with a mark where its text ends, to find the place in the rendered prompt."""
    parts = list(message.parts)
    index = max(i for i, part in enumerate(parts) if isinstance(part, TextPart) and part.text)
    parts[index] = TextPart(message.parts[index].text + _END_OF_ANSWER)  # type: ignore[union-attr]
    return Message(message.role, tuple(parts))


def _continue(prompt: str, last: Message) -> str:
    """The prompt with the unfinished answer written after it, for templates that don't leave it intact."""
    opener = next((tag for tag in TAGS if prompt.rstrip().endswith(tag)), "")
    if last.reasoning:
        prompt += last.reasoning if opener else f"<think>\n{last.reasoning}"
        opener = opener or "<think>"
    if last.text:
        prompt += f"\n{TAGS[opener]}\n\n{last.text}" if opener else last.text
    return prompt


def _dropped_system(messages: tuple[Message, ...], text: str) -> bool:
    systems = [message.text.strip() for message in messages if message.role == "system"]
    return any(system and system not in text and system.splitlines()[0].strip() not in text for system in systems)


def _merge_system(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    systems = "\n\n".join(message.text for message in messages if message.role == "system" and message.text)
    rest = [message for message in messages if message.role != "system"]
    if systems:
        first = next((i for i, message in enumerate(rest) if message.role == "user"), None)
        if first is None:
            rest.insert(0, Message.of("user", systems))
        else:
            rest[first] = Message("user", (TextPart(systems), *rest[first].parts))
    return tuple(rest)


def _merge_neighbours(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    merged: list[Message] = []
    for message in messages:
        plain = not any(isinstance(part, ToolCallPart | ToolResultPart | ReasoningPart) for part in message.parts)
        if merged and plain and merged[-1].role == message.role and message.role in ("user", "assistant"):
            merged[-1] = Message(message.role, merged[-1].parts + message.parts)
        else:
            merged.append(message)
    return tuple(merged)


def _changes() -> Iterator[tuple[Callable[[tuple[Message, ...]], tuple[Message, ...]], str]]:
    """What may be done to messages that the template refuses, and what the user is told of it."""
    notice = "The model's chat template takes no system prompt; it was put before the first user message."
    yield _merge_system, notice
    notice = "The model's chat template wants turns to alternate; messages of one role in a row were joined."
    yield _merge_neighbours, notice


def _line_of(error: BaseException) -> int | None:
    if isinstance(error, jinja2.TemplateSyntaxError):
        return error.lineno
    line, traceback = None, error.__traceback__
    while traceback is not None:
        line = _template_line(traceback) or line
        traceback = traceback.tb_next
    return line


def _template_line(traceback: TracebackType) -> int | None:
    template = traceback.tb_frame.f_globals.get("__jinja_template__")
    if isinstance(template, jinja2.Template):
        return template.get_corresponding_lineno(traceback.tb_lineno)
    return None


def _excerpt(source: str, line: int | None) -> str:
    if line is None:
        return ""
    lines = source.splitlines()[max(0, line - 3) : line + 2]
    first = max(1, line - 2)
    return "\n".join(
        f"{'>' if number == line else ' '} {number:4} {text[:200]}" for number, text in enumerate(lines, start=first)
    )
