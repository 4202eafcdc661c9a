"""From what a user types to a query of the full-text index. No input is a syntax error."""

from __future__ import annotations

import re
import unicodedata

import msgspec

from workbench.store.records import clean

SHORTEST_PREFIX = 2
"""A single letter is looked up as a word: as a beginning it would match nearly everything, slowly."""

_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Scripts written without spaces: a run of them is one long word to the index."""


class TextQuery(msgspec.Struct, frozen=True):
    match: str = ""
    """For `MATCH`; empty if the index can't answer."""
    like: tuple[str, ...] = ()
    """Patterns for `LIKE … ESCAPE '\\'`, all of which must fit."""

    def __bool__(self) -> bool:
        return bool(self.match or self.like)


def text_query(typed: str) -> TextQuery:
    """All words must occur, in any order, each as the beginning of a word. Quotes make a phrase."""
    typed = clean(typed).replace("\x00", " ")
    match: list[str] = []
    like: list[str] = []
    for phrase, word in re.findall(r'"([^"]*)"|([^\s"]+)', typed):
        text = phrase or word
        if _UNSPACED.search(text):
            like.append(f"%{_escaped(text)}%")
        elif letters := sum(map(_is_token, text)):
            prefix = "" if phrase or letters < SHORTEST_PREFIX else "*"
            match.append(f'"{text}"{prefix}')
        elif text.strip():
            like.append(f"%{_escaped(text)}%")
    return TextQuery(" ".join(match), tuple(like))


def _is_token(character: str) -> bool:
    """Whether unicode61 takes the character as part of a word."""
    return unicodedata.category(character)[0] in "LN" or unicodedata.category(character) == "Co"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
