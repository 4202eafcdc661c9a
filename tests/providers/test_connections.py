"""Connections: cancelling at every moment, the key and where it goes, proxy, certificates, offline, keep-alive."""

from __future__ import annotations

import itertools
import json
import logging
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.providers.doubles import ANTHROPIC, CHAT, VENDORS, Double, Script, Vendor
from tests.providers.support import KEY, Outcome, ask, collect, model, model_of, plugins, provider, request
from workbench.core.cancel import CancelToken
from workbench.core.events import Notice, TextDelta
from workbench.core.redact import redact
from workbench.core.settings import Network
from workbench.providers.http import is_local
from workbench.providers.retry import RetryPolicy

each_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)


# --- cancelling -----------------------------------------------------------------------------------------------
def run_in_thread(events: Iterator[object]) -> tuple[threading.Thread, list[object]]:
    seen: list[object] = []
    thread = threading.Thread(target=lambda: seen.extend(events))
    thread.start()
    return thread, seen


@each_vendor
def test_cancel_in_the_middle_of_the_answer(vendor: Vendor) -> None:
    with Double(Script(frames=vendor.begun("Hello"), ending="stall")) as double:
        cancel = CancelToken()
        stream = model_of(vendor, double).stream(request(), cancel)
        begun = list(itertools.takewhile(lambda event: not isinstance(event, TextDelta), stream))
        threading.Timer(0.01, cancel.cancel).start()  # from another thread, while this one waits for the next word
        rest = collect(stream)
        assert rest.finished.reason == "cancelled"
        assert begun is not None
        assert double.hung_up.wait(5)  # the server was told: it stops generating


@each_vendor
def test_cancel_before_the_headers(vendor: Vendor) -> None:
    with Double(Script(ending="stall_before_headers")) as double:
        cancel = CancelToken()
        thread, seen = run_in_thread(model_of(vendor, double).stream(request(), cancel))
        assert _eventually(lambda: double.seen)
        cancel.cancel()
        thread.join(5)
        assert not thread.is_alive()
        assert Outcome(seen).finished.reason == "cancelled"  # type: ignore[arg-type]
        assert double.hung_up.wait(5)


def test_cancel_while_the_name_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    looking, answer = threading.Event(), threading.Event()

    def slow_lookup(*_: object, **__: object) -> list[object]:
        looking.set()
        answer.wait(20)
        raise socket.gaierror(socket.EAI_NONAME, "too late")

    monkeypatch.setattr(socket, "getaddrinfo", slow_lookup)
    cancel = CancelToken()
    thread, seen = run_in_thread(model("openai", "https://slow.invalid/v1").stream(request(), cancel))
    assert looking.wait(5)
    cancel.cancel()
    thread.join(5)
    assert Outcome(seen).finished.reason == "cancelled"  # type: ignore[arg-type]
    answer.set()


def test_cancel_while_waiting_to_try_again() -> None:
    patient = RetryPolicy(attempts=3, base_s=1000, max_s=1000, window_s=10_000)
    with Double(CHAT.failing(500)) as double:
        cancel = CancelToken()
        stream = model_of(CHAT, double, policy=patient).stream(request(), cancel)
        notice = next(event for event in stream if isinstance(event, Notice))
        assert notice.kind == "retry"
        threading.Timer(0.01, cancel.cancel).start()
        assert collect(stream).finished.reason == "cancelled"
        assert len(double.seen) == 1


def test_a_cancelled_token_asks_nobody() -> None:
    with Double(CHAT.complete("Hello")) as double:
        cancel = CancelToken()
        cancel.cancel()
        assert ask(model_of(CHAT, double), cancel=cancel).finished.reason == "cancelled"
        assert double.seen == []


def test_a_stream_that_is_dropped_closes_its_connection() -> None:
    with Double(Script(frames=CHAT.begun("Hello"), ending="stall")) as double:
        stream = model_of(CHAT, double).stream(request(), CancelToken())
        next(event for event in stream if isinstance(event, TextDelta))
        stream.close()  # type: ignore[attr-defined]
        assert double.hung_up.wait(5)


