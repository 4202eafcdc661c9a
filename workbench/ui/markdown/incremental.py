"""A markdown document that grows: finished blocks are frozen, only the open end is rendered again.

A block is finished when the first line of the next one is complete, because until then the next line may still
turn out to continue it. Items of a top-level list are finished in the same way. What is open is parsed from its own
first line (behind a stand-in for the list item before it), which gives the same tokens as parsing everything. Two
things reach backwards, link reference definitions and texts too deeply nested to parse; where they occur, the end of
the stream renders the whole text once more. So the end state always equals rendering the text in one go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from markdown_it.token import Token
from PySide6.QtGui import QTextBlockFormat, QTextCharFormat, QTextCursor, QTextDocument, QTextTable

from workbench.ui.markdown import properties, tables
from workbench.ui.markdown.formula_object import MathObject, lookup, sit_on_baseline
from workbench.ui.markdown.formulas import MathRenderer
from workbench.ui.markdown.parser import parse, sanitise
from workbench.ui.markdown.style import MarkdownStyle
from workbench.ui.markdown.writer import OBJECT, Counters, DocumentWriter, formula_source

THROTTLE_CHARS = 4_000
"""An open block longer than this is rendered again only when it has grown by a sixteenth."""

_FENCE = re.compile(r"(`{3,}|~{3,})[^\n]*\n")
_ITEM = re.compile(r"([ ]{0,3}(?:[-+*]|\d{1,9}[.)]))([ \t]*)")
_UNDERLINE = re.compile(r"(?<=[^\n]\n)[ \t>]*(?:-+|=+)[ \t]*\Z")
"""A last line that makes a heading of the text above it, and is most often the dash of a list item to come."""
_LIST_OPEN = ("bullet_list_open", "ordered_list_open")


@dataclass(slots=True)
class _OpenFence:
    """A top-level code block that is being written: its text is appended to, never parsed again."""

    closing: re.Pattern[str]
    maybe_closing: re.Pattern[str]
    body: int
    """Where the code begins in the open text."""
    scanned: int
    """How far the open text has been searched for the closing line."""
    shown: int
    """How many characters of code are in the document."""


@dataclass(slots=True)
class _StandIn:
    """What stands for the frozen items of the open list: a line before the open text, and the next number."""

    line: str
    number: int


class MarkdownDocument:
    """Owns a QTextDocument. `feed` is cheap; `flush` renders what came; `finish` ends the stream."""

    def __init__(
        self,
        style: MarkdownStyle,
        math: MathRenderer | None = None,
        math_object: MathObject | None = None,
        *,
        breaks: bool = False,
    ) -> None:
        self.style = style
        self.source = ""
        self.finished = False
        self._math = math
        self._breaks = breaks
        self.document = QTextDocument()
        self.document.setUndoRedoEnabled(False)
        self.document.setDocumentMargin(0)
        self.document.setDefaultFont(style.font)
        self.document.setIndentWidth(style.indent_px)
        option = self.document.defaultTextOption()
        option.setTabStopDistance(style.tab_stop_px)
        self.document.setDefaultTextOption(option)
        self._math_object = math_object  # Qt's layout does not keep it alive
        if math_object is not None:
            self.document.documentLayout().registerHandler(properties.MATH_OBJECT, math_object)
        self._frozen_chars = 0
        self._tail_position = 0
        self._counters = Counters()
        self._rendered = ""
        self._rendered_table = False
        self._stand_in: _StandIn | None = None
        self._fence: _OpenFence | None = None
        self._whole_text_matters = False
        self._awaits_formulas = False
        self.reflows = 0
        """How often formulas took their place: everything below them moved then, also what was finished."""

    @classmethod
    def rendered(
        cls,
        text: str,
        style: MarkdownStyle,
        math: MathRenderer | None = None,
        math_object: MathObject | None = None,
        *,
        breaks: bool = False,
        width: float = -1,
    ) -> MarkdownDocument:
        """A finished document of `text`, laid out to `width` pixels."""
        result = cls(style, math, math_object, breaks=breaks)
        if width > 0:
            result.set_width(width)
        result.feed(text)
        result.finish()
        return result

    def feed(self, text: str) -> None:
        self.source += sanitise(text)

    def flush(self) -> int | None:
        """Render what was fed since the last time. Position of the first character that may have changed, or None."""
        tail = self.source[self._frozen_chars :]
        if tail == self._rendered or self.finished:
            return None
        if self._fence is not None:
            position = self._append_code(tail)
            if position is not None:
                return position
        elif underline := _UNDERLINE.search(tail, max(0, tail.rfind("\n") - 1)):
            tail = tail[: underline.start()]  # wait for what follows: a heading would flash up and go again
            if tail == self._rendered:
                return None
        if len(tail) > THROTTLE_CHARS and len(tail) - len(self._rendered) < len(tail) // 16:
            return None
        if self._rendered_table and tail.count("\n") == self._rendered.count("\n"):
            return None
        changed_from = self._tail_position
        self._render(tail, final=False)
        return changed_from

    def finish(self) -> int:
        """Render everything for good. Position of the first character that may have changed."""
        if self._whole_text_matters:
            self._frozen_chars = 0
            self._tail_position = 0
            self._counters = Counters()
            self._stand_in = None
        changed_from = self._tail_position
        self._render(self.source[self._frozen_chars :], final=True)
        self.finished = True
        return changed_from

    def truncate(self, length: int) -> None:
        """Drop fed text beyond `length` characters of the source; what is frozen can't be dropped."""
        self.source = self.source[: max(length, self._frozen_chars)]

    @property
    def frozen_chars(self) -> int:
        return self._frozen_chars

    @property
    def frozen_position(self) -> int:
        """Nothing before this position of the document changes any more."""
        return self._tail_position

    @property
    def ends_with_code(self) -> bool:
        return self.document.lastBlock().blockFormat().hasProperty(properties.CODE)

    def set_width(self, width: float) -> None:
        if self.document.textWidth() != width:
            self.document.setTextWidth(width)
            self._fit_tables()

    def take_formulas(self) -> bool:
        """Take over formulas that have been rendered meanwhile. True if there were any."""
        if not self._awaits_formulas:
            return False
        self._awaits_formulas = False
        taken = False
        block = self.document.begin()
        while block.isValid():
            if OBJECT in block.text():
                taken |= self._take_formulas_of(block.position(), block.text())
            block = block.next()
        self.reflows += taken
        return taken

    # Rendering

    def _render(self, tail: str, *, final: bool) -> None:
        self._fence = None
        tokens = self._parse(tail)
        if self._whole_text_matters and final and self._frozen_chars:
            self.finish()  # a definition was seen only now: start over with the whole text
            return
        open_code = None if final else _open_code(tokens, tail)
        cursor = QTextCursor(self.document)
        cursor.beginEditBlock()
        self._remove_tail(cursor)
        writer = DocumentWriter(
            cursor, self.style, self._math, counters=self._counters, breaks=self._breaks, open_code=open_code
        )
        boundary = None if final else _freeze_boundary(tokens, tail.split("\n"))
        if boundary is not None:
            tokens = self._write_frozen(writer, tokens, boundary, tail)
            tail = self.source[self._frozen_chars :]
        writer.write(tokens)
        if final:
            writer.close()
        cursor.endEditBlock()
        self._awaits_formulas |= writer.awaits_formulas
        self._rendered = tail
        self._rendered_table = bool(tokens) and _last_top_level(tokens).type == "table_open"
        if open_code is not None and tokens and tokens[-1] is open_code and open_code.level == 0:
            self._fence = _begin_fence(tail, open_code)

    def _parse(self, tail: str) -> list[Token]:
        """Tokens of the open text; their line numbers count from its first line."""
        if self._stand_in is None:
            parsed = parse(tail)
            self._whole_text_matters |= parsed.whole_text_matters
            return parsed.tokens
        parsed = parse(self._stand_in.line + tail)
        self._whole_text_matters |= parsed.whole_text_matters
        tokens = parsed.tokens
        if not tokens or tokens[0].type not in _LIST_OPEN:
            return tokens
        end = next(i for i, token in enumerate(tokens) if token.type == "list_item_close" and token.level == 1)
        tokens[0].attrSet("start", self._stand_in.number)
        kept = [tokens[0], *tokens[end + 1 :]]
        for token in kept:
            if token.map:
                token.map = [max(0, token.map[0] - 1), token.map[1] - 1]
        return kept

    def _remove_tail(self, cursor: QTextCursor) -> None:
        cursor.setPosition(self._tail_position)
        cursor.movePosition(QTextCursor.MoveOperation.End, QTextCursor.MoveMode.KeepAnchor)
        cursor.removeSelectedText()
        cursor.setBlockFormat(QTextBlockFormat())
        cursor.setBlockCharFormat(QTextCharFormat())
        cursor.setCharFormat(QTextCharFormat())

    def _write_frozen(self, writer: DocumentWriter, tokens: list[Token], boundary: int, tail: str) -> list[Token]:
        """Write the tokens before `boundary` for good; the tokens that remain open."""
        opened = tokens[boundary]
        assert opened.map is not None
        lines = opened.map[0]
        if opened.type == "list_item_open":
            list_open = _last_top_level(tokens)
            start = tokens.index(list_open)
            items = [t for t in tokens[start:boundary] if t.type == "list_item_open" and t.level == 1]
            number = int(list_open.attrGet("start") or 0) if list_open.attrGet("start") is not None else 1
            number += len(items)
            writer.write([*tokens[:boundary], tokens[-1]])
            continued = list_open.copy()
            continued.attrs = dict(list_open.attrs)
            continued.attrSet("start", number)
            rest = [continued, *tokens[boundary:]]
            before = items[-1].map
            assert before is not None
            self._stand_in = _StandIn(_stand_in_line(_line(tail, before[0])), number)
        else:
            writer.write(tokens[:boundary])
            rest = tokens[boundary:]
            self._stand_in = None
        self._tail_position = writer.open_block()
        self._counters = writer.counters
        self._frozen_chars += _offset_of_line(tail, lines)
        return rest

    # The open code block

    def _append_code(self, tail: str) -> int | None:
        """Append to the open code block; None when it has closed, and must be rendered."""
        fence = self._fence
        assert fence is not None
        end = tail.rfind("\n") + 1
        for line in tail[fence.scanned : end].split("\n"):
            if fence.closing.fullmatch(line):
                return None
        fence.scanned = max(fence.scanned, end)
        last = tail[end:]
        code = tail[fence.body : end if fence.maybe_closing.fullmatch(last) else len(tail)].rstrip("\n")
        cursor = QTextCursor(self.document)
        cursor.movePosition(QTextCursor.MoveOperation.End)
        position = cursor.position()
        if len(code) > fence.shown:
            cursor.beginEditBlock()
            cursor.insertText(code[fence.shown :], self.style.code_text)
            cursor.endEditBlock()
            fence.shown = len(code)
        self._rendered = tail
        return position

    # Tables and formulas

    def _fit_tables(self) -> None:
        for frame in self.document.rootFrame().childFrames():
            if isinstance(frame, QTextTable):
                tables.fit(frame, self.document.textWidth(), self.style)

    def _take_formulas_of(self, start: int, text: str) -> bool:
        taken = False
        assert self._math is not None
        # Backwards, because a formula that failed becomes its source and moves what is behind it.
        for offset in reversed([i for i, char in enumerate(text) if char == OBJECT]):
            cursor = QTextCursor(self.document)
            cursor.setPosition(start + offset)
            cursor.movePosition(QTextCursor.MoveOperation.NextCharacter, QTextCursor.MoveMode.KeepAnchor)
            format_ = cursor.charFormat()
            if format_.objectType() != properties.MATH_OBJECT:
                continue
            formula = lookup(self._math, format_)
            if formula is None:
                self._awaits_formulas = True
                continue
            taken = True
            if formula.image is not None:
                sit_on_baseline(format_, formula, self.style.families)
                cursor.setCharFormat(format_)
            else:
                self._show_source(cursor, format_)
        return taken

    def _show_source(self, cursor: QTextCursor, format_: QTextCharFormat) -> None:
        source = formula_source(
            format_.stringProperty(properties.MATH),
            format_.stringProperty(properties.MATH_MARKUP),
            format_.boolProperty(properties.MATH_DISPLAY),
        )
        before = cursor.document().characterCount()
        text = QTextCharFormat(self.style.text)
        text.setForeground(format_.foreground())
        at = cursor.selectionStart()
        cursor.insertText(source, self.style.inline_code(text))
        block = cursor.blockFormat()
        block.setProperty(properties.CHIPS, True)
        cursor.setBlockFormat(block)
        if at < self._tail_position:
            self._tail_position += cursor.document().characterCount() - before


