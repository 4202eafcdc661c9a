"""Finding, comparing, deleting and watching models in the folders of many programs."""

from __future__ import annotations

import hashlib
import json
import os
import random
import threading
from pathlib import Path

import huggingface_hub
import pytest

from tests.fakes.fake_hub import FakeHub
from workbench.core.cancel import CancelToken
from workbench.core.errors import Cancelled
from workbench.core.paths import Paths
from workbench.core.settings import Folders
from workbench.hub.downloader import Downloader
from workbench.services.model_duplicates import HashCache, find_duplicates, wasted_bytes
from workbench.services.model_files import FoundModel, Place, find_models, models_at, usual_places
from workbench.services.model_removal import plan_removal, remove
from workbench.services.model_watch import FolderWatch


def gguf(path: Path, seed: int = 0, size: int = 5000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"GGUF" + random.Random(seed).randbytes(size - 4))
    return path


def ollama(folder: Path, name: str, tag: str, seed: int, namespace: str = "library") -> Path:
    content = b"GGUF" + random.Random(seed).randbytes(4996)
    digest = hashlib.sha256(content).hexdigest()
    blob = folder / "blobs" / f"sha256-{digest}"
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(content)
    config = folder / "blobs" / f"sha256-{hashlib.sha256(tag.encode()).hexdigest()}"
    config.write_text(tag)
    manifest = folder / "manifests" / "registry.ollama.ai" / namespace / name / tag
    manifest.parent.mkdir(parents=True, exist_ok=True)
    layer = {"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{digest}", "size": 5000}
    made = {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": config.name.replace("-", ":")}
    manifest.write_text(json.dumps({"schemaVersion": 2, "config": made, "layers": [layer]}))
    return blob


def named(models: list[FoundModel]) -> dict[str, FoundModel]:
    return {model.name: model for model in models}


def download(cache: Path, repo_id: str, files: dict[str, bytes], commit: str = "") -> list[Path]:
    with FakeHub() as hub:
        hub.add(repo_id, dict(files), commit=commit)
        downloader = Downloader(endpoint=hub.endpoint, cache=cache, token=lambda: None)
        return [downloader.fetch(repo_id, name, CancelToken()) for name in files]


def test_finds_what_every_program_keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "user"
    monkeypatch.setattr(Path, "home", lambda: home)
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "OLLAMA_MODELS", "LLAMA_CACHE", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("HF_HOME", str(home / "hf"))
    paths = Paths.of_user()
    gguf(paths.models / "ours-Q8_0.gguf", 1)
    download(home / "hf" / "hub", "org/cached", {"cached-Q4_0.gguf": b"GGUF" + bytes(10)})
    gguf(home / ".lmstudio" / "models" / "pub" / "repo" / "lms-Q4_K_M.gguf", 2)
    blob = ollama(home / ".ollama" / "models", "llama3.2", "1b", 3)
    gguf(home / ".local/share/Jan/data/llamacpp/models/jan-v1/model.gguf", 4)
    gguf(home / ".local/share/nomic.ai/GPT4All/g4a.Q4_0.gguf", 5)
    gguf(home / ".cache/llama.cpp/ggml-org_x_x-F16.gguf", 6)
    gguf(tmp_path / "mine" / "deep" / "er" / "own-Q5_K_S.gguf", 7)
    found = named(find_models(usual_places(paths, Folders(model_folders=(str(tmp_path / "mine"), "/nowhere")))))
    assert {name: model.source for name, model in found.items()} == {
        "ours-Q8_0": "workbench",
        "cached-Q4_0": "huggingface",
        "lms-Q4_K_M": "lm-studio",
        "llama3.2:1b": "ollama",
        "model": "jan",
        "g4a.Q4_0": "gpt4all",
        "ggml-org_x_x-F16": "llama.cpp",
        "own-Q5_K_S": "folder",
    }
    assert found["llama3.2:1b"].path == blob and found["llama3.2:1b"].sha256 == blob.name[7:]
    assert found["lms-Q4_K_M"].repo_id == "pub/repo" and found["lms-Q4_K_M"].label == "Q4_K_M"
    cached = found["cached-Q4_0"]
    assert (cached.repo_id, cached.label) == ("org/cached", "Q4_0")
    assert cached.sha256 == hashlib.sha256(cached.path.read_bytes()).hexdigest()


def test_parts_are_one_model_and_projectors_none(tmp_path: Path) -> None:
    for part in (1, 2, 3):
        gguf(tmp_path / f"big-Q4_0-0000{part}-of-00003.gguf", part)
    gguf(tmp_path / "broken-00001-of-00002.gguf", 8)
    gguf(tmp_path / "mmproj-F16.gguf", 9)
    (tmp_path / "page.gguf").write_text("<!doctype html>")
    (tmp_path / "empty.gguf").touch()
    (model,) = find_models([Place("folder", tmp_path)])
    assert (model.name, model.size_bytes, len(model.files)) == ("big-Q4_0", 15_000, 3)
    assert model.projector == tmp_path / "mmproj-F16.gguf"
    (opened,) = models_at(tmp_path / "big-Q4_0-00002-of-00003.gguf")
    assert opened.files == model.files and opened.path.name.endswith("00001-of-00003.gguf")


def test_an_unfinished_download_is_no_model(tmp_path: Path) -> None:
    cache = tmp_path / "hub"
    (path,) = download(cache, "org/a", {"a.gguf": b"GGUF" + bytes(100)})
    blob = path.resolve()
    path.unlink()
    blob.rename(blob.with_name(blob.name + ".workbench-part"))
    assert find_models([Place("huggingface", cache)]) == []


def test_two_snapshots_of_one_blob_are_one_model(tmp_path: Path) -> None:
    cache, content = tmp_path / "hub", b"GGUF" + bytes(100)
    download(cache, "org/a", {"a.gguf": content}, commit="1" * 40)
    (second,) = download(cache, "org/a", {"a.gguf": content}, commit="2" * 40)
    (model,) = find_models([Place("huggingface", cache)])
    assert model.path == second and len(model.also) == 1


def test_duplicates_by_content(tmp_path: Path) -> None:
    first = gguf(tmp_path / "one" / "a.gguf", 1, 3_000_000)
    copy = gguf(tmp_path / "two" / "b.gguf", 1, 3_000_000)
    near = gguf(tmp_path / "two" / "c.gguf", 1, 3_000_000)
    with near.open("r+b") as file:
        file.seek(2_500_000)
        file.write(b"other")
    (tmp_path / "three").mkdir()
    os.link(first, tmp_path / "three" / "link.gguf")
    blob = ollama(tmp_path / "ollama", "small", "latest", 3)
    gguf(tmp_path / "one" / "small.gguf", 3)
    models = find_models([Place("folder", tmp_path / n) for n in ("one", "two", "three")])
    models += find_models([Place("ollama", tmp_path / "ollama")])
    assert len(models) == 5, "a hard link is not a further model"
    groups = find_duplicates(models, CancelToken(), HashCache(tmp_path / "hashes.json"))
    assert {frozenset(model.path.stat().st_ino for model in group) for group in groups} == {
        frozenset((first.stat().st_ino, copy.stat().st_ino)),
        frozenset((blob.stat().st_ino, (tmp_path / "one" / "small.gguf").stat().st_ino)),
    }
    assert sorted(wasted_bytes(group) for group in groups) == [5000, 3_000_000]


def test_hashes_are_remembered_until_the_file_changes(tmp_path: Path) -> None:
    path = gguf(tmp_path / "a.gguf")
    first = HashCache(tmp_path / "h.json").sha256(path, CancelToken())
    cancelled = CancelToken()
    cancelled.cancel()
    assert HashCache(tmp_path / "h.json").sha256(path, cancelled) == first
    path.write_bytes(b"GGUF changed")
    with pytest.raises(Cancelled):
        HashCache(tmp_path / "h.json").sha256(path, cancelled)


def test_deleting_from_the_cache_leaves_it_sound(tmp_path: Path) -> None:
    cache = tmp_path / "hub"
    download(cache, "org/a", {"a-Q4_0.gguf": b"GGUF" + bytes(1000), "a-Q8_0.gguf": b"GGUF" + bytes(2000)})
    models = named(find_models([Place("huggingface", cache)]))
    removal = plan_removal(models["a-Q4_0"])
    assert removal.frees_bytes == 1004 and not removal.used_by and "Other programs" in removal.summary
    assert models["a-Q4_0"].path.exists(), "planning must delete nothing"
    assert remove(removal) == 1004
    scan = huggingface_hub.scan_cache_dir(cache)
    assert not scan.warnings and scan.size_on_disk == 2004
    remove(plan_removal(models["a-Q8_0"]))
    assert not (cache / "models--org--a").exists()
    assert not huggingface_hub.scan_cache_dir(cache).warnings


def test_a_projector_goes_with_the_last_model_that_may_need_it(tmp_path: Path) -> None:
    cache = tmp_path / "hub"
    sizes = {"a-Q4_0.gguf": 1000, "a-Q8_0.gguf": 2000, "mmproj-f16.gguf": 500}
    download(cache, "org/a", {name: b"GGUF" + bytes(size) for name, size in sizes.items()})
    models = named(find_models([Place("huggingface", cache)]))
    assert models["a-Q4_0"].projector is not None
    assert remove(plan_removal(models["a-Q4_0"])) == 1004
    last = plan_removal(named(find_models([Place("huggingface", cache)]))["a-Q8_0"])
    assert last.frees_bytes == 2004 + 504 and any(path.name == "mmproj-f16.gguf" for path in last.names)
    assert remove(last) == 2508
    assert not (cache / "models--org--a").exists()


def test_a_blob_that_another_file_uses_stays(tmp_path: Path) -> None:
    cache, content = tmp_path / "hub", b"GGUF" + bytes(1000)
    download(cache, "org/a", {"a.gguf": content, "same/b.gguf": content})
    (model,) = find_models([Place("huggingface", cache)])
    removal = plan_removal(model)
    assert removal.frees_bytes == 0 and removal.used_by and "stays" in removal.summary
    remove(removal)
    (left,) = find_models([Place("huggingface", cache)])
    assert left.path.read_bytes() == content


def test_deleting_from_ollama_spares_what_another_model_uses(tmp_path: Path) -> None:
    blob = ollama(tmp_path, "m", "a", 1)
    ollama(tmp_path, "m", "b", 1)
    models = named(find_models([Place("ollama", tmp_path)]))
    removal = plan_removal(models["m:a"])
    assert removal.used_by == ("m:b",) and removal.owner == "Ollama" and blob not in removal.names
    remove(removal)
    assert blob.exists() and set(named(find_models([Place("ollama", tmp_path)]))) == {"m:b"}
    last = plan_removal(named(find_models([Place("ollama", tmp_path)]))["m:b"])
    assert last.frees_bytes >= 5000
    remove(last)
    assert not blob.exists()


def test_a_hard_linked_file_frees_nothing(tmp_path: Path) -> None:
    path = gguf(tmp_path / "a" / "a.gguf")
    os.link(path, tmp_path / "elsewhere")
    (model,) = find_models([Place("folder", tmp_path / "a")])
    assert plan_removal(model).frees_bytes == 0


def test_watch_tells_once_a_new_file_is_at_rest(tmp_path: Path) -> None:
    told = threading.Event()
    watch = FolderWatch([Place("folder", tmp_path)], told.set, interval_s=0.02)
    watch.start()
    assert not told.wait(0.1)
    gguf(tmp_path / "new" / "a.gguf")
    assert told.wait(5)
    told.clear()
    (tmp_path / "new" / "a.gguf").unlink()
    assert told.wait(5)
    watch.stop()


def test_a_folder_that_another_program_makes_later_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    paths = Paths(*(tmp_path / "own" for _ in range(4)))
    assert usual_places(paths, Folders()) == []
    told = threading.Event()
    watch = FolderWatch(usual_places(paths, Folders(), missing=True), told.set, interval_s=0.02)
    watch.start()
    gguf(tmp_path / ".lmstudio" / "models" / "org" / "a" / "a.gguf")
    assert told.wait(5)
    watch.stop()
    assert "lm-studio" in {place.source for place in usual_places(paths, Folders())}
