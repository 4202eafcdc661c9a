"""GFM tables as QTextTables, with columns that share a narrow pane sensibly."""

from __future__ import annotations

from dataclasses import dataclass, field

from markdown_it.token import Token
from PySide6.QtCore import Qt
from PySide6.QtGui import QBrush, QColor, QFontMetricsF, QTextFrameFormat, QTextLength, QTextTable, QTextTableFormat

from workbench.ui.markdown import properties
from workbench.ui.markdown.style import MarkdownStyle

MAX_COLUMNS = 60
MAX_ROWS = 2_000
MAX_NATURAL_EM = 28
MIN_EM = 5


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
    result.setProperty(properties.TABLE_WIDTHS, " ".join(str(width) for width in _natural_widths(style, table)))
    return result


def _natural_widths(style: MarkdownStyle, table: TableRows) -> list[int]:
    """Width each column would like, in pixels, padding and border included."""
    metrics = QFontMetricsF(style.font)
    widths = [0] * table.columns
    for number, row in enumerate(table.rows):
        for column, cell in enumerate(row[:MAX_COLUMNS]):
            text = "".join(child.content for child in cell.inline.children or ())
            if len(text) * 2 > MAX_NATURAL_EM * 3:
                width = MAX_NATURAL_EM * style.text_px
            else:
                width = int(metrics.horizontalAdvance(text) * (1.08 if number == 0 else 1.02)) + 2
            widths[column] = max(widths[column], width)
    return [min(width, MAX_NATURAL_EM * style.text_px) + 2 * style.cell_pad_px + 2 for width in widths]


def fit(table: QTextTable, text_width: float, style: MarkdownStyle) -> None:
    """Set the columns' widths: natural where there is room, else shrunk fairly down to a readable minimum."""
    format_ = table.format().toTableFormat()
    natural = [int(part) for part in format_.stringProperty(properties.TABLE_WIDTHS).split()]
    if not natural or text_width <= 0:
        return
    available = text_width - format_.leftMargin() - 2
    least = [min(width, MIN_EM * style.text_px + 2 * style.cell_pad_px) for width in natural]
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
