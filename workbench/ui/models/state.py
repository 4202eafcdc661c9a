"""The models of this machine as the window shows them: what is installed, what is in memory, loading, deleting."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from PySide6.QtCore import QObject, QTimer, Signal, Slot

from workbench.core.cancel import CancelToken
from workbench.core.errors import Cancelled, ErrorInfo, WorkbenchError
from workbench.core.requests import LoadOptions, merged
from workbench.ui.backend import Backend
from workbench.ui.context import Context
from workbench.ui.jobs import SERIAL, Job
from workbench.ui.models.formats import source_text
from workbench.ui.models.hub import HubSlot
from workbench.ui.models.inventory import InstalledModel, Inventory, LoadedState, read_inventory, read_loaded
from workbench.ui.models.removals import Removals
from workbench.ui.models.transfers import Transfers
from workbench.ui.tr import tr

if TYPE_CHECKING:
    from workbench.services.model_files import FoundModel
    from workbench.services.model_watch import FolderWatch
    from workbench.ui.models.expected import Expected

LOOK_MS = 1000
"""How often what is in memory is looked at while the place is shown."""
LOAD_LOOK_MS = 150


class ModelsState(QObject):
    installed_changed = Signal()
    loaded_changed = Signal()
    """A model came into memory or left it, or the progress of loading moved."""
    duplicates_changed = Signal()
    failed = Signal(object)
    """ErrorInfo of something that belongs to no single row."""
    file_added = Signal(str, bool)
    """(path of a file that was dropped or chosen, whether it is new here)"""
    expected_changed = Signal()
    load_failed = Signal(str, object)
    """(model id, ErrorInfo)"""

    def __init__(self, context: Context, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.context = context
        self.hub = HubSlot(context, self)
        self.transfers = Transfers(context, self.hub, self)
        self.removals = Removals(self)
        self.inventory: Inventory | None = None
        self.loaded: dict[str, LoadedState] = {}
        """By path."""
        self.loading: dict[str, float] = {}
        """Model id -> fraction."""
        self.duplicates: list[list[FoundModel]] = []
        self.expected: dict[str, Expected] = {}
        """Model id -> how it would run with what it is loaded with now."""
        self._load_jobs: dict[str, Job] = {}
        self._progress: dict[str, float] = {}
        self._watch: FolderWatch | None = None
        self._folders_changed = threading.Event()
        self._loaded_timer = self._make_timer(LOOK_MS, self._look)
        self._load_timer = self._make_timer(LOAD_LOOK_MS, self._show_loading)
        self.hub.ready.connect(self._start)
        self.hub.failed.connect(self.failed)
        self.transfers.error.connect(self.failed)
        context.settings.changed.connect(self._settings_changed)
        self._folders = context.settings.value.folders

    def _make_timer(self, interval_ms: int, slot: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setInterval(interval_ms)
        timer.timeout.connect(slot)
        return timer

    @property
    def backend(self) -> Backend | None:
        return self.context.backend.value

    @property
    def models(self) -> list[InstalledModel]:
        """Without those that are being deleted."""
        if self.inventory is None:
            return []
        return [model for model in self.inventory.models if not self.removals.is_leaving(model.id)]

    def is_loaded(self, model: InstalledModel) -> bool:
        return str(model.found.path) in self.loaded

    def owner_of(self, found: FoundModel) -> str:
        """Whose copy of a model this is: the bundled one lies in a folder that no place names."""
        models = self.inventory.models if self.inventory is not None else ()
        listed = next((model.source for model in models if model.found == found), found.owner)
        return source_text(listed)

    # --- reading ---------------------------------------------------------------------------------------------
    def refresh(self, after: Callable[[], None] | None = None) -> None:
        """Look for models again."""
        backend, access = self.backend, self.hub.access
        if backend is None or access is None:
            return

        def done(inventory: Inventory) -> None:
            changed = self.inventory is None or inventory.models != self.inventory.models
            first = self.inventory is None
            self.inventory = inventory
            self.installed_changed.emit()
            if changed:
                self._find_duplicates()
                if not first:
                    self.context.backend.models_changed.emit()
            if after is not None:
                after()

        self.context.jobs.run(lambda: read_inventory(backend, access.cache), done, self.failed.emit, owner=self)

    def set_shown(self, shown: bool) -> None:
        """Whether the place is in front: only then it is looked what is in memory."""
        if shown and self.hub.access is not None:
            self._loaded_timer.start()
            self._look()
        elif not shown:
            self._loaded_timer.stop()

    @Slot()
    def _start(self) -> None:
        self.refresh()
        self._loaded_timer.start()
        self._look()
        self._watch_folders()

    @Slot()
    def _look(self) -> None:
        backend = self.backend
        if backend is None:
            return
        if self._folders_changed.is_set():
            self._folders_changed.clear()
            self.refresh()
        catalog = backend.catalog
        self.context.jobs.run(lambda: read_loaded(catalog), self._set_loaded, owner=self, key="models-loaded")

    def _set_loaded(self, loaded: dict[str, LoadedState]) -> None:
        if loaded != self.loaded:
            self.loaded = loaded
            self.loaded_changed.emit()

    @Slot()
    def _settings_changed(self) -> None:
        folders = self.context.settings.value.folders
        if folders != self._folders:
            self._folders = folders
            self.refresh()
            self._watch_folders()

    def _watch_folders(self) -> None:
        """Watch the folders as the settings name them now."""
        backend, old = self.backend, self._watch
        if backend is None:
            return
        paths, folders, told = backend.paths, self._folders, self._folders_changed.set

        def work() -> FolderWatch:
            if old is not None:
                old.stop()
            files = importlib.import_module("workbench.services.model_files")
            watch: FolderWatch = importlib.import_module("workbench.services.model_watch").FolderWatch(
                files.usual_places(paths, folders, missing=True), told
            )
            watch.start()
            return watch

        def done(watch: FolderWatch) -> None:
            if self._watch is not None:  # the folders were changed again meanwhile
                self._watch.stop()
            self._watch = watch

        self._watch = None
        self.context.jobs.run(work, done, owner=self, lane=SERIAL)

    def _find_duplicates(self) -> None:
        backend, inventory = self.backend, self.inventory
        if backend is None or inventory is None:
            return
        found = [model.found for model in inventory.models]
        file = backend.paths.cache / "duplicate-hashes.json"

        def work(cancel: CancelToken) -> list[list[FoundModel]]:
            module = importlib.import_module("workbench.services.model_duplicates")
            groups: list[list[FoundModel]] = module.find_duplicates(found, cancel, module.HashCache(file))
            return groups

        def done(groups: list[list[FoundModel]]) -> None:
            if groups != self.duplicates:
                self.duplicates = groups
                self.duplicates_changed.emit()

        self.context.jobs.run_cancellable(work, done, owner=self, key="models-duplicates")

    def expect(self, model: InstalledModel) -> None:
        """Find out how a model would run here; tells with `expected_changed`."""
        backend, access, machine = self.backend, self.hub.access, self.hub.machine
        if backend is None or access is None or machine is None:
            return
        options = merged(backend.settings.value.engine.load, self.defaults_of(model.id))
        path, experience = model.found.path, access.experience
        freed = sum(loaded.memory_bytes for loaded in self.loaded.values() if not loaded.gpu_layers)

        def work() -> Expected:
            module = importlib.import_module("workbench.ui.models.expected")
            found: Expected = module.read_expected(path, options, machine, experience, freed)
            return found

        def done(expected: Expected) -> None:
            if self.expected.get(model.id) != expected:
                self.expected[model.id] = expected
                self.expected_changed.emit()

        self.context.jobs.run(work, done, owner=self, key="models-expected")

    # --- memory ----------------------------------------------------------------------------------------------
    def load(self, model: InstalledModel) -> None:
        """Bring a model into memory ahead of its first prompt."""
        backend = self.backend
        if backend is None or model.id in self.loading:
            return
        progress = self._progress
        progress[model.id] = 0.0
        catalog = backend.catalog

        def work(cancel: CancelToken) -> None:
            for step in _local(catalog.get(model.id)).load(cancel):
                progress[model.id] = step.fraction

        def done(_result: object) -> None:
            self._end_load(model.id)
            self._look()

        def failed(error: ErrorInfo) -> None:
            self._end_load(model.id)
            if error.kind != Cancelled.kind:
                self.load_failed.emit(model.id, error)

        self.loading[model.id] = 0.0
        self._load_jobs[model.id] = self.context.jobs.run_cancellable(work, done, failed, owner=self)
        self._load_timer.start()
        self._show_loading()

    def stop_loading(self, model_id: str) -> None:
        job = self._load_jobs.get(model_id)
        if job is not None:
            job.cancel()
            self._end_load(model_id)

    def unload(self, model: InstalledModel) -> None:
        backend = self.backend
        if backend is not None:
            catalog = backend.catalog
            self.context.jobs.run(
                lambda: catalog.unload(model.id), lambda _result: self._look(), self.failed.emit, owner=self
            )

    def _end_load(self, model_id: str) -> None:
        self._load_jobs.pop(model_id, None)
        self._progress.pop(model_id, None)
        self.loading.pop(model_id, None)
        if not self.loading:
            self._load_timer.stop()
        self.context.shell.set_work(f"load-{model_id}", "", None, None)
        self.loaded_changed.emit()

    @Slot()
    def _show_loading(self) -> None:
        for model_id in self.loading:
            fraction = self._progress.get(model_id, 0.0)
            self.loading[model_id] = fraction
            model = self.inventory.by_id(model_id) if self.inventory else None
            text = tr("Loading {name}", name=model.name if model else model_id)
            self.context.shell.set_work(f"load-{model_id}", text, fraction, partial(self.stop_loading, model_id))
        self.loaded_changed.emit()

    # --- settings --------------------------------------------------------------------------------------------
    def defaults_of(self, model_id: str) -> LoadOptions:
        return self.context.settings.value.engine.per_model.get(model_id, LoadOptions())

    def set_defaults(self, model_id: str, options: LoadOptions) -> None:
        """How this model is loaded from now on; empty options take its entry away."""
        settings = self.context.settings
        engine = settings.value.engine
        per_model = {key: value for key, value in engine.per_model.items() if key != model_id}
        if options != LoadOptions():
            per_model[model_id] = options
        engine = msgspec.structs.replace(engine, per_model=per_model)
        self.context.shell.banner("settings", settings.save(msgspec.structs.replace(settings.value, engine=engine)))

    def add_file(self, path: str) -> None:
        """Use this file from now on, where it is. What can't be used is told of and not added."""

        def added(_header: object) -> None:
            new = self.inventory is None or self.inventory.by_path(path) is None
            if new:
                self.add_folder(path)
            self.file_added.emit(path, new)

        gguf = importlib.import_module("workbench.core.gguf")
        self.context.jobs.run(lambda: gguf.read_header(Path(path)), added, self.failed.emit, owner=self)

    def add_folder(self, folder: str) -> bool:
        """Look into this folder (or at this file) too, from now on. False: it was known."""
        settings = self.context.settings
        known = settings.value.folders.model_folders
        if folder in known:
            return False
        folders = msgspec.structs.replace(settings.value.folders, model_folders=(*known, folder))
        problem = settings.save(msgspec.structs.replace(settings.value, folders=folders))
        self.context.shell.banner("settings", problem)
        return problem is None

    # --- talking to Chat -------------------------------------------------------------------------------------
    def chat_with(self, model_id: str) -> None:
        page: Any = self.context.shell.show_place("chat")
        if page is not None:
            page.state.reload_models()
            page.state.set_model(model_id)

    # --- the end ---------------------------------------------------------------------------------------------
    def close(self) -> None:
        self._loaded_timer.stop()
        self._load_timer.stop()
        self.removals.finish()
        for job in list(self._load_jobs.values()):
            job.cancel()
        self.hub.close()
        if self._watch is not None:
            self._watch.stop()


def _local(model: Any) -> Any:
    if not hasattr(model, "load"):
        raise WorkbenchError(f"{model.info.name} is not a model of this machine.")
    return model
