"""Tools for models whose chat template knows none: the system prompt explains them, a grammar holds the answer to
`answer_schema`, and `GenericAnswer` reads it. Calls and results in the conversation become plain messages.
"""

from __future__ import annotations

import json
import re

import msgspec

from workbench.core.events import TextDelta, ToolCallDelta
from workbench.core.messages import Message, Part, TextPart, ToolCallPart, ToolResultPart
from workbench.core.requests import ChatRequest, Tool
from workbench.core.tool_calls import Piece, calls_in, new_call_id

Schema = dict[str, object]

_RESPONSE, _CALLS = '{"response":"', '{"tool_calls":['
_BEGINNING_CHARACTERS = 400
_STRING_BODY = re.compile(r'(?:[^"\\]|\\[^u]|\\u[0-9a-fA-F]{4})*', re.DOTALL)
_HALF_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\Z")
"""The first half of a character beyond 16 bits; its second half is another escape."""


def answer_schema(tools: tuple[Tool, ...]) -> Schema:
    """JSON Schema of an answer that is either text or calls of these tools."""
    calls = [_object(name={"const": tool.name}, arguments={"type": "object", **tool.parameters}) for tool in tools]
    return {
        "anyOf": [
            _object(response={"type": "string"}),
            _object(tool_calls={"type": "array", "items": {"anyOf": calls}, "minItems": 1}),
        ]
    }


def _object(**properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def explained(request: ChatRequest) -> ChatRequest:
    """The request in messages that any template takes: tools in the system prompt, calls and results as text."""
    names = {
        part.id: part.name for message in request.messages for part in message.parts if isinstance(part, ToolCallPart)
    }
    messages = [_as_text(message, names) for message in request.messages]
    system = messages.pop(0) if messages and messages[0].role == "system" else Message("system", ())
    system = Message("system", (*system.parts, TextPart(_instructions(request.tools))))
    return msgspec.structs.replace(request, messages=(system, *messages), tools=())


def _instructions(tools: tuple[Tool, ...]) -> str:
    listed = json.dumps([msgspec.structs.asdict(tool) for tool in tools], ensure_ascii=False)
    return (
        f"You can call these tools: {listed}\n"
        "Answer with one JSON object and nothing else, either to call tools:\n"
        '{"tool_calls": [{"name": "NAME OF THE TOOL", "arguments": {}}]}\n'
        "or to answer the user:\n"
        '{"response": "YOUR ANSWER"}'
    )


def _as_text(message: Message, names: dict[str, str]) -> Message:
    """As `_instructions` has the model write it, and with a tool's result as what the user says next."""
    if message.role == "assistant":
        calls = [part for part in message.parts if isinstance(part, ToolCallPart)]
        others = [part for part in message.parts if not isinstance(part, ToolCallPart | TextPart)]
        if calls:
            written = [f'{{"name": {json.dumps(call.name)}, "arguments": {call.arguments or "{}"}}}' for call in calls]
            answer = f'{{"tool_calls": [{", ".join(written)}]}}'
        elif message.text:
            answer = json.dumps({"response": message.text}, ensure_ascii=False)
        else:
            return message
        return Message("assistant", (*others, TextPart(answer)))
    parts: tuple[Part, ...] = tuple(
        _result_as_text(part, names) if isinstance(part, ToolResultPart) else part for part in message.parts
    )
    return Message("user" if message.role == "tool" else message.role, parts)


def _result_as_text(result: ToolResultPart, names: dict[str, str]) -> TextPart:
    told = {"tool_response": {"name": names.get(result.call_id, ""), "content": result.content}}
    return TextPart(json.dumps(told, ensure_ascii=False))


class GenericAnswer:
    """Reads an answer of `answer_schema` while it streams in: the text of `response` as it comes, calls when they are
    complete. Has the methods of `ToolCallFinder`. An answer that breaks off before it is clear stays text."""

    def __init__(self, tools: tuple[Tool, ...]) -> None:
        self.found = 0
        self._known = {tool.name for tool in tools}
        self._buffer = ""
        self._state = self._beginning

    def feed(self, text: str) -> list[Piece]:
        self._buffer += text
        return self._state()

    def finish(self) -> list[Piece]:
        """What was held back: calls, or text."""
        rest, self._buffer = self._buffer, ""
        if self._state == self._done or not rest:
            return []
        if self._state == self._in_calls:
            try:
                calls = calls_in(_CallList.of(rest), self._known)
            except (msgspec.DecodeError, RecursionError):
                return [TextDelta(rest)]
            self.found = len(calls)
            return [
                ToolCallDelta(index=index, id=new_call_id(), name=call.name, arguments=call.arguments)
                for index, call in enumerate(calls)
            ]
        return [TextDelta(rest)]

    def _beginning(self) -> list[Piece]:
        """The grammar leaves white space free, so it is compared without."""
        compact = "".join(self._buffer[:_BEGINNING_CHARACTERS].split())
        if compact.startswith(_CALLS):
            self._state = self._in_calls
        elif compact.startswith(_RESPONSE):
            self._buffer = self._buffer.split('"', 3)[3]
            self._state = self._in_response
            return self._in_response()
        return []

    def _in_calls(self) -> list[Piece]:
        return []

    def _done(self) -> list[Piece]:
        return []

    def _in_response(self) -> list[Piece]:
        """Text up to the closing quote, without an escape sequence that is not complete yet."""
        match = _STRING_BODY.match(self._buffer)
        assert match is not None
        raw, rest = match[0], self._buffer[match.end() :]
        half = _HALF_PAIR.search(raw)
        if half and (not rest or (rest.startswith("\\") and len(rest) < 6)):
            raw, rest = raw[: half.start()], half[0] + rest
        self._buffer = rest
        if rest.startswith('"'):
            self._state = self._done
        text = json.loads(f'"{raw}"', strict=False) if raw else ""
        return [TextDelta(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))] if text else []


class _CallList(msgspec.Struct):
    tool_calls: msgspec.Raw

    @classmethod
    def of(cls, text: str) -> str:
        """The list as it is written. Raises msgspec.DecodeError."""
        return bytes(msgspec.json.decode(text, type=cls).tool_calls).decode()
