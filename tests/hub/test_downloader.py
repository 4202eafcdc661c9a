"""Our downloader against a Hub where everything goes wrong."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest

from tests.fakes.fake_hub import CERTIFICATE, FakeFile, FakeHub, Fault
from tests.hub.conftest import QUICK
from workbench.core.cancel import CancelToken
from workbench.core.errors import Cancelled
from workbench.core.settings import Network
from workbench.hub import transfer
from workbench.hub.bandwidth import BandwidthLimit
from workbench.hub.cache import PART_SUFFIX, RepoCache
from workbench.hub.downloader import Downloader, FileProgress
from workbench.hub.errors import (
    BadToken,
    ChecksumMismatch,
    DiskFull,
    FolderNotWritable,
    GatedRepo,
    HubError,
    Offline,
    RepoNotFound,
)
from workbench.hub.partial import partials

FILE = "tiny-Q4_K_M.gguf"
Make = Callable[..., Downloader]


def fetch(downloader: Downloader, repo: str = "org/tiny-GGUF", name: str = FILE, **options: object) -> Path:
    return downloader.fetch(repo, name, CancelToken(), **options)  # type: ignore[arg-type]


def stop_at(downloader: Downloader, count: int, repo: str = "org/tiny-GGUF", name: str = FILE) -> None:
    """Cancel a download once `count` bytes of it are here."""
    cancel = CancelToken()

    def watch(progress: FileProgress) -> None:
        if progress.phase == "downloading" and progress.done_bytes >= count:
            cancel.cancel()

    with pytest.raises(Cancelled):
        downloader.fetch(repo, name, cancel, progress=watch)


def part_of(cache: Path, repo: str = "org/tiny-GGUF") -> Path:
    (part,) = [path for path, _ in partials(RepoCache(cache, repo))]
    return part


def test_is_filed_where_every_hugging_face_tool_finds_it(
    make: Make, repo: str, weights: bytes, cache: Path, hub: FakeHub
) -> None:
    path = fetch(make())
    assert path.read_bytes() == weights
    assert path.is_symlink() and not path.readlink().is_absolute()
    assert huggingface_hub.try_to_load_from_cache(repo, FILE, cache_dir=cache) == str(path)
    scan = huggingface_hub.scan_cache_dir(cache)
    assert not scan.warnings
    (found,) = scan.repos
    assert (found.repo_id, found.size_on_disk) == (repo, len(weights))
    (revision,) = found.revisions
    assert revision.refs == {"main"} and revision.commit_hash == hub.repos[repo].commit
    assert not list(cache.rglob(f"*{PART_SUFFIX}*"))
    assert huggingface_hub.hf_hub_download(repo, FILE, cache_dir=cache, endpoint=hub.endpoint) == str(path)


def test_what_huggingface_hub_downloaded_is_not_fetched_again(make: Make, repo: str, cache: Path, hub: FakeHub) -> None:
    theirs = huggingface_hub.hf_hub_download(repo, FILE, cache_dir=cache, endpoint=hub.endpoint)
    before = len(hub.of("cdn"))
    assert str(fetch(make())) == theirs
    assert len(hub.of("cdn")) == before


def test_a_small_file_kept_in_git_comes_too(make: Make, repo: str) -> None:
    assert fetch(make(), name="README.md").read_bytes().endswith(b"# Tiny\n")


def test_the_same_content_under_a_new_commit_is_linked_not_fetched(make: Make, repo: str, hub: FakeHub) -> None:
    first = fetch(make())
    hub.repos[repo].commit = "b" * 40
    second = fetch(make())
    assert second != first and second.samefile(first)
    assert len(hub.of("cdn")) == 1


@pytest.mark.parametrize("kind", ["cut", "reset", "stall"])
def test_goes_on_after_a_broken_connection(make: Make, repo: str, weights: bytes, hub: FakeHub, kind: str) -> None:
    for after in (300_000, 200_000, 1):
        hub.fault(kind, after=after)
    seen: list[FileProgress] = []
    assert fetch(make(), progress=seen.append).read_bytes() == weights
    assert any(p.phase == "retrying" and p.error is not None for p in seen)
    assert hub.bytes_sent < len(weights) + 500_000, "bytes that had come were fetched again"
    starts = [r.headers.get("range") for r in hub.of("cdn")]
    assert starts[0] is None and all(starts[1:])


@pytest.mark.parametrize("number", [errno.EHOSTUNREACH, errno.ENETDOWN, errno.ETIMEDOUT])
def test_goes_on_after_the_network_went_away(
    make: Make, repo: str, weights: bytes, hub: FakeHub, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """As a laptop's does when it leaves its Wi-Fi: the system tells the reader by other errors than a reset."""
    real, left = transfer._reader, [2]

    def reader(stream: object) -> Callable[[memoryview], transfer.Piece]:
        read = real(stream)

        def away(into: memoryview) -> transfer.Piece:
            left[0] -= 1
            if left[0] == 0:
                raise OSError(number, os.strerror(number))
            return read(into)

        return away

    monkeypatch.setattr(transfer, "_reader", reader)
    assert fetch(make()).read_bytes() == weights
    assert left[0] < 0


