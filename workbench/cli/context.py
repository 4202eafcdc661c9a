"""Builds what a command needs, when it needs it, and closes it at the end."""

from __future__ import annotations

import contextlib
from functools import cached_property
from types import TracebackType

from workbench.core.errors import StoreError
from workbench.core.paths import Paths, bundled
from workbench.core.settings import Settings, SettingsFile
from workbench.plugins import PluginManager
from workbench.services.backup_restore import finish
from workbench.services.catalog import ModelCatalog
from workbench.services.chat import ChatService
from workbench.services.comparison import ComparisonService
from workbench.services.keys import Keys
from workbench.services.logs import start_logging, stop_logging
from workbench.services.model_pool import ModelPool
from workbench.services.runner import Runner
from workbench.store import Store


class Workbench:
    """The program's objects for one command. Use it with `with`: leaving it stops runs and models."""

    def __init__(self, *, log_runs: bool = True) -> None:
        """`log_runs=False`: answers are not kept in the database."""
        self.paths = Paths.of_user()
        self._log_runs = log_runs
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Workbench:
        finish(self.paths)  # a restore that was killed half-way, before anything is read
        self._open.callback(stop_logging, start_logging(self.paths))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @cached_property
    def settings_file(self) -> SettingsFile:
        return SettingsFile(self.paths.settings)

    @property
    def settings(self) -> Settings:
        return self.settings_file.value

    @cached_property
    def keys(self) -> Keys:
        return Keys(self.paths)

    @cached_property
    def plugins(self) -> PluginManager:
        manager = PluginManager(
            folders=[bundled("plugins"), self.paths.plugins], disabled=self.settings.plugins.disabled
        )
        manager.load()
        return manager

    @cached_property
    def catalog(self) -> ModelCatalog:
        catalog = ModelCatalog(self.plugins, self.settings_file, self.paths, self.keys)
        self._open.callback(catalog.close)
        return catalog

    @cached_property
    def store(self) -> Store:
        """Raises StoreError."""
        try:
            self.paths.create()
        except OSError as error:
            if not self.paths.database.exists():  # else it can still be read
                raise StoreError(
                    f"The folder {error.filename} can't be made: {error.strerror or error}.",
                    hint="Check its permissions, or set WORKBENCH_HOME to a folder you may write to.",
                ) from error
        store = Store.open(self.paths.database, self.paths.backups)
        self._open.callback(store.close)
        return store

    @cached_property
    def pool(self) -> ModelPool:
        return ModelPool(self.catalog)

    @cached_property
    def comparisons(self) -> ComparisonService:
        """Raises StoreError."""
        chat = ChatService(self.store, self.runner, self.catalog)
        return ComparisonService(self.store, self.runner, self.catalog, chat, self.pool)

    @cached_property
    def runner(self) -> Runner:
        """Raises StoreError, unless runs are not logged."""
        runner = Runner(self.store if self._log_runs else None)
        self._open.callback(runner.close)
        return runner
