"""Runs from the question to the stored answer, with models that behave and models that do not."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.services.conftest import ScriptedModel
from workbench.core.cancel import CancelToken
from workbench.core.errors import BadInput, Cancelled, ErrorInfo, ProviderError, StoreError
from workbench.core.events import (
    Finished,
    LoadProgress,
    Logprobs,
    Notice,
    PromptProgress,
    ReasoningDelta,
    RunDetails,
    StreamEvent,
    TextDelta,
    Timings,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from workbench.core.messages import Message, ReasoningPart, TextPart, ToolCallPart
from workbench.core.models import ModelInfo, Prices
from workbench.core.requests import ChatRequest, ResponseFormat, Sampling
from workbench.core.runs import RunRecord
from workbench.services.run_buffer import Cursor
from workbench.services.runner import Run, Runner
from workbench.store import Store

STOP = Finished(reason="stop")
HELLO = Message.of("user", "hello")
REQUEST = ChatRequest(messages=(Message.of("system", "Be brief."), HELLO), sampling=Sampling(temperature=0.5, seed=7))


def until(condition: Callable[[], bool], timeout_s: float = 15) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def ask(runner: Runner, store: Store, *script: object, **model: object) -> Run:
    """Start a run of a model with this script in a new session."""
    return runner.start(
        ScriptedModel(*script, **model),  # type: ignore[arg-type]
        REQUEST,
        session_id=store.create_session().id,
        user=HELLO,
    )


def stored(store: Store, run: Run) -> RunRecord:
    assert run.wait(20)
    found = store.run(run.id)
    assert found is not None
    assert found == run.record
    return found


def answer(store: Store, run: Run) -> Message:
    assert run.assistant_message is not None
    message = store.message(run.assistant_message.id)
    assert message is not None
    return message.message


def test_an_engine_that_dies_leaves_the_tokens_of_the_prompt_it_had_read(runner: Runner, store: Store) -> None:
    died = Finished(reason="failed", error=ErrorInfo(kind="engine_died", message="It died."))
    read = PromptProgress(evaluated=10, total=12, cached=2)
    record = stored(store, ask(runner, store, read, TextDelta("Hi"), died))
    assert (record.prompt_tokens, record.cached_tokens, record.evaluated_tokens) == (12, 2, 10)
    half = PromptProgress(evaluated=5, total=12, cached=2)
    record = stored(store, ask(runner, store, half, died))
    assert (record.prompt_tokens, record.evaluated_tokens) == (None, None)


# --- a good run -----------------------------------------------------------------------------------------------
def test_the_prompt_is_stored_before_the_model_is_asked(runner: Runner, store: Store) -> None:
    seen: list[tuple[list[str], list[str]]] = []

    def look() -> None:
        session = store.sessions()[0]
        seen.append(([m.message.text for m in store.messages(session.id)], [r.status for r in store.runs(session.id)]))

    ask(runner, store, look, STOP).wait(20)
    assert seen == [(["hello", ""], ["running"])]


def test_a_complete_record(runner: Runner, store: Store) -> None:
    run = ask(
        runner,
        store,
        LoadProgress(0.5),
        RunDetails(seed=7, sampling={"temperature": 0.5, "top_k": 40}, rendered_prompt="<|user|>hello", n_ctx=2048),
        PromptProgress(evaluated=10, total=12, cached=2),
        ReasoningDelta("think"),
        ReasoningDelta("ing", "sig"),
        TextDelta("Hi"),
        TextDelta(" there"),
        ToolCallDelta(index=1, id="b", name="second", arguments="{}"),
        ToolCallDelta(index=0, id="a", name="first", arguments='{"x":'),
        ToolCallDelta(index=0, arguments="1}"),
        Logprobs((TokenLogprob("Hi", -0.5, (("Ho", -1.0),)),)),
        Notice("top_k is ignored", "ignored"),
        Usage(prompt_tokens=12, cached_tokens=2, completion_tokens=6, reasoning_tokens=2),
        Timings(load_s=1.5, prefill_tokens_per_s=100.0, decode_tokens_per_s=50.0, memory_bytes=1000),
        RunDetails(model_version="v2"),
        Finished(reason="length", detail="max_tokens"),
    )
    record = stored(store, run)
    assert (record.status, record.finish_reason, record.finish_detail) == ("done", "length", "max_tokens")
    assert (record.text, record.reasoning, record.system_prompt) == ("Hi there", "thinking", "Be brief.")
    assert record.tool_calls == [
        {"id": "a", "name": "first", "arguments": '{"x":1}'},
        {"id": "b", "name": "second", "arguments": "{}"},
    ]
    assert (record.prompt_tokens, record.cached_tokens, record.evaluated_tokens) == (12, 2, 10)
    assert (record.completion_tokens, record.reasoning_tokens, record.context_tokens) == (6, 2, 18)
    assert (record.load_s, record.decode_tokens_per_s, record.memory_bytes) == (1.5, 50.0, 1000)
    assert (record.seed, record.model_version, record.n_ctx) == (7, "v2", 2048)
    assert record.sampling == {"temperature": 0.5, "top_k": 40}
    assert record.rendered_prompt == "<|user|>hello"
    assert record.notices == ["top_k is ignored"]
    assert record.logprobs == [{"token": "Hi", "logprob": -0.5, "alternatives": [["Ho", -1.0]]}]
    assert record.time_to_first_token_s is not None and record.duration_s is not None
    assert 0 <= record.time_to_first_token_s <= record.duration_s
    assert record.reasoning_s is not None and record.ended_at is not None
    parts = answer(store, run).parts
    assert parts == (
        ReasoningPart("thinking", "sig", record.reasoning_s),
        TextPart("Hi there"),
        ToolCallPart("a", "first", '{"x":1}'),
        ToolCallPart("b", "second", "{}"),
    )
    delta = run.buffer.read(Cursor())
    assert (delta.text, delta.reasoning, delta.notices) == ("Hi there", "thinking", ("top_k is ignored",))
    assert (delta.state, delta.finished) == ("finished", Finished(reason="length", detail="max_tokens"))
    assert runner.active() == []


def test_what_was_asked_is_recorded(runner: Runner, store: Store) -> None:
    request = ChatRequest(messages=(HELLO,), response_format=ResponseFormat(kind="json_object"), overflow="drop_oldest")
    run = runner.start(ScriptedModel(STOP), request, session_id=store.create_session().id, user=HELLO)
    record = stored(store, run)
    assert record.request == {"response_format": {"kind": "json_object"}, "overflow": "drop_oldest"}
    assert record.sampling == {}


def test_the_runners_clock_fills_in_for_remote_models(runner: Runner, store: Store) -> None:
    pause = threading.Event()
    run = ask(runner, store, TextDelta("a"), pause, TextDelta("b"), Usage(prompt_tokens=1, completion_tokens=11), STOP)
    until(lambda: run.buffer.text == "a")
    pause.set()
    record = stored(store, run)
    assert record.decode_tokens_per_s is not None and record.duration_s is not None
    assert record.decode_tokens_per_s >= 10 / record.duration_s


@pytest.mark.parametrize(
    ("prices", "usage", "cost"),
    [
        (Prices(input=1, output=10), Usage(prompt_tokens=100, completion_tokens=20), 300e-6),
        (
            Prices(input=1, output=10, cached_input=0.1, cache_write=2),
            Usage(
                prompt_tokens=100, cached_tokens=50, cache_write_tokens=10, completion_tokens=20, reasoning_tokens=15
            ),
            265e-6,
        ),
        (Prices(input=1), Usage(prompt_tokens=100, completion_tokens=20), None),
        (Prices(input=0, output=0), Usage(prompt_tokens=100, completion_tokens=20), 0.0),
        (None, Usage(prompt_tokens=100, completion_tokens=20), None),
        (Prices(input=1, output=10), Usage(completion_tokens=20), None),
    ],
)
def test_cost(runner: Runner, store: Store, prices: Prices | None, usage: Usage, cost: float | None) -> None:
    record = stored(store, ask(runner, store, TextDelta("x"), usage, STOP, prices=prices))
    assert record.cost_usd == (None if cost is None else pytest.approx(cost))
    assert (record.price_snapshot is None) == (prices is None)


def test_several_answers_to_one_prompt(runner: Runner, store: Store) -> None:
    session = store.create_session("comparison")
    first = runner.start(
        ScriptedModel(TextDelta("one"), STOP), REQUEST, session_id=session.id, user=HELLO, comparison_id="c"
    )
    assert first.user_message is not None
    second = runner.start(
        ScriptedModel(TextDelta("two"), STOP),
        REQUEST,
        session_id=session.id,
        parent_id=first.user_message.id,
        comparison_id="c",
    )
    assert second.user_message is None
    assert stored(store, first).comparison_id == stored(store, second).comparison_id == "c"
    assert [m.message.text for m in store.messages(session.id)] == ["hello", "one", "two"]


@pytest.mark.parametrize("with_store", [True, False])
def test_nothing_is_kept_when_that_is_wanted(store: Store, with_store: bool) -> None:
    runner = Runner(store if with_store else None)
    run = runner.start(ScriptedModel(TextDelta("secret"), STOP), REQUEST, session_id=None, user=HELLO)
    assert run.wait(20)
    assert (run.record.text, run.record.status) == ("secret", "done")
    assert store.runs() == [] and store.sizes().messages == 0
    runner.close()


def test_a_bad_session_is_told_before_anything_is_asked(runner: Runner, store: Store) -> None:
    model = ScriptedModel(STOP)
    with pytest.raises(BadInput, match="no session"):
        runner.start(model, REQUEST, session_id="nowhere", user=HELLO)
    assert model.requests == [] and runner.active() == []


# --- saving while it goes on ----------------------------------------------------------------------------------
def test_the_partial_answer_is_saved_while_the_model_stalls(runner: Runner, store: Store) -> None:
    first, second = threading.Event(), threading.Event()
    run = ask(runner, store, ReasoningDelta("hm"), TextDelta("one"), first, TextDelta(" two"), second, STOP)

    def saved() -> tuple[str, str, str]:
        record = store.run(run.id)
        assert record is not None
        return record.text, record.reasoning, record.status

    until(lambda: saved() == ("one", "hm", "running"))
    first.set()
    until(lambda: saved() == ("one two", "hm", "running"))
    second.set()
    stored(store, run)


def test_how_a_run_is_asked_is_saved_while_a_long_prompt_is_read(runner: Runner, store: Store) -> None:
    read = threading.Event()
    run = ask(runner, store, RunDetails(seed=7, gguf_sha256="ab", rendered_prompt="long"), read, TextDelta("x"), STOP)

    def saved() -> tuple[object, ...]:
        record = store.run(run.id)
        assert record is not None
        return record.seed, record.gguf_sha256, record.rendered_prompt, record.status

    until(lambda: saved() == (7, "ab", "long", "running"))
    read.set()
    assert stored(store, run).text == "x"


def test_a_run_goes_on_when_the_disk_is_full_and_is_saved_later(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.services.runner.RETRY_DELAYS_S", (0.05,))
    runner = Runner(store)
    more = threading.Event()
    run = ask(runner, store, TextDelta("x" * 500_000), more, TextDelta("end"), STOP)

    def pages(db: sqlite3.Connection, room: int) -> None:
        db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0] + room}")

    store._write(lambda db: pages(db, 0), alone=True)
    until(lambda: any("could not be saved" in notice for notice in run.buffer.read(Cursor()).notices))
    more.set()
    assert run.wait(20)
    assert run.record.status == "done" and run.record.text.endswith("end")
    unsaved = store.run(run.id)
    assert unsaved is not None and unsaved.status == "running"
    store._write(lambda db: pages(db, 100_000), alone=True)

    def saved() -> bool:
        record = store.run(run.id)
        return record is not None and record.text == run.record.text and record.status == "done"

    until(saved)
    assert answer(store, run).text == run.record.text
    runner.close()


# --- models that do not behave --------------------------------------------------------------------------------
def test_a_bug_in_a_model(runner: Runner, store: Store, caplog: pytest.LogCaptureFixture) -> None:
    record = stored(store, ask(runner, store, TextDelta("so far"), ZeroDivisionError("oops")))
    assert (record.status, record.finish_reason, record.text) == ("failed", "failed", "so far")
    assert record.error is not None and record.error.kind == "bug"
    assert "ZeroDivisionError: oops" in record.error.detail and "Traceback" in record.error.detail
    assert stored(store, ask(runner, store, TextDelta("next"), STOP)).text == "next"


@pytest.mark.parametrize(
    ("script", "status", "kind"),
    [
        ([TextDelta("part"), ProviderError("refused", hint="wait")], "failed", "provider_error"),
        ([TextDelta("part"), Cancelled("stopped")], "cancelled", None),
        ([TextDelta("part")], "failed", "ended_early"),
        ([TextDelta("part"), Finished(reason="failed", error=ErrorInfo(kind="x", message="y"))], "failed", "x"),
        ([TextDelta("part"), SystemExit(3)], "failed", "bug"),
    ],
)
def test_a_failed_run_keeps_its_text(
    runner: Runner, store: Store, script: list[object], status: str, kind: str | None
) -> None:
    run = ask(runner, store, *script)
    record = stored(store, run)
    assert (record.status, record.text, record.error and record.error.kind) == (status, "part", kind)
    assert answer(store, run).text == "part"


@pytest.mark.parametrize(
    "event",
    [
        Usage(prompt_tokens="many"),  # type: ignore[arg-type]
        Finished(reason="bored"),  # type: ignore[arg-type]
        RunDetails(seed="x"),  # type: ignore[arg-type]
        TextDelta(5),  # type: ignore[arg-type]
    ],
)
def test_events_of_the_wrong_type_fail_the_run_not_the_runner(runner: Runner, store: Store, event: StreamEvent) -> None:
    record = stored(store, ask(runner, store, TextDelta("part"), event, STOP))
    assert (record.status, record.text, record.error and record.error.kind) == ("failed", "part", "bug")


def test_absurd_counts_are_stored_as_unknown(runner: Runner, store: Store) -> None:
    run = ask(runner, store, Usage(prompt_tokens=10**30, completion_tokens=1), STOP)
    assert run.wait(20)
    record = store.run(run.id)
    assert record is not None
    assert (record.status, record.prompt_tokens, record.completion_tokens) == ("done", None, 1)


def test_an_error_after_the_end_takes_nothing_back(runner: Runner, store: Store) -> None:
    class BadCleanUp:
        info = ModelInfo(id="bad", name="Bad", provider="test")

        def stream(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
            try:
                yield TextDelta("good")
                yield STOP
            finally:
                raise OSError("the socket was gone")

    run = runner.start(BadCleanUp(), REQUEST, session_id=store.create_session().id, user=HELLO)
    assert (stored(store, run).status, run.record.text) == ("done", "good")


def test_what_comes_after_the_end_is_not_read(runner: Runner, store: Store) -> None:
    model = ScriptedModel(TextDelta("a"), STOP, TextDelta("b"), ZeroDivisionError())
    run = runner.start(model, REQUEST, session_id=store.create_session().id, user=HELLO)
    assert stored(store, run).text == "a"
    assert model.closed == 1


def test_text_that_utf8_can_not_hold(runner: Runner, store: Store) -> None:
    run = ask(runner, store, TextDelta("a\ud800"), ReasoningDelta("\ud83d\udc4d"), STOP)
    record = stored(store, run)
    assert (record.text, record.reasoning) == ("a\ufffd", "👍")
    run.buffer.text.encode()


# --- cancel and close -----------------------------------------------------------------------------------------
def test_cancel(runner: Runner, store: Store) -> None:
    forever = threading.Event()
    run = ask(runner, store, TextDelta("as far as"), forever, TextDelta(" this"), STOP)
    until(lambda: run.buffer.text != "")
    assert runner.active() == [run] and not run.done and not run.wait(0)
    run.cancel()
    record = stored(store, run)
    assert (record.status, record.text, record.error) == ("cancelled", "as far as", None)


def test_a_model_that_stops_without_a_word_when_cancelled(runner: Runner, store: Store) -> None:
    class Mute:
        info = ModelInfo(id="mute", name="Mute", provider="test")

        def stream(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
            yield TextDelta("a")
            cancel.wait(20)

    run = runner.start(Mute(), REQUEST, session_id=store.create_session().id, user=HELLO)
    until(lambda: run.buffer.text == "a")
    runner.cancel_all()
    assert stored(store, run).status == "cancelled"


def test_close_stores_what_a_stuck_model_has_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.services.runner.CLOSE_TIMEOUT_S", 0.2)
    stuck = threading.Event()

    class Stuck:
        info = ModelInfo(id="stuck", name="Stuck", provider="test")

        def stream(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
            yield TextDelta("then it hung")
            stuck.wait(20)
            yield STOP

    runner = Runner(store)
    run = runner.start(Stuck(), REQUEST, session_id=store.create_session().id, user=HELLO)
    until(lambda: run.buffer.text != "")
    runner.close()
    record = stored(store, run)
    assert (record.status, record.text) == ("cancelled", "then it hung")
    stuck.set()
    with pytest.raises(StoreError, match="closing"):
        runner.start(Stuck(), REQUEST, session_id=None)


def test_many_runs_at_once(runner: Runner, store: Store) -> None:
    pieces = [TextDelta(f"{number} ") for number in range(300)]
    runs = [ask(runner, store, *pieces, Usage(completion_tokens=300), STOP, id=f"m{n}") for n in range(8)]
    text = "".join(piece.text for piece in pieces)
    assert [stored(store, run).text for run in runs] == [text] * 8
    assert store.integrity() == []
