"""Every request our adapters build is valid by the vendor's own published document."""

from __future__ import annotations

from typing import Any

import pytest

from tests.providers.doubles import ANTHROPIC, CHAT, GEMINI, RESPONSES, Double, Vendor
from tests.providers.support import ask, model_of
from tests.providers.vendor_documents import complaints
from workbench.core.messages import (
    Attachment,
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from workbench.core.requests import ChatRequest, Reasoning, ResponseFormat, Sampling, Tool
from workbench.providers.signatures import pack

PNG = Attachment.of(b"\x89PNG....", "image/png", "photo.png")
PDF = Attachment.of(b"%PDF-1.7", "application/pdf", "paper.pdf")
WAV = Attachment.of(b"RIFF....", "audio/wav", "voice.wav")
TEXT = Attachment.of(b"a,b\n1,2\n", "text/csv", "table.csv")
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
    "required": ["city"],
}
STRICT = {**SCHEMA, "required": ["city", "tags"], "additionalProperties": False}
WEATHER = Tool(name="get_weather", description="Weather of a city.", parameters=SCHEMA)
NOW = Tool(name="now")

HELLO = (Message.of("system", "Be brief."), Message.of("user", "Hello"))
SIGNATURES = {
    "openai": {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
    "anthropic": {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
    "google": {"call": "call_1", "signature": "c2ln"},
}


def conversation(provider: str, model: str) -> tuple[Message, ...]:
    signature = pack(f"{provider}:{model}", SIGNATURES[provider]) + pack("another", {"type": "thinking"})
    return (
        *HELLO,
        Message.of("assistant", "Hello! What can I do?"),
        Message("user", (TextPart("Weather here?"), ImagePart(PNG), FilePart(PDF), FilePart(TEXT, "a,b\n1,2\n"))),
        Message(
            "assistant",
            (
                ReasoningPart("hm", signature),
                TextPart("I will look."),
                ToolCallPart("call_1", "get_weather", '{"city": "Bern"}'),
                ToolCallPart("call.2", "now", "not json"),
            ),
        ),
        Message("tool", (ToolResultPart("call_1", "21 C"), ToolResultPart("call.2", "no clock", is_error=True))),
        Message("tool", (ToolResultPart("call_1", "22 C"),)),
        Message.of("user", "Thanks"),
    )


def requests(provider: str, model: str = "") -> dict[str, ChatRequest]:
    def hello(**fields: Any) -> ChatRequest:
        return ChatRequest(messages=HELLO, **fields)

    everything = Sampling(
        temperature=0.7,
        top_k=40,
        top_p=0.9,
        min_p=0.05,
        typical_p=1.0,
        repeat_penalty=1.1,
        frequency_penalty=0.5,
        presence_penalty=-0.5,
        mirostat=0,
        logit_bias={"50256": -100.0, "11": float("-inf")},
        seed=2**32 - 1,
        stop=("END", "STOP"),
        max_tokens=4000,
        logprobs=3,
    )
    return {
        "plain": hello(),
        "conversation": ChatRequest(messages=conversation(provider, model), tools=(WEATHER, NOW)),
        "all sampling": hello(sampling=everything),
        "tiny limit": hello(sampling=Sampling(max_tokens=1)),
        "tools": hello(tools=(WEATHER, NOW)),
        "json object": hello(response_format=ResponseFormat(kind="json_object")),
        "json schema": hello(response_format=ResponseFormat(kind="json_schema", schema=SCHEMA)),
        "strict json schema": hello(response_format=ResponseFormat(kind="json_schema", schema=STRICT)),
        "grammar": hello(response_format=ResponseFormat(kind="grammar", grammar='root ::= "x"')),
        "effort": hello(reasoning=Reasoning(effort="low")),
        "minimal effort": hello(reasoning=Reasoning(effort="minimal")),
        "budget": hello(reasoning=Reasoning(budget_tokens=2000), sampling=Sampling(temperature=0.5, max_tokens=3000)),
        "small budget": hello(reasoning=Reasoning(budget_tokens=10)),
        "budget above the limit": hello(reasoning=Reasoning(budget_tokens=9000), sampling=Sampling(max_tokens=2000)),
        "no room to reason": hello(reasoning=Reasoning(enabled=True), sampling=Sampling(max_tokens=100)),
        "reasoning on": hello(reasoning=Reasoning(enabled=True)),
        "reasoning off": hello(reasoning=Reasoning(enabled=False)),
        "continue": ChatRequest(messages=(*HELLO, Message.of("assistant", "Once upon ")), continue_last=True),
        "schema and effort": hello(
            reasoning=Reasoning(effort="high"), response_format=ResponseFormat(kind="json_schema", schema=STRICT)
        ),
    }


CASES = [
    (CHAT, "openai", "CreateChatCompletionRequest", "gpt-4o"),
    (RESPONSES, "openai", "CreateResponse", "gpt-4o"),
    (RESPONSES, "openai", "CreateResponse", "gpt-5.4"),
    (ANTHROPIC, "anthropic", "CreateMessageParams", "claude-sonnet-4-5-20250929"),
    (ANTHROPIC, "anthropic", "CreateMessageParams", "claude-opus-4-8"),
    (GEMINI, "gemini", "GenerateContentRequest", "gemini-2.5-flash"),
    (GEMINI, "gemini", "GenerateContentRequest", "gemini-3-pro-preview"),
]


@pytest.mark.parametrize("what", requests("openai"))
@pytest.mark.parametrize(
    ("vendor", "document", "schema", "name"), CASES, ids=lambda value: getattr(value, "name", value)
)
def test_valid_by_the_vendors_document(vendor: Vendor, document: str, schema: str, name: str, what: str) -> None:
    with Double(vendor.complete("Hello")) as double:
        outcome = ask(model_of(vendor, double, model_name=name), requests(vendor.kind, name)[what])
    assert outcome.finished.reason == "stop", outcome.finished
    body = double.seen[0].body
    assert complaints(document, schema, body) == []


def test_the_documents_do_object() -> None:
    """The validators are no rubber stamps."""
    message = {"role": "user", "content": "x"}
    assert complaints("openai", "CreateChatCompletionRequest", {"model": "m", "messages": [{"role": "nobody"}]})
    assert complaints("openai", "CreateResponse", {"model": "m", "input": "x", "reasoning": {"effort": "huge"}})
    assert complaints("anthropic", "CreateMessageParams", {"model": "m", "messages": [message]})
    assert complaints(
        "anthropic", "CreateMessageParams", {"model": "m", "messages": [message], "max_tokens": 1, "x": 1}
    )
    assert complaints("gemini", "GenerateContentRequest", {"contents": [{"parts": [{"words": "x"}]}]})


def test_audio_where_it_is_taken() -> None:
    what = ChatRequest(messages=(Message("user", (TextPart("Listen"), AudioPart(WAV))),))
    for vendor, document, schema in (
        (CHAT, "openai", "CreateChatCompletionRequest"),
        (GEMINI, "gemini", "GenerateContentRequest"),
    ):
        with Double(vendor.complete("Hello")) as double:
            ask(model_of(vendor, double), what)
        assert complaints(document, schema, double.seen[0].body) == []
    for vendor in (RESPONSES, ANTHROPIC):
        with Double(vendor.complete("Hello")) as double:
            outcome = ask(model_of(vendor, double), what)
        assert "audio" in outcome.notices("ignored")[0]
