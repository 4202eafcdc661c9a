"""In what the services that speak OpenAI's protocol differ; model lists; parameters a model refuses; error texts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.providers.doubles import ANTHROPIC, CHAT, RESPONSES, VENDORS, Double, Script, Vendor
from tests.providers.rich_streams import _chat_chunk, sse
from tests.providers.support import ask, context, model, model_of, provider, request
from workbench.core.cancel import CancelToken
from workbench.core.errors import ProviderError
from workbench.core.events import Logprobs, RunDetails, Timings, ToolCallDelta
from workbench.core.messages import Attachment, ImagePart, Message, TextPart
from workbench.core.requests import ChatRequest, LoadOptions, Reasoning, ResponseFormat, Sampling, Tool

each_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
EVERYTHING = Sampling(temperature=0.5, top_k=5, min_p=0.1, seed=7, max_tokens=9, repeat_penalty=1.1, xtc_threshold=0.2)
SENT = {
    "openai": {"temperature": 0.5, "seed": 7, "max_completion_tokens": 9},
    "azure": {"temperature": 0.5, "seed": 7, "max_completion_tokens": 9},
    "openrouter": {
        "temperature": 0.5,
        "seed": 7,
        "max_tokens": 9,
        "top_k": 5,
        "min_p": 0.1,
        "repetition_penalty": 1.1,
    },
    "groq": {"temperature": 0.5, "seed": 7, "max_completion_tokens": 9},
    "together": {"temperature": 0.5, "seed": 7, "max_tokens": 9, "top_k": 5, "min_p": 0.1, "repetition_penalty": 1.1},
    "mistral": {"temperature": 0.5, "random_seed": 7, "max_tokens": 9},
    "deepseek": {"temperature": 0.5, "max_tokens": 9},
    "xai": {"temperature": 0.5, "seed": 7, "max_completion_tokens": 9},
    "llama-server": {
        "temperature": 0.5,
        "seed": 7,
        "max_tokens": 9,
        "top_k": 5,
        "min_p": 0.1,
        "repeat_penalty": 1.1,
        "xtc_threshold": 0.2,
    },
    "ollama": {"temperature": 0.5, "seed": 7, "max_tokens": 9},
    "lmstudio": {"temperature": 0.5, "seed": 7, "max_tokens": 9, "top_k": 5, "repeat_penalty": 1.1},
    "vllm": {"temperature": 0.5, "seed": 7, "max_tokens": 9, "top_k": 5, "min_p": 0.1, "repetition_penalty": 1.1},
    "openai-compatible": {"temperature": 0.5, "seed": 7, "max_tokens": 9},
}
FIXED = {"model", "messages", "stream", "stream_options"}


def body_of(kind: str, what: ChatRequest) -> tuple[dict[str, Any], list[str]]:
    with Double(CHAT.complete("Hello")) as double:
        outcome = ask(model(kind, double.url + "/v1", "some-model"), what)
        assert outcome.finished.reason == "stop"
        return double.seen[0].body, outcome.notices("ignored")


@pytest.mark.parametrize("kind", SENT)
def test_sampling_by_service(kind: str) -> None:
    body, ignored = body_of(kind, request(sampling=EVERYTHING))
    assert {name: value for name, value in body.items() if name not in FIXED} == SENT[kind]
    asked = set(EVERYTHING.__struct_fields__) & {
        name for name in EVERYTHING.__struct_fields__ if getattr(EVERYTHING, name) is not None
    }
    assert len(SENT[kind]) + len(ignored[0].partition(": ")[2].split(", ") if ignored else []) == len(asked)


def test_every_kind_of_service_is_tested() -> None:
    from tests.providers.support import plugins

    mine = {plugin.kind for plugin in plugins().providers()} - {"anthropic", "google", "llm"}
    assert mine == set(SENT)


@pytest.mark.parametrize(
    ("kind", "reasoning", "fields"),
    [
        ("openrouter", Reasoning(effort="high"), {"reasoning": {"effort": "high"}}),
        ("openrouter", Reasoning(budget_tokens=99), {"reasoning": {"max_tokens": 99}}),
        ("openrouter", Reasoning(enabled=False), {"reasoning": {"enabled": False}}),
        ("deepseek", Reasoning(enabled=True), {"thinking": {"type": "enabled"}}),
        ("deepseek", Reasoning(enabled=False), {"thinking": {"type": "disabled"}}),
        ("xai", Reasoning(effort="low"), {"reasoning_effort": "low"}),
        ("ollama", Reasoning(enabled=False), {"reasoning_effort": "none"}),
        ("vllm", Reasoning(enabled=False), {"chat_template_kwargs": {"enable_thinking": False}}),
    ],
)
def test_reasoning_by_service(kind: str, reasoning: Reasoning, fields: dict[str, Any]) -> None:
    body, _ = body_of(kind, request(reasoning=reasoning))
    assert {name: value for name, value in body.items() if name not in FIXED} == fields


def test_what_only_local_servers_can_do() -> None:
    grammar = ResponseFormat(kind="grammar", grammar='root ::= "x"')
    what = request(response_format=grammar, template_variables={"style": "short"})
    body, ignored = body_of("llama-server", what)
    assert body["grammar"] == 'root ::= "x"'
    assert body["chat_template_kwargs"] == {"style": "short"}
    assert ignored == []
    body, ignored = body_of(
        "groq", request(response_format=grammar, template_variables={"a": 1}, chat_template="{{x}}")
    )
    assert "grammar" not in body
    assert all(word in ignored[0] for word in ("grammar", "template variable a", "chat_template"))
    _, ignored = body_of("openai", request(load=LoadOptions(n_ctx=4096)))
    assert "n_ctx" in ignored[0]


def test_a_schema_where_only_json_is_known() -> None:
    body, ignored = body_of("deepseek", request(response_format=ResponseFormat(kind="json_schema", schema={})))
    assert body["response_format"] == {"type": "json_object"}
    assert "schema" in ignored[0]


def test_continuing_an_unfinished_answer() -> None:
    what = ChatRequest(messages=(Message.of("user", "Go"), Message.of("assistant", "Once ")), continue_last=True)
    assert body_of("mistral", what)[0]["messages"][-1]["prefix"] is True
    assert body_of("vllm", what)[0]["continue_final_message"] is True
    assert body_of("llama-server", what)[1] == []
    assert "continue" in body_of("openai", what)[1][0]


def test_an_attachment_without_its_bytes_is_told() -> None:
    lost = Attachment(sha256="0" * 64, media_type="image/png", name="cat.png", size=10)
    what = ChatRequest(messages=(Message("user", (TextPart("See"), ImagePart(lost))),))
    for vendor in VENDORS:
        with Double(vendor.complete("Hello")) as double:
            error = ask(model_of(vendor, double), what).finished.error
            assert error is not None
            assert error.kind == "bad_input"
            assert "cat.png" in error.message
            assert double.seen == []


# --- dialects of the stream -----------------------------------------------------------------------------------
def answer(kind: str, *frames: bytes) -> Any:
    with Double(Script(frames=frames)) as double:
        return ask(model(kind, double.url + "/v1", "some-model"))


END = (_chat_chunk({}, "stop"), sse("[DONE]"))


def test_names_of_reasoning() -> None:
    for name in ("reasoning_content", "reasoning"):
        assert answer("vllm", _chat_chunk({name: "hm"}), *END).reasoning == "hm"
    thinking = {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]}
    mistral = answer("mistral", _chat_chunk(thinking), _chat_chunk({"content": [{"type": "text", "text": "Hi"}]}), *END)
    assert (mistral.reasoning, mistral.text) == ("hm", "Hi")


def test_openrouters_reasoning_goes_back() -> None:
    detail = {"type": "reasoning.encrypted", "data": "abc", "id": "1", "format": "x", "index": 0}
    outcome = answer("openrouter", _chat_chunk({"reasoning": "hm", "reasoning_details": [detail]}), *END)
    from workbench.core.messages import ReasoningPart

    past = Message("assistant", (ReasoningPart("hm", outcome.signature), TextPart("Hi")))
    body, _ = body_of("openrouter", ChatRequest(messages=(past, Message.of("user", "Again"))))
    assert body["messages"][0]["reasoning_details"] == [detail]


def test_xai_counts_reasoning_apart() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 22,
        "completion_tokens_details": {"reasoning_tokens": 7},
    }
    outcome = answer("xai", _chat_chunk({}, "stop"), sse({"choices": [], "usage": usage}), sse("[DONE]"))
    assert outcome.usage.completion_tokens == 12


def test_deepseeks_cache_and_llama_servers_timings() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "prompt_cache_hit_tokens": 8}
    outcome = answer("deepseek", _chat_chunk({}, "stop"), sse({"choices": [], "usage": usage}), sse("[DONE]"))
    assert outcome.usage.cached_tokens == 8
    timings = {"prompt_ms": 50.0, "predicted_ms": 1000, "prompt_per_second": 100.0, "predicted_per_second": 33.5}
    outcome = answer("llama-server", _chat_chunk({}, "stop"), sse({"choices": [], "timings": timings}), sse("[DONE]"))
    assert outcome.of(Timings)[0].prefill_s == 0.05
    assert outcome.of(Timings)[0].decode_tokens_per_s == 33.5


def test_a_server_without_the_done_line() -> None:
    assert (
        answer("openai-compatible", _chat_chunk({"content": "Hi"}), _chat_chunk({}, "stop")).finished.reason == "stop"
    )


def test_tool_calls_without_index() -> None:
    calls = [{"id": "a", "function": {"name": "x", "arguments": "{}"}}, {"id": "b", "function": {"name": "y"}}]
    outcome = answer("openai-compatible", _chat_chunk({"tool_calls": calls}), *END)
    assert [(call.index, call.id) for call in outcome.of(ToolCallDelta)] == [(0, "a"), (1, "b")]


def test_logprobs() -> None:
    token = {"token": "Hi", "logprob": -0.1, "bytes": None, "top_logprobs": [{"token": "Hi", "logprob": -0.1}]}
    choice = {"index": 0, "delta": {"content": "Hi"}, "logprobs": {"content": [token]}, "finish_reason": None}
    outcome = answer("openai", sse({"choices": [choice]}), *END)
    found = outcome.of(Logprobs)[0].tokens[0]
    assert (found.token, found.logprob, found.alternatives) == ("Hi", -0.1, (("Hi", -0.1),))


# --- parameters a model refuses -------------------------------------------------------------------------------
REFUSALS = [
    (
        CHAT,
        {
            "message": "Unsupported value: 'temperature' does not support 0.5 with this model.",
            "type": "invalid_request_error",
            "param": "temperature",
            "code": "unsupported_value",
        },
    ),
    (RESPONSES, {"message": "Unsupported parameter: 'temperature' is not supported.", "param": "temperature"}),
    (ANTHROPIC, {"type": "invalid_request_error", "message": "`temperature` is deprecated for this model."}),
]


@pytest.mark.parametrize(("vendor", "error"), REFUSALS, ids=["chat", "responses", "anthropic"])
def test_a_refused_parameter_is_left_out_and_named(vendor: Vendor, error: dict[str, Any]) -> None:
    refusal = Script(status=400, body=json.dumps({"error": error}).encode())
    with Double(refusal, vendor.complete("Hello")) as double:
        outcome = ask(model_of(vendor, double), request(sampling=Sampling(temperature=0.5, top_p=0.9)))
        assert outcome.text == "Hello"
        assert "temperature" in double.seen[0].body
        assert "temperature" not in double.seen[1].body
    assert "temperature" in outcome.notices("ignored")[0]
    sent = outcome.of(RunDetails)[-1].sampling
    assert sent["top_p"] == 0.9
    assert "temperature" not in sent, "the record says what was sent"


@each_vendor
def test_a_refused_request_is_not_repeated_for_other_reasons(vendor: Vendor) -> None:
    bodies = [
        {"error": {"message": "temperature: must be below 2", "param": "temperature", "code": "invalid_value"}},
        {"error": {"message": "messages is not supported", "param": "messages", "code": "unsupported"}},
    ]
    for body in bodies:
        with Double(Script(status=400, body=json.dumps(body).encode())) as double:
            outcome = ask(model_of(vendor, double), request(sampling=Sampling(temperature=5)))
            assert outcome.finished.reason == "failed"
            assert len(double.seen) <= 2


# --- error texts ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("status", "body", "kind", "requests"),
    [
        (
            429,
            {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}},
            "quota_exceeded",
            1,
        ),
        (400, {"error": {"message": "Your credit balance is too low", "type": "x"}}, "quota_exceeded", 1),
        (402, {"error": {"message": "Insufficient Balance"}}, "quota_exceeded", 1),
        (400, {"error": {"message": "prompt is too long: 300000 tokens > 200000 maximum"}}, "context_overflow", 1),
        (400, {"error": {"message": "x", "code": "context_length_exceeded"}}, "context_overflow", 1),
        (400, {"error": {"message": "API key not valid.", "status": "INVALID_ARGUMENT"}}, "auth_failed", 1),
        (404, {"error": "model 'x' not found"}, "not_found", 1),
        (422, {"detail": "nonsense"}, "bad_request", 1),
        (503, "<html>Bad gateway</html>", "overloaded", 3),
        (502, "", "server_error", 3),
        (418, {}, "bad_request", 1),
        (204, "", "bad_status", 1),
    ],
)
def test_errors_are_told_apart(status: int, body: Any, kind: str, requests: int) -> None:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    with Double(Script(status=status, body=raw)) as double:
        error = ask(model_of(CHAT, double)).finished.error
        assert error is not None
        assert error.kind == kind
        assert len(double.seen) == requests
    assert error.message[0].isupper()
    assert error.hint


def test_x_should_retry_is_believed() -> None:
    with Double(CHAT.failing(500, **{"x-should-retry": "false"})) as double:
        ask(model_of(CHAT, double))
        assert len(double.seen) == 1


def test_gemini_says_how_long_to_wait_in_the_body() -> None:
    from workbench.providers.errors import from_response

    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17.5s"}]
    body = json.dumps({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": details}}).encode()
    assert from_response("Gemini", 429, {}, body, now=0).retry_after_s == 17.5


# --- model lists ----------------------------------------------------------------------------------------------
def models(kind: str, *pages: Any, path: str = "/v1") -> tuple[dict[str, Any], Double]:
    with Double(*(Script(body=json.dumps(page).encode()) for page in pages)) as double:
        found = provider(kind).models(context(kind, double.url + path), CancelToken())
    return {info.id: info for info in found}, double


def test_models_of_openai() -> None:
    names = ["gpt-4o", "text-embedding-3-small", "whisper-1", "gpt-5.4", "dall-e-3", "gpt-4o-mini-tts"]
    found, double = models("openai", {"object": "list", "data": [{"id": name, "object": "model"} for name in names]})
    assert set(found) == {"openai:gpt-4o", "openai:gpt-5.4"}
    assert double.seen[0].path == "/v1/models"
    assert "reasoning" in found["openai:gpt-5.4"].capabilities
    assert "reasoning" not in found["openai:gpt-4o"].capabilities


def test_models_of_openrouter_have_prices() -> None:
    entry = {
        "id": "meta/llama",
        "name": "Meta: Llama",
        "context_length": 131072,
        "pricing": {"prompt": "0.0000003", "completion": "0.0000025", "input_cache_read": "0.00000003"},
        "architecture": {"input_modalities": ["text", "image"]},
        "supported_parameters": ["tools", "seed"],
    }
    found, _ = models("openrouter", {"data": [entry]})
    info = found["openrouter:meta/llama"]
    assert (info.name, info.context_length) == ("Meta: Llama", 131072)
    assert info.capabilities == {"images", "tools", "seed"}
    assert info.prices is not None
    assert (info.prices.input, info.prices.output, info.prices.cached_input) == (0.3, 2.5, 0.03)
    assert info.prices.cache_write is None


def test_models_of_other_services() -> None:
    assert set(models("together", [{"id": "a"}, {"id": "b", "type": "embedding"}])[0]) == {"together:a"}
    assert models("vllm", {"data": [{"id": "a", "max_model_len": 4096}]})[0]["vllm:a"].context_length == 4096
    mistral = [{"id": "a", "capabilities": {"completion_chat": False}}, {"id": "b", "max_context_length": 9}]
    assert set(models("mistral", {"data": mistral})[0]) == {"mistral:b"}
    assert set(models("ollama", {"data": [{"id": "qwen3:0.6b"}]}, path="")[0]) == {"ollama:qwen3:0.6b"}


def test_models_of_anthropic_over_pages() -> None:
    supported = {"supported": True}
    told = {"thinking": supported, "image_input": supported, "structured_outputs": {"supported": False}}
    first = {"data": [{"id": "claude-a", "display_name": "Claude A"}], "has_more": True, "last_id": "claude-a"}
    second = {"data": [{"id": "claude-b", "max_input_tokens": 5, "capabilities": told}], "has_more": False}
    found, double = models("anthropic", first, second, path="")
    assert found["anthropic:claude-a"].name == "Claude A"
    assert found["anthropic:claude-b"].capabilities == {"reasoning", "images", "tools"}
    assert "after_id=claude-a" in double.seen[1].path


def test_models_of_google() -> None:
    chat = {"name": "models/gemini-x", "displayName": "Gemini X", "inputTokenLimit": 9, "thinking": True}
    chat["supportedGenerationMethods"] = ["generateContent"]
    other = {"name": "models/embedding", "supportedGenerationMethods": ["embedContent"]}
    found, _ = models("google", {"models": [chat], "nextPageToken": "p/2"}, {"models": [other]}, path="")
    assert set(found) == {"google:gemini-x"}
    assert found["google:gemini-x"].context_length == 9


@pytest.mark.parametrize("kind", ["openai", "anthropic", "google"])
def test_a_model_list_that_fails(kind: str) -> None:
    for script in (Script(status=401, body=b"{}"), Script(body=b"<html>"), Script(body=b'{"models": 3, "data": 3}')):
        with Double(script) as double, pytest.raises(ProviderError):
            provider(kind).models(context(kind, double.url), CancelToken())


def test_a_model_list_can_be_cancelled() -> None:
    cancel = CancelToken()
    cancel.cancel()
    with Double(Script(ending="stall_before_headers")) as double, pytest.raises(Exception, match="Stopped"):
        provider("openai").models(context("openai", double.url), cancel)


def test_no_tools_and_no_schema_mean_no_fields() -> None:
    body, _ = body_of("openai", request())
    assert set(body) == FIXED
    assert body_of("openai", request(tools=(Tool(name="x"),)))[0]["tools"][0]["function"]["name"] == "x"
