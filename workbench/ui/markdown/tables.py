"""GFM tables as QTextTables, with columns that share a narrow pane sensibly."""

from __future__ import annotations

from dataclasses import dataclass, field

from markdown_it.token import Token
from PySide6.QtCore import Qt
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFont,
    QFontMetricsF,
    QTextFrameFormat,
    QTextLength,
    QTextTable,
    QTextTableFormat,
)

from workbench.ui.markdown import properties
from workbench.ui.markdown.style import MarkdownStyle

MAX_COLUMNS = 60
MAX_ROWS = 2_000
MAX_NATURAL_EM = 28
MAX_WORD_EM = 9
"""A longer word may be broken in a narrow pane."""


@dataclass(slots=True)
class TableCell:
    inline: Token
    alignment: Qt.AlignmentFlag


@dataclass(slots=True)
class TableRows:
    rows: list[list[TableCell]] = field(default_factory=list)

    @property
    def columns(self) -> int:
        return min(MAX_COLUMNS, max((len(row) for row in self.rows), default=1))


def read_rows(tokens: list[Token], start: int) -> tuple[TableRows, int]:
    """The rows of the table opened at `start`, and the index of its closing token."""
    table = TableRows()
    index = start
    while tokens[index].type != "table_close":
        token = tokens[index]
        if token.type == "tr_open":
            table.rows.append([])
        elif token.type in ("th_open", "td_open"):
            style = str(token.attrGet("style") or "")
            alignment = Qt.AlignmentFlag.AlignLeft
            if "right" in style:
                alignment = Qt.AlignmentFlag.AlignRight
            elif "center" in style:
                alignment = Qt.AlignmentFlag.AlignHCenter
            table.rows[-1].append(TableCell(tokens[index + 1], alignment))
        index += 1
    del table.rows[MAX_ROWS:]
    return table, index


def table_format(style: MarkdownStyle, table: TableRows, left: int) -> QTextTableFormat:
    result = QTextTableFormat()
    result.setCellPadding(style.cell_pad_px)
    result.setCellSpacing(0)
    result.setBorder(1)
    result.setBorderCollapse(True)
    result.setBorderBrush(QBrush(QColor(style.tokens.border)))
    result.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
    result.setTopMargin(style.scaled(2))
    result.setBottomMargin(0)
    result.setLeftMargin(left)
    result.setHeaderRowCount(1)
    widths = " ".join(f"{natural}:{word}" for natural, word in _widths(style, table))
    result.setProperty(properties.TABLE_WIDTHS, widths)
    return result


def _widths(style: MarkdownStyle, table: TableRows) -> list[tuple[int, int]]:
    """Width each column would like, and that of its widest word (a long one counts as much shorter), in pixels, padding
    and border included."""
    head_font = QFont(style.font)
    head_font.setWeight(QFont.Weight.DemiBold)
    metrics, head_metrics = QFontMetricsF(style.font), QFontMetricsF(head_font)
    most, longest_word = MAX_NATURAL_EM * style.text_px, MAX_WORD_EM * style.text_px
    widths, words = [0] * table.columns, [0] * table.columns
    for number, row in enumerate(table.rows):
        width_of = (metrics if number else head_metrics).horizontalAdvance
        for column, cell in enumerate(row[:MAX_COLUMNS]):
            text = "".join(child.content for child in cell.inline.children or ())
            is_long = len(text) * 2 > MAX_NATURAL_EM * 3
            width = most if is_long else int(width_of(text) * 1.02) + 2
            widths[column] = max(widths[column], width)
            word = max(text[: most * 2].split(), key=len, default="")
            words[column] = max(words[column], int(width_of(word) * 1.02) + 2)
    around = 2 * style.cell_pad_px + 2
    return [
        (min(width, most) + around, min(width, word, longest_word) + around)
        for width, word in zip(widths, words, strict=True)
    ]


def fit(table: QTextTable, text_width: float, style: MarkdownStyle) -> None:
    """Set the columns' widths: natural where there is room, else shrunk fairly as long as no word must be broken."""
    format_ = table.format().toTableFormat()
    kept = [part.split(":") for part in format_.stringProperty(properties.TABLE_WIDTHS).split()]
    if not kept or text_width <= 0:
        return
    natural, least = [int(width) for width, _word in kept], [int(word) for _width, word in kept]
    available = text_width - format_.leftMargin() - 2
    if sum(natural) <= available:
        widths = natural
    elif sum(least) >= available:  # many columns: narrower than reads well rather than cut off
        narrowest = 2 * style.text_px + 2 * style.cell_pad_px
        widths = [max(narrowest, int(width * available / sum(least))) for width in least]
    else:
        share = (available - sum(least)) / (sum(natural) - sum(least))
        widths = [int(low + (high - low) * share) for low, high in zip(least, natural, strict=True)]
    constraints = [QTextLength(QTextLength.Type.FixedLength, width) for width in widths]
    if format_.columnWidthConstraints() != constraints:
        format_.setColumnWidthConstraints(constraints)
        format_.setWidth(QTextLength(QTextLength.Type.FixedLength, sum(widths) + 1))
        table.setFormat(format_)
