"""The client against a scripted child: everything that can go wrong between two processes."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from tests.fakes.models import write_model_file
from workbench.core.cancel import CancelToken
from workbench.core.errors import BadModelFile, EngineDied, ErrorInfo, WorkbenchError
from workbench.core.events import Finished, LoadProgress, StreamEvent, TextDelta, Timings
from workbench.core.messages import Message
from workbench.core.requests import ChatRequest
from workbench.engine import connection
from workbench.engine.client import EngineClient
from workbench.engine.connection import EngineLog, child_environment

Make = Callable[..., EngineClient]


def ask(text: str = "hi", **script: Any) -> ChatRequest:
    chosen = f"\nscript: {msgspec.json.encode(script).decode()}" if script else ""
    return ChatRequest(messages=(Message.of("user", text + chosen),))


def answer(
    client: EngineClient, request: ChatRequest | None = None, cancel: CancelToken | None = None
) -> tuple[str, Finished]:
    events = list(client.generate(request or ask(), cancel or CancelToken()))
    return text_of(events), finished(events)


def text_of(events: list[StreamEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def finished(events: list[StreamEvent]) -> Finished:
    assert [isinstance(event, Finished) for event in events].count(True) == 1
    last = events[-1]
    assert isinstance(last, Finished)
    return last


def error_of(last: Finished) -> ErrorInfo:
    assert last.reason == "failed"
    assert last.error is not None
    assert last.error.message
    assert "\n" not in last.error.message
    return last.error


def numbers(count: int) -> str:
    return "".join(f"{n} " for n in range(count))


def until_text(events: Iterator[StreamEvent]) -> str:
    """Read up to the first piece of text."""
    return next(event.text for event in events if isinstance(event, TextDelta))


class TestWorking:
    def test_starts_on_first_use_loads_once_and_answers(self, make_client: Make) -> None:
        client = make_client(tokens=5)
        assert (client.pid, client.loaded, client.alive) == (None, None, False)
        events = list(client.generate(ask(), CancelToken()))
        assert text_of(events) == numbers(5)
        assert finished(events).reason == "stop"
        fractions = [event.fraction for event in events if isinstance(event, LoadProgress)]
        assert fractions == sorted(fractions)
        assert next(event for event in events if isinstance(event, Timings)).load_s is not None
        pid = client.pid
        again = list(client.generate(ask(), CancelToken()))
        assert client.pid == pid
        assert not any(isinstance(event, LoadProgress) for event in again)
        assert next(event for event in again if isinstance(event, Timings)).load_s is None

    def test_many_requests_at_once_share_one_process_and_one_load(self, make_client: Make) -> None:
        client = make_client(load_s=0.1, rate=500)
        results: dict[int, tuple[str, Finished]] = {}

        def work(number: int) -> None:
            results[number] = answer(client, ask(tokens=number))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 25)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {n: text for n, (text, _) in results.items()} == {n: numbers(n) for n in range(1, 25)}
        assert client.running == 0
        assert len(psutil.Process().children()) == 1

    def test_embed_count_and_status(self, make_client: Make) -> None:
        client = make_client()
        assert client.status() is None
        texts = ["x" * n for n in range(150)]
        assert [vector[2] for vector in client.embed(texts, CancelToken())] == [float(n) for n in range(150)]
        assert client.count(ask("one two three")).prompt_tokens == 3
        status = client.status()
        assert status is not None
        assert status.n_ctx == 4096

    def test_load_ahead(self, make_client: Make) -> None:
        client = make_client()
        assert list(client.load(CancelToken()))
        assert client.loaded is not None
        assert client.loaded.n_ctx == 4096

    def test_garbage_between_replies_is_skipped_and_logged(self, make_client: Make, tmp_path: Path) -> None:
        client = make_client(garbage=50)
        assert answer(client)[0] == numbers(10)
        log = next((tmp_path / "logs").glob("*.log")).read_text()
        assert log.count("not a reply") == 50


class TestDying:
    @pytest.mark.parametrize(
        ("script", "kind", "words"),
        [
            ({"die": "kill"}, "engine_died", "ended by the system .* memory ran out"),
            ({"die": "illegal"}, "engine_died", "processor does not have"),
            ({"die": "exit", "stderr": "some reason\n"}, "engine_died", "exit code 3.*some reason"),
            ({"die": "abort", "stderr": "x.c:1: GGML_ASSERT(n > 0) failed\n"}, "engine_died", "n > 0"),
            ({"die": "abort", "stderr": "ggml: failed to allocate buffer\n"}, "out_of_memory", "Memory ran out"),
        ],
    )
    def test_mid_answer(self, make_client: Make, script: dict[str, str], kind: str, words: str) -> None:
        client = make_client()
        text, last = answer(client, ask(**script))
        assert text == numbers(3)
        error = error_of(last)
        assert error.kind == kind
        assert re.search(words, error.message)
        assert script.get("stderr", "").strip() in error.detail
        assert answer(client)[0] == numbers(10), "the next prompt works without any action"

    def test_all_runs_in_flight_are_told_and_keep_their_text(self, make_client: Make) -> None:
        client = make_client(rate=200, tokens=10_000)
        streams = [client.generate(ask(), CancelToken()) for _ in range(4)]
        starts = [until_text(stream) for stream in streams]
        assert client.pid is not None
        os.kill(client.pid, signal.SIGKILL)
        for start, stream in zip(starts, streams, strict=True):
            events = list(stream)
            assert start == "0 "
            assert error_of(finished(events)).kind == "engine_died"

    def test_while_idle_is_no_failure_of_the_next_request(self, make_client: Make) -> None:
        client = make_client()
        answer(client)
        for _ in range(5):
            assert client.pid is not None
            os.kill(client.pid, signal.SIGKILL)
            assert answer(client)[1].reason == "stop"

    def test_while_loading(self, make_client: Make) -> None:
        client = make_client(
            die="abort", die_at_load=True, stderr="error loading model: unknown model architecture: 'zz'\n"
        )
        error = error_of(answer(client)[1])
        assert (error.kind, client.alive) == ("bad_model_file", False)
        assert "“zz”" in error.message

    def test_a_request_that_always_kills_fails_and_does_not_loop(self, make_client: Make) -> None:
        client = make_client(die="abort", die_after=0, tokens=1)
        answer(client, ask(die=""))
        assert error_of(answer(client)[1]).kind == "engine_died"

    def test_command_that_can_not_start(self, make_client: Make) -> None:
        client = make_client(client_command=["/nowhere/at/all"])
        assert "could not be started" in error_of(answer(client)[1]).message

    def test_python_without_llama_cpp(self, make_client: Make) -> None:
        client = make_client(client_command=[sys.executable, "-c", "import llama_cpp_that_is_not_there"])
        error = error_of(answer(client)[1])
        assert "No module named 'llama_cpp_that_is_not_there'" in error.message

    def test_embedding_and_counting_raise(self, make_client: Make) -> None:
        client = make_client(die="kill", die_at_load=True)
        with pytest.raises(EngineDied):
            client.embed(["x"], CancelToken())
        with pytest.raises(EngineDied):
            client.count(ask())
        assert client.status() is None


class TestMisbehaving:
    def test_wrong_version(self, make_client: Make) -> None:
        error = error_of(answer(make_client(version=99))[1])
        assert "version 99" in error.message
        assert "install" in error.hint

    def test_silent_start_is_a_timeout(self, make_client: Make) -> None:
        error = error_of(answer(make_client(silent_start=True, client_handshake_s=0.3))[1])
        assert "did not answer within 0.3 s" in error.message

    def test_load_error_is_told_and_tried_anew(self, make_client: Make) -> None:
        client = make_client(load_error={"kind": "out_of_memory", "message": "Too large."})
        assert error_of(answer(client)[1]) == ErrorInfo(kind="out_of_memory", message="Too large.")
        assert error_of(answer(client)[1]).kind == "out_of_memory"
        with pytest.raises(WorkbenchError, match="Too large"):
            list(client.load(CancelToken()))

    def test_request_error_leaves_the_process_alone(self, make_client: Make) -> None:
        client = make_client()
        answer(client)
        pid = client.pid
        error = error_of(answer(client, ask(error={"kind": "context_overflow", "message": "Too long."}))[1])
        assert (error.kind, client.pid) == ("context_overflow", pid)

    def test_huge_line(self, make_client: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connection, "LONGEST_LINE", 2 * 1024 * 1024)
        client = make_client()
        text, last = answer(client, ask(huge_line_mb=5))
        assert text == numbers(3)
        assert "more than 2 MB" in error_of(last).message
        assert answer(client)[1].reason == "stop"

    def test_child_that_does_not_read_blocks_nobody(self, make_client: Make) -> None:
        client = make_client(stops_reading=True, tokens=100_000, client_obey_within_s=0.2)
        stream = client.generate(ask(), CancelToken())
        until_text(stream)
        cancel = CancelToken()
        results: list[Finished] = []
        big = ask("x" * 1_000_000)
        thread = threading.Thread(target=lambda: results.append(answer(client, big, cancel)[1]))
        thread.start()
        until(lambda: client.running == 2)
        cancel.cancel()
        thread.join(20)
        assert [last.reason for last in results] == ["cancelled"]
        assert finished(list(stream)).reason == "failed"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class TestCancelling:
    def test_soft(self, make_client: Make) -> None:
        client = make_client(tokens=100_000, rate=200)
        cancel = CancelToken()
        stream = client.generate(ask(), cancel)
        until_text(stream)
        pid = client.pid
        cancel.cancel()
        assert finished(list(stream)).reason == "cancelled"
        assert client.pid == pid
        assert answer(client, ask(tokens=2))[0] == numbers(2)

    def test_a_child_that_does_not_obey_is_killed_and_replaced(self, make_client: Make) -> None:
        client = make_client(tokens=100_000, rate=100, ignores_cancel=True, client_obey_within_s=0.2)
        cancel = CancelToken()
        stream = client.generate(ask(), cancel)
        until_text(stream)
        pid = client.pid
        cancel.cancel()
        assert finished(list(stream)).reason == "cancelled"
        assert answer(client, ask(tokens=2))[0] == numbers(2)
        assert client.pid not in (None, pid)

    def test_a_hanging_child_too(self, make_client: Make) -> None:
        client = make_client(client_obey_within_s=0.2)
        cancel = CancelToken()
        stream = client.generate(ask(hang=True, die_after=1, ignores_cancel=True), cancel)
        until_text(stream)
        cancel.cancel()
        assert finished(list(stream)).reason == "cancelled"
        assert answer(client)[1].reason == "stop"

    def test_before_it_began(self, make_client: Make) -> None:
        cancel = CancelToken()
        cancel.cancel()
        client = make_client()
        assert answer(client, cancel=cancel)[1].reason == "cancelled"

    def test_while_loading_ends_the_load(self, make_client: Make) -> None:
        client = make_client(load_s=3_600)
        cancel = CancelToken()
        stream = client.generate(ask(), cancel)
        next(stream)
        cancel.cancel()
        assert finished(list(stream)).reason == "cancelled"
        assert not client.alive

    def test_one_of_two_that_wait_for_a_load_leaves_it_to_the_other(self, make_client: Make) -> None:
        client = make_client(load_s=0.5)
        cancel = CancelToken()
        first, second = client.generate(ask(), cancel), client.generate(ask(), CancelToken())
        next(first)
        next(second)
        pid = client.pid
        cancel.cancel()
        assert finished(list(first)).reason == "cancelled"
        assert finished(list(second)).reason == "stop"
        assert client.pid == pid

    def test_a_consumer_that_goes_away_stops_the_request(self, make_client: Make) -> None:
        client = make_client(tokens=100_000, rate=200)
        stream = client.generate(ask(), CancelToken())
        until_text(stream)
        stream.close()  # type: ignore[attr-defined]
        assert client.running == 0

        def idle() -> bool:
            status = client.status()
            return status is not None and status.running == 0

        until(idle)


class TestEnding:
    def test_unload_frees_the_process_and_the_next_request_starts_another(self, make_client: Make) -> None:
        client = make_client()
        answer(client)
        process = psutil.Process(client.pid)
        client.unload()
        assert not process.is_running()
        assert answer(client)[1].reason == "stop"

    def test_unload_while_answering_fails_the_run(self, make_client: Make) -> None:
        client = make_client(tokens=100_000, rate=100)
        stream = client.generate(ask(), CancelToken())
        until_text(stream)
        assert client.unload_if_idle() is False
        client.unload()
        assert "unloaded" in error_of(finished(list(stream))).message

    def test_unloading_an_idle_model_never_fails_a_request(self, make_client: Make) -> None:
        client = make_client(tokens=1)
        stop = threading.Event()
        unloader = threading.Thread(target=lambda: [client.unload_if_idle() for _ in iter(stop.is_set, True)])
        unloader.start()
        try:
            reasons = [answer(client)[1].reason for _ in range(8)]
        finally:
            stop.set()
            unloader.join()
        assert reasons == ["stop"] * 8

    def test_a_child_that_ignores_its_end_is_killed(self, make_client: Make) -> None:
        client = make_client(ignores_eof=True)
        answer(client)
        process = psutil.Process(client.pid)
        client.close()
        assert not process.is_running()

    def test_closed_is_closed(self, make_client: Make) -> None:
        client = make_client()
        client.close()
        assert "closed" in error_of(answer(client)[1]).message

    def test_no_zombies_threads_or_descriptors_are_left(self, make_client: Make) -> None:
        me = psutil.Process()
        warm = make_client()
        answer(warm)
        warm.close()
        descriptors, threads = me.num_fds(), threading.active_count()
        for number in range(6):
            client = make_client(die="kill" if number % 2 else "")
            answer(client)
            client.close()
        until(lambda: threading.active_count() <= threads)
        assert me.num_fds() <= descriptors
        assert not me.children()


class TestFiles:
    def test_checked_before_any_process_starts(self, make_client: Make, tmp_path: Path) -> None:
        client = make_client(client_command=["/nowhere/at/all"])
        client.path.write_bytes(b"<html>login</html>")
        assert "web page" in error_of(answer(client)[1]).message
        client.path.unlink()
        error = error_of(answer(client)[1])
        assert (error.kind, "not there" in error.message) == ("bad_model_file", True)
        with pytest.raises(BadModelFile):
            client.count(ask())

    def test_parts_of_a_split_model(self, make_client: Make, tmp_path: Path) -> None:
        split = {"split.count": 3}
        first, second, third = (tmp_path / f"big-0000{number}-of-00003.gguf" for number in (1, 2, 3))
        write_model_file(first, **split)
        write_model_file(third, **split)
        client = make_client()
        client.path = first
        error = error_of(answer(client)[1])
        assert "big-00002-of-00003.gguf is not there" in error.message
        write_model_file(second, **split)
        third.write_bytes(third.read_bytes()[:-100])
        assert "big-00003-of-00003.gguf: truncated" in error_of(answer(client)[1]).message
        write_model_file(third, **split)
        assert answer(client)[1].reason == "stop"

    def test_a_file_that_vanishes_after_loading(self, make_client: Make) -> None:
        client = make_client()
        answer(client)
        client.path.unlink()
        assert answer(client)[1].reason == "stop", "the loaded model goes on"
        client.unload()
        assert "not there" in error_of(answer(client)[1]).message


def test_log_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LOG_BYTES", 10_000)
    log = EngineLog(tmp_path / "logs" / "engine.log")
    for number in range(5_000):
        log.write(f"line {number}\n")
    log.close()
    files = list((tmp_path / "logs").iterdir())
    assert sum(file.stat().st_size for file in files) < 21_000
    assert log.tail[-1] == "line 4999"
    assert len(log.tail) == connection.TAIL_LINES


def test_log_that_can_not_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log = EngineLog(tmp_path / "file" / "engine.log")
    log.write("line\n")
    assert log.tail == ["line"]


def test_childs_environment() -> None:
    secrets = dict.fromkeys(("OPENAI_API_KEY", "AZURE_OPENAI_KEY", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN"), "secret")
    environment = {"PATH": "/bin", "LD_LIBRARY_PATH": "/bundle"} | secrets
    always = {"PATH": "/bin", "GGML_NO_BACKTRACE": "1", "GOMP_SPINCOUNT": "1000"}
    assert child_environment(environment, frozen=False) == always | {"LD_LIBRARY_PATH": "/bundle"}
    frozen = always | {"PYINSTALLER_RESET_ENVIRONMENT": "1"}
    assert child_environment(environment, frozen=True) == frozen
    original = environment | {"LD_LIBRARY_PATH_ORIG": "/usr/local/lib"}
    assert child_environment(original, frozen=True) == frozen | {"LD_LIBRARY_PATH": "/usr/local/lib"}


def test_users_own_waiting_of_threads_is_kept() -> None:
    assert child_environment({"GOMP_SPINCOUNT": "7"}, frozen=False)["GOMP_SPINCOUNT"] == "7"
    assert "GOMP_SPINCOUNT" not in child_environment({"OMP_WAIT_POLICY": "active"}, frozen=False)
