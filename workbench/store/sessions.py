"""Sessions, their messages, attachments, and search over them."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Any

from workbench.core.errors import BadInput
from workbench.core.messages import Message
from workbench.store.base import Tables
from workbench.store.ids import moment, new_id, now
from workbench.store.records import (
    MESSAGE_COLUMNS,
    SESSION_COLUMNS,
    clean,
    message_of,
    parts_json,
    session_of,
    to_json,
)
from workbench.store.search import TextQuery, text_query
from workbench.store.values import HIT_END, HIT_START, SearchHit, Session, SessionKind, StoredMessage

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
"""Of an empty file, which is an attachment like any other."""
NEWEST_HITS = 5000
"""Where matches are only a filter, so many of the newest are looked at: a word may be in every message."""


class SessionTables(Tables):
    # --- sessions ---------------------------------------------------------------------------------------------
    def create_session(
        self,
        kind: SessionKind = "chat",
        title: str = "",
        folder: str = "",
        options: dict[str, Any] | None = None,
    ) -> Session:
        time = now()
        session = Session(
            id=new_id(),
            kind=kind,
            title=clean(title),
            folder=clean(folder),
            options=options or {},
            created_at=time,
            updated_at=time,
        )

        def write(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT INTO sessions (id, kind, title, folder, options, created_at, updated_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                [session.id, kind, session.title, session.folder, to_json(session.options), time, time],
            )

        self._write(write)
        return session

    def update_session(
        self,
        id: str,
        *,
        title: str | None = None,
        folder: str | None = None,
        pinned: bool | None = None,
        options: dict[str, Any] | None = None,
        leaf_id: str | None = None,
        draft: str | None = None,
    ) -> None:
        """Change what is not None. Raises BadInput for an unknown session."""
        given: dict[str, Any] = {
            "title": None if title is None else clean(title),
            "folder": None if folder is None else clean(folder),
            "pinned": None if pinned is None else int(pinned),
            "options": None if options is None else to_json(options),
            "leaf_id": leaf_id,
            "draft": None if draft is None else clean(draft),
        }
        changes = {name: value for name, value in given.items() if value is not None}
        if not changes:
            return
        assignments = ", ".join(f"{name} = ?" for name in changes)

        def write(db: sqlite3.Connection) -> None:
            done = db.execute(f"UPDATE sessions SET {assignments} WHERE id = ?", [*changes.values(), id])
            if not done.rowcount:
                raise BadInput(f"There is no session {id}.")

        self._write(write)

    def title_if_untitled(self, id: str, title: str) -> None:
        """Give a session a title unless it has one: never overwrites what the user wrote."""

        def write(db: sqlite3.Connection) -> None:
            db.execute("UPDATE sessions SET title = ? WHERE id = ? AND title = ''", [clean(title), id])

        self._write(write)

    def delete_session(self, id: str) -> None:
        """Hide it and its runs. `restore_session` takes that back, `purge_deleted` makes it final."""
        time = moment()

        def write(db: sqlite3.Connection) -> None:
            done = db.execute("UPDATE sessions SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL", [time, id])
            if done.rowcount:
                db.execute("UPDATE runs SET deleted_at = ? WHERE session_id = ? AND deleted_at IS NULL", [time, id])

        self._write(write)

    def restore_session(self, id: str) -> None:
        def write(db: sqlite3.Connection) -> None:
            row = db.execute("SELECT deleted_at FROM sessions WHERE id = ?", [id]).fetchone()
            if row is not None and row[0] is not None:
                db.execute("UPDATE sessions SET deleted_at = NULL WHERE id = ?", [id])
                db.execute("UPDATE runs SET deleted_at = NULL WHERE session_id = ? AND deleted_at = ?", [id, row[0]])

        self._write(write)

    def purge_deleted(self, before: str | None = None) -> None:
        """Remove what was deleted (before this time, ISO 8601) for good, and overwrite its bytes."""
        limit = before or "9999"
        tables = ("sessions", "messages", "runs")
        wanted = " UNION ALL ".join(f"SELECT 1 FROM {table} WHERE deleted_at < ?" for table in tables)
        if self._one(f"{wanted} LIMIT 1", [limit] * len(tables)) is None:
            return

        def write(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM runs WHERE deleted_at < ?", [limit])
            db.execute(f"{_DOOMED} DELETE FROM messages WHERE id IN (SELECT id FROM doomed)", [limit])
            db.execute("DELETE FROM sessions WHERE deleted_at < ?", [limit])
            db.execute("DELETE FROM attachments WHERE sha256 NOT IN (SELECT sha256 FROM message_attachments)")

        self._write(lambda db: db.execute("PRAGMA secure_delete = ON").close(), alone=True)
        self._write(write)
        self._write(_merge_indexes)
        self._write(lambda db: db.execute("PRAGMA secure_delete = OFF").close(), alone=True)
        self._write(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").close(), alone=True)

    def session(self, id: str) -> Session | None:
        row = self._one(f"SELECT {SESSION_COLUMNS} FROM sessions WHERE id = ?", [id])
        return session_of(row) if row else None

    def sessions(
        self,
        query: str = "",
        folder: str | None = None,
        limit: int = 200,
        offset: int = 0,
        *,
        kind: SessionKind | None = None,
        deleted: bool = False,
    ) -> list[Session]:
        """Pinned ones first, then the newest. `query` is looked for in titles and messages."""
        where = ["sessions.deleted_at IS NOT NULL" if deleted else "sessions.deleted_at IS NULL"]
        values: list[Any] = []
        if query.strip():
            found = text_query(query)
            if not found:
                return []
            titles, title_values = matching("sessions", "title", found)
            messages, message_values = matching("messages", "text", found)
            where.append(
                f"(sessions.number IN ({titles}) OR sessions.id IN "
                f"(SELECT session_id FROM messages WHERE number IN ({messages}) AND deleted_at IS NULL))"
            )
            values += [*title_values, *message_values]
        for column, value in (("folder", folder), ("kind", kind)):
            if value is not None:
                where.append(f"{column} = ?")
                values.append(value)
        rows = self._all(
            f"SELECT {SESSION_COLUMNS} FROM sessions WHERE {' AND '.join(where)} "
            "ORDER BY pinned DESC, updated_at DESC LIMIT ? OFFSET ?",
            [*values, limit, offset],
        )
        return [session_of(row) for row in rows]

    def folders(self) -> list[str]:
        rows = self._all(
            "SELECT DISTINCT folder FROM sessions WHERE folder != '' AND deleted_at IS NULL "
            "ORDER BY folder COLLATE NOCASE"
        )
        return [folder for (folder,) in rows]

    # --- messages ---------------------------------------------------------------------------------------------
    def add_message(self, session_id: str, parent_id: str | None, message: Message) -> StoredMessage:
        return self._write(lambda db: insert_message(db, session_id, parent_id, message))

    def update_message(self, id: str, message: Message) -> None:
        def write(db: sqlite3.Connection) -> None:
            if not db.execute("SELECT 1 FROM messages WHERE id = ?", [id]).fetchone():
                raise BadInput(f"There is no message {id}.")
            set_message(db, id, message)

        self._write(write)

    def delete_message(self, id: str) -> None:
        """Hide the message and all below it, with their runs."""
        time = moment()

        def write(db: sqlite3.Connection) -> None:
            rows = db.execute(f"{_SUBTREE} SELECT id FROM subtree", [id]).fetchall()
            db.executemany(
                "UPDATE messages SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL", [(time, *r) for r in rows]
            )
            db.executemany(
                "UPDATE runs SET deleted_at = ? WHERE message_id = ? AND deleted_at IS NULL", [(time, *r) for r in rows]
            )

        self._write(write)

    def restore_message(self, id: str) -> None:
        """Take back a `delete_message` of this message: what was deleted with it, not what was deleted before."""

        def write(db: sqlite3.Connection) -> None:
            row = db.execute("SELECT deleted_at FROM messages WHERE id = ?", [id]).fetchone()
            if row is None or row[0] is None:
                return
            rows = db.execute(f"{_SUBTREE} SELECT id FROM subtree", [id]).fetchall()
            for table, column in (("messages", "id"), ("runs", "message_id")):
                db.executemany(
                    f"UPDATE {table} SET deleted_at = NULL WHERE {column} = ? AND deleted_at = ?",
                    [(*r, row[0]) for r in rows],
                )

        self._write(write)

    def messages(self, session_id: str) -> list[StoredMessage]:
        """The whole tree, oldest first, without deleted ones and without attachments' bytes."""
        rows = self._all(
            f"SELECT {MESSAGE_COLUMNS} FROM messages WHERE session_id = ? AND deleted_at IS NULL ORDER BY number",
            [session_id],
        )
        return [message_of(row) for row in rows]

    def message(self, id: str) -> StoredMessage | None:
        row = self._one(f"SELECT {MESSAGE_COLUMNS} FROM messages WHERE id = ?", [id])
        return message_of(row) if row else None

    def attachment(self, sha256: str) -> bytes:
        """Raises BadInput when it is not here."""
        row = self._one("SELECT data FROM attachments WHERE sha256 = ?", [sha256])
        if row is None:
            raise BadInput(f"The attachment {sha256[:12]}… is not in the database.")
        return bytes(row[0])

    # --- search -----------------------------------------------------------------------------------------------
    def search(self, text: str, limit: int = 50, offset: int = 0) -> list[SearchHit]:
        """Messages with all the words (as beginnings of words), newest first. Any text is a valid query."""
        found = text_query(text)
        if not found:
            return []
        excerpt = (
            f"snippet(messages_fts, 0, '{HIT_START}', '{HIT_END}', '…', 24)"
            if found.match
            else "substr(m.text, 1, 200)"
        )
        source = "messages_fts JOIN messages m ON m.number = messages_fts.rowid" if found.match else "messages m"
        order = "messages_fts.rowid" if found.match else "m.number"
        where, values = conditions("messages_fts", "m.text", found)
        rows = self._all(
            f"SELECT m.session_id, m.id, sessions.title, {excerpt}, m.role, m.created_at FROM {source} "
            f"JOIN sessions ON sessions.id = m.session_id WHERE {where} "
            f"AND m.deleted_at IS NULL AND sessions.deleted_at IS NULL ORDER BY {order} DESC LIMIT ? OFFSET ?",
            [*values, limit, offset],
        )
        return [
            SearchHit(session_id=s, message_id=m, title=t, snippet=x, role=r, created_at=c) for s, m, t, x, r, c in rows
        ]


