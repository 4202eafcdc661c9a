"""Delete everything the program keeps about its user."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable
from pathlib import Path

from workbench.core.errors import WorkbenchError
from workbench.core.paths import Paths
from workbench.services.hub_access import TOKEN_PROVIDER
from workbench.services.keys import Keys
from workbench.store import Store

FILES = ("settings*.json", "keys.json*", "ui-state.json", "downloads.json", "machine.json")
_log = logging.getLogger(__name__)


def erase_contents(store: Store, keys: Keys, providers: Iterable[str]) -> list[str]:
    """Overwrite the open database and forget the keys. Returns what could not be done, for the user."""
    problems = []
    try:
        store.erase()
    except WorkbenchError as error:  # its files go all the same, only not overwritten
        _log.warning("The database was not overwritten: %s", error)
    for name in {*providers, TOKEN_PROVIDER}:
        try:
            keys.delete(name)
        except WorkbenchError as error:
            problems.append(str(error))
    return problems


def erase_files(paths: Paths) -> list[str]:
    """Delete the files, once nothing has them open; models and plugins stay. Returns what could not be deleted."""
    doomed = [*paths.data.glob(f"{paths.database.name}*"), *paths.data.glob(f"{paths.database.stem}-*.db*")]
    for pattern in FILES:
        doomed += [*paths.config.glob(pattern), *paths.data.glob(pattern)]
    problems = [problem for file in doomed if (problem := _delete(file))]
    for folder in (paths.backups, paths.logs, paths.cache):
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            problems.append(f"{folder} could not be deleted completely.")
    return problems


def _delete(file: Path) -> str:
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        return f"{file} could not be deleted: {error.strerror}."
    return ""
