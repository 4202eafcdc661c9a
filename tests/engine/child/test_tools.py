"""Tools of a request, with the real model: how they reach the prompt, and how calls come out of the answer."""

from __future__ import annotations

import json

from tests.engine.child.driver import Child, chat
from workbench.core.errors import BadInput
from workbench.core.events import ToolCallDelta
from workbench.core.requests import ResponseFormat, Tool

ADD = Tool(
    name="add_numbers",
    description="Adds two numbers.",
    parameters={
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
)
KNOWS_TOOLS = "{{ tools | tojson }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"
CALL = '<tool_call>\\n{\\"name\\": \\"add_numbers\\", \\"arguments\\": {\\"a\\": 17, \\"b\\": 25}}\\n</tool_call>'


def test_a_call_of_a_template_that_knows_tools(starter: Child) -> None:
    """A grammar stands in for a model that was trained to write such a call."""
    grammar = ResponseFormat(kind="grammar", grammar=f'root ::= "I add.\\n{CALL}"')
    request = chat("17+25?", tools=(ADD,), chat_template=KNOWS_TOOLS, response_format=grammar, max_tokens=80)
    (answer,) = starter.generate(request)
    assert '"description": "Adds two numbers."' in answer.details.rendered_prompt
    call = answer.one(ToolCallDelta)
    assert (call.name, json.loads(call.arguments)) == ("add_numbers", {"a": 17, "b": 25})
    assert answer.text == "I add." and answer.finished.detail == "tool_calls"
    assert not answer.notices


def test_without_tools_the_same_answer_is_text(starter: Child) -> None:
    grammar = ResponseFormat(kind="grammar", grammar=f'root ::= "{CALL}"')
    (answer,) = starter.generate(chat("17+25?", response_format=grammar, max_tokens=80))
    assert not answer.all(ToolCallDelta)
    assert answer.text.startswith("<tool_call>") and answer.finished.detail == ""


def test_a_call_that_is_cut_off_is_text(starter: Child) -> None:
    grammar = ResponseFormat(kind="grammar", grammar=f'root ::= "{CALL}"')
    request = chat("?", tools=(ADD,), chat_template=KNOWS_TOOLS, response_format=grammar, max_tokens=12)
    (answer,) = starter.generate(request)
    assert not answer.all(ToolCallDelta) and answer.finished.reason == "length"
    assert answer.text.startswith("<tool_call>")


def test_a_model_without_tools_is_told_of_them_and_held_to_an_answer_or_calls(starter: Child) -> None:
    requests = [
        chat("Add 17 and 25 with the tool.", tools=(ADD,), seed=seed, temperature=1.0, max_tokens=80)
        for seed in range(2)
    ]
    answers = starter.generate(*requests)
    for answer in answers:
        assert "add_numbers" in answer.details.rendered_prompt
        if answer.finished.reason == "length":
            continue
        calls = answer.all(ToolCallDelta)
        assert bool(calls) != bool(answer.text)
        for call in calls:
            arguments = json.loads(call.arguments)
            assert call.name == "add_numbers" and {type(arguments[key]) for key in ("a", "b")} == {int}
    assert any(answer.all(ToolCallDelta) for answer in answers)


def test_such_a_model_can_not_be_held_to_another_form_too(starter: Child) -> None:
    (answer,) = starter.generate(chat("?", tools=(ADD,), response_format=ResponseFormat(kind="json_object")))
    assert answer.finished.error is not None and answer.finished.error.kind == BadInput.kind
    assert "tools" in answer.finished.error.message


def test_a_schema_leaves_no_way_to_call_and_that_is_said(starter: Child) -> None:
    request = chat(
        "?",
        tools=(ADD,),
        chat_template=KNOWS_TOOLS,
        response_format=ResponseFormat(kind="json_schema", schema={"type": "boolean"}),
    )
    (answer,) = starter.generate(request)
    assert [notice.kind for notice in answer.notices] == ["ignored"]
    assert json.loads(answer.text) in (True, False)


def test_parameters_that_are_no_schema_are_one_clear_error(starter: Child) -> None:
    wrong = Tool(name="odd", parameters={"type": "nonsense"})
    (answer,) = starter.generate(chat("?", tools=(wrong,)))
    assert answer.finished.error is not None and "schema" in answer.finished.error.message
