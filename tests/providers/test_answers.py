"""What each vendor's stream says arrives as our events, and goes back to the vendor in the next turn."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from tests.providers import rich_streams as rich
from tests.providers.doubles import ANTHROPIC, CHAT, GEMINI, RESPONSES, VENDORS, Double, Script, Vendor
from tests.providers.support import Outcome, ask, model, model_of, request
from workbench.core.events import RunDetails, ToolCallDelta, Usage
from workbench.core.messages import Message, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from workbench.core.requests import ChatRequest, Sampling
from workbench.providers.signatures import pack

RICH = {
    CHAT.name: rich.CHAT_RICH,
    RESPONSES.name: rich.RESPONSES_RICH,
    ANTHROPIC.name: rich.ANTHROPIC_RICH,
    GEMINI.name: rich.GEMINI_RICH,
}
each_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)


def tool_calls(outcome: Outcome) -> list[ToolCallPart]:
    calls = []
    for _, pieces in itertools.groupby(outcome.of(ToolCallDelta), key=lambda piece: piece.index):
        found = list(pieces)
        calls.append(ToolCallPart(found[0].id, found[0].name, "".join(piece.arguments for piece in found)))
    return calls


@each_vendor
def test_a_rich_answer(vendor: Vendor) -> None:
    with Double(Script(frames=RICH[vendor.name])) as double:
        outcome = ask(model_of(vendor, double))
    assert outcome.text == rich.TEXT
    assert outcome.reasoning == rich.REASONING
    calls = tool_calls(outcome)
    assert [(call.name, json.loads(call.arguments)) for call in calls] == [
        (name, json.loads(arguments)) for name, arguments in rich.CALLS
    ]
    assert len({call.id for call in calls}) == 2
    assert outcome.finished.reason == "stop"
    assert outcome.finished.detail == "tool_calls"


@each_vendor
def test_usage_counts_the_same_things(vendor: Vendor) -> None:
    with Double(vendor.complete("Hello")) as double:
        outcome = ask(model_of(vendor, double))
    usage = outcome.usage
    assert usage.cache_write_tokens in {None, 0}
    expected = Usage(
        prompt_tokens=20,
        cached_tokens=5,
        cache_write_tokens=usage.cache_write_tokens,
        completion_tokens=7,
        reasoning_tokens=3,
    )
    assert usage == expected


@each_vendor
def test_the_record_says_version_sampling_and_request(vendor: Vendor) -> None:
    with Double(vendor.complete("Hello")) as double:
        outcome = ask(model_of(vendor, double), request(sampling=Sampling(temperature=0.5, top_k=3)))
        sent = double.seen[0].body
    details = outcome.of(RunDetails)
    assert len(details) == 1
    assert details[0].model_version == "double-1-2026"
    assert details[0].sampling["temperature"] == 0.5
    assert ("top_k" in details[0].sampling) == (vendor in (ANTHROPIC, GEMINI))
    assert json.loads(details[0].rendered_prompt) == sent


@each_vendor
def test_what_a_vendor_lacks_is_named(vendor: Vendor) -> None:
    with Double(vendor.complete("Hello")) as double:
        outcome = ask(model_of(vendor, double), request(sampling=Sampling(min_p=0.1, mirostat=2)))
    assert "min_p, mirostat" in outcome.notices("ignored")[0]


@each_vendor
def test_signatures_and_tool_results_go_back_unchanged(vendor: Vendor) -> None:
    with Double(Script(frames=RICH[vendor.name]), vendor.complete("Sunny")) as double:
        first = ask(model_of(vendor, double))
        calls = tool_calls(first)
        answer = Message("assistant", (ReasoningPart(first.reasoning, first.signature), TextPart(first.text), *calls))
        results = Message("tool", tuple(ToolResultPart(call.id, "fine") for call in calls))
        turn = (Message.of("user", "Hello"), answer, results)
        assert ask(model_of(vendor, double), ChatRequest(messages=turn)).text == "Sunny"
        body = double.seen[1].body
    check = {CHAT.name: _chat_turn, RESPONSES.name: _responses_turn, ANTHROPIC.name: _anthropic_turn}
    check.get(vendor.name, _gemini_turn)(body)


def _chat_turn(body: dict[str, Any]) -> None:
    assistant, *results = body["messages"][1:]
    assert [call["id"] for call in assistant["tool_calls"]] == ["call_1", "call_2"]
    assert assistant["content"] == rich.TEXT
    assert [result["tool_call_id"] for result in results] == ["call_1", "call_2"]


def _responses_turn(body: dict[str, Any]) -> None:
    kinds = [item["type"] for item in body["input"]]
    assert kinds == ["message", "reasoning", "message", "function_call", "function_call", *["function_call_output"] * 2]
    assert body["input"][1]["encrypted_content"] == rich.SIGNATURE
    assert body["input"][1]["id"] == "rs_1"
    assert body["store"] is False


def _anthropic_turn(body: dict[str, Any]) -> None:
    blocks = body["messages"][1]["content"]
    assert blocks[0] == {"type": "thinking", "thinking": rich.REASONING, "signature": rich.SIGNATURE}
    assert blocks[1] == {"type": "redacted_thinking", "data": "b3BhcXVl"}
    assert [block["type"] for block in blocks[2:]] == ["text", "tool_use", "tool_use"]
    assert [block["tool_use_id"] for block in body["messages"][2]["content"]] == ["toolu_1", "toolu_2"]


def _gemini_turn(body: dict[str, Any]) -> None:
    parts = body["contents"][1]["parts"]
    assert [part.get("thoughtSignature") for part in parts] == [None, rich.SIGNATURE, None]
    results = [part["functionResponse"] for part in body["contents"][2]["parts"]]
    assert [result["name"] for result in results] == ["get_weather", "now"]


@each_vendor
def test_another_models_signature_stays_here(vendor: Vendor) -> None:
    with Double(vendor.complete("Hello")) as double:
        foreign = [
            {"type": "thinking", "thinking": "foreign", "signature": "foreign"},
            {"type": "reasoning", "id": "foreign", "summary": [], "encrypted_content": "foreign"},
            {"signature": "foreign"},
            [{"type": "reasoning.encrypted", "data": "foreign"}],
        ]
        part = ReasoningPart("secret thought", "".join(pack(f"{vendor.kind}:another-model", data) for data in foreign))
        what = ChatRequest(messages=(Message("assistant", (part, TextPart("Hi"))), Message.of("user", "Hello")))
        assert ask(model_of(vendor, double), what).finished.reason == "stop"
        assert "foreign" not in json.dumps(double.seen[0].body)
        assert "secret thought" not in json.dumps(double.seen[0].body)


ENDINGS = [
    (CHAT, rich._chat_chunk({}, "length"), "length", "length"),
    (CHAT, rich._chat_chunk({}, "content_filter"), "stop", "content_filter"),
    (CHAT, rich._chat_chunk({}, "something_new"), "stop", "something_new"),
    (
        RESPONSES,
        rich.responses_event(
            "response.incomplete",
            response=rich._response("incomplete", incomplete_details={"reason": "max_output_tokens"}),
        ),
        "length",
        "max_output_tokens",
    ),
    (
        RESPONSES,
        rich.responses_event(
            "response.incomplete", response=rich._response("incomplete", incomplete_details={"reason": "new_reason"})
        ),
        "stop",
        "new_reason",
    ),
    (GEMINI, rich.gemini_chunk(finish="MAX_TOKENS"), "length", "MAX_TOKENS"),
    (GEMINI, rich.gemini_chunk(finish="SAFETY"), "stop", "SAFETY"),
    (GEMINI, rich.gemini_chunk(finish="NEW_REASON"), "stop", "NEW_REASON"),
    (GEMINI, rich.sse({"promptFeedback": {"blockReason": "SAFETY"}}), "stop", "prompt_blocked: SAFETY"),
]
for word, reason, detail in (
    ("max_tokens", "length", "max_tokens"),
    ("model_context_window_exceeded", "length", "model_context_window_exceeded"),
    ("refusal", "stop", "refusal"),
    ("stop_sequence", "stop", "END"),
    ("brand_new", "stop", "brand_new"),
):
    delta = {"stop_reason": word, "stop_sequence": "END" if word == "stop_sequence" else None}
    frames = rich.anthropic_event("message_delta", delta=delta, usage={"output_tokens": 3})
    ENDINGS.append((ANTHROPIC, frames + rich.anthropic_event("message_stop"), reason, detail))


@pytest.mark.parametrize(("vendor", "frame", "reason", "detail"), ENDINGS, ids=lambda value: getattr(value, "name", ""))
def test_reasons_to_finish(vendor: Vendor, frame: bytes, reason: str, detail: str) -> None:
    frames = (*vendor.begun("Hello"), frame, *((rich.sse("[DONE]"),) if vendor is CHAT else ()))
    with Double(Script(frames=frames)) as double:
        outcome = ask(model_of(vendor, double))
    assert (outcome.finished.reason, outcome.finished.detail) == (reason, detail)
    assert outcome.text == "Hello"


def test_refusals_of_openai() -> None:
    frames = (*CHAT.opening, rich._chat_chunk({"refusal": "I can't."}), *CHAT.closing)
    with Double(Script(frames=frames)) as double:
        outcome = ask(model_of(CHAT, double))
    assert (outcome.text, outcome.finished.detail) == ("I can't.", "refusal")
    refusal = rich.responses_event("response.refusal.delta", output_index=0, content_index=0, delta="I can't.")
    with Double(Script(frames=(*RESPONSES.opening, refusal, *RESPONSES.closing))) as double:
        outcome = ask(model_of(RESPONSES, double))
    assert (outcome.text, outcome.finished.detail) == ("I can't.", "refusal")


def test_a_broken_function_call_of_gemini_is_a_failure() -> None:
    with Double(Script(frames=(*GEMINI.begun("Hm"), rich.gemini_chunk(finish="MALFORMED_FUNCTION_CALL")))) as double:
        outcome = ask(model_of(GEMINI, double))
    assert outcome.finished.reason == "failed"
    assert outcome.text == "Hm"


@each_vendor
def test_characters_split_between_packets(vendor: Vendor) -> None:
    whole = b"".join(RICH[vendor.name])
    with Double(Script(frames=tuple(whole[at : at + 3] for at in range(0, len(whole), 3)))) as double:
        assert ask(model_of(vendor, double)).text == rich.TEXT


TAGGED = ("<th", "ink>\nFirst I ", "think.</thi", "nk>\n\n", "Then <think> is ", "text.")


@pytest.mark.parametrize("kind", ["llama-server", "ollama", "lmstudio", "vllm", "openai-compatible", "groq"])
def test_tagged_reasoning_of_a_server_is_split_from_the_text(kind: str) -> None:
    with Double(Script(frames=CHAT.frames(*TAGGED))) as double:
        outcome = ask(model(kind, double.url + CHAT.path))
    assert outcome.reasoning == "First I think."
    assert outcome.text == "Then <think> is text."
    assert outcome.finished.reason == "stop"


def test_openai_itself_sends_no_tags() -> None:
    with Double(Script(frames=CHAT.frames(*TAGGED))) as double:
        outcome = ask(model_of(CHAT, double))
    assert outcome.text == "".join(TAGGED)
    assert outcome.reasoning == ""


@pytest.mark.parametrize("ending", ["early", "cut"])
def test_what_might_have_become_a_tag_is_kept_when_the_stream_breaks(ending: Any) -> None:
    frames = CHAT.begun("  ", "<thi")
    with Double(Script(frames=frames, ending=ending)) as double:
        outcome = ask(model("lmstudio", double.url + CHAT.path))
    assert outcome.finished.reason == "failed"
    assert outcome.text == "  <thi"


def test_an_unfinished_answer_goes_on_as_text() -> None:
    unfinished = (Message.of("user", "Which tag?"), Message.of("assistant", "The tag is "))
    asked = ChatRequest(messages=unfinished, continue_last=True)
    with Double(Script(frames=CHAT.frames("<think>", " of course"))) as double:
        outcome = ask(model("llama-server", double.url + CHAT.path), asked)
    assert outcome.text == "<think> of course"
