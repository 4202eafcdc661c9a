"""Markdown text to tokens. Never raises: text that can't be parsed within bounds comes back as plain paragraphs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

from workbench.ui.markdown.math_rules import math_plugin

LINK_SCHEMES = frozenset({"http", "https", "mailto"})
MAX_NESTING = 100
MAX_OPEN_BRACKETS = 500
"""Brackets that never close cost the parser the square of their number."""
PLAIN_CHUNK = 4_000
"""Longest paragraph of text that could not be parsed, in characters: Qt lays out huge paragraphs slowly."""

_UNSAFE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufff9-\uffff]"
)


def is_safe_link(url: str) -> bool:
    """Whether a link may be shown as one: the schemes a browser or mail program opens, nothing local, no scripts."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return False
    return parts.scheme.lower() in LINK_SCHEMES and bool(parts.netloc or parts.scheme.lower() == "mailto")


def sanitise(text: str) -> str:
    """`text` without what QTextDocument gives a meaning of its own, one character for one (but CR goes)."""
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r", ""))


def _build() -> MarkdownIt:
    md = MarkdownIt("commonmark", {"html": False, "maxNesting": MAX_NESTING})
    md.enable(["table", "strikethrough"]).use(math_plugin)
    md.validateLink = is_safe_link  # type: ignore[method-assign]
    return md


_MD = _build()


@dataclass(frozen=True, slots=True)
class Parsed:
    tokens: list[Token]
    whole_text_matters: bool
    """True if a later part can change an earlier one (link reference definitions) or the text fell back to plain."""


def parse(text: str) -> Parsed:
    """Tokens of sanitised `text`."""
    if text.count("[") - text.count("]") > MAX_OPEN_BRACKETS:
        return Parsed(_plain(text), True)
    env: dict[str, object] = {}
    try:
        tokens = _MD.parse(text, env)
    except (RecursionError, RuntimeError, IndexError, ValueError):
        return Parsed(_plain(text), True)
    if any(token.level >= MAX_NESTING - 1 for token in tokens):  # markdown-it drops what is nested deeper
        return Parsed(_plain(text), True)
    return Parsed(tokens, bool(env.get("references")))


def _plain(text: str) -> list[Token]:
    tokens: list[Token] = []
    for number, line in enumerate(text.split("\n")):
        for start in range(0, len(line), PLAIN_CHUNK):
            child = Token("text", "", 0, content=line[start : start + PLAIN_CHUNK])
            where = [number, number + 1]
            tokens.append(Token("paragraph_open", "p", 1, map=where, block=True))
            tokens.append(Token("inline", "", 0, children=[child], content=child.content, map=where, level=1))
            tokens.append(Token("paragraph_close", "p", -1, block=True))
    return tokens
