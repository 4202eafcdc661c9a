"""What the groups of tables share: how to write and how to read."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from workbench.store.connections import Readers
from workbench.store.errors import ReadOnlyDatabase, explained
from workbench.store.records import Rows, row_of
from workbench.store.writer import Write, Writer

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")


class Tables:
    path: Path
    read_only: bool
    notice: str
    _writer: Writer | None
    _readers: Readers

    def _submit(self, write: Write[T], *, alone: bool = False) -> Future[T]:
        if self._writer is None:
            raise ReadOnlyDatabase(self.notice or f"The database {self.path} is open for reading only.")
        return self._writer.submit(write, alone=alone)

    def _write(self, write: Write[T], *, alone: bool = False) -> T:
        """Returns after the commit. Raises StoreError."""
        return self._submit(write, alone=alone).result()

    def _query(self, sql: str, parameters: Sequence[Any] = ()) -> Rows:
        """All rows of one statement, on this thread's own connection. Raises StoreError."""
        try:
            with self._readers.use() as connection:
                cursor = connection.execute(sql, parameters)
                return Rows([column[0] for column in cursor.description], cursor.fetchall())
        except sqlite3.Error as error:
            raise explained(error, self.path) from error

    def _all(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._query(sql, parameters).rows

    def _one(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        rows = self._all(sql, parameters)
        return rows[0] if rows else None

    def _rows(self, kind: type[S], table: str, rest: str, values: Sequence[Any]) -> list[S]:
        """Values of a kind whose fields are the table's columns. Raises StoreError."""
        return row_of(kind, self._query(f"SELECT {', '.join(kind.__struct_fields__)} FROM {table} {rest}", values))
