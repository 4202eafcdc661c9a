"""Plugins, keyboard, privacy and about."""

from __future__ import annotations

import importlib
import importlib.metadata
import platform
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QKeySequence, QShowEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLineEdit

from workbench import __version__
from workbench.core.errors import ErrorInfo
from workbench.core.paths import bundled
from workbench.ui.context import Context
from workbench.ui.dialogs import TextDialog
from workbench.ui.formats import date_time, number
from workbench.ui.icons import IconButton, PushButton
from workbench.ui.settings.erase_dialog import EraseDialog
from workbench.ui.settings.section import SettingsSection, add_row, clear
from workbench.ui.tr import mark, tr, trn
from workbench.ui.widgets import copy_text, label

if TYPE_CHECKING:
    from workbench.store.values import LedgerEntry

LISTED = 500
"""Rows of the ledger that are shown; all are counted."""
ALL = -1


class PluginsSection(SettingsSection):
    title = mark("Plugins")
    intro = mark("What ships with the program, what is installed as a package, and files in your plugin folder.")

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.box = self.card()
        self.restart = label(tr("Takes effect at the next start."), "warn")
        self.restart.hide()
        self.column.addWidget(self.restart)
        self.column.addStretch(1)
        context.backend.when_ready(self.show_settings)

    @Slot()
    def show_settings(self) -> None:
        backend = self.context.backend.value
        if backend is None:
            return
        clear(self.box)
        disabled = self.context.settings.value.plugins.disabled
        for status in backend.plugins.loaded:
            switch = QCheckBox(tr("On"))
            switch.setChecked(status.name not in disabled)
            switch.setProperty("plugin", status.name)
            switch.setAccessibleName(tr("Use the plugin {name}", name=status.name))
            switch.clicked.connect(self._switched)
            where = " · ".join(part for part in (status.version, status.source) if part)
            add_row(self.box, status.name, where, switch)
            if status.error:
                self.box.addWidget(label(status.error, "bad", wrap=True, selectable=True))
        if not backend.plugins.loaded:
            self.box.addWidget(label(tr("No plugins."), "muted"))

    @Slot()
    def _switched(self) -> None:
        switch = self.sender()
        if not isinstance(switch, QCheckBox):
            return
        name = str(switch.property("plugin"))
        disabled = set(self.context.settings.value.plugins.disabled)
        disabled = disabled - {name} if switch.isChecked() else disabled | {name}
        self.restart.show()
        self.save("plugins", disabled=tuple(sorted(disabled)))


class KeyboardSection(SettingsSection):
    title = mark("Keyboard")
    intro = mark("Every action and its keys. Click a field and press the keys you want; empty takes them away.")

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.search = QLineEdit()
        self.search.setPlaceholderText(tr("Search actions"))
        self.search.setAccessibleName(tr("Search actions"))
        self.search.textChanged.connect(self._filter)
        self.column.addWidget(self.search)
        self.box = self.card()
        self.problem = label("", "bad", wrap=True)
        self.problem.hide()
        self.column.addWidget(self.problem)
        self.fields: dict[str, QtWidgets.QKeySequenceEdit] = {}
        self._rows: list[tuple[str, QtWidgets.QWidget]] = []
        for action in context.actions:
            self._add(action.objectName(), action.text())
        self.column.addStretch(1)

    def _add(self, action_id: str, title: str) -> None:
        holder = QtWidgets.QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 4, 0, 4)
        row.addWidget(label(title), 1)
        field = QtWidgets.QKeySequenceEdit(self.context.actions.sequence(action_id))
        field.setMaximumSequenceLength(1)
        field.setClearButtonEnabled(True)
        field.setFixedWidth(190)
        field.setAccessibleName(tr("Keys for: {title}", title=title))
        inner = field.findChild(QLineEdit)
        if inner is not None:
            inner.setAccessibleName(tr("Keys for: {title}", title=title))
            inner.setPlaceholderText(tr("None"))
        field.setProperty("action", action_id)
        field.editingFinished.connect(self._edited)
        row.addWidget(field)
        reset = IconButton("undo-2", tr("{title}: default keys", title=title), size=14)
        reset.setProperty("action", action_id)
        reset.clicked.connect(self._reset)
        row.addWidget(reset)
        self.fields[action_id] = field
        self._rows.append((title.lower(), holder))
        self.box.addWidget(holder)

    @Slot(str)
    def _filter(self, text: str) -> None:
        for title, holder in self._rows:
            holder.setVisible(text.lower().strip() in title)

    @Slot()
    def _edited(self) -> None:
        field = self.sender()
        if not isinstance(field, QtWidgets.QKeySequenceEdit):
            return
        action_id = str(field.property("action"))
        keys = field.keySequence().toString(QKeySequence.SequenceFormat.PortableText)
        actions = self.context.actions
        taken = actions.owner(field.keySequence(), action_id) if keys else None
        if taken is not None:
            field.setKeySequence(actions.sequence(action_id))
            self.problem.setText(tr("{keys} already means “{title}”.", keys=keys, title=taken.text()))
            self.problem.show()
            return
        self.problem.hide()
        self._save(action_id, keys)

    @Slot()
    def _reset(self) -> None:
        button = self.sender()
        if button is None:
            return
        action_id = str(button.property("action"))
        default = self.context.actions.default_keys(action_id)
        self.fields[action_id].setKeySequence(QKeySequence(default.split(" | ")[0]))
        self._save(action_id, default)

    def _save(self, action_id: str, keys: str) -> None:
        settings = self.context.settings
        shortcuts = {name: value for name, value in settings.value.shortcuts.items() if name != action_id}
        if keys != self.context.actions.default_keys(action_id):
            shortcuts[action_id] = keys
        if shortcuts != settings.value.shortcuts:
            self.context.shell.banner("settings", settings.save(replace(settings.value, shortcuts=shortcuts)))


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


