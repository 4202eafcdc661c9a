"""Writes a filled database of the present schema as SQL text, to be kept as `versions/NAME.sql` at a release.

    python -m tests.store.dump_version NAME

Every later version of the program must open each of them without loss: test_versions.py.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from workbench.core.errors import ErrorInfo
from workbench.core.messages import Attachment, FilePart, Message, ReasoningPart, TextPart
from workbench.core.runs import RunRecord
from workbench.store import Comparison, ModelRow, Rating, Store, Vote, with_answer

VERSIONS = Path(__file__).parent / "versions"


def fill(store: Store) -> None:
    """A little of everything."""
    session = store.create_session("comparison", "Capitals", "Geography", {"model": "starter"})
    store.update_session(session.id, pinned=True, draft="What about")
    file = FilePart(Attachment.of(b"Paris is in France", "text/plain", "notes.txt"), "Paris is in France")
    user = store.add_message(session.id, None, Message("user", (TextPart("Größe of Paris?"), file)))
    comparison = store.add_comparison(Comparison(session_id=session.id, message_id=user.id, columns=[{"model": "a"}]))
    runs = []
    for number, status in enumerate(("done", "failed", "running")):
        run = RunRecord(
            id=f"run-{number}",
            session_id=session.id,
            comparison_id=comparison.id,
            model="openai:x" if number else "starter",
            remote=bool(number),
            started_at=f"2024-01-0{number + 1}T00:00:00.000+00:00",
            sampling={"temperature": 0.5},
            price_snapshot={"input": 1.0} if number else None,
        )
        _, answer = store.start_exchange(session.id, user.id, None, run)
        run.text, run.reasoning, run.reasoning_s = f"About {number} million", "I think", 0.5
        if status == "running":
            store.save_partial(run).result()
        else:
            run.status = "done" if status == "done" else "failed"
            run.error = ErrorInfo(kind="k", message="m") if status == "failed" else None
            store.finish_run(run, with_answer(answer.message, run))
        runs.append(run)
    store.add_vote(Vote(comparison_id=comparison.id, verdict="better", winner_run_id="run-0", reason="right"))
    store.rate(Rating(run_id="run-1", rating=-1))
    store.save_preset("Precise", "chat", {"sampling": {"temperature": 0}})
    store.upsert_model(ModelRow(id="starter", sha256="ab", size_bytes=98_000_000))
    deleted = store.create_session(title="Deleted")
    store.add_message(deleted.id, None, Message("assistant", (ReasoningPart("r"), TextPart("gone"))))
    store.delete_session(deleted.id)


def sql_of(connection: sqlite3.Connection) -> Iterator[str]:
    """Statements that make the database again. Search indexes are rebuilt from their tables."""
    objects = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
    objects = [
        row for row in objects if ("_fts_" not in row[1] or row[0] == "trigger") and not row[1].startswith("sqlite_")
    ]
    virtual = [row for row in objects if row[2].startswith("CREATE VIRTUAL")]
    for _, name, sql in (row for row in objects if row[0] == "table" and row not in virtual):
        yield f"{sql};"
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
        quoted = " || ', ' || ".join(f"quote({column})" for column in columns)
        for (values,) in connection.execute(f"SELECT {quoted} FROM {name}"):
            yield f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({values});"
    for _, name, sql in virtual:
        yield f"{sql};"
        yield f"INSERT INTO {name} ({name}) VALUES ('rebuild');"
    for _, _, sql in (row for row in objects if row[0] in ("index", "trigger")):
        yield f"{sql};"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "workbench.db"
        with Store.open(path) as store:
            fill(store)
            # The run that is still going on belongs to a program that is gone when the file is read.
            left = "UPDATE runs SET owner = 'elsewhere 1 1.0', saved_at = '2024-01-03T00:00:05.000+00:00'"
            store._write(lambda db: db.execute(left).close())
        with closing(sqlite3.connect(path)) as connection:
            text = "\n".join(sql_of(connection))
    VERSIONS.mkdir(exist_ok=True)
    (VERSIONS / f"{sys.argv[1]}.sql").write_text(f"BEGIN;\n{text}\nCOMMIT;\n")


if __name__ == "__main__":
    main()
