"""Every fault with every vendor's protocol: what the user gets to see. `python -m tests.providers.matrix` prints it."""

from __future__ import annotations

import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from unittest import mock

import trustme

from tests.providers.doubles import VENDORS, Double, Script, Vendor, sse
from tests.providers.support import Outcome, ask, model
from workbench.providers import limits
from workbench.providers.http import close_clients

ATTEMPTS = 3
RETRY_AFTER_S = 0.06


@dataclass(frozen=True)
class Fault:
    name: str
    kind: str
    """Expected kind of the error."""
    attempts: int
    """Expected number of requests; 0: none arrives."""
    partial: bool
    """Whether text arrives before the fault, and so must be kept."""
    scripts: Callable[[Vendor], tuple[Script, ...]] | None = None
    options: tuple[tuple[str, str], ...] = ()


def _status(status: int, **headers: str) -> Callable[[Vendor], tuple[Script, ...]]:
    return lambda vendor: (vendor.failing(status, **headers),)


def _broken(ending: str, *extra: bytes) -> Callable[[Vendor], tuple[Script, ...]]:
    return lambda vendor: (Script(frames=vendor.begun("Hello ", "wor") + extra, ending=ending),)  # type: ignore[arg-type]


FAULTS = (
    Fault("401", "auth_failed", 1, False, _status(401)),
    Fault("403", "permission_denied", 1, False, _status(403)),
    Fault("404", "not_found", 1, False, _status(404)),
    Fault("429", "rate_limited", ATTEMPTS, False, _status(429)),
    Fault("429 + Retry-After", "rate_limited", ATTEMPTS, False, _status(429, **{"Retry-After": str(RETRY_AFTER_S)})),
    Fault("500", "server_error", ATTEMPTS, False, _status(500)),
    Fault("529", "overloaded", ATTEMPTS, False, _status(529)),
    Fault("connect refused", "connection_refused", 0, False),
    Fault("TLS error", "tls_failed", 0, False),
    Fault("DNS error", "dns_failed", 0, False),
    Fault("stall", "stream_stalled", 1, True, _broken("stall"), (("read_timeout_s", "0.15"),)),
    Fault("cut", "stream_cut", 1, True, _broken("cut")),
    Fault("reset", "stream_cut", 1, True, _broken("reset")),
    Fault("early end", "stream_ended_early", 1, True, _broken("early")),
    Fault("bad chunk", "stream_malformed", 1, True, _broken("complete", sse('{"broken": '))),
    Fault(
        "error event in stream",
        "overloaded",
        1,
        True,
        lambda vendor: (Script(frames=(*vendor.begun("Hello ", "wor"), vendor.error_event), ending="complete"),),
    ),
    Fault(
        "error event first",
        "overloaded",
        ATTEMPTS,
        False,
        lambda vendor: (Script(frames=(*vendor.opening, vendor.error_event), ending="complete"),),
    ),
)


@dataclass(frozen=True)
class Result:
    vendor: Vendor
    fault: Fault
    outcome: Outcome
    requests: list[float]
    """When each request arrived."""

    @property
    def kind(self) -> str:
        error = self.outcome.finished.error
        return error.kind if error else ""


def run(vendor: Vendor, fault: Fault) -> Result:
    """Ask a double that has this fault."""
    limits._limits.clear()
    with ExitStack() as stack:
        stack.callback(close_clients)
        if fault.scripts is not None:
            double = stack.enter_context(Double(*fault.scripts(vendor)))
            outcome = ask(model(vendor.kind, double.url + vendor.path, **vendor.options, **dict(fault.options)))
            return Result(vendor, fault, outcome, [seen.at for seen in double.seen])
        url = stack.enter_context(_UNREACHABLE[fault.name](vendor))
        return Result(vendor, fault, ask(model(vendor.kind, url + vendor.path, **vendor.options)), [])


@contextmanager
def _refused(vendor: Vendor) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


@contextmanager
def _untrusted(vendor: Vendor) -> Iterator[str]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    with Double(vendor.complete("Hello"), tls=tls) as double:
        yield double.url


@contextmanager
def _unknown_host(vendor: Vendor) -> Iterator[str]:
    error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    with mock.patch("socket.getaddrinfo", side_effect=error):
        yield "https://no-such-host.invalid"


_UNREACHABLE = {"connect refused": _refused, "TLS error": _untrusted, "DNS error": _unknown_host}


def main() -> int:
    print("| fault |", " | ".join(vendor.name for vendor in VENDORS), "|")
    print("|---|" + "---|" * len(VENDORS))
    good = True
    for fault in FAULTS:
        cells = []
        for vendor in VENDORS:
            result = run(vendor, fault)
            kept = f"“{result.outcome.text}” kept" if result.outcome.text else "no text"
            requests = len(result.requests)
            cells.append(f"{result.outcome.finished.reason}: {result.kind}, {requests} request(s), {kept}")
            good &= result.kind == fault.kind and requests == fault.attempts
        print(f"| {fault.name} |", " | ".join(cells), "|")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