class AboutSection(SettingsSection):
    title = mark("About")

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        box = self.card()
        add_row(box, "Model Workbench", tr("Version {version}. MIT licence.", version=__version__))
        versions = f"Python {platform.python_version()} · Qt {QtCore.qVersion()} · {platform.platform(terse=True)}"
        add_row(box, tr("Built on"), versions)
        licences = PushButton(tr("Show licences"), icon_name="scroll-text")
        licences.clicked.connect(self._show_licences)
        add_row(box, tr("Licences"), tr("Of this program, its fonts and icons, and the packages it uses."), licences)
        row = QHBoxLayout()
        row.addWidget(label(tr("Doctor"), "sectionTitle"))
        row.addStretch(1)
        self.run = PushButton(tr("Check the installation"), icon_name="stethoscope")
        self.run.clicked.connect(self._examine)
        row.addWidget(self.run)
        self.copy = PushButton(tr("Copy the report"), icon_name="copy")
        self.copy.clicked.connect(self._copy)
        self.copy.setEnabled(False)
        row.addWidget(self.copy)
        self.column.addLayout(row)
        hint = tr("Looks at the engine, the GPU, memory, the database and the plugins. Takes a few seconds.")
        self.state = label(hint, "muted", wrap=True)
        self.column.addWidget(self.state)
        self.report = QtWidgets.QPlainTextEdit()
        self.report.setObjectName("code")
        self.report.setReadOnly(True)
        self.report.setAccessibleName(tr("Report of the check"))
        self.report.setMinimumHeight(280)
        self.report.hide()
        self.column.addWidget(self.report)
        self.column.addStretch(1)

    @Slot()
    def _examine(self) -> None:
        backend = self.context.backend.value
        if backend is None:
            return
        self.run.setEnabled(False)
        self.state.setText(tr("Checking…"))
        problem = self.context.settings.file.problem

        def work() -> Any:
            doctor = importlib.import_module("workbench.services.doctor")
            return doctor.examine(backend.paths, backend.plugins, backend.keys, settings_problem=problem)

        self.context.jobs.run(work, self._examined, self._failed, owner=self)

    def _examined(self, report: Any) -> None:
        self.run.setEnabled(True)
        problems = list(report.problems)
        count = len(problems)
        text = (
            tr("All is well.")
            if not count
            else trn("{count} thing needs attention:", "{count} things need attention:", count)
        )
        self.state.setText("\n".join([text, *(f"•  {problem}" for problem in problems)]))
        self.report.setPlainText(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
        self.report.show()
        self.copy.setEnabled(True)

    def _failed(self, error: ErrorInfo) -> None:
        self.run.setEnabled(True)
        self.state.setText(str(error))

    @Slot()
    def _copy(self) -> None:
        copy_text(self.report.toPlainText())
        self.context.shell.toast(tr("Copied"))

    @Slot()
    def _show_licences(self) -> None:
        self.context.jobs.run(licence_text, self._show_licence_text, owner=self)

    def _show_licence_text(self, text: str) -> None:
        TextDialog(tr("Licences"), text, self).open()


def licence_text() -> str:
    """The licences of fonts and icons in full, of packages by name."""
    resources = bundled("resources")
    parts = ["Model Workbench: MIT\n\nPackages it uses\n"]
    names = set()
    for distribution in importlib.metadata.distributions():
        metadata: Any = distribution.metadata
        licence = metadata.get("License-Expression") or (metadata.get("License") or "").split("\n")[0]
        if not licence:
            found = [line for line in metadata.get_all("Classifier") or [] if line.startswith("License ::")]
            licence = found[0].rpartition("::")[2].strip() if found else "see the package"
        names.add(f"{metadata.get('Name')} {distribution.version}: {licence}")
    parts.append("\n".join(sorted(names, key=str.lower)))
    for title, path in (
        ("Fonts", resources / "fonts" / "OFL.txt"),
        ("Icons (Lucide)", resources / "icons" / "LICENSE"),
    ):
        if path.exists():
            parts.append(f"\n\n{title}\n\n{path.read_text(encoding='utf-8')}")
    return "\n".join(parts)