# --- the key --------------------------------------------------------------------------------------------------
@each_vendor
def test_the_key_stands_in_headers_only(vendor: Vendor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Double(vendor.complete("Hello")) as double:
        ask(model_of(vendor, double))
        seen = double.seen[0]
    assert KEY in json.dumps(seen.headers)
    assert KEY not in seen.path
    assert KEY not in json.dumps(seen.body)
    assert KEY not in caplog.text


@each_vendor
def test_a_redirect_does_not_get_the_key(vendor: Vendor) -> None:
    with Double(vendor.complete("Gotcha")) as thief:
        redirect = Script(status=307, headers={"Location": f"{thief.url}/v1/chat/completions"})
        with Double(redirect) as double:
            outcome = ask(model_of(vendor, double))
        assert outcome.finished.error is not None
        assert outcome.finished.error.kind == "redirected"
        assert thief.seen == []


@each_vendor
def test_a_server_that_echoes_the_key_does_not_leak_it(vendor: Vendor) -> None:
    echo = json.dumps({"error": {"message": f"bad key {KEY}", "type": "invalid_request_error"}}).encode()
    with Double(Script(status=400, body=echo)) as double:
        error = ask(model_of(vendor, double)).finished.error
    assert error is not None
    assert KEY not in f"{error} {error.detail}"
    assert KEY not in redact(f"anywhere else: {KEY}")


@pytest.mark.parametrize(
    ("kind", "variable"),
    [("openai", "OPENAI_API_KEY"), ("anthropic", "ANTHROPIC_API_KEY"), ("google", "GEMINI_API_KEY")],
)
def test_a_missing_key_is_told_before_anything_is_sent(kind: str, variable: str) -> None:
    error = ask(model(kind, "https://api.invalid/v1", key=None)).finished.error
    assert error is not None
    assert error.kind == "missing_key"
    assert variable in error.hint
    assert "Settings" in error.hint


def test_googles_second_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    with Double(VENDORS[3].complete("Hello")) as double:
        monkeypatch.setenv("GOOGLE_API_KEY", "second-key-123456")
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", double.url)
        assert ask(model("google", "", key=None)).text == "Hello"
        assert double.seen[0].headers["x-goog-api-key"] == "second-key-123456"


def test_a_key_with_strange_characters() -> None:
    error = ask(model("openai", "https://api.invalid/v1", key="schlüssel\n-🔑")).finished.error
    assert error is not None
    assert error.kind == "bad_key"


def test_local_servers_need_no_key() -> None:
    for kind in ("llama-server", "ollama", "lmstudio", "vllm"):
        with Double(CHAT.complete("Hello")) as double:
            asked = model(kind, double.url, key=None)
            assert ask(asked).text == "Hello"
            assert "authorization" not in double.seen[0].headers
            assert double.seen[0].path == "/v1/chat/completions"
            assert not asked.info.remote


def test_every_service_has_its_own_key_variable() -> None:
    """One service's key must not reach another, so no two share a variable."""
    variables = [plugin.key_variable for plugin in plugins().providers() if plugin.key_variable]
    assert len(variables) == len(set(variables))
    kinds = [plugin.kind for plugin in plugins().providers()]
    assert len(kinds) == len(set(kinds))
    for plugin in plugins().providers():
        for name, preset in plugin.presets.items():
            assert preset.kind == plugin.kind
            assert name == plugin.kind


# --- where the requests go ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "variable", "path", "vendor"),
    [
        ("openai", "OPENAI_BASE_URL", "/v1", CHAT),
        ("anthropic", "ANTHROPIC_BASE_URL", "", ANTHROPIC),
        ("anthropic", "ANTHROPIC_BASE_URL", "/v1", ANTHROPIC),
        ("google", "GOOGLE_GEMINI_BASE_URL", "", VENDORS[3]),
        ("ollama", "OLLAMA_HOST", "", CHAT),
    ],
)
def test_variables_of_the_sdks(
    kind: str, variable: str, path: str, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    preset = provider(kind).presets[kind]
    with Double(vendor.complete("Hello")) as double:
        monkeypatch.setenv(variable, (double.url + path).removeprefix("http://" if kind == "ollama" else "-"))
        assert ask(model(kind, preset.base_url)).text == "Hello"


def test_openai_itself_is_asked_by_responses_and_others_by_chat() -> None:
    from workbench_plugins.openai.chat import ChatAdapter
    from workbench_plugins.openai.responses import ResponsesAdapter

    def adapter_of(kind: str, url: str, **options: str) -> object:
        return model(kind, url, **options)._adapter

    assert isinstance(adapter_of("openai", "https://api.openai.com/v1"), ResponsesAdapter)
    assert isinstance(adapter_of("openai", "https://api.openai.com/v1", api="chat"), ChatAdapter)
    assert isinstance(adapter_of("openai", "https://gateway.example/v1"), ChatAdapter)
    assert isinstance(adapter_of("groq", "https://api.groq.com/openai/v1"), ChatAdapter)
    assert isinstance(adapter_of("azure", "https://x.openai.azure.com", api="responses"), ResponsesAdapter)


def test_azure() -> None:
    error = ask(model("azure", "")).finished.error
    assert error is not None
    assert error.kind == "not_configured"
    with Double(CHAT.complete("Hello")) as double:
        assert ask(model("azure", double.url, "my-deployment")).text == "Hello"
        assert double.seen[0].path == "/openai/v1/chat/completions"
        assert double.seen[0].headers["api-key"] == KEY
        assert double.seen[0].body["model"] == "my-deployment"


def test_offline_reaches_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    offline = Network(offline=True)
    with Double(CHAT.complete("Hello")) as double:
        assert ask(model("llama-server", double.url, network=offline)).text == "Hello"

    def no_connection(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "getaddrinfo", no_connection)
    monkeypatch.setattr(socket, "create_connection", no_connection)
    error = ask(model("openai", "https://api.openai.com/v1", network=offline)).finished.error
    assert error is not None
    assert error.kind == "offline"


def test_the_proxy_gets_remote_requests_and_no_local_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    with Double(CHAT.complete("Through the proxy")) as proxy, Double(CHAT.complete("Direct")) as direct:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        assert ask(model("openai-compatible", direct.url + "/v1")).text == "Direct"
        remote = ask(model("openai-compatible", "http://models.invalid/v1"))
        assert remote.text == "Through the proxy"
        assert proxy.seen[0].path == "http://models.invalid/v1/chat/completions"
        assert "without encryption" in remote.notices("warning")[0]
        monkeypatch.delenv("HTTP_PROXY")
        monkeypatch.delenv("http_proxy")
        configured = Network(proxy=proxy.url)
        assert ask(model("openai-compatible", "http://models.invalid/v1", network=configured)).text.startswith(
            "Through"
        )
        assert ask(model("openai-compatible", direct.url + "/v1", network=configured)).text == "Direct"


def test_a_certificate_of_the_users_own(tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    pem = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(pem))
    with Double(CHAT.complete("Hello"), tls=tls) as double:
        assert ask(model_of(CHAT, double)).finished.reason == "failed"
        assert ask(model_of(CHAT, double, network=Network(ca_file=str(pem)))).text == "Hello"
        missing = ask(model_of(CHAT, double, network=Network(ca_file=str(tmp_path / "no.pem")))).finished.error
    assert missing is not None
    assert missing.kind == "tls_failed"
    assert "no.pem" in missing.message


def test_cancel_inside_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    pem = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(pem))
    with Double(Script(frames=CHAT.begun("Hello"), ending="stall"), tls=tls) as double:
        cancel = CancelToken()
        stream = model_of(CHAT, double, network=Network(ca_file=str(pem))).stream(request(), cancel)
        next(event for event in stream if isinstance(event, TextDelta))
        threading.Timer(0.01, cancel.cancel).start()
        assert collect(stream).finished.reason == "cancelled"


