"""Code to coloured runs by pygments."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Token
from pygments.util import ClassNotFound

MAX_CHARS = 20_000
"""Longer code stays in one colour: highlighting it would be felt."""

_KINDS = {
    Token.Keyword: "keyword",
    Token.Keyword.Type: "type",
    Token.Name.Function: "name",
    Token.Name.Tag: "keyword",
    Token.Name.Attribute: "type",
    Token.Name.Class: "type",
    Token.Name.Decorator: "type",
    Token.Name.Builtin: "name",
    Token.Name.Namespace: "",
    Token.Literal.String: "string",
    Token.Literal.Number: "number",
    Token.Comment: "comment",
    Token.Comment.Preproc: "keyword",
    Token.Operator.Word: "keyword",
    Token.Operator: "operator",
    Token.Generic.Inserted: "string",
    Token.Generic.Deleted: "bad",
    Token.Generic.Heading: "name",
    Token.Generic.Subheading: "name",
}
_COMMON = ("python", "bash", "json", "javascript", "sql", "cpp", "html", "yaml", "rust", "java", "typescript", "go")


@lru_cache(maxsize=512)
def _kind(token: object) -> str:
    while token is not None:
        if token in _KINDS:
            return _KINDS[token]
        token = token.parent  # type: ignore[attr-defined]
    return ""


@lru_cache(maxsize=64)
def _lexer(language: str) -> Lexer | None:
    if not language or language in ("text", "txt", "plain", "plaintext", "output"):
        return None
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


@lru_cache(maxsize=256)
def highlight(language: str, code: str) -> tuple[tuple[str, str], ...]:
    """(kind, text) runs that join to `code`; neighbours differ in kind."""
    lexer = _lexer(language.lower()) if len(code) <= MAX_CHARS else None
    if lexer is None:
        return (("", code),) if code else ()
    runs: list[tuple[str, str]] = []
    kind, texts = "", [""]
    for token, text in lexer.get_tokens(code):
        # Blanks look the same in every colour, so they join the run before them.
        next_kind = kind if text.isspace() else _kind(token)
        if next_kind != kind:
            runs.append((kind, "".join(texts)))
            kind, texts = next_kind, []
        texts.append(text)
    runs.append((kind, "".join(texts)))
    result = tuple(run for run in runs if run[1])
    if "".join(text for _, text in result) != code:  # a lexer that changes its input
        return (("", code),)
    return result


def preload_lexers() -> Iterator[str]:
    """Loads one of the common lexers (about 30 ms cold) each step; drive it from an idle timer."""
    for language in _COMMON:
        highlight(language, "x = 1")
        yield language
