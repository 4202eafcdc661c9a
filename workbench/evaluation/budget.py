"""A hard budget for remote models: the call that could pass it is not made."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import msgspec

from workbench.core.cost import cost_usd
from workbench.core.events import Usage
from workbench.core.messages import AudioPart, ImagePart, Part
from workbench.core.models import Prices
from workbench.core.requests import ChatRequest, Reasoning
from workbench.core.runs import RunRecord
from workbench.evaluation.spec import BudgetSpec

BYTES_PER_TOKEN = 3.0
"""Of UTF-8, on the low side, so that an estimate rather says too much: a Chinese character is a token, not a third."""
MEDIA_TOKENS = 2_000
"""Of one image or sound; services count 85 to about 1,600 for an image."""
UNKNOWN_ANSWER_TOKENS = 4_096
"""Of an answer without a token limit: its limit under a budget, and its estimate. The least that every service's models
accept; a model's own limit is not known."""
THINKING_TOKENS = {"minimal": 4_096, "low": 8_192, "medium": 16_384}
"""Added for the thinking that an effort asks for, which services count inside an answer's limit: at least twice what
they are told to spend on it."""
MOST_THINKING_TOKENS = 32_000 - UNKNOWN_ANSWER_TOKENS
"""Of any other effort, or of thinking that is only switched on. Models that think accept limits of 32,000 and more."""


class Budget:
    def __init__(self, limits: BudgetSpec) -> None:
        self._limits = limits
        self._lock = threading.Condition()
        self.usd = 0.0
        """Spent, as far as prices are known."""
        self.tokens = 0
        self.exhausted = False
        self._reserved_usd = 0.0
        self._reserved_tokens = 0
        self._under_way = 0

    def bounded(self, request: ChatRequest) -> ChatRequest:
        """The request with a limit to its answer: without one, what is set aside would be no more than a guess. The
        same for all answers, whatever is left, so that none is shorter for being asked late."""
        if request.sampling.max_tokens is not None or not limits_answers(self._limits):
            return request
        sampling = msgspec.structs.replace(request.sampling, max_tokens=answer_room(request.reasoning))
        return msgspec.structs.replace(request, sampling=sampling)

    def reserve(self, request: ChatRequest, prices: Prices | None) -> bool:
        """Whether a call may be made; its likely cost is set aside until `settle`, which has to follow. Where it does
        not fit beside what is set aside, it waits for what those calls really take. A budget in money and a model
        without a known price don't go together: then no call is made."""
        usage = estimate(request)
        tokens = (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
        usd = cost_usd(prices, usage)
        with self._lock:
            while not self._fits(tokens, usd):
                if not self._under_way:
                    self.exhausted = True
                if self.exhausted:
                    return False
                self._lock.wait()
            self._under_way += 1
            self._reserved_tokens += tokens
            self._reserved_usd += usd or 0.0
            return True

    def _fits(self, tokens: int, usd: float | None) -> bool:
        limits = self._limits
        if limits.tokens is not None and self.tokens + self._reserved_tokens + tokens > limits.tokens:
            return False
        return limits.usd is None or (usd is not None and self.usd + self._reserved_usd + usd <= limits.usd)

    def settle(self, request: ChatRequest, prices: Prices | None, run: RunRecord | None) -> None:
        """Put what was really used in place of what was set aside; without a run nothing was."""
        usage = estimate(request)
        tokens = (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
        usd = cost_usd(prices, usage) or 0.0
        with self._lock:
            self._lock.notify_all()
            self._under_way -= 1
            self._reserved_tokens -= tokens
            self._reserved_usd -= usd
            if run is None or (refused(run) and run.prompt_tokens is None):
                return
            if run.prompt_tokens is None or run.completion_tokens is None:
                self.tokens += tokens
            else:
                self.tokens += run.prompt_tokens + run.completion_tokens
            self.usd += usd if run.cost_usd is None else run.cost_usd

    def resume(self, used: Iterable[tuple[int | None, float | None]]) -> None:
        """Count the (tokens, dollars) of earlier sessions' calls. One that does not tell what it used (its service
        does not say, or it was killed) counts as much as the largest that does."""
        calls = list(used)
        most = max((tokens for tokens, _ in calls if tokens is not None), default=UNKNOWN_ANSWER_TOKENS)
        dearest = max((usd for _, usd in calls if usd is not None), default=0.0)
        with self._lock:
            self.tokens += sum(most if tokens is None else tokens for tokens, _ in calls)
            self.usd += sum(dearest if usd is None else usd for _, usd in calls)


def limits_answers(limits: BudgetSpec) -> bool:
    """Whether answers without a token limit get one, so that the budget holds."""
    return limits.usd is not None or limits.tokens is not None


def refused(run: RunRecord) -> bool:
    """The service failed before it said anything, which none of them charges for."""
    return run.status == "failed" and not run.text and not run.reasoning


def estimate(request: ChatRequest) -> Usage:
    """Tokens a request will likely use, rather too many than too few."""
    tokens = sum(_part_tokens(part) for message in request.messages for part in message.parts)
    answer = request.sampling.max_tokens
    if answer is None:
        answer = answer_room(request.reasoning)
    return Usage(prompt_tokens=tokens + 8 * len(request.messages), completion_tokens=answer)


def answer_room(reasoning: Reasoning) -> int:
    """Tokens for an answer without a limit of its own: for the text, and for the thinking that is asked for."""
    if reasoning.budget_tokens is not None:
        return UNKNOWN_ANSWER_TOKENS + reasoning.budget_tokens
    if reasoning.enabled is False or reasoning.effort == "none" or not (reasoning.enabled or reasoning.effort):
        return UNKNOWN_ANSWER_TOKENS
    return UNKNOWN_ANSWER_TOKENS + THINKING_TOKENS.get(reasoning.effort or "", MOST_THINKING_TOKENS)


def text_tokens(text: str) -> int:
    return int(len(text.encode(errors="replace")) / BYTES_PER_TOKEN)


def _part_tokens(part: Part) -> int:
    if isinstance(part, ImagePart | AudioPart):
        return MEDIA_TOKENS
    return sum(text_tokens(str(getattr(part, name, ""))) for name in ("text", "arguments", "content"))
