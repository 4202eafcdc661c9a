"""The History place: search, filters, the table of runs, and the selected one beside it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6 import QtWidgets
from PySide6.QtCore import QByteArray, QEvent, QObject, QPoint, Qt, QTimer, Slot
from PySide6.QtGui import QHideEvent, QIcon, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QLineEdit, QMenu, QSplitter, QVBoxLayout, QWidget

from workbench.core.errors import ErrorInfo
from workbench.core.models import ModelInfo
from workbench.ui import icons
from workbench.ui.chat.model_picker import ModelPicker
from workbench.ui.context import Context
from workbench.ui.exporters import exporters
from workbench.ui.flow import FlowLayout
from workbench.ui.formats import number
from workbench.ui.history.actions import add_actions
from workbench.ui.history.details import DetailsPane
from workbench.ui.history.empty import EmptyNote
from workbench.ui.history.filters import FilterBar
from workbench.ui.history.state import HistoryState
from workbench.ui.history.table import RunTable
from workbench.ui.history.transfer import FIRST, Replays, Transfer
from workbench.ui.icons import IconButton, PushButton
from workbench.ui.places import Page
from workbench.ui.theme import scaled
from workbench.ui.tr import tr, translated, trn
from workbench.ui.widgets import Banner, add_clear_button, announce, label

if TYPE_CHECKING:
    from workbench.store.history import Deletion
    from workbench.store.values import RunRow, Session

SEARCH_AFTER_MS = 150
DETAIL_AFTER_MS = 60
DETAILS_WIDTH = 316
MANY = 20
"""From so many replays on the user is asked first."""
MANY_HIDDEN = 100
"""Up to so many selected runs it is looked whether the writers of all are hidden: there is nothing to export then."""


class HistoryPage(Page):
    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        self.state = HistoryState(context, self)
        self.transfer = Transfer(context, self)
        self.replays = Replays(context, self)
        self._banner: Banner | None = None
        self._picker: ModelPicker | None = None
        self._empty: EmptyNote | None = None
        self._build()
        self._connect()
        add_actions(self)
        self._show_list()
        self._show_selection()

    # --- building --------------------------------------------------------------------------------------------
    def _build(self) -> None:
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        self._banner_box = QVBoxLayout()
        outer.addLayout(self._banner_box)
        self.splitter = QSplitter()
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        left = QFrame()
        left.setObjectName("historyMain")
        column = self._column = QVBoxLayout(left)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(10)
        self._build_head(column)
        self.filters = FilterBar(self.state)
        column.addWidget(self.filters)
        self._build_tools(column)
        self.table = RunTable(self.state, self.context)
        column.addWidget(self.table, 1)
        self.splitter.addWidget(left)
        self.details = DetailsPane(self.state, self.context)
        self.splitter.addWidget(self.details)
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 2)
        saved = self.context.state.value.splitters.get("history")
        if not saved or not self.splitter.restoreState(QByteArray.fromBase64(QByteArray(saved.encode()))):
            self.splitter.setSizes([1208 - DETAILS_WIDTH, DETAILS_WIDTH])
        outer.addWidget(self.splitter, 1)

    def _build_head(self, column: QVBoxLayout) -> None:
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(label(tr("History"), "heading"))
        self.count = label("", "stat")
        head.addWidget(self.count)
        head.addStretch(1)
        self.search = QLineEdit()
        self.search.setPlaceholderText(tr("Search all prompts and answers"))
        self.search.setAccessibleName(tr("Search all prompts and answers"))
        add_clear_button(self.search)
        self.search.setMinimumWidth(260)
        self._search_icon = self.search.addAction(QIcon(), QLineEdit.ActionPosition.LeadingPosition)
        self._search_icon.setText(tr("Search"))
        self.search.installEventFilter(self)
        head.addWidget(self.search, 1)
        column.addLayout(head)

    def _build_tools(self, column: QVBoxLayout) -> None:
        row = FlowLayout()
        self.open = PushButton(tr("Open"), icon_name="message-square")
        self.replay = PushButton(tr("Replay…"), icon_name="rotate-ccw")
        self.export = PushButton(tr("Export"), icon_name="save")
        self.delete = PushButton(tr("Delete"), icon_name="trash-2")
        self.more = PushButton(tr("Import…"), icon_name="arrow-down-to-line")
        for button in (self.open, self.replay, self.export, self.delete):
            row.addWidget(button)
        self.chosen = label("", "stat")
        row.addWidget(self.chosen)
        row.add_stretch()
        self.columns = IconButton("columns-3", tr("Choose columns"))
        row.addWidget(self.columns)
        self.ledger = IconButton("shield", tr("Export the privacy ledger: what left this machine, when, to whom"))
        row.addWidget(self.ledger)
        row.addWidget(self.more)
        column.addLayout(row)

    def _connect(self) -> None:
        state, table = self.state, self.table
        state.listed.connect(self._show_list)
        state.loading_changed.connect(self._show_list)
        state.query_changed.connect(table.show_sort)
        state.rows_came.connect(self._rows_came)
        state.failed.connect(self._show_error)
        self.transfer.failed.connect(self._show_error)
        self.transfer.imported.connect(state.refresh)
        self.transfer.imported.connect(state.read_choices)
        self.replays.failed.connect(self._show_error)
        self.replays.finished.connect(self._replayed)
        table.chosen.connect(self._show_selection)
        table.opened.connect(self.open_run)
        table.menu_requested.connect(self._show_menu)
        table.delete_requested.connect(self.delete_selected)
        self.details.rated.connect(state.rate)
        self.details.open_wanted.connect(self.open_run)
        self.open.clicked.connect(self.open_selected)
        self.replay.clicked.connect(self.replay_selected)
        self.export.clicked.connect(self.export_selected)
        self.delete.clicked.connect(self.delete_selected)
        self.more.clicked.connect(self.transfer.choose_import)
        self.ledger.clicked.connect(self.transfer.export_ledger)
        self.columns.clicked.connect(self._show_columns)
        self.context.backend.failed.connect(self._backend_failed)
        self._search_timer = self._timer(SEARCH_AFTER_MS, self._search)
        self._detail_timer = self._timer(DETAIL_AFTER_MS, self._show_detail)
        self.search.textChanged.connect(self._search_timer.start)
        self.context.theme.changed.connect(self._scale)
        self._scale()

    def _timer(self, interval_ms: int, slot: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(interval_ms)
        timer.timeout.connect(slot)
        return timer

    # --- Page ------------------------------------------------------------------------------------------------
    def activate(self) -> None:
        (self.search if self.table.isHidden() else self.table).setFocus(Qt.FocusReason.OtherFocusReason)
        if self.state.backend is not None and not self.state.loading:
            self.state.refresh()
            self.state.read_choices()

    def close_page(self) -> None:
        self.table.remember_columns()
        state = bytes(self.splitter.saveState().toBase64().data()).decode()
        self.context.state.value.splitters["history"] = state
        self.context.state.touch()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.state.watch(True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.state.watch(False)

    # --- showing ---------------------------------------------------------------------------------------------
    @property
    def empty(self) -> EmptyNote:
        """Made when there is nothing to show."""
        if self._empty is None:
            self._empty = EmptyNote()
            self._empty.hide()
            self._empty.import_requested.connect(self.transfer.choose_import)
            self._empty.clear_requested.connect(self.clear_all)
            self._column.addWidget(self._empty, 1)
        return self._empty

    @Slot()
    def _show_list(self) -> None:
        state = self.state
        shown, total = len(state.ids), state.total
        nothing = shown == 0 and not state.loading and state.error is None
        if nothing and self.table.hasFocus():
            self.search.setFocus(Qt.FocusReason.OtherFocusReason)
        self.table.setVisible(not nothing)
        if nothing:
            self.empty.show_state(filtered=state.query.filtered and total > 0)
            self.empty.show()
        elif self._empty is not None:
            self._empty.hide()
        if state.loading and not shown:
            text = tr("Reading…")
        elif shown == total:
            text = trn("{count} run", "{count} runs", total)
        else:
            text = tr("{shown} of {total} runs", shown=number(shown), total=number(total))
        if text != self.count.text():
            self.count.setText(text)
            announce(self.count, text)

    @Slot()
    def _show_selection(self) -> None:
        self._show_buttons()
        self._detail_timer.start()

    def _show_buttons(self) -> None:
        ids = self.table.selected_ids()
        many = len(ids)
        # A file or a replay would name who answered, so hidden ones are left out of it.
        rows = [self.state.known(id_) for id_ in ids[:MANY_HIDDEN]]
        secret = many <= MANY_HIDDEN and all(row is not None and row.hidden for row in rows)
        writable = self.state.backend is not None and not self.state.backend.store.read_only
        self.open.setEnabled(many == 1)
        self.replay.setEnabled(many >= 1 and writable and not secret)
        self.export.setEnabled(many >= 1 and not secret)
        why = tr("Who wrote the answer is hidden until the vote.") if secret and many else ""
        self.replay.setToolTip(why)
        self.export.setToolTip(why)
        self.delete.setEnabled(many >= 1 and writable)
        self.chosen.setText(tr("{count} selected", count=number(many)) if many > 1 else "")

    @Slot()
    def _show_detail(self) -> None:
        ids = self.table.selected_ids()
        if len(ids) == 1:
            self.details.show_run(ids[0])
        elif ids:
            self.details.show_nothing(trn("{count} run is selected.", "{count} runs are selected.", len(ids)))
        else:
            self.details.show_run("")

    @Slot(list)
    def _rows_came(self, ids: list[str]) -> None:
        self._show_buttons()
        detail = self.details.detail
        if detail is not None and detail.record.id in ids:
            row = self.state.known(detail.record.id)
            if row is not None and (row.status, row.hidden) != (detail.row.status, detail.row.hidden):
                self.details.show_run(row.id)

    @Slot(object)
    def _show_error(self, error: ErrorInfo | None) -> None:
        if self._banner is not None:
            self._banner.setParent(None)
            self._banner.deleteLater()
            self._banner = None
        if error is None:
            return
        self._banner = Banner(error, "bad", (tr("Try again"), self.state.refresh) if self.state.error else None)
        self._banner.dismissed.connect(lambda: self._show_error(None))
        self._banner_box.addWidget(self._banner)
        announce(self._banner, str(error))
        self._show_list()

    @Slot()
    def _backend_failed(self) -> None:
        self.count.setText("")
        self.empty.show_problem()
        self.empty.show()
        self.table.hide()

    # --- searching -------------------------------------------------------------------------------------------
    @Slot()
    def _search(self) -> None:
        self.state.change(text=self.search.text().strip())

    def focus_search(self) -> None:
        self.context.shell.show_place("history")
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    @Slot()
    def clear_all(self) -> None:
        self.search.clear()
        self._search_timer.stop()
        self.state.set_query(self.state.query.cleared())

    def show_sent(self) -> None:
        """The privacy ledger: only what left this machine, newest first."""
        self.context.shell.show_place("history")
        self.search.clear()
        self.state.set_query(type(self.state.query)(remote=True))

    # --- opening ---------------------------------------------------------------------------------------------
    @Slot()
    def open_selected(self) -> None:
        ids = self.table.selected_ids()
        if len(ids) == 1:
            self.open_run(ids[0])

    @Slot(str)
    def open_run(self, run_id: str) -> None:
        """In Compare if it belongs to a comparison, else in Chat, at its answer."""
        backend = self.state.backend
        if backend is None:
            return

        def read() -> tuple[RunRow | None, Session | None]:
            rows = backend.store.run_rows_of([run_id])
            row = rows[0] if rows else None
            session = backend.store.session(row.session_id) if row is not None and row.session_id else None
            return row, session

        self.context.jobs.run(read, self._open, self._show_error, owner=self, key="history-open")

    def _open(self, found: tuple[RunRow | None, Session | None]) -> None:
        row, session = found
        if row is None or session is None:
            message = tr("This run belongs to no conversation that could be opened.")
            self._show_error(ErrorInfo(kind="bad_input", message=message, hint=tr("Its text stands in the details.")))
            return
        self.open_session(session.id, session.kind, row.message_id or "", row.id)

    def open_session(self, session_id: str, kind: str, message_id: str = "", run_id: str = "") -> None:
        shell: Any = self.context.shell
        page = shell.show_place("compare") if kind == "comparison" else None
        if page is None:
            page = shell.show_place("chat")
            if page is not None:
                page.state.open_session(session_id, message_id)
            return
        page.state.open_session(session_id, run_id)

    # --- replay ----------------------------------------------------------------------------------------------
    @Slot()
    def replay_selected(self) -> None:
        """Pick a model first."""
        ids, backend = self.table.selected_ids(), self.state.backend
        if ids and backend is not None and self.replay.isEnabled() and self.replays.batch is None:
            self.context.jobs.run(backend.catalog.models, self._pick_model, self._show_error, owner=self, key="models")

    @property
    def picker(self) -> ModelPicker:
        if self._picker is None:
            self._picker = ModelPicker(self)
            self._picker.open_file.hide()
            self._picker.chosen.connect(self._model_picked)
            self._picker.more_requested.connect(self.context.actions["models.discover"].trigger)
        return self._picker

    def _pick_model(self, models: list[ModelInfo]) -> None:
        self.picker.open_below(self.replay, models, self.context.settings.value.default_model)

    @Slot(str)
    def _model_picked(self, model_id: str) -> None:
        ids = self.table.selected_ids()
        if len(ids) < MANY or self._confirmed(len(ids), model_id):
            self.replays.start(ids, model_id)

    def _confirmed(self, count: int, model_id: str) -> bool:
        text = trn("Ask {model} all {count} prompt?", "Ask {model} all {count} prompts?", count, model=model_id)
        box = QtWidgets.QMessageBox.StandardButton
        answer = QtWidgets.QMessageBox.question(self, tr("Replay"), text, box.Ok | box.Cancel, box.Cancel)
        return answer == box.Ok

    @Slot(list)
    def _replayed(self, session_ids: list[str]) -> None:
        self.state.refresh()
        self.state.read_choices()
        if not session_ids:
            return
        if len(session_ids) == 1:
            open_it = partial(self.open_session, session_ids[0], "comparison")
            self.context.shell.toast(tr("The replay is ready."), tr("See side by side"), open_it)
        else:
            text = trn(
                "{count} replay is ready, newest first in the list.",
                "{count} replays are ready, newest first in the list.",
                len(session_ids),
            )
            self.context.shell.toast(text, tr("Show them"), self._show_newest)

    def _show_newest(self) -> None:
        self.context.shell.show_place("history")
        self.search.clear()
        self.state.set_query(type(self.state.query)())

    # --- export, delete --------------------------------------------------------------------------------------
    @Slot()
    def export_selected(self) -> None:
        menu = self.export_menu()
        if menu is not None:
            menu.popup(self.export.mapToGlobal(QPoint(0, self.export.height() + 4)))

    def export_menu(self, parent: QMenu | None = None) -> QMenu | None:
        """One entry for each format; its tool tip says what the format can't hold."""
        backend, ids = self.state.backend, self.table.selected_ids()
        if backend is None or not self.export.isEnabled():
            return None
        menu = QMenu(tr("Export"), parent or self)
        menu.setToolTipsVisible(True)
        if parent is None:
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for exporter in exporters(backend, FIRST):
            action = menu.addAction(translated(exporter.title))
            action.setToolTip(translated(exporter.loses) or tr("Everything, to be imported again."))
            action.triggered.connect(partial(self._export_as, ids, exporter))
        return menu

    def _export_as(self, ids: list[str], exporter: Any, _checked: bool = False) -> None:
        self.transfer.export_runs(ids, exporter)

    @Slot()
    def delete_selected(self) -> None:
        ids = self.table.selected_ids()
        if ids and self.delete.isEnabled():
            self.state.delete(ids, self._deleted)

    def _deleted(self, deletion: Deletion) -> None:
        text = trn("{count} run deleted", "{count} runs deleted", deletion.runs)
        self.context.shell.toast(text, tr("Undo"), lambda: self.state.restore(deletion))

    # --- menus and keys --------------------------------------------------------------------------------------
    @Slot(QPoint)
    def _show_menu(self, position: QPoint) -> None:
        self.menu().popup(position)

    def menu(self) -> QMenu:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        color = QApplication.palette().placeholderText().color().name()
        for button, icon, slot in (
            (self.open, "message-square", self.open_selected),
            (self.replay, "rotate-ccw", self.replay_selected),
            (self.delete, "trash-2", self.delete_selected),
        ):
            action = menu.addAction(icons.icon(icon, color, 16), button.text().strip(), slot)
            action.setEnabled(button.isEnabled())
        add = menu.addAction(icons.icon("list-checks", color, 16), tr("Add to test set…"), self.add_to_test_set)
        add.setEnabled(bool(self.table.selected_ids()))
        export = self.export_menu(menu)
        if export is not None:
            menu.addMenu(export)
        return menu

    @Slot()
    def add_to_test_set(self) -> None:
        """The prompts of the selected runs become cases."""
        module = importlib.import_module("workbench.ui.evaluate.add_to_set")  # evaluations load when wanted
        module.add_to_test_set(self.context, self, self.table.selected_ids())

    @Slot()
    def _show_columns(self) -> None:
        self.table.columns_menu().popup(self.columns.mapToGlobal(QPoint(0, self.columns.height() + 4)))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """From the search field: Down goes to the list, Escape empties it."""
        if watched is self.search and event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            if event.key() == Qt.Key.Key_Escape and self.search.text():
                self.search.clear()
                return True
            if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter):
                if self._search_timer.isActive():
                    self._search_timer.stop()
                    self._search()
                self.table.setFocus(Qt.FocusReason.OtherFocusReason)
                if not self.table.selected_ids() and self.state.ids:
                    self.table.select_id(self.state.ids[0])
                return True
        return super().eventFilter(watched, event)

    @Slot()
    def _scale(self) -> None:
        self.details.setMinimumWidth(scaled(240, self.context.theme.scale))
        color = QApplication.palette().placeholderText().color().name()
        self._search_icon.setIcon(icons.icon("search", color, 15))
