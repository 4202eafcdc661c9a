"""Sessions to files and back: which importer fits, what came of it, files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from workbench.core.cancel import CancelToken
from workbench.core.errors import BadInput, Cancelled, WorkbenchError
from workbench.hookspecs import Exporter, Importer
from workbench.store import LedgerEntry, Store
from workbench.store.archive import Imported, export_session, import_session

BEGINNING_BYTES = 65_536
LEDGER_COLUMNS = ("started_at", "provider", "model", "session_title", "prompt_tokens", "cost_usd", "status", "run_id")
_LEDGER_PAGE = 5_000

Progress = Callable[[int], None]
"""Called with how many sessions are done."""


# --- in -------------------------------------------------------------------------------------------------------
def recognise(importers: list[Importer], file: Path) -> Importer:
    """The first importer that knows the file. Raises BadInput."""
    try:
        with file.open("rb") as stream:
            beginning = stream.read(BEGINNING_BYTES)
    except OSError as error:
        raise BadInput(f"{file} can't be read: {error.strerror}.") from error
    for importer in importers:
        if importer.recognises(beginning):
            return importer
    known = ", ".join(f"{importer.format} ({importer.title})" for importer in importers)
    raise BadInput(f"{file} is of no known format.", hint=f"Formats: {known}.")


def import_file(
    store: Store, importer: Importer, file: Path, progress: Progress | None = None, cancel: CancelToken | None = None
) -> list[Imported]:
    """Import session by session; each is added whole or not at all.

    Raises BadInput where a session is damaged: those before it are in the database, and the message says how many.
    Cancelled between sessions: Cancelled, with the same message.
    """
    done: list[Imported] = []
    try:
        for session in importer.read(str(file)):
            if cancel is not None and cancel.cancelled:
                raise Cancelled(f"The import was stopped.{_before(done)}")
            done.append(import_session(store, session))
            if progress is not None:
                progress(len(done))
    except BadInput as error:
        raise BadInput(f"{file}: {error.message}{_before(done)}", hint=error.hint) from error
    except WorkbenchError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise BadInput(
            f"{file} is not as the format {importer.format} should be ({type(error).__name__}: {error}).{_before(done)}"
        ) from error
    return done


def _before(done: list[Imported]) -> str:
    added = sum(item.state != "present" for item in done)
    return f" Sessions imported before it: {added}." if added else ""


# --- out ------------------------------------------------------------------------------------------------------
def export_pieces(
    store: Store,
    exporter: Exporter,
    session_ids: Sequence[str],
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
) -> Iterator[bytes]:
    """The file's content. Raises BadInput for an unknown session, Cancelled."""

    def archives() -> Iterator[dict[str, Any]]:
        for number, id_ in enumerate(session_ids):
            if cancel is not None and cancel.cancelled:
                raise Cancelled("The export was stopped; no file was written.")
            yield export_session(store, id_)
            if progress is not None:
                progress(number + 1)

    for piece in exporter.write(archives()):
        yield piece if isinstance(piece, bytes) else piece.encode("utf-8", "replace")


def write_file(path: Path, pieces: Iterable[bytes]) -> None:
    """The whole file or nothing: an old one stays if writing fails. Raises WorkbenchError."""
    try:
        with _replacing(path) as file:
            for piece in pieces:
                file.write(piece)
    except OSError as error:
        raise WorkbenchError(f"{path} can't be written: {error.strerror}.") from error


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    handle, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


# --- the privacy ledger ---------------------------------------------------------------------------------------
class _Line:
    """A file for the csv module that hands back what was written last."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text = text
        return len(text)


def ledger_csv(store: Store) -> Iterator[bytes]:
    """Every prompt that left this machine, as CSV: when, to whom, of which session, how much."""
    line = _Line()
    writer = csv.writer(line)
    writer.writerow(LEDGER_COLUMNS)
    yield line.text.encode()
    for entry in ledger_entries(store):
        writer.writerow([_cell(getattr(entry, name)) for name in LEDGER_COLUMNS])
        yield line.text.encode("utf-8", "replace")


def ledger_entries(store: Store) -> Iterator[LedgerEntry]:
    """Every prompt that left this machine, a page at a time."""
    offset = 0
    while page := store.ledger(_LEDGER_PAGE, offset):
        yield from page
        offset += len(page)


def _cell(value: object) -> object:
    """Text that a spreadsheet would take for a formula is marked as text."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value
