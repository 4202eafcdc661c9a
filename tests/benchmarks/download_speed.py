"""Our downloader against curl on loopback, taking turns in one run: `python -m tests.benchmarks.download_speed`.

curl only writes; ours hashes as well. Prints the ratio of the medians; the goal is at least 0.9. Where other work
disturbs the clock, the processor's seconds for each gigabyte tell more.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from workbench.core.cancel import CancelToken
from workbench.hub.cache import RepoCache
from workbench.hub.downloader import Downloader

HUB = """
import sys
from pathlib import Path
from tests.fakes.fake_hub import FakeHub
with FakeHub() as hub:
    hub.add("org/big", {"big.gguf": Path(sys.argv[1])})
    print(hub.endpoint, flush=True)
    sys.stdin.read()
"""


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--megabytes", type=int, default=1000)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--json", type=Path)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "source"
        with source.open("wb") as file, Path("/dev/urandom").open("rb") as noise:
            for _ in range(options.megabytes):
                file.write(noise.read(1_000_000))
        # the Hub in a process of its own, or its threads would hold up the downloader's
        hub = subprocess.Popen(
            [sys.executable, "-c", HUB, str(source)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert hub.stdout is not None
        endpoint = hub.stdout.readline().strip()
        curl, ours, curl_cpu, our_cpu = [], [], [], []
        for _ in range(options.rounds):
            curl_cpu.append(_cpu_s(resource.RUSAGE_CHILDREN, lambda: curl.append(_time_curl(endpoint, folder))))
            our_cpu.append(_cpu_s(resource.RUSAGE_SELF, lambda: ours.append(_time_ours(endpoint, folder))))
        hub.communicate()
    size = options.megabytes
    for name, times, cpu in (("curl", curl, curl_cpu), ("ours", ours, our_cpu)):
        per_gigabyte = statistics.median(cpu) * 1000 / size
        speeds = f"{size / statistics.median(times):7.0f} MB/s   best {size / min(times):5.0f}"
        print(f"{name}  {speeds}   {per_gigabyte:.2f} s of processor for each GB")
    ratio = statistics.median(curl) / statistics.median(ours)
    print(f"ratio {ratio:.2f} of the medians, {min(curl) / min(ours):.2f} of the best")
    if options.json:
        report = {
            "ratio_of_medians": ratio,
            "ratio_of_best": min(curl) / min(ours),
            "curl_cpu_s_per_gb": statistics.median(curl_cpu) * 1000 / size,
            "our_cpu_s_per_gb": statistics.median(our_cpu) * 1000 / size,
        }
        options.json.write_text(json.dumps(report))
    return 0 if ratio >= 0.9 else 1


def _cpu_s(whose: int, work: Callable[[], None]) -> float:
    """Seconds of processor that `work` takes, in this process or in its children."""
    before = resource.getrusage(whose)
    work()
    after = resource.getrusage(whose)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _time_curl(endpoint: str, folder: Path) -> float:
    target = folder / "curl"
    target.unlink(missing_ok=True)
    started = time.perf_counter()
    subprocess.run(
        ["curl", "-sSfL", "-o", str(target), f"{endpoint}/org/big/resolve/main/big.gguf"], check=True, env={}
    )
    return time.perf_counter() - started


def _time_ours(endpoint: str, folder: Path) -> float:
    cache = folder / "cache"
    for old in RepoCache(cache, "org/big").blobs.glob("*"):
        old.unlink()
    downloader = Downloader(endpoint=endpoint, cache=cache, token=lambda: None)
    started = time.perf_counter()
    path = downloader.fetch("org/big", "big.gguf", CancelToken())
    taken = time.perf_counter() - started
    assert path.stat().st_size
    return taken


if __name__ == "__main__":
    raise SystemExit(main())
