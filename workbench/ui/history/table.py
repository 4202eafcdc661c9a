"""The table of runs: rows are read as they come into view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6 import QtWidgets
from PySide6.QtCore import (
    QAbstractTableModel,
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QColor, QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPalette
from PySide6.QtWidgets import (
    QApplication,
    QHeaderView,
    QMenu,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from workbench.ui import icons
from workbench.ui.context import Context
from workbench.ui.history.columns import COLUMNS, spoken
from workbench.ui.history.state import HistoryState
from workbench.ui.theme import scaled
from workbench.ui.tr import tr
from workbench.ui.widgets import mirrored

if TYPE_CHECKING:
    from workbench.store.values import RunRow

Index = QModelIndex | QPersistentModelIndex
ROW_HEIGHT = 34
ID_ROLE = Qt.ItemDataRole.UserRole + 1
ROW_ROLE = Qt.ItemDataRole.UserRole + 2
STRETCHED = "title"
MARGIN = 10
"""Left and right of a cell's text, in pixels."""


class RunModel(QAbstractTableModel):
    def __init__(self, state: HistoryState) -> None:
        super().__init__(state)
        self._state = state
        self.ids: list[str] = []
        """As the view knows them: the state's may be newer until the model is reset."""
        self._places: dict[str, int] | None = None
        state.listed.connect(self._listed)
        state.rows_came.connect(self._rows_came)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.ids)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Vertical:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return tr(COLUMNS[section].title)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if COLUMNS[section].numeric else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self.ids):
            return None
        id_ = self.ids[index.row()]
        if role == ID_ROLE:
            return id_
        if role not in (
            Qt.ItemDataRole.DisplayRole,
            Qt.ItemDataRole.ToolTipRole,
            Qt.ItemDataRole.AccessibleTextRole,
            ROW_ROLE,
        ):
            return None
        row = self._state.row(id_)
        if role == ROW_ROLE:
            return row
        if row is None:
            return "…" if role == Qt.ItemDataRole.DisplayRole else None
        column = COLUMNS[index.column()]
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return spoken(row) if column.id == "time" else f"{tr(column.title)}: {column.told(row)}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.told(row)
        return column.shown_text(row)

    def row_at(self, place: int) -> RunRow | None:
        """None while it is being read, or if there is none."""
        return self._state.row(self.ids[place]) if 0 <= place < len(self.ids) else None

    def place(self, id_: str) -> int:
        """The row of a run, -1 if it is not listed."""
        if self._places is None:
            self._places = {known: place for place, known in enumerate(self.ids)}
        return self._places.get(id_, -1)

    @Slot()
    def _listed(self) -> None:
        self.beginResetModel()
        self.ids, self._places = self._state.ids, None
        self.endResetModel()

    @Slot(list)
    def _rows_came(self, ids: list[str]) -> None:
        places = [place for place in map(self.place, ids) if place >= 0]
        if places:
            self.dataChanged.emit(self.index(min(places), 0), self.index(max(places), len(COLUMNS) - 1))


