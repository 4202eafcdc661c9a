"""Runs: every field, partial saves, lists, comparisons and judgements."""

from __future__ import annotations

import threading
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.conftest import record
from workbench.core.errors import ErrorInfo
from workbench.core.messages import Message, ReasoningPart, TextPart, ToolCallPart
from workbench.core.runs import RunRecord
from workbench.store import Comparison, ModelRow, Rating, RunFilter, RunSort, Store, Vote, with_answer


def full_record(session_id: str) -> RunRecord:
    """Every field has a value that is not its default."""
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(RunRecord):
        choices = get_args(field.type) or (field.type,)
        if str in choices or field.type is str:
            values[field.name] = f"{field.name} 🙂"
        elif bool in choices:
            values[field.name] = True
        elif int in choices:
            values[field.name] = 2**40 + len(field.name)
        elif float in choices:
            values[field.name] = len(field.name) / 7
    values |= {
        "session_id": session_id,
        "message_id": None,
        "comparison_id": "comparison-1",
        "status": "failed",
        "started_at": "2024-05-01T00:00:00.000+00:00",
        "tool_calls": [{"id": "1", "name": "n", "arguments": "{"}],
        "error": ErrorInfo(kind="k", message="m", hint="h", detail="d"),
        "sampling": {"temperature": 0.5, "stop": ["a"]},
        "request": {"tools": [{"name": "x"}]},
        "logprobs": [{"token": "a", "logprob": -1.5}],
        "notices": ["one", "two"],
        "price_snapshot": {"input": 1.0},
    }
    return RunRecord(**values)


def test_every_field_comes_back(store: Store) -> None:
    run = full_record(store.create_session().id)
    for field in msgspec.structs.fields(RunRecord):
        if field.name != "message_id" and field.default is not msgspec.NODEFAULT:
            assert getattr(run, field.name) != field.default, f"{field.name} is not exercised"
    store.start_run(run)
    assert store.run(run.id) == run
    assert store.runs() == [run]
    run.text, run.cost_usd, run.error = "changed", None, None
    store.finish_run(run)
    assert store.run(run.id) == run


def test_every_field_is_a_column(store: Store) -> None:
    columns = {row[1] for row in store._all("PRAGMA table_info(runs)")}
    assert set(RunRecord.__struct_fields__) <= columns


@given(text=st.text(max_size=200), sampling=st.dictionaries(st.text(max_size=5), st.floats() | st.text(max_size=9)))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_can_be_stored(store: Store, text: str, sampling: dict[str, Any]) -> None:
    run = record(text=text, sampling=sampling, error=ErrorInfo(kind="k", message=text), notices=[text])
    store.start_run(run)
    read = store.run(run.id)
    assert read is not None and read.error is not None
    assert read.text == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") == read.error.message


def test_the_prompt_and_the_run_come_together(store: Store) -> None:
    session = store.create_session()
    run = record()
    user, answer = store.start_exchange(session.id, None, Message.of("user", "hello"), run, title="hello")
    assert user is not None
    assert (answer.parent_id, answer.run_id, answer.message.parts) == (user.id, run.id, ())
    assert (run.session_id, run.message_id) == (session.id, answer.id)
    assert store.messages(session.id) == [user, answer]
    found = store.session(session.id)
    assert found is not None and (found.title, found.leaf_id) == ("hello", answer.id)
    store.update_session(session.id, title="mine")
    store.start_exchange(session.id, answer.id, Message.of("user", "more"), record(), title="more")
    found = store.session(session.id)
    assert found is not None and found.title == "mine"


def held(store: Store) -> threading.Event:
    busy, go = threading.Event(), threading.Event()

    def wait(db: Any) -> None:
        busy.set()
        go.wait(10)

    store._submit(wait)
    busy.wait(10)
    return go


def test_of_waiting_partial_saves_the_newest_wins(store: Store) -> None:
    run = record(store.create_session().id)
    store.start_run(run)
    go = held(store)
    futures = [store.save_partial(msgspec.structs.replace(run, text="x" * n)) for n in range(1, 50)]
    assert len(set(map(id, futures))) == 1
    go.set()
    futures[-1].result(10)
    read = store.run(run.id)
    assert read is not None and (read.text, read.status) == ("x" * 49, "running")
    store.save_partial(msgspec.structs.replace(run, text="next")).result(10)
    read = store.run(run.id)
    assert read is not None and read.text == "next"
    assert store._partials == {}


