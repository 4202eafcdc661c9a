"""Searching: the field and its filters, the list that grows as it is scrolled, and the opened repository."""

from __future__ import annotations

import datetime

from PySide6.QtCore import QEvent, QModelIndex, QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QProgressBar,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from workbench.hub.repos import SearchQuery
from workbench.ui.context import Context
from workbench.ui.flow import FlowLayout
from workbench.ui.formats import date
from workbench.ui.icons import PushButton
from workbench.ui.models.formats import LICENSES, SIZES, SORTS, TASKS
from workbench.ui.models.parts import EmptyState, Notice
from workbench.ui.models.repository import Repository
from workbench.ui.models.repository_panel import RepositoryPanel
from workbench.ui.models.results import REPO_ROLE, ResultDelegate, ResultsModel
from workbench.ui.models.search import Search
from workbench.ui.models.state import ModelsState
from workbench.ui.tr import tr
from workbench.ui.widgets import add_clear_button, announce, label

BROWSE_MS = 150
NEAR_END_PX = 400


class DiscoverView(QWidget):
    chat_requested = Signal(str)
    downloads_requested = Signal()

    def __init__(self, context: Context, state: ModelsState) -> None:
        super().__init__()
        self._context, self._state = context, state
        self.search = Search(context, state.hub, self)
        self.repository = Repository(context, state.hub, self)
        self._browse_timer = QTimer(self)
        self._browse_timer.setSingleShot(True)
        self._browse_timer.setInterval(BROWSE_MS)
        self._browse_timer.timeout.connect(self._browse)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._make_bar())
        self.splitter = QSplitter()
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self._make_list())
        self.panel = RepositoryPanel(context, state, self.repository)
        self.panel.setObjectName("chatMain")
        self.panel.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.panel.chat_requested.connect(self.chat_requested)
        self.panel.downloads_requested.connect(self.downloads_requested)
        self.splitter.addWidget(self.panel)
        self.splitter.setStretchFactor(0, 2)
        self.splitter.setStretchFactor(1, 3)
        self.splitter.setSizes([430, 760])
        column.addWidget(self.splitter, 1)
        self.search.changed.connect(self._show)
        context.settings.changed.connect(self._show)
        self._show()
        self.search.browse(self.query())

    # --- building --------------------------------------------------------------------------------------------
    def _make_bar(self) -> QWidget:
        bar = QFrame()
        column = QVBoxLayout(bar)
        column.setContentsMargins(20, 4, 20, 12)
        column.setSpacing(8)
        row = QHBoxLayout()
        row.setSpacing(8)
        self.field = QLineEdit()
        self.field.setPlaceholderText(tr("Search Hugging Face for models, for example “qwen3 4b”"))
        self.field.setAccessibleName(tr("Search for models"))
        add_clear_button(self.field)
        self.field.textChanged.connect(self._typed)
        self.field.returnPressed.connect(self.run)
        self.field.installEventFilter(self)
        row.addWidget(self.field, 1)
        self.go = PushButton(tr("Search"), icon_name="search", primary=True)
        self.go.clicked.connect(self.run)
        row.addWidget(self.go)
        self.stop = PushButton(tr("Stop"), icon_name="square")
        self.stop.clicked.connect(self.search.stop)
        row.addWidget(self.stop)
        column.addLayout(row)
        column.addLayout(self._make_filters())
        return bar

    def _make_filters(self) -> FlowLayout:
        row = FlowLayout(spacing=8)
        self.task, self.parameters, self.license, self.sort = (QComboBox() for _ in range(4))
        for value, title in TASKS:
            self.task.addItem(tr(title), value)
        for low, high, title in SIZES:
            self.parameters.addItem(tr(title), (low, high))
        for value, title in LICENSES:
            self.license.addItem(tr(title), value)
        for value, title in SORTS:
            self.sort.addItem(tr(title), value)
        names = (
            (self.task, tr("Task")),
            (self.parameters, tr("Size")),
            (self.license, tr("Licence")),
            (self.sort, tr("Sort by")),
        )
        for combo, name in names:
            combo.setAccessibleName(name)
            combo.setToolTip(name)
            # the bundled list has no downloads or dates: an order is a question to the Hub
            combo.activated.connect(self.run if combo is self.sort else self._filtered)
            row.addWidget(combo)
        self.fits = QCheckBox(tr("Fits this machine"))
        self.fits.setToolTip(tr("Leave out what would not fit into the memory that is free now. A guess by size."))
        self.fits.toggled.connect(self.search.set_fits_only)
        row.addWidget(self.fits)
        return row

    def _make_list(self) -> QWidget:
        holder = QFrame()
        column = QVBoxLayout(holder)
        column.setContentsMargins(12, 0, 4, 0)
        column.setSpacing(4)
        head = QHBoxLayout()
        head.setContentsMargins(8, 0, 8, 0)
        self.heading = label("", "small", wrap=True)
        head.addWidget(self.heading, 1)
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(60)
        self.bar.setAccessibleName(tr("Searching"))
        head.addWidget(self.bar)
        column.addLayout(head)
        notices = QVBoxLayout()
        notices.setContentsMargins(8, 0, 6, 0)  # as far in as the list's rows
        self.error = Notice()
        self.error.add_button(tr("Try again"), self.search.retry, "refresh-cw")
        notices.addWidget(self.error)
        self.offline = Notice("card")
        self.offline.add_button(tr("Go online"), lambda: self._context.actions["network.toggle"].trigger())
        notices.addWidget(self.offline)
        column.addLayout(notices)
        self.pages = QStackedWidget()
        self.model = ResultsModel(self.search)
        self.list = QListView()
        self.list.setAccessibleName(tr("Models found"))
        self.list.setModel(self.model)
        self.list.setItemDelegate(ResultDelegate(self.model, self._context.theme))
        self.list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.list.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.list.setMouseTracking(True)
        self.list.setUniformItemSizes(True)
        self.list.clicked.connect(self._open)
        self.list.installEventFilter(self)
        self.list.verticalScrollBar().valueChanged.connect(self._scrolled)
        self.pages.addWidget(self.list)
        self.nothing = EmptyState("search", tr("Nothing found"), tr("Try other words, or fewer filters."))
        self.on_hub = self.nothing.add_button(tr("Search Hugging Face"), self.run, primary=True)
        self.in_list = self.nothing.add_button(tr("Look through the bundled list"), self._browse)
        self.pages.addWidget(self.nothing)
        column.addWidget(self.pages, 1)
        holder.setMinimumWidth(300)
        return holder

    # --- asking ----------------------------------------------------------------------------------------------
    def query(self) -> SearchQuery:
        low, high = self.parameters.currentData()
        return SearchQuery(
            text=self.field.text().strip(),
            task=self.task.currentData(),
            license=self.license.currentData(),
            min_parameters=low,
            max_parameters=high,
            sort=self.sort.currentData(),
        )

    @Slot()
    def run(self) -> None:
        """Ask the Hub: the one thing here that connects, besides opening a repository."""
        self._browse_timer.stop()
        self.search.run(self.query())

    @Slot()
    def _typed(self) -> None:
        """While the user types, the bundled list is searched; Enter asks the Hub."""
        if self.search.source == "catalogue" or not self.field.text().strip():
            self._browse_timer.start()

    @Slot()
    def _browse(self) -> None:
        self.search.browse(self.query())

    @Slot()
    def _filtered(self) -> None:
        if self.search.source == "hub":
            self.run()
        else:
            self._browse()

    @Slot()
    def _scrolled(self) -> None:
        bar = self.list.verticalScrollBar()
        if self.search.has_more and bar.value() >= bar.maximum() - NEAR_END_PX:
            self.search.more()

    @Slot()
    def _fill_up(self) -> None:
        """More pages until the list can be scrolled, unless the user has stopped that."""
        if not self.search.has_more or self.search.stopped:
            return
        self.list.doItemsLayout()  # the range is of before the rows came
        if self.list.verticalScrollBar().maximum() < NEAR_END_PX:
            self._scrolled()

    def focus_field(self) -> None:
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.field.selectAll()

    # --- showing ---------------------------------------------------------------------------------------------
    @Slot()
    def _show(self) -> None:
        search, offline = self.search, self._state.hub.offline
        busy = search.busy
        self.go.setVisible(not busy)
        self.stop.setVisible(busy)
        self.bar.setVisible(busy)
        self.heading.setText(self._heading())
        self.error.show_error(search.error)
        self.offline.setVisible(False)
        if offline:
            self.offline.show_text(
                tr("You are offline"), tr("The list that comes with the program is searched; nothing is sent.")
            )
        nothing = not search.rows and not busy
        self.pages.setCurrentIndex(1 if nothing else 0)
        self.on_hub.setVisible(search.source == "catalogue" and not offline)
        self.in_list.setVisible(search.source == "hub" and search.error is not None)
        if nothing:
            self.nothing.set_text(*self._why_nothing(offline))
        if not busy and search.source == "hub":
            announce(self.list, self.heading.text())
            self._fill_up()

    def _why_nothing(self, offline: bool) -> tuple[str, str]:
        """Title and text where no model is shown."""
        search = self.search
        if search.source == "catalogue":
            text = tr("Try other words, or go online.") if offline else tr("Hugging Face may have it.")
            return tr("Not in the bundled list"), text
        if search.error is not None:
            return tr("Nothing came"), tr("The program brings a list of well-known models that needs no connection.")
        if search.stopped:
            return tr("Stopped"), tr("Search again, or look for something else.")
        return tr("Nothing found"), tr("Try other words, or fewer filters.")

    def _heading(self) -> str:
        search = self.search
        if search.source == "catalogue":
            listed = date(datetime.date.fromisoformat(search.as_of)) if search.as_of else ""
            return tr("{count} well-known models · list of {date}", count=len(search.rows), date=listed)
        if search.busy and not search.rows:
            return tr("Searching Hugging Face…")
        if search.error is not None and not search.rows:
            return tr("Hugging Face did not answer")
        if search.stopped and not search.rows:
            return tr("Not searched to the end")
        count = f"{len(search.rows)}+" if search.has_more else str(len(search.rows))
        return tr("{count} on Hugging Face", count=count)

    @Slot(QModelIndex)
    def _open(self, index: QModelIndex) -> None:
        repo = index.data(REPO_ROLE)
        if repo is not None and (repo.id != self.repository.id or self.repository.details is None):
            self.repository.open(repo)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Enter opens the row; Down in the field goes to the list."""
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress:
            return False
        key = event.key()
        if watched is self.list and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self._open(self.list.currentIndex())
            return True
        if watched is self.field and key == Qt.Key.Key_Down and self.model.rowCount():
            if not self.list.currentIndex().isValid():
                self.list.setCurrentIndex(self.model.index(0))  # the focus alone would not select it
            self.list.setFocus(Qt.FocusReason.TabFocusReason)
            return True
        if watched is self.field and key == Qt.Key.Key_Escape and self.search.busy:
            self.search.stop()
            return True
        return False
