"""GGUF models that are on this machine already, whoever downloaded them; used in place, never copied. No Qt.

Looks into our folder, the Hugging Face cache, the folders of LM Studio, Ollama, Jan, GPT4All and llama.cpp, and
folders the user has added. Quick: names, sizes and first bytes; nothing is hashed here (see `model_duplicates`).
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from workbench.core.paths import Paths
from workbench.core.settings import Folders
from workbench.hub.cache import default_cache, repo_id_of
from workbench.hub.repos import quantization_label, split_part
from workbench.hub.shared_blobs import blob_of

Source = Literal["workbench", "huggingface", "lm-studio", "ollama", "jan", "gpt4all", "llama.cpp", "folder"]
DEEPEST = 8
_OLLAMA_MODEL = "application/vnd.ollama.image.model"
_OLLAMA_PROJECTOR = "application/vnd.ollama.image.projector"
TITLES: dict[Source, str] = {
    "workbench": "Model Workbench",
    "huggingface": "Hugging Face cache",
    "lm-studio": "LM Studio",
    "ollama": "Ollama",
    "jan": "Jan",
    "gpt4all": "GPT4All",
    "llama.cpp": "llama.cpp",
    "folder": "own folder",
}


class Place(msgspec.Struct, frozen=True):
    """A folder to look into, and whose it is; or a single file that the user has added."""

    source: Source
    folder: Path


class FoundModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model: a file, or all parts of a split one."""

    name: str
    path: Path
    """What to load: the file, or the first part. In the Hugging Face cache the name in the snapshot."""
    files: tuple[Path, ...]
    size_bytes: int
    source: Source
    label: str = ""
    """Quantisation, as far as the name tells."""
    repo_id: str = ""
    revision: str = ""
    projector: Path | None = None
    """The multimodal half, where exactly one lies beside it."""
    sha256: str = ""
    """Where the place's own layout tells it (not of split models)."""
    modified: float = 0.0
    """Seconds since the epoch."""
    also: tuple[Path, ...] = ()
    """Other names of the very same file: further snapshots, hard links."""

    @property
    def owner(self) -> str:
        """Whose folder it stands in, for the user."""
        return TITLES[self.source]

    @property
    def is_ours(self) -> bool:
        """In a place we download to; others are asked for before anything is deleted."""
        return self.source in ("workbench", "huggingface")


def usual_places(paths: Paths, folders: Folders, *, missing: bool = False) -> list[Place]:
    """Where models may be on this machine. Folders that don't exist are left out, or with `missing` kept."""
    home = Path.home()
    local = _local_data(home)
    lm_studio = _lm_studio_home(home)
    ollama = os.environ.get("OLLAMA_MODELS")
    jan = [local / "Jan" / "data", home / "jan"]
    if sys.platform == "linux":
        jan.append(home / ".config" / "Jan" / "data")
    elif sys.platform == "win32":
        jan.append(Path(os.environ.get("APPDATA", home)) / "Jan" / "data")
    wanted = [
        Place("workbench", paths.models),
        *([Place("huggingface", Path(folders.download_folder).expanduser())] if folders.download_folder else []),
        Place("huggingface", default_cache()),
        Place("lm-studio", lm_studio / "models"),
        Place("lm-studio", home / ".cache" / "lm-studio" / "models"),
        Place("ollama", Path(ollama).expanduser() if ollama else home / ".ollama" / "models"),
        *([] if ollama else [Place("ollama", Path("/usr/share/ollama/.ollama/models"))]),
        *(Place("jan", folder / sub) for folder in jan for sub in ("models", "llamacpp/models")),
        Place("gpt4all", local / "nomic.ai" / "GPT4All"),
        Place("llama.cpp", Path(os.environ.get("LLAMA_CACHE") or _cache_home(home) / "llama.cpp")),
        *(Place("folder", Path(folder).expanduser()) for folder in folders.model_folders),
    ]
    seen: set[Path] = set()
    places = []
    for place in wanted:
        with contextlib.suppress(OSError):
            real = place.folder.resolve()
            here = real.is_dir() or (place.source == "folder" and real.is_file())
            if real not in seen and (here or missing):
                seen.add(real)
                places.append(place)
    return places