@each_vendor
def test_connections_are_kept(vendor: Vendor) -> None:
    with Double(vendor.complete("Hello")) as double:
        asked = model_of(vendor, double)
        for _ in range(3):
            assert ask(asked).finished.reason == "stop"
        assert {seen.connection for seen in double.seen} == {1}


def test_a_kept_connection_that_died_is_no_failure() -> None:
    hello = CHAT.complete("Hello")
    with Double(hello, Script(ending="drop"), hello) as double:
        asked = model_of(CHAT, double)
        assert ask(asked).text == "Hello"
        outcome = ask(asked)  # the server closes the kept connection instead of answering
        assert outcome.text == "Hello"
        assert outcome.notices("retry") == []
        assert [seen.connection for seen in double.seen] == [1, 1, 2]


def test_a_new_connection_that_is_dropped_is_tried_again_and_told() -> None:
    with Double(Script(ending="drop"), CHAT.complete("Hello")) as double:
        outcome = ask(model_of(CHAT, double))
    assert outcome.text == "Hello"
    assert len(outcome.notices("retry")) == 1


def test_a_server_that_keeps_the_line_open_after_the_end() -> None:
    with Double(Script(frames=CHAT.frames("Hello"), ending="stall")) as double:
        assert ask(model_of(CHAT, double)).finished.reason == "stop"
        assert ask(model_of(CHAT, double)).finished.reason == "stop"


