"""Column sets: presets of the kind `columns`, to use, save and delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6 import QtWidgets
from PySide6.QtCore import QObject, QPoint, Qt, Slot
from PySide6.QtWidgets import QLineEdit, QWidget

from workbench.ui.compare import columns as sets
from workbench.ui.compare.state import CompareState
from workbench.ui.compare.toolbar import menu_icon
from workbench.ui.context import Context
from workbench.ui.jobs import SERIAL
from workbench.ui.tr import tr, trn

if TYPE_CHECKING:
    from workbench.store.values import Preset

KIND = "columns"


class ColumnSets(QObject):
    def __init__(self, state: CompareState, context: Context, anchor: QWidget) -> None:
        super().__init__(anchor)
        self._state, self._context, self._anchor = state, context, anchor
        self.presets: list[Preset] = []
        context.backend.when_ready(self.load)

    @Slot()
    def load(self) -> None:
        backend = self._state.backend
        if backend is not None:
            self._context.jobs.run(
                lambda: backend.store.presets(KIND), self._loaded, self._state.failed.emit, owner=self, lane=SERIAL
            )

    def _loaded(self, presets: list[Preset]) -> None:
        self.presets = presets

    @Slot()
    def open(self) -> None:
        self.menu().popup(self._anchor.mapToGlobal(QPoint(0, self._anchor.height() + 2)))

    def menu(self) -> QtWidgets.QMenu:
        menu = QtWidgets.QMenu(self._anchor)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for preset in self.presets:
            chosen = sets.set_from(preset.options)
            text = trn("{name} ({count} column)", "{name} ({count} columns)", len(chosen.columns), name=preset.name)
            action = menu.addAction(menu_icon(self._anchor, "columns-3"), text)
            action.triggered.connect(lambda _checked=False, c=chosen: self._state.use_set(c))
        if self.presets:
            menu.addSeparator()
        save = menu.addAction(menu_icon(self._anchor, "save"), tr("Save these columns as a set…"))
        save.triggered.connect(self.save)
        if self.presets:
            delete = menu.addMenu(menu_icon(self._anchor, "trash-2"), tr("Delete a set"))
            for preset in self.presets:
                action = delete.addAction(preset.name)
                action.triggered.connect(lambda _checked=False, p=preset: self.delete(p))
        return menu

    @Slot()
    def save(self) -> None:
        backend = self._state.backend
        name, accepted = QtWidgets.QInputDialog.getText(
            self._anchor, tr("Save the columns"), tr("Name"), QLineEdit.EchoMode.Normal, ""
        )
        if backend is None or not accepted or not name.strip():
            return
        options = sets.to_plain(self._state.as_set())

        def done(_result: object) -> None:
            self._context.shell.toast(tr("Saved as “{name}”", name=name.strip()))
            self.load()

        self._context.jobs.run(
            lambda: backend.store.save_preset(name.strip(), KIND, options),
            done,
            self._state.failed.emit,
            owner=self,
            lane=SERIAL,
        )

    def delete(self, preset: Preset) -> None:
        backend = self._state.backend
        if backend is None:
            return
        jobs, store = self._context.jobs, backend.store

        def restore() -> None:
            jobs.run(
                lambda: store.save_preset(preset.name, KIND, preset.options),
                lambda _result: self.load(),
                owner=self,
                lane=SERIAL,
            )

        def done(_result: object) -> None:
            self._context.shell.toast(tr("Set deleted"), tr("Undo"), restore)
            self.load()

        jobs.run(lambda: store.delete_preset(preset.name, KIND), done, self._state.failed.emit, owner=self, lane=SERIAL)