def test_a_partial_save_holds_how_the_answer_came_to_be(store: Store) -> None:
    """What a run that is cut off leaves behind."""
    run = record(store.create_session().id)
    store.start_run(run)
    known = {"gguf_sha256": "ab", "llama_cpp_build": "b1", "n_ctx": 2048, "n_gpu_layers": 0, "flash_attn": "on"}
    known |= {"chat_template_sha256": "cd", "rendered_prompt": "<|user|>", "cached_tokens": 3, "conditions": ["x"]}
    store.save_partial(msgspec.structs.replace(run, text="so far", **known)).result(10)
    read = store.run(run.id)
    assert read is not None and {name: getattr(read, name) for name in known} == known


def test_a_partial_save_never_comes_after_the_end(store: Store) -> None:
    run = record(store.create_session().id)
    store.start_run(run)
    go = held(store)
    early = store.save_partial(msgspec.structs.replace(run, text="early"))
    finished = threading.Thread(target=store.finish_run, args=[msgspec.structs.replace(run, text="all", status="done")])
    finished.start()
    go.set()
    finished.join(10)
    early.result(10)
    store.save_partial(msgspec.structs.replace(run, text="late")).result(10)
    read = store.run(run.id)
    assert read is not None and (read.text, read.status) == ("all", "done")


def test_finish_writes_the_message(store: Store) -> None:
    session = store.create_session()
    run = record()
    _, answer = store.start_exchange(session.id, None, Message.of("user", "q"), run)
    run.text, run.reasoning, run.reasoning_s, run.status = "a", "because", 1.0, "done"
    store.finish_run(run, with_answer(answer.message, run, signature="sig"))
    read = store.message(answer.id)
    assert read is not None
    assert read.message.parts == (ReasoningPart("because", "sig", 1.0), TextPart("a"))


def test_going_on_lengthens_the_message() -> None:
    before = Message("assistant", (ReasoningPart("why", "s", 1.0), TextPart("The ans")))
    run = record(text="wer", reasoning="!", reasoning_s=0.5, tool_calls=[{"id": "1", "name": "n", "arguments": "{}"}])
    assert with_answer(before, run).parts == (
        ReasoningPart("why!", "s", 1.5),
        TextPart("The answer"),
        ToolCallPart("1", "n", "{}"),
    )
    assert with_answer(before, record()) == before


# --- lists ----------------------------------------------------------------------------------------------------
@pytest.fixture
def history(store: Store) -> Store:
    session = store.create_session(title="Capitals")
    user = store.add_message(session.id, None, Message.of("user", "capital of France"))
    for number in range(12):
        run = record(
            id=f"r{number:02}",
            model=f"model-{number % 3}",
            provider="openai" if number % 2 else "local",
            remote=bool(number % 2),
            comparison_id="c1" if number < 2 else None,
            started_at=f"2024-01-{number + 1:02}T00:00:00.000+00:00",
            cost_usd=None if number % 4 == 0 else number / 10,
            decode_tokens_per_s=float((number * 7) % 12),
        )
        _, answer = store.start_exchange(session.id, user.id, None, run)
        run.status = "failed" if number == 5 else "done"
        run.text = f"Paris {number}" if number < 6 else f"Lyon {number}"
        store.finish_run(run, with_answer(answer.message, run))
    return store


def ids(store: Store, **filters: Any) -> list[int]:
    rows = store.run_rows(RunFilter(**filters))
    assert store.count_runs(RunFilter(**filters)) == len(rows)
    assert [run.id for run in store.runs(filter=RunFilter(**filters))] == [row.id for row in rows]
    return [int(row.id[1:]) for row in rows]


def test_filters(history: Store) -> None:
    assert ids(history) == list(range(11, -1, -1))
    assert ids(history, models=("model-0", "model-2"), remote=True) == [11, 9, 5, 3]
    assert ids(history, providers=("local",), since="2024-01-07") == [10, 8, 6]
    assert ids(history, until="2024-01-03") == [1, 0]
    assert ids(history, statuses=("failed",)) == [5]
    assert ids(history, comparison_id="c1") == [1, 0]
    assert ids(history, text="lyo") == [11, 10, 9, 8, 7, 6]
    assert len(ids(history, text="france")) == 12
    assert ids(history, text="lyon france") == []
    assert ids(history, session_id="nowhere") == []
    assert history.run_models() == [("model-0", 4), ("model-1", 4), ("model-2", 4)]


@pytest.mark.parametrize("sort", get_args(RunSort))
@pytest.mark.parametrize("descending", [True, False])
def test_sorts_with_unknown_values_last(history: Store, sort: RunSort, descending: bool) -> None:
    rows = history.run_rows(sort=sort, descending=descending)
    values = [getattr(row, sort) for row in rows]
    known = [value for value in values if value is not None]
    assert values == sorted(known, reverse=descending) + [None] * (12 - len(known))
    paged = [
        row
        for offset in range(0, 12, 5)
        for row in history.run_rows(sort=sort, descending=descending, limit=5, offset=offset)
    ]
    assert paged == rows


