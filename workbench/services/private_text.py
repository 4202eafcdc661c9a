"""Takes out of technical text what the user wrote or was answered, and what tells who they are. No Qt.

Logs and tracebacks are not meant to hold chat text, but an exception's message may quote anything. So every passage
that also stands in a stored message is removed, whatever the reason it is there.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from workbench.core.paths import Paths
from workbench.core.redact import redact
from workbench.store.connections import connect

LEFT_OUT = "[text left out]"
RUN = 12
"""So many letters and digits in a row, as in a stored text, are a quotation of it."""
DENSE_RUN = 5
"""The same where every one is beyond ASCII: Chinese says in five what takes twelve in English."""
MAX_MESSAGES = 3000
MAX_CHARS = 6_000_000
_WORDS = re.compile(r"\w+")
_HOMES = re.compile(r"(?i)(?:[a-z]:\\Users\\|/home/|/Users/)[^/\\\s\"':]+")


def known_texts(paths: Paths) -> list[str]:
    """What the user wrote and was answered, newest first, and their titles, drafts and system prompts. Read from the
    file, so that it works also where the database is of a newer version; empty where it can't be read."""
    if not paths.database.exists():
        return []
    plain = (
        "SELECT text FROM messages ORDER BY number DESC LIMIT ?",
        "SELECT title FROM sessions ORDER BY updated_at DESC LIMIT ?",
        "SELECT draft FROM sessions ORDER BY updated_at DESC LIMIT ?",
        "SELECT rendered_prompt FROM runs ORDER BY started_at DESC LIMIT ?",
        "SELECT system_prompt FROM runs ORDER BY started_at DESC LIMIT ?",
    )
    encoded = (
        "SELECT parts FROM messages ORDER BY number DESC LIMIT ?",
        "SELECT options FROM sessions ORDER BY updated_at DESC LIMIT ?",
        "SELECT options FROM presets LIMIT ?",
    )
    found: list[str] = []
    with contextlib.suppress(sqlite3.Error), contextlib.closing(connect(paths.database, read_only=True)) as db:
        for query in (*plain, *encoded):
            with contextlib.suppress(sqlite3.Error):  # a column may be missing in an older or a newer database
                for (text,) in db.execute(query, [MAX_MESSAGES]):
                    found += _strings_of(text) if query in encoded else [text]
    with contextlib.suppress(OSError):
        found += _strings_of((paths.config / "ui-state.json").read_text(encoding="utf-8", errors="replace"))
    return [text for text in dict.fromkeys(found) if text]


def _strings_of(encoded: str | None) -> list[str]:
    """The values that are text, without the names around them."""
    found: list[str] = []

    def walk(value: object) -> None:
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, dict | list):
            for inner in value.values() if isinstance(value, dict) else value:
                walk(inner)

    with contextlib.suppress(ValueError):
        walk(json.loads(encoded or "null"))
    return found


class TextFilter:
    """Made of the texts to keep out; `clean` takes their passages out of another text."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = list(texts)

    def clean(self, text: str) -> str:
        """Takes time in proportion to all the texts: not for the UI thread."""
        letters = [(match.start() + offset, char) for match in _WORDS.finditer(text) for offset, char in _chars(match)]
        joined = "".join(char for _position, char in letters)
        wanted = {size: _grams(joined, size) for size in (RUN, DENSE_RUN)}
        hits = bytearray(len(joined))
        for source in self._normalised():
            for size, grams in wanted.items():
                for start in _found(source, size, grams):
                    for place in grams[source[start : start + size]]:
                        hits[place : place + size] = b"\1" * size
        text = _cut(text, [letters[place][0] for place, hit in enumerate(hits) if hit])
        for short in self._short():
            text = re.sub(rf"(?<!\w){re.escape(short)}(?!\w)", LEFT_OUT, text, flags=re.IGNORECASE)
        return text

    def _normalised(self) -> Iterator[str]:
        left = MAX_CHARS
        for text in self._texts:
            joined = "".join(_WORDS.findall(text)).lower()[:left]
            left -= len(joined)
            yield joined
            if left <= 0:
                return

    def _short(self) -> set[str]:
        """Whole messages of two or three short words, which are no long run."""
        lines = {text.strip() for text in self._texts if len(text) < 3 * RUN}
        return {line for line in lines if len(_WORDS.findall(line)) > 1 and len("".join(_WORDS.findall(line))) < RUN}


def _chars(match: re.Match[str]) -> Iterator[tuple[int, str]]:
    return enumerate(char if len(char.lower()) != 1 else char.lower() for char in match[0])


def _grams(text: str, size: int) -> dict[str, list[int]]:
    grams: dict[str, list[int]] = {}
    for start in range(len(text) - size + 1):
        gram = text[start : start + size]
        if size == RUN or not any(char.isascii() for char in gram):
            grams.setdefault(gram, []).append(start)
    return grams


def _found(source: str, size: int, grams: dict[str, list[int]]) -> Iterator[int]:
    if grams:
        yield from (start for start in range(len(source) - size + 1) if source[start : start + size] in grams)


def _cut(text: str, positions: list[int]) -> str:
    """`text` with each stretch around these positions replaced; what is no letter between two belongs to them."""
    parts, last, index = [], 0, 0
    while index < len(positions):
        begin = end = positions[index]
        while index < len(positions) and (
            positions[index] - end <= 1 or not _WORDS.search(text, end + 1, positions[index])
        ):
            end = positions[index]
            index += 1
        parts += [text[last:begin], LEFT_OUT]
        last = end + 1
    return "".join([*parts, text[last:]])


def without_identity(text: str) -> str:
    """Without keys, and with the home folder as `~`, whoever's it is."""
    home = str(Path.home())
    if len(home) > 1:
        text = text.replace(home, "~")
    return redact(_HOMES.sub("~", text))
