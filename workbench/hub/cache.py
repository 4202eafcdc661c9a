"""The Hugging Face cache's layout, so that every other tool finds what we download and we find what it has.

    models--ORG--NAME/blobs/ETAG               the bytes; ETAG is the sha256 for large files
    models--ORG--NAME/snapshots/COMMIT/FILE    link to the blob
    models--ORG--NAME/refs/main                COMMIT
    .locks/models--ORG--NAME/ETAG.lock         held while a blob is written, by huggingface_hub too

A download under way is `blobs/ETAG.workbench-part` with `ETAG.workbench-part.json` beside it. The suffix is not
`.incomplete`, because `hf cache prune` deletes those.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from workbench.hub.auth import hf_home
from workbench.hub.errors import HubError

PART_SUFFIX = ".workbench-part"
_CACHEDIR_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# This folder is a cache of Hugging Face tools.\n"
_REPO_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


def default_cache() -> Path:
    """Where huggingface_hub keeps models: `HF_HUB_CACHE`, else `hub` in Hugging Face's folder."""
    named = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    return Path(os.path.expandvars(named)).expanduser() if named else hf_home() / "hub"


def repo_folder_name(repo_id: str) -> str:
    return "models--" + repo_id.replace("/", "--")


def repo_id_of(folder_name: str) -> str | None:
    """The repository of a folder in the cache; None where it isn't a model's."""
    return folder_name.removeprefix("models--").replace("--", "/") if folder_name.startswith("models--") else None


@dataclass(frozen=True, slots=True)
class RepoCache:
    """Paths of one repository in one cache folder, and the steps that change them."""

    root: Path
    repo_id: str

    def __post_init__(self) -> None:
        if not _REPO_ID.fullmatch(self.repo_id) or ".." in self.repo_id:
            raise HubError(f"{self.repo_id} is not the name of a repository.")

    @property
    def folder(self) -> Path:
        return self.root / repo_folder_name(self.repo_id)

    @property
    def blobs(self) -> Path:
        return self.folder / "blobs"

    def blob(self, etag: str) -> Path:
        return self.blobs / _safe(etag)

    def part(self, etag: str) -> Path:
        return self.blobs / (_safe(etag) + PART_SUFFIX)

    def lock(self, etag: str) -> Path:
        return self.root / ".locks" / repo_folder_name(self.repo_id) / f"{_safe(etag)}.lock"

    def pointer(self, commit: str, filename: str) -> Path:
        """Where a file stands in a snapshot. Raises HubError for names that would leave it."""
        parts = PurePosixPath(filename).parts
        bad = not parts or any(p in ("..", ".", "/") or "\\" in p or ":" in p or "\0" in p for p in parts)
        if bad or not re.fullmatch(r"[0-9A-Za-z._-]+", commit):
            raise HubError(f"The Hub names a file that can't be kept safely: {filename!r}.")
        return self.folder.joinpath("snapshots", commit, *parts)

    def commit_with(self, path: Path) -> str:
        """The commit in whose snapshot this file stands; empty where it is in none."""
        snapshots = self.folder / "snapshots"
        return path.relative_to(snapshots).parts[0] if path.is_relative_to(snapshots) else ""

    def commit_of(self, revision: str) -> str | None:
        """The commit a branch or tag stood at when it was last downloaded."""
        try:
            return (self.folder / "refs" / revision).read_text(encoding="ascii").strip() or None
        except (OSError, ValueError):
            return None

    def prepare(self, etag: str) -> None:
        """Make the folders a download needs. A repository folder without snapshots counts as damaged, so that too."""
        for folder in (self.blobs, self.folder / "snapshots", self.lock(etag).parent):
            folder.mkdir(parents=True, exist_ok=True)
        tag = self.root / "CACHEDIR.TAG"
        if not tag.exists():
            tag.write_text(_CACHEDIR_TAG, encoding="ascii")

    def file_part(self, etag: str, commit: str, filename: str, revision: str) -> Path:
        """Turn the finished partial file into a blob and link it. Returns the file's path in the snapshot."""
        self.part(etag).replace(self.blob(etag))
        return self.link(etag, commit, filename, revision, new_blob=True)

    def link(self, etag: str, commit: str, filename: str, revision: str, *, new_blob: bool = False) -> Path:
        """Let the snapshot's file point to the blob, and the revision to the snapshot."""
        pointer, blob = self.pointer(commit, filename), self.blob(etag)
        pointer.parent.mkdir(parents=True, exist_ok=True)
        if not (pointer.exists() and pointer.samefile(blob)):
            pointer.unlink(missing_ok=True)
            _link(blob, pointer, new_blob)
        if revision != commit:
            parts = PurePosixPath(revision).parts
            if not parts or any(part in ("..", "/") or "\\" in part for part in parts):
                raise HubError(f"{revision!r} is not the name of a revision.")
            ref = self.folder.joinpath("refs", *parts)
            _write_ref(ref, commit, self.folder)
        return pointer


def _link(blob: Path, pointer: Path, new_blob: bool) -> None:
    """A relative symbolic link; where there are none (Windows without the privilege) what huggingface_hub does."""
    try:
        pointer.symlink_to(os.path.relpath(blob, pointer.parent))
    except OSError:
        if new_blob:
            blob.replace(pointer)
            return
        try:
            os.link(blob, pointer)
        except OSError:
            shutil.copyfile(blob, pointer)


def _write_ref(path: Path, commit: str, scratch: Path) -> None:
    if path.is_file() and path.read_text(encoding="ascii") == commit:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".ref-", dir=scratch)  # left in refs, it would be read as a branch
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(commit)
    Path(name).replace(path)


def _safe(etag: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z_-]{1,128}", etag):
        raise HubError("The Hub sent an ETag that can't be a file's name.", detail=repr(etag)[:200])
    return etag
