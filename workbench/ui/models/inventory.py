"""What is installed, read from the disk and the database in a worker."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.core.errors import BadModelFile
from workbench.core.gguf import read_header
from workbench.core.models import ModelInfo
from workbench.hub.repos import split_part
from workbench.services.model_files import DEEPEST, FoundModel, Place, models_at, usual_places

if TYPE_CHECKING:
    from workbench.core.paths import Paths
    from workbench.services.catalog import ModelCatalog
    from workbench.ui.backend import Backend

STARTER = "starter"


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model of this machine."""

    id: str
    name: str
    info: ModelInfo
    found: FoundModel
    source: str
    """Whose folder it stands in, for the user."""
    last_used: str = ""
    """ISO 8601, empty for never."""

    @property
    def bundled(self) -> bool:
        """Comes with the program and can't be deleted alone."""
        return self.id == STARTER


@dataclass(frozen=True, slots=True)
class Inventory:
    models: tuple[InstalledModel, ...]
    problems: tuple[tuple[Path, str], ...] = ()
    """Files that look like models and can't be used, and why."""
    free_bytes: int = 0
    """On the disk that downloads go to."""

    @property
    def total_bytes(self) -> int:
        return sum(model.found.size_bytes for model in self.models)

    def by_path(self, path: str) -> InstalledModel | None:
        """The model one of whose files this is, under whatever name."""
        if not path:
            return None
        wanted = os.path.realpath(path)
        for model in self.models:
            if any(os.path.realpath(file) == wanted for file in model.found.files):
                return model
        return None

    def by_id(self, model_id: str) -> InstalledModel | None:
        return next((model for model in self.models if model.id == model_id), None)


@dataclass(frozen=True, slots=True)
class LoadedState:
    """A model in memory."""

    n_ctx: int
    memory_bytes: int
    gpu_layers: int
    running: int


def read_inventory(backend: Backend, downloads_to: Path) -> Inventory:
    """Everything installed. Reads folders and headers: for a worker."""
    catalog = backend.catalog
    files = catalog.local_files()
    infos = {info.id: info for info in catalog.models() if info.provider == "local"}
    models = []
    starter = infos.get(STARTER)
    if starter is not None and (found := models_at(Path(starter.path))):
        models.append(InstalledModel(STARTER, starter.name, starter, found[0], "Bundled", _last_used(backend, STARTER)))
    for model_id, file in files.items():
        info = infos.get(model_id)
        if info is not None:
            models.append(
                InstalledModel(model_id, _title(file, info), info, file, file.owner, _last_used(backend, model_id))
            )
    folders = backend.settings.value.folders
    problems = dict(catalog.problems) | unusable_files(usual_places(backend.paths, folders))
    return Inventory(tuple(models), tuple(sorted(problems.items())), free_bytes(downloads_to))


def read_loaded(catalog: ModelCatalog) -> dict[str, LoadedState]:
    """Models in memory by their path."""
    found = {}
    for model in catalog.loaded():
        loaded = model.loaded
        if loaded is not None:
            state = LoadedState(loaded.n_ctx, loaded.memory_bytes, loaded.n_gpu_layers, model.running)
            found[str(model.path)] = state
    return found


def unusable_files(places: list[Place]) -> dict[Path, str]:
    """Files named like models that the list leaves out: no GGUF inside, unreadable, or parts missing."""
    problems: dict[Path, str] = {}
    for place in places:
        if place.source == "ollama":
            continue
        base = len(place.folder.parts)
        for parent, folders, names in os.walk(place.folder):
            if len(Path(parent).parts) - base >= DEEPEST:
                folders.clear()
            folders[:] = [name for name in folders if name not in (".locks", "blobs", ".git", "node_modules")]
            own = [name for name in names if name.lower().endswith(".gguf")]
            problems |= _missing_parts(Path(parent), own)
            for name in own:
                if problem := _no_gguf(Path(parent, name)):
                    problems[Path(parent, name)] = problem
    return problems


def free_bytes(folder: Path) -> int:
    """Free space where `folder` is or will be; 0 where it can't be told."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    with contextlib.suppress(OSError):
        return shutil.disk_usage(folder).free
    return 0


def watched_places(paths: Paths, backend: Backend) -> list[Place]:
    return usual_places(paths, backend.settings.value.folders)


def _title(file: FoundModel, info: ModelInfo) -> str:
    """The file's name: it tells fine-tunes apart that kept the name of what they were made from."""
    return file.name if file.source != "ollama" else file.name or info.name


def _last_used(backend: Backend, model_id: str) -> str:
    from workbench.store import RunFilter  # noqa: PLC0415  (opens SQLite's modules: not before the first paint)

    rows = backend.store.run_rows(RunFilter(models=(model_id,)), limit=1)
    return rows[0].started_at if rows else ""


def _no_gguf(file: Path) -> str:
    try:
        with file.open("rb") as start:
            if start.read(4) == b"GGUF":
                return ""
        read_header(file)
    except BadModelFile as error:
        return str(error)
    except OSError as error:
        return f"It can't be read: {error.strerror or error}."
    return ""


def _missing_parts(folder: Path, names: list[str]) -> dict[Path, str]:
    groups: dict[str, list[tuple[int, int, str]]] = {}
    for name in names:
        if (part := split_part(name)) is not None:
            groups.setdefault(part[0], []).append((part[1], part[2], name))
    problems = {}
    for members in groups.values():
        expected = members[0][1]
        if len(members) != expected:
            problems[folder / sorted(members)[0][2]] = (
                f"{len(members)} of {expected} parts are here. Download the missing ones into the same folder."
            )
    return problems
