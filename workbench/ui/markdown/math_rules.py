"""Markdown rules for LaTeX: $…$, $$…$$, \\(…\\) and \\[…\\].

A display formula may interrupt a paragraph and ends at its closing mark. One that meets a blank line first is no
formula but plain text, so a stray `$$` swallows one paragraph at most. One that is still open at the end of the text
is taken for a formula: it is being written. The token's `meta["closed"]` tells the two apart.
"""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

_CLOSING = {"$$": "$$", "\\[": "\\]"}


def math_plugin(md: MarkdownIt) -> None:
    alt = ["paragraph", "reference", "blockquote", "list"]
    md.block.ruler.before("fence", "math_block", _block_rule, {"alt": alt})
    md.inline.ruler.before("escape", "math_inline", _inline_rule)


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _block_rule(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    if state.is_code_block(start):
        return False
    first = _line(state, start)
    closing = _CLOSING.get(first[:2])
    if closing is None:
        return False
    markup, rest = first[:2], first[2:].rstrip()
    if closing in rest:
        if not rest.endswith(closing) or rest.index(closing) != len(rest) - 2:
            return False
        return _push_block(state, markup, rest[:-2], start, start + 1, True, silent)
    lines = [rest]
    line = start + 1
    while line < end and state.sCount[line] >= state.blkIndent:
        text = _line(state, line).rstrip()
        if not text:
            return False
        if text.endswith(closing):
            lines.append(text[:-2])
            return _push_block(state, markup, "\n".join(lines), start, line + 1, True, silent)
        lines.append(text)
        line += 1
    if line < end and line < state.lineMax:
        return False
    return _push_block(state, markup, "\n".join(lines), start, line, False, silent)


def _push_block(state: StateBlock, markup: str, content: str, start: int, end: int, closed: bool, silent: bool) -> bool:
    if closed and not content.strip():
        return False
    if silent:
        return True
    state.line = end
    token = state.push("math_block", "math", 0)
    token.block = True
    token.content = content.strip()
    token.markup = markup
    token.map = [start, end]
    token.meta = {"closed": closed}
    return True


def _inline_rule(state: StateInline, silent: bool) -> bool:
    src, pos = state.src, state.pos
    if src[pos] == "$":
        markup = "$$" if src.startswith("$$", pos) else "$"
        closing = markup
    elif src.startswith("\\(", pos) or src.startswith("\\[", pos):
        markup = src[pos : pos + 2]
        closing = "\\)" if markup == "\\(" else "\\]"
    else:
        return False
    begin = pos + len(markup)
    found = _find_closing(src, begin, state.posMax, closing)
    if found < 0:
        return False
    content = src[begin:found]
    if not content.strip() or (markup == "$" and not _looks_like_math(src, begin, found)):
        return False
    if not silent:
        token = state.push("math_inline", "math", 0)
        token.content = content.strip()
        token.markup = markup
    state.pos = found + len(closing)
    return True


def _find_closing(src: str, begin: int, limit: int, closing: str) -> int:
    position = begin
    while True:
        position = src.find(closing, position, limit)
        if position < 0:
            return -1
        backslashes = 0
        while position - backslashes > begin and src[position - backslashes - 1] == "\\":
            backslashes += 1
        if backslashes % 2 == 0:
            return position
        position += 1


def _looks_like_math(src: str, begin: int, end: int) -> bool:
    """Pandoc's rule, so that prices stay text: no space inside the marks, no digit after the closing one."""
    after = src[end + 1 : end + 2]
    return not src[begin].isspace() and not src[end - 1].isspace() and not after.isdigit()
