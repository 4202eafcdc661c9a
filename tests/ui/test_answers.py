"""A run's answer as a transcript shows it."""

from __future__ import annotations

from workbench.core.messages import Message, TextPart, ToolCallPart, ToolResultPart
from workbench.core.runs import RunRecord
from workbench.ui.answers import answer_text, message_text


def answer(text: str, *calls: tuple[str, str]) -> str:
    made = [{"id": "1", "name": name, "arguments": arguments} for name, arguments in calls]
    run = RunRecord(id="r", session_id="s", model="m", started_at="2026-01-01", text=text, tool_calls=made)
    return answer_text(run)


def test_a_text_stands_as_it_is() -> None:
    assert answer("Hello.") == "Hello."
    assert answer("") == ""


def test_calls_stand_below_the_text_readably() -> None:
    shown = answer("Let me look.", ("get_weather", '{"city":"Bern","days":2}'), ("now", "{}"))
    assert shown == (
        'Let me look.\n\n**get_weather**\n```json\n{\n  "city": "Bern",\n  "days": 2\n}\n```\n\n'
        "**now**\n```json\n{}\n```"
    )


def test_arguments_that_are_no_json_stand_as_they_came_and_inside_their_fence() -> None:
    assert answer("", ("cut", '{"city": "Be')) == '**cut**\n```json\n{"city": "Be\n```'
    assert answer("", ("code", "```\nrm")) == "**code**\n````json\n```\nrm\n````"


def test_a_stored_message_shows_calls_and_their_results() -> None:
    parts = (TextPart("Let me look."), ToolCallPart("1", "get_weather", '{"city":"Bern"}'))
    assert message_text(Message("assistant", parts)) == (
        'Let me look.\n\n**get_weather**\n```json\n{\n  "city": "Bern"\n}\n```'
    )
    assert message_text(Message("tool", (ToolResultPart("1", "sunny"),))) == "```\nsunny\n```"
