"""Runs take turns: order, cancel while waiting, preparation once a wave."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from workbench.core.cancel import CancelToken
from workbench.services.turns import Turns, plan_waves


def start(turns: Turns, wave: int, log: list, token: CancelToken, hold: threading.Event | None = None):
    def work() -> None:
        with turns.turn(wave, token) as mine:
            log.append((wave, mine))
            if hold:
                hold.wait(5)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_a_wave_waits_for_all_of_the_one_before() -> None:
    prepared: list[int] = []
    turns, log, hold = Turns([2, 1], prepared.append), [], threading.Event()
    late = start(turns, 1, log, CancelToken())
    early = [start(turns, 0, log, CancelToken(), hold) for _ in range(2)]
    hold.set()
    for thread in (*early, late):
        thread.join(5)
    assert [wave for wave, _ in log] == [0, 0, 1]
    assert prepared == [0, 1]
    assert turns.current == 2


def test_cancel_while_waiting_returns_at_once_and_blocks_nobody() -> None:
    turns, log, hold = Turns([1, 1, 1]), [], threading.Event()
    token = CancelToken()
    first = start(turns, 0, log, CancelToken(), hold)
    waiting = start(turns, 1, log, token)
    token.cancel()
    waiting.join(5)
    assert (1, False) in log
    assert turns.current == 0
    hold.set()
    third = start(turns, 2, log, CancelToken())
    for thread in (first, third):
        thread.join(5)
    assert log[-1] == (2, True)


@given(st.lists(st.integers(0, 100), max_size=8), st.integers(0, 150))
def test_no_wave_holds_more_than_fits_unless_it_is_alone(sizes: list[int], free: int) -> None:
    waves = plan_waves(list(enumerate(sizes)), free)
    for wave in set(waves.values()):
        members = [sizes[key] for key, its in waves.items() if its == wave]
        assert sum(members) <= free or len(members) == 1
    assert sorted(waves.values()) == [waves[key] for key in range(len(sizes))]


def test_one_by_one_gives_each_group_its_own_wave() -> None:
    assert plan_waves([("a", 1), ("b", 1), ("c", 1)], 100, one_by_one=True) == {"a": 0, "b": 1, "c": 2}
    assert plan_waves([("a", 1), ("b", 1), ("c", 1)], 100) == {"a": 0, "b": 0, "c": 0}
