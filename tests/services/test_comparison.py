"""Comparisons over a real store and runner, with models that do what a test tells them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.core.cancel import CancelToken
from workbench.core.chat_options import ChatOptions
from workbench.core.errors import BadInput, UnknownModel
from workbench.core.events import Finished, Notice, StreamEvent, TextDelta
from workbench.core.messages import Attachment, FilePart, Message, TextPart
from workbench.core.models import ChatModel, ModelInfo
from workbench.core.requests import ChatRequest, LoadOptions, Sampling
from workbench.services.chat import ChatService
from workbench.services.comparison import ColumnSpec, ComparisonService
from workbench.services.model_pool import ModelPool
from workbench.services.runner import Runner
from workbench.store import Store


class Echo:
    """Says its name and the last prompt; counts how many of its kind run at once."""

    def __init__(self, name: str, *, remote: bool = False, size: int = 0, hold: threading.Event | None = None) -> None:
        self.info = ModelInfo(id=name, name=name, provider="test", remote=remote, size_bytes=size)
        self.requests: list[ChatRequest] = []
        self.hold = hold
        self.started = threading.Event()

    def stream(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        self.requests.append(request)
        self.started.set()
        yield Notice("Ignored: top_k.", kind="ignored")
        yield TextDelta(f"{self.info.name}: {request.messages[-1].text}")
        if self.hold is not None:
            while not self.hold.wait(0.02):
                if cancel.cancelled:
                    yield Finished(reason="cancelled")
                    return
        yield Finished(reason="stop")


class Shelf(dict[str, ChatModel]):
    def get(self, model_id: str, default: object = None) -> ChatModel:  # type: ignore[override]
        if model_id not in self:
            raise UnknownModel(f"No model answers to {model_id}.")
        return self[model_id]

    def loaded(self) -> list:
        return []


class Bench:
    def __init__(self, path: Path) -> None:
        self.store = Store.open(path)
        self.runner = Runner(self.store)
        self.models = Shelf()
        self.chat = ChatService(self.store, self.runner, self.models)
        pool = ModelPool(self.models, available=lambda: 1_000)
        self.service = ComparisonService(self.store, self.runner, self.models, self.chat, pool)

    def add(self, name: str, **options) -> Echo:
        self.models[name] = model = Echo(name, **options)
        return model


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "workbench.db")
    yield bench
    bench.runner.close()
    bench.store.close()


def columns(*names: str, **options) -> list[ColumnSpec]:
    return [ColumnSpec(model=name, **options) for name in names]


def say(text: str) -> Message:
    return Message.of("user", text)


def test_one_prompt_one_message_an_answer_for_each_column(bench: Bench) -> None:
    bench.add("a"), bench.add("b", remote=True)
    turn = bench.service.start(columns("a", "b"), say("hello"))
    assert turn.wait(10)
    session = turn.comparison.session_id
    messages = bench.store.messages(session)
    assert sorted(m.message.text for m in messages) == ["a: hello", "b: hello", "hello"]
    (stored,) = bench.service.turns(session)
    assert stored.prompt is not None
    assert stored.prompt.text == "hello"
    assert [[run.text for run in runs] for runs in stored.runs] == [["a: hello"], ["b: hello"]]
    assert stored.runs[0][0].conditions == ["Ignored: top_k."]
    assert bench.store.session(session).kind == "comparison"


def test_the_same_model_twice_with_other_options(bench: Bench) -> None:
    echo = bench.add("a")
    specs = [
        ColumnSpec(model="a", label="cold", options=ChatOptions(sampling=Sampling(temperature=0.0))),
        ColumnSpec(model="a", label="pirate", options=ChatOptions(system_prompt="Arr.")),
    ]
    turn = bench.service.start(specs, say("hello"))
    assert turn.wait(10)
    asked = {request.messages[0].text: request for request in echo.requests}
    assert asked["Arr."].messages[1].text == "hello"
    assert asked["hello"].sampling.temperature == 0.0
    assert [spec.title for spec in bench.service.turns(turn.comparison.session_id)[0].columns] == ["cold", "pirate"]


def test_samples_count_the_seed_up(bench: Bench) -> None:
    echo = bench.add("a")
    spec = ColumnSpec(model="a", samples=3, options=ChatOptions(sampling=Sampling(seed=2**32 - 1)))
    assert bench.service.start([spec], say("x")).wait(10)
    assert sorted(r.sampling.seed for r in echo.requests) == [0, 1, 2**32 - 1]


def test_follow_up_goes_on_below_each_columns_own_answer(bench: Bench) -> None:
    models = bench.add("a"), bench.add("b")
    first = bench.service.start(columns("a", "b"), say("one"))
    assert first.wait(10)
    second = bench.service.follow_up(first.comparison.session_id, say("two"))
    assert second.wait(10)
    for model in models:
        assert [m.text for m in model.requests[-1].messages] == ["one", f"{model.info.name}: one", "two"]
    assert [turn.prompt.text for turn in bench.service.turns(first.comparison.session_id) if turn.prompt] == [
        "one",
        "two",
    ]


def test_columns_with_keys_may_come_go_and_change_places(bench: Bench) -> None:
    a, b, c = bench.add("a"), bench.add("b"), bench.add("c")
    first = bench.service.start([ColumnSpec(model="a", key="k1"), ColumnSpec(model="b", key="k2")], say("one"))
    assert first.wait(10)
    changed = [ColumnSpec(model="c", key="k3"), ColumnSpec(model="a", key="k1")]
    session = first.comparison.session_id
    assert bench.service.follow_up(session, say("two"), columns=changed).wait(10)
    assert [m.text for m in a.requests[-1].messages] == ["one", "a: one", "two"]
    assert [m.text for m in c.requests[-1].messages] == ["two"]
    assert len(b.requests) == 1
    back = [ColumnSpec(model="b", key="k2"), ColumnSpec(model="a", key="k1")]
    assert bench.service.follow_up(session, say("three"), columns=back).wait(10)
    assert [m.text for m in b.requests[-1].messages] == ["one", "b: one", "three"]


def test_a_follow_up_goes_on_from_the_chosen_sample(bench: Bench) -> None:
    echo = bench.add("a")
    first = bench.service.start([ColumnSpec(model="a", key="k", samples=2)], say("one"))
    assert first.wait(10)
    chosen = first.columns[0].runs[0].record.message_id
    second = bench.service.follow_up(first.comparison.session_id, say("two"), leaves={"k": chosen})
    assert second.wait(10)
    asked = bench.store.message(second.columns[0].runs[0].record.message_id).parent_id
    assert bench.store.message(asked).parent_id == chosen
    assert echo.requests


def test_one_more_column_is_asked_the_same_prompt(bench: Bench) -> None:
    bench.add("a"), bench.add("late")
    first = bench.service.start([ColumnSpec(model="a", key="k1")], say("one"))
    assert first.wait(10)
    joined = bench.service.join(first.comparison.id, ColumnSpec(model="late", key="k2", samples=2))
    assert all(run.wait(10) for run in joined.runs)
    (turn,) = bench.service.turns(first.comparison.session_id)
    assert [spec.model for spec in turn.columns] == ["a", "late"]
    assert [[run.text for run in runs] for runs in turn.runs] == [["a: one"], ["late: one", "late: one"]]
    with pytest.raises(UnknownModel):
        bench.service.join(first.comparison.id, ColumnSpec(model="nobody"))


def test_retry_with_other_settings_is_recorded(bench: Bench) -> None:
    bench.add("a"), bench.add("b")
    turn = bench.service.start(columns("a", "b"), say("x"))
    assert turn.wait(10)
    again = bench.service.retry(turn.comparison.id, 1, ColumnSpec(model="a", label="instead"))
    assert again.wait(10)
    (stored,) = bench.service.turns(turn.comparison.session_id)
    assert [spec.title for spec in stored.columns] == ["a", "instead"]
    assert [run.model for run in stored.runs[1]] == ["b", "a"]


def test_a_waiting_column_knows_what_it_waits_for(bench: Bench) -> None:
    hold = threading.Event()
    bench.add("a", size=700, hold=hold), bench.add("b", size=700), bench.add("far", remote=True)
    turn = bench.service.start(columns("a", "b", "far"), say("x"))
    assert [turn.waits_for(column) for column in range(3)] == [[], [0], []]
    hold.set()
    assert turn.wait(10)
    assert turn.waits_for(1) == []


def test_what_does_not_fit_takes_turns_and_remote_models_do_not_wait(bench: Bench) -> None:
    hold = threading.Event()
    big, other = bench.add("big", size=700, hold=hold), bench.add("other", size=700)
    remote = bench.add("far", remote=True)
    turn = bench.service.start(columns("big", "other", "far"), say("x"))
    assert big.started.wait(10)
    assert remote.started.wait(10)
    assert not other.started.is_set()
    assert turn.columns[2].runs[0].wait(10)
    hold.set()
    assert turn.wait(10)
    assert other.started.is_set()


def test_models_that_fit_run_together(bench: Bench) -> None:
    hold = threading.Event()
    small = [bench.add(name, size=300, hold=hold) for name in "ab"]
    turn = bench.service.start(columns("a", "b"), say("x"))
    assert all(model.started.wait(10) for model in small)
    hold.set()
    assert turn.wait(10)


def test_one_by_one_keeps_the_order_even_for_remote_models(bench: Bench) -> None:
    hold = threading.Event()
    first, second = bench.add("a", remote=True, hold=hold), bench.add("b", remote=True)
    turn = bench.service.start(columns("a", "b"), say("x"), schedule="one_by_one")
    assert first.started.wait(10)
    assert not second.started.is_set()
    hold.set()
    assert turn.wait(10)
    waited = turn.columns[1].runs[0].record
    assert waited.duration_s < turn.columns[0].runs[0].record.duration_s + 5


def test_cancel_reaches_those_that_wait(bench: Bench) -> None:
    hold = threading.Event()
    bench.add("a", size=700, hold=hold)
    late = bench.add("b", size=700)
    turn = bench.service.start(columns("a", "b"), say("x"))
    turn.columns[1].runs[0].cancel()
    assert turn.columns[1].runs[0].wait(10)
    assert turn.columns[1].runs[0].record.status == "cancelled"
    assert not late.requests
    turn.cancel()
    assert turn.wait(10)
    assert {run.record.status for run in turn.runs} == {"cancelled"}
    assert turn.columns[0].runs[0].record.text == "a: x"


def test_retry_adds_a_sibling(bench: Bench) -> None:
    bench.add("a"), bench.add("b")
    turn = bench.service.start(columns("a", "b"), say("x"))
    assert turn.wait(10)
    again = bench.service.retry(turn.comparison.id, 1)
    assert again.wait(10)
    (stored,) = bench.service.turns(turn.comparison.session_id)
    assert [len(runs) for runs in stored.runs] == [1, 2]
    assert len(bench.chat.siblings(again.record.message_id)) == 3


def test_all_are_asked_again_in_turns_if_wanted(bench: Bench) -> None:
    first, second = bench.add("a", remote=True), bench.add("b", remote=True)
    turn = bench.service.start(columns("a", "b"), say("x"))
    assert turn.wait(10)
    first.hold, second.started = threading.Event(), threading.Event()
    specs = {place: column.spec for place, column in enumerate(turn.columns)}
    runs = bench.service.retry_all(turn.comparison.id, specs, schedule="one_by_one")
    assert list(runs) == [0, 1]
    assert not second.started.is_set()
    first.hold.set()
    assert all(run.wait(10) for run in runs.values())
    (stored,) = bench.service.turns(turn.comparison.session_id)
    assert [len(answers) for answers in stored.runs] == [2, 2]


def test_fork_copies_one_column_into_a_chat(bench: Bench) -> None:
    bench.add("a"), bench.add("b")
    note = FilePart(Attachment.of(b"some text", "text/plain", "note.txt"), "some text")
    turn = bench.service.start(
        [ColumnSpec(model="a"), ColumnSpec(model="b", options=ChatOptions(system_prompt="Be brief."))],
        Message("user", (TextPart("x"), note)),
    )
    assert turn.wait(10)
    chat = bench.service.fork(turn.comparison.session_id, 1)
    path = bench.chat.path(chat)
    assert [m.message.role for m in path] == ["user", "assistant"]
    assert path[1].message.text.startswith("b: ")
    assert bench.chat.options(chat) == ("b", ChatOptions(system_prompt="Be brief."))
    assert bench.store.attachment(path[0].message.attachments[0].sha256) == b"some text"
    assert len(bench.store.messages(turn.comparison.session_id)) == 3


def test_votes_name_a_shown_answer(bench: Bench) -> None:
    bench.add("a"), bench.add("b")
    turn = bench.service.start(columns("a", "b"), say("x"), blind=True)
    assert turn.wait(10)
    shown = [run.id for run in turn.runs]
    bench.service.vote(turn.comparison.id, "better", shown=shown, winner=shown[1], reason="shorter", blind=True)
    (vote,) = bench.store.votes(turn.comparison.id)
    assert (vote.winner_run_id, vote.reason, vote.blind) == (shown[1], "shorter", True)
    with pytest.raises(BadInput):
        bench.service.vote(turn.comparison.id, "better", shown=shown)
    with pytest.raises(BadInput):
        bench.service.vote(turn.comparison.id, "tie", shown=shown, winner=shown[0])
    with pytest.raises(BadInput):
        bench.service.vote(turn.comparison.id, "better", shown=shown, winner="else")


def test_bad_input_stores_nothing(bench: Bench) -> None:
    bench.add("a")
    for bad in ([], columns(*["a"] * 9), [ColumnSpec(model="a", samples=0)]):
        with pytest.raises(BadInput):
            bench.service.start(bad, say("x"))
    with pytest.raises(UnknownModel):
        bench.service.start(columns("a", "nobody"), say("x"))
    assert bench.store.sessions() == []
    assert not bench.models["a"].requests  # type: ignore[attr-defined]


def test_groups_are_files_with_options(bench: Bench) -> None:
    pool = ModelPool(bench.models, available=lambda: 100)
    local, remote = Echo("a", size=80), Echo("r", remote=True)
    assert pool.group(local, LoadOptions()) == "a"
    assert pool.group(remote, LoadOptions()) is None
    assert pool.waves([local, remote, Echo("b", size=80), local], [LoadOptions()] * 4) == [0, None, 1, 0]
    assert pool.waves([local, remote], [LoadOptions()] * 2, one_by_one=True) == [0, 1]
