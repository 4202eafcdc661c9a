"""Finds a model's tool calls in its text, while it streams in.

Each family writes calls in its own way: a mark, perhaps the tool's name, then the arguments as JSON (or, for two
families, between tags), perhaps a closing mark. `SYNTAXES` lists them. Llama writes a bare JSON object instead, which
counts only as the beginning of an answer and with the name of a tool that was offered. What only looks like a call, is
broken, or is never finished stays text, as the model wrote it.

A call is told when it is complete, for only then it is known to be one. White space between text and calls is layout
and dropped.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import msgspec

from workbench.core.events import TextDelta, ToolCallDelta
from workbench.core.requests import Tool

Piece = TextDelta | ToolCallDelta

LONGEST_HEAD = 200
"""Characters between a call's mark and its arguments; with more it is no call."""
_NAME = r"(?P<name>[\w.-]{1,128})"
_FENCE = r"```(?:json)?\s*"


class Syntax(NamedTuple):
    """How one family writes a call."""

    opener: str
    head: str = r"\s*"
    """Pattern of what stands between the opener and the arguments: the tool's name, where it stands there."""
    starts: str = "{["
    """The characters that begin the arguments: an object, a list of calls, or tags."""
    closers: tuple[str, ...] = ()
    """What may follow a call, and belongs to it."""


_BARE = Syntax("", closers=(";",))
_FUNCTION = Syntax("<function=", rf"{_NAME}>\s*", "{<", ("</function>", "</tool_call>"))
_DEEPSEEK = Syntax(
    "<｜tool▁call▁begin｜>",
    rf"(?:function<｜tool▁sep｜>)?{_NAME}(?:<｜tool▁sep｜>|\s*{_FENCE})\s*",
    "{",
    ("```", "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>"),
)
_KIMI = Syntax(
    "<|tool_call_begin|>",
    rf"\s*(?P<id>(?:functions\.)?{_NAME}(?::\d+)?)\s*<\|tool_call_argument_begin\|>\s*",
    "{",
    ("<|tool_call_end|>", "<|tool_calls_section_end|>"),
)
_HARMONY = Syntax("to=functions.", rf"{_NAME}[^{{]*<\|message\|>\s*", "{", ("<|call|>", "<|end|>"))
SYNTAXES = (
    # Hermes and Qwen; GLM with a name and tags, Qwen Coder with `<function=` inside
    Syntax("<tool_call>", rf"\s*(?:{_FENCE}|{_NAME}\s*)?", "{[<", ("```", "</tool_call>")),
    _FUNCTION,  # Qwen Coder with tags; Functionary and Llama with JSON
    Syntax("[TOOL_CALLS]", rf"\s*(?:{_NAME}\s*(?:\[CALL_ID\][\w-]*)?(?:\[ARGS\])?\s*)?"),  # Mistral
    Syntax("<|python_tag|>", closers=("<|eom_id|>", ";")),  # Llama 3
    Syntax("<|tool_call|>", closers=("<|/tool_call|>",)),  # Granite, Phi
    Syntax("<|START_ACTION|>", closers=("<|END_ACTION|>",)),  # Cohere
    _DEEPSEEK,
    _DEEPSEEK._replace(opener=f"<｜tool▁calls▁begin｜>{_DEEPSEEK.opener}"),
    _KIMI,
    _KIMI._replace(opener=f"<|tool_calls_section_begin|>{_KIMI.opener}"),
    _HARMONY,  # gpt-oss: the recipient stands before the channel or in its header
    _HARMONY._replace(opener=f"<|channel|>commentary {_HARMONY.opener}"),
)
"""No opener is the beginning of another one."""

MARKS = frozenset(
    {
        *("<tool_call>", "</tool_call>", "[TOOL_CALLS]", "[CALL_ID]", "[ARGS]", "<|python_tag|>"),
        *("<|tool_call|>", "<|/tool_call|>", "<|START_ACTION|>", "<|END_ACTION|>"),
        *("<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>"),
        *("<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>"),
        *("<|tool_calls_section_begin|>", "<|tool_call_begin|>", "<|tool_call_argument_begin|>"),
        *("<|tool_call_end|>", "<|tool_calls_section_end|>"),
        *("<|channel|>", "<|constrain|>", "<|message|>"),
    }
)
"""Parts of these syntaxes that are control tokens in some vocabularies, so an engine has to show them on purpose."""

