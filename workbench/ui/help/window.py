"""The help window: pages left, the page right, back and forward, search over all of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6 import QtWidgets
from PySide6.QtCore import QModelIndex, QSize, Qt, QTimer, QUrl, Slot
from PySide6.QtGui import QDesktopServices, QKeySequence, QResizeEvent, QShortcut, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QListView, QSplitter, QVBoxLayout, QWidget

from workbench.core.errors import StoreError
from workbench.core.tr import language
from workbench.ui.context import Context
from workbench.ui.help.keyboard_map import WindowActions
from workbench.ui.help.pages import ACTION, FIRST, PAGE_OF_PLACE, HelpPage, mentioned, pages, search
from workbench.ui.help.view import HelpView
from workbench.ui.icons import IconButton
from workbench.ui.theme import LARGEST_SCALE, scaled
from workbench.ui.tr import tr, trn
from workbench.ui.widgets import add_clear_button, announce, label, restyle

PAGE_ROLE = Qt.ItemDataRole.UserRole + 1
LIST_WIDTH = 230
SETTLE_MS = 60
ITEM_PADDING = 46
"""Pixels left and right of a title in the list."""


@dataclass(frozen=True, slots=True)
class Visit:
    page_id: str
    heading: str = ""


class HelpWindow(QDialog):
    """Not modal: it stays beside the window while one tries what it says."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._pages = {page.id: page for page in pages(language())}
        self._visits: list[Visit] = []
        self._at = -1
        self.setWindowTitle(tr("Help"))
        self.setAccessibleName(tr("Help"))
        self.setModal(False)
        self.resize(980, 700)
        self._actions = WindowActions(context.actions)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        splitter = QSplitter()
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(self._make_list())
        splitter.addWidget(self._make_page())
        splitter.setStretchFactor(0, 0)
        splitter.setStretchFactor(1, 1)
        width = scaled(LIST_WIDTH, min(context.theme.scale, LARGEST_SCALE))
        splitter.setSizes([width, self.width() - width])
        column.addWidget(splitter)
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(self.view.redraw)
        context.theme.changed.connect(self._settle.start)
        context.actions.changed.connect(self._settle.start)
        self._add_keys()
        self._list_pages("")

    # --- building ----------------------------------------------------------------------------------------------------
    def _make_list(self) -> QWidget:
        holder = QWidget()
        holder.setObjectName("list")
        column = QVBoxLayout(holder)
        column.setContentsMargins(10, 12, 10, 10)
        column.setSpacing(8)
        self.search = QLineEdit()
        self.search.setPlaceholderText(tr("Search the help"))
        self.search.setAccessibleName(tr("Search the help"))
        add_clear_button(self.search)
        self.search.textChanged.connect(self._list_pages)
        self.search.returnPressed.connect(self._open_first)
        column.addWidget(self.search)
        self.found = label("", "small", wrap=True)
        self.found.hide()
        column.addWidget(self.found)
        self.list = QListView()
        self.list.setObjectName("navigation")
        self.list.setAccessibleName(tr("Help pages"))
        self.list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.list.setMinimumWidth(180)
        self.list.setWordWrap(True)
        self._model = QStandardItemModel(self)
        self.list.setModel(self._model)
        self.list.selectionModel().currentChanged.connect(self._chosen)
        column.addWidget(self.list, 1)
        return holder

    def _make_page(self) -> QWidget:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        row = QHBoxLayout()
        row.setContentsMargins(12, 8, 12, 4)
        self.back = IconButton("arrow-left", tr("Back"))
        self.back.set_title(tr("Back"), QKeySequence(Qt.Modifier.ALT | Qt.Key.Key_Left).toString())
        self.back.clicked.connect(self.go_back)
        self.forward = IconButton("arrow-right", tr("Forward"))
        self.forward.set_title(tr("Forward"), QKeySequence(Qt.Modifier.ALT | Qt.Key.Key_Right).toString())
        self.forward.clicked.connect(self.go_forward)
        row.addWidget(self.back)
        row.addWidget(self.forward)
        row.addStretch(1)
        self.told = label("", "small")
        row.addWidget(self.told)
        self.pdf = IconButton("save", tr("Save this page as PDF, to print it"), text=tr("Save as PDF…"))
        self.pdf.clicked.connect(self._choose_pdf)
        row.addWidget(self.pdf)
        column.addLayout(row)
        self.view = HelpView(self._context.theme, self._actions)
        self.view.followed.connect(self.follow)
        column.addWidget(self.view, 1)
        return holder

    def _add_keys(self) -> None:
        for keys, work in (
            ("Alt+Left", self.go_back),
            ("Alt+Right", self.go_forward),
            ("Ctrl+F", self._focus_search),
            ("Ctrl+P", self._choose_pdf),
            ("F1", self._focus_page),
            ("F6", self._other_side),
        ):
            QShortcut(QKeySequence(keys), self, work)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        QTimer.singleShot(0, self, self._list_again)  # titles wrap at another place

    @Slot()
    def _list_again(self) -> None:
        self._list_pages(self.search.text())

    # --- pages -------------------------------------------------------------------------------------------------------
    @property
    def page_id(self) -> str:
        """The page that is shown."""
        return self._visits[self._at].page_id if self._visits else ""

    def show_page(self, name: str = "") -> None:
        """A page by its id, or what belongs to a place (`history`) or a part of one (`settings.backup`)."""
        page_id, _, heading = name.partition("#")
        page_id = PAGE_OF_PLACE.get(page_id) or PAGE_OF_PLACE.get(page_id.partition(".")[0], page_id)
        self.visit(Visit(page_id if page_id in self._pages else FIRST, heading))
        self._focus_page()

    def visit(self, visit: Visit) -> None:
        if not self._visits or self._visits[self._at] != visit:
            self._visits = [*self._visits[: self._at + 1], visit]
            self._at = len(self._visits) - 1
        self._show()

    @Slot()
    def go_back(self) -> None:
        if self._at > 0:
            self._at -= 1
            self._show()

    @Slot()
    def go_forward(self) -> None:
        if self._at + 1 < len(self._visits):
            self._at += 1
            self._show()

    def _show(self) -> None:
        visit = self._visits[self._at]
        page = self._pages[visit.page_id]
        if "{keyboard}" in page.text or any(action_id not in self._context.actions for action_id in mentioned(page)):
            self._context.shell.build_places()  # of places that were not opened yet: their actions come with them
        words = [] if visit.heading else self.search.text().split()
        self.view.show_page(page, visit.heading, words)
        self.back.setEnabled(self._at > 0)
        self.forward.setEnabled(self._at + 1 < len(self._visits))
        self.setWindowTitle(tr("{page} – Help", page=page.title))
        self.told.setText("")
        announce(self.view, page.title)
        for row in range(self._model.rowCount()):
            if self._model.item(row).data(PAGE_ROLE) == page.id and self.list.currentIndex().row() != row:
                self.list.setCurrentIndex(self._model.index(row, 0))

    @Slot(str)
    def follow(self, link: str) -> None:
        """Go where a link leads. A link that leads out of the help is opened by the system."""
        if link.startswith(ACTION):
            action_id = link.removeprefix(ACTION)
            if action_id in self._context.actions:
                self._context.actions[action_id].trigger()
        elif "://" in link:
            QDesktopServices.openUrl(QUrl(link))
        else:
            page_id, _, heading = link.partition("#")
            self.visit(Visit(page_id if page_id in self._pages else self.page_id, heading))

    # --- the list ----------------------------------------------------------------------------------------------------
    @Slot(str)
    def _list_pages(self, query: str) -> None:
        listed = tuple(self._pages.values())
        query = query.strip()
        current = self.page_id
        hits: list[tuple[HelpPage, str]] = [(page, "") for page in listed]
        if query:
            hits = [(hit.page, hit.snippet) for hit in search(query, listed, self.view.text_of)]
        selection = self.list.selectionModel()
        selection.blockSignals(True)
        self._model.clear()
        metrics = self.list.fontMetrics()
        height, room = metrics.height(), max(self.list.viewport().width() - ITEM_PADDING, 60)
        for page, snippet in hits:
            item = QStandardItem(f"{page.title}\n{snippet}" if snippet else page.title)
            item.setData(page.id, PAGE_ROLE)
            lines = 4 if snippet else min(2, 1 + metrics.horizontalAdvance(page.title) // room)
            item.setSizeHint(QSize(0, height * lines + 16))
            self._model.appendRow(item)
            if page.id == current:
                self.list.setCurrentIndex(self._model.indexFromItem(item))
        selection.blockSignals(False)
        self.list.viewport().update()
        self.found.setVisible(bool(query))
        self.found.setText(trn("{count} page", "{count} pages", len(hits)) if hits else tr("Nothing found."))
        restyle(self.found)

    @Slot(QModelIndex, QModelIndex)
    def _chosen(self, current: QModelIndex, _previous: QModelIndex) -> None:
        page_id = current.data(PAGE_ROLE)
        if isinstance(page_id, str) and (page_id != self.page_id or self.search.text()):
            self.visit(Visit(page_id))

    @Slot()
    def _open_first(self) -> None:
        if self._model.rowCount():
            self.visit(Visit(self._model.item(0).data(PAGE_ROLE)))
            self._focus_page()

    # --- keys --------------------------------------------------------------------------------------------------------
    @Slot()
    def _focus_search(self) -> None:
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    @Slot()
    def _focus_page(self) -> None:
        self.view.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot()
    def _other_side(self) -> None:
        (self.list if self.view.hasFocus() else self.view).setFocus(Qt.FocusReason.TabFocusReason)

    # --- on paper ----------------------------------------------------------------------------------------------------
    @Slot()
    def _choose_pdf(self) -> None:
        start = str(Path.home() / f"{self.page_id}.pdf")
        path, _kind = QtWidgets.QFileDialog.getSaveFileName(self, tr("Save as PDF"), start, "PDF (*.pdf)")
        if path:
            self.save_pdf(path)

    def save_pdf(self, path: str) -> None:
        """Raises nothing: what goes wrong is said."""
        try:
            self.view.save_pdf(path)
        except StoreError as error:
            self._tell(str(error), "bad")
            return
        self._tell(tr("Saved as {path}.", path=path), "good")

    def _tell(self, text: str, name: str) -> None:
        self.told.setText(text)
        self.told.setObjectName(name)
        restyle(self.told)
        announce(self, text)
