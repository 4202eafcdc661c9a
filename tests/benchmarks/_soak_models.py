"""The plugin of the soak, copied into its plugin folder: models that answer at a rate no real one reaches."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

from tests.benchmarks.ui_transcript import answer, tokens_of
from workbench.core.cancel import CancelToken
from workbench.core.events import Finished, RunDetails, StreamEvent, TextDelta, Timings, Usage
from workbench.core.models import ModelInfo, Prices
from workbench.core.requests import ChatRequest
from workbench.hookspecs import hookimpl

COLUMNS = 4
TOKENS = int(os.environ.get("SOAK_TOKENS", "400"))
"""Of an answer."""
TOKENS_PER_S = 1_000
BURST = 20
"""Tokens that come at once."""
TEXTS = 12


class FastModel:
    _texts: tuple[list[str], ...] = ()
    _turn = itertools.count()

    def __init__(self, number: int) -> None:
        self.info = ModelInfo(
            id=f"soak:{number}",
            name=f"Fast {number}",
            provider="soak",
            remote=bool(number % 2),
            context_length=1_000_000,
            prices=Prices(input=1.0, output=2.0),
        )

    def stream(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        if not FastModel._texts:
            FastModel._texts = tuple(tokens_of(answer(seed, TOKENS))[:TOKENS] for seed in range(TEXTS))
        number = next(FastModel._turn)
        tokens = [f"Answer {number}. ", *FastModel._texts[number % TEXTS]]
        yield RunDetails(seed=number, rendered_prompt=request.messages[-1].text, n_ctx=8192)
        for start in range(0, len(tokens), BURST):
            if cancel.wait(BURST / TOKENS_PER_S):
                yield Finished(reason="cancelled")
                return
            for token in tokens[start : start + BURST]:
                yield TextDelta(token)
        yield Usage(prompt_tokens=20, completion_tokens=len(tokens))
        yield Timings(decode_tokens_per_s=TOKENS_PER_S)
        yield Finished(reason="stop")


@hookimpl
def workbench_models() -> list[FastModel]:
    return [FastModel(number) for number in range(COLUMNS)]
