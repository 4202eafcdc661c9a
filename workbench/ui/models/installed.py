"""What is installed: the table, the chosen model, and what can be done with them."""

from __future__ import annotations

import importlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6 import QtWidgets
from PySide6.QtCore import QEvent, QModelIndex, QObject, QPoint, Qt, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices, QKeyEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QMenu,
    QSplitter,
    QStackedWidget,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from workbench.core.errors import ErrorInfo
from workbench.ui.context import Context
from workbench.ui.formats import size_text
from workbench.ui.icons import IconButton, PushButton
from workbench.ui.models.installed_panel import PANEL_WIDTH, InstalledPanel
from workbench.ui.models.installed_table import (
    CONTEXT,
    MODEL_ROLE,
    NAME,
    PARAMETERS,
    QUANTIZATION,
    SOURCE,
    USED,
    InstalledDelegate,
    InstalledProxy,
    InstalledTable,
)
from workbench.ui.models.inventory import InstalledModel
from workbench.ui.models.parts import EmptyState, Notice
from workbench.ui.models.state import ModelsState
from workbench.ui.theme import scaled
from workbench.ui.tr import tr, trn
from workbench.ui.widgets import add_clear_button, copy_text, label

if TYPE_CHECKING:
    from workbench.services.model_removal import Removal

COLUMN_WIDTHS = (0, 92, 102, 80, 74, 126, 122)
LEAST_NAME_WIDTH = 190
GIVEN_UP = (USED, CONTEXT, PARAMETERS, SOURCE, QUANTIZATION)
"""Columns that make room for the name where it is narrow, in this order; the panel beside the table says it all."""


