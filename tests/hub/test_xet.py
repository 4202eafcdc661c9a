"""Why our downloader does not use Xet, as observed: see the head of `workbench/hub/downloader.py`.

hf_xet's own store in a folder (`local://`) stands for the real one. Should the second test fail one day because
huggingface_hub refuses what it should, the decision is worth another look.
"""

from __future__ import annotations

import random
from pathlib import Path

import huggingface_hub
import pytest

from tests.fakes.fake_hub import FakeFile, FakeHub
from tests.hub.conftest import QUICK
from workbench.core.cancel import CancelToken
from workbench.hub.downloader import Downloader
from workbench.hub.repos import Quantization, RepoFile
from workbench.hub.shared_blobs import blob_of
from workbench.services.downloads import DownloadManager
from workbench.services.model_files import Place, find_models
from workbench.services.model_removal import plan_removal, remove

hf_xet = pytest.importorskip("hf_xet")
FILE = "m-Q4_0.gguf"


def store(folder: Path, content: bytes) -> tuple[str, str]:
    """Put it into a Xet store in `folder`. Returns the store's address and the content's hash there."""
    file, address = folder / "content", f"local://{folder / 'xet'}"
    file.write_bytes(content)
    with hf_xet.XetSession().new_upload_commit(endpoint=address) as commit:
        upload = commit.start_upload_file(str(file))
    return address, upload.result().xet_info.hash


def test_a_file_that_is_offered_over_xet_comes_over_https_with_resume_and_checksum(
    hub: FakeHub, weights: bytes, tmp_path: Path
) -> None:
    hub.add("org/m", {FILE: weights})
    hub.xet_store, hub.xet[FILE] = store(tmp_path, weights)
    hub.fault("cut", after=700_000)
    downloader = Downloader(endpoint=hub.endpoint, cache=tmp_path / "cache", token=lambda: None, options=QUICK)
    path = downloader.fetch("org/m", FILE, CancelToken())
    assert path.read_bytes() == weights
    assert [request.headers.get("range", "") for request in hub.of("cdn")] == ["", "bytes=700000-1499999"]
    assert not [request for request in hub.requests if "xet-read-token" in request.path]


def brought_by_huggingface_hub(hub: FakeHub, cache: Path, repo: str = "org/m") -> Path:
    return Path(huggingface_hub.hf_hub_download(repo, FILE, endpoint=hub.endpoint, cache_dir=cache, token=False))


def test_huggingface_hub_takes_what_xet_gives_it_unchecked(hub: FakeHub, weights: bytes, tmp_path: Path) -> None:
    """The store has other bytes of the same size; the Hub names the sha256 of the right ones, which nobody compares."""
    other = random.Random(8).randbytes(len(weights))
    hub.add("org/m", {FILE: FakeFile(weights)})
    hub.xet_store, hub.xet[FILE] = store(tmp_path, other)
    path = brought_by_huggingface_hub(hub, tmp_path / "cache")
    assert path.read_bytes() == other
    blob = blob_of(path)
    assert blob is not None and blob.name == hub.repos["org/m"].files[FILE].sha256, "filed as if it were the right one"


def test_hf_xets_streams_can_begin_anywhere(weights: bytes, tmp_path: Path) -> None:
    """What a use of Xet of our own could build on."""
    address, known = store(tmp_path, weights)
    group = hf_xet.XetSession().new_download_stream_group(endpoint=address)
    rest = b"".join(group.download_stream(hf_xet.XetFileInfo(known, len(weights)), 1_000_000, None))
    assert rest == weights[1_000_000:]


# --- what huggingface_hub leaves in the cache when it has used Xet -----------------------------------------------
@pytest.fixture
def shared(hub: FakeHub, tmp_path: Path) -> tuple[Path, list[Path]]:
    """A cache in which two repositories share one file's bytes, and the file's path in each."""
    content = b"GGUF" + random.Random(9).randbytes(1_200_000)
    for repo in ("org/m", "org/copy"):
        hub.add(repo, {FILE: content})
    hub.xet_store, hub.xet[FILE] = store(tmp_path, content)
    cache = tmp_path / "cache"
    return cache, [brought_by_huggingface_hub(hub, cache, repo) for repo in ("org/m", "org/copy")]


def test_shared_bytes_are_known_by_their_sha256_and_freed_with_their_last_user(
    hub: FakeHub, shared: tuple[Path, list[Path]]
) -> None:
    cache, (first, second) = shared
    size = first.stat().st_size
    assert first.resolve() == second.resolve(), "one store"
    (model,) = find_models([Place("huggingface", cache / "models--org--m")])
    assert model.sha256 == hub.repos["org/m"].files[FILE].sha256

    removal = plan_removal(model)
    assert (removal.frees_bytes, removal.used_by) == (0, ("org/copy",))
    assert remove(removal) == 0
    assert not first.exists() and second.stat().st_size == size
    scan = huggingface_hub.scan_cache_dir(cache)
    assert [repo.repo_id for repo in scan.repos] == ["org/copy"] and not scan.warnings

    (last,) = find_models([Place("huggingface", cache)])
    assert plan_removal(last).frees_bytes == size
    remove(plan_removal(last))
    assert not [
        path for path in (cache / "blobs").rglob("*") if path.suffix == ".refs" or path.name in hub.xet.values()
    ]
    assert huggingface_hub.scan_cache_dir(cache).size_on_disk == 0


def test_what_another_repository_came_to_use_meanwhile_is_not_called_freed(
    hub: FakeHub, shared: tuple[Path, list[Path]]
) -> None:
    cache, (first, second) = shared
    remove(plan_removal(find_models([Place("huggingface", cache / "models--org--copy")])[0]))
    removal = plan_removal(find_models([Place("huggingface", cache / "models--org--m")])[0])
    assert removal.frees_bytes > 0
    brought_by_huggingface_hub(hub, cache, "org/copy")
    assert remove(removal) == 0
    assert second.is_file() and not first.exists()


def test_bytes_whose_users_are_not_known_stay(shared: tuple[Path, list[Path]]) -> None:
    cache, (first, _second) = shared
    entry = first.resolve()
    entry.with_name(entry.name + ".refs").unlink()
    removal = plan_removal(find_models([Place("huggingface", cache / "models--org--m")])[0])
    assert removal.frees_bytes == 0 and removal.used_by
    remove(removal)
    assert entry.is_file()


def test_damaged_shared_bytes_are_fetched_anew_for_the_one_who_verified(
    hub: FakeHub, shared: tuple[Path, list[Path]], tmp_path: Path
) -> None:
    cache, (first, second) = shared
    file = hub.repos["org/m"].files[FILE]
    downloader = Downloader(endpoint=hub.endpoint, cache=cache, token=lambda: None, options=QUICK)
    manager = DownloadManager(downloader, tmp_path / "downloads.json")
    listed = RepoFile(path=FILE, size_bytes=file.size, sha256=file.sha256)
    id_ = manager.start("org/m", Quantization(label="Q4_0", files=(listed,)))
    assert manager.wait(id_, 10) and manager.snapshot(id_).state == "done"
    assert not hub.of("cdn"), "it was there"
    damaged = b"GGUF" + bytes(file.size - 4)
    first.resolve().write_bytes(damaged)
    manager.verify(id_)
    assert manager.wait(id_, 10) and manager.snapshot(id_).state == "failed"
    manager.resume(id_)
    assert manager.wait(id_, 10) and manager.snapshot(id_).state == "done"
    manager.close()
    assert first.read_bytes() == file.content
    assert second.read_bytes() == damaged, "another repository's file is not ours to change"
