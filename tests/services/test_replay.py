"""A logged answer asked again: the same request, the old answer beside the new one, nothing counted twice."""

from __future__ import annotations

import threading

import msgspec
import pytest

from tests.services.conftest import Models, ScriptedModel
from workbench.core.chat_options import ChatOptions
from workbench.core.errors import BadInput
from workbench.core.events import Finished, TextDelta, Usage
from workbench.core.messages import Attachment, FilePart, Message, TextPart
from workbench.core.models import Prices
from workbench.core.requests import Sampling
from workbench.services.chat import ChatService
from workbench.services.comparison import ComparisonService
from workbench.services.model_pool import ModelPool
from workbench.services.replay import ReplayService, options_of
from workbench.services.runner import Runner
from workbench.store import Store
from workbench.store.archive import import_session

STOP = Finished(reason="stop")


class Bench:
    def __init__(self, store: Store, runner: Runner) -> None:
        prices = Prices(input=1.0, output=2.0)
        usage = Usage(prompt_tokens=100, completion_tokens=50)
        self.old = ScriptedModel(TextDelta("old answer"), usage, STOP, id="openai:old", prices=prices, remote=True)
        self.new = ScriptedModel(TextDelta("new answer"), STOP, id="new")
        self.models = Models()
        self.models.models = {"openai:old": self.old, "new": self.new}
        self.store, self.runner = store, runner
        self.chat = ChatService(store, runner, self.models)
        self.service = ReplayService(store, runner, self.models, self.chat)
        pool = ModelPool(type("None_", (), {"loaded": lambda self: []})(), available=lambda: 10**12)
        self.comparisons = ComparisonService(store, runner, self.models, self.chat, pool)

    def logged(self, *prompts: str, options: ChatOptions | None = None) -> list[str]:
        """Run ids of a chat with these prompts."""
        session, parent, ids = self.store.create_session(), None, []
        for prompt in prompts:
            message = Message.of("user", prompt)
            run = self.chat.send(session.id, parent, message, "openai:old", options or ChatOptions())
            assert run.wait(10)
            parent = run.record.message_id
            ids.append(run.id)
        return ids


@pytest.fixture
def bench(store: Store, runner: Runner) -> Bench:
    return Bench(store, runner)


def test_the_new_answer_stands_beside_the_old_one(bench: Bench) -> None:
    options = ChatOptions(system_prompt="Be brief.", sampling=Sampling(temperature=0.3, seed=9))
    _, second = bench.logged("One?", "Two?", options=options)
    batch = bench.service.start([second], "new")
    assert batch.wait(10)
    assert batch.failures == []
    (replayed,) = batch.started
    (turn,) = bench.comparisons.turns(replayed.session_id)
    assert [[run.text for run in runs] for runs in turn.runs] == [["old answer"], ["new answer"]]
    assert turn.prompt is not None
    assert turn.prompt.text == "Two?"
    assert [spec.title for spec in turn.columns] == ["Openai:Old (recorded)", "new"]
    (request,) = bench.new.requests
    assert [(m.role, m.text) for m in request.messages] == [
        ("system", "Be brief."),
        ("user", "One?"),
        ("assistant", "old answer"),
        ("user", "Two?"),
    ]
    assert (request.sampling.temperature, request.sampling.seed) == (0.3, 9)
    assert len(bench.old.requests) == 2, "the old model is not asked again"
    assert bench.store.integrity() == []


def test_a_copy_does_not_count_as_sent_again(bench: Bench) -> None:
    (run_id,) = bench.logged("One?")
    before = bench.store.ledger()
    bench.service.start([run_id], "new").wait(10)
    assert bench.store.ledger() == before
    copy = next(run for run in bench.store.runs() if run.request.get("copy_of"))
    assert copy.request["copy_of"] == run_id
    assert copy.cost_usd == pytest.approx(0.0002)
    assert "copied" in copy.notices[-1]