def _last_top_level(tokens: list[Token]) -> Token:
    return next(token for token in reversed(tokens) if token.level == 0 and token.nesting >= 0)


def _freeze_boundary(tokens: list[Token], lines: list[str]) -> int | None:
    """Index of the token from which on everything stays open: a top-level block or an item of the last list.

    `lines` are those of the open text; the last one is not complete.
    """
    complete_lines = len(lines) - 1
    tops = [i for i, token in enumerate(tokens) if token.level == 0 and token.nesting >= 0 and token.map]
    before = [None, *(tokens[i] for i in tops)]
    settled = [i for i, block in zip(tops, before, strict=False) if _begins_here(tokens[i], block, lines)]
    if not settled:
        return None
    last = settled[-1]
    if tokens[last].type in _LIST_OPEN and last == tops[-1]:
        items = [
            i
            for i in range(last, len(tokens))
            if tokens[i].type == "list_item_open" and tokens[i].level == 1 and _first_line(tokens[i]) < complete_lines
        ]
        if len(items) > 1:
            return items[-1]
    return last if last > 0 else None


def _first_line(token: Token) -> int:
    return token.map[0] if token.map else 0


def _begins_here(token: Token, before: Token | None, lines: list[str]) -> bool:
    """Whether a block will begin here, whatever follows. It stays open itself, so it may still become another one.

    Behind a blank line its first character says so, unless a list comes before: "3" may become its next item, "3.".
    """
    assert token.map is not None
    first, complete_lines = token.map[0], len(lines) - 1
    if before is not None and before.type not in _LIST_OPEN and not lines[first - 1].strip():
        return True
    if token.type == "table_open":
        return first + 1 < complete_lines
    if token.type == "math_block":
        return bool(token.meta.get("closed")) and token.map[1] <= complete_lines
    return first < complete_lines


