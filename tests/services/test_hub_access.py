"""The Hub as the user has set it up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.fakes.fake_hub import FakeHub
from workbench.core.cancel import CancelToken
from workbench.core.paths import Paths
from workbench.core.redact import redact
from workbench.core.settings import Folders, Network, SettingsFile
from workbench.hub.errors import Offline
from workbench.hub.repos import Quantization, RepoFile, SearchQuery
from workbench.services.downloads import DownloadSnapshot
from workbench.services.hub_access import HubAccess
from workbench.services.keys import HUB_TOKEN, Keys


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    with FakeHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        hub.add("org/m", {"m-Q4_0.gguf": b"GGUF" + bytes(100)})
        yield hub


@pytest.fixture
def access(home: Path) -> Iterator[HubAccess]:
    paths = Paths.of_user()
    access = HubAccess(SettingsFile(paths.settings), Keys(paths), paths)
    yield access
    access.close()


def change(access: HubAccess, **options: object) -> None:
    file = access._settings
    file.save(msgspec.structs.replace(file.value, **options))


def test_offline_mode_takes_effect_at_once(hub: FakeHub, access: HubAccess) -> None:
    assert len(access.client.search(SearchQuery()).next_page(CancelToken())) == 1
    downloads = access.downloads
    change(access, network=Network(offline=True))
    assert access.offline
    with pytest.raises(Offline):
        access.client.search(SearchQuery()).next_page(CancelToken())
    requests = len(hub.requests)
    with pytest.raises(Offline):
        downloads.downloader.fetch("org/m", "m-Q4_0.gguf", CancelToken())
    assert len(hub.requests) == requests
    change(access, network=Network())
    assert len(access.client.search(SearchQuery()).next_page(CancelToken())) == 1


def test_offline_mode_stops_what_is_being_downloaded_and_keeps_it(hub: FakeHub, access: HubAccess) -> None:
    hub.add("org/m", {name: bytes(3_000_000) for name in "abcde"})
    hub.fault("slow", bytes_per_s=100_000, times=9)
    models = [
        Quantization(label=name, files=(RepoFile(path=name, size_bytes=3_000_000, sha256=file.sha256),))
        for name, file in hub.repos["org/m"].files.items()
    ]
    downloads = access.downloads
    ids = [downloads.start("org/m", model) for model in models]
    paused = threading.Event()

    def look(_: DownloadSnapshot) -> None:
        if all(snapshot.state == "paused" for snapshot in downloads.snapshots()):
            paused.set()

    end = downloads.subscribe(look)
    change(access, network=Network(offline=True))
    assert paused.wait(10)
    end()
    asked = len(hub.requests)
    downloads.resume(ids[0])
    assert downloads.wait(ids[0], 10)
    again = downloads.snapshot(ids[0])
    assert again.state == "paused" and again.error is not None and again.error.kind == "offline"
    assert len(hub.requests) == asked


def test_the_limit_reaches_running_downloads(access: HubAccess) -> None:
    limit = access.downloads.downloader.limit
    assert limit.bytes_per_s == 0
    change(access, network=Network(download_limit_kib_s=512))
    assert limit.bytes_per_s == 512 * 1024


def test_a_kept_token_is_used_and_never_shown(hub: FakeHub, access: HubAccess) -> None:
    assert access.token() is None
    access._keys.set(HUB_TOKEN, "hf_keptbytheuser")
    assert access.token() == "hf_keptbytheuser"
    assert "hf_keptbytheuser" not in redact("Authorization: Bearer hf_keptbytheuser")
    hub.tokens["hf_keptbytheuser"] = set()
    access.client.details("org/m", CancelToken())
    assert {r.headers["authorization"] for r in hub.requests} == {"Bearer hf_keptbytheuser"}


def test_downloads_go_to_the_chosen_folder_and_are_found_there(hub: FakeHub, access: HubAccess, tmp_path: Path) -> None:
    change(access, folders=Folders(download_folder=str(tmp_path / "models")))
    details = access.client.details("org/m", CancelToken())
    id_ = access.downloads.start("org/m", details.find("Q4_0"))
    assert access.downloads.wait(id_, 10)
    path = Path(access.downloads.snapshot(id_).path)
    assert path.is_relative_to(tmp_path / "models")
    assert [model.path for model in access.models_here()] == [path]


def test_other_network_settings_close_the_connections_of_before(hub: FakeHub, access: HubAccess) -> None:
    first = access.client
    first.search(SearchQuery()).next_page(CancelToken())
    assert first._transport._routes
    change(access, network=Network(download_limit_kib_s=100))
    assert access.client is first, "the downloads' limit is no reason to break off a search"
    change(access, network=Network(proxy="http://127.0.0.1:9"))
    assert access.client is not first
    assert not first._transport._routes
