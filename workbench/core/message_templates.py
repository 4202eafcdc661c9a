"""Finds the translation of a sentence whose values are filled in already.

Errors are made in English far below the window and stand so in run rows, logs and exports. Their templates are in the
catalogue ("The file {path} can't be read: {reason}."); a sentence that fits one is shown in the user's language with
its own values. Only made when the first such text is shown in another language than English.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from workbench.core.tr import CONTEXT, MESSAGE

PLACE = re.compile(r"\{(\w+)\}")
SENTENCE_END = re.compile(r"(?<=[.!?;:])\s+")
NEXT_SENTENCE = re.compile(r"[.!?]\s+[A-Z]")
LEAST_LETTERS = 5
"""A template with fewer letters of its own would fit too much."""
DEEPEST = 3
"""Errors quote errors: values are translated too, to this depth."""
LONGEST = 4000
"""Characters; what is longer is no sentence of ours."""
MOST_ENDS = 12
"""Places at which a first sentence is thought to end; text from elsewhere may have thousands."""


class Texts(Protocol):
    """What is needed of a catalogue."""

    def find(self, key: str) -> str | None: ...

    def keys(self, context: str) -> Iterable[str]: ...


@dataclass(frozen=True)
class Template:
    text: str
    names: tuple[str, ...]
    pieces: tuple[str, ...]
    """Its own words: before the first value, between the values, after the last."""
    letters: int

    def values(self, text: str) -> dict[str, str] | None:
        """What stands in its places if the text fits, each value as short as can be; None if it doesn't.

        Takes time in proportion to the text, whatever that is (a regular expression with seven places does not):
        where a template fits, it also fits with each of its words at the first place it is found.
        """
        begin, *between, end = self.pieces
        if not (text.startswith(begin) and text.endswith(end)):
            return None
        found: dict[str, str] = {}
        at, last = len(begin), len(text) - len(end)
        for name, words in zip(self.names, [*between, None], strict=True):
            until = last if words is None else text.find(words, at + 1, last)
            if until <= at or found.setdefault(name, text[at:until]) != text[at:until]:
                return None
            at = until + len(words or "")
        return found


def _plain(text: str) -> str:
    return text.replace("{{", "{").replace("}}", "}")


def _template(text: str) -> Template | None:
    places = list(PLACE.finditer(text))
    if not places:
        return None
    letters = sum(letter.isalpha() for letter in PLACE.sub("", text))
    if letters < LEAST_LETTERS:
        return None
    ends = [0, *(place.end() for place in places)]
    begins = [*(place.start() for place in places), len(text)]
    pieces = tuple(_plain(text[end:begin]) for end, begin in zip(ends, begins, strict=True))
    return Template(text, tuple(place[1] for place in places), pieces, letters)


class MessageTemplates:
    """The templates of one catalogue."""

    def __init__(self, catalogue: Texts) -> None:
        self._catalogue = catalogue
        found = (_template(text) for text in catalogue.keys(MESSAGE))
        self._templates = sorted(filter(None, found), key=lambda template: -template.letters)

    def translate(self, text: str) -> str | None:
        """The translation, or None. Several sentences in a row are translated one by one."""
        return self._translate(text, DEEPEST)

    def _translate(self, text: str, depth: int) -> str | None:
        if not text or len(text) > LONGEST:
            return None
        return (
            self._exact(text)
            or self._filled(text, depth, whole_sentences=False)
            or self._one_by_one(text, depth)
            or self._filled(text, depth, whole_sentences=True)
        )

    def _one_by_one(self, text: str, depth: int) -> str | None:
        for end in islice(SENTENCE_END.finditer(text), MOST_ENDS):
            first = text[: end.start()]
            head = self._exact(first) or self._filled(first, depth, whole_sentences=False)
            if head is not None:
                rest = text[end.end() :]
                return f"{head}{end[0]}{self._translate(rest, depth) or rest}"
        return None

    def _exact(self, text: str) -> str | None:
        return self._catalogue.find(f"{MESSAGE}{CONTEXT}{text}") or self._catalogue.find(text)

    def _filled(self, text: str, depth: int, *, whole_sentences: bool) -> str | None:
        """`whole_sentences`: whether a value may go on beyond a sentence."""
        for template in self._templates:
            values = template.values(text)
            if values is None or (not whole_sentences and any(map(NEXT_SENTENCE.search, values.values()))):
                continue
            wanted = self._catalogue.find(f"{MESSAGE}{CONTEXT}{template.text}")
            if wanted is not None:
                return wanted.format(**{name: self._value(value, depth) for name, value in values.items()})
        return None

    def _value(self, value: str, depth: int) -> str:
        """Names and numbers stay as they are; what reads like a sentence may be one of ours."""
        return (self._translate(value, depth - 1) if depth and " " in value.strip() else None) or value
