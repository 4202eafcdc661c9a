"""The vendors' own SDKs as oracles: they read our doubles as we do, and their requests look like ours.

So the doubles are believable, and where ours and theirs differ (a stream that ends early) it is on purpose.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from tests.providers import rich_streams as rich
from tests.providers.doubles import ANTHROPIC, CHAT, GEMINI, RESPONSES, Double, Script
from tests.providers.support import KEY, ask, model_of
from workbench.core.messages import Message
from workbench.core.requests import ChatRequest, Reasoning, ResponseFormat, Sampling, Tool

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    anthropic = pytest.importorskip("anthropic")
    openai = pytest.importorskip("openai")
    genai = pytest.importorskip("google.genai")

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
SCHEMA = {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"], "additionalProperties": False}
ASKED = ChatRequest(
    messages=(Message.of("system", "Be brief."), Message.of("user", "Hello")),
    sampling=Sampling(temperature=0.5, top_p=0.9, max_tokens=3000),
    tools=(Tool(name="get_weather", description="Weather.", parameters=PARAMETERS),),
    response_format=ResponseFormat(kind="json_schema", schema=SCHEMA),
)


@pytest.fixture(autouse=True)
def old_libraries_of_the_sdks() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def test_openai_chat_reads_the_same() -> None:
    with Double(Script(frames=rich.CHAT_RICH)) as double:
        with openai.OpenAI(base_url=double.url + "/v1", api_key=KEY, max_retries=0) as client:
            text, arguments, usage, reason = "", {}, None, None
            for chunk in client.chat.completions.create(model="m", messages=[], stream=True):
                usage = chunk.usage or usage
                for choice in chunk.choices:
                    text += choice.delta.content or ""
                    reason = choice.finish_reason or reason
                    for call in choice.delta.tool_calls or ():
                        arguments[call.index] = arguments.get(call.index, "") + (call.function.arguments or "")
        ours = ask(model_of(CHAT, double))
    assert text == ours.text == rich.TEXT
    assert list(arguments.values()) == [call for _, call in rich.CALLS]
    assert usage.completion_tokens == ours.usage.completion_tokens
    assert usage.prompt_tokens_details.cached_tokens == ours.usage.cached_tokens
    assert reason == ours.finished.detail


def test_openai_responses_reads_the_same() -> None:
    with Double(Script(frames=rich.RESPONSES_RICH)) as double:
        with (
            openai.OpenAI(base_url=double.url + "/v1", api_key=KEY, max_retries=0) as client,
            client.responses.stream(model="m", input="Hello") as stream,
        ):
            final = stream.get_final_response()
        ours = ask(model_of(RESPONSES, double))
    assert final.output_text == ours.text == rich.TEXT
    assert final.output[0].summary[0].text == ours.reasoning
    assert final.output[0].encrypted_content in ours.signature
    assert final.usage.output_tokens_details.reasoning_tokens == ours.usage.reasoning_tokens


def test_anthropic_reads_the_same() -> None:
    with Double(Script(frames=rich.ANTHROPIC_RICH)) as double:
        with (
            anthropic.Anthropic(base_url=double.url, api_key=KEY, max_retries=0) as client,
            client.messages.stream(model="m", max_tokens=10, messages=[]) as stream,
        ):
            final = stream.get_final_message()
        ours = ask(model_of(ANTHROPIC, double))
    blocks = {block.type: block for block in final.content}
    assert blocks["text"].text == ours.text == rich.TEXT
    assert blocks["thinking"].thinking == ours.reasoning
    assert blocks["thinking"].signature == rich.SIGNATURE
    assert [block.input for block in final.content if block.type == "tool_use"] == [{"city": "Bern"}, {}]
    assert final.usage.output_tokens == ours.usage.completion_tokens
    assert final.stop_reason == "tool_use"


def test_gemini_reads_the_same() -> None:
    with Double(Script(frames=rich.GEMINI_RICH)) as double:
        client = genai.Client(api_key=KEY, http_options={"base_url": double.url, "api_version": "v1beta"})
        text = thoughts = ""
        for chunk in client.models.generate_content_stream(model="m", contents="Hello"):
            for part in chunk.candidates[0].content.parts:
                if part.thought:
                    thoughts += part.text
                else:
                    text += part.text or ""
        client.close()
        ours = ask(model_of(GEMINI, double))
    assert text == ours.text == rich.TEXT
    assert thoughts == ours.reasoning
    assert chunk.usage_metadata.thoughts_token_count == ours.usage.reasoning_tokens
    assert chunk.model_version == "double-1-2026"


def _bodies(double: Double) -> tuple[dict[str, Any], dict[str, Any]]:
    theirs, ours = (seen.body for seen in double.seen)
    return theirs, ours


def test_openai_chat_asks_the_same() -> None:
    with Double(CHAT.complete("Hello")) as double:
        with openai.OpenAI(base_url=double.url + "/v1", api_key=KEY) as client:
            tool = {"name": "get_weather", "description": "Weather.", "parameters": PARAMETERS}
            json_schema = {"name": "answer", "schema": SCHEMA, "strict": True}
            list(
                client.chat.completions.create(
                    model="double-1",
                    messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
                    temperature=0.5,
                    top_p=0.9,
                    max_completion_tokens=3000,
                    tools=[{"type": "function", "function": tool}],
                    response_format={"type": "json_schema", "json_schema": json_schema},
                    stream=True,
                    stream_options={"include_usage": True},
                )
            )
        ask(model_of(CHAT, double), ASKED)
        assert double.seen[0].path == double.seen[1].path
        assert double.seen[0].headers["authorization"] == double.seen[1].headers["authorization"]
        theirs, ours = _bodies(double)
    assert ours == theirs


def test_anthropic_asks_the_same() -> None:
    asked = ChatRequest(
        messages=ASKED.messages,
        tools=ASKED.tools,
        sampling=Sampling(max_tokens=3000),
        reasoning=Reasoning(budget_tokens=2000),
        response_format=ASKED.response_format,
    )
    with Double(ANTHROPIC.complete("Hello")) as double:
        with anthropic.Anthropic(base_url=double.url, api_key=KEY) as client:
            list(
                client.messages.create(
                    model="double-1",
                    system="Be brief.",
                    messages=[{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
                    max_tokens=3000,
                    thinking={"type": "enabled", "budget_tokens": 2000},
                    tools=[{"name": "get_weather", "description": "Weather.", "input_schema": PARAMETERS}],
                    output_config={"format": {"type": "json_schema", "schema": SCHEMA}},
                    stream=True,
                )
            )
        ask(model_of(ANTHROPIC, double), asked)
        assert double.seen[0].path == double.seen[1].path
        # The SDK has moved to a version without sampling parameters; ours keeps the one that has them.
        assert double.seen[1].headers["anthropic-version"] == "2023-06-01"
        assert double.seen[1].headers["x-api-key"] == KEY
        theirs, ours = _bodies(double)
    assert ours == theirs


def test_gemini_asks_the_same() -> None:
    with Double(GEMINI.complete("Hello")) as double:
        client = genai.Client(api_key=KEY, http_options={"base_url": double.url, "api_version": "v1beta"})
        declaration = {"name": "get_weather", "description": "Weather.", "parameters_json_schema": PARAMETERS}
        config = {
            "system_instruction": "Be brief.",
            "temperature": 0.5,
            "top_p": 0.9,
            "max_output_tokens": 3000,
            "tools": [{"function_declarations": [declaration]}],
            "response_mime_type": "application/json",
            "response_json_schema": SCHEMA,
        }
        list(client.models.generate_content_stream(model="double-1", contents="Hello", config=config))
        client.close()
        ask(model_of(GEMINI, double), ASKED)
        assert double.seen[0].path == double.seen[1].path
        assert double.seen[0].headers["x-goog-api-key"] == double.seen[1].headers["x-goog-api-key"]
        theirs, ours = _bodies(double)
    theirs["systemInstruction"].pop("role", None)  # the SDK adds a role the API does not need there
    declared = theirs["tools"][0]["functionDeclarations"][0]
    if "parameters_json_schema" in declared:  # Google takes both spellings
        declared["parametersJsonSchema"] = declared.pop("parameters_json_schema")
    assert ours == json.loads(json.dumps(theirs))


def test_a_stream_that_ends_early_fools_the_sdk_and_not_us() -> None:
    with Double(Script(frames=CHAT.begun("Hello wor"), ending="early")) as double:
        with openai.OpenAI(base_url=double.url + "/v1", api_key=KEY) as client:
            chunks = list(client.chat.completions.create(model="m", messages=[], stream=True))
        assert chunks  # nothing raised
        assert ask(model_of(CHAT, double)).finished.reason == "failed"
