from __future__ import annotations

import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.providers.retry import Backoff, RetryPolicy, parse_retry_after

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": email.utils.formatdate(NOW + 90, usegmt=True)}, 90.0),
        ({"retry-after": email.utils.formatdate(NOW - 90, usegmt=True)}, 0.0),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": "7", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "7", "retry-after-ms": "x"}, 7.0),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert parse_retry_after(headers, NOW) == seconds


def test_waits_grow_up_to_a_limit_and_end() -> None:
    backoff = Backoff(RetryPolicy(attempts=6, base_s=1, max_s=5, random=lambda: 1.0, clock=lambda: 0.0))
    assert [backoff.next_wait_s(None) for _ in range(6)] == [1, 2, 4, 5, 5, None]


def test_a_server_that_asks_for_too_long_is_not_waited_for() -> None:
    backoff = Backoff(RetryPolicy(window_s=300))
    assert backoff.next_wait_s(3600) is None


def test_no_attempt_after_the_window() -> None:
    times = iter([0.0, 299.9])
    backoff = Backoff(RetryPolicy(window_s=300, base_s=1, random=lambda: 1.0, clock=lambda: next(times)))
    assert backoff.next_wait_s(None) is None


def test_time_in_the_queue_does_not_count() -> None:
    now = 0.0
    backoff = Backoff(RetryPolicy(window_s=300, base_s=1, random=lambda: 1.0, clock=lambda: now))
    now = 1000.0
    backoff.begin()
    now = 1100.0
    assert backoff.next_wait_s(None) == 1
    now = 2000.0
    backoff.begin()
    now = 2250.0
    assert backoff.next_wait_s(None) is None


@given(st.floats(0, 100), st.floats(0, 1))
def test_the_servers_wish_is_never_undercut(asked_s: float, chance: float) -> None:
    wait = Backoff(RetryPolicy(random=lambda: chance)).next_wait_s(asked_s)
    assert wait is not None
    assert asked_s <= wait <= asked_s * 1.1 + 1e-9
