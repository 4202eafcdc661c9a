"""Tools for models whose template knows none: what they are told, and how their answers are read."""

from __future__ import annotations

import itertools
import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.core.events import TextDelta, ToolCallDelta
from workbench.core.messages import Message, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from workbench.core.requests import ChatRequest, Tool
from workbench.engine.generic_tools import GenericAnswer, answer_schema, explained

TOOLS = (Tool(name="add", parameters={"type": "object", "properties": {"a": {"type": "integer"}}}), Tool(name="now"))


def read(pieces: list[str]) -> tuple[str, list[tuple[str, str]]]:
    answer = GenericAnswer(TOOLS)
    deltas = [delta for piece in pieces for delta in answer.feed(piece)] + answer.finish()
    calls = [(delta.name, delta.arguments) for delta in deltas if isinstance(delta, ToolCallDelta)]
    assert answer.found == len(calls)
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)), calls


@given(st.text(), st.booleans(), st.lists(st.integers(0, 300), max_size=8))
@settings(deadline=None)
def test_a_response_at_any_borders(text: str, ascii_only: bool, borders: list[int]) -> None:
    written = json.dumps({"response": text}, ensure_ascii=ascii_only)
    points = sorted({min(border, len(written)) for border in borders})
    pieces = [written[a:b] for a, b in itertools.pairwise([0, *points, len(written)])]
    assert read(pieces) == read(list(written)) == (text, [])


def test_a_response_streams() -> None:
    answer = GenericAnswer(TOOLS)
    assert answer.feed('{ "response" : "Hel') == [TextDelta("Hel")]
    assert answer.feed("lo \\u00e") == [TextDelta("lo ")]
    assert answer.feed('9"}') == [TextDelta("é")]
    assert answer.finish() == []


def test_half_a_character_is_replaced() -> None:
    assert read(list('{"response": "a\\ud83d b\\udc00"}')) == ("a\ufffd b\ufffd", [])


def test_calls() -> None:
    written = '{"tool_calls": [{"name": "add", "arguments": {"a": 1.0}}, {"name": "now", "arguments": {}}]}\n'
    assert read(list(written)) == read([written]) == ("", [("add", '{"a": 1.0}'), ("now", "{}")])


@pytest.mark.parametrize("broken", ['{"tool_calls": [{"name": "add", "argu', '{"tool_calls": [7]}', '{"resp', "Hello"])
def test_what_breaks_off_stays_text(broken: str) -> None:
    assert read(list(broken)) == (broken, [])


def test_a_response_that_breaks_off_keeps_what_came() -> None:
    assert read(['{"response": "so far']) == ("so far", [])


def test_the_schema_takes_answers_and_calls_and_nothing_else() -> None:
    validator = jsonschema.Draft202012Validator(answer_schema(TOOLS))
    assert validator.is_valid({"response": "hi"})
    assert validator.is_valid({"tool_calls": [{"name": "add", "arguments": {"a": 1}}]})
    for wrong in (
        {"tool_calls": []},
        {"tool_calls": [{"name": "add", "arguments": {"a": "x"}}]},
        {"tool_calls": [{"name": "other", "arguments": {}}]},
        {"response": 1},
        {},
    ):
        assert not validator.is_valid(wrong)


def test_the_conversation_in_plain_messages() -> None:
    call = ToolCallPart("c1", "add", '{"a": 1}')
    messages = (
        Message.of("system", "Be brief."),
        Message.of("user", "1+1?"),
        Message("assistant", (ReasoningPart("hm"), TextPart("Let me see."), call)),
        Message("tool", (ToolResultPart("c1", "2"),)),
        Message.of("assistant", "Two."),
    )
    plain = explained(ChatRequest(messages=messages, tools=TOOLS))
    system, _, called, result, answer = plain.messages
    assert plain.tools == ()
    assert system.text.startswith("Be brief.\n\n") and '"name": "add"' in system.text and '"now"' in system.text
    assert called.reasoning == "hm" and json.loads(called.text)["tool_calls"][0]["arguments"] == {"a": 1}
    assert result.role == "user" and json.loads(result.text)["tool_response"] == {"name": "add", "content": "2"}
    assert json.loads(answer.text) == {"response": "Two."}


def test_without_a_system_prompt_there_is_one_now() -> None:
    plain = explained(ChatRequest(messages=(Message.of("user", "1+1?"),), tools=TOOLS))
    assert [message.role for message in plain.messages] == ["system", "user"]
