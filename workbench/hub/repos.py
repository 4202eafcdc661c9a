"""What the Hub knows of a repository, as values; files grouped into the quantisations a user chooses from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Literal

import msgspec

from workbench.core.errors import BadInput

Sort = Literal["trending", "downloads", "likes", "updated", "created"]


class SearchQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Empty and None mean: any."""

    text: str = ""
    task: str = ""
    """The Hub's pipeline tag: text-generation, image-text-to-text, feature-extraction …"""
    author: str = ""
    license: str = ""
    min_parameters: int | None = None
    max_parameters: int | None = None
    sort: Sort = "trending"
    page_size: int = 30


class RepoSummary(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    downloads: int = 0
    likes: int = 0
    updated: str = ""
    """ISO 8601, UTC."""
    task: str = ""
    license: str = ""
    gated: bool = False
    private: bool = False
    tags: tuple[str, ...] = ()
    parameters: int | None = None
    architecture: str = ""
    context_length: int | None = None
    has_chat_template: bool | None = None


class RepoFile(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    size_bytes: int
    sha256: str = ""
    """Of the content; empty for small files kept in git itself."""


class Quantization(msgspec.Struct, frozen=True, kw_only=True):
    """One model to download: a file, or the parts of a split one in their order."""

    label: str
    """Q4_K_M, F16 …; the file's stem where it names none. Unique within its repository."""
    files: tuple[RepoFile, ...]
    complete: bool = True
    """False: parts of a split model are missing in the repository."""

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    @property
    def is_split(self) -> bool:
        return len(self.files) > 1


class RepoDetails(msgspec.Struct, frozen=True, kw_only=True):
    summary: RepoSummary
    revision: str
    """The commit the files stand at."""
    quantizations: tuple[Quantization, ...] = ()
    """Smallest first."""
    projectors: tuple[RepoFile, ...] = ()
    """mmproj files: the image or audio half of a multimodal model."""
    other_files: tuple[RepoFile, ...] = ()
    card: str = ""
    """The model card's markdown without its front matter."""

    @property
    def id(self) -> str:
        return self.summary.id

    @property
    def quickest_to_read(self) -> Quantization | None:
        """The model whose header tells of all, for all of a repository's have the same layers and metadata; None
        where none is complete."""
        whole = [model for model in self.quantizations if model.complete]
        return min(whole, key=lambda model: (len(model.files), model.size_bytes), default=None)

    def find(self, wanted: str) -> Quantization:
        """The quantisation of this label or file name, whatever the case. Raises BadInput with what there is."""
        name = wanted.casefold().removesuffix(".gguf")
        exact = [q for q in self.quantizations if name == q.label.casefold() or name in map(_names, q.files)]
        within = [q for q in self.quantizations if name in q.files[0].path.casefold()]
        found = exact or within
        if len(found) == 1:
            return found[0]
        there = ", ".join(q.label for q in (found or self.quantizations)) or "no GGUF files"
        problem = "names several" if found else "is not there"
        raise BadInput(f"{wanted} {problem} in {self.id}.", hint=f"There: {there}.")


_LABEL = re.compile(
    r"(?<![A-Za-z0-9])((?:UD-)?(?:I?Q[1-8](?:_[A-Z0-9]+)*|TQ[12]_0|BF16|F16|FP16|F32|FP32|MXFP4(?:_MOE)?|NVFP4))(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_PART = re.compile(r"-(\d{5})-of-(\d{5})$")


def quantization_label(path: str) -> str:
    """The quantisation a file's name (or else its folder's) tells; empty if neither does."""
    folder, _, name = path.removesuffix(".gguf").rpartition("/")
    for text in (name, folder):
        if found := _LABEL.findall(_PART.sub("", text)):
            return str(found[-1]).upper()
    return ""


def split_part(path: str) -> tuple[str, int, int] | None:
    """(path without the part, number of the part from 1, number of parts) of a part of a split GGUF."""
    stem = path.removesuffix(".gguf")
    match = _PART.search(stem)
    return (stem[: match.start()], int(match[1]), int(match[2])) if match else None


def group_files(
    files: Iterable[RepoFile],
) -> tuple[tuple[Quantization, ...], tuple[RepoFile, ...], tuple[RepoFile, ...]]:
    """Sort a repository's files into (quantisations, projectors, everything else)."""
    groups: dict[str, list[RepoFile]] = {}
    projectors, others = [], []
    for file in files:
        name = file.path.rsplit("/", 1)[-1].casefold()
        if not name.endswith(".gguf") or "imatrix" in name:
            others.append(file)
        elif "mmproj" in name:
            projectors.append(file)
        else:
            part = split_part(file.path)
            groups.setdefault(part[0] if part else file.path, []).append(file)
    labels = _unique_labels(list(groups))
    made = [_quantization(labels[key], members) for key, members in groups.items()]
    return tuple(sorted(made, key=lambda q: q.size_bytes)), tuple(projectors), tuple(others)


def _quantization(label: str, files: list[RepoFile]) -> Quantization:
    files = sorted(files, key=lambda file: file.path)
    part = split_part(files[0].path)
    return Quantization(label=label, files=tuple(files), complete=part is None or part[2] == len(files))


def _unique_labels(paths: list[str]) -> dict[str, str]:
    labels = {path: quantization_label(path) for path in paths}
    times = Counter(labels.values())
    stems = {path: path.removesuffix(".gguf").rsplit("/", 1)[-1] for path in paths}
    unique = Counter(stems.values())
    return {
        path: label if label and times[label] == 1 else stems[path] if unique[stems[path]] == 1 else path
        for path, label in labels.items()
    }


def _names(file: RepoFile) -> str:
    return file.path.casefold().removesuffix(".gguf")