_LONGEST_OPENER = max(len(syntax.opener) for syntax in SYNTAXES)
_BARE_BEGINNINGS = tuple(
    f'{{{kind}"{key}":"' for kind in ("", '"type":"function",') for key in ("name", "function", "tool_name")
)
_STRUCTURE = re.compile(r'["\\{}\[\]]')
_QWEN_PARAMETER = re.compile(r"<parameter=([^>]+)>\n?(.*?)\n?</parameter>", re.DOTALL)
_GLM_ARGUMENT = re.compile(r"<arg_key>(.*?)</arg_key>\s*<arg_value>(.*?)</arg_value>", re.DOTALL)


class ToolCallFinder:
    """Incremental; the pieces joined do not depend on where the text was cut. Linear time.

    It wants text only, after reasoning was split off.
    """

    def __init__(self, tools: tuple[Tool, ...], *, continues_text: bool = False) -> None:
        """`continues_text`: the answer's beginning is not to come, so a bare object is no call."""
        self.found = 0
        """Calls so far."""
        self._tools = {tool.name: tool for tool in tools}
        self._ids: set[str] = set()
        self._out: list[Piece] = []
        self._buffer = ""
        self._space = ""
        """White space that belongs to the text only if text follows."""
        self._syntax = _BARE
        self._arguments_at: int | None = None
        """Where in the buffer the call's arguments begin, once that is known."""
        self._name = self._id = ""
        self._end = _JsonEnd()
        self._state: Callable[[], bool] = self._in_text if continues_text else self._at_start

    def feed(self, text: str) -> list[Piece]:
        self._buffer += text
        while self._buffer and self._state():
            pass
        return self._take()

    def finish(self) -> list[Piece]:
        """What was held back because it might have become a call, as text."""
        if self._state == self._in_call:
            self._emit(self._syntax.opener)
        self._emit(self._buffer)
        self._buffer = ""
        if self._space and not self.found:  # at the end of a text without calls it is the model's own
            self._out.append(TextDelta(self._space))
        return self._take()

    # Each state reads what it can from the buffer; True: another state may go on with the rest.
    def _at_start(self) -> bool:
        """Where a bare JSON object counts."""
        text = self._buffer.lstrip()
        self._space += self._buffer[: len(self._buffer) - len(text)]
        self._buffer = text
        if not text:
            return False
        bare = _begins_bare_call(text[:LONGEST_HEAD], self._tools)
        if bare is None and len(text) < LONGEST_HEAD:
            return False
        if bare:
            self._begin(_BARE)
        else:
            self._state = self._in_text
        return True

    def _in_text(self) -> bool:
        found = min(((at, s) for s in SYNTAXES if (at := self._buffer.find(s.opener)) >= 0), default=None)
        if found is None:
            certain = len(self._buffer) - _possible_opener(self._buffer)
            self._emit(self._buffer[:certain])
            self._buffer = self._buffer[certain:]
            return False
        position, syntax = found
        self._emit(self._buffer[:position])
        self._buffer = self._buffer[position + len(syntax.opener) :]
        self._begin(syntax)
        return True

    def _begin(self, syntax: Syntax) -> None:
        self._syntax, self._arguments_at = syntax, None
        self._name = self._id = ""
        self._end = _JsonEnd()
        self._state = self._in_call

    def _in_call(self) -> bool:
        if self._arguments_at is None:
            return self._find_arguments()
        if self._buffer[self._arguments_at] == "<":
            return self._read_tags(self._arguments_at)
        end = self._end.of(self._buffer, self._arguments_at)
        if end is None:
            return False
        return self._complete(_calls_of(self._buffer[self._arguments_at : end], self._name, self._tools), end)

    def _find_arguments(self) -> bool:
        at = next((i for i, character in enumerate(self._buffer[:LONGEST_HEAD]) if self._starts(i, character)), None)
        if at is None:
            return len(self._buffer) >= LONGEST_HEAD and self._not_a_call()
        head = re.fullmatch(self._syntax.head, self._buffer[:at])
        if head is None:
            return self._not_a_call()
        groups = head.groupdict()
        self._name, self._id = groups.get("name") or "", groups.get("id") or ""
        self._arguments_at = at
        return True

    def _starts(self, at: int, character: str) -> bool:
        """A list has no name before it; after one, `[` is Mistral's `[ARGS]`."""
        if character == "[" and not re.fullmatch(rf"\s*(?:{_FENCE})?", self._buffer[:at]):
            return False
        return character in self._syntax.starts

    def _read_tags(self, at: int) -> bool:
        """Arguments between tags, as Qwen Coder and GLM write them."""
        if not self._name:
            return self._read_inner_opener(at)
        by_qwen = self._syntax.opener.endswith(_FUNCTION.opener)
        pattern, closer = (_QWEN_PARAMETER, "</function>") if by_qwen else (_GLM_ARGUMENT, "</tool_call>")
        end = self._buffer.find(closer, at)
        if end < 0:
            return False
        body = self._buffer[at:end]
        if pattern.sub("", body).strip() or not (body or self._name in self._tools):
            return self._not_a_call()
        arguments = {key.strip(): self._typed(key.strip(), value) for key, value in pattern.findall(body)}
        return self._complete([_Call(self._name, json.dumps(arguments, ensure_ascii=False))], end + len(closer))

    def _read_inner_opener(self, at: int) -> bool:
        """Qwen Coder's own tag inside of `<tool_call>`."""
        inner = self._buffer[at : at + len(_FUNCTION.opener)]
        if inner != _FUNCTION.opener:
            return not _FUNCTION.opener.startswith(inner) and self._not_a_call()
        opener = self._syntax.opener + self._buffer[:at] + inner
        self._buffer = self._buffer[at + len(inner) :]
        self._begin(_FUNCTION._replace(opener=opener))
        return True

    def _typed(self, key: str, text: str) -> Any:
        """Tags hold text only; what the tool's schema does not call a string is read as JSON where it is such."""
        tool = self._tools.get(self._name)
        properties = tool.parameters.get("properties") if tool is not None else None
        schema = properties.get(key) if isinstance(properties, dict) else None
        if isinstance(schema, dict) and schema.get("type") == "string":
            return text
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError:
            return text

    def _complete(self, calls: list[_Call], end: int) -> bool:
        """The arguments end at `end`: it is a call, or several, or none after all."""
        if not calls:
            return self._not_a_call()
        for call in calls:
            id_ = call.id or self._id
            if not id_ or id_ in self._ids:  # two calls of one id could not be told apart later
                id_ = new_call_id()
            self._ids.add(id_)
            self._out.append(ToolCallDelta(index=self.found, id=id_, name=call.name, arguments=call.arguments))
            self.found += 1
        self._buffer, self._space = self._buffer[end:], ""
        self._state = self._after_call
        return True

    def _not_a_call(self) -> bool:
        """The mark was text. What follows it may hold a call again."""
        mark = self._syntax.opener
        if not mark:  # the bare object is looked at once
            mark, self._buffer = self._buffer[0], self._buffer[1:]
        self._emit(mark)
        self._state = self._in_text
        return True

    def _after_call(self) -> bool:
        """Drops white space and closing marks; then another call or text follows."""
        self._buffer = self._buffer.lstrip()
        closers = self._syntax.closers
        closer = next((mark for mark in closers if self._buffer.startswith(mark)), None)
        if closer is not None:
            self._buffer = self._buffer[len(closer) :]
            return True
        if any(mark.startswith(self._buffer) for mark in closers):
            return False
        self._state = self._at_start if ";" in closers else self._in_text
        return True

    def _emit(self, text: str) -> None:
        body = text.rstrip()
        if body:
            self._out.append(TextDelta(self._space + body))
            self._space = ""
        self._space += text[len(body) :]

    def _take(self) -> list[Piece]:
        out, self._out = self._out, []
        return out