def find_models(places: Sequence[Place]) -> list[FoundModel]:
    """Every model in these places, each file once, by name. Damaged or unreadable folders are passed over."""
    found: list[FoundModel] = []
    for place in places:
        found += _ollama(place) if place.source == "ollama" else _files(place)
    return sorted(_once(found), key=lambda model: (model.name.casefold(), str(model.path)))


def models_at(path: Path) -> list[FoundModel]:
    """The models of a file or folder that the user dropped or opened."""
    if path.is_dir():
        return find_models([Place("folder", path)])
    part = split_part(path.name)
    stem = part[0] if part else None
    beside = [path] if stem is None else [p for p in path.parent.iterdir() if (split_part(p.name) or ("",))[0] == stem]
    return _models([file for file in beside if _is_gguf(file)], Place("folder", path.parent))


# --- folders of files ---------------------------------------------------------------------------------------------
def _files(place: Place) -> list[FoundModel]:
    if place.folder.is_file():
        return models_at(place.folder)
    by_folder: dict[Path, list[Path]] = {}
    for file in _walk(place.folder):
        by_folder.setdefault(file.parent, []).append(file)
    return [model for files in by_folder.values() for model in _models(files, place)]


def _walk(folder: Path) -> Iterator[Path]:
    base = len(folder.parts)
    for parent, folders, names in os.walk(folder):
        if len(Path(parent).parts) - base >= DEEPEST:
            folders.clear()
        folders[:] = [name for name in folders if name not in (".locks", "blobs", ".git", "node_modules")]
        for name in names:
            if name.endswith((".gguf", ".GGUF")) and _is_gguf(file := Path(parent, name)):
                yield file


def _is_gguf(file: Path) -> bool:
    try:
        with file.open("rb") as start:
            return start.read(4) == b"GGUF"
    except OSError:
        return False


def _models(files: list[Path], place: Place) -> list[FoundModel]:
    """The models among the files of one folder: parts put together, projectors given to them."""
    groups: dict[str, list[Path]] = {}
    projectors = []
    for file in sorted(files):
        if "mmproj" in file.name.casefold():
            projectors.append(file)
            continue
        part = split_part(file.name)
        groups.setdefault(part[0] if part else file.name, []).append(file)
    models = []
    for members in groups.values():
        part = split_part(members[0].name)
        if part and part[2] != len(members):
            continue  # parts are missing: llama.cpp could not load it
        with contextlib.suppress(OSError):  # went away meanwhile
            models.append(_model(tuple(members), place, projectors[0] if len(projectors) == 1 else None))
    return models


def _model(files: tuple[Path, ...], place: Place, projector: Path | None) -> FoundModel:
    first = files[0]
    repo_id, revision, sha256 = _hugging_face(first, place.folder)
    part = split_part(first.name)
    return FoundModel(
        name=part[0] if part else first.name.removesuffix(".gguf").removesuffix(".GGUF"),
        path=first,
        files=files,
        size_bytes=sum(file.stat().st_size for file in files),
        source="huggingface" if repo_id else place.source,
        label=quantization_label("/".join(first.parts[-2:])),
        repo_id=repo_id or _publisher(first, place),
        revision=revision,
        projector=projector,
        sha256=sha256 if len(files) == 1 else "",
        modified=max(file.stat().st_mtime for file in files),
    )


def _hugging_face(file: Path, root: Path) -> tuple[str, str, str]:
    """(repository, commit, sha256) of a file in a cache of Hugging Face's layout; empty where it isn't one."""
    parts = file.parts[len(root.parts) - 1 :]
    for at, part in enumerate(parts[:-2]):
        if (repo_id := repo_id_of(part)) and parts[at + 1] == "snapshots":
            link = blob_of(file)  # followed no further: the bytes may be in a store under another name
            blob = link.name if link is not None else ""
            is_sha256 = len(blob) == 64 and all(c in "0123456789abcdef" for c in blob)
            return repo_id, parts[at + 2], blob if is_sha256 else ""
    return "", "", ""


def _publisher(file: Path, place: Place) -> str:
    """LM Studio keeps models as publisher/repository/file."""
    inside = file.relative_to(place.folder).parts if file.is_relative_to(place.folder) else ()
    return "/".join(inside[:2]) if place.source == "lm-studio" and len(inside) == 3 else ""