def test_a_stall_before_the_first_byte_is_noticed(make: Make, repo: str, weights: bytes, hub: FakeHub) -> None:
    hub.fault("hang")
    hub.fault("hang", on="resolve")
    assert fetch(make()).read_bytes() == weights


def test_resumes_in_a_new_program(make: Make, repo: str, weights: bytes, hub: FakeHub, cache: Path) -> None:
    hub.fault("slow", bytes_per_s=3_000_000)
    stop_at(make(), 700_000)
    here = part_of(cache).stat().st_size
    phases: list[str] = []
    assert fetch(make(), progress=lambda p: phases.append(p.phase)).read_bytes() == weights
    assert here >= 700_000 and hub.of("cdn")[-1].headers["range"] == f"bytes={here}-{len(weights) - 1}"
    assert "checking" in phases


def test_a_server_that_ignores_ranges_makes_a_clean_new_start(
    make: Make, repo: str, weights: bytes, hub: FakeHub
) -> None:
    hub.fault("cut", after=400_000)
    hub.fault("ignore_range", times=50)
    assert fetch(make()).read_bytes() == weights


def test_a_server_that_ignores_ranges_and_always_breaks_off_is_given_up(make: Make, repo: str, hub: FakeHub) -> None:
    hub.fault("cut", after=400_000, times=1000)
    hub.fault("ignore_range", times=1000)
    with pytest.raises(HubError, match="can't resume"):
        fetch(make())


def test_starts_over_when_the_file_was_replaced(make: Make, repo: str, weights: bytes, hub: FakeHub) -> None:
    hub.fault("slow", bytes_per_s=3_000_000)
    stop_at(make(), 500_000)
    hub.repos[repo].files[FILE] = FakeFile(weights[::-1])
    hub.repos[repo].commit = "c" * 40
    path = fetch(make())
    assert path.read_bytes() == weights[::-1]
    assert not list(path.parents[2].rglob(f"*{PART_SUFFIX}*")), "the old version's partial file was left behind"


def test_starts_over_when_the_file_is_replaced_meanwhile(make: Make, repo: str, weights: bytes, hub: FakeHub) -> None:
    hub.fault("cut", after=500_000)

    def replace_it(progress: FileProgress) -> None:
        if progress.phase == "retrying" and hub.repos[repo].commit != "d" * 40:
            hub.repos[repo].files[FILE] = FakeFile(weights[::-1])
            hub.repos[repo].commit = "d" * 40

    assert fetch(make(), progress=replace_it).read_bytes() == weights[::-1]


def test_the_storage_gets_no_token(make: Make, repo: str, hub: FakeHub) -> None:
    hub.tokens["hf_secret"] = set()
    hub.fault("cut", after=100_000)
    fetch(make(token=lambda: "hf_secret"))
    assert hub.tokens_seen_by_cdn() == []
    assert {r.headers.get("authorization") for r in hub.of("hub", "HEAD")} == {"Bearer hf_secret"}


