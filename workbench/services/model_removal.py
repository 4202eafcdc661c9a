"""Deleting a model: first what would go, what it frees and who else uses it, then doing so. No Qt."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from workbench.core.errors import WorkbenchError
from workbench.hub import shared_blobs
from workbench.hub.cache import repo_id_of
from workbench.services.model_files import FoundModel, ollama_layers, ollama_manifests, ollama_name


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """What deleting a model means. Nothing has been deleted yet."""

    model: FoundModel
    names: tuple[Path, ...]
    """Files and links that go, blobs last."""
    frees_bytes: int
    """0 where the bytes stay because something else uses them."""
    used_by: tuple[str, ...] = ()
    """What else uses the bytes, so that they stay."""
    owner: str = ""
    """The other program whose file it is; empty for our own and the shared cache."""
    stored: tuple[Path, ...] = ()
    """Of `names`, bytes in the store that repositories share: they go if still nothing else links to them."""

    @property
    def summary(self) -> str:
        """One or two sentences for the question whether to go ahead."""
        text = f"Deletes {self.model.name} and frees {self.frees_bytes / 1e9:.2f} GB."
        if self.used_by:
            text += f" The data stays where {', '.join(self.used_by)} uses it too."
        if self.owner:
            text += f" {self.owner} will no longer find it."
        elif self.model.source == "huggingface":
            text += " Other programs that use the Hugging Face cache will no longer find it."
        return text


def plan_removal(model: FoundModel) -> Removal:
    """What deleting this model would do; its projector goes with the last model beside it.

    Raises OSError where its files can't be looked at.
    """
    if model.source == "ollama":
        return _plan_ollama(model)
    if model.projector is not None and not _others_beside(model):
        model = msgspec.structs.replace(model, files=(*model.files, model.projector))
    if model.revision:
        return _plan_cache(model)
    used_by: list[str] = []
    freed = 0
    for file in model.files:
        if file.is_symlink():
            used_by.append(str(file.resolve()))
        elif file.stat().st_nlink > 1:
            used_by.append("another name of the same file")
        else:
            freed += file.stat().st_size
    owner = "" if model.source in ("workbench", "folder") else model.owner
    return _removal(model, model.files, freed, used_by, owner)


def remove(removal: Removal) -> int:
    """Delete what was planned. Returns the bytes freed. Raises WorkbenchError where a file can't be deleted."""
    freed = removal.frees_bytes
    for path in removal.names:
        try:
            if path in removal.stored:
                size = path.stat().st_size
                freed -= size - shared_blobs.sweep(path)  # 0 where another repository came to use it meanwhile
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise WorkbenchError(
                f"{path} can't be deleted: {error.strerror or error}.",
                hint="Close the programs that use it and check its permissions.",
            ) from error
    if removal.model.revision:
        _tidy_cache(_repo_folder(removal.model.path))
    return freed


def _others_beside(model: FoundModel) -> bool:
    """Whether other models stand in its folder, which may need the projector."""
    own = {*model.files, model.projector}
    return any(file.suffix.lower() == ".gguf" and file not in own for file in model.path.parent.iterdir())


def _plan_cache(model: FoundModel) -> Removal:
    repo = _repo_folder(model.path)
    pointers = [path for path in (repo / "snapshots").rglob("*") if path.is_symlink() or path.is_file()]
    inside = {file.relative_to(_snapshot(file)) for file in model.files}
    blobs = {_blob(file) for file in model.files}
    goes: list[Path] = []
    stays: list[Path] = []
    for pointer in pointers:
        if _blob(pointer) in blobs:
            (goes if pointer.relative_to(_snapshot(pointer)) in inside else stays).append(pointer)
    free = sorted(blobs - {_blob(pointer) for pointer in stays})
    used_by = [f"{pointer.name} in {model.repo_id}" for pointer in stays]
    stored, users = _plan_stored(free)
    used_by += users
    own = [blob for blob in free if not blob.is_symlink()]
    freed = sum(blob.stat().st_size for blob in [*own, *stored] if blob.stat().st_nlink == 1)
    if any(blob.stat().st_nlink > 1 for blob in own):
        used_by.append("another name of the same file")
    names = [*goes, *(blob for blob in free if blob.is_relative_to(repo)), *stored]
    return msgspec.structs.replace(_removal(model, names, freed, used_by, ""), stored=tuple(stored))


def _plan_stored(blobs: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Of what these blobs link to in the shared store: what goes with them, and who else uses the rest."""
    goes, used_by = [], []
    for blob in blobs:
        entry = shared_blobs.stored(blob)
        if entry is None:
            continue
        users = shared_blobs.users(entry)
        if users is not None and users <= set(blobs):
            goes.append(entry)
        elif users is None:
            used_by.append("perhaps another repository of the cache")
        else:
            used_by += sorted(repo_id_of(user.parents[1].name) or str(user) for user in users - set(blobs))
    return goes, used_by


def _blob(pointer: Path) -> Path:
    """What a snapshot's file stands for in its repository; itself where it holds the bytes (no links on Windows)."""
    return shared_blobs.blob_of(pointer) or pointer


def _plan_ollama(model: FoundModel) -> Removal:
    folder = model.path.parent.parent
    manifests = {ollama_name(folder, path): path for path in ollama_manifests(folder)}
    own = manifests.get(model.name)
    mine = {name for _, name in ollama_layers(own)} if own else {model.path.name}
    others = {name: {blob for _, blob in ollama_layers(path)} for name, path in manifests.items() if name != model.name}
    used_by = [name for name, blobs in others.items() if model.path.name in blobs]
    shared: set[str] = set().union(*others.values())
    blobs = [folder / "blobs" / name for name in sorted(mine - shared)]
    here = [blob for blob in blobs if blob.is_file()]
    freed = sum(blob.stat().st_size for blob in here if blob.stat().st_nlink == 1)
    return _removal(model, [*([own] if own else []), *here], freed, used_by, model.owner)


def _removal(model: FoundModel, names: Sequence[Path], freed: int, used_by: Iterable[str], owner: str) -> Removal:
    return Removal(
        model=model, names=tuple(names), frees_bytes=freed, used_by=tuple(dict.fromkeys(used_by)), owner=owner
    )


def _snapshot(file: Path) -> Path:
    at = len(file.parts) - 1 - file.parts[::-1].index("snapshots")
    return Path(*file.parts[: at + 2])


def _repo_folder(file: Path) -> Path:
    return _snapshot(file).parents[1]


def _tidy_cache(repo: Path) -> None:
    """Empty snapshots, references to them and an empty repository go: tools take them for damage."""
    for parent, _, _ in os.walk(repo / "snapshots", topdown=False):
        if Path(parent).name != "snapshots":
            with contextlib.suppress(OSError):
                Path(parent).rmdir()
    for ref in (repo / "refs").rglob("*"):
        with contextlib.suppress(OSError, ValueError):
            if ref.is_file() and not (repo / "snapshots" / ref.read_text(encoding="ascii").strip()).is_dir():
                ref.unlink()
    for parent, _, _ in os.walk(repo, topdown=False):
        with contextlib.suppress(OSError):
            if Path(parent) == repo or not any((repo / "blobs").iterdir()):
                Path(parent).rmdir()
