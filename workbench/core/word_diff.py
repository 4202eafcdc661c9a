"""Two texts compared word by word, for showing what differs between two answers."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Literal

import msgspec

WORDS = re.compile(r"\s+|\w+|[^\w\s]")
MAX_WORDS = 20_000
"""Beyond this the comparison would take seconds; longer texts are compared line by line."""


class Piece(msgspec.Struct, frozen=True):
    """A stretch of text that is in both, in the first only (removed) or in the second only (added)."""

    kind: Literal["same", "removed", "added"]
    text: str


def word_diff(first: str, second: str) -> list[Piece]:
    """Pieces in reading order. Joining all but the added ones gives `first`, all but the removed ones `second`."""
    ours, theirs = _tokens(first), _tokens(second)
    pieces: list[Piece] = []
    matcher = SequenceMatcher(None, ours, theirs, autojunk=len(ours) + len(theirs) > 4_000)
    for kind, i0, i1, j0, j1 in matcher.get_opcodes():
        if kind == "equal":
            _add(pieces, "same", ours[i0:i1])
        else:
            _add(pieces, "removed", ours[i0:i1])
            _add(pieces, "added", theirs[j0:j1])
    return pieces


def similarity(first: str, second: str) -> float:
    """Share of words the two texts have in common, in order: 0 to 1."""
    pieces = word_diff(first, second)
    same = sum(len(p.text) for p in pieces if p.kind == "same")
    total = len(first) + len(second)
    return 2 * same / total if total else 1.0


def _tokens(text: str) -> list[str]:
    words: list[str] = WORDS.findall(text)
    return words if len(words) <= MAX_WORDS else text.splitlines(keepends=True)


def _add(pieces: list[Piece], kind: Literal["same", "removed", "added"], tokens: list[str]) -> None:
    if tokens:
        pieces.append(Piece(kind, "".join(tokens)))
