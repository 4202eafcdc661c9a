from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.fake_hub import FakeHub
from workbench.hub.downloader import Downloader, DownloadOptions

QUICK = DownloadOptions(stall_s=0.5, backoff_s=0.01, backoff_max_s=0.05, tries=6, block_bytes=256 * 1024)
"""Waits short enough for tests; blocks small enough that a small file has several."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    with FakeHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub


@pytest.fixture
def weights() -> bytes:
    """1.5 MB that no compression or repetition can hide errors in."""
    return random.Random(7).randbytes(1_500_000)


@pytest.fixture
def repo(hub: FakeHub, weights: bytes) -> str:
    hub.add("org/tiny-GGUF", {"tiny-Q4_K_M.gguf": weights, "README.md": b"---\nlicense: mit\n---\n# Tiny\n"})
    return "org/tiny-GGUF"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "hf" / "hub"


@pytest.fixture
def make(hub: FakeHub, cache: Path) -> Callable[..., Downloader]:
    def make(**options: object) -> Downloader:
        settings: dict[str, object] = {"options": QUICK, "cache": cache, "endpoint": hub.endpoint} | options
        return Downloader(**settings)  # type: ignore[arg-type]

    return make
