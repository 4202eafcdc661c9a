"""Full-text search: whatever the user types."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench.core.messages import Attachment, FilePart, Message, ReasoningPart, TextPart
from workbench.store import HIT_END, HIT_START, RunFilter, Store
from workbench.store.search import text_query

TEXTS = {
    "cpp": "What is the size of an int in C++? foo-bar snake_case 100%",
    "german": "Die Größe der Übertragung beträgt fünf Meter",
    "chinese": "如何学习编程语言",
    "code": "print('hello world') # a comment \\ with NULL",
    "emoji": "Thumbs up 👍 for the naïve café",
}


@pytest.fixture
def filled(store: Store) -> Store:
    for name, text in TEXTS.items():
        session = store.create_session(title=f"Session {name}")
        store.add_message(session.id, None, Message.of("user", text))
    return store


def found(store: Store, query: str) -> set[str]:
    return {hit.title.removeprefix("Session ") for hit in store.search(query)}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("size", {"cpp"}),
        ("SIZ", {"cpp"}),
        ("int size", {"cpp"}),
        ("size nothing", set()),
        ("ize", set()),
        ("c++", {"cpp"}),
        ('"size of"', {"cpp"}),
        ('"of size"', set()),
        ('"size of', {"cpp"}),
        ("foo-b", {"cpp"}),
        ("snake_case", {"cpp"}),
        ("100%", {"cpp"}),
        ("100_", {"cpp"}),
        ("grosse", set()),
        ("große", {"german"}),
        ("GRÖSS", set()),
        ("ubertrag", {"german"}),
        ("cafe", {"emoji"}),
        ("👍", {"emoji"}),
        ("学习", {"chinese"}),
        ("学习 编程", {"chinese"}),
        ("学习 size", set()),
        ("NULL", {"code"}),
        ("\\", {"code"}),
        ("NOT size", set()),
        ("siz*", {"cpp"}),
        ("text:size", set()),
        ("a", {"code"}),
        ("", set()),
        ('"', set()),
        ("   ", set()),
    ],
)
def test_finds(filled: Store, query: str, names: set[str]) -> None:
    assert found(filled, query) == names
    assert {s.title.removeprefix("Session ") for s in filled.sessions(query)} == (
        names if query.strip() else set(TEXTS)
    )


@given(query=st.text(max_size=40) | st.text(alphabet='"*()^:-+{}[]\\%_ aNORTED\x00\ud800', max_size=25))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_input_is_an_error(filled: Store, query: str) -> None:
    filled.search(query)
    filled.sessions(query)
    filled.run_rows(RunFilter(text=query))


@given(word=st.text(alphabet=st.characters(categories=["L", "N"]), min_size=3, max_size=12))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_word_finds_the_message_it_stands_in(store: Store, word: str) -> None:
    session = store.create_session()
    message = store.add_message(session.id, None, Message.of("user", f"before {word} after"))
    assert message.id in {hit.message_id for hit in store.search(f'"{word}"', limit=1000)}


def test_snippet_marks_the_match(filled: Store) -> None:
    (hit,) = filled.search("world")
    assert f"hello {HIT_START}world{HIT_END}" in hit.snippet
    assert (hit.role, hit.created_at[:2]) == ("user", "20")


def test_newest_first_with_paging(store: Store) -> None:
    session = store.create_session()
    ids = [store.add_message(session.id, None, Message.of("user", f"same word {n}")).id for n in range(30)]
    assert [hit.message_id for hit in store.search("word", limit=20)] == ids[:-21:-1]
    assert [hit.message_id for hit in store.search("word", limit=20, offset=20)] == ids[9::-1]


def test_deleted_ones_are_not_found_until_restored(filled: Store) -> None:
    (hit,) = filled.search("world")
    filled.delete_message(hit.message_id)
    assert filled.search("world") == []
    assert filled.sessions("world") == []
    filled.restore_message(hit.message_id)
    filled.delete_session(hit.session_id)
    assert filled.search("world") == []
    filled.restore_session(hit.session_id)
    assert filled.search("world") == [hit]
    filled.delete_session(hit.session_id)
    filled.purge_deleted()
    assert filled.search("world") == []
    assert filled.integrity() == []


def test_the_index_follows_changes(store: Store) -> None:
    session = store.create_session(title="old title")
    message = store.add_message(session.id, None, Message.of("user", "first words"))
    store.update_message(message.id, Message.of("user", "second thoughts"))
    store.update_session(session.id, title="new name")
    assert store.search("first") == []
    assert [hit.message_id for hit in store.search("second")] == [message.id]
    assert store.sessions("old") == []
    assert [s.id for s in store.sessions("new name")] == [session.id]
    store.vacuum()
    assert [hit.message_id for hit in store.search("thoughts")] == [message.id]
    assert store.integrity() == []


def test_visible_text_is_searched_not_the_reasoning(store: Store) -> None:
    session = store.create_session()
    file = FilePart(Attachment.of(b"words of a file", "text/plain", "notes.txt"), text="words of a file")
    store.add_message(session.id, None, Message("assistant", (ReasoningPart("secret"), TextPart("public"), file)))
    assert store.search("secret") == []
    assert len(store.search("public")) == 1
    assert len(store.search("words of a file")) == 1


def test_a_query_is_never_syntax() -> None:
    assert text_query('a" OR "b').match == '"a" " OR " "b"'
    assert text_query("NEAR(a b)").match == '"NEAR(a"* "b)"'
    assert not text_query("\x00")


def test_search_survives_reopening(database: Path) -> None:
    with Store.open(database) as store:
        session = store.create_session()
        store.add_message(session.id, None, Message.of("user", "remember me"))
    with Store.open(database) as store:
        assert len(store.search("remember")) == 1
