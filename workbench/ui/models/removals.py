"""Deleting with a moment to take it back: the files go when the moment is over, or when the window closes."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer

from workbench.core.errors import ErrorInfo
from workbench.ui.formats import size_text
from workbench.ui.models.inventory import InstalledModel
from workbench.ui.tr import tr
from workbench.ui.widgets import TOAST_MS

if TYPE_CHECKING:
    from workbench.services.model_removal import Removal
    from workbench.ui.models.state import ModelsState


@dataclass(slots=True)
class _Leaving:
    model: InstalledModel
    removal: Removal
    timer: QTimer


class Removals(QObject):
    def __init__(self, state: ModelsState) -> None:
        super().__init__(state)
        self._state = state
        self._leaving: dict[str, _Leaving] = {}
        self._gone: set[str] = set()
        """Deleted, though the list has not been read again yet."""

    def is_leaving(self, model_id: str) -> bool:
        return model_id in self._leaving or model_id in self._gone

    def plan(self, model: InstalledModel, done: Callable[[Removal], None], failed: Callable[[ErrorInfo], None]) -> None:
        """What deleting would do, found out in a worker."""

        def work() -> Removal:
            removal: Removal = importlib.import_module("workbench.services.model_removal").plan_removal(model.found)
            return removal

        self._state.context.jobs.run(work, done, failed, owner=self)

    def start(self, model: InstalledModel, removal: Removal) -> None:
        """Take the model off the list now, and delete it unless the user takes that back."""
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.timeout.connect(lambda: self._carry_out(model.id))
        self._leaving[model.id] = _Leaving(model, removal, timer)
        timer.start(TOAST_MS)
        text = tr("Deleting {name}, {size}", name=model.name, size=size_text(removal.frees_bytes))
        self._state.context.shell.toast(text, tr("Undo"), lambda: self.undo(model.id))
        self._state.installed_changed.emit()

    def undo(self, model_id: str) -> None:
        leaving = self._leaving.pop(model_id, None)
        if leaving is not None:
            leaving.timer.stop()
            self._state.installed_changed.emit()

    def finish(self) -> None:
        """The window closes: what the user wanted gone goes now."""
        for leaving in self._leaving.values():
            leaving.timer.stop()
            self._state.context.jobs.run(_deleting(self._state, leaving), lane="serial")
        self._leaving.clear()

    def _carry_out(self, model_id: str) -> None:
        leaving = self._leaving.pop(model_id, None)
        if leaving is None:
            return
        self._gone.add(model_id)
        paths = {str(file) for file in leaving.model.found.files}

        def over() -> None:
            self._gone.discard(model_id)
            self._state.installed_changed.emit()

        def done(_freed: int) -> None:
            self._state.transfers.forget_files(paths)
            self._state.refresh(over)

        def failed(error: ErrorInfo) -> None:
            self._state.failed.emit(error)
            self._state.refresh(over)

        self._state.context.jobs.run(_deleting(self._state, leaving), done, failed, owner=self)


def _deleting(state: ModelsState, leaving: _Leaving) -> Callable[[], Any]:
    backend, model_id, removal = state.backend, leaving.model.id, leaving.removal

    def work() -> Any:
        if backend is not None:
            backend.catalog.unload(model_id)  # an open file keeps its bytes, and on Windows can't be deleted
        return importlib.import_module("workbench.services.model_removal").remove(removal)

    return work