def test_an_expired_link_is_asked_for_anew(make: Make, repo: str, weights: bytes, hub: FakeHub) -> None:
    hub.fault("cut", after=600_000)
    hub.fault("expired", skip=1)
    hub.fault("status", status=403, skip=2)
    assert fetch(make()).read_bytes() == weights
    assert len(hub.of("hub", "HEAD")) >= 2


@pytest.mark.parametrize("status", [408, 416, 429, 500, 502, 503])
@pytest.mark.parametrize("where", ["cdn", "resolve"])
def test_passing_trouble_passes(make: Make, repo: str, weights: bytes, hub: FakeHub, status: int, where: str) -> None:
    if where == "resolve" and status in (408, 416):
        pytest.skip("not an answer of the Hub itself")
    hub.fault("cut", after=500_000)
    hub.fault("status", on=where, status=status, times=2, skip=1, headers={"Retry-After": "0"})
    assert fetch(make()).read_bytes() == weights


def test_retry_after_is_honoured(make: Make, repo: str, hub: FakeHub) -> None:
    hub.fault("status", on="cdn", status=429, headers={"Retry-After": "1"})
    started = time.monotonic()
    seen: list[FileProgress] = []
    fetch(make(), progress=seen.append)
    assert time.monotonic() - started >= 1.0
    assert any("fewer requests" in p.message and "1 s" in p.message for p in seen)


def test_lasting_trouble_ends_in_plain_words_and_keeps_what_came(
    make: Make, repo: str, hub: FakeHub, cache: Path
) -> None:
    hub.fault("cut", after=500_000)
    hub.fault("status", status=500, times=100, skip=1)
    with pytest.raises(HubError, match="trouble"):
        fetch(make())
    assert part_of(cache).stat().st_size == 500_000


def test_gated_says_where_to_ask_and_works_after_that(make: Make, hub: FakeHub, weights: bytes) -> None:
    hub.add("org/closed", {FILE: weights}, gated="manual")
    with pytest.raises(GatedRepo) as without:
        fetch(make(), "org/closed")
    assert not without.value.has_token and f"{hub.endpoint}/org/closed" in without.value.hint
    hub.tokens["hf_me"] = set()
    with pytest.raises(GatedRepo) as refused:
        fetch(make(token=lambda: "hf_me"), "org/closed")
    assert refused.value.has_token
    hub.tokens["hf_me"].add("org/closed")
    assert fetch(make(token=lambda: "hf_me"), "org/closed").read_bytes() == weights


def test_private_and_missing_and_bad_token(make: Make, repo: str, hub: FakeHub, weights: bytes) -> None:
    hub.add("team/secret", {FILE: weights}, private=True)
    with pytest.raises(RepoNotFound, match="no repository"):
        fetch(make(), "team/secret")
    hub.tokens["hf_team"] = {"private:team"}
    assert fetch(make(token=lambda: "hf_team"), "team/secret").exists()
    with pytest.raises(RepoNotFound, match="no file"):
        fetch(make(), name="other.gguf")
    with pytest.raises(BadToken):
        fetch(make(token=lambda: "hf_wrong"))


def test_a_file_that_is_not_what_the_hub_says_is_never_filed(
    make: Make, hub: FakeHub, weights: bytes, cache: Path
) -> None:
    hub.add("org/liar", {FILE: FakeFile(weights, sha256=hashlib.sha256(b"other").hexdigest())})
    with pytest.raises(ChecksumMismatch) as error:
        fetch(make(), "org/liar")
    assert "checksum" in error.value.message
    repo = RepoCache(cache, "org/liar")
    assert not list((repo.folder / "snapshots").rglob("*.gguf"))
    assert all(path.name.endswith((PART_SUFFIX, ".json")) for path in repo.blobs.iterdir())


def test_a_byte_damaged_on_the_way_is_mended(make: Make, repo: str, weights: bytes, hub: FakeHub) -> None:
    hub.fault("flip", after=123_456)
    assert fetch(make()).read_bytes() == weights