def test_no_stream_at_all() -> None:
    with Double(Script(body=b'{"choices": []}')) as double:
        error = ask(model_of(CHAT, double)).finished.error
    assert error is not None
    assert error.kind == "stream_malformed"
    assert "choices" in error.detail


@pytest.mark.parametrize("url", ["http://[::1", "ftp://example.invalid", "nonsense"])
def test_addresses_that_are_none(url: str) -> None:
    assert ask(model("openai-compatible", url)).finished.reason == "failed"


def test_which_addresses_are_this_machine() -> None:
    for url in ("http://localhost:1", "http://127.0.0.1", "http://[::1]:8080/v1", "http://app.localhost"):
        assert is_local(url)
    for url in (
        "http://localhost.example.com",
        "https://api.openai.com",
        "http://127.0.0.1.example.com",
        "http://[",
        "",
    ):
        assert not is_local(url)


def test_bad_options_are_told() -> None:
    error = ask(model("openai", "https://api.invalid/v1", read_timeout_s="soon")).finished.error
    assert error is not None
    assert error.kind == "bad_option"


def test_many_threads_share_one_model() -> None:
    with Double(*(CHAT.complete(f"answer {number}") for number in range(12))) as double:
        asked = model_of(CHAT, double)
        outcomes: list[Outcome] = []
        threads = [threading.Thread(target=lambda: outcomes.append(ask(asked))) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert sorted(outcome.text for outcome in outcomes) == sorted(f"answer {number}" for number in range(12))


def test_loading_the_plugins_imports_no_http_library() -> None:
    code = (
        "import sys\n"
        "from tests.providers.support import context, provider\n"
        "for kind in ('openai', 'anthropic', 'google', 'llm'):\n"
        "    provider(kind).model(context(kind, 'https://api.invalid'), 'm').info\n"
        "heavy = {'httpx2', 'httpx', 'openai', 'anthropic', 'google.genai', 'llm'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr


def _eventually(condition: object, timeout_s: float = 5) -> bool:
    waiter = threading.Event()
    for _ in range(int(timeout_s / 0.005)):
        if condition():  # type: ignore[operator]
            return True
        waiter.wait(0.005)
    return False