def new_call_id() -> str:
    """For a call whose model gives none. Nine characters, as Mistral's templates want them."""
    return uuid.uuid4().hex[:9]


class _JsonEnd:
    """Finds where a JSON object or list ends, reading each character once however the text comes in."""

    def __init__(self) -> None:
        self._read = 0
        self._depth = 0
        self._in_string = False

    def of(self, text: str, start: int) -> int | None:
        """Where the value that begins at `start` ends; None while it goes on. `text` only ever grows."""
        position = max(start, self._read)
        while (match := _STRUCTURE.search(text, position)) is not None:
            character, position = match[0], match.end()
            if character == "\\":
                if position == len(text):
                    self._read = match.start()
                    return None
                position += 1
            elif character == '"':
                self._in_string = not self._in_string
            elif not self._in_string:
                self._depth += 1 if character in "{[" else -1
                if self._depth <= 0:
                    return position
        self._read = max(position, len(text))
        return None


class _Call(NamedTuple):
    name: str
    arguments: str
    id: str = ""


class _Written(msgspec.Struct):
    """The keys that the families use. Raw keeps the arguments as they are written."""

    name: str = ""
    tool_name: str = ""
    function: msgspec.Raw = msgspec.Raw()
    arguments: msgspec.Raw = msgspec.Raw()
    parameters: msgspec.Raw = msgspec.Raw()
    id: str | int | None = ""
    tool_call_id: str | int | None = ""


