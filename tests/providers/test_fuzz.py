"""Streams with one value replaced by something else: never a crash, never an answer that wasn't given."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.providers import rich_streams as rich
from tests.providers.doubles import ANTHROPIC, CHAT, GEMINI, RESPONSES, VENDORS, Vendor
from tests.providers.support import model
from workbench.core.events import Finished, TextDelta
from workbench.providers.errors import ApiError

FRAMES = {
    CHAT.name: rich.CHAT_RICH,
    RESPONSES.name: rich.RESPONSES_RICH,
    ANTHROPIC.name: rich.ANTHROPIC_RICH,
    GEMINI.name: rich.GEMINI_RICH,
}
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.just([]),
    st.just({}),
    st.just([None]),
    st.just({"type": "text", "text": 3}),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, dict):
        found += [place for key, item in value.items() for place in places(item, (*path, key))]
    elif isinstance(value, list):
        found += [place for index, item in enumerate(value) for place in places(item, (*path, index))]
    return found


def replaced(value: Any, path: tuple[Any, ...], junk: Any) -> Any:
    if not path:
        return junk
    value = copy.deepcopy(value)
    target = value
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = junk
    return value


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
@given(st.data())
@settings(max_examples=150, deadline=None)
def test_one_wrong_value(vendor: Vendor, data: st.DataObject) -> None:
    texts = [frame.decode().rpartition("data: ")[2].strip() for frame in FRAMES[vendor.name]]
    number = data.draw(st.integers(0, len(texts) - 1))
    if texts[number] != "[DONE]":
        chunk = json.loads(texts[number])
        path = data.draw(st.sampled_from(places(chunk)))
        texts[number] = json.dumps(replaced(chunk, path, data.draw(JUNK)))
    decoder = model(vendor.kind, "http://127.0.0.1:1", **vendor.options)._adapter.decoder()
    events = []
    try:
        for text in texts:
            events += list(decoder.feed(text))
            if decoder.ended:
                break
        events += list(decoder.finish())
    except (ApiError, ValueError, msgspec.DecodeError):
        return
    for event in events:
        msgspec.json.encode(event)
        if isinstance(event, TextDelta):
            assert isinstance(event.text, str)
    assert sum(isinstance(event, Finished) for event in events) <= 1
    # Every event is of the types it declares: it goes into the store and must come back.
    for event in events:
        msgspec.convert(msgspec.to_builtins(event), type(event))


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_text(vendor: Vendor, text: str) -> None:
    decoder = model(vendor.kind, "http://127.0.0.1:1", **vendor.options)._adapter.decoder()
    try:
        list(decoder.feed(text))
    except (ApiError, ValueError, msgspec.DecodeError):
        return
    assert not list(decoder.finish())
