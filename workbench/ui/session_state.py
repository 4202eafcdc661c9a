"""What the states of chats and of comparisons have in common: stored sessions of one kind, one of which is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from PySide6.QtCore import QObject, Signal

from workbench.ui.backend import Backend
from workbench.ui.context import Context
from workbench.ui.jobs import SERIAL
from workbench.ui.tr import tr

if TYPE_CHECKING:
    from workbench.services.runner import Run

Kind = Literal["chat", "comparison"]


class SessionState(QObject):
    """Renames, pins, moves and deletes stored sessions, in the order in which the user asks for it."""

    kind: Kind
    deleted_text: str
    """Tells that a session was deleted; marked for translation."""
    session_changed = Signal()
    """Another session (or a new one) is shown, or the shown one has another title."""
    sessions_changed = Signal()
    """The list of stored ones is another."""
    failed = Signal(object)
    """ErrorInfo of something that belongs to no message."""

    def __init__(self, context: Context, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.active: dict[str, Run] = {}
        """Running answers of all sessions."""

    @property
    def backend(self) -> Backend | None:
        return self._context.backend.value

    # --- what a kind of session does its own way -------------------------------------------------------------
    @property
    def session_id(self) -> str | None:
        """The one that is shown; None: it is not stored yet."""
        return None

    def new_chat(self) -> None:
        """Begin another one."""
        raise NotImplementedError

    def open_session(self, session_id: str, at: str = "") -> None:
        """Show a stored one, `at` a message if that is given."""
        raise NotImplementedError

    def take_changes(self, changes: Mapping[str, Any]) -> None:
        """The shown session has these fields now."""
        raise NotImplementedError

    # --- stored sessions -------------------------------------------------------------------------------------
    def is_running(self, session_id: str) -> bool:
        """An answer is being written in it."""
        return any(run.record.session_id == session_id for run in self.active.values())

    def rename(self, session_id: str, title: str) -> None:
        self._change_session(session_id, title=title)

    def pin(self, session_id: str, pinned: bool) -> None:
        self._change_session(session_id, pinned=pinned)

    def move_session(self, session_id: str, folder: str) -> None:
        self._change_session(session_id, folder=folder)

    def delete_session(self, session_id: str) -> None:
        """Delete it, what runs in it is stopped; the message that tells so can take it back."""
        backend = self.backend
        if backend is None:
            return
        for run in [run for run in self.active.values() if run.record.session_id == session_id]:
            run.cancel()
        if session_id == self.session_id:
            self.new_chat()

        def restored(_result: object) -> None:
            self.sessions_changed.emit()
            self.open_session(session_id)

        def done(_result: object) -> None:
            self.sessions_changed.emit()
            undo = lambda: self.write(lambda: backend.store.restore_session(session_id), restored)  # noqa: E731
            self._context.shell.toast(tr(self.deleted_text), tr("Undo"), undo)

        self.write(lambda: backend.store.delete_session(session_id), done)

    def write(self, work: Callable[[], Any], done: Callable[[Any], None] | None = None) -> None:
        """Change what is stored, after all changes that were asked for before."""
        self._context.jobs.run(work, done, self.failed.emit, owner=self, lane=SERIAL)

    def _change_session(self, session_id: str, **changes: Any) -> None:
        backend = self.backend
        if backend is None:
            return

        def done(_result: object) -> None:
            if self.session_id == session_id:
                self.take_changes(changes)
                self.session_changed.emit()
            self.sessions_changed.emit()

        self.write(lambda: backend.store.update_session(session_id, **changes), done)
