"""markdown-it tokens into a QTextDocument, through one cursor, without an HTML round trip.

The document is flat: paragraphs, list items, quotes and lines of code are blocks whose formats carry what the
painter needs (see `properties`); only tables are frames.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from markdown_it.token import Token
from PySide6.QtGui import QFont, QTextBlockFormat, QTextCharFormat, QTextCursor

from workbench.ui.markdown import properties, tables
from workbench.ui.markdown.formula_object import formula_format, lookup, sit_on_baseline
from workbench.ui.markdown.formulas import MathRenderer
from workbench.ui.markdown.highlight import highlight
from workbench.ui.markdown.parser import is_safe_link
from workbench.ui.markdown.style import MarkdownStyle

LINE_BREAK = "\u2028"
OBJECT = "\ufffc"
_TASK = re.compile(r"\[([ xX])\](?:\s|$)")
_BARE_URL = re.compile(r"https?://[^\s<>\"'`|\\^{}]+")


@dataclass(frozen=True, slots=True)
class Counters:
    """What numbering has been used up; carried over from frozen blocks to the ones after them."""

    code: int = 0
    quote: int = 0


@dataclass(slots=True)
class _List:
    ordered: bool
    number: int
    depth: int


@dataclass(slots=True)
class _Context:
    lists: list[_List] = field(default_factory=list)
    indent: int = 0
    quotes: list[tuple[int, int]] = field(default_factory=list)
    markers: list[str] = field(default_factory=list)


class DocumentWriter:
    """Writes at the end of a document. `fresh`: the current block is empty and still without a format."""

    def __init__(
        self,
        cursor: QTextCursor,
        style: MarkdownStyle,
        math: MathRenderer | None,
        *,
        counters: Counters = Counters(),
        breaks: bool = False,
        open_code: Token | None = None,
    ) -> None:
        self.cursor = cursor
        self.style = style
        self.math = math
        self.counters = counters
        self.breaks = breaks
        self.open_code = open_code
        """The code block that is still being written: highlighted when it closes."""
        self.fresh = True
        self.awaits_formulas = False
        """Whether a formula was written that is still being rendered."""
        self._context = _Context()

    def write(self, tokens: list[Token]) -> None:
        index = 0
        while index < len(tokens):
            index = self._token(tokens, index)

    def open_block(self) -> int:
        """Make sure the current block is an empty one for what comes next; its position."""
        if not self.fresh:
            self.cursor.insertBlock(QTextBlockFormat(), QTextCharFormat())
            self.fresh = True
        return self.cursor.block().position()

    def close(self) -> None:
        """Tidy the end of the document: the empty block behind a table gets out of sight."""
        if self.fresh and self.cursor.block().previous().isValid():
            self._set_block(self.style.thin, QTextCharFormat())

    # Blocks

    def _token(self, tokens: list[Token], index: int) -> int:
        """Write the token at `index`; the index of the next one."""
        token = tokens[index]
        kind = token.type
        if kind == "paragraph_open":
            self._paragraph(tokens[index + 1])
            return index + 3
        if kind == "heading_open":
            level = int(token.tag[1])
            text = self.style.heading_text(level)
            self._begin(self.style.heading(level), text)
            self._inline(tokens[index + 1], text)
            return index + 3
        if kind in ("fence", "code_block"):
            self._code(token)
        elif kind == "math_block":
            self._begin(self.style.display_math, self.style.text)
            self._formula(token.content, token.markup, self.style.text, display=True)
        elif kind == "hr":
            self._begin(self.style.rule, self.style.text)
        elif kind == "table_open":
            return self._table(tokens, index)
        else:
            self._container(token)
        return index + 1

    def _container(self, token: Token) -> None:
        context = self._context
        match token.type:
            case "bullet_list_open" | "ordered_list_open":
                start = token.attrGet("start")
                ordered = token.type[0] == "o"
                context.lists.append(_List(ordered, 1 if start is None else int(start), len(context.lists)))
            case "bullet_list_close" | "ordered_list_close":
                context.lists.pop()
            case "list_item_open":
                current = context.lists[-1]
                marker = f"n{current.number}{token.markup}" if current.ordered else f"b{current.depth % 3}"
                current.number += 1
                context.indent += 1
                context.markers.append(f"{context.indent}:{marker}")
            case "list_item_close":
                if context.markers and context.markers[-1].startswith(f"{context.indent}:"):
                    self._begin(self.style.item_paragraph, self.style.text)
                context.indent -= 1
            case "blockquote_open":
                self.counters = replace(self.counters, quote=self.counters.quote + 1)
                context.indent += 1
                context.quotes.append((context.indent, self.counters.quote))
            case "blockquote_close":
                context.indent -= 1
                context.quotes.pop()

    def _paragraph(self, inline: Token) -> None:
        context = self._context
        children = list(inline.children or ())
        if context.markers and children and children[0].type == "text":
            task = _TASK.match(children[0].content)
            if task:
                level = context.markers[-1].split(":")[0]
                context.markers[-1] = f"{level}:t{int(task[1] != ' ')}"
                first = children[0].copy()
                first.content = first.content[task.end() :]
                children[0] = first
        text = self.style.quote_text if context.quotes else self.style.text
        self._begin(self.style.item_paragraph if context.lists else self.style.paragraph, text)
        self._children(children, text)

    def _begin(self, block: QTextBlockFormat, text: QTextCharFormat) -> None:
        """Start a block with this format, indented and marked as its place in lists and quotes demands."""
        context = self._context
        block = QTextBlockFormat(block)
        block.setIndent(context.indent)
        if context.quotes:
            bars = " ".join(f"{level}:{number}" for level, number in context.quotes)
            block.setProperty(properties.QUOTES, bars)
        if context.markers:
            block.setProperty(properties.MARKERS, " ".join(context.markers))
            context.markers.clear()
        if context.lists:
            block.setProperty(properties.IN_LIST, True)
        if self.fresh and self._is_behind_table():
            # Qt hides an empty block behind a table, and headers of code are empty: leave it one.
            self._set_block(self.style.thin, QTextCharFormat())
            self.fresh = False
        self._keep_distance(block)
        if self.fresh:
            self._set_block(block, text)
        else:
            self.cursor.insertBlock(block, text)
        self.fresh = False

    def _is_behind_table(self) -> bool:
        previous = self.cursor.block().previous()
        return previous.isValid() and previous.blockFormat().hasProperty(properties.CELL)

    def _keep_distance(self, block: QTextBlockFormat) -> None:
        """Widen the margin above a block where what is before it needs room of its own."""
        previous = self.cursor.block().previous() if self.fresh else self.cursor.block()
        if not previous.isValid():
            return
        before = previous.blockFormat()
        gap = 0.0
        if before.hasProperty(properties.CODE):
            # The panel's lower padding is not part of its lines.
            gap = self.style.code_pad_px + max(block.topMargin(), self.style.code_gap_px)
        elif before.hasProperty(properties.THIN):
            gap = self.style.scaled(12)
        elif before.hasProperty(properties.IN_LIST) and not self._context.lists:
            gap = self.style.scaled(10)
        block.setTopMargin(max(block.topMargin(), gap))

    def _set_block(self, block: QTextBlockFormat, text: QTextCharFormat) -> None:
        self.cursor.setBlockFormat(block)
        self.cursor.setBlockCharFormat(text)
        self.cursor.setCharFormat(text)

    def _code(self, token: Token) -> None:
        language = token.info.strip().split(" ")[0].strip("{}.") if token.info else ""
        self.counters = replace(self.counters, code=self.counters.code + 1)
        text = self.style.code_text
        self._begin(self.style.code_header(self.counters.code, language), text)
        self._begin_code_line(language, text)
        code = token.content.rstrip("\n")
        if token is not self.open_code:
            for kind, run in highlight(language, code):
                self.cursor.insertText(run, self.style.code_kinds[kind])
        elif code:
            self.cursor.insertText(code, text)

    def _begin_code_line(self, language: str, text: QTextCharFormat) -> None:
        context = self._context
        block = self.style.code_line(self.counters.code, language)
        block.setIndent(context.indent)
        if context.quotes:
            block.setProperty(properties.QUOTES, " ".join(f"{level}:{number}" for level, number in context.quotes))
        self.cursor.insertBlock(block, text)

    def _table(self, tokens: list[Token], index: int) -> int:
        rows, end = tables.read_rows(tokens, index)
        self._begin(self.style.thin, QTextCharFormat())
        left = self._context.indent * self.style.indent_px
        outer = self.cursor
        table = outer.insertTable(len(rows.rows), rows.columns, tables.table_format(self.style, rows, left))
        for row_number, row in enumerate(rows.rows):
            text = self.style.table_head if row_number == 0 else self.style.text
            for column, cell in enumerate(row[: rows.columns]):
                place = table.cellAt(row_number, column)
                self.cursor = place.firstCursorPosition()
                block = QTextBlockFormat(self.style.cell)
                block.setAlignment(cell.alignment)
                self.cursor.setBlockFormat(block)
                self.cursor.setBlockCharFormat(text)
                self._inline(cell.inline, text)
        self.cursor = outer
        tables.fit(table, outer.document().textWidth(), self.style)
        outer.movePosition(QTextCursor.MoveOperation.End)
        self.fresh = True
        return end + 1

    # Inline

    def _inline(self, token: Token, base: QTextCharFormat) -> None:
        self._children(list(token.children or ()), base)

    def _children(self, children: list[Token], base: QTextCharFormat) -> None:
        stack = [base]
        links = 0
        for token in children:
            kind = token.type
            if kind == "text":
                if token.content:
                    self._text(token.content, stack[-1], linkify=not links)
            elif kind in ("strong_open", "em_open", "s_open", "link_open"):
                stack.append(self._opened(token, stack[-1]))
                links += kind == "link_open"
            elif kind in ("strong_close", "em_close", "s_close", "link_close"):
                links -= kind == "link_close"
                stack.pop()
            else:
                self._leaf(token, stack[-1])

    def _leaf(self, token: Token, text: QTextCharFormat) -> None:
        match token.type:
            case "softbreak":
                self.cursor.insertText(LINE_BREAK if self.breaks else " ", text)
            case "hardbreak":
                self.cursor.insertText(LINE_BREAK, text)
            case "code_inline":
                self.cursor.insertText(token.content, self.style.inline_code(text))
                self._mark_chips()
            case "math_inline":
                self._formula(token.content, token.markup, text, display=False)
            case "image":
                self._image(token, text)
            case _:
                if token.content:
                    self.cursor.insertText(token.content, text)

    def _opened(self, token: Token, base: QTextCharFormat) -> QTextCharFormat:
        if token.type == "link_open":
            return self.style.link(base, str(token.attrGet("href") or ""), str(token.attrGet("title") or ""))
        result = QTextCharFormat(base)
        if token.type == "strong_open":
            result.setFontWeight(QFont.Weight.DemiBold)
        elif token.type == "em_open":
            result.setFontItalic(True)
        else:
            result.setFontStrikeOut(True)
        return result

    def _text(self, text: str, format_: QTextCharFormat, *, linkify: bool) -> None:
        position = 0
        if linkify and "://" in text:
            for match in _BARE_URL.finditer(text):
                url = _trim_url(match[0])
                if is_safe_link(url):
                    if match.start() > position:
                        self.cursor.insertText(text[position : match.start()], format_)
                    self.cursor.insertText(url, self.style.link(format_, url))
                    position = match.start() + len(url)
        if position < len(text):
            self.cursor.insertText(text[position:], format_)

    def _image(self, token: Token, text: QTextCharFormat) -> None:
        """Never fetched: a link with the image's description."""
        label = f"[{token.content or 'image'}]"
        url = str(token.attrGet("src") or "")
        self.cursor.insertText(label, self.style.link(text, url, url) if is_safe_link(url) else text)

    def _mark_chips(self) -> None:
        block = self.cursor.blockFormat()
        if not block.hasProperty(properties.CHIPS):
            block.setProperty(properties.CHIPS, True)
            self.cursor.setBlockFormat(block)

    def _formula(self, latex: str, markup: str, text: QTextCharFormat, *, display: bool) -> None:
        format_ = formula_format(self.style, text, latex, markup, display=display)
        formula = lookup(self.math, format_) if self.math else None
        if self.math is None or (formula is not None and formula.image is None):
            self.cursor.insertText(formula_source(latex, markup, display), self.style.inline_code(text))
            self._mark_chips()
            return
        if formula is not None:
            sit_on_baseline(format_, formula, self.style.families)
        else:
            self.awaits_formulas = True
        self.cursor.insertText(OBJECT, format_)


def formula_source(latex: str, markup: str, display: bool) -> str:
    closing = {"\\(": "\\)", "\\[": "\\]"}.get(markup, markup)
    return " ".join(f"{markup}{latex}{closing}".split()) if display else f"{markup}{latex}{closing}"


def _trim_url(url: str) -> str:
    """Without the punctuation that belongs to the sentence around it."""
    while url and (url[-1] in ".,;:!?*_~" or (url[-1] == ")" and url.count(")") > url.count("("))):
        url = url[:-1]
    return url