_SUBTREE = (
    "WITH RECURSIVE subtree (id) AS (SELECT ? UNION ALL "
    "SELECT messages.id FROM messages JOIN subtree ON messages.parent_id = subtree.id)"
)

_DOOMED = (
    "WITH RECURSIVE doomed (id) AS (SELECT id FROM messages WHERE deleted_at < ? UNION "
    "SELECT messages.id FROM messages JOIN doomed ON messages.parent_id = doomed.id)"
)


def conditions(index: str, column: str, query: TextQuery) -> tuple[str, list[str]]:
    """SQL condition and its values for rows that fit `query`."""
    parts = [f"{index} MATCH ?"] if query.match else []
    parts += [f"{column} LIKE ? ESCAPE '\\'"] * len(query.like)
    return " AND ".join(parts), [*([query.match] if query.match else []), *query.like]


def matching(table: str, column: str, query: TextQuery) -> tuple[str, list[str]]:
    """SQL for the numbers of the newest rows of `table` that fit, and its values."""
    where, values = conditions(f"{table}_fts", f"{table}.{column}", query)
    if not query.like:
        return f"SELECT rowid FROM {table}_fts WHERE {where} ORDER BY rowid DESC LIMIT {NEWEST_HITS}", values
    source = f"{table}_fts JOIN {table} ON {table}.number = {table}_fts.rowid" if query.match else table
    return f"SELECT {table}.number FROM {source} WHERE {where} ORDER BY {table}.number DESC LIMIT {NEWEST_HITS}", values


