"""Word diffs lose nothing and name what changed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workbench.core.word_diff import Piece, similarity, word_diff

text = st.text(st.sampled_from("ab \n.é漢"), max_size=60)


@given(text, text)
def test_both_texts_can_be_rebuilt(first: str, second: str) -> None:
    pieces = word_diff(first, second)
    assert "".join(p.text for p in pieces if p.kind != "added") == first
    assert "".join(p.text for p in pieces if p.kind != "removed") == second
    assert 0 <= similarity(first, second) <= 1


def test_a_changed_word_is_one_piece() -> None:
    assert word_diff("the red fox", "the blue fox") == [
        Piece("same", "the "),
        Piece("removed", "red"),
        Piece("added", "blue"),
        Piece("same", " fox"),
    ]


def test_equal_and_empty_texts() -> None:
    assert word_diff("same text", "same text") == [Piece("same", "same text")]
    assert word_diff("", "") == []
    assert similarity("", "") == 1.0
    assert similarity("abc", "xyz") == 0.0


def test_very_long_texts_are_compared_by_line() -> None:
    line = "word " * 50 + "\n"
    pieces = word_diff(line * 500, line * 499 + "other\n")
    assert [p.kind for p in pieces] == ["same", "removed", "added"]