# --- Ollama -------------------------------------------------------------------------------------------------------
def _ollama(place: Place) -> list[FoundModel]:
    models = []
    for manifest in ollama_manifests(place.folder):
        model = _blob(place.folder, manifest, _OLLAMA_MODEL)
        if model is None or not _is_gguf(model):
            continue
        with contextlib.suppress(OSError):
            status = model.stat()
            name = ollama_name(place.folder, manifest)
            models.append(
                FoundModel(
                    name=name,
                    path=model,
                    files=(model,),
                    size_bytes=status.st_size,
                    source="ollama",
                    label=quantization_label(name.replace(":", "-")),
                    repo_id=name,
                    projector=_blob(place.folder, manifest, _OLLAMA_PROJECTOR),
                    sha256=model.name.removeprefix("sha256-"),
                    modified=manifest.stat().st_mtime,
                )
            )
    return models


def ollama_manifests(folder: Path) -> list[Path]:
    """The manifest files: manifests/HOST/NAMESPACE/MODEL/TAG."""
    return sorted(path for path in (folder / "manifests").glob("*/*/*/*") if path.is_file())


def ollama_name(folder: Path, manifest: Path) -> str:
    """MODEL:TAG as Ollama calls it."""
    host, namespace, model, tag = manifest.relative_to(folder / "manifests").parts
    parts = [] if host == "registry.ollama.ai" else [host]
    parts += [] if namespace == "library" else [namespace]
    return "/".join([*parts, f"{model}:{tag}"])


def ollama_layers(manifest: Path) -> list[tuple[str, str]]:
    """(media type, name of the blob's file) of each layer and of the configuration; none of a damaged manifest."""
    try:
        content: Any = json.loads(manifest.read_bytes())
        layers = [*content.get("layers", []), content.get("config") or {}]
        return [(str(x.get("mediaType")), str(x["digest"]).replace(":", "-")) for x in layers if x.get("digest")]
    except (OSError, ValueError, AttributeError, TypeError):
        return []


def _blob(folder: Path, manifest: Path, kind: str) -> Path | None:
    names = [name for media, name in ollama_layers(manifest) if media == kind and "/" not in name]
    blob = folder / "blobs" / names[0] if names else None
    return blob if blob is not None and blob.is_file() else None


# --- each file once -----------------------------------------------------------------------------------------------
def _once(models: Iterable[FoundModel]) -> Iterator[FoundModel]:
    """One model for each file on the disk; its further names become `also`."""
    groups: dict[tuple[int, int, str], list[FoundModel]] = {}
    for model in models:
        with contextlib.suppress(OSError):
            status = model.path.stat()
            # two Ollama names for one blob are two things to the user, though one file
            name = model.name if model.source == "ollama" else ""
            groups.setdefault((status.st_dev, status.st_ino, name), []).append(model)
    for group in groups.values():
        best = max(group, key=_preference)
        others = tuple(model.path for model in group if model.path != best.path)
        yield msgspec.structs.replace(best, also=others) if others else best


def _preference(model: FoundModel) -> tuple[bool, bool, float]:
    """A snapshot that a branch points to first, then the newest."""
    current = False
    if model.revision:
        at = model.path.parts.index("snapshots")
        refs = Path(*model.path.parts[:at], "refs")
        current = any(_reads(ref, model.revision) for ref in refs.glob("*"))
    return current, bool(model.repo_id), model.path.lstat().st_mtime


def _reads(file: Path, text: str) -> bool:
    try:
        return file.is_file() and file.read_text(encoding="ascii").strip() == text
    except (OSError, ValueError):
        return False


# --- where programs keep things -----------------------------------------------------------------------------------
def _local_data(home: Path) -> Path:
    if sys.platform == "darwin":
        return home / "Library" / "Application Support"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    return Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")


def _cache_home(home: Path) -> Path:
    if sys.platform == "darwin":
        return home / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")


def _lm_studio_home(home: Path) -> Path:
    """LM Studio notes in a file where its folder was moved to."""
    try:
        return Path((home / ".lmstudio-home-pointer").read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError):
        return home / ".lmstudio"
