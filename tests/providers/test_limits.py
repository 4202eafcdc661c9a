from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from tests.providers.doubles import CHAT, Double, Script, sse
from tests.providers.support import ask, model_of
from workbench.core.cancel import CancelToken
from workbench.core.errors import Cancelled
from workbench.providers.limits import AdaptiveLimit, limit_for


def test_one_refusal_halves_and_a_burst_of_them_too() -> None:
    limit = AdaptiveLimit(start=8)
    with ExitStack() as stack:
        slots = [stack.enter_context(limit.slot(CancelToken())) for _ in range(4)]
        for slot in slots:
            slot.rate_limited()
    assert limit.limit == 4
    with limit.slot(CancelToken()) as later:
        later.rate_limited()
    assert limit.limit == 2


def test_it_never_falls_below_one_and_grows_slowly() -> None:
    limit = AdaptiveLimit(start=2, maximum=4)
    for _ in range(5):
        with limit.slot(CancelToken()) as slot:
            slot.rate_limited()
    assert limit.limit == 1
    successes = 0
    while limit.limit < 4:
        with limit.slot(CancelToken()) as slot:
            slot.succeeded()
        successes += 1
    assert successes > 4
    with limit.slot(CancelToken()) as slot:
        slot.succeeded()
    assert limit.limit == 4


def test_waiting_ends_when_a_place_is_free_or_by_cancel() -> None:
    limit = AdaptiveLimit(start=1)
    entered = threading.Event()
    cancel = CancelToken()
    cancelled: list[bool] = []

    def wait_for_a_place() -> None:
        with limit.slot(CancelToken()):
            entered.set()

    def wait_and_give_up() -> None:
        with pytest.raises(Cancelled), limit.slot(cancel):
            pass
        cancelled.append(True)

    with limit.slot(CancelToken()):
        threads = [threading.Thread(target=wait_for_a_place), threading.Thread(target=wait_and_give_up)]
        for thread in threads:
            thread.start()
        cancel.cancel()
        threads[1].join(5)
        assert cancelled == [True]
        assert not entered.is_set()
    threads[0].join(5)
    assert entered.is_set()
    assert limit.running == 0


def test_a_rate_limited_service_gets_fewer_requests_at_once() -> None:
    with Double(CHAT.failing(429), CHAT.failing(429), CHAT.complete("Hello")) as double:
        asked = model_of(CHAT, double)
        assert ask(asked).text == "Hello"
        limit = limit_for("openai", double.url + "/v1")
        assert limit.limit == 2  # 8, halved twice, and one success
        assert limit.running == 0
        assert limit is model_of(CHAT, double, model_name="another")._service.limit


def test_too_many_requests_told_inside_the_stream_count_as_well() -> None:
    refusal = sse({"error": {"message": "slow down", "code": "rate_limit_exceeded"}})
    with Double(Script(frames=(refusal,)), CHAT.complete("Hello")) as double:
        assert ask(model_of(CHAT, double)).text == "Hello"
        assert limit_for("openai", double.url + "/v1").limit == 4


def test_every_way_out_gives_the_place_back() -> None:
    with Double(CHAT.failing(401)) as double:
        for _ in range(20):
            assert ask(model_of(CHAT, double)).finished.reason == "failed"
        assert limit_for("openai", double.url + "/v1").running == 0
