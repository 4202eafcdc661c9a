"""Bundled help (F1): short pages, shown with the program's own markdown."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QModelIndex, QSize, Qt, Slot
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QDialog, QHBoxLayout, QListView, QTextBrowser, QWidget

from workbench.core.paths import bundled
from workbench.ui.tr import tr

PATH_ROLE = Qt.ItemDataRole.UserRole + 1


def pages() -> list[tuple[str, str, Path]]:
    """(id, title, file) of every help page, in order of their file names."""
    found = []
    for path in sorted((bundled("resources") / "help").glob("*.md")):
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        found.append((path.stem.partition("-")[2] or path.stem, first.lstrip("# ").strip(), path))
    return found


class HelpWindow(QDialog):
    """A list of pages and the chosen one. Links to other sites are not followed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Help"))
        self.setAccessibleName(tr("Help"))
        self.resize(820, 560)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 12, 12, 12)
        row.setSpacing(12)
        self.list = QListView()
        self.list.setAccessibleName(tr("Help pages"))
        self.list.setFixedWidth(190)
        self.list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self._model = QStandardItemModel(self)
        for page_id, title, path in pages():
            item = QStandardItem(title)
            item.setData(str(path), PATH_ROLE)
            item.setData(page_id, PATH_ROLE + 1)
            item.setSizeHint(QSize(0, 32))
            self._model.appendRow(item)
        self.list.setModel(self._model)
        self.list.selectionModel().currentChanged.connect(self._show_index)
        row.addWidget(self.list)
        self.text = QTextBrowser()
        self.text.setObjectName("card")
        self.text.setAccessibleName(tr("Help text"))
        self.text.setOpenLinks(False)
        self.text.document().setDocumentMargin(16)
        row.addWidget(self.text, 1)
        self.show_page("")

    def show_page(self, page_id: str) -> None:
        for row in range(self._model.rowCount()):
            if self._model.item(row).data(PATH_ROLE + 1) == page_id:
                self.list.setCurrentIndex(self._model.index(row, 0))
                return
        self.list.setCurrentIndex(self._model.index(0, 0))

    @Slot(QModelIndex, QModelIndex)
    def _show_index(self, current: QModelIndex, _previous: QModelIndex) -> None:
        path = current.data(PATH_ROLE)
        if path:
            self.text.setMarkdown(Path(path).read_text(encoding="utf-8"))
