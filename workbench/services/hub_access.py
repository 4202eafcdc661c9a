"""The Hub as the user has set it up: network settings, token, folders. No Qt, no connection before it is asked."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import msgspec

from workbench.core.paths import Paths
from workbench.core.redact import register_secret
from workbench.core.settings import Network, Settings, SettingsFile
from workbench.hub.auth import usual_token
from workbench.hub.bandwidth import BandwidthLimit
from workbench.hub.cache import default_cache
from workbench.hub.client import HubClient
from workbench.hub.downloader import Downloader, DownloadOptions
from workbench.hub.network import is_offline
from workbench.hub.remote_gguf import RemoteHeaders
from workbench.hub.repos import Quantization
from workbench.services.downloads import DownloadManager
from workbench.services.experience import Experience
from workbench.services.fit import Fit, fits
from workbench.services.keys import HUB_TOKEN, HUB_VARIABLE, Keys
from workbench.services.machine import this_machine
from workbench.services.model_files import FoundModel, find_models, usual_places
from workbench.services.model_shape import ModelShape


class HubAccess:
    """Hands out what talks to the Hub; follows changes of the settings. Thread-safe."""

    def __init__(self, settings: SettingsFile, keys: Keys, paths: Paths, experience: Experience | None = None) -> None:
        """`experience`: the one that the catalogue's models add to; else what is kept of it in its file."""
        self._settings = settings
        self._keys = keys
        self._paths = paths
        self.experience = experience or Experience(paths.data / "machine.json")
        """Predictions of memory and speed against what came, on this machine."""
        self._lock = threading.Lock()
        self._clients: tuple[Network, HubClient, RemoteHeaders] | None = None
        self._limit = BandwidthLimit()
        self._manager: DownloadManager | None = None
        self._was_offline = False
        self._end_subscription = settings.subscribe(self._follow)
        self._follow(settings.value)

    @property
    def offline(self) -> bool:
        return is_offline(self._settings.value.network)

    @property
    def client(self) -> HubClient:
        """For searches and details."""
        return self._current()[1]

    @property
    def headers(self) -> RemoteHeaders:
        """For GGUF headers of files that are not here."""
        return self._current()[2]

    @property
    def cache(self) -> Path:
        """Where downloads go."""
        folder = self._settings.value.folders.download_folder
        return Path(folder).expanduser() if folder else default_cache()

    @cached_property
    def downloads(self) -> DownloadManager:
        """The user's list of downloads."""
        self._manager = DownloadManager(self.downloader(), self._paths.data / "downloads.json")
        return self._manager

    def downloader(self, options: DownloadOptions | None = None) -> Downloader:
        """One that shares the bandwidth limit."""
        return Downloader(
            self._settings.value.network, token=self.token, cache=self.cache, limit=self._limit, options=options
        )

    def token(self) -> str | None:
        """The access token: keyring, `HF_TOKEN`, then where `hf auth login` keeps it."""
        token = self._keys.get(HUB_TOKEN, HUB_VARIABLE) or usual_token()
        if token:
            register_secret(token)
        return token

    def models_here(self) -> list[FoundModel]:
        """All models on this machine. Reads folders: not for the UI thread."""
        return find_models(usual_places(self._paths, self._settings.value.folders))

    def judge_all(self, models: Sequence[Quantization], shape: ModelShape | None = None) -> list[Fit]:
        """How each quantisation of one model would run here. Starts an engine to ask for GPUs: about a second."""
        return fits(models, this_machine(self.experience), shape, experience=self.experience)

    def close(self) -> None:
        """Pause downloads and close connections."""
        self._end_subscription()
        if self._manager is not None:
            self._manager.close()
        with self._lock:
            if self._clients is not None:
                self._clients[1].close()

    def _current(self) -> tuple[Network, HubClient, RemoteHeaders]:
        # the limit is the downloads' alone: a change of it breaks off no search
        network = msgspec.structs.replace(self._settings.value.network, download_limit_kib_s=0)
        before = None
        with self._lock:
            if self._clients is None or self._clients[0] != network:
                before = self._clients
                client = HubClient(network, token=self.token)
                self._clients = (network, client, RemoteHeaders(network, token=self.token))
            clients = self._clients
        if before is not None:
            before[1].close()
        return clients

    def _follow(self, settings: Settings) -> None:
        self._limit.bytes_per_s = settings.network.download_limit_kib_s * 1024
        offline = is_offline(settings.network)
        if self._manager is not None:
            self._manager.downloader.network = settings.network
            self._manager.downloader.cache = self.cache
            if offline and not self._was_offline:  # what is connected already, too; not in the window's thread
                threading.Thread(target=self._manager.pause_all, name="downloads-offline", daemon=True).start()
        self._was_offline = offline