_read_call = msgspec.json.Decoder(_Written).decode
_read_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_read_object = msgspec.json.Decoder(dict[str, Any]).decode
_read_text = msgspec.json.Decoder(str).decode


def _calls_of(text: str, name: str, known: Collection[str]) -> list[_Call]:
    """The calls in a JSON value: the arguments of `name`, or objects that name their tools. Empty: something else."""
    try:
        if name:
            _read_object(text)
            return [_Call(name, text)]
        return calls_in(text, known)
    except (msgspec.DecodeError, RecursionError):
        return []


def calls_in(text: str, known: Collection[str]) -> list[_Call]:
    """The calls in a JSON object, or in a list of them. Raises msgspec.DecodeError for anything else."""
    return [_call_of(item, known) for item in _read_items(text)] if text.startswith("[") else [_call_of(text, known)]


def _call_of(text: str | msgspec.Raw, known: Collection[str]) -> _Call:
    """Raises msgspec.DecodeError. Only a tool that is `known` can be called without arguments."""
    written = _read_call(text)
    if bytes(written.function).startswith(b"{"):
        inner = _call_of(written.function, known)
        return inner._replace(id=_id_of(written) or inner.id)
    function = _read_text(written.function) if bytes(written.function) else ""
    name = written.name or written.tool_name or function
    arguments = bytes(written.arguments) or bytes(written.parameters) or (b"{}" if name in known else b"")
    if arguments.startswith(b'"'):  # JSON within JSON, as OpenAI has it
        arguments = _read_text(arguments).encode()
    _read_object(arguments)
    if not name:
        raise msgspec.ValidationError("a call without a name")
    return _Call(name, arguments.decode(), _id_of(written))


def _id_of(written: _Written) -> str:
    return str(written.id or written.tool_call_id or "")


def _begins_bare_call(text: str, names: Collection[str]) -> bool | None:
    """Whether an object that names one of the tools begins here; None: more of it is needed to tell."""
    compact = "".join(text.split())
    beginning = next((known for known in _BARE_BEGINNINGS if compact.startswith(known)), None)
    if beginning is None:
        return None if any(known.startswith(compact) for known in _BARE_BEGINNINGS) else False
    name, quote, _ = compact[len(beginning) :].partition('"')
    if quote:
        return name in names
    return None if any(known.startswith(name) for known in names) else False


def _possible_opener(text: str) -> int:
    """Length of the longest end of `text` that one of the openers begins with."""
    longest = min(len(text), _LONGEST_OPENER - 1)
    return next((n for n in range(longest, 0, -1) if any(s.opener.startswith(text[-n:]) for s in SYNTAXES)), 0)
