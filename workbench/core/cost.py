"""What an answer cost, from the tokens that were really used."""

from __future__ import annotations

from workbench.core.events import Usage
from workbench.core.models import Prices

TOKENS_PER_PRICE = 1_000_000


def cost_usd(prices: Prices | None, usage: Usage | None) -> float | None:
    """US dollars for one answer. None: unknown, because a token count or a price that is needed for it is unknown.

    Cached and cache-write tokens are part of the prompt's tokens and are charged at their own prices; reasoning
    tokens are part of the completion's and are charged like them.
    """
    if prices is None or usage is None or usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    if prices.max_prompt_tokens is not None and usage.prompt_tokens > prices.max_prompt_tokens:
        return None
    cached = usage.cached_tokens or 0
    written = usage.cache_write_tokens or 0
    plain = max(0, usage.prompt_tokens - cached - written)
    total = 0.0
    for tokens, price in (
        (plain, prices.input),
        (cached, prices.cached_input),
        (written, prices.cache_write),
        (usage.completion_tokens, prices.output),
    ):
        if tokens == 0:
            continue
        if price is None:
            return None
        total += tokens * price
    return total / TOKENS_PER_PRICE
