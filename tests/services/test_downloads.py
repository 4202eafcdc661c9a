"""The queue of downloads against the fake Hub."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.fake_hub import FakeHub
from workbench.hub.cache import RepoCache
from workbench.hub.downloader import Downloader, DownloadOptions
from workbench.hub.partial import partials
from workbench.hub.repos import Quantization, RepoFile
from workbench.services.downloads import DownloadManager, DownloadSnapshot

SIZE = 900_000
QUICK = DownloadOptions(stall_s=3.0, backoff_s=0.01, backoff_max_s=0.05, tries=4, block_bytes=1 << 18)


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub() as hub:
        yield hub


@pytest.fixture
def manager(hub: FakeHub, tmp_path: Path) -> Iterator[DownloadManager]:
    manager = start(hub, tmp_path)
    yield manager
    manager.close()


def start(hub: FakeHub, folder: Path, **options: int) -> DownloadManager:
    downloader = Downloader(endpoint=hub.endpoint, cache=folder / "hub", token=lambda: None, options=QUICK)
    return DownloadManager(downloader, folder / "downloads.json", **options)


def add(hub: FakeHub, name: str, parts: int = 1) -> tuple[str, Quantization]:
    files: dict[str, bytes | Path] = {}
    for part in range(1, parts + 1):
        ending = f"-{part:05}-of-{parts:05}" if parts > 1 else ""
        files[f"{name}-Q4_0{ending}.gguf"] = random.Random(name + ending).randbytes(SIZE)
    repo = hub.add(f"org/{name}", files)  # type: ignore[arg-type]
    listed = tuple(RepoFile(path=path, size_bytes=SIZE, sha256=file.sha256) for path, file in repo.files.items())
    return repo.id, Quantization(label="Q4_0", files=listed)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def test_brings_a_split_model_as_one(manager: DownloadManager, hub: FakeHub) -> None:
    told: list[DownloadSnapshot] = []
    manager.subscribe(told.append)
    repo_id, model = add(hub, "split", parts=3)
    id_ = manager.start(repo_id, model)
    assert manager.wait(id_, 10)
    end = manager.snapshot(id_)
    assert (end.state, end.done_bytes, end.total_bytes, end.fraction) == ("done", 3 * SIZE, 3 * SIZE, 1.0)
    folder = Path(end.path).parent
    assert sorted(path.name for path in folder.iterdir()) == [file.path for file in model.files]
    done = [s.done_bytes for s in told if s.phase in ("downloading", "done")]
    assert done == sorted(done), "progress went backwards"
    assert manager.start(repo_id, model) == id_


@pytest.mark.parametrize("listed", [True, False])
def test_all_parts_come_from_one_version(manager: DownloadManager, hub: FakeHub, listed: bool) -> None:
    """The repository is changed while the first part comes; main is another commit for those after it."""
    repo_id, model = add(hub, "moving", parts=3)
    repo = hub.repos[repo_id]
    commit = repo.commit
    newer = {file.path: random.Random(file.path).randbytes(SIZE) for file in model.files}
    hub.fault("slow", bytes_per_s=SIZE)
    id_ = manager.start(repo_id, model, commit=commit if listed else "")
    until(lambda: manager.snapshot(id_).done_bytes > 0)
    repo.publish(newer)
    manager.pause(id_)
    assert manager.wait(id_, 10)
    if not listed:  # nothing says which version the started part was of: the one of now is as good
        commit = repo.commit
    hub.faults.clear()
    manager.resume(id_)
    until(lambda: len(manager._entries[id_].item.paths) > 0)
    repo.publish({name: content[::-1] for name, content in newer.items()})
    assert manager.wait(id_, 10)
    end = manager.snapshot(id_)
    assert end.state == "done"
    assert Path(end.path).parent.name == commit
    wanted = repo.earlier[commit]
    for file in model.files:
        assert Path(end.path).with_name(file.path).read_bytes() == wanted[file.path].content, file.path
    assert RepoCache(manager.downloader.cache, repo_id).commit_of("main") == commit


def test_a_version_that_is_gone_says_what_to_do(manager: DownloadManager, hub: FakeHub) -> None:
    repo_id, model = add(hub, "squashed", parts=2)
    id_ = manager.start(repo_id, model, commit="0" * 40)
    assert manager.wait(id_, 10)
    end = manager.snapshot(id_)
    assert end.state == "failed" and end.error is not None
    assert "no version 000000000000" in end.error.message and "anew" in end.error.hint
    assert manager.start(repo_id, model, commit=hub.repos[repo_id].commit) == id_
    assert manager.wait(id_, 10)
    assert manager.snapshot(id_).state == "done"


def test_pause_and_resume(manager: DownloadManager, hub: FakeHub) -> None:
    hub.fault("slow", bytes_per_s=1_000_000)
    id_ = manager.start(*add(hub, "a"))
    until(lambda: manager.snapshot(id_).done_bytes > 200_000)
    running = manager.snapshot(id_)
    assert running.bytes_per_s > 0 and running.remaining_s is not None
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("download-")]
    assert threads and all(thread.daemon for thread in threads), "a silent server must not keep a closed program alive"
    manager.pause(id_)
    assert manager.wait(id_, 5)
    paused = manager.snapshot(id_)
    assert paused.state == "paused" and paused.done_bytes > 200_000
    manager.resume(id_)
    assert manager.wait(id_, 10)
    assert manager.snapshot(id_).state == "done"
    assert hub.of("cdn")[-1].headers["range"] == f"bytes={paused.done_bytes}-{SIZE - 1}"


def test_cancel_deletes_the_partial_file(manager: DownloadManager, hub: FakeHub) -> None:
    hub.fault("stall", after=300_000)
    repo_id, model = add(hub, "a")
    id_ = manager.start(repo_id, model)
    until(lambda: manager.snapshot(id_).done_bytes >= 300_000)
    manager.cancel(id_)
    assert manager.wait(id_, 5)
    assert (manager.snapshot(id_).state, manager.snapshot(id_).done_bytes) == ("cancelled", 0)
    assert list(partials(RepoCache(manager.downloader.cache, repo_id))) == []
    manager.resume(id_)
    assert manager.wait(id_, 10) and manager.snapshot(id_).state == "done"


def test_a_cancel_that_keeps_what_came_can_be_taken_back(manager: DownloadManager, hub: FakeHub) -> None:
    hub.fault("stall", after=300_000)
    repo_id, model = add(hub, "a")
    repo = RepoCache(manager.downloader.cache, repo_id)
    id_ = manager.start(repo_id, model)
    until(lambda: manager.snapshot(id_).done_bytes >= 300_000)
    manager.cancel(id_, keep=True)
    assert manager.wait(id_, 5)
    assert manager.snapshot(id_).state == "cancelled"
    came = manager.snapshot(id_).done_bytes
    assert came >= 300_000
    hub.fault("stall", after=10_000)
    manager.resume(id_)
    manager.discard(id_)  # too late: it was taken back
    until(lambda: manager.snapshot(id_).done_bytes >= came + 10_000)
    assert hub.of("cdn")[-1].headers["range"] == f"bytes={came}-{SIZE - 1}"
    manager.cancel(id_, keep=True)
    assert manager.wait(id_, 5)
    assert len(list(partials(repo))) == 1
    manager.discard(id_)
    assert list(partials(repo)) == [] and manager.snapshot(id_).done_bytes == 0


def test_what_a_cancel_has_kept_goes_with_the_next_start(hub: FakeHub, tmp_path: Path) -> None:
    hub.fault("stall", after=300_000)
    first = start(hub, tmp_path)
    repo_id, model = add(hub, "a")
    id_ = first.start(repo_id, model)
    until(lambda: first.snapshot(id_).done_bytes >= 300_000)
    first.cancel(id_, keep=True)
    assert first.wait(id_, 5)
    repo = RepoCache(first.downloader.cache, repo_id)
    assert len(list(partials(repo))) == 1
    second = start(hub, tmp_path)  # as after a kill: the first was not closed
    assert list(partials(repo)) == [] and second.snapshot(id_).state == "cancelled"
    assert b'"kept":true' not in (tmp_path / "downloads.json").read_bytes(), "deleted once, not at every start"
    first.close()
    second.close()


def test_a_cancel_spares_a_file_that_another_download_brings_too(manager: DownloadManager, hub: FakeHub) -> None:
    names = ("a-Q4_0.gguf", "a-Q8_0.gguf", "mmproj.gguf")
    repo = hub.add("org/a", {name: random.Random(name).randbytes(SIZE) for name in names})
    files = {name: RepoFile(path=name, size_bytes=SIZE, sha256=repo.files[name].sha256) for name in names}
    hub.fault("stall", after=300_000, times=9, path="mmproj")
    ids = [
        manager.start("org/a", Quantization(label=name, files=(files[name],)), projector=files["mmproj.gguf"])
        for name in names[:2]
    ]
    until(lambda: any(manager.snapshot(id_).done_bytes >= SIZE + 300_000 for id_ in ids))
    until(lambda: all(manager.snapshot(id_).done_bytes >= SIZE for id_ in ids))
    for id_ in ids:
        manager.pause(id_)
        assert manager.wait(id_, 5)
    cache = RepoCache(manager.downloader.cache, "org/a")
    manager.cancel(ids[0])
    assert len(list(partials(cache))) == 1
    manager.cancel(ids[1])
    assert list(partials(cache)) == []


def test_a_partial_file_that_another_program_downloads_stays(manager: DownloadManager, hub: FakeHub) -> None:
    hub.fault("stall", after=300_000)
    repo_id, model = add(hub, "a")
    id_ = manager.start(repo_id, model)
    until(lambda: manager.snapshot(id_).done_bytes >= 300_000)
    assert manager.downloader.discard(repo_id, model.files[0].path) == 0
    manager.pause(id_)
    assert manager.wait(id_, 5)
    assert manager.downloader.discard(repo_id, model.files[0].path) >= 300_000


def test_survives_a_restart_and_connects_only_when_asked(hub: FakeHub, tmp_path: Path) -> None:
    hub.fault("slow", bytes_per_s=1_000_000)
    first = start(hub, tmp_path)
    id_ = first.start(*add(hub, "a"))
    until(lambda: first.snapshot(id_).done_bytes > 100_000)
    first.close()
    requests = len(hub.requests)
    second = start(hub, tmp_path)
    came_back = second.snapshot(id_)
    assert came_back.state == "paused" and came_back.done_bytes > 100_000
    assert len(hub.requests) == requests
    second.resume_all()
    assert second.wait(id_, 10) and second.snapshot(id_).state == "done"
    second.close()


def test_only_so_many_run_at_once(hub: FakeHub, tmp_path: Path) -> None:
    hub.fault("slow", bytes_per_s=3_000_000, times=10)
    manager = start(hub, tmp_path, parallel=2)
    most = 0
    lock = threading.Lock()

    def count(_: DownloadSnapshot) -> None:
        nonlocal most
        with lock:
            most = max(most, sum(s.state == "running" for s in manager.snapshots()))

    manager.subscribe(count)
    ids = [manager.start(*add(hub, name)) for name in "abcd"]
    assert all(manager.wait(id_, 20) for id_ in ids)
    assert {manager.snapshot(id_).state for id_ in ids} == {"done"}
    assert most == 2
    manager.close()


def test_failure_stands_with_its_reason_and_can_be_tried_again(manager: DownloadManager, hub: FakeHub) -> None:
    repo_id, model = add(hub, "a")
    hub.repos[repo_id].gated = "auto"
    id_ = manager.start(repo_id, model)
    assert manager.wait(id_, 10)
    failed = manager.snapshot(id_)
    assert failed.state == "failed" and failed.error is not None and failed.error.kind == "gated"
    hub.repos[repo_id].gated = False
    manager.resume(id_)
    assert manager.wait(id_, 10) and manager.snapshot(id_).state == "done"


def test_verify_takes_a_damaged_file_out_of_use_and_resume_mends_it(manager: DownloadManager, hub: FakeHub) -> None:
    repo_id, model = add(hub, "a")
    id_ = manager.start(repo_id, model)
    assert manager.wait(id_, 10)
    path = Path(manager.snapshot(id_).path)
    manager.verify(id_)
    assert manager.wait(id_, 10) and manager.snapshot(id_).state == "done"
    with path.open("r+b") as file:
        file.seek(5)
        file.write(b"damage")
    manager.verify(id_)
    assert manager.wait(id_, 10)
    assert manager.snapshot(id_).state == "failed" and not path.exists()
    manager.resume(id_)
    assert manager.wait(id_, 10) and manager.snapshot(id_).state == "done"
    assert path.read_bytes() == hub.repos[repo_id].files[model.files[0].path].content


def test_pausing_what_waits_to_be_verified_leaves_it_complete(hub: FakeHub, tmp_path: Path) -> None:
    manager = start(hub, tmp_path, parallel=1)
    done = manager.start(*add(hub, "a"))
    assert manager.wait(done, 10)
    hub.fault("hang", on="resolve", times=9)
    running = manager.start(*add(hub, "b"))
    manager.verify(done)
    assert manager.snapshot(done).state == "queued"
    manager.pause_all()
    assert manager.wait(running, 5)
    assert (manager.snapshot(done).state, manager.snapshot(running).state) == ("done", "paused")
    manager.close()


def test_verify_does_not_call_a_file_whole_that_is_gone(manager: DownloadManager, hub: FakeHub) -> None:
    repo_id, model = add(hub, "split", parts=2)
    id_ = manager.start(repo_id, model)
    assert manager.wait(id_, 10)
    second = Path(manager.snapshot(id_).path).with_name(model.files[1].path)
    second.resolve().unlink()
    manager.verify(id_)
    assert manager.wait(id_, 10)
    failed = manager.snapshot(id_)
    assert failed.state == "failed" and failed.error is not None and "can't be read" in failed.error.message
    manager.resume(id_)
    assert manager.wait(id_, 10) and manager.snapshot(id_).state == "done" and second.is_file()


def test_a_damaged_list_is_set_aside(hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "downloads.json").write_text("{")
    manager = start(hub, tmp_path)
    assert manager.snapshots() == []
    assert (tmp_path / "downloads.damaged.json").exists()


def test_forget_takes_it_off_the_list(hub: FakeHub, tmp_path: Path) -> None:
    manager = start(hub, tmp_path)
    id_ = manager.start(*add(hub, "a"))
    assert manager.wait(id_, 10)
    manager.forget(id_)
    assert manager.snapshots() == [] and start(hub, tmp_path).snapshots() == []


def test_what_waits_can_be_let_first_and_the_order_survives(hub: FakeHub, tmp_path: Path) -> None:
    manager = start(hub, tmp_path, parallel=1)
    hub.fault("hang", on="resolve", times=99)
    ids = [manager.start(*add(hub, name)) for name in ("a", "b", "c", "d")]
    assert [manager.snapshot(id_).before for id_ in ids] == [0, 0, 1, 2]
    manager.first(ids[3])
    manager.first(ids[0])  # it runs: nothing to do
    assert [manager.snapshot(id_).before for id_ in ids] == [0, 1, 2, 0]
    manager.close()
    again = start(hub, tmp_path, parallel=1)
    hub.faults.clear()
    finished: list[str] = []
    again.subscribe(lambda told: finished.append(told.id) if told.state == "done" else None)
    again.resume_all()
    for id_ in ids:
        assert again.wait(id_, 10)
    again.close()
    order = list(dict.fromkeys(finished))
    assert order.index(ids[3]) < order.index(ids[1]) < order.index(ids[2])
