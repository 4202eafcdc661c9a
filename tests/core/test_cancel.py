from __future__ import annotations

import threading
from functools import partial

from workbench.core.cancel import CancelToken


def test_callbacks_run_once_on_cancel() -> None:
    token, calls = CancelToken(), []
    token.on_cancel(lambda: calls.append("a"))
    token.cancel()
    token.cancel()
    assert calls == ["a"]
    assert token.cancelled


def test_a_late_callback_runs_at_once() -> None:
    token, calls = CancelToken(), []
    token.cancel()
    token.on_cancel(lambda: calls.append("late"))
    assert calls == ["late"]


def test_a_callback_can_be_taken_back() -> None:
    token, calls = CancelToken(), []
    take_back = token.on_cancel(lambda: calls.append("a"))
    take_back()
    take_back()
    token.cancel()
    assert calls == []


def test_wait_ends_at_cancel_from_another_thread() -> None:
    token = CancelToken()
    assert not token.wait(0)
    thread = threading.Thread(target=token.cancel)
    thread.start()
    assert token.wait(10)
    thread.join()


def test_every_registration_is_called_whichever_side_is_first() -> None:
    for _ in range(50):
        token = CancelToken()
        calls: list[int] = []
        canceller = threading.Thread(target=token.cancel)
        canceller.start()
        for number in range(20):
            token.on_cancel(partial(calls.append, number))
        canceller.join()
        assert sorted(calls) == list(range(20))