def test_an_unknown_order_is_refused(history: Store) -> None:
    with pytest.raises(ValueError, match="can't be sorted"):
        history.run_rows(sort="id; DROP TABLE runs")  # type: ignore[arg-type]


def test_pages_are_chosen_by_the_index_alone(history: Store) -> None:
    for filter_ in (RunFilter(), RunFilter(models=("a",), remote=True, since="2024")):
        for sort in get_args(RunSort):
            statements: list[str] = []
            with history._readers.use() as connection:
                connection.set_trace_callback(statements.append)
            history.run_rows(filter_, sort=sort)
            with history._readers.use() as connection:
                connection.set_trace_callback(None)
            plan = [row[3] for row in history._all(f"EXPLAIN QUERY PLAN {statements[-1]}")]
            assert any("runs USING COVERING INDEX runs_overview" in step for step in plan), plan
            assert "SCAN runs" not in plan


def test_a_row_of_the_table(history: Store) -> None:
    row = history.run_rows(RunFilter(text="paris"), limit=1)[0]
    assert (row.session_title, row.preview, row.vote, row.rating) == ("Capitals", "Paris 5", None, None)


def test_votes_and_ratings(history: Store) -> None:
    vote = history.add_vote(
        Vote(comparison_id="c1", verdict="better", winner_run_id="r01", run_ids=("r01", "r00"), reason="it is right")
    )
    assert history.votes("c1") == [vote] == history.votes()
    assert ids(history, voted=True) == [1, 0]
    assert [row.vote for row in history.run_rows(RunFilter(voted=True))] == ["won", "lost"]
    history.add_vote(Vote(comparison_id="c1", verdict="both_bad", created_at="2999"))
    assert {row.vote for row in history.run_rows(RunFilter(comparison_id="c1"))} == {"both_bad"}
    history.rate(Rating(run_id="r07", rating=-1, reason="wrong"))
    history.rate(Rating(run_id="r07", rating=1))
    rating = history.rating("r07")
    assert rating is not None and (rating.rating, rating.reason) == (1, "")
    assert ids(history, voted=True) == [7, 1, 0]
    assert len(ids(history, voted=False)) == 9
    history.unrate("r07")
    assert history.rating("r07") is None


def test_comparisons(store: Store) -> None:
    session = store.create_session("comparison")
    made = store.add_comparison(Comparison(session_id=session.id, columns=[{"model": "a"}, {"model": "b"}], blind=True))
    assert store.comparison(made.id) == made
    assert store.comparisons(session.id) == [made]
    store.start_run(record(session.id, comparison_id=made.id))
    assert store.comparison(made.id) == made
    assert store.comparison("nowhere") is None


def test_the_ledger_lists_what_left_the_machine(history: Store) -> None:
    entries = history.ledger()
    assert [entry.run_id for entry in entries] == [f"r{n:02}" for n in (11, 9, 7, 5, 3, 1)]
    assert {entry.provider for entry in entries} == {"openai"}
    assert [entry.run_id for entry in history.ledger(limit=2, offset=1)] == ["r09", "r07"]


# --- presets and models ---------------------------------------------------------------------------------------
def test_presets(store: Store) -> None:
    store.save_preset("B", "chat", {"x": 1})
    store.save_preset("a", "chat", {})
    store.save_preset("B", "columns", {"columns": []})
    store.save_preset("B", "chat", {"x": 2})
    assert [(p.name, p.options) for p in store.presets("chat")] == [("a", {}), ("B", {"x": 2})]
    store.delete_preset("B", "chat")
    assert [p.name for p in store.presets("chat")] == ["a"]
    assert [p.name for p in store.presets("columns")] == ["B"]


def test_models(store: Store) -> None:
    row = ModelRow(id="local:x", path="/x.gguf", sha256="ab", parameters=135_000_000, measured={"speed": 90.5})
    store.upsert_model(row)
    first = store.model("local:x")
    assert first is not None and first.added_at
    store.upsert_model(msgspec.structs.replace(row, quantization="Q4_1"))
    store.model_used("local:x")
    second = store.model("local:x")
    assert second is not None
    assert (second.added_at, second.quantization, second.measured) == (first.added_at, "Q4_1", {"speed": 90.5})
    assert second.last_used_at
    assert store.models() == [second]
    store.forget_model("local:x")
    assert store.model("local:x") is None
