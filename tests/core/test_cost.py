from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.core.cost import cost_usd
from workbench.core.events import Usage
from workbench.core.models import Prices

PRICES = Prices(input=2.0, output=10.0, cached_input=0.5, cache_write=2.5)


def usage(prompt: int | None, completion: int | None, **fields: int) -> Usage:
    return Usage(prompt_tokens=prompt, completion_tokens=completion, **fields)


@pytest.mark.parametrize(
    ("used", "dollars"),
    [
        (usage(1_000_000, 0), 2.0),
        (usage(0, 1_000_000), 10.0),
        (usage(0, 0), 0.0),
        (usage(1_000_000, 100_000, cached_tokens=400_000), 0.6 * 2 + 0.4 * 0.5 + 1.0),
        (usage(1_000_000, 0, cached_tokens=400_000, cache_write_tokens=500_000), 0.1 * 2 + 0.4 * 0.5 + 0.5 * 2.5),
        (usage(0, 1_000_000, reasoning_tokens=900_000), 10.0),
    ],
)
def test_cost_of_real_usage(used: Usage, dollars: float) -> None:
    assert cost_usd(PRICES, used) == pytest.approx(dollars)


@pytest.mark.parametrize(
    ("prices", "used"),
    [
        (None, usage(1, 1)),
        (PRICES, None),
        (PRICES, usage(None, 1)),
        (PRICES, usage(1, None)),
        (Prices(), usage(1, 1)),
        (Prices(input=1), usage(1, 1)),
        (Prices(input=1, output=1), usage(10, 1, cached_tokens=5)),
        (Prices(input=1, output=1), usage(10, 1, cache_write_tokens=5)),
        (Prices(input=1, output=1, max_prompt_tokens=100), usage(101, 1)),
    ],
)
def test_unknown_is_none_and_never_zero(prices: Prices | None, used: Usage | None) -> None:
    assert cost_usd(prices, used) is None


def test_a_price_that_is_not_needed_may_be_unknown() -> None:
    assert cost_usd(Prices(input=1.0), usage(1_000_000, 0)) == 1.0
    assert cost_usd(Prices(input=1.0, output=1.0), usage(1_000_000, 0, cached_tokens=0)) == 1.0


def test_free_is_zero() -> None:
    assert cost_usd(Prices(input=0.0, output=0.0), usage(10, 10)) == 0.0


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7))
def test_cost_is_never_negative_nor_above_the_full_price(prompt: int, cached: int, completion: int) -> None:
    cost = cost_usd(PRICES, usage(prompt, completion, cached_tokens=min(cached, prompt)))
    assert cost is not None
    assert 0 <= cost <= (prompt * 2.0 + completion * 10.0) / 1e6 + 1e-9
