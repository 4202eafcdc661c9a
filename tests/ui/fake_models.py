"""A drop-in plugin with models that do exactly what a test of the window needs. Copied into the plugin folder."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.core.cancel import CancelToken
from workbench.core.errors import ContextOverflow, EngineDied, TemplateError
from workbench.core.events import (
    Finished,
    PromptProgress,
    ReasoningDelta,
    RunDetails,
    StreamEvent,
    TextDelta,
    Timings,
    Usage,
)
from workbench.core.models import ModelInfo, Prices
from workbench.core.requests import ChatRequest
from workbench.hookspecs import hookimpl

MARKDOWN = """## Attention in short

Each token compares its **query** with every key and mixes the values:

$$\\mathrm{softmax}\\left(\\frac{QK^\\top}{\\sqrt{d_k}}\\right)V$$

```python
def attention(q, k, v):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
    return scores.softmax(dim=-1) @ v
```

| Variant | KV heads | Cache |
|---|---:|---:|
| MHA | 32 | 100 % |
| GQA | 8 | 25 % |

- Cost grows with the square of the length.
- `n_ctx` bounds the cache, not the weights.
"""


class FakeModel:
    def __init__(self, name: str, title: str, *, remote: bool = False, prices: Prices | None = None) -> None:
        self._kind = name
        self.info = ModelInfo(
            id=f"fake:{name}",
            name=title,
            provider="fake" if remote else "local",
            remote=remote,
            context_length=8192,
            quantization="" if remote else "Q4_K_M",
            size_bytes=None if remote else 4_920_000_000,
            parameters=None if remote else 8_000_000_000,
            prices=prices,
        )

    def stream(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        prompt = "\n".join(f"<|{message.role}|>{message.text}" for message in request.messages)
        yield RunDetails(
            seed=7, rendered_prompt=prompt, n_ctx=8192, quantization="Q4_K_M", sampling={"temperature": 0.8}
        )
        yield PromptProgress(evaluated=20, total=20)
        yield from getattr(self, f"_{self._kind}")(request, cancel)

    def _echo(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        """Says what it was asked, with a count of the messages it saw."""
        text = f"{len(request.messages)}: {request.messages[-1].text}"
        if request.continue_last:
            text = " and on"
        for word in text.split(" "):
            yield TextDelta(word + " ")
        yield from _end(prompt_tokens=20, completion_tokens=len(text.split()))

    _other = _echo

    def _remote(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        yield ReasoningDelta("The user wants to know how attention works. I will be brief.")
        yield TextDelta(MARKDOWN)
        yield from _end(prompt_tokens=38, completion_tokens=212)

    def _empty(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        yield TextDelta(" ")
        yield from _end(prompt_tokens=20, completion_tokens=1)

    def _slow(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        """Goes on until it is stopped."""
        count = 0
        while not cancel.wait(0.02):
            count += 1
            yield TextDelta(f"word{count} ")
        yield Usage(prompt_tokens=5, completion_tokens=count)
        yield Finished(reason="cancelled")

    def _overflow(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        if request.overflow == "drop_oldest":
            yield TextDelta("It fits now.")
            yield Finished(reason="stop")
        else:
            yield Finished(reason="failed", error=ContextOverflow(prompt_tokens=9000, n_ctx=8192).info)

    def _template(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        if request.chat_template:
            yield TextDelta("Rendered with the plain template.")
            yield Finished(reason="stop")
        else:
            error = TemplateError("The chat template failed in line 3: 'x' is undefined.", hint="Use a plain template.")
            yield Finished(reason="failed", error=error.info)

    def _dies(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        yield TextDelta("Half an ans")
        error = EngineDied("The engine ended: out of memory.", hint="Use a smaller context.", detail="log line")
        yield Finished(reason="failed", error=error.info)


def _end(*, prompt_tokens: int, completion_tokens: int) -> Iterator[StreamEvent]:
    yield Usage(prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)
    yield Timings(decode_tokens_per_s=41.2)
    yield Finished(reason="stop")


PRICES = Prices(input=3.0, output=15.0)
MODELS = [
    FakeModel("echo", "Echo 8B"),
    FakeModel("other", "Other 3B"),
    FakeModel("slow", "Slow 8B"),
    FakeModel("overflow", "Overflowing 8B"),
    FakeModel("template", "Templateless 8B"),
    FakeModel("dies", "Dying 8B"),
    FakeModel("empty", "Silent 1B"),
    FakeModel("remote", "Large 4", remote=True, prices=PRICES),
]


@hookimpl
def workbench_models() -> list[FakeModel]:
    return MODELS