class RunDelegate(QStyledItemDelegate):
    """A line for each run: quiet numbers, an icon for where it ran, a coloured word where something went wrong."""

    def __init__(self, context: Context, view: QTableView, runs: RunModel) -> None:
        super().__init__(view)
        self._runs = runs
        self._theme = context.theme
        self._view = view
        self.hovered = -1

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        palette = QApplication.palette()
        painter.save()
        painter.fillRect(option.rect, palette.color(QPalette.ColorRole.Base))  # over the style's own selection
        selected = bool(option.state & QtWidgets.QStyle.StateFlag.State_Selected)
        if selected:
            color = QColor(palette.color(QPalette.ColorRole.Highlight))
            color.setAlpha(38)
            painter.fillRect(option.rect, color)
        elif index.row() == self.hovered:
            painter.fillRect(option.rect, palette.color(QPalette.ColorRole.AlternateBase))
        painter.setPen(QColor(self._theme.tokens.border))
        painter.drawLine(option.rect.bottomLeft(), option.rect.bottomRight())
        if index.row() == self._view.currentIndex().row() and self._view.hasFocus():
            bar = QRect(option.rect.left(), option.rect.top(), 3, option.rect.height() - 1)
            if self._view.horizontalHeader().visualIndex(index.column()) == 0:
                painter.fillRect(bar, palette.color(QPalette.ColorRole.Highlight))
        self._paint_text(painter, option, index)
        painter.restore()

    def _paint_text(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        column, row = COLUMNS[index.column()], self._runs.row_at(index.row())  # not as a QVariant: many cells, often
        room = option.rect.adjusted(MARGIN, 0, -MARGIN, 0)
        color = self._color(column.id, row)
        if column.icon is not None and row is not None and not (row.hidden and column.telling):
            area = QRect(room.left(), room.center().y() - 7, 15, 15)
            icons.icon(column.icon(row), color.name(), 15).paint(painter, mirrored(option, area))
            room.setLeft(room.left() + 21)
        painter.setFont(option.font)
        painter.setPen(color)
        side = Qt.AlignmentFlag.AlignRight if column.numeric else Qt.AlignmentFlag.AlignLeft
        text = "…" if row is None else column.shown_text(row)
        text = option.fontMetrics.elidedText(text, Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(mirrored(option, room), side | Qt.AlignmentFlag.AlignVCenter, text)

    def _color(self, column: str, row: Any) -> QColor:
        tokens = self._theme.tokens
        if row is None:
            return QColor(tokens.muted)
        if row.hidden and column == "model":
            return QColor(tokens.muted)
        if column == "status":
            name = {"failed": tokens.bad, "interrupted": tokens.warn, "running": tokens.link}.get(row.status)
            return QColor(name or tokens.muted)
        if column == "judged":
            if row.vote == "won" or row.rating == 1:
                return QColor(tokens.good)
            return QColor(tokens.bad if row.rating == -1 else tokens.muted)
        if column in ("model", "title", "answer"):
            return QColor(tokens.text)
        if column == "where":
            return QColor(tokens.warn if row.remote else tokens.muted)
        return QColor(tokens.muted)


class RunTable(QTableView):
    opened = Signal(str)
    chosen = Signal()
    """Other runs are selected."""
    menu_requested = Signal(QPoint)
    delete_requested = Signal()

    def __init__(self, state: HistoryState, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state, self._context = state, context
        self.setObjectName("historyTable")
        self.setAccessibleName(tr("Runs"))
        self.runs = RunModel(state)
        self.setModel(self.runs)
        self._delegate = RunDelegate(context, self, self.runs)
        self.setItemDelegate(self._delegate)
        self._scaled_to = context.theme.scale
        self._setup_look()
        self._setup_header()
        self._kept: tuple[list[str], str, int] = ([], "", 0)
        self.runs.modelAboutToBeReset.connect(self._keep_selection)
        self.runs.modelReset.connect(self._restore_selection)
        self.selectionModel().selectionChanged.connect(self._selection_changed)
        self.doubleClicked.connect(self._open_index)
        context.theme.changed.connect(self._scale)
        self._scale()

    def _setup_look(self) -> None:
        self.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QTableView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QTableView.EditTrigger.NoEditTriggers)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setMouseTracking(True)
        self.setTabKeyNavigation(False)
        self.setVerticalScrollMode(QTableView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QTableView.ScrollMode.ScrollPerPixel)
        self.setCornerButtonEnabled(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._ask_menu)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)

    def _setup_header(self) -> None:
        header = self.horizontalHeader()
        header.setAccessibleName(tr("Columns"))
        # One of its own, always empty: the header asks of each column whether all of its 100,000 rows are selected.
        header.setSelectionModel(QItemSelectionModel(self.runs, header))
        header.setSectionsMovable(True)
        header.setHighlightSections(False)
        header.setSortIndicatorShown(True)
        header.setSectionsClickable(True)
        header.setMinimumSectionSize(48)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._show_columns_menu)
        metrics = self.fontMetrics()
        for place, column in enumerate(COLUMNS):
            needed = metrics.horizontalAdvance(column.longest()) + 2 * MARGIN if column.longest is not None else 0
            width = max(scaled(column.width, self._scaled_to), header.sectionSizeHint(place), needed)
            header.resizeSection(place, width)
            header.setSectionHidden(place, not column.shown)
        saved = self._context.state.value.history.get("columns")
        if isinstance(saved, dict):
            self._restore_columns(saved)
        header.setSectionResizeMode(_place_of(STRETCHED), QHeaderView.ResizeMode.Stretch)
        self.show_sort()
        header.sectionClicked.connect(self._sort_by)
        header.sectionResized.connect(self.remember_columns)
        header.sectionMoved.connect(self.remember_columns)

    # --- columns and order -----------------------------------------------------------------------------------
    def show_sort(self) -> None:
        """The arrow in the header, as the query has it."""
        query = self._state.query
        place = next((place for place, column in enumerate(COLUMNS) if column.sort == query.sort), 0)
        order = Qt.SortOrder.DescendingOrder if query.descending else Qt.SortOrder.AscendingOrder
        self.horizontalHeader().setSortIndicator(place, order)

    @Slot(int)
    def _sort_by(self, place: int) -> None:
        """A column's first click shows the largest, newest or first by the alphabet; the second turns it round."""
        column, query = COLUMNS[place], self._state.query
        if column.sort:
            numeric = column.numeric or column.id in ("time", "judged", "where")
            descending = not query.descending if query.sort == column.sort else numeric
            self._state.change(sort=column.sort, descending=descending)
        self.show_sort()

    @Slot(QPoint)
    def _show_columns_menu(self, position: QPoint) -> None:
        self.columns_menu().popup(self.horizontalHeader().mapToGlobal(position))

    def columns_menu(self) -> QMenu:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for place, column in enumerate(COLUMNS):
            action = menu.addAction(tr(column.title))
            action.setCheckable(True)
            action.setChecked(not self.isColumnHidden(place))
            action.setEnabled(column.id != STRETCHED)
            action.setData(place)
        menu.triggered.connect(self._toggle_column)
        return menu

    def _toggle_column(self, action: Any) -> None:
        self.setColumnHidden(int(action.data()), not action.isChecked())
        self.remember_columns()

    @Slot()
    def remember_columns(self, *_: int) -> None:
        header = self.horizontalHeader()
        order = sorted(range(len(COLUMNS)), key=header.visualIndex)
        columns = {
            "order": [COLUMNS[place].id for place in order],
            "hidden": [COLUMNS[place].id for place in order if header.isSectionHidden(place)],
            "widths": {
                COLUMNS[place].id: round(header.sectionSize(place) * 100 / self._scaled_to)
                for place in order
                if not header.isSectionHidden(place) and COLUMNS[place].id != STRETCHED
            },
        }
        self._context.state.value.history = {**self._context.state.value.history, "columns": columns}
        self._context.state.touch()

    def _restore_columns(self, saved: dict[str, Any]) -> None:
        header = self.horizontalHeader()
        places = {column.id: place for place, column in enumerate(COLUMNS)}
        order = [places[id_] for id_ in saved.get("order", []) if id_ in places]
        for visual, place in enumerate(order):
            header.moveSection(header.visualIndex(place), visual)
        for id_, width in saved.get("widths", {}).items():
            if id_ in places and isinstance(width, int):
                header.resizeSection(places[id_], scaled(max(width, 48), self._scaled_to))
        if "hidden" in saved:
            for id_, place in places.items():
                header.setSectionHidden(place, id_ in saved["hidden"])

    # --- selection -------------------------------------------------------------------------------------------
    def selected_ids(self) -> list[str]:
        """In the order of the list. Ranges are asked, not indexes: all of 100,000 may be selected."""
        ranges = sorted((r.top(), r.bottom()) for r in self.selectionModel().selection().toList())
        ids = self.runs.ids
        return list(dict.fromkeys(id_ for top, bottom in ranges for id_ in ids[top : bottom + 1]))

    def current_id(self) -> str:
        id_ = self.currentIndex().data(ID_ROLE)
        return id_ if isinstance(id_, str) else ""

    def select_id(self, id_: str) -> None:
        place = self.runs.place(id_)
        if place >= 0:
            self.selectRow(place)
            self.scrollTo(self.runs.index(place, 0))

    @Slot()
    def _keep_selection(self) -> None:
        count = sum(r.height() for r in self.selectionModel().selection().toList())
        ids = self.selected_ids() if count <= 1000 else []
        self._kept = (ids, self.current_id(), self.verticalScrollBar().value())

    @Slot()
    def _restore_selection(self) -> None:
        ids, current, scroll = self._kept
        selection = QItemSelection()
        last = len(COLUMNS) - 1
        for place in (self.runs.place(id_) for id_ in ids):
            if place >= 0:
                selection.select(self.runs.index(place, 0), self.runs.index(place, last))
        flag = QItemSelectionModel.SelectionFlag
        place = self.runs.place(current) if current else -1
        if place >= 0:
            self.selectionModel().setCurrentIndex(self.runs.index(place, 0), flag.NoUpdate)
        self.selectionModel().select(selection, flag.ClearAndSelect)
        self.verticalScrollBar().setValue(scroll)
        self.chosen.emit()

    @Slot()
    def _selection_changed(self, *_: object) -> None:
        self.chosen.emit()

    # --- events ----------------------------------------------------------------------------------------------
    @Slot(QModelIndex)
    def _open_index(self, index: QModelIndex) -> None:
        id_ = index.data(ID_ROLE)
        if isinstance(id_, str):
            self.opened.emit(id_)

    @Slot(QPoint)
    def _ask_menu(self, position: QPoint) -> None:
        self.menu_requested.emit(self.viewport().mapToGlobal(position))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.current_id():
            self.opened.emit(self.current_id())
        elif event.key() == Qt.Key.Key_Delete:
            self.delete_requested.emit()
        else:
            super().keyPressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self._hover(self.indexAt(event.position().toPoint()).row())

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover(-1)

    def _hover(self, row: int) -> None:
        if row != self._delegate.hovered:
            self._delegate.hovered = row
            self.viewport().update()

    @Slot()
    def _scale(self) -> None:
        scale = self._context.theme.scale
        self.verticalHeader().setDefaultSectionSize(scaled(ROW_HEIGHT, scale))
        if scale != self._scaled_to:
            header, before = self.horizontalHeader(), self._scaled_to
            self._scaled_to = scale
            for place, column in enumerate(COLUMNS):
                if column.id != STRETCHED and not header.isSectionHidden(place):
                    header.resizeSection(place, round(header.sectionSize(place) * scale / before))
        self.viewport().update()

    def sizeHint(self) -> QSize:
        return QSize(QFontMetrics(self.font()).averageCharWidth() * 90, 400)


def _place_of(column_id: str) -> int:
    return next(place for place, column in enumerate(COLUMNS) if column.id == column_id)
