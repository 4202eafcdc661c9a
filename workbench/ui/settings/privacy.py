"""Privacy: what left this machine, and how to be rid of everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QShowEvent

from workbench.ui.context import Context
from workbench.ui.formats import date_time, number
from workbench.ui.icons import PushButton
from workbench.ui.settings.erase_dialog import EraseDialog
from workbench.ui.settings.section import SettingsSection, add_row
from workbench.ui.tr import mark, tr, trn
from workbench.ui.widgets import label

if TYPE_CHECKING:
    from workbench.store.values import LedgerEntry

LISTED = 500
"""Rows of the ledger that are shown; all are counted."""
ALL = -1


class PrivacySection(SettingsSection):
    title = mark("Privacy")
    intro = mark(
        "Nothing is sent anywhere unless you choose a remote model or search for models. This is what was sent."
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.summary = label("", wrap=True)
        self.column.addWidget(self.summary)
        self.table = QtWidgets.QTableWidget(0, 5)
        self.table.setAccessibleName(tr("Prompts that left this machine"))
        headers = [tr("When"), tr("To"), tr("Model"), tr("Chat"), tr("Tokens")]
        self.table.setHorizontalHeaderLabels(headers)
        self.table.verticalHeader().hide()
        self.table.setEditTriggers(QtWidgets.QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QtWidgets.QTableWidget.SelectionBehavior.SelectRows)
        self.table.setShowGrid(False)
        self.table.setMinimumHeight(260)
        self.table.horizontalHeader().setSectionResizeMode(3, QtWidgets.QHeaderView.ResizeMode.Stretch)
        self.table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
        self.column.addWidget(self.table)
        box = self.card()
        self.in_history = PushButton(tr("Show in History"), icon_name="history")
        self.in_history.clicked.connect(self._show_in_history)
        self.export = PushButton(tr("Export as CSV…"), icon_name="save")
        self.export.clicked.connect(self._export_ledger)
        hint = tr("Each prompt that left this machine, with what was answered.")
        add_row(box, tr("The ledger"), hint, self.in_history, self.export)
        self.erase = PushButton(tr("Delete everything…"), icon_name="trash-2", object_name="danger")
        self.erase.clicked.connect(self._ask_to_erase)
        hint = tr("Chats, runs, evaluations, backups, settings, keys and logs. Models and plugins stay.")
        add_row(box, tr("Delete everything"), hint, self.erase)
        self.column.addStretch(1)
        context.backend.when_ready(self.reload)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.reload()

    @Slot()
    def reload(self) -> None:
        backend = self.context.backend.value
        if backend is not None:
            self.context.jobs.run(lambda: backend.store.ledger(ALL), self._show, owner=self, key="ledger")

    @Slot()
    def _show_in_history(self) -> None:
        page: Any = self.context.shell.show_place("history")
        page.show_sent()

    @Slot()
    def _export_ledger(self) -> None:
        page: Any = self.context.shell.show_place("history")
        page.show_sent()
        page.transfer.export_ledger()

    def _show(self, entries: list[LedgerEntry]) -> None:
        count = len(entries)
        if count == 0:
            text = tr("No prompt has left this machine.")
        elif count == 1:
            text = tr("One prompt left this machine.")
        else:
            text = trn("{count} prompt left this machine.", "{count} prompts left this machine.", count)
        if count > LISTED:
            text += " " + tr("The newest {listed} are listed.", listed=LISTED)
        self.summary.setText(text)
        self.table.setVisible(bool(entries))
        entries = entries[:LISTED]
        self.table.setRowCount(len(entries))
        for row, entry in enumerate(entries):
            tokens = "" if entry.prompt_tokens is None else number(entry.prompt_tokens)
            when = QtCore.QDateTime.fromString(entry.started_at, Qt.DateFormat.ISODate).toLocalTime()
            texts = (date_time(when), entry.provider, entry.model, entry.session_title, tokens)
            for column, text in enumerate(texts):
                self.table.setItem(row, column, QtWidgets.QTableWidgetItem(text))
        self.table.resizeColumnsToContents()
        self.table.horizontalHeader().setSectionResizeMode(3, QtWidgets.QHeaderView.ResizeMode.Stretch)

    @Slot()
    def _ask_to_erase(self) -> None:
        self._dialog = EraseDialog(self)
        self._dialog.accepted.connect(self.context.shell.start_over)
        self._dialog.open()
