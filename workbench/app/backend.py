"""Opens the program's services. Runs in a worker, after the first paint."""

from __future__ import annotations

from pathlib import Path

from workbench.core.errors import StoreError
from workbench.core.paths import Paths, bundled
from workbench.core.settings import SettingsFile
from workbench.plugins import PluginManager
from workbench.services.backup_restore import is_pending
from workbench.services.catalog import ModelCatalog
from workbench.services.chat import ChatService
from workbench.services.comparison import ComparisonService
from workbench.services.keys import Keys
from workbench.services.model_pool import ModelPool
from workbench.services.runner import Runner
from workbench.store import DamagedDatabase, Store
from workbench.ui.backend import Backend


class DamagedStore(StoreError):
    """The window offers to keep the damaged file aside and to start an empty one."""

    kind = "damaged_database"


class PendingRestore(StoreError):
    """A restore could not be finished: half of the files are of the backup, so nothing is opened."""

    kind = "pending_restore"


def open_backend(paths: Paths, settings: SettingsFile) -> Backend:
    """Open the database, load the plugins, build the rest on top. Raises StoreError."""
    if is_pending(paths):
        raise PendingRestore(
            "A restore of a backup is not finished yet.", hint="Check free space and permissions, then try again."
        )
    try:
        store = Store.open(paths.database, paths.backups)
    except DamagedDatabase as error:
        raise DamagedStore(error.message, hint=error.hint, detail=error.detail) from error
    return backend_on(store, paths, settings)


def backend_on(store: Store, paths: Paths, settings: SettingsFile) -> Backend:
    """The services on an open store."""
    folders = [bundled("plugins"), paths.plugins]
    plugins = PluginManager(folders=folders, disabled=settings.value.plugins.disabled)
    plugins.load()
    keys = Keys(paths)
    catalog = ModelCatalog(plugins, settings, paths, keys)
    runner = Runner(store)
    chat = ChatService(store, runner, catalog, lambda: settings.value.engine.sampling)
    return Backend(
        paths=paths,
        settings=settings,
        store=store,
        plugins=plugins,
        keys=keys,
        catalog=catalog,
        runner=runner,
        chat=chat,
        comparisons=ComparisonService(store, runner, catalog, chat, ModelPool(catalog)),
    )


def close_backend(backend: Backend) -> None:
    """Stop the runs (what they have is stored), then the models, then the database."""
    backend.runner.close()
    backend.catalog.close()
    backend.store.close()


def recover_backend(paths: Paths, settings: SettingsFile) -> tuple[Backend, Path]:
    """Keep a damaged database under another name and start an empty one. Returns where the old one is."""
    store, aside = Store.recover_aside(paths.database, paths.backups)
    return backend_on(store, paths, settings), aside
