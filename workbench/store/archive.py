"""Whole sessions as plain values, for exporters and importers: what goes out comes back the same.

An archive is a dict that JSON can hold (attachments' bytes as base64):

    {"format": "model-workbench", "version": 1, "session": {...}, "messages": [...], "runs": [...],
     "comparisons": [...], "votes": [...], "ratings": [...]}

Importers of other programs' formats give `messages` (each at least `role` and `parts`) and what else they know:
ids, parents and times that are missing are made up, a list without parents is a straight conversation.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from workbench.core.errors import BadInput
from workbench.core.messages import Attachment, AudioPart, FilePart, ImagePart, Message, Part, Role
from workbench.core.runs import RunRecord
from workbench.store.ids import new_id, now
from workbench.store.library import put_row
from workbench.store.records import clean, parts_json, to_json
from workbench.store.runs import insert_run
from workbench.store.sessions import insert_attachments
from workbench.store.store import Store
from workbench.store.values import Comparison, Rating, RunFilter, SessionKind, Vote

FORMAT = "model-workbench"
VERSION = 1
_ALL = 2**62


class ArchivedSession(msgspec.Struct, kw_only=True):
    id: str = ""
    kind: SessionKind = "chat"
    title: str = ""
    folder: str = ""
    pinned: bool = False
    leaf_id: str | None = None
    options: dict[str, Any] = {}
    draft: str = ""
    created_at: str = ""
    updated_at: str = ""


class ArchivedMessage(msgspec.Struct, kw_only=True):
    id: str = ""
    parent_id: str | None = None
    role: Role
    parts: tuple[Part, ...]
    created_at: str = ""
    run_id: str | None = None


class Archive(msgspec.Struct, kw_only=True):
    format: str = FORMAT
    version: int = VERSION
    session: ArchivedSession = msgspec.field(default_factory=ArchivedSession)
    messages: list[ArchivedMessage] = []
    runs: list[RunRecord] = []
    comparisons: list[Comparison] = []
    votes: list[Vote] = []
    ratings: list[Rating] = []


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    session_id: str
    title: str
    state: Literal["added", "updated", "present"]
    """`present`: the session is here already, and nothing was changed; `updated`: the file had more of it."""


def export_session(store: Store, session_id: str) -> dict[str, Any]:
    """Everything that belongs to a session, without what was deleted. Raises BadInput for an unknown one."""
    session = store.session(session_id)
    if session is None or session.deleted_at is not None:
        raise BadInput(f"There is no session {session_id}.")
    runs = store.runs(filter=RunFilter(session_id=session_id), limit=_ALL, descending=False)
    run_ids = {run.id for run in runs}
    comparisons = store.comparisons(session_id)
    archive = Archive(
        session=msgspec.convert(session, ArchivedSession, from_attributes=True),
        messages=[
            ArchivedMessage(
                id=stored.id,
                parent_id=stored.parent_id,
                role=stored.message.role,
                parts=tuple(_with_bytes(store, part) for part in stored.message.parts),
                created_at=stored.created_at,
                run_id=stored.run_id if stored.run_id in run_ids else None,
            )
            for stored in store.messages(session_id)
        ],
        runs=runs,
        comparisons=comparisons,
        votes=[vote for comparison in comparisons for vote in store.votes(comparison.id)],
        ratings=[rating for run in runs if (rating := store.rating(run.id)) is not None],
    )
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(archive))
    return plain


def import_session(store: Store, plain: dict[str, Any]) -> Imported:
    """Add an archive's session in one transaction. Ids stay unless they are taken by another session.

    A session that is here already gets the messages and runs that it lacks, and is else left as it is: exports of other
    programs grow. One that was deleted comes back. Raises BadInput for a dict that is no archive, StoreError.
    """
    archive = _checked(plain)
    session_id, state = store._write(lambda db: _Import(db, archive).run())
    return Imported(session_id=session_id, title=archive.session.title, state=state)


def _checked(plain: dict[str, Any]) -> Archive:
    if plain.get("version", VERSION) not in range(1, VERSION + 1):
        raise BadInput(
            f"The session was written by a newer version of the program (format {plain.get('version')}).",
            hint="Update Model Workbench to import it.",
        )
    try:
        archive = msgspec.convert(plain, Archive)
    except msgspec.ValidationError as error:
        raise BadInput(f"This is not a session as Model Workbench writes it: {error}.") from error
    for message in archive.messages:
        for attachment in Message(message.role, message.parts).attachments:
            if attachment.data and hashlib.sha256(attachment.data).hexdigest() != attachment.sha256:
                raise BadInput(f"The attachment {attachment.name or attachment.sha256[:12]} is damaged.")
    return archive


def _with_bytes(store: Store, part: Part) -> Part:
    if isinstance(part, ImagePart | AudioPart | FilePart):
        attachment: Attachment = part.attachment
        data = store.attachment(attachment.sha256)
        return msgspec.structs.replace(part, attachment=msgspec.structs.replace(attachment, data=data))
    return part


class _Import:
    """One archive on its way into the database, within the caller's transaction."""

    def __init__(self, db: sqlite3.Connection, archive: Archive) -> None:
        self._db = db
        self._archive = archive
        self._messages: dict[str, str] = {}
        self._runs: dict[str, str] = {}
        self._comparisons: dict[str, str] = {}
        self._added = 0

    def run(self) -> tuple[str, Literal["added", "updated", "present"]]:
        archive = self._archive
        session = archive.session
        there = self._db.execute("SELECT deleted_at FROM sessions WHERE id = ?", [session.id]).fetchone()
        if there is not None and not all(message.id for message in archive.messages):
            return session.id, "present"  # without ids nobody can tell what is new
        restored = there is not None and there[0] is not None
        if restored:
            self._restore(session.id, there[0])
        session_id = session.id if there is not None else self._add_session()
        for run in archive.runs:
            self._runs[run.id] = self._own("runs", run.id, session_id)
        self._add_messages(session_id, session.created_at or now())
        self._add_comparisons(session_id)
        for run in archive.runs:
            if self._is_new("runs", self._runs[run.id]):
                self._add_run(run, session_id)
        self._add_judgements()
        leaf = self._messages.get(session.leaf_id or "") or next(reversed(self._messages.values()), None)
        if there is None or self._added:
            self._db.execute(
                "UPDATE sessions SET leaf_id = ifnull(?, leaf_id), updated_at = max(updated_at, ?) WHERE id = ?",
                [leaf, session.updated_at or session.created_at, session_id],
            )
        if there is None or restored:
            return session_id, "added"
        return session_id, "updated" if self._added else "present"

    def _add_session(self) -> str:
        session = self._archive.session
        session_id = session.id or new_id()
        created_at = session.created_at or now()
        self._db.execute(
            "INSERT INTO sessions (id, kind, title, folder, pinned, options, draft, created_at, updated_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                session_id,
                session.kind,
                clean(session.title),
                clean(session.folder),
                int(session.pinned),
                to_json(session.options),
                clean(session.draft),
                created_at,
                session.updated_at or created_at,
            ],
        )
        return session_id

    def _restore(self, session_id: str, deleted_at: str) -> None:
        self._db.execute("UPDATE sessions SET deleted_at = NULL WHERE id = ?", [session_id])
        for table in ("runs", "messages"):
            self._db.execute(
                f"UPDATE {table} SET deleted_at = NULL WHERE session_id = ? AND deleted_at = ?",
                [session_id, deleted_at],
            )

    def _own(self, table: str, id: str, session_id: str) -> str:
        """The id where it is free or this session's own, else a new one."""
        row = self._db.execute(f"SELECT session_id FROM {table} WHERE id = ?", [id]).fetchone() if id else None
        return id if id and (row is None or row[0] == session_id) else new_id()

    def _is_new(self, table: str, id: str) -> bool:
        return self._db.execute(f"SELECT 1 FROM {table} WHERE id = ?", [id]).fetchone() is None

    def _add_messages(self, session_id: str, created_at: str) -> None:
        previous: str | None = None
        for archived in _parents_first(self._archive.messages):
            message = Message(archived.role, archived.parts)
            id_ = self._own("messages", archived.id, session_id)
            self._messages[archived.id or id_] = id_
            time = archived.created_at or created_at
            parent = self._messages.get(archived.parent_id or "") if archived.id else previous
            previous = id_
            if not self._is_new("messages", id_):
                continue
            self._added += 1
            self._db.execute(
                "INSERT INTO messages (id, session_id, parent_id, role, run_id, created_at, text, parts) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    id_,
                    session_id,
                    parent,
                    message.role,
                    self._runs.get(archived.run_id or ""),
                    time,
                    clean(message.text),
                    parts_json(message),
                ],
            )
            insert_attachments(self._db, id_, message, time)

    def _add_comparisons(self, session_id: str) -> None:
        for comparison in self._archive.comparisons:
            new = self._comparisons[comparison.id] = self._own("comparisons", comparison.id, session_id)
            if not self._is_new("comparisons", new):
                continue
            message_id = self._messages.get(comparison.message_id or "")
            row = msgspec.structs.replace(comparison, id=new, session_id=session_id, message_id=message_id)
            put_row(self._db, "comparisons", "id", row)

    def _add_run(self, run: RunRecord, session_id: str) -> None:
        self._added += 1
        row = msgspec.structs.replace(
            run,
            id=self._runs[run.id],
            session_id=session_id,
            message_id=self._messages.get(run.message_id or ""),
            comparison_id=self._comparisons.get(run.comparison_id or ""),
            status="interrupted" if run.status == "running" else run.status,
        )
        insert_run(self._db, row)

    def _add_judgements(self) -> None:
        for vote in self._archive.votes:
            comparison_id = self._comparisons.get(vote.comparison_id)
            if comparison_id is None:
                raise BadInput(f"A vote refers to the comparison {vote.comparison_id}, which the file lacks.")
            kept = self._db.execute("SELECT comparison_id FROM votes WHERE id = ?", [vote.id]).fetchone()
            if kept is not None and kept[0] == comparison_id:
                continue
            row = msgspec.structs.replace(
                vote,
                id=vote.id if vote.id and kept is None else new_id(),
                comparison_id=comparison_id,
                winner_run_id=self._runs.get(vote.winner_run_id or ""),
                run_ids=tuple(self._runs.get(id_, id_) for id_ in vote.run_ids),
            )
            put_row(self._db, "votes", "id", row)
        for rating in self._archive.ratings:
            if rating.run_id not in self._runs:
                raise BadInput(f"A rating refers to the run {rating.run_id}, which the file lacks.")
            row_of_rating = msgspec.structs.replace(rating, run_id=self._runs[rating.run_id])
            if not self._db.execute("SELECT 1 FROM ratings WHERE run_id = ?", [row_of_rating.run_id]).fetchone():
                put_row(self._db, "ratings", "run_id", row_of_rating)


def _parents_first(messages: list[ArchivedMessage]) -> Iterable[ArchivedMessage]:
    """The messages in an order in which each one's parent comes before it. Raises BadInput where there is none."""
    known = {message.id for message in messages if message.id}
    done: set[str] = set()
    waiting = messages
    while waiting:
        later: list[ArchivedMessage] = []
        for message in waiting:
            if message.parent_id and message.parent_id not in done:
                if message.parent_id not in known:
                    raise BadInput(f"The message {message.id} refers to {message.parent_id}, which the file lacks.")
                later.append(message)
                continue
            done.add(message.id)
            yield message
        if len(later) == len(waiting):
            raise BadInput("The messages refer to each other in a circle.")
        waiting = later