def test_only_the_block_that_the_disk_damaged_is_fetched_again(
    make: Make, repo: str, weights: bytes, hub: FakeHub, cache: Path
) -> None:
    hub.fault("cut", after=1_400_000)
    hub.fault("status", status=500, times=6, skip=1)
    with pytest.raises(HubError):
        fetch(make())
    with part_of(cache).open("r+b") as file:
        file.seek(300_000)
        file.write(b"damage")
    sent = hub.bytes_sent
    assert fetch(make()).read_bytes() == weights
    assert hub.bytes_sent - sent == QUICK.block_bytes + len(weights) - 1_400_000


def test_damage_where_a_transfer_broke_off_is_mended_in_place(make: Make, hub: FakeHub, cache: Path) -> None:
    content = random.Random(3).randbytes(4_000_000)
    hub.add("org/tiny-GGUF", {FILE: content})
    hub.fault("cut", after=1_000_000)
    hub.fault("flip", after=1_000_100)
    assert fetch(make()).read_bytes() == content
    assert hub.bytes_sent < len(content) * 1.5


def test_cancel_takes_effect_at_once_even_in_a_stall(make: Make, repo: str, hub: FakeHub) -> None:
    downloader = make(options=replace(QUICK, stall_s=30))
    for kind, on in (("stall", "cdn"), ("hang", "cdn"), ("hang", "resolve")):
        taken = [_time_of_cancel(downloader, hub.fault(kind, on=on, after=100_000)) for _ in range(3)]
        assert min(taken) < 0.2, f"cancel in {kind} on {on} was slow: {taken}"  # the machine may be busy once or twice


def _time_of_cancel(downloader: Downloader, fault: Fault) -> float:
    cancel = CancelToken()
    over: list[bool] = []
    thread = threading.Thread(target=lambda: over.append(_cancelled(downloader, cancel)))
    thread.start()
    _until(lambda: fault.times == 0)
    time.sleep(0.1)  # lets the client get into its waiting
    started = time.monotonic()
    cancel.cancel()
    thread.join(5)
    assert over == [True]
    return time.monotonic() - started


def _cancelled(downloader: Downloader, cancel: CancelToken) -> bool:
    try:
        downloader.fetch("org/tiny-GGUF", FILE, cancel)
    except Cancelled:
        return True
    return False


