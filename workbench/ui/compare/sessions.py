"""The list of comparisons: as the list of chats, of the other kind of session."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from PySide6 import QtWidgets
from PySide6.QtCore import Slot
from PySide6.QtWidgets import QWidget

from workbench.ui.chat.session_list import LIMIT, SessionList
from workbench.ui.chat.state import ChatState
from workbench.ui.compare.state import CompareState
from workbench.ui.context import Context
from workbench.ui.tr import tr

if TYPE_CHECKING:
    from workbench.store.values import SearchHit, Session


class ComparisonList(SessionList):
    def __init__(self, state: CompareState, context: Context, parent: QWidget | None = None) -> None:
        # The list asks no more of a chat's state than a comparison's has: signals, the session and what runs.
        super().__init__(cast(ChatState, state), context, parent)
        self._comparisons = state
        self.setAccessibleName(tr("Comparisons"))
        self.list.setAccessibleName(tr("Comparisons"))
        self.new.setText(" " + tr("New comparison"))
        self.new.setAccessibleName(tr("New comparison"))
        self.search.setPlaceholderText(tr("Search comparisons"))
        self.search.setAccessibleName(tr("Search comparisons"))

    @Slot()
    def refresh(self) -> None:
        backend = self._comparisons.backend
        if backend is None:
            return
        query, store = self.search.text().strip(), backend.store

        def work() -> tuple[list[Session], list[SearchHit]]:
            if not query:
                return store.sessions(limit=LIMIT, kind="comparison"), []
            found = store.sessions(query=query, limit=50, kind="comparison")
            known = {session.id for session in found}
            return found, [hit for hit in store.search(query, limit=200) if hit.session_id in known]

        failed = self._comparisons.failed.emit
        self._context.jobs.run(work, self._fill, failed, owner=self, key="comparisons")

    def _fill(self, found: tuple[list[Session], list[SearchHit]]) -> None:
        super()._fill(found)
        if self._model.rowCount() == 0 and not self.search.text().strip():
            self.empty.setText(tr("Your comparisons will be kept here."))

    def move_selected(self) -> None:
        session_id = self.selected_id or self._comparisons.session_id
        if session_id is None:
            return
        folders = ["", *sorted({session.folder for session in self._sessions if session.folder})]
        text = tr("Folder (empty: none; type a new name to make one)")
        folder, accepted = QtWidgets.QInputDialog.getItem(self, tr("Move to folder"), text, folders, 0, True)
        if accepted:
            self._comparisons.move_session(session_id, folder.strip())
