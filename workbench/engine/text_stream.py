"""Bytes of tokens -> text: whole characters only, and nothing of a stop string.

A token's bytes may end inside a character, and a stop string may begin in one token and end in another. So the end
of the text that could still become a stop string is held back until the next token decides.
"""

from __future__ import annotations

import codecs


class TextStream:
    """One answer's text. Time is linear in its length for each stop string; memory is that of the longest one.

    The stop string that is complete first wins; of several that are complete at the same character, the longest.
    """

    def __init__(self, stop: tuple[str, ...] = ()) -> None:
        self.stopped_by: str | None = None
        """The stop string that ended the text, once one did."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stops = [_Matcher(text) for text in dict.fromkeys(stop) if text]
        self._first_characters = {matcher.pattern[0] for matcher in self._stops}
        self._held = ""

    def feed(self, piece: bytes) -> str:
        """Text that is certain now. Nothing any more once a stop string was complete."""
        return self._release(self._decoder.decode(piece))

    def finish(self) -> str:
        """The rest: what was held back, and U+FFFD for a character that never became whole."""
        text = self._release(self._decoder.decode(b"", final=True))
        if self.stopped_by is None:
            text += self._held
        self._held = ""
        return text

    def _release(self, text: str) -> str:
        if self.stopped_by is not None:
            return ""
        if not self._held and self._first_characters.isdisjoint(text):
            return text
        pending = self._held + text
        for position, character in enumerate(text, start=len(self._held) + 1):
            complete = [matcher.pattern for matcher in self._stops if matcher.advance(character)]
            if complete:
                self.stopped_by = max(complete, key=len)
                self._held = ""
                return pending[: position - len(self.stopped_by)]
        certain = len(pending) - max(matcher.matched for matcher in self._stops)
        self._held = pending[certain:]
        return pending[:certain]


class _Matcher:
    """Knuth, Morris and Pratt's search, a character at a time."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.matched = 0
        """Length of the longest prefix of the pattern that the text read so far ends with."""
        self._borders = _borders(pattern)

    def advance(self, character: str) -> bool:
        """True when this character completes the pattern. Not to be called again after that."""
        while self.matched and self.pattern[self.matched] != character:
            self.matched = self._borders[self.matched - 1]
        if self.pattern[self.matched] == character:
            self.matched += 1
        return self.matched == len(self.pattern)


def _borders(pattern: str) -> list[int]:
    """For each prefix, the length of its longest proper prefix that is also its suffix."""
    borders = [0] * len(pattern)
    length = 0
    for index in range(1, len(pattern)):
        while length and pattern[index] != pattern[length]:
            length = borders[length - 1]
        if pattern[index] == pattern[length]:
            length += 1
        borders[index] = length
    return borders
