"""Bundled help (F1): short pages, shown with the program's own markdown."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QModelIndex, QSize, Qt, Slot
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QDialog, QHBoxLayout, QListView, QWidget

from workbench.core.paths import bundled
from workbench.ui.theme import Theme
from workbench.ui.tr import tr
from workbench.ui.transcript import TranscriptItem, TranscriptView

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

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setWindowTitle(tr("Help"))
        self.setAccessibleName(tr("Help"))
        self.resize(820, 560)
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 12, 12, 12)
        row.setSpacing(12)
        self.list = QListView()
        self.list.setAccessibleName(tr("Help pages"))
        self.list.setObjectName("navigation")
        self.list.setFixedWidth(200)
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
        self.text = TranscriptView()
        self.text.setAccessibleName(tr("Help text"))
        row.addWidget(self.text, 1)
        theme.changed.connect(self._theme_changed)
        self._theme_changed()
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
            text = Path(path).read_text(encoding="utf-8")
            self.text.set_items([TranscriptItem(key=path, role="assistant", text=text)])
            self.text.verticalScrollBar().setValue(0)

    @Slot()
    def _theme_changed(self) -> None:
        self.text.set_tokens(self._theme.tokens)
        self.text.set_text_scale(self._theme.scale)
