"""A document as plain data, to compare two documents exactly."""

from __future__ import annotations

from typing import Any

from PySide6.QtGui import QBrush, QTextCursor, QTextDocument, QTextFormat, QTextLength


def _value(value: Any) -> Any:
    if isinstance(value, QBrush):
        return value.color().name()
    if isinstance(value, QTextLength):
        return (value.type().name, value.rawValue())
    if isinstance(value, list | tuple):
        return [_value(part) for part in value]
    return value if isinstance(value, str | int | float | bool) else str(value)


def _format(format_: QTextFormat) -> list[tuple[int, Any]]:
    # The object index is a running number of Qt's, it says nothing about what is shown.
    skip = QTextFormat.Property.ObjectIndex.value
    return sorted((key, _value(value)) for key, value in format_.properties().items() if key != skip)


def canonical(document: QTextDocument) -> list[Any]:
    """Every block with its format, its fragments with theirs, and the tables it stands in."""
    result: list[Any] = []
    block = document.begin()
    while block.isValid():
        fragments = []
        iterator = block.begin()
        while not iterator.atEnd():
            fragment = iterator.fragment()
            fragments.append((fragment.text(), _format(fragment.charFormat())))
            iterator += 1
        table = QTextCursor(block).currentTable()
        place: Any = None
        if table is not None:
            cell = table.cellAt(block.position())
            place = (table.rows(), table.columns(), cell.row(), cell.column(), _format(table.format()))
        result.append((_format(block.blockFormat()), _format(block.charFormat()), place, fragments))
        block = block.next()
    return result
