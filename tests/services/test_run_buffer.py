"""The buffer between a run's thread and those who show it."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from workbench.core.events import Finished, PromptProgress, Usage
from workbench.services.run_buffer import Cursor, RunBuffer


def test_nothing_new() -> None:
    buffer = RunBuffer()
    delta = buffer.read(Cursor())
    assert not delta.changed
    buffer.add_text("a", 1.0)
    delta = buffer.read(delta.cursor)
    assert (delta.changed, delta.text) == (True, "a")
    assert not buffer.read(delta.cursor).changed


def test_states() -> None:
    buffer = RunBuffer()
    states = []

    def look() -> None:
        states.append(buffer.read(Cursor()).state)

    buffer.set_loading(0.5)
    look()
    buffer.set_progress(PromptProgress(evaluated=1, total=2))
    look()
    buffer.add_reasoning("hm", 1.0)
    look()
    buffer.add_text("a", 2.0)
    look()
    buffer.finish(Finished(reason="stop"))
    look()
    assert states == ["loading", "prompt", "reasoning", "answering", "finished"]
    delta = buffer.read(Cursor())
    assert (delta.load_fraction, delta.progress, delta.finished) == (
        0.5,
        PromptProgress(evaluated=1, total=2),
        Finished(reason="stop"),
    )


def test_speed_and_usage() -> None:
    buffer = RunBuffer()
    buffer.add_text("a", 10.0)
    assert buffer.read(Cursor()).decode_tokens_per_s is None
    for number in range(10):
        buffer.add_text("b", 10.1 + number / 10)
    buffer.set_usage(Usage(completion_tokens=11))
    buffer.set_first_token(0.25)
    delta = buffer.read(Cursor())
    assert delta.pieces == 11
    assert delta.decode_tokens_per_s is not None and abs(delta.decode_tokens_per_s - 10) < 1e-6
    assert (delta.usage, delta.time_to_first_token_s) == (Usage(completion_tokens=11), 0.25)


@given(st.lists(st.tuples(st.sampled_from(["text", "reasoning", "notice", "read"]), st.text(max_size=5)), max_size=60))
def test_readers_get_everything_once_and_in_order(steps: list[tuple[str, str]]) -> None:
    buffer = RunBuffer()
    cursor, text, reasoning, notices = Cursor(), "", "", []
    for kind, value in [*steps, ("read", "")]:
        if kind == "text":
            buffer.add_text(value, 1.0)
        elif kind == "reasoning":
            buffer.add_reasoning(value, 1.0)
        elif kind == "notice":
            buffer.add_notice(value)
        else:
            delta = buffer.read(cursor)
            cursor, text, reasoning = delta.cursor, text + delta.text, reasoning + delta.reasoning
            notices += delta.notices
    assert text == buffer.text == "".join(value for kind, value in steps if kind == "text")
    assert reasoning == buffer.reasoning == "".join(value for kind, value in steps if kind == "reasoning")
    assert notices == [value for kind, value in steps if kind == "notice"]


def test_two_threads() -> None:
    buffer = RunBuffer()
    expected = [f"{number} " for number in range(20_000)]

    def write() -> None:
        for piece in expected:
            buffer.add_text(piece, 1.0)
        buffer.finish(Finished(reason="stop"))

    writer = threading.Thread(target=write)
    writer.start()
    cursor, pieces, finished = Cursor(), [], None
    while finished is None:
        delta = buffer.read(cursor)
        cursor, finished = delta.cursor, delta.finished
        pieces.append(delta.text)
    writer.join()
    assert "".join(pieces) == "".join(expected)
