"""One longer answer for each vendor: reasoning with a signature, text in two languages, two tool calls, usage."""

from __future__ import annotations

from typing import Any

from tests.providers.doubles import (
    ANTHROPIC_USAGE,
    CHAT_USAGE,
    GEMINI_USAGE,
    RESPONSES_USAGE,
    _chat_chunk,
    _response,
    anthropic_event,
    gemini_chunk,
    responses_event,
    sse,
)

TEXT = "Grüezi, 世界 🎉"
REASONING = "Let me think."
SIGNATURE = "c2lnbmF0dXJl/w=="
CALLS = [("get_weather", '{"city": "Bern"}'), ("now", "{}")]


def _tool(index: int, call_id: str = "", name: str = "", arguments: str = "") -> dict[str, Any]:
    entry: dict[str, Any] = {"index": index, "function": {"arguments": arguments}}
    if call_id:
        entry |= {"id": call_id, "type": "function"}
        entry["function"]["name"] = name
    return {"tool_calls": [entry]}


CHAT_RICH = (
    _chat_chunk({"role": "assistant", "content": None}),
    _chat_chunk({"reasoning_content": "Let me "}),
    _chat_chunk({"reasoning_content": "think."}),
    _chat_chunk({"content": "Grüezi, "}),
    _chat_chunk({"content": "世界 🎉"}),
    _chat_chunk(_tool(0, "call_1", "get_weather")),
    _chat_chunk(_tool(0, arguments='{"city": ')),
    _chat_chunk(_tool(0, arguments='"Bern"}')),
    _chat_chunk(_tool(1, "call_2", "now", "{}")),
    _chat_chunk({}, "tool_calls"),
    sse(
        {
            "id": "c1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "double-1-2026",
            "choices": [],
            "usage": CHAT_USAGE,
        }
    ),
    sse("[DONE]"),
)

_REASONING_ITEM: dict[str, Any] = {"type": "reasoning", "id": "rs_1", "summary": []}
_REASONING_DONE = {
    **_REASONING_ITEM,
    "encrypted_content": SIGNATURE,
    "summary": [{"type": "summary_text", "text": REASONING}],
}
_MESSAGE = {"type": "message", "id": "m1", "role": "assistant", "status": "in_progress", "content": []}
_TEXT = {"type": "output_text", "annotations": [], "logprobs": []}
_MESSAGE_DONE = {**_MESSAGE, "status": "completed", "content": [{**_TEXT, "text": TEXT}]}


def _call_item(number: int, arguments: str = "") -> dict[str, Any]:
    name = CALLS[number - 1][0]
    base = {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}", "name": name}
    return {**base, "arguments": arguments, "status": "completed" if arguments else "in_progress"}


def _text_delta(delta: str) -> bytes:
    return responses_event(
        "response.output_text.delta", item_id="m1", output_index=1, content_index=0, delta=delta, logprobs=[]
    )


def _arguments_delta(output_index: int, delta: str) -> bytes:
    return responses_event(
        "response.function_call_arguments.delta",
        item_id=f"fc_{output_index - 1}",
        output_index=output_index,
        delta=delta,
    )


def _summary(kind: str, **fields: Any) -> bytes:
    return responses_event(
        f"response.reasoning_summary_{kind}", item_id="rs_1", output_index=0, summary_index=0, **fields
    )


_OUTPUT = [_REASONING_DONE, _MESSAGE_DONE, _call_item(1, CALLS[0][1]), _call_item(2, CALLS[1][1])]
RESPONSES_RICH = (
    responses_event("response.created", response=_response("in_progress")),
    responses_event("response.output_item.added", output_index=0, item=_REASONING_ITEM),
    _summary("part.added", part={"type": "summary_text", "text": ""}),
    _summary("text.delta", delta="Let me "),
    _summary("text.delta", delta="think."),
    _summary("text.done", text=REASONING),
    responses_event("response.output_item.done", output_index=0, item=_REASONING_DONE),
    responses_event("response.output_item.added", output_index=1, item=_MESSAGE),
    responses_event(
        "response.content_part.added", item_id="m1", output_index=1, content_index=0, part={**_TEXT, "text": ""}
    ),
    _text_delta("Grüezi, "),
    _text_delta("世界 🎉"),
    responses_event("response.output_item.done", output_index=1, item=_MESSAGE_DONE),
    responses_event("response.output_item.added", output_index=2, item=_call_item(1)),
    _arguments_delta(2, '{"city": '),
    _arguments_delta(2, '"Bern"}'),
    responses_event("response.output_item.done", output_index=2, item=_OUTPUT[2]),
    responses_event("response.output_item.added", output_index=3, item=_call_item(2)),
    _arguments_delta(3, "{}"),
    responses_event("response.output_item.done", output_index=3, item=_OUTPUT[3]),
    responses_event("response.completed", response=_response("completed", output=_OUTPUT, usage=RESPONSES_USAGE)),
)


def _block(index: int, block: dict[str, Any], *deltas: dict[str, Any]) -> tuple[bytes, ...]:
    return (
        anthropic_event("content_block_start", index=index, content_block=block),
        *(anthropic_event("content_block_delta", index=index, delta=delta) for delta in deltas),
        anthropic_event("content_block_stop", index=index),
    )


def _json_delta(text: str) -> dict[str, str]:
    return {"type": "input_json_delta", "partial_json": text}


ANTHROPIC_RICH = (
    anthropic_event(
        "message_start",
        message={
            "id": "m1",
            "type": "message",
            "role": "assistant",
            "model": "double-1-2026",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {**ANTHROPIC_USAGE, "output_tokens": 1},
        },
    ),
    *_block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "Let me "},
        {"type": "thinking_delta", "thinking": "think."},
        {"type": "signature_delta", "signature": SIGNATURE},
    ),
    *_block(1, {"type": "redacted_thinking", "data": "b3BhcXVl"}),
    anthropic_event("ping"),
    *_block(
        2,
        {"type": "text", "text": ""},
        {"type": "text_delta", "text": "Grüezi, "},
        {"type": "text_delta", "text": "世界 🎉"},
    ),
    *_block(
        3,
        {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}},
        _json_delta(""),
        _json_delta('{"city": '),
        _json_delta('"Bern"}'),
    ),
    *_block(4, {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}}, _json_delta("{}")),
    anthropic_event(
        "message_delta",
        delta={"stop_reason": "tool_use", "stop_sequence": None},
        usage={**ANTHROPIC_USAGE, "output_tokens": 7, "output_tokens_details": {"thinking_tokens": 3}},
    ),
    anthropic_event("message_stop"),
)

GEMINI_RICH = (
    gemini_chunk({"text": "Let me ", "thought": True}),
    gemini_chunk({"text": "think.", "thought": True}),
    gemini_chunk({"text": "Grüezi, "}),
    gemini_chunk({"text": "世界 🎉"}),
    gemini_chunk(
        {"functionCall": {"name": "get_weather", "args": {"city": "Bern"}}, "thoughtSignature": SIGNATURE},
        {"functionCall": {"name": "now", "args": {}}},
    ),
    gemini_chunk({"text": ""}, finish="STOP", usageMetadata=GEMINI_USAGE),
)
