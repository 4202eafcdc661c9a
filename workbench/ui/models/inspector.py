"""What is in a GGUF file: facts, metadata, tensors, chat template. Read in a worker, shown as tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSortFilterProxyModel, Qt, Slot
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPlainTextEdit,
    QStackedWidget,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from workbench.core.gguf import GgufHeader, LazyArray, read_header, split_parts
from workbench.ui.as_written import keep_characters
from workbench.ui.context import Context
from workbench.ui.formats import size_text
from workbench.ui.icons import PushButton
from workbench.ui.models.parts import Notice, Segments
from workbench.ui.settings.section import roomy
from workbench.ui.tr import tr, trn
from workbench.ui.widgets import ElidedLabel, add_clear_button, copy_text, label

LONGEST_VALUE = 300
Index = QModelIndex | QPersistentModelIndex
Rows = list[tuple[str, ...]]


def read_headers(path: Path) -> list[GgufHeader]:
    """Of all files of a model. Raises BadModelFile."""
    first = read_header(path)
    return [first if part == path else read_header(part) for part in split_parts(path, first.facts)]


class RowsModel(QAbstractTableModel):
    def __init__(self, titles: Sequence[str], rows: Rows, parent: QWidget) -> None:
        super().__init__(parent)
        self._titles = titles
        self.rows = rows

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._titles)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return self.rows[index.row()][index.column()]
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self._titles[section]
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        return None


class InspectDialog(QDialog):
    def __init__(
        self,
        context: Context,
        name: str,
        where: str,
        read: Callable[[], Sequence[GgufHeader]],
        parent: QWidget | None = None,
    ) -> None:
        """`read` gives the headers of all files of the model; it runs in a worker."""
        super().__init__(parent)
        self.setWindowTitle(tr("Inside {name}", name=name))
        self.setAccessibleName(self.windowTitle())
        roomy(self, 860, 600)
        self._template = ""
        self._proxies: list[QSortFilterProxyModel] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(10)
        column.addWidget(label(name, "heading"))
        column.addWidget(ElidedLabel(where, "small"))
        tabs = (
            ("metadata", tr("Metadata")),
            ("tensors", tr("Tensors")),
            ("template", tr("Chat template")),
        )
        row = QHBoxLayout()
        self.tabs = Segments(tr("Parts of the file"), tabs)
        self.tabs.chosen.connect(self._show_tab)
        row.addWidget(self.tabs)
        row.addStretch(1)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(tr("Filter"))
        self.filter.setAccessibleName(tr("Filter the rows"))
        add_clear_button(self.filter)
        self.filter.setMinimumWidth(220)
        self.filter.textChanged.connect(self._filter_rows)
        row.addWidget(self.filter)
        column.addLayout(row)
        self.error = Notice()
        column.addWidget(self.error)
        self.stack = QStackedWidget()
        column.addWidget(self.stack, 1)
        buttons = QHBoxLayout()
        self.summary = label(tr("Reading…"), "small")
        buttons.addWidget(self.summary, 1)
        self.copy = PushButton(tr("Copy"), icon_name="copy")
        self.copy.clicked.connect(self._copy)
        buttons.addWidget(self.copy)
        close = PushButton(tr("Close"), primary=True)
        close.setDefault(True)
        close.clicked.connect(self.accept)
        buttons.addWidget(close)
        column.addLayout(buttons)
        self.tabs.select("metadata")
        context.jobs.run(read, self._fill, self._failed, owner=self)

    def _failed(self, error: Any) -> None:
        self.summary.setText("")
        self.error.show_error(error)

    def _fill(self, headers: Sequence[GgufHeader]) -> None:
        first = headers[0]
        facts = first.facts
        self.metadata = self._table((tr("Key"), tr("Value")), metadata_rows(first), (300,))
        titles = (tr("Tensor"), tr("Type"), tr("Shape"), tr("Size"))
        tensors = tensor_rows(headers)
        self.tensors = self._table(titles, tensors, (330, 90, 180))
        self._template = facts.chat_template or ""
        self.template = QPlainTextEdit(self._template or tr("This model has no chat template."))
        self.template.setObjectName("code")
        keep_characters(self.template)
        self.template.setReadOnly(True)
        self.template.setAccessibleName(tr("Chat template"))
        for widget in (self.metadata, self.tensors, self.template):
            self.stack.addWidget(widget)
        parts = [
            tr("GGUF version {number}", number=first.version),
            facts.architecture,
            facts.quantization,
            trn("{count} tensor", "{count} tensors", len(tensors)),
            trn("{count} file", "{count} files", len(headers)) if len(headers) > 1 else "",
        ]
        self.summary.setText(" · ".join(part for part in parts if part))
        self._show_tab("metadata")

    def _table(self, titles: Sequence[str], rows: Rows, widths: Sequence[int]) -> QTableView:
        table = QTableView()
        table.setAccessibleName(titles[0])
        proxy = QSortFilterProxyModel(self)
        proxy.setSourceModel(RowsModel(titles, rows, self))
        proxy.setFilterKeyColumn(-1)
        proxy.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._proxies.append(proxy)
        table.setModel(proxy)
        table.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setTabKeyNavigation(False)
        table.verticalHeader().hide()
        table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        table.verticalHeader().setDefaultSectionSize(table.fontMetrics().height() + 12)
        for column, width in enumerate(widths):
            table.setColumnWidth(column, width)
        table.horizontalHeader().setStretchLastSection(True)
        table.horizontalHeader().setHighlightSections(False)
        return table

    @Slot(str)
    def _show_tab(self, tab: str) -> None:
        at = list(self.tabs.buttons).index(tab)
        if at < self.stack.count():
            self.stack.setCurrentIndex(at)
        self.filter.setVisible(tab != "template")

    @Slot(str)
    def _filter_rows(self, text: str) -> None:
        for proxy in self._proxies:
            proxy.setFilterFixedString(text)

    @Slot()
    def _copy(self) -> None:
        at = self.stack.currentIndex()
        if at == 2:
            copy_text(self._template)
        elif at >= 0:
            model = self._proxies[at].sourceModel()
            assert isinstance(model, RowsModel)
            copy_text("\n".join("\t".join(row) for row in model.rows))


def metadata_rows(header: GgufHeader) -> Rows:
    return [(key, _shortened(value)) for key, value in header.metadata.items()]


def tensor_rows(headers: Sequence[GgufHeader]) -> Rows:
    return [
        (t.name, t.type, " × ".join(map(str, t.shape)), size_text(t.size_bytes) if t.size_bytes is not None else "?")
        for header in headers
        for t in header.tensors
    ]


def _shortened(value: Any) -> str:
    if isinstance(value, LazyArray):
        return trn("{count} value", "{count} values", value.count)
    if isinstance(value, tuple):
        text = ", ".join(map(str, value))
    else:
        text = " ".join(value.split()) if isinstance(value, str) else str(value)
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "…"
