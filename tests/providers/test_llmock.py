"""An independent double: llmock breaks the service, watches what our adapters do, and judges them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.providers.support import Outcome, ask, model
from workbench.core.events import ToolCallDelta
from workbench.core.requests import Tool
from workbench.providers.retry import RetryPolicy

pytest.importorskip("llmock")

POLICY = RetryPolicy(attempts=4, base_s=0.2, max_s=1.0)
APIS = {
    "chat": ("openai", "openai", {"api": "chat"}),
    "responses": ("openai", "openai", {"api": "responses"}),
    "anthropic": ("anthropic", "anthropic", {}),
    "gemini": ("google", "gemini", {}),
}
each_api = pytest.mark.parametrize("api", APIS)


def answer(llmock: Any, api: str, **options: str) -> Outcome:
    kind, name, fixed = APIS[api]
    url = llmock.base_url(name)
    return ask(model(kind, url, "gpt-4o", policy=POLICY, **fixed, **options))


@each_api
def test_a_plain_answer(llmock: Any, api: str) -> None:
    llmock.reply("Grüezi, 世界")
    outcome = answer(llmock, api)
    assert outcome.finished.reason == "stop", outcome.finished
    assert outcome.text == "Grüezi, 世界"
    assert outcome.usage.completion_tokens
    llmock.assert_resilient(strict=True)


@each_api
def test_rate_limits_are_waited_out(llmock: Any, api: str) -> None:
    llmock.rate_limit(times=2, retry_after=0.2)
    outcome = answer(llmock, api)
    assert outcome.finished.reason == "stop"
    assert len(outcome.notices("retry")) == 2
    llmock.assert_resilient(strict=True)


@each_api
@pytest.mark.parametrize("status", [500, 529])
def test_errors_of_the_server_are_tried_again(llmock: Any, api: str, status: int) -> None:
    llmock.fail(status, times=2)
    assert answer(llmock, api).finished.reason == "stop"
    llmock.assert_resilient(strict=True)


@each_api
@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_errors_of_ours_are_not(llmock: Any, api: str, status: int) -> None:
    llmock.fail(status, times=None)
    assert answer(llmock, api).finished.reason == "failed"
    llmock.assert_resilient(strict=True)


@each_api
@pytest.mark.parametrize(
    ("fault", "kind"),
    [("disconnect", "stream_cut"), ("truncate", "stream_ended_early"), ("corrupt", "stream_malformed")],
)
def test_broken_streams(llmock: Any, api: str, fault: str, kind: str) -> None:
    llmock.reply("one two three four five six seven eight")
    getattr(llmock, fault)(after_chunks=6)
    outcome = answer(llmock, api)
    assert outcome.finished.reason == "failed"
    assert outcome.finished.error is not None
    assert outcome.finished.error.kind == kind
    assert "one two three four five six seven eight".startswith(outcome.text)


@each_api
def test_a_stall_ends_by_the_read_timeout(llmock: Any, api: str) -> None:
    llmock.reply("one two three four five six seven eight")
    llmock.stall(seconds=20, after_chunks=6)
    outcome = answer(llmock, api, read_timeout_s="0.3")
    assert outcome.finished.error is not None
    assert outcome.finished.error.kind == "stream_stalled"


@each_api
def test_a_tool_call(llmock: Any, api: str) -> None:
    from tests.providers.support import request

    llmock.call_tool("get_weather", {"city": "Bern"})
    kind, name, fixed = APIS[api]
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    asked = request(tools=(Tool(name="get_weather", parameters=schema),))
    outcome = ask(model(kind, llmock.base_url(name), "gpt-4o", policy=POLICY, **fixed), asked)
    calls = outcome.of(ToolCallDelta)
    assert calls[0].name == "get_weather"
    assert "".join(call.arguments for call in calls).replace(" ", "") == '{"city":"Bern"}'
    assert outcome.finished.detail == "tool_calls"
