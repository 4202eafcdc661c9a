"""Reasoning that a server leaves in the answer's text, between tags, is told apart as with models of our own engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from workbench.core.errors import WorkbenchError
from workbench.core.events import Finished, StreamEvent, TextDelta
from workbench.core.reasoning import ReasoningSplitter
from workbench.core.requests import ChatRequest


def split_reasoning(events: Iterable[StreamEvent], request: ChatRequest) -> Iterator[StreamEvent]:
    """The events, with tagged reasoning taken out of the text. Text without tags passes unchanged.

    What is held back because it might become a tag comes before the end, also where that is an error.
    """
    last = request.messages[-1] if request.continue_last and request.messages else None
    splitter = ReasoningSplitter("", continued=last if last is not None and last.role == "assistant" else None)
    try:
        for event in events:
            if isinstance(event, TextDelta):
                yield from splitter.feed(event.text)
                continue
            if isinstance(event, Finished):
                yield from splitter.finish()
            yield event
    except WorkbenchError:
        yield from splitter.finish()
        raise
