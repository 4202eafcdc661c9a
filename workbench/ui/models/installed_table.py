"""The table of installed models: a sortable model over the inventory, and how its first column is painted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QSize,
    QSortFilterProxyModel,
    Qt,
    Slot,
)
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from workbench.ui.choice_list import match
from workbench.ui.formats import count_text, number, size_text
from workbench.ui.models.formats import age_text, source_text, tokens_text
from workbench.ui.models.inventory import InstalledModel
from workbench.ui.models.parts import Row
from workbench.ui.models.state import ModelsState
from workbench.ui.theme import Theme
from workbench.ui.tr import mark, tr

Index = QModelIndex | QPersistentModelIndex
MODEL_ROLE = Qt.ItemDataRole.UserRole + 1
SORT_ROLE = Qt.ItemDataRole.UserRole + 2
NAME, PARAMETERS, QUANTIZATION, SIZE, CONTEXT, SOURCE, USED = range(7)
TITLES = (
    mark("Model"),
    mark("Parameters"),
    mark("Quantisation"),
    mark("Size"),
    mark("Context"),
    mark("Found in"),
    mark("Last used"),
)
TEXTS: dict[int, Callable[[InstalledModel], str]] = {
    NAME: lambda model: model.name,
    PARAMETERS: lambda model: count_text(model.info.parameters),
    QUANTIZATION: lambda model: model.info.quantization,
    SIZE: lambda model: size_text(model.found.size_bytes),
    CONTEXT: lambda model: tokens_text(model.info.context_length),
    SOURCE: lambda model: source_text(model.source.removesuffix(" cache")),
    USED: lambda model: age_text(model.last_used) or tr("never"),
}
KEYS: dict[int, Callable[[InstalledModel], Any]] = {
    NAME: lambda model: model.name.casefold(),
    PARAMETERS: lambda model: float(model.info.parameters or 0),
    QUANTIZATION: lambda model: model.info.quantization,
    SIZE: lambda model: float(model.found.size_bytes),
    CONTEXT: lambda model: float(model.info.context_length or 0),
    SOURCE: lambda model: model.source,
    USED: lambda model: model.last_used,
}


class InstalledTable(QAbstractTableModel):
    def __init__(self, state: ModelsState) -> None:
        super().__init__(state)
        self._state = state
        self._rows: list[InstalledModel] = list(state.models)
        state.installed_changed.connect(self._take_over)
        state.loaded_changed.connect(self._loaded_changed)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(TITLES)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return tr(TITLES[section])
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not 0 <= index.row() < len(self._rows):
            return None
        model = self._rows[index.row()]
        if role == MODEL_ROLE:
            return model
        if role == Qt.ItemDataRole.DisplayRole:
            return TEXTS[index.column()](model)
        if role == SORT_ROLE:
            return KEYS[index.column()](model)
        if role == Qt.ItemDataRole.ToolTipRole:
            return str(model.found.path)
        if role == Qt.ItemDataRole.AccessibleTextRole and index.column() == NAME:
            return f"{model.name}, {self.status(model)}"
        return None

    def status(self, model: InstalledModel) -> str:
        if model.id in self._state.loading:
            return tr("loading, {percent} %", percent=number(self._state.loading[model.id] * 100))
        if not self._state.is_loaded(model):
            return tr("not loaded")
        running = self._state.loaded[str(model.found.path)].running
        return tr("answering") if running else tr("loaded")

    @Slot()
    def _take_over(self) -> None:
        rows = self._state.models
        if rows != self._rows:
            self.beginResetModel()
            self._rows = list(rows)
            self.endResetModel()

    @Slot()
    def _loaded_changed(self) -> None:
        if self._rows:
            self.dataChanged.emit(self.index(0, NAME), self.index(len(self._rows) - 1, NAME))


class InstalledProxy(QSortFilterProxyModel):
    """Sorts by values, and keeps what has the typed words."""

    def __init__(self, source: InstalledTable) -> None:
        super().__init__(source)
        self._query = ""
        self.setSourceModel(source)
        self.setSortRole(SORT_ROLE)

    def set_query(self, query: str) -> None:
        self._query = query.strip()
        self.invalidate()

    def filterAcceptsRow(self, source_row: int, source_parent: Index) -> bool:
        if not self._query:
            return True
        model: InstalledModel = self.sourceModel().index(source_row, 0, source_parent).data(MODEL_ROLE)
        text = f"{model.name} {model.info.quantization} {model.source} {model.found.repo_id} {model.info.architecture}"
        return match(self._query, text) is not None


class InstalledDelegate(QStyledItemDelegate):
    """The name with a mark for what is loaded, its repository below; other columns as plain text."""

    def __init__(self, table: InstalledTable, theme: Theme) -> None:
        super().__init__(table)
        self._table = table
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(60, option.fontMetrics.height() * 2 + 16)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        tokens = self._theme.tokens
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        if selected:
            painter.fillRect(option.rect, QColor(tokens.selected))
        painter.setPen(QColor(tokens.border))
        painter.drawLine(option.rect.bottomLeft(), option.rect.bottomRight())
        if selected and index.column() == NAME and option.widget is not None and option.widget.hasFocus():
            bar = QRect(option.rect.left(), option.rect.top(), 3, option.rect.height() - 1)
            painter.fillRect(QStyle.visualRect(option.direction, option.rect, bar), QColor(tokens.accent))
        room = QStyle.visualRect(option.direction, option.rect, option.rect.adjusted(9, 6, -8, -6))
        row = Row(painter, room, option.direction)
        if index.column() == NAME:
            self._name(row, option.font, index)
        else:
            muted = index.column() in (SOURCE, USED)
            area = QRect(0, 0, room.width(), room.height())
            row.text(str(index.data() or "–"), area, option.font, tokens.muted if muted else tokens.text)
        painter.restore()

    def _name(self, row: Row, font: QFont, index: Index) -> None:
        tokens = self._theme.tokens
        model: InstalledModel = index.data(MODEL_ROLE)
        status = self._table.status(model)
        loaded = status != tr("not loaded")
        strong, small = QFont(font), QFont(font)
        strong.setWeight(QFont.Weight.DemiBold)
        small.setPixelSize(max(font.pixelSize() - 2, 8))
        height, lower, width = QFontMetrics(strong).height(), QFontMetrics(small).height(), row.room.width()
        left = 0
        if loaded:
            row.painter.setBrush(QColor(tokens.good))
            row.painter.setPen(Qt.PenStyle.NoPen)
            row.painter.drawEllipse(row.place(QRect(left, height // 2 - 4, 8, 8)))
            left += 14
        middle = Qt.TextElideMode.ElideMiddle
        row.text(model.name, QRect(left, 0, width - left, height), strong, tokens.text, middle)
        origin = tr("Comes with the program") if model.bundled else model.found.repo_id or str(model.found.path.parent)
        text = f"{status} · {origin}" if loaded else origin
        color = tokens.good if loaded else tokens.muted
        row.text(text, QRect(0, height + 2, width, lower), small, color, middle)
