"""Databases of every released version open and keep what they hold."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.store.dump_version import VERSIONS, fill, sql_of
from workbench.store import Store, schema

ALL = sorted(VERSIONS.glob("*.sql"))


def test_there_are_versions() -> None:
    assert ALL


@pytest.mark.parametrize("dump", ALL, ids=lambda dump: dump.stem)
def test_opens_and_keeps_everything(dump: Path, database: Path) -> None:
    database.parent.mkdir()
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(dump.read_text())
        behind = schema.pending(schema.applied(connection))
    with Store.open(database) as store:
        assert not store.read_only
        assert store.integrity() == []
        (session,) = store.sessions()
        assert (session.kind, session.title, session.folder, session.pinned) == (
            "comparison",
            "Capitals",
            "Geography",
            True,
        )
        assert (session.options, session.draft) == ({"model": "starter"}, "What about")
        user, *answers = store.messages(session.id)
        assert user.message.attachments[0].name == "notes.txt"
        assert store.attachment(user.message.attachments[0].sha256) == b"Paris is in France"
        assert [answer.message.text for answer in answers] == [f"About {n} million" for n in range(3)]
        assert [answer.message.reasoning for answer in answers] == ["I think"] * 3
        rows = store.run_rows()
        assert [(row.id, row.status) for row in rows] == [
            ("run-2", "interrupted"),
            ("run-1", "failed"),
            ("run-0", "done"),
        ]
        assert [(row.vote, row.rating) for row in rows] == [("lost", None), ("lost", -1), ("won", None)]
        run = store.run("run-1")
        assert run is not None and run.error is not None
        assert (run.sampling, run.price_snapshot, run.error.message) == ({"temperature": 0.5}, {"input": 1.0}, "m")
        assert {hit.message_id for hit in store.search("grosse") + store.search("große")} == {user.id}
        assert [preset.name for preset in store.presets("chat")] == ["Precise"]
        assert [model.id for model in store.models()] == ["starter"]
        assert [s.title for s in store.sessions(deleted=True)] == ["Deleted"]
        store.create_session(title="new")
    assert bool(list((database.parent / "backups").glob("*.db"))) == bool(behind)


def test_the_newest_dump_has_the_present_schema(database: Path, tmp_path: Path) -> None:
    """Fails when the schema changed: add a migration and dump the new version."""
    with Store.open(database) as store:
        fill(store)
    with closing(sqlite3.connect(tmp_path / "dumped.db")) as dumped, closing(sqlite3.connect(database)) as present:
        dumped.executescript(ALL[-1].read_text())
        assert _schema(dumped) == _schema(present)
        assert len(list(sql_of(present))) > 50


def _schema(connection: sqlite3.Connection) -> dict[str, str]:
    rows = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_stat%'"
    )
    return {name: " ".join(sql.split()) for name, sql in rows}