def _open_code(tokens: list[Token], text: str) -> Token | None:
    """The fence at the end of `text` that has no closing line yet."""
    leaf = next((token for token in reversed(tokens) if token.nesting == 0), None)
    if leaf is None or leaf.type != "fence" or leaf.map is None:
        return None
    lines = text.split("\n")
    last = min(leaf.map[1], len(lines)) - 1
    while last > leaf.map[0] and not lines[last].strip():
        last -= 1
    closing = lines[last].lstrip(" >").rstrip()
    closed = last > leaf.map[0] and len(closing) >= len(leaf.markup) and not closing.strip(leaf.markup[0])
    return None if closed else leaf


def _begin_fence(tail: str, token: Token) -> _OpenFence | None:
    match = _FENCE.match(tail)
    if match is None or token.map is None or token.map[0] != 0:
        return None
    mark = re.escape(match[1][0])
    closing = re.compile(rf" {{0,3}}{mark}{{{len(match[1])},}}[ \t]*")
    maybe_closing = re.compile(rf" {{0,3}}{mark}*[ \t]*")
    shown = len(token.content.rstrip("\n"))
    return _OpenFence(closing, maybe_closing, match.end(), match.end(), shown)


def _line(text: str, number: int) -> str:
    return text.split("\n", number + 1)[number]


def _offset_of_line(text: str, number: int) -> int:
    offset = 0
    for _ in range(number):
        offset = text.index("\n", offset) + 1
    return offset


def _stand_in_line(line: str) -> str:
    """A list item that ends where `line`'s item does not matter, and nests what follows just as it would."""
    match = _ITEM.match(line)
    if match is None:
        return "- x\n"
    marker, space = match[1], match[2]
    if not line[match.end() :] or len(space) > 4:
        space = " "
    return f"{marker}{space}x\n"