class InstalledView(QWidget):
    chat_requested = Signal(str)
    discover_requested = Signal()

    def __init__(self, context: Context, state: ModelsState) -> None:
        super().__init__()
        self._context, self._state = context, state
        self._chosen = ""
        self.table = QTableView()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._make_bar())
        self.problems = Notice("card")
        self.problems.add_button(tr("Show"), self._show_problems)
        self.same = Notice("card")
        self.same.add_button(tr("Show"), self._show_duplicates)
        self.alone = Notice("card")
        self.alone.add_button(tr("Find a model"), self.discover_requested.emit, "search")
        notices = QVBoxLayout()
        notices.setContentsMargins(20, 0, 20, 0)
        notices.setSpacing(8)
        for notice in (self.alone, self.problems, self.same):
            notices.addWidget(notice)
        column.addLayout(notices)
        self._gap = QWidget()
        self._gap.setFixedHeight(10)
        column.addWidget(self._gap)
        self.pages = QStackedWidget()
        column.addWidget(self.pages, 1)
        self.pages.addWidget(self._make_table())
        self.empty = EmptyState(
            "hard-drive",
            tr("Looking for models…"),
            tr("In the Hugging Face cache, and in the folders of LM Studio, Ollama, Jan, GPT4All and llama.cpp."),
        )
        self.empty.add_button(tr("Find a model"), self.discover_requested.emit, primary=True)
        self.pages.addWidget(self.empty)
        self.pages.setCurrentIndex(1)
        state.installed_changed.connect(self._show)
        state.loaded_changed.connect(self.panel.show_loaded)
        state.duplicates_changed.connect(self._show_same)
        state.load_failed.connect(self._load_failed)
        state.expected_changed.connect(self.panel.show_expected)
        state.hub.machine_changed.connect(self._expect)
        state.file_added.connect(self._file_added)
        context.settings.changed.connect(self._settings_changed)
        context.theme.changed.connect(self._size_columns)
        self._size_columns()
        if state.inventory is not None:  # read before this part was opened
            self._show()

    # --- building --------------------------------------------------------------------------------------------
    def _make_bar(self) -> QWidget:
        bar = QWidget()
        row = QHBoxLayout(bar)
        row.setContentsMargins(20, 4, 20, 10)
        row.setSpacing(8)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(tr("Filter"))
        self.filter.setAccessibleName(tr("Filter the installed models"))
        add_clear_button(self.filter)
        self.filter.setMaximumWidth(280)
        self.filter.installEventFilter(self)
        row.addWidget(self.filter, 1)
        self.summary = label("", "stat")
        row.addWidget(self.summary)
        row.addStretch(1)
        self.refresh = IconButton("refresh-cw", tr("Look for models again"))
        self.refresh.clicked.connect(lambda: self._state.refresh())
        row.addWidget(self.refresh)
        self.add_folder = PushButton(tr("Add a folder…"), icon_name="folder-plus")
        self.add_folder.clicked.connect(self.choose_folder)
        row.addWidget(self.add_folder)
        return bar

    def _make_table(self) -> QWidget:
        self.splitter = QSplitter()
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        self.table.setObjectName("flatTable")
        self.table.setAccessibleName(tr("Installed models"))
        self.source = InstalledTable(self._state)
        self.proxy = InstalledProxy(self.source)
        self.table.setModel(self.proxy)
        self.table.setItemDelegate(InstalledDelegate(self.source, self._context.theme))
        self.table.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QTableView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QTableView.EditTrigger.NoEditTriggers)
        self.table.setShowGrid(False)
        self.table.setTabKeyNavigation(False)
        self.table.setSortingEnabled(True)
        self.table.sortByColumn(NAME, Qt.SortOrder.AscendingOrder)
        self.table.setVerticalScrollMode(QTableView.ScrollMode.ScrollPerPixel)
        self.table.verticalHeader().hide()
        header = self.table.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.customContextMenuRequested.connect(self._menu)
        self.table.doubleClicked.connect(lambda _index: self.act("chat"))
        self.table.installEventFilter(self)
        self.table.selectionModel().currentRowChanged.connect(self._row_changed)
        self.filter.textChanged.connect(self.proxy.set_query)
        self.filter.textChanged.connect(self._select)
        holder = QFrame()
        holder.setObjectName("tableHolder")
        inner = QVBoxLayout(holder)
        inner.setContentsMargins(12, 0, 0, 0)
        inner.addWidget(self.table)
        self.splitter.addWidget(holder)
        self.panel = InstalledPanel(self._state)
        self.panel.asked.connect(self.act)
        self.splitter.addWidget(self.panel)
        self.splitter.setStretchFactor(0, 1)
        self.splitter.setStretchFactor(1, 0)
        self.splitter.setSizes([900, scaled(PANEL_WIDTH, self._context.theme.scale)])
        return self.splitter

    @Slot()
    def _size_columns(self) -> None:
        scale = self._context.theme.scale
        for at, width in enumerate(COLUMN_WIDTHS):
            if width:
                self.table.setColumnWidth(at, scaled(width, scale))
        self.table.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() * 2 + 18)
        self._fit_columns()

    def _fit_columns(self) -> None:
        scale = self._context.theme.scale
        widths = [scaled(width or LEAST_NAME_WIDTH, scale) for width in COLUMN_WIDTHS]
        room = self.table.width() - self.table.verticalScrollBar().sizeHint().width()  # the viewport is of before
        missing = sum(widths) - room
        for column in GIVEN_UP:
            self.table.setColumnHidden(column, missing > 0)
            missing -= widths[column]

    # --- showing ---------------------------------------------------------------------------------------------
    @property
    def model(self) -> InstalledModel | None:
        return self.panel.model

    @Slot()
    def _show(self) -> None:
        models, inventory = self._state.models, self._state.inventory
        self.pages.setCurrentIndex(0 if models else 1)
        if not models and inventory is not None:
            self.empty.set_text(
                tr("No models yet"),
                tr("Find one on Hugging Face, drop a GGUF file onto this window, or add a folder that has some."),
            )
        if inventory is not None:
            total = sum(model.found.size_bytes for model in models)
            parts = [
                trn("{count} model", "{count} models", len(models)),
                size_text(total),
                tr("{size} free on the disk", size=size_text(inventory.free_bytes)) if inventory.free_bytes else "",
            ]
            self.summary.setText(" · ".join(part for part in parts if part))
        self.alone.setVisible(False)
        if models and all(model.bundled for model in models):
            self.alone.show_text(
                tr("Only the starter model is here, and it is tiny"),
                tr("Find a better one, or add a folder. Models of LM Studio, Ollama and Jan are found by themselves."),
            )
        problems = inventory.problems if inventory is not None else ()
        self.problems.setVisible(False)
        if problems:
            names = ", ".join(path.name for path, _why in problems[:3]) + ("…" if len(problems) > 3 else "")
            one = tr("A file looks like a model and can't be used")
            many = trn(
                "{count} file looks like a model and can't be used",
                "{count} files look like models and can't be used",
                len(problems),
            )
            self.problems.show_text(one if len(problems) == 1 else many, names)
        self._show_same()
        self._select()

    @Slot()
    def _show_same(self) -> None:
        groups = self._state.duplicates
        self.same.setVisible(False)
        if groups:
            wasted = sum(sum(model.size_bytes for model in group[1:]) for group in groups)
            names = ", ".join(group[0].name for group in groups[:3])
            self.same.show_text(
                tr("Stored more than once: {names}", names=names), tr("{size} could be freed", size=size_text(wasted))
            )
        self._gap.setVisible(not all(notice.isHidden() for notice in (self.alone, self.problems, self.same)))
        self.panel.show_model(self.panel.model)

    def choose(self, model_id: str) -> None:
        """Select this model's row."""
        self._chosen = model_id
        self._select()

    @Slot()
    def _select(self) -> None:
        """Keep the chosen model selected over refreshes; the first one where it is gone."""
        rows = [self.proxy.index(row, NAME) for row in range(self.proxy.rowCount())]
        wanted = next((index for index in rows if index.data(MODEL_ROLE).id == self._chosen), None)
        index = wanted or (rows[0] if rows else None)
        if index is None:
            self.panel.show_model(None)
            return
        self.table.selectionModel().setCurrentIndex(
            index,
            self.table.selectionModel().SelectionFlag.ClearAndSelect | self.table.selectionModel().SelectionFlag.Rows,
        )
        self.panel.show_model(index.data(MODEL_ROLE))
        self._expect()

    @Slot()
    def _expect(self) -> None:
        if self.panel.model is not None:
            self._state.expect(self.panel.model)

    @Slot(QModelIndex, QModelIndex)
    def _row_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        model = current.data(MODEL_ROLE)
        if model is not None:
            self._chosen = model.id
            self.panel.show_model(model)
            self._expect()

    @Slot(str, object)
    def _load_failed(self, model_id: str, error: ErrorInfo) -> None:
        if self.model is not None and self.model.id == model_id and self.isVisible():
            self.panel.error.show_error(error)
        else:
            self._state.failed.emit(error)

    @Slot()
    def _settings_changed(self) -> None:
        self.panel.show_model(self.panel.model)
        self._expect()

    # --- doing -----------------------------------------------------------------------------------------------
    @Slot(str)
    def act(self, action: str) -> None:
        """Do something with the chosen model."""
        model = self.model
        if model is None:
            return
        if action == "chat":
            if model.info.capabilities != frozenset({"embeddings"}):
                self.chat_requested.emit(model.id)
        elif action == "load":
            self.panel.error.show_error(None)
            self._state.load(model)
        elif action == "stop":
            self._state.stop_loading(model.id)
        elif action == "unload":
            self._state.unload(model)
        elif action == "inspect":
            self._inspect(model)
        elif action == "defaults":
            self._defaults(model)
        elif action == "folder":
            self._open_folder(model.found.path.parent)
        elif action == "copy":
            copy_text(str(model.found.path))
            self._context.shell.toast(tr("Path copied"))
        elif action == "delete" and not model.bundled:
            self._delete(model)

    def _open_folder(self, folder: Path) -> None:
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            self._context.shell.toast(tr("{path} could not be opened", path=folder))

    def _inspect(self, model: InstalledModel) -> None:
        dialogs = importlib.import_module("workbench.ui.models.inspector")
        path = model.found.path
        read = partial(dialogs.read_headers, path)
        self.dialog = dialogs.InspectDialog(self._context, model.name, str(path), read, self)
        self.dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.dialog.open()

    def _defaults(self, model: InstalledModel) -> None:
        dialogs = importlib.import_module("workbench.ui.models.defaults")
        options, loaded = self._state.defaults_of(model.id), self._state.is_loaded(model)
        dialog = self.dialog = dialogs.DefaultsDialog(model.name, options, loaded, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.accepted.connect(lambda: self._state.set_defaults(model.id, dialog.value))
        dialog.open()

    def _delete(self, model: InstalledModel) -> None:
        def planned(removal: Removal) -> None:
            dialogs = importlib.import_module("workbench.ui.models.removal_dialog")
            dialog = self.dialog = dialogs.RemovalDialog(model.name, removal, self, loaded=self._state.is_loaded(model))
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.accepted.connect(lambda: self._state.removals.start(model, removal))
            dialog.open()

        self._state.removals.plan(model, planned, self._state.failed.emit)

    @Slot()
    def choose_folder(self) -> None:
        path = QtWidgets.QFileDialog.getExistingDirectory(self, tr("Folder with GGUF files"), str(Path.home()))
        if path:
            self.add(path)

    def add(self, path: str) -> None:
        """Look into a folder from now on, or use a file where it is."""
        if not Path(path).is_dir():
            self._state.add_file(path)
        elif self._state.add_folder(path):
            name = Path(path).name or path
            self._context.shell.toast(tr("{folder} is searched for models from now on.", folder=name))
        else:
            self._context.shell.toast(tr("This folder is searched already."))

    @Slot(str, bool)
    def _file_added(self, path: str, new: bool) -> None:
        name = Path(path).name

        def show() -> None:
            inventory = self._state.inventory
            model = inventory.by_path(path) if inventory is not None else None
            if model is not None:
                self.choose(model.id)

        if new:
            self._state.refresh(show)
            self._context.shell.toast(tr("{file} is used where it is.", file=name))
        else:
            show()
            self._context.shell.toast(tr("{file} is in the list already.", file=name))

    @Slot()
    def _show_problems(self) -> None:
        inventory = self._state.inventory
        if inventory is None:
            return
        text = "\n\n".join(f"{path}\n{why}" for path, why in inventory.problems)
        dialogs = importlib.import_module("workbench.ui.dialogs")
        intro = tr("These look like model files and are left out of the list.")
        self.dialog = dialogs.TextDialog(tr("Files that can't be used"), text, self, intro=intro)
        self.dialog.open()

    @Slot()
    def _show_duplicates(self) -> None:
        groups = self._state.duplicates
        text = "\n\n".join(
            "\n".join(
                [
                    f"{group[0].name}, {size_text(group[0].size_bytes)}",
                    *(f"  {self._state.owner_of(m)}: {m.path}" for m in group),
                ]
            )
            for group in groups
        )
        dialogs = importlib.import_module("workbench.ui.dialogs")
        intro = tr(
            "The same content stands in several places. Choose a model in the table to delete one of its copies."
        )
        self.dialog = dialogs.TextDialog(tr("Stored more than once"), text, self, intro=intro)
        self.dialog.open()

    # --- menu and keys ---------------------------------------------------------------------------------------
    @Slot(QPoint)
    def _menu(self, position: QPoint) -> None:
        if self.model is None:
            return
        menu = QMenu(self)
        for action, button in self.panel.buttons.items():
            if not button.isHidden():
                entry = menu.addAction(button.text().strip())
                entry.triggered.connect(lambda _checked=False, name=action: self.act(name))
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.table.viewport().mapToGlobal(position))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Enter chats, Delete deletes; Down in the filter goes to the table."""
        if watched is self.table and event.type() == QEvent.Type.Resize:
            self._fit_columns()
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress:
            return False
        key = event.key()
        if watched is self.table and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.act("chat")
            return True
        if watched is self.table and key == Qt.Key.Key_Delete:
            self.act("delete")
            return True
        if watched is self.filter and key == Qt.Key.Key_Down:
            self.table.setFocus(Qt.FocusReason.TabFocusReason)
            return True
        return False
