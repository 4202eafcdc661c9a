"""What our adapters add to the time to the first token, against a bare httpx2 client on the same loopback server.

    python -m tests.benchmarks.provider_overhead [--rounds N] [--json OUT]

The two take turns, request by request, so that a noisy machine slows both. Exit 1 if an overhead is 10 ms or more at
the median.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2

from tests.providers.doubles import VENDORS, Double, Script, Vendor
from tests.providers.support import KEY, model_of, request
from workbench.core.cancel import CancelToken
from workbench.core.events import TextDelta
from workbench.providers.http import close_clients

LIMIT_MS = 10.0
WORDS = tuple(f"word{number} " for number in range(50))


def bare_first_byte_ms(client: httpx2.Client, url: str, body: dict[str, Any], marker: str) -> float:
    """Milliseconds until the first event with text, with nothing but httpx2 and its event source."""
    headers = {"authorization": f"Bearer {KEY}"}
    started = time.perf_counter()
    first = 0.0
    with client.stream("POST", url, json=body, headers=headers) as response:
        for event in httpx2.EventSource(response):
            if not first and marker in event.data:
                first = time.perf_counter()
    return (first - started) * 1000


def our_first_token_ms(stream: Callable[[], Iterator[Any]]) -> float:
    """Milliseconds until the first text of our model."""
    started = time.perf_counter()
    first = 0.0
    for event in stream():
        if not first and isinstance(event, TextDelta):
            first = time.perf_counter()
    return (first - started) * 1000


def measure(vendor: Vendor, rounds: int) -> dict[str, Any]:
    with Double(Script(frames=vendor.frames(*WORDS))) as double, httpx2.Client() as client:
        asked = model_of(vendor, double)
        body = {"stream": True, "messages": [{"role": "user", "content": "Hello"}]}
        bare: list[float] = []
        ours: list[float] = []
        for number in range(rounds + 3):
            bare_ms = bare_first_byte_ms(client, double.url + "/v1", body, WORDS[0].strip())
            ours_ms = our_first_token_ms(lambda: asked.stream(request(), CancelToken()))
            if number >= 3:  # the first ones import and connect
                bare.append(bare_ms)
                ours.append(ours_ms)
        close_clients()
    overhead = [ours_ms - bare_ms for ours_ms, bare_ms in zip(ours, bare, strict=True)]
    return {
        "protocol": vendor.name,
        "rounds": rounds,
        "bare_median_ms": round(statistics.median(bare), 3),
        "ours_median_ms": round(statistics.median(ours), 3),
        "overhead_median_ms": round(statistics.median(overhead), 3),
        "overhead_p95_ms": round(statistics.quantiles(overhead, n=20)[-1], 3),
        "limit_ms": LIMIT_MS,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--json", type=Path, metavar="OUT")
    arguments = parser.parse_args()
    results = [measure(vendor, arguments.rounds) for vendor in VENDORS]
    for result in results:
        print(
            f"{result['protocol']:18} bare {result['bare_median_ms']:6.2f} ms, ours {result['ours_median_ms']:6.2f} ms,"
            f" overhead {result['overhead_median_ms']:5.2f} ms at the median, {result['overhead_p95_ms']:5.2f} at p95"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    return 0 if all(result["overhead_median_ms"] < LIMIT_MS for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
