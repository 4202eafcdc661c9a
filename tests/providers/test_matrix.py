"""The fault matrix: whatever breaks, the run fails, says why, keeps its text, and retries what may be retried."""

from __future__ import annotations

import itertools

import pytest

from tests.providers.doubles import VENDORS, Double, Script, Vendor
from tests.providers.matrix import ATTEMPTS, FAULTS, RETRY_AFTER_S, Fault, run
from tests.providers.support import KEY, ask, model_of


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_a_fault_is_a_failed_run_with_its_cause(vendor: Vendor, fault: Fault) -> None:
    result = run(vendor, fault)
    finished = result.outcome.finished
    assert finished.reason == "failed"
    assert finished.error is not None
    assert finished.error.kind == fault.kind
    assert finished.error.message
    assert finished.error.hint
    assert KEY not in str(finished.error) + finished.error.detail
    assert result.outcome.text == ("Hello wor" if fault.partial else "")
    assert len(result.requests) == fault.attempts
    retries = result.outcome.notices("retry")
    assert len(retries) == max(0, fault.attempts - 1)
    if retries:
        assert f"attempt 2 of {ATTEMPTS}" in retries[0]


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_retry_after_is_never_undercut(vendor: Vendor) -> None:
    fault = next(fault for fault in FAULTS if fault.name == "429 + Retry-After")
    times = run(vendor, fault).requests
    assert all(later - earlier >= RETRY_AFTER_S for earlier, later in itertools.pairwise(times))


@pytest.mark.parametrize("first", ["429", "500", "529", "error event", "cut", "early", "reset"])
@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_before_the_first_content_it_recovers(vendor: Vendor, first: str) -> None:
    if first.isdigit():
        broken = vendor.failing(int(first))
    elif first == "error event":
        broken = Script(frames=(*vendor.opening, vendor.error_event))
    else:
        frames = vendor.opening or (b": nothing yet\n\n",)
        broken = Script(frames=frames, ending=first)  # type: ignore[arg-type]
    with Double(broken, vendor.complete("Hello ", "world")) as double:
        outcome = ask(model_of(vendor, double))
    assert outcome.finished.reason == "stop"
    assert outcome.text == "Hello world"
    assert len(outcome.notices("retry")) == 1
    assert len(double.seen) == 2


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_every_place_a_stream_can_end_at(vendor: Vendor) -> None:
    """Only the whole stream is a complete answer, wherever else it ends."""
    frames = vendor.frames("Hello ", "world")
    for length in range(1, len(frames)):
        for ending in ("cut", "early"):
            with Double(Script(frames=frames[:length], ending=ending)) as double:  # type: ignore[arg-type]
                outcome = ask(model_of(vendor, double))
            said_it_finished = b'"finish_reason": "stop"' in b"".join(frames[:length])
            if ending == "early" and said_it_finished:
                continue  # Chat Completions of some servers end without [DONE]: the reason to finish was told
            assert outcome.finished.reason == "failed", (length, ending)
            assert "Hello world".startswith(outcome.text)


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
@pytest.mark.parametrize(
    "junk",
    [
        "not json",
        "[]",
        '"text"',
        "12",
        "{}",
        '{"choices": 5}',
        '{"type": 5}',
        '{"candidates": [{"content": 3}]}',
        "null",
    ],
)
def test_junk_is_not_skipped(vendor: Vendor, junk: str) -> None:
    frames = (*vendor.begun("Hello"), f"data: {junk}\n\n".encode(), *vendor.closing)
    with Double(Script(frames=frames)) as double:
        outcome = ask(model_of(vendor, double))
    assert outcome.finished.reason == "failed"
    assert outcome.finished.error is not None
    assert outcome.finished.error.kind == "stream_malformed"
    assert outcome.text == "Hello"
