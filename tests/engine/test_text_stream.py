"""TextStream against a slow, obvious oracle, whatever the pieces' borders."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.engine.text_stream import TextStream

ALPHABET = "abé€🙂\n"
texts = st.text(ALPHABET, max_size=60)
stops = st.lists(st.text(ALPHABET, max_size=5), max_size=4).map(tuple)
cuts = st.lists(st.integers(0, 240), max_size=30)


def pieces(data: bytes, borders: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(border % (len(data) + 1) for border in borders)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def oracle(text: str, stop: tuple[str, ...]) -> tuple[str, str | None]:
    for end in range(1, len(text) + 1):
        complete = [s for s in stop if s and text[:end].endswith(s)]
        if complete:
            longest = max(complete, key=len)
            return text[: end - len(longest)], longest
    return text, None


@settings(deadline=None)
@given(texts, stops, cuts)
def test_agrees_with_the_oracle(text: str, stop: tuple[str, ...], borders: list[int]) -> None:
    stream = TextStream(stop)
    got = "".join(stream.feed(piece) for piece in pieces(text.encode(), borders)) + stream.finish()
    assert (got, stream.stopped_by) == oracle(text, stop)


@settings(deadline=None)
@given(st.binary(max_size=80), cuts)
def test_any_bytes_decode_as_if_whole(data: bytes, borders: list[int]) -> None:
    stream = TextStream(())
    got = "".join(stream.feed(piece) for piece in pieces(data, borders)) + stream.finish()
    assert got == data.decode("utf-8", "replace")


@settings(deadline=None)
@given(texts, stops, cuts)
def test_text_is_held_back_only_while_it_may_become_a_stop_string(
    text: str, stop: tuple[str, ...], borders: list[int]
) -> None:
    stream = TextStream(stop)
    emitted, fed = "", b""
    for piece in pieces(text.encode(), borders):
        fed += piece
        emitted += stream.feed(piece)
        if stream.stopped_by is not None:
            return
        held = fed.decode("utf-8", "ignore").removeprefix(emitted)
        assert not held or any(s.startswith(held) for s in stop)


def test_releases_at_once_what_cannot_become_a_stop_string() -> None:
    stream = TextStream(("</s>", "<end>"))
    assert stream.feed(b"one <") == "one "
    assert stream.feed(b"e") == ""
    assert stream.feed(b"x") == "<ex"
    assert stream.feed(b" </") == " "
    assert stream.feed(b"s> never seen") == ""
    assert stream.stopped_by == "</s>"
    assert stream.feed(b"more") == ""
    assert stream.finish() == ""


def test_returns_what_came_before_the_stop_string_in_the_same_piece() -> None:
    stream = TextStream(("STOP",))
    assert stream.feed(b"abcSTOPdef") == "abc"
    assert stream.stopped_by == "STOP"


def test_a_shorter_stop_string_inside_a_longer_one_wins_when_complete_first() -> None:
    stream = TextStream(("abcd", "bc"))
    assert stream.feed(b"xab") == "x"
    assert stream.feed(b"c") == "a"
    assert stream.stopped_by == "bc"


def test_a_character_is_emitted_when_its_last_byte_arrives() -> None:
    stream = TextStream(())
    smile = "🙂".encode()
    assert [stream.feed(smile[i : i + 1]) for i in range(4)] == ["", "", "", "🙂"]


def test_half_a_character_at_the_end_becomes_a_replacement_character() -> None:
    stream = TextStream(())
    assert stream.feed(b"ok \xf0\x9f") == "ok "
    assert stream.finish() == "\ufffd"


@pytest.mark.parametrize("size", [1, 7])
def test_work_is_linear_on_the_worst_pattern(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """`aaaa…b` is the pattern that makes a naive search quadratic: count comparisons, not seconds."""
    compared = 0

    class Counting(str):
        def __getitem__(self, index: object) -> str:  # type: ignore[override]
            nonlocal compared
            compared += 1
            return super().__getitem__(index)  # type: ignore[index]

    length = 20_000
    stream = TextStream(("a" * 2_000 + "b",))
    for matcher in stream._stops:
        matcher.pattern = Counting(matcher.pattern)
    text = ("a" * 1_999 + "c") * (length // 2_000)
    for start in range(0, length, size):
        stream.feed(text[start : start + size].encode())
    assert compared <= 4 * length
