"""The keyboard: every action with its keys, which the user may change; keys that are taken are not given twice."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace
from PySide6 import QtWidgets
from PySide6.QtCore import QSignalBlocker, QTimer, Slot
from PySide6.QtGui import QAction, QKeySequence, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QWidget

from workbench.ui.context import Context
from workbench.ui.icons import IconButton, PushButton
from workbench.ui.settings.section import SettingsSection
from workbench.ui.tr import mark, tr
from workbench.ui.widgets import add_clear_button, announce, label

FIELD_WIDTH = 190
SETTLE_MS = 50
ROWS_A_TURN = 6
"""Fields are slow to make, and there are many."""


@dataclass(frozen=True, slots=True)
class Row:
    holder: QWidget
    field: QtWidgets.QKeySequenceEdit
    also: QLabel
    """Its further keys, which are not edited here."""
    search: str


class KeyboardSection(SettingsSection):
    title = mark("Keyboard")
    intro = mark("Every action and its keys. Click a field and press the keys you want; empty takes them away.")

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        top = QHBoxLayout()
        self.search = QLineEdit()
        self.search.setPlaceholderText(tr("Search actions or keys"))
        self.search.setAccessibleName(tr("Search actions or keys"))
        add_clear_button(self.search)
        self.search.textChanged.connect(self._filter)
        top.addWidget(self.search, 1)
        self.map = PushButton(tr("Keyboard map"), icon_name="keyboard")
        self.map.clicked.connect(self._show_map)
        top.addWidget(self.map)
        self.reset_all = PushButton(tr("All defaults"), icon_name="undo-2")
        self.reset_all.clicked.connect(self._reset_all)
        top.addWidget(self.reset_all)
        self.column.addLayout(top)
        self.column.addWidget(self._make_problem())
        self.empty = label(tr("No action has this name or these keys."), "muted")
        self.empty.hide()
        self.column.addWidget(self.empty)
        self.box = self.card()
        self.rows: dict[str, Row] = {}
        self._titles: dict[str, QLabel] = {}
        self._waiting: list[QAction] = []
        self._wanted: tuple[str, str] | None = None
        self.column.addStretch(1)
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(self._take_in)
        context.actions.changed.connect(self._settle.start)
        self._take_in()

    def _make_problem(self) -> QWidget:
        self.problem_box = QWidget()
        row = QHBoxLayout(self.problem_box)
        row.setContentsMargins(0, 0, 0, 0)
        self.problem = label("", "bad", wrap=True)
        row.addWidget(self.problem, 1)
        self.take = PushButton(tr("Use the keys here instead"))
        self.take.clicked.connect(self._take_over)
        row.addWidget(self.take)
        self.problem_box.hide()
        return self.problem_box

    @property
    def fields(self) -> dict[str, QtWidgets.QKeySequenceEdit]:
        return {action_id: row.field for action_id, row in self.rows.items()}

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.context.shell.build_places()  # the actions of places that were not opened yet come with them

    # --- rows --------------------------------------------------------------------------------------------------------
    @Slot()
    def _take_in(self) -> None:
        """Actions that came since; keys that changed."""
        for action_id, row in self.rows.items():
            self._show_keys(action_id, row)
        known = {*self.rows, *(action.objectName() for action in self._waiting)}
        self._waiting += [action for action in self.context.actions if action.objectName() not in known]
        if self._waiting:
            self._add_rows()

    @Slot()
    def _add_rows(self) -> None:
        now, self._waiting = self._waiting[:ROWS_A_TURN], self._waiting[ROWS_A_TURN:]
        for action in now:
            self._add(action)
        self._filter(self.search.text())
        if self._waiting:
            QTimer.singleShot(0, self, self._add_rows)

    def _add(self, action: QAction) -> None:
        action_id, title, group = action.objectName(), action.text(), str(action.data()[1])
        holder = QWidget()
        line = QHBoxLayout(holder)
        line.setContentsMargins(0, 4, 0, 4)
        name = label(title, wrap=True)
        line.addWidget(name, 1)
        also = label("", "small")
        line.addWidget(also)
        field = QtWidgets.QKeySequenceEdit()
        field.setMaximumSequenceLength(1)
        add_clear_button(field)
        field.setFixedWidth(FIELD_WIDTH)
        accessible = tr("Keys for: {title}", title=f"{title} ({group})" if group else title)
        field.setAccessibleName(accessible)
        inner = field.findChild(QLineEdit)
        if inner is not None:
            inner.setAccessibleName(accessible)
        field.setProperty("action", action_id)
        field.editingFinished.connect(self._edited)
        name.setBuddy(field)
        line.addWidget(field)
        reset = IconButton("undo-2", tr("{title}: default keys", title=title), size=14)
        reset.setProperty("action", action_id)
        reset.clicked.connect(self._reset)
        line.addWidget(reset)
        self.rows[action_id] = row = Row(holder, field, also, f"{group} {title}".lower())
        self._show_keys(action_id, row)
        self.box.insertWidget(self._place_of(group), holder)

    def _place_of(self, group: str) -> int:
        """Where the next row of a group belongs; its heading is made with its first."""
        if group not in self._titles:
            heading = label(group or tr("Other"), "sectionTitle")
            heading.setContentsMargins(0, 12, 0, 2)
            self._titles[group] = heading
            self.box.addWidget(heading)
            return self.box.count()
        at = self.box.indexOf(self._titles[group]) + 1
        headings = {self.box.indexOf(heading) for heading in self._titles.values()}
        while at < self.box.count() and at not in headings:
            at += 1
        return at

    def _show_keys(self, action_id: str, row: Row) -> None:
        sequences = self.context.actions.sequences(action_id)
        with QSignalBlocker(row.field):
            if not row.field.hasFocus():
                row.field.setKeySequence(sequences[0] if sequences else QKeySequence())
                _say_none(row.field)
        native = QKeySequence.SequenceFormat.NativeText
        row.also.setText(" ".join(tr("or {keys}", keys=keys.toString(native)) for keys in sequences[1:]))

    @Slot(str)
    def _filter(self, text: str) -> None:
        words = text.lower().split()
        shown: set[str] = set()
        for action_id, row in self.rows.items():
            keys = self.context.actions.keys(action_id).lower()
            found = all(word in row.search or word in keys for word in words)
            row.holder.setVisible(found)
            if found:
                shown.add(str(self.context.actions[action_id].data()[1]))
        for group, heading in self._titles.items():
            heading.setVisible(group in shown)
        self.empty.setVisible(not shown and bool(self.rows))

    # --- changing ----------------------------------------------------------------------------------------------------
    @Slot()
    def _edited(self) -> None:
        field = self.sender()
        if not isinstance(field, QtWidgets.QKeySequenceEdit):
            return
        action_id = str(field.property("action"))
        actions = self.context.actions
        sequence = field.keySequence()
        keys = sequence.toString(QKeySequence.SequenceFormat.PortableText)
        if sequence == actions.sequence(action_id):
            return
        taken = actions.owner(sequence, action_id) if keys else None
        if taken is not None:
            field.setKeySequence(actions.sequence(action_id))
            self._wanted = (action_id, keys)
            self._tell(tr("{keys} already means “{title}”.", keys=keys, title=taken.text()))
            return
        self.problem_box.hide()
        self._save({action_id: keys})

    def _tell(self, text: str) -> None:
        self.problem.setText(text)
        self.problem_box.show()
        announce(self, text)

    @Slot()
    def _take_over(self) -> None:
        """Give the keys to the action that was edited last, and take them from the other."""
        if self._wanted is None:
            return
        action_id, keys = self._wanted
        actions = self.context.actions
        changes = {action_id: keys}
        other = actions.owner(QKeySequence(keys), action_id)
        if other is not None:
            left = [each for each in actions.sequences(other.objectName()) if each != QKeySequence(keys)]
            portable = QKeySequence.SequenceFormat.PortableText
            changes[other.objectName()] = " | ".join(each.toString(portable) for each in left)
        self.problem_box.hide()
        self._save(changes)

    @Slot()
    def _reset(self) -> None:
        button = self.sender()
        if button is None:
            return
        action_id = str(button.property("action"))
        actions = self.context.actions
        default = actions.default_keys(action_id)
        for keys in default.split(" | ") if default else []:
            taken = actions.owner(QKeySequence(keys), action_id)
            if taken is not None:
                self._wanted = (action_id, keys)
                self._tell(tr("{keys} already means “{title}”.", keys=keys, title=taken.text()))
                return
        self.problem_box.hide()
        self._save({action_id: default})

    @Slot()
    def _reset_all(self) -> None:
        settings = self.context.settings
        before = settings.value.shortcuts
        if not before:
            return
        self.context.shell.banner("settings", settings.save(replace(settings.value, shortcuts={})))

        def undo() -> None:
            self.context.shell.banner("settings", settings.save(replace(settings.value, shortcuts=before)))

        self.problem_box.hide()
        self.context.shell.toast(tr("All keys are as they were at first"), tr("Undo"), undo)

    def _save(self, changes: dict[str, str]) -> None:
        settings, actions = self.context.settings, self.context.actions
        shortcuts = {name: keys for name, keys in settings.value.shortcuts.items() if name not in changes}
        shortcuts |= {name: keys for name, keys in changes.items() if keys != actions.default_keys(name)}
        if shortcuts != settings.value.shortcuts:
            self.context.shell.banner("settings", settings.save(replace(settings.value, shortcuts=shortcuts)))

    @Slot()
    def _show_map(self) -> None:
        self.context.shell.show_help("keyboard")


def _say_none(field: QtWidgets.QKeySequenceEdit) -> None:
    """Qt writes its own words into an empty field each time the keys are set."""
    inner = field.findChild(QLineEdit)
    if inner is not None:
        inner.setPlaceholderText(tr("None"))
