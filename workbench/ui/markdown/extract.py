"""Text out of a rendered document: as it reads, or as markdown again."""

from __future__ import annotations

from dataclasses import dataclass, field

from PySide6.QtGui import QFont, QTextBlock, QTextCharFormat, QTextCursor, QTextDocument, QTextTable

from workbench.ui.markdown import properties
from workbench.ui.markdown.writer import LINE_BREAK, OBJECT, formula_source


@dataclass(slots=True)
class _Group:
    """Lines that belong together: one paragraph, list, code block or table."""

    kind: str
    lines: list[str] = field(default_factory=list)
    language: str = ""
    prefix: str = ""


def text_between(document: QTextDocument, start: int, end: int, *, markdown: bool = False) -> str:
    """The text from `start` to `end`, positions of the document; markers, formulas and table cells included."""
    groups: list[_Group] = []
    last = document.characterCount() - 1
    end = min(end, last)
    block = document.findBlock(max(0, min(start, last)))
    while block.isValid() and (block.position() < end or block.position() == start):
        _add_block(groups, block, start, end, markdown)
        block = block.next()
    return "\n\n".join(_join(group, markdown) for group in groups)


def _add_block(groups: list[_Group], block: QTextBlock, start: int, end: int, markdown: bool) -> None:
    format_ = block.blockFormat()
    if format_.hasProperty(properties.THIN) or format_.hasProperty(properties.CODE_HEADER):
        return
    code = format_.intProperty(properties.CODE)
    text = _inline(block, start, end, markdown and not code)
    table = QTextCursor(block).currentTable()
    quotes = len(format_.stringProperty(properties.QUOTES).split())
    prefix = "> " * quotes if markdown else ""
    if table is not None:
        _add_cell(groups, table, block, text, prefix, markdown)
        return
    if code:
        kind = f"code{code}"
        language = format_.stringProperty(properties.LANGUAGE)
        if groups and groups[-1].kind == kind:
            groups[-1].lines.append(text)
        else:
            indent = "   " * (format_.indent() - quotes) if markdown else ""
            groups.append(_Group(kind, [text], language, prefix + indent))
        return
    if format_.hasProperty(properties.RULE):
        groups.append(_Group("rule", ["---"], prefix=prefix))
        return
    in_list = format_.hasProperty(properties.IN_LIST)
    if start <= block.position():
        text = _marker(format_.stringProperty(properties.MARKERS), in_list, format_.indent() - quotes, markdown) + text
        if markdown and format_.headingLevel():
            text = "#" * format_.headingLevel() + " " + text
    kind = f"list{quotes}" if in_list else "paragraph"
    if in_list and groups and groups[-1].kind == kind:
        groups[-1].lines.append(text)
    else:
        groups.append(_Group(kind, text.split("\n"), prefix=prefix))


def _add_cell(
    groups: list[_Group], table: QTextTable, block: QTextBlock, text: str, prefix: str, markdown: bool
) -> None:
    cell = table.cellAt(block.position())
    kind = f"table{table.firstPosition()}"
    if not groups or groups[-1].kind != kind:
        groups.append(_Group(kind, [], prefix=prefix))
    group = groups[-1]
    separator = " | " if markdown else "\t"
    if cell.column() == 0 or not group.lines:
        group.lines.append(text)
    else:
        group.lines[-1] += separator + text
    if markdown and cell.column() == table.columns() - 1:
        group.lines[-1] = f"| {group.lines[-1]} |"
        if cell.row() == 0:
            group.lines.append("|" + " --- |" * table.columns())


def _join(group: _Group, markdown: bool) -> str:
    lines = group.lines
    if markdown and group.kind.startswith("code"):
        longest = max((len(line) - len(line.lstrip("`")) for line in lines), default=0)
        fence = "`" * max(3, longest + 1)
        lines = [f"{fence}{group.language}", *lines, fence]
    return "\n".join(f"{group.prefix}{line}".rstrip() if group.prefix else line for line in lines)


def _marker(markers: str, in_list: bool, indent: int, markdown: bool) -> str:
    if not in_list:
        return ""
    spaces = "  " if not markdown else "   "
    if not markers:
        return spaces * indent
    names = {"b": "- " if markdown else "• ", "t0": "[ ] ", "t1": "[x] "}
    result = spaces * max(0, indent - len(markers.split()))
    for marker in markers.split():
        kind = marker.split(":", 1)[1]
        if kind[0] == "n":
            result += kind[1:] + " "
        elif kind[0] == "t":
            result += ("- " if markdown else "") + names[kind]
        else:
            result += names["b"]
    return result


def _inline(block: QTextBlock, start: int, end: int, markdown: bool) -> str:
    parts: list[str] = []
    iterator = block.begin()
    while not iterator.atEnd():
        fragment = iterator.fragment()
        first = max(start, fragment.position())
        last = min(end, fragment.position() + fragment.length())
        if first < last:
            # Characters beyond the Basic Multilingual Plane take two places in the document.
            utf16 = fragment.text().encode("utf-16-le", "surrogatepass")
            begin = first - fragment.position()
            piece = utf16[begin * 2 : (last - fragment.position()) * 2].decode("utf-16-le", "replace")
            parts.append(_fragment(piece, fragment.charFormat(), markdown))
        iterator += 1
    return "".join(parts)


def _fragment(text: str, format_: QTextCharFormat, markdown: bool) -> str:
    if format_.objectType() == properties.MATH_OBJECT:
        source = formula_source(
            format_.stringProperty(properties.MATH),
            format_.stringProperty(properties.MATH_MARKUP),
            format_.boolProperty(properties.MATH_DISPLAY),
        )
        return text.replace(OBJECT, source)
    text = text.replace(LINE_BREAK, "\\\n" if markdown else "\n")
    if not markdown:
        return text
    if format_.hasProperty(properties.INLINE_CODE):
        text = f"`{text}`"
    elif format_.fontStrikeOut():
        text = f"~~{text}~~"
    if format_.fontItalic() and not format_.hasProperty(properties.INLINE_CODE) and text.strip():
        text = f"*{text}*"
    if format_.fontWeight() >= QFont.Weight.DemiBold and not _is_heading(format_) and text.strip():
        text = f"**{text}**"
    if format_.isAnchor() and format_.anchorHref() != text:
        text = f"[{text}]({format_.anchorHref()})"
    return text


def _is_heading(format_: QTextCharFormat) -> bool:
    return format_.hasProperty(QTextCharFormat.Property.FontPixelSize.value) and not format_.hasProperty(
        properties.INLINE_CODE
    )