# --- writes that other tables' writes use ---------------------------------------------------------------------
def insert_message(
    db: sqlite3.Connection, session_id: str, parent_id: str | None, message: Message, run_id: str | None = None
) -> StoredMessage:
    """Add a message and make it the session's leaf."""
    if not db.execute("SELECT 1 FROM sessions WHERE id = ?", [session_id]).fetchone():
        raise BadInput(f"There is no session {session_id}.")
    if parent_id is not None:
        parent = db.execute("SELECT session_id FROM messages WHERE id = ?", [parent_id]).fetchone()
        if parent is None or parent[0] != session_id:
            raise BadInput(f"There is no message {parent_id} in the session {session_id}.")
    id_, time = new_id(), now()
    db.execute(
        "INSERT INTO messages (id, session_id, parent_id, role, run_id, created_at, text, parts) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [id_, session_id, parent_id, message.role, run_id, time, clean(message.text), parts_json(message)],
    )
    insert_attachments(db, id_, message, time)
    db.execute("UPDATE sessions SET leaf_id = ?, updated_at = ? WHERE id = ?", [id_, time, session_id])
    return StoredMessage(
        id=id_, session_id=session_id, parent_id=parent_id, message=message, created_at=time, run_id=run_id
    )


def set_message(db: sqlite3.Connection, id: str, message: Message) -> None:
    db.execute(
        "UPDATE messages SET role = ?, text = ?, parts = ? WHERE id = ?",
        [message.role, clean(message.text), parts_json(message), id],
    )
    kept = [attachment.sha256 for attachment in message.attachments]
    marks = ", ".join("?" * len(kept))
    db.execute(f"DELETE FROM message_attachments WHERE message_id = ? AND sha256 NOT IN ({marks})", [id, *kept])
    insert_attachments(db, id, message, now())


def _merge_indexes(db: sqlite3.Connection) -> None:
    """Drops the words that only deleted rows had; until then they stand in the index as deleted."""
    for index in ("messages_fts", "sessions_fts"):
        db.execute(f"INSERT INTO {index} ({index}) VALUES ('optimize')")


def insert_attachments(db: sqlite3.Connection, message_id: str, message: Message, time: str) -> None:
    for attachment in message.attachments:
        if attachment.data or attachment.sha256 == EMPTY_SHA256:
            db.execute(
                "INSERT OR IGNORE INTO attachments (sha256, media_type, size, created_at, data) VALUES (?, ?, ?, ?, ?)",
                [attachment.sha256, attachment.media_type, len(attachment.data), time, attachment.data],
            )
        elif not db.execute("SELECT 1 FROM attachments WHERE sha256 = ?", [attachment.sha256]).fetchone():
            raise BadInput(f"The attachment {attachment.name or attachment.sha256[:12]} came without its content.")
        db.execute(
            "INSERT OR IGNORE INTO message_attachments (message_id, sha256, name) VALUES (?, ?, ?)",
            [message_id, attachment.sha256, clean(attachment.name)],
        )
