"""Reading other files into the database: which importer fits, and what came of it."""

from __future__ import annotations

from pathlib import Path

from workbench.core.errors import BadInput, WorkbenchError
from workbench.hookspecs import Importer
from workbench.store import Store
from workbench.store.archive import Imported, import_session

BEGINNING_BYTES = 65_536


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


def import_file(store: Store, importer: Importer, file: Path) -> list[Imported]:
    """Import session by session; each is added whole or not at all.

    Raises BadInput where a session is damaged: those before it are in the database, and the message says how many.
    """
    done: list[Imported] = []
    try:
        for session in importer.read(str(file)):
            done.append(import_session(store, session))
    except BadInput as error:
        added = sum(item.state == "added" for item in done)
        before = f" Sessions imported before it: {added}." if added else ""
        raise BadInput(f"{file}: {error.message}{before}", hint=error.hint) from error
    except WorkbenchError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise BadInput(
            f"{file} is not as the format {importer.format} should be ({type(error).__name__}: {error})."
        ) from error
    return done
