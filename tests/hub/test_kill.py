"""The program is killed at 50 random moments of a download and started again: not a byte is lost or wrong."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

from tests.fakes.fake_hub import FakeHub
from workbench.hub.cache import PART_SUFFIX, RepoCache
from workbench.hub.partial import partials

KILLS = 50
SCRIPT = """
import sys
from pathlib import Path
from workbench.core.cancel import CancelToken
from workbench.hub.downloader import Downloader, DownloadOptions
downloader = Downloader(endpoint=sys.argv[1], cache=Path(sys.argv[2]), options=DownloadOptions(block_bytes=1 << 20))
print("ready", flush=True)
for line in sys.stdin:
    print(downloader.fetch("org/tiny-GGUF", "tiny-Q4_K_M.gguf", CancelToken()), flush=True)
"""


def test_survives_50_kills(hub: FakeHub, cache: Path) -> None:
    chance = random.Random(5)
    weights = chance.randbytes(24_000_000)
    hub.add("org/tiny-GGUF", {"tiny-Q4_K_M.gguf": weights})
    hub.fault("slow", bytes_per_s=8_000_000, times=10_000)
    repo = RepoCache(cache, "org/tiny-GGUF")
    reached = 0
    kills = 0
    while kills < KILLS:
        with _start(hub, cache) as child:
            time.sleep(chance.uniform(0.0, 0.12))  # the random moment; nothing is waited for
            child.kill()
        kills += 1
        size = sum(part.stat().st_size for part, _ in partials(repo))
        assert size >= reached, "bytes that were here are gone"
        reached = size
    assert reached > 0
    hub.faults.clear()
    with _start(hub, cache) as child:
        assert child.stdout is not None
        path = Path(child.stdout.readline().strip())
        child.stdin.close()  # type: ignore[union-attr]
    assert path.read_bytes() == weights
    # the last run goes on exactly where the killed ones were
    assert hub.of("cdn")[-1].headers["range"] == f"bytes={reached}-{len(weights) - 1}"
    assert not list(cache.rglob(f"*{PART_SUFFIX}*"))


def _start(hub: FakeHub, cache: Path) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, hub.endpoint, str(cache)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdin is not None and child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.stdin.write("go\n")
    child.stdin.flush()
    return child


def test_two_programs_at_once_fetch_it_once(hub: FakeHub, cache: Path) -> None:
    weights = random.Random(6).randbytes(3_000_000)
    hub.add("org/tiny-GGUF", {"tiny-Q4_K_M.gguf": weights})
    hub.fault("slow", bytes_per_s=6_000_000)
    with _start(hub, cache) as first, _start(hub, cache) as second:
        for child in (first, second):
            assert child.stdin is not None and child.stdout is not None
            assert Path(child.stdout.readline().strip()).read_bytes() == weights
            child.stdin.close()
    assert len(hub.of("cdn")) == 1
