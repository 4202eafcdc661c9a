"""Conversations as trees."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.services.conftest import Models, ScriptedModel
from workbench.core.chat_options import ChatOptions
from workbench.core.errors import BadInput, StoreError
from workbench.core.events import Finished, ReasoningDelta, TextDelta
from workbench.core.messages import Attachment, FilePart, ImagePart, Message, TextPart
from workbench.core.requests import LoadOptions, ResponseFormat, Sampling
from workbench.services.chat import ChatService, automatic_title
from workbench.services.runner import Run, Runner
from workbench.store import Store

STOP = Finished(reason="stop")
PLAIN = ChatOptions()


@pytest.fixture
def models() -> Models:
    return Models(
        a=ScriptedModel(TextDelta("from a"), STOP, id="a"),
        b=ScriptedModel(TextDelta("from b"), STOP, id="b"),
        broken=ScriptedModel(ValueError("no"), id="broken"),
        thinks=ScriptedModel(ReasoningDelta("hmm"), TextDelta("more"), STOP, id="thinks"),
    )


@pytest.fixture
def chat(store: Store, runner: Runner, models: Models) -> Iterator[ChatService]:
    return ChatService(store, runner, models)


def done(run: Run) -> Run:
    assert run.wait(20)
    return run


def texts(messages: object) -> list[str]:
    return [m.message.text if hasattr(m, "message") else m.text for m in messages]  # type: ignore[attr-defined]


def ids(run: Run) -> tuple[str, str]:
    assert run.user_message is not None and run.assistant_message is not None
    return run.user_message.id, run.assistant_message.id


def user(text: str) -> Message:
    return Message.of("user", text)


def test_two_turns(chat: ChatService, store: Store, models: Models) -> None:
    session = store.create_session().id
    _, first = ids(done(chat.send(session, None, user("one"), "a", ChatOptions(system_prompt="Be kind."))))
    done(chat.send(session, first, user("two"), "a", ChatOptions(system_prompt="Be kind.")))
    assert texts(chat.path(session)) == ["one", "from a", "two", "from a"]
    assert [m.role for m in models.models["a"].requests[1].messages] == ["system", "user", "assistant", "user"]
    assert texts(models.models["a"].requests[1].messages) == ["Be kind.", "one", "from a", "two"]
    assert [run.system_prompt for run in store.runs(session)] == ["Be kind."] * 2


def test_options_reach_the_model_and_are_remembered(chat: ChatService, store: Store, models: Models) -> None:
    session = store.create_session().id
    assert chat.options(session) == ("", PLAIN)
    options = ChatOptions(
        system_prompt="s",
        sampling=Sampling(temperature=0.0, stop=("x",)),
        response_format=ResponseFormat(kind="json_schema", schema={"type": "object"}),
        template_variables={"enable_thinking": False},
        chat_template="{{ x }}",
        load=LoadOptions(n_ctx=512),
        overflow="drop_oldest",
    )
    done(chat.send(session, None, user("one"), "a", options))
    assert chat.options(session) == ("a", options)
    request = models.models["a"].requests[0]
    for name in ("sampling", "response_format", "template_variables", "chat_template", "load", "overflow"):
        assert getattr(request, name) == getattr(options, name)
    store.update_session(session, options={"model": "a", "sampling": "from another version"})
    assert chat.options(session) == ("a", PLAIN)


def test_a_run_is_handed_over_though_its_options_could_not_be_kept(
    chat: ChatService, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    session = store.create_session().id

    def full(*_arguments: object, **_named: object) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(store, "update_session", full)
    run = done(chat.send(session, None, user("one"), "a", PLAIN))
    assert run.record.text == "from a"
    assert "The disk is full" in caplog.text


def test_regenerate_is_a_sibling(chat: ChatService, store: Store, models: Models) -> None:
    session = store.create_session().id
    question, first = ids(done(chat.send(session, None, user("one"), "a", PLAIN)))
    again = done(chat.regenerate(first, "b", PLAIN))
    assert again.user_message is None and again.assistant_message is not None
    second = again.assistant_message.id
    assert chat.siblings(first) == chat.siblings(second) == [first, second]
    assert texts(models.models["b"].requests[0].messages) == ["one"]
    assert texts(chat.path(session)) == ["one", "from b"]
    assert texts(chat.path(session, first)) == ["one", "from a"]
    assert chat.sibling_places(session, chat.path(session)) == {question: (0, 1), second: (1, 2)}
    assert texts(chat.show(first)) == ["one", "from a"] == texts(chat.path(session))
    with pytest.raises(BadInput):
        chat.regenerate(question, "a", PLAIN)


def test_edit_is_a_sibling_with_its_own_branch(chat: ChatService, store: Store, models: Models) -> None:
    session = store.create_session().id
    first, answer = ids(done(chat.send(session, None, user("one"), "a", PLAIN)))
    second, _ = ids(done(chat.send(session, answer, user("two"), "a", PLAIN)))
    edited, _ = ids(done(chat.edit_and_send(second, user("two!"), "b", PLAIN)))
    assert chat.siblings(second) == [second, edited]
    assert texts(chat.path(session)) == ["one", "from a", "two!", "from b"]
    assert texts(chat.show(second)) == ["one", "from a", "two", "from a"]
    root, _ = ids(done(chat.edit_and_send(first, user("uno"), "b", PLAIN)))
    assert chat.siblings(root) == [first, root]
    assert texts(chat.path(session)) == ["uno", "from b"]
    assert texts(chat.path(session, first)) == ["one", "from a", "two!", "from b"]


def test_continue_lengthens_the_same_message(chat: ChatService, store: Store, models: Models) -> None:
    session = store.create_session().id
    run = done(chat.send(session, None, user("one"), "a", PLAIN))
    _, answer = ids(run)
    more = done(chat.continue_answer(answer, "thinks", PLAIN))
    assert texts(chat.path(session)) == ["one", "from amore"]
    request = models.models["thinks"].requests[0]
    assert request.continue_last and texts(request.messages) == ["one", "from a"]
    assert request.messages[-1].role == "assistant"
    assert [(r.id, r.message_id, r.text) for r in store.runs(session)] == [
        (more.id, answer, "more"),
        (run.id, answer, "from a"),
    ]
    assert chat.path(session)[-1].run_id == more.id
    assert chat.siblings(answer) == [answer]


def test_an_answer_is_continued_by_one_run_at_a_time(chat: ChatService, store: Store, models: Models) -> None:
    wait = threading.Event()
    models.models["slow"] = ScriptedModel(TextDelta("so"), wait, STOP, id="slow")
    session = store.create_session().id
    run = chat.send(session, None, user("one"), "slow", PLAIN)
    _, answer = ids(run)
    with pytest.raises(BadInput, match="still being written"):
        chat.continue_answer(answer, "a", PLAIN)
    wait.set()
    done(run)


def test_after_a_failure_the_talk_goes_on(chat: ChatService, store: Store, models: Models) -> None:
    session = store.create_session().id
    run = done(chat.send(session, None, user("one"), "broken", PLAIN))
    assert run.record.status == "failed"
    _, answer = ids(run)
    with pytest.raises(BadInput, match="empty"):
        chat.continue_answer(answer, "a", PLAIN)
    done(chat.send(session, answer, user("two"), "a", PLAIN))
    (message,) = models.models["a"].requests[0].messages
    assert message == Message("user", (TextPart("one"), TextPart("two")))
    assert len(chat.path(session)) == 4


def test_attachments_are_loaded_for_the_request_only(chat: ChatService, store: Store, models: Models) -> None:
    session = store.create_session().id
    picture = Attachment.of(b"\x89PNG", "image/png", "a.png")
    message = Message("user", (TextPart("what is it?"), ImagePart(picture)))
    _, answer = ids(done(chat.send(session, None, message, "a", PLAIN)))
    assert chat.path(session)[0].message.attachments[0].data == b""
    done(chat.send(session, answer, user("and now?"), "a", PLAIN))
    assert models.models["a"].requests[1].messages[0] == message


def test_titles(chat: ChatService, store: Store) -> None:
    session = store.create_session().id
    _, answer = ids(done(chat.send(session, None, user("  What is\tthe capital?\nOf France"), "a", PLAIN)))

    def title() -> str:
        found = store.session(session)
        assert found is not None
        return found.title

    assert title() == "What is the capital?"
    store.update_session(session, title="Mine")
    done(chat.send(session, answer, user("other"), "a", PLAIN))
    assert title() == "Mine"
    store.update_session(session, title="")
    done(chat.edit_and_send(chat.path(session)[0].id, user("third"), "a", PLAIN))
    assert title() == "third"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("\n\n first line \nsecond", "first line"),
        ("word " * 30, "word " * 11 + "word…"),
        ("x" * 100, "x" * 60 + "…"),
        ("a " + "x" * 100, "a " + "x" * 58 + "…"),
        ("", ""),
    ],
)
def test_automatic_titles(text: str, title: str) -> None:
    assert automatic_title(user(text)) == title


def test_the_title_of_a_message_without_words() -> None:
    file = FilePart(Attachment.of(b"x", "text/plain", "notes.txt"), text="content")
    assert automatic_title(Message("user", (file,))) == "notes.txt"


@given(st.text())
def test_a_title_is_one_short_line(text: str) -> None:
    title = automatic_title(user(text))
    assert len(title) <= 61
    assert len(title.splitlines()) <= 1
    assert title == title.strip()


def test_delete_and_restore(chat: ChatService, store: Store) -> None:
    session = store.create_session().id
    _, first = ids(done(chat.send(session, None, user("one"), "a", PLAIN)))
    second, last = ids(done(chat.send(session, first, user("two"), "a", PLAIN)))
    chat.delete(second)
    assert texts(chat.path(session)) == ["one", "from a"]
    found = store.session(session)
    assert found is not None and found.leaf_id == first
    assert texts(chat.restore(second)) == ["one", "from a", "two", "from a"] == texts(chat.path(session))
    found = store.session(session)
    assert found is not None and found.leaf_id == last


def test_delete_shows_the_sibling_that_is_left(chat: ChatService, store: Store) -> None:
    session = store.create_session().id
    _, first = ids(done(chat.send(session, None, user("one"), "a", PLAIN)))
    again = done(chat.regenerate(first, "b", PLAIN))
    assert again.assistant_message is not None
    chat.delete(again.assistant_message.id)
    assert texts(chat.path(session)) == ["one", "from a"]
    chat.delete(chat.path(session)[0].id)
    assert chat.path(session) == []


def test_deleting_stops_the_run(chat: ChatService, store: Store, models: Models) -> None:
    models.models["slow"] = ScriptedModel(TextDelta("so"), threading.Event(), STOP, id="slow")
    session = store.create_session().id
    run = chat.send(session, None, user("one"), "slow", PLAIN)
    assert run.user_message is not None
    chat.delete(run.user_message.id)
    assert done(run).record.status == "cancelled"
    assert chat.path(session) == []


def test_unknown_messages(chat: ChatService, store: Store) -> None:
    session = store.create_session().id
    with pytest.raises(BadInput):
        chat.send(session, "nowhere", user("x"), "a", PLAIN)
    with pytest.raises(BadInput):
        chat.siblings("nowhere")
    with pytest.raises(BadInput):
        chat.send("nowhere", None, user("x"), "a", PLAIN)
    assert chat.path("nowhere") == []


def test_a_long_talk_stays_quick_to_read(chat: ChatService, store: Store) -> None:
    session = store.create_session().id
    parent = None
    for number in range(1200):
        parent = store.add_message(session, parent, user(str(number))).id
    assert texts(chat.path(session)) == [str(number) for number in range(1200)]


def test_the_settings_sampling_counts_where_the_chat_says_nothing(store: Store, runner: Runner, models: Models) -> None:
    chat = ChatService(store, runner, models, lambda: Sampling(max_tokens=24, temperature=0.5))
    session = store.create_session().id
    options = ChatOptions(sampling=Sampling(temperature=0.0))
    _, answer = ids(done(chat.send(session, None, user("one"), "a", options)))
    done(chat.regenerate(answer, "a", options))
    done(chat.continue_answer(answer, "a", options))
    asked = [request.sampling for request in models.models["a"].requests]
    assert asked == [Sampling(max_tokens=24, temperature=0.0)] * 3
    assert chat.options(session)[1].sampling == Sampling(temperature=0.0)
