"""A hard budget for remote models: the call that could pass it is not made."""

from __future__ import annotations

import threading

from workbench.core.cost import cost_usd
from workbench.core.events import Usage
from workbench.core.models import Prices
from workbench.core.requests import ChatRequest
from workbench.core.runs import RunRecord
from workbench.evaluation.spec import BudgetSpec

CHARACTERS_PER_TOKEN = 3.0
"""On the low side, so that an estimate rather says too much."""
UNKNOWN_ANSWER_TOKENS = 2_000
"""Reserved for an answer without a token limit."""


class Budget:
    def __init__(self, limits: BudgetSpec) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self.usd = 0.0
        """Spent, as far as prices are known."""
        self.tokens = 0
        self.exhausted = False
        self._reserved_usd = 0.0
        self._reserved_tokens = 0

    def reserve(self, request: ChatRequest, prices: Prices | None) -> bool:
        """Whether a call may be made; its likely cost is set aside until `settle`. A budget in money and a model
        without a known price don't go together: then no call is made."""
        usage = estimate(request)
        tokens = (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
        usd = cost_usd(prices, usage)
        with self._lock:
            over_tokens = (
                self._limits.tokens is not None and self.tokens + self._reserved_tokens + tokens > self._limits.tokens
            )
            over_usd = self._limits.usd is not None and (
                usd is None or self.usd + self._reserved_usd + usd > self._limits.usd
            )
            if over_tokens or over_usd:
                self.exhausted = True
                return False
            self._reserved_tokens += tokens
            self._reserved_usd += usd or 0.0
            return True

    def settle(self, request: ChatRequest, prices: Prices | None, run: RunRecord | None) -> None:
        """Put what was really used in place of what was set aside; without a run nothing was."""
        usage = estimate(request)
        with self._lock:
            self._reserved_tokens -= (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
            self._reserved_usd -= cost_usd(prices, usage) or 0.0
            if run is None:
                return
            self.tokens += (run.prompt_tokens or 0) + (run.completion_tokens or 0)
            self.usd += run.cost_usd or 0.0


def estimate(request: ChatRequest) -> Usage:
    """Tokens a request will likely use, rather too many than too few."""
    characters = sum(len(message.text) + len(message.reasoning) for message in request.messages)
    answer = request.sampling.max_tokens
    return Usage(
        prompt_tokens=int(characters / CHARACTERS_PER_TOKEN) + 8 * len(request.messages),
        completion_tokens=UNKNOWN_ANSWER_TOKENS if answer is None else answer,
    )
