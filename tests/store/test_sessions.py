"""Sessions, the tree of messages, attachments, deleting and taking it back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.store.conftest import record
from workbench.core.errors import BadInput
from workbench.core.messages import (
    Attachment,
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from workbench.store import Store


def test_a_session_keeps_everything(store: Store) -> None:
    session = store.create_session("comparison", "Title", "Work/Drafts", {"model": "starter", "n": [1, 2]})
    assert store.session(session.id) == session
    store.update_session(session.id, title="Other", folder="", pinned=True, options={"a": None}, draft="half a sen")
    changed = store.session(session.id)
    assert changed is not None
    assert (changed.title, changed.folder, changed.pinned, changed.options, changed.draft) == (
        "Other",
        "",
        True,
        {"a": None},
        "half a sen",
    )
    assert changed.updated_at == session.updated_at
    with pytest.raises(BadInput, match="no session nowhere"):
        store.update_session("nowhere", title="x")
    assert store.session("nowhere") is None


def test_pinned_first_then_newest(store: Store) -> None:
    a, b, c = (store.create_session(title=name) for name in "abc")
    for session, time in ((a, "2024-01-01"), (b, "2024-01-03"), (c, "2024-01-02")):
        store._write(lambda db, i=session.id, t=time: db.execute("UPDATE sessions SET updated_at=? WHERE id=?", [t, i]))
    assert [s.title for s in store.sessions()] == ["b", "c", "a"]
    store.update_session(a.id, pinned=True)
    assert [s.title for s in store.sessions()] == ["a", "b", "c"]
    assert [s.title for s in store.sessions(limit=1, offset=1)] == ["b"]


def test_a_message_brings_its_session_up(store: Store) -> None:
    session = store.create_session()
    store._write(lambda db: db.execute("UPDATE sessions SET updated_at = '2020'").close())
    message = store.add_message(session.id, None, Message.of("user", "x"))
    changed = store.session(session.id)
    assert changed is not None
    assert (changed.leaf_id, changed.updated_at) == (message.id, message.created_at)


def test_folders(store: Store) -> None:
    for folder in ("b", "A", "", "b"):
        store.create_session(folder=folder)
    gone = store.create_session(folder="gone")
    store.delete_session(gone.id)
    assert store.folders() == ["A", "b"]
    assert len(store.sessions(folder="b")) == 2
    assert len(store.sessions(folder="")) == 1
    assert len(store.sessions()) == 4


def test_every_part_comes_back(store: Store) -> None:
    session = store.create_session()
    parts = (
        TextPart("text with \x00 and \u2028 and 👍"),
        ImagePart(Attachment.of(b"\x89PNG", "image/png", "a.png")),
        AudioPart(Attachment.of(b"RIFF", "audio/wav", "b.wav")),
        FilePart(Attachment.of(b"file", "text/plain", "c.txt"), text="file"),
        ReasoningPart("thought", "sig", 1.5),
        ToolCallPart("1", "name", '{"invalid": '),
        ToolResultPart("1", "content", True),
    )
    message = store.add_message(session.id, None, Message("user", parts))
    (read,) = store.messages(session.id)
    assert read == store.message(message.id)
    assert [type(part) for part in read.message.parts] == [type(part) for part in parts]
    assert read.message.text == message.message.text
    for before, after in zip(message.message.attachments, read.message.attachments, strict=True):
        assert after.data == b""
        assert (after.sha256, after.name, after.size) == (before.sha256, before.name, before.size)
        assert store.attachment(after.sha256) == before.data


def test_text_that_utf8_can_not_hold(store: Store) -> None:
    session = store.create_session(title="lone \ud800")
    store.add_message(session.id, None, Message.of("user", "pair \ud83d\udc4d lone \ud83d"))
    (read,) = store.messages(session.id)
    assert read.message.text == "pair 👍 lone \ufffd"
    assert store.sessions()[0].title == "lone \ufffd"


def test_attachments_are_kept_once_and_gone_when_unused(store: Store) -> None:
    session = store.create_session()
    picture = Attachment.of(b"x" * 1000, "image/png", "a.png")
    first = store.add_message(session.id, None, Message("user", (ImagePart(picture),)))
    # Sent again as it was read: without its bytes.
    (read,) = store.messages(session.id)
    second = store.add_message(session.id, first.id, read.message)
    assert store.sizes().attachments == 1000
    store.delete_message(second.id)
    store.purge_deleted()
    assert store.attachment(picture.sha256) == picture.data
    store.delete_message(first.id)
    store.purge_deleted()
    with pytest.raises(BadInput, match="not in the database"):
        store.attachment(picture.sha256)
    with pytest.raises(BadInput, match=r"a\.png came without its content"):
        store.add_message(session.id, None, read.message)
    assert store.messages(session.id) == []


def test_a_tree(store: Store) -> None:
    session, other = store.create_session(), store.create_session()
    root = store.add_message(session.id, None, Message.of("user", "root"))
    left = store.add_message(session.id, root.id, Message.of("assistant", "left"))
    right = store.add_message(session.id, root.id, Message.of("assistant", "right"))
    assert [(m.id, m.parent_id) for m in store.messages(session.id)] == [
        (root.id, None),
        (left.id, root.id),
        (right.id, root.id),
    ]
    with pytest.raises(BadInput, match="no message"):
        store.add_message(other.id, root.id, Message.of("user", "x"))
    with pytest.raises(BadInput, match="no session"):
        store.add_message("nowhere", None, Message.of("user", "x"))
    assert store.messages(other.id) == []


def test_delete_and_restore_a_branch(store: Store) -> None:
    session = store.create_session()
    root = store.add_message(session.id, None, Message.of("user", "root"))
    run = record()
    _, answer = store.start_exchange(session.id, root.id, None, run)
    deeper = store.add_message(session.id, answer.id, Message.of("user", "deeper"))
    before = store.add_message(session.id, answer.id, Message.of("user", "deleted before"))
    store.delete_message(before.id)
    store.delete_message(answer.id)
    assert [m.id for m in store.messages(session.id)] == [root.id]
    assert store.runs() == []
    store.restore_message(answer.id)
    assert [m.id for m in store.messages(session.id)] == [root.id, answer.id, deeper.id]
    assert [r.id for r in store.runs()] == [run.id]


def test_delete_restore_and_purge_a_session(store: Store, database: Path) -> None:
    session = store.create_session(title="gone")
    user = store.add_message(session.id, None, Message.of("user", "unforgettable"))
    run = record(remote=True)
    store.start_exchange(session.id, user.id, None, run)
    store.delete_session(session.id)
    assert store.sessions() == []
    assert [s.id for s in store.sessions(deleted=True)] == [session.id]
    assert store.runs() == []
    assert [entry.run_id for entry in store.ledger()] == [run.id]
    store.restore_session(session.id)
    assert [s.id for s in store.sessions()] == [session.id]
    assert [r.id for r in store.runs()] == [run.id]
    store.delete_session(session.id)
    store.purge_deleted(before="2000-01-01")
    assert store.session(session.id) is not None
    store.purge_deleted()
    assert store.session(session.id) is None
    assert (store.messages(session.id), store.run(run.id), store.ledger()) == ([], None, [])
    assert b"unforgettable" not in database.read_bytes()


def test_a_chat_of_thousands_of_messages_can_be_deleted(store: Store) -> None:
    session = store.create_session()
    parent = first = store.add_message(session.id, None, Message.of("user", "0")).id

    def many(db) -> None:  # type: ignore[no-untyped-def]
        nonlocal parent
        for number in range(3000):
            id_ = f"m{number}"
            db.execute(
                "INSERT INTO messages (id, session_id, parent_id, role, created_at) VALUES (?, ?, ?, 'user', '')",
                [id_, session.id, parent],
            )
            parent = id_

    store._write(many)
    store.delete_message(first)
    assert store.messages(session.id) == []
    store.restore_message(first)
    assert len(store.messages(session.id)) == 3001
    store.delete_session(session.id)
    store.purge_deleted()
    assert store.sizes().messages == 0


def test_a_child_added_below_a_deleted_message_goes_with_it(store: Store) -> None:
    session = store.create_session()
    root = store.add_message(session.id, None, Message.of("user", "root"))
    store.delete_message(root.id)
    store.add_message(session.id, root.id, Message.of("assistant", "late"))
    store.purge_deleted()
    assert store.messages(session.id) == []
    assert store.integrity() == []


def test_sizes(store: Store) -> None:
    session = store.create_session()
    store.start_exchange(session.id, None, Message.of("user", "x"), record())
    sizes = store.sizes()
    assert (sizes.sessions, sizes.messages, sizes.runs, sizes.attachments) == (1, 2, 1, 0)
    assert sizes.database > 0