def _until(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def test_too_little_room_is_said_before_anything_is_fetched(
    make: Make, repo: str, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("U", (), {"free": 1_000_000})())
    with pytest.raises(DiskFull, match="GB free"):
        fetch(make())
    assert hub.of("cdn") == []


def test_a_disk_that_fills_up_meanwhile_pauses_and_keeps_what_came(
    make: Make, repo: str, weights: bytes, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class SmallDisk(transfer.FileIO):
        def write(self, data: memoryview) -> int:  # type: ignore[override]
            if self.tell() + len(data) > 800_000:
                room = 800_000 - self.tell()
                if room <= 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                data = data[:room]
            return super().write(data)

    with monkeypatch.context() as small:
        small.setattr(transfer, "FileIO", SmallDisk)
        with pytest.raises(DiskFull, match="is full"):
            fetch(make())
    assert part_of(cache).stat().st_size == 800_000
    assert fetch(make()).read_bytes() == weights


def test_a_file_system_that_turns_read_only_pauses_and_keeps_what_came(
    make: Make, repo: str, weights: bytes, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ReadOnly(transfer.FileIO):
        def write(self, data: memoryview) -> int:  # type: ignore[override]
            if self.tell() >= 600_000:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            return super().write(data[: 600_000 - self.tell()])

    with monkeypatch.context() as turned:
        turned.setattr(transfer, "FileIO", ReadOnly)
        with pytest.raises(FolderNotWritable, match="can't be written to"):
            fetch(make())
    assert part_of(cache).stat().st_size == 600_000
    assert fetch(make()).read_bytes() == weights


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_said(make: Make, repo: str, cache: Path) -> None:
    cache.mkdir(parents=True)
    cache.chmod(0o500)
    with pytest.raises(FolderNotWritable):
        fetch(make())
    cache.chmod(0o700)


def test_a_folder_that_refuses_is_said(make: Make, repo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(RepoCache, "prepare", refuse)
    with pytest.raises(FolderNotWritable, match="can't be written"):
        fetch(make())


def test_two_at_once_fetch_it_once(make: Make, repo: str, weights: bytes, hub: FakeHub) -> None:
    hub.fault("slow", bytes_per_s=3_000_000)
    first = threading.Thread(target=fetch, args=(make(),))
    first.start()
    _until(lambda: len(hub.of("cdn")) == 1)
    phases: list[FileProgress] = []
    assert fetch(make(), progress=phases.append).read_bytes() == weights
    first.join()
    assert len(hub.of("cdn")) == 1
    assert any(p.phase == "waiting" and "Another program" in p.message for p in phases)


def test_the_limit_is_shared(make: Make, hub: FakeHub, weights: bytes) -> None:
    limit = BandwidthLimit(1_500_000)
    for name in ("a", "b"):
        hub.add(f"org/{name}", {FILE: name.encode() + weights[:749_999]})
    started = time.monotonic()
    threads = [threading.Thread(target=fetch, args=(make(limit=limit), f"org/{name}")) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started > 0.8, "1.5 MB came faster than 1.5 MB/s"


def test_offline_tries_nothing(make: Make, repo: str, hub: FakeHub) -> None:
    with pytest.raises(Offline):
        fetch(make(network=Network(offline=True)))
    assert hub.requests == []


@pytest.mark.parametrize("name", ["../../evil.gguf", "/etc/evil.gguf", "a/../../evil.gguf", "c:\\evil.gguf"])
def test_names_that_leave_the_cache_are_refused(make: Make, hub: FakeHub, name: str, weights: bytes) -> None:
    hub.add("org/evil", {name: weights})
    with pytest.raises(HubError, match="kept safely"):
        fetch(make(), "org/evil", name)


def test_a_mirror_that_sends_on_to_the_hub(make: Make, repo: str, weights: bytes, hub: FakeHub) -> None:
    hub.tokens["hf_secret"] = set()
    mirror = Mirror(hub.endpoint)
    try:
        path = fetch(make(endpoint=mirror.endpoint, token=lambda: "hf_secret"))
    finally:
        mirror.close()
    assert path.read_bytes() == weights
    assert {r.headers.get("authorization") for r in hub.requests} == {None}, "the token went to another host"


class Mirror:
    """Answers every request with a redirect to the same path elsewhere."""

    def __init__(self, target: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:  # GET goes to the storage's link
                self.send_response(308)
                self.send_header("Location", target + self.path)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.mark.parametrize("revision", ["../../x", "/abs"])
def test_revisions_that_leave_the_cache_are_refused(cache: Path, revision: str) -> None:
    repo = RepoCache(cache, "org/a")
    repo.prepare("e" * 64)
    repo.blob("e" * 64).write_bytes(b"x")
    with pytest.raises(HubError, match="revision"):
        repo.link("e" * 64, "1" * 40, "a.gguf", revision)


@pytest.fixture
def secure_hub(weights: bytes) -> Iterator[FakeHub]:
    with FakeHub(tls=True) as hub:
        hub.add("org/tiny-GGUF", {"tiny-Q4_K_M.gguf": weights})
        yield hub


def test_https_with_a_ca_file_and_what_breaks_off(secure_hub: FakeHub, make: Make, weights: bytes) -> None:
    secure_hub.fault("cut", after=400_000)
    secure_hub.fault("reset", after=300_000)
    secure_hub.fault("stall", after=200_000)
    downloader = make(endpoint=secure_hub.endpoint, network=Network(ca_file=str(CERTIFICATE)))
    assert fetch(downloader).read_bytes() == weights
    ranges = [request.headers.get("range", "") for request in secure_hub.of("cdn")]
    assert ranges == ["", "bytes=400000-1499999", *ranges[2:]], "it goes on where it broke off"
    assert len(ranges) == 4


def test_https_of_an_unknown_authority_is_said(secure_hub: FakeHub, make: Make) -> None:
    with pytest.raises(HubError, match="is not trusted here") as error:
        fetch(make(endpoint=secure_hub.endpoint))
    assert "CA file" in (error.value.hint or "")
    assert not secure_hub.requests
