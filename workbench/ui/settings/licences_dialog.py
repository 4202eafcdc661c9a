"""What the program is made of: every component with its version and its licence in full, to search and to copy."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QSize, Qt, Slot
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QPlainTextEdit,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from workbench.services.licences import Component, as_text
from workbench.ui.icons import PushButton
from workbench.ui.settings.section import roomy
from workbench.ui.tr import mark, tr, trn
from workbench.ui.widgets import add_clear_button, copy_text, label

KINDS = {
    "program": mark("This program"),
    "engine": mark("Engine"),
    "model": mark("Model"),
    "package": mark("Python package"),
    "library": mark("Library"),
    "font": mark("Font"),
    "icons": mark("Icons"),
    "data": mark("Data"),
}
COMPONENT_ROLE = Qt.ItemDataRole.UserRole + 1


class LicencesDialog(QDialog):
    def __init__(self, listed: list[Component], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Licences"))
        self.setAccessibleName(tr("Licences"))
        roomy(self, 1000, 640)
        self._listed = listed
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        self.search = QLineEdit()
        self.search.setPlaceholderText(tr("Search names, licences and their texts"))
        self.search.setAccessibleName(tr("Search names, licences and their texts"))
        add_clear_button(self.search)
        self.search.textChanged.connect(self._filter)
        column.addWidget(self.search)
        splitter = QSplitter()
        splitter.setChildrenCollapsible(False)
        self.list = QListView()
        self.list.setObjectName("navigation")
        self.list.setAccessibleName(tr("Components"))
        self.list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.list.setMinimumWidth(220)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._model = QStandardItemModel(self)
        self.list.setModel(self._model)
        self.list.selectionModel().currentChanged.connect(self._chosen)
        splitter.addWidget(self.list)
        splitter.addWidget(self._make_text())
        splitter.setStretchFactor(0, 1)
        splitter.setStretchFactor(1, 2)
        column.addWidget(splitter, 1)
        row = QHBoxLayout()
        self.count = label("", "muted")
        row.addWidget(self.count)
        row.addStretch(1)
        for text, work in ((tr("Copy this one"), self._copy_one), (tr("Copy all"), self._copy_all)):
            button = PushButton(text, icon_name="copy")
            button.setAutoDefault(False)
            button.clicked.connect(work)
            row.addWidget(button)
        close = PushButton(tr("Close"), primary=True)
        close.setDefault(True)
        close.clicked.connect(self.accept)
        row.addWidget(close)
        column.addLayout(row)
        self._filter("")

    def _make_text(self) -> QWidget:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(8, 0, 0, 0)
        self.heading = label("", "sectionTitle", wrap=True, selectable=True)
        column.addWidget(self.heading)
        self.facts = label("", "small", wrap=True, selectable=True)
        column.addWidget(self.facts)
        self.text = QPlainTextEdit()
        self.text.setObjectName("code")
        self.text.setReadOnly(True)
        self.text.setAccessibleName(tr("Text of the licence"))
        column.addWidget(self.text, 1)
        return holder

    @Slot(str)
    def _filter(self, query: str) -> None:
        words = query.lower().split()
        named, told = [], []
        for entry in self._listed:
            head = f"{entry.name} {entry.version} {entry.licence} {tr(KINDS[entry.kind])}".lower()
            if all(word in head for word in words):
                named.append(entry)
            elif words and all(word in head or word in entry.text.lower() for word in words):
                told.append(entry)
        self._model.clear()
        height = self.list.fontMetrics().height() + 14
        for entry in (*named, *told):
            item = QStandardItem(f"{entry.name}  ·  {entry.licence}")
            item.setData(entry, COMPONENT_ROLE)
            item.setToolTip(f"{entry.name} {entry.version} · {entry.licence}")
            item.setSizeHint(QSize(0, height))
            self._model.appendRow(item)
        found = self._model.rowCount()
        self.count.setText(trn("{count} component", "{count} components", found))
        if found:
            self.list.setCurrentIndex(self._model.index(0, 0))
        else:
            self.heading.setText(tr("Nothing found"))
            self.facts.setText("")
            self.text.setPlainText("")

    @Slot(QModelIndex, QModelIndex)
    def _chosen(self, current: QModelIndex, _previous: QModelIndex) -> None:
        entry = current.data(COMPONENT_ROLE)
        if isinstance(entry, Component):
            self.heading.setText(f"{entry.name} {entry.version}".strip())
            self.facts.setText(
                " · ".join(part for part in (tr(KINDS[entry.kind]), entry.licence, entry.homepage) if part)
            )
            self.text.setPlainText(entry.text)

    @Slot()
    def _copy_one(self) -> None:
        entry = self.list.currentIndex().data(COMPONENT_ROLE)
        if isinstance(entry, Component):
            copy_text(as_text([entry]))

    @Slot()
    def _copy_all(self) -> None:
        copy_text(as_text(self._listed))
