"""Delete everything the program keeps about its user."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable
from pathlib import Path

from workbench.core.errors import WorkbenchError
from workbench.core.paths import Paths
from workbench.core.settings import SettingsFile
from workbench.services.backup_schedule import automatic_backups, folder_of
from workbench.services.keys import HUB_TOKEN, Keys
from workbench.store import Store

FILES = (
    "settings*.json",
    ".settings.json.*",
    "keys.json*",
    ".keys.*",
    "keyring.json",
    "prices.json",
    "ui-state.json",
    ".ui-state.json.*",
    "downloads.json*",
    "machine.json*",
    "restore-pending.json*",
)
"""Those with a dot, or with more behind their name, are left by programs that were killed while they wrote."""
FOLDERS = (".restore-2*", ".unpack-*", ".backup-*")
"""Of backups and restores that were killed half-way."""
_log = logging.getLogger(__name__)


def erase_contents(store: Store, keys: Keys, providers: Iterable[str]) -> list[str]:
    """Overwrite the open database and forget the keys. Returns what could not be done, for the user."""
    problems = []
    try:
        store.erase()
    except WorkbenchError as error:  # its files go all the same, only not overwritten
        _log.warning("The database was not overwritten: %s", error)
    for name in {*providers, *keys.kept_names(), HUB_TOKEN}:
        try:
            keys.delete(name)
        except WorkbenchError as error:
            problems.append(str(error))
    return problems


def erase_files(paths: Paths) -> list[str]:
    """Delete the files, once nothing has them open; models and plugins stay. Returns what could not be deleted.

    Only files with the program's own names go: WORKBENCH_HOME may be a folder that holds other things too.
    """
    automatic = folder_of(paths, SettingsFile(paths.settings).value.backups)
    doomed = [backup.path for backup in automatic_backups(automatic)]
    doomed += [*paths.data.glob(f"{paths.database.name}*"), *paths.data.glob(f"{paths.database.stem}-*.db*")]
    for pattern in FILES:
        doomed += [*paths.config.glob(pattern), *paths.data.glob(pattern)]
    problems = [problem for file in doomed if (problem := _delete(file))]
    left = [folder for root in {paths.data, paths.config} for name in FOLDERS for folder in root.glob(name)]
    for folder in (paths.backups, paths.drafts, paths.logs, paths.cache, *left):
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
