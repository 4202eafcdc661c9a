"""Tool calls of the model families, found at any borders of the tokens."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workbench.core.events import ReasoningDelta, TextDelta, ToolCallDelta
from workbench.core.reasoning import ReasoningSplitter
from workbench.core.requests import Tool
from workbench.core.tool_calls import SYNTAXES, ToolCallFinder

WEATHER = Tool(
    name="get_weather",
    parameters={"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}},
)
TOOLS = (WEATHER, Tool(name="now"))
Call = tuple[str, object]

ARGUMENTS = '{"city": "Paris } ]", "days": 2}'
PARIS: Call = ("get_weather", {"city": "Paris } ]", "days": 2})
NAMED = f'{{"name": "get_weather", "arguments": {ARGUMENTS}}}'
NOW = '{"name": "now", "arguments": {}}'
FAMILIES = {
    "hermes": f"<tool_call>\n{NAMED}\n</tool_call>",
    "hermes without its end": f"<tool_call>{NAMED}",
    "hermes in a fence": f"<tool_call>\n```json\n{NAMED}\n```\n</tool_call>",
    "hermes with a list": f"<tool_call>[{NAMED}]</tool_call>",
    "qwen coder": "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis } ]\n</parameter>\n"
    "<parameter=days>\n2\n</parameter>\n</function>\n</tool_call>",
    "qwen coder alone": "<function=get_weather><parameter=city>Paris } ]</parameter>"
    "<parameter=days>2</parameter></function>",
    "glm": "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Paris } ]</arg_value>\n"
    "<arg_key>days</arg_key>\n<arg_value>2</arg_value>\n</tool_call>",
    "functionary": f"<function=get_weather>{ARGUMENTS}</function>",
    "llama": f'{{"name": "get_weather", "parameters": {ARGUMENTS}}}',
    "llama with a type": f'{{"type": "function", "name": "get_weather", "parameters": {ARGUMENTS}}}',
    "llama with a tag": f'<|python_tag|>{{"name": "get_weather", "parameters": {ARGUMENTS}}}',
    "mistral": f"[TOOL_CALLS] [{NAMED}]",
    "mistral with names": f"[TOOL_CALLS]get_weather[ARGS]{ARGUMENTS}",
    "mistral with ids": f"[TOOL_CALLS]get_weather[CALL_ID]123456789[ARGS]{ARGUMENTS}",
    "mistral, newest": f"[TOOL_CALLS]get_weather{ARGUMENTS}",
    "granite": f"<|tool_call|>[{NAMED}]",
    "phi": f"<|tool_call|>[{NAMED}]<|/tool_call|>",
    "cohere": f'<|START_ACTION|>[{{"tool_call_id": "0", "tool_name": "get_weather", "parameters": {ARGUMENTS}}}]'
    "<|END_ACTION|>",
    "deepseek r1": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n"
    f"```json\n{ARGUMENTS}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    "deepseek v3.1": f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{ARGUMENTS}"
    "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    "kimi": "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>"
    f"{ARGUMENTS}<|tool_call_end|><|tool_calls_section_end|>",
    "harmony": f"<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{ARGUMENTS}",
    "harmony with a role": f" to=functions.get_weather<|channel|>commentary json<|message|>{ARGUMENTS}<|call|>",
    "openai": f'{{"type": "function", "function": "get_weather", "arguments": {json.dumps(ARGUMENTS)}}}',
}
SEVERAL = {
    "hermes": f"<tool_call>{NAMED}</tool_call>\n<tool_call>\n{NOW}\n</tool_call>",
    "llama": f'{{"name": "get_weather", "parameters": {ARGUMENTS}}}; {{"name": "now", "parameters": {{}}}}',
    "mistral": f"[TOOL_CALLS][{NAMED}, {NOW}]",
    "mistral with names": f"[TOOL_CALLS]get_weather[ARGS]{ARGUMENTS}[TOOL_CALLS]now[ARGS]{{}}",
    "kimi": "<|tool_calls_section_begin|><|tool_call_begin|>get_weather<|tool_call_argument_begin|>"
    f"{ARGUMENTS}<|tool_call_end|><|tool_call_begin|>now<|tool_call_argument_begin|>{{}}<|tool_call_end|>",
}
BROKEN = [
    "<tool_call>\nI think so\n</tool_call>",
    f"<tool_call>{NAMED[:-3]}",
    f"<tool_call>{NAMED[:20]}</tool_call>",
    '<tool_call>{"arguments": {}}</tool_call>',
    '<tool_call>{"name": "unknown"}</tool_call>',
    '<tool_call>{"name": "get_weather", "arguments": "Paris"}</tool_call>',
    '<tool_call>{"name": "get_weather", "arguments": [1]}</tool_call>',
    '<tool_call>{"name": 7, "arguments": {}}</tool_call>',
    "<tool_call>[1, 2]</tool_call>",
    "<tool_call>[]</tool_call>",
    "<tool_call>nothing</tool_call>",
    "<tool_call>get_weather <arg_key>city</arg_key> Paris</tool_call>",
    "<function=get_weather><parameter=city>Paris</function>",
    "[TOOL_CALLS] none of them fits {",
    "[TOOL_CALLS]get_weather[ARGS]Paris",
    "<|python_tag|>print('{}')",
    '{"name": "Ada Lovelace", "born": 1815}',
    '{"name": "get_weather", "forecast": "rain", "arguments": 3}',
    '{"answer": {"name": "get_weather", "arguments": {}}}',
    f"Write {NAMED} and it is called.",
    "{" * 300,
    "<tool_call>" + "x" * 300 + NAMED,
    f'{{"name": {"1" * 250}',
    "a < b, [1], <tool",
]


def find(pieces: list[str], *, continues_text: bool = False) -> tuple[str, list[Call]]:
    finder = ToolCallFinder(TOOLS, continues_text=continues_text)
    deltas = [delta for piece in pieces for delta in finder.feed(piece)] + finder.finish()
    calls = [delta for delta in deltas if isinstance(delta, ToolCallDelta)]
    assert [call.index for call in calls] == list(range(len(calls))) and finder.found == len(calls)
    assert all(call.id for call in calls) and len({call.id for call in calls}) == len(calls)
    text = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    return text, [(call.name, json.loads(call.arguments)) for call in calls]


def cut(text: str, borders: list[int]) -> list[str]:
    points = sorted({min(border, len(text)) for border in borders})
    return [text[a:b] for a, b in itertools.pairwise([0, *points, len(text)])]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_at_every_border(family: str) -> None:
    text = FAMILIES[family]
    assert find([text]) == ("", [PARIS])
    assert find(list(text)) == ("", [PARIS])
    for border in range(len(text)):
        assert find([text[:border], text[border:]]) == ("", [PARIS])


@pytest.mark.parametrize("family", SEVERAL)
def test_several_calls(family: str) -> None:
    assert find(list(SEVERAL[family])) == find([SEVERAL[family]]) == ("", [PARIS, ("now", {})])


@pytest.mark.parametrize("family", [name for name in FAMILIES if not FAMILIES[name].startswith("{")])
def test_text_before_and_after(family: str) -> None:
    text, calls = find(list(f"I look.\n\n{FAMILIES[family]}\n\n"))
    assert (text, calls) == ("I look.", [PARIS])
    if "without" not in family and "harmony" not in family:
        assert find(list(f"{FAMILIES[family]} Done: a < b.")) == ("Done: a < b.", [PARIS])


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_no_call_stays_as_it_was_written(text: str) -> None:
    assert find([text]) == (text, [])
    assert find(list(text)) == (text, [])


def test_a_call_after_a_broken_one_is_found() -> None:
    text, calls = find(list(f"<tool_call>oh no</tool_call>\n<tool_call>{NAMED}</tool_call>"))
    assert (text, calls) == ("<tool_call>oh no</tool_call>", [PARIS])


@pytest.mark.parametrize(
    "text",
    [
        f"<think>\nhm\n</think>\n\n{FAMILIES['hermes']}",
        f"[THINK]hm[/THINK]{FAMILIES['mistral']}",
        f"<think>hm</think>\n\n{FAMILIES['llama']}",
        f"<|channel|>analysis<|message|>hm<|end|><|start|>assistant{FAMILIES['harmony']}",
    ],
)
def test_after_reasoning_that_was_split_off(text: str) -> None:
    for border in range(len(text)):
        splitter, finder = ReasoningSplitter(""), ToolCallFinder(TOOLS)
        pieces = [*splitter.feed(text[:border]), *splitter.feed(text[border:]), *splitter.finish()]
        reasoning = "".join(piece.text for piece in pieces if isinstance(piece, ReasoningDelta))
        found = [d for piece in pieces if isinstance(piece, TextDelta) for d in finder.feed(piece.text)]
        (call,) = found + finder.finish()
        assert reasoning == "hm" and isinstance(call, ToolCallDelta) and json.loads(call.arguments) == PARIS[1]


def test_a_bare_object_in_the_middle_of_a_text_is_text() -> None:
    bare = FAMILIES["llama"]
    assert find([bare], continues_text=True) == (bare, [])
    assert find([f"Like this: {bare}"]) == (f"Like this: {bare}", [])


def test_arguments_are_kept_to_the_letter() -> None:
    arguments = '{ "a" : 1.50,\n "b": 12345678901234567890 , "c": "\\u00e9"}'
    (call,) = ToolCallFinder(TOOLS).feed(f'<tool_call>{{"name": "now", "arguments": {arguments}}}</tool_call>')
    assert isinstance(call, ToolCallDelta) and call.arguments == arguments


def test_ids_of_the_model_are_kept() -> None:
    finder = ToolCallFinder(TOOLS)
    (call,) = finder.feed('[TOOL_CALLS][{"name": "now", "arguments": {}, "id": "abc123def"}]')
    assert isinstance(call, ToolCallDelta) and call.id == "abc123def"
    (other,) = ToolCallFinder(TOOLS).feed(FAMILIES["kimi"])
    assert isinstance(other, ToolCallDelta) and other.id == "functions.get_weather:0"


def test_plain_text_is_not_held_back() -> None:
    finder = ToolCallFinder(TOOLS)
    assert finder.feed("Hello, wor") == [TextDelta("Hello, wor")]
    assert finder.feed("ld [1] <b>") == [TextDelta("ld [1] <b>")]
    other = ToolCallFinder(TOOLS)
    assert other.feed('{"answer": 4') == [TextDelta('{"answer": 4')]


def test_no_opener_begins_another() -> None:
    openers = [syntax.opener for syntax in SYNTAXES]
    assert not any(a != b and a.startswith(b) for a, b in itertools.product(openers, openers))
    assert len(set(openers)) == len(openers)


def test_long_arguments_take_linear_time() -> None:
    arguments = json.dumps({"text": '{}[]\\"' * 50_000})
    text = f'<tool_call>{{"name": "now", "arguments": {arguments}}}</tool_call>'
    pieces = [text[i : i + 4] for i in range(0, len(text), 4)]
    assert find(pieces)[1] == [("now", json.loads(arguments))]


fragments = st.sampled_from(
    [
        *FAMILIES.values(),
        *BROKEN,
        *(syntax.opener for syntax in SYNTAXES),
        *(
            "</tool_call>",
            "</function>",
            ";",
            "\n",
            " ",
            "{",
            "}",
            "[",
            "]",
            '"',
            "\\",
            "get_weather",
            "now",
            "é",
            "```",
        ),
        *('{"name": "', '{"type":', "[ARGS]", "<arg_key>", "<parameter=a>"),
    ]
)


@given(st.lists(fragments, max_size=6).map("".join), st.lists(st.integers(0, 400), max_size=12))
@example("<tool_call>{}<tool_call>", [11, 12])
@example('{"name": "now"}{"name": "now"}', [15])
@settings(max_examples=150, deadline=None)
def test_the_borders_change_nothing(text: str, borders: list[int]) -> None:
    assert find(cut(text, borders)) == find([text]) == find(list(text))


@given(st.text(max_size=80), st.lists(st.integers(0, 80), max_size=5))
@settings(deadline=None)
def test_text_without_calls_is_not_changed(text: str, borders: list[int]) -> None:
    assert find(cut(text, borders)) == (text, [])