def test_attachments_come_along(bench: Bench) -> None:
    session = bench.store.create_session()
    file = FilePart(Attachment.of(b"notes", "text/plain", "n.txt"), text="notes")
    run = bench.chat.send(session.id, None, Message("user", (TextPart("Read"), file)), "openai:old", ChatOptions())
    assert run.wait(10)
    assert bench.service.start([run.id], "new").wait(10)
    assert bench.new.requests[0].messages[0].attachments[0].data == b"notes"


def test_imported_conversations_can_be_replayed(bench: Bench) -> None:
    done = import_session(
        bench.store,
        {
            "session": {"id": "s", "title": "From elsewhere"},
            "messages": [
                {"id": "q", "role": "user", "parts": [{"type": "text", "text": "Why?"}]},
                {
                    "id": "a",
                    "parent_id": "q",
                    "role": "assistant",
                    "run_id": "r",
                    "parts": [{"type": "text", "text": "So."}],
                },
            ],
            "runs": [
                {
                    "id": "r",
                    "session_id": "s",
                    "message_id": "a",
                    "model": "gpt-4o",
                    "text": "So.",
                    "started_at": "2024",
                }
            ],
        },
    )
    assert done.state == "added"
    batch = bench.service.start(["r"], "new")
    assert batch.wait(10)
    (turn,) = bench.comparisons.turns(batch.started[0].session_id)
    assert [[run.text for run in runs] for runs in turn.runs] == [["So."], ["new answer"]]


def test_what_can_not_be_asked_again_is_told_and_the_rest_goes_on(bench: Bench) -> None:
    ids = bench.logged("One?", "Two?")
    source = bench.store.run(ids[0])
    assert source is not None
    bench.store.start_run(msgspec.structs.replace(source, id="lost", message_id=None))
    batch = bench.service.start(["lost", "nobody", ids[1]], "new")
    assert batch.wait(10)
    assert [failure.run_id for failure in batch.failures] == ["lost", "nobody"]
    assert "only its answer" in batch.failures[0].error.message
    assert len(batch.started) == 1
    assert batch.finished == batch.total == 3


def test_stopping_starts_no_more(bench: Bench) -> None:
    gate = threading.Event()
    bench.models.models["slow"] = slow = ScriptedModel(TextDelta("x"), gate, STOP, id="slow")
    ids = bench.logged(*map(str, range(8)))
    batch = bench.service.start(ids, "slow")
    assert slow.streaming.wait(10)
    batch.cancel()
    assert batch.wait(10)
    assert batch.cancelled
    assert len(batch.started) <= 4
    assert batch.started[0].run.record.status == "cancelled"
    assert bench.runner.active() == []


def test_no_runs_is_bad_input(bench: Bench) -> None:
    with pytest.raises(BadInput):
        bench.service.start([], "new")


def test_templates_and_load_options_are_for_the_same_model_only(bench: Bench) -> None:
    (run_id,) = bench.logged(
        "x", options=ChatOptions(template_variables={"enable_thinking": False}, overflow="drop_oldest")
    )
    source = bench.store.run(run_id)
    assert source is not None
    assert options_of(source, "openai:old").template_variables == {"enable_thinking": False}
    assert options_of(source, "new").template_variables == {}
    assert options_of(source, "new").overflow == "drop_oldest"


def test_a_limit_that_only_the_service_wanted_does_not_bind_another_model(bench: Bench) -> None:
    run_id, limited_id = bench.logged("one"), bench.logged("two", options=ChatOptions(sampling=Sampling(max_tokens=9)))
    source = bench.store.run(run_id[0])
    assert source is not None
    source = msgspec.structs.replace(source, sampling={"max_tokens": 32_000, "temperature": 0.5})  # as Anthropic's is
    assert options_of(source, "new").sampling == Sampling(temperature=0.5)
    assert options_of(source, "openai:old").sampling.max_tokens == 32_000
    limited = bench.store.run(limited_id[0])
    assert limited is not None
    assert options_of(limited, "new").sampling.max_tokens == 9
