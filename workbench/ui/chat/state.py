"""The chat the window shows: which session, its messages, the model and options, and what is running.

Views subscribe to its signals and hold no truth of their own. Changes go to the services through the serial lane of
the workers, so they happen in the order in which the user made them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from PySide6.QtCore import QObject, Signal, Slot

from workbench.core.chat_options import ChatOptions, from_saved, to_saved
from workbench.core.errors import ErrorInfo
from workbench.core.messages import Message, TextPart
from workbench.core.models import ModelInfo
from workbench.ui.backend import Backend
from workbench.ui.chat.tree import MessageTree
from workbench.ui.context import Context
from workbench.ui.jobs import SERIAL, Job
from workbench.ui.session_state import SessionState
from workbench.ui.tr import mark, tr

if TYPE_CHECKING:
    from workbench.core.runs import RunRecord
    from workbench.services.runner import Run
    from workbench.store.values import RunRow, Session, StoredMessage


MAX_RUNS = 10_000
MAX_FILES = 8
"""Model files that are remembered."""


@dataclass(slots=True)
class View:
    """One session as it was read from the store."""

    session: Session
    tree: MessageTree
    path: list[StoredMessage]
    runs: dict[str, RunRow] = field(default_factory=dict)
    """Newest run by the id of the message it wrote."""
    errors: dict[str, ErrorInfo] = field(default_factory=dict)
    """Errors of failed runs by message id."""


def read_view(backend: Backend, session_id: str, leaf_id: str | None = None) -> View | None:
    """Read a session with its messages and runs; None if it is gone. Runs in a worker."""
    from workbench.store import RunFilter  # noqa: PLC0415  (opens SQLite's modules: not before the first paint)

    session = backend.store.session(session_id)
    if session is None or session.deleted_at:
        return None
    tree = MessageTree(backend.store.messages(session_id))
    path = tree.path(leaf_id or session.leaf_id)
    view = View(session, tree, path)
    for row in reversed(backend.store.run_rows(RunFilter(session_id=session_id), limit=MAX_RUNS)):
        if row.message_id:
            view.runs[row.message_id] = row
    for message in path:
        newest = view.runs.get(message.id)
        if newest is not None and newest.status in ("failed", "interrupted"):
            record = backend.store.run(newest.id)
            if record is not None and record.error is not None:
                view.errors[message.id] = record.error
    return view


class ChatState(SessionState):
    kind = "chat"
    deleted_text = mark("Chat deleted")
    session_id: str | None = None
    path_changed = Signal()
    """The messages of the shown session changed."""
    run_started = Signal(str)
    """Id of the message being written."""
    running_changed = Signal()
    """A run ended; what it wrote may not have been read again yet."""
    run_finished = Signal(str)
    """The run's message as stored is shown."""
    options_changed = Signal()
    model_changed = Signal()
    models_changed = Signal()
    draft_returned = Signal(object)
    """A Message that could not be sent goes back into the composer."""

    def __init__(self, context: Context, parent: QObject | None = None) -> None:
        super().__init__(context, parent)
        remembered = context.state.value
        self.view: View | None = None
        self.models: list[ModelInfo] = []
        self.model_files: list[str] = []
        """GGUF files opened lately that are still there."""
        self.model_id = remembered.model_id or context.settings.value.default_model
        self.options = from_saved(remembered.options)
        self.sending = False
        self._opening: Job | None = None
        self.sending_began_session = False
        """While `session_changed` is emitted: the session was made by sending from a new chat."""
        context.backend.when_ready(self._backend_ready)
        context.backend.models_changed.connect(self.reload_models)

    # --- reading ---------------------------------------------------------------------------------------------
    @property
    def path(self) -> list[StoredMessage]:
        return self.view.path if self.view else []

    @property
    def model(self) -> ModelInfo | None:
        return next((info for info in self.models if info.id == self.model_id), None)

    @property
    def leaf_id(self) -> str | None:
        return self.path[-1].id if self.path else None

    @property
    def running_here(self) -> Run | None:
        """The run that writes into the shown session, if any."""
        for message in reversed(self.path):
            if message.id in self.active:
                return self.active[message.id]
        return None

    def model_name(self, model_id: str) -> str:
        return next((info.name for info in self.models if info.id == model_id), model_id)

    # --- sessions --------------------------------------------------------------------------------------------
    def new_chat(self) -> None:
        if self._opening is not None:
            self._opening.cancel()  # else a chat that is still being read would take the new one's place
            self._opening = None
        self.session_id = None
        self.view = None
        self._context.state.value.session_id = ""
        self._context.state.touch()
        self.session_changed.emit()
        self.path_changed.emit()

    def open_session(self, session_id: str, at: str = "") -> None:
        backend = self.backend
        if backend is None:
            return

        def failed(error: ErrorInfo) -> None:
            if self.session_id is None:  # the chat of the last time can't be read: begin without it
                self.new_chat()
            self.failed.emit(error)

        self._opening = self._context.jobs.run(
            lambda: read_view(backend, session_id, at or None),
            lambda view: self._show(view, session_id),
            failed,
            owner=self,
            key="open-session",
        )

    def reload(self, after: Callable[[], None] | None = None) -> None:
        """Read the shown session again, after a change."""
        backend, session_id = self.backend, self.session_id
        if backend is None or session_id is None:
            return

        def done(view: View | None) -> None:
            if view is not None and self.session_id == session_id:
                self.view = view
                self.path_changed.emit()
            if after is not None:
                after()

        self._context.jobs.run(
            lambda: read_view(backend, session_id), done, self.failed.emit, owner=self, key="reload", lane=SERIAL
        )

    def take_changes(self, changes: Mapping[str, Any]) -> None:
        if self.view is not None:
            self.view.session = msgspec.structs.replace(self.view.session, **changes)

    def save_draft(self, session_id: str | None, text: str) -> None:
        """Keep what was typed and not sent: with its session, or with the window for a chat not begun yet."""
        backend = self.backend
        if session_id is None:
            self._context.state.value.draft = text
            self._context.state.touch()
        elif backend is not None and not backend.store.read_only:
            self.write(lambda: backend.store.update_session(session_id, draft=text), None)

    # --- model and options -----------------------------------------------------------------------------------
    def set_model(self, model_id: str) -> None:
        if model_id == self.model_id:
            return
        self.model_id = model_id
        self._context.state.value.model_id = model_id
        self._context.state.touch()
        self._save_options()
        self.model_changed.emit()

    def set_options(self, options: ChatOptions) -> None:
        if options == self.options:
            return
        self.options = options
        self._context.state.value.options = to_saved(options)
        self._context.state.touch()
        self._save_options()
        self.options_changed.emit()

    def reload_models(self) -> None:
        backend, files = self.backend, tuple(self._context.state.value.model_files)
        if backend is not None:

            def work() -> tuple[list[ModelInfo], list[str]]:
                return backend.catalog.models(), [path for path in files if Path(path).is_file()]

            self._context.jobs.run(work, self._set_models, self.failed.emit, owner=self, key="models")

    def use_file(self, path: str) -> None:
        """Answer with this GGUF file, and offer it when a model is chosen later."""
        remembered = self._context.state.value
        remembered.model_files = [path, *(other for other in remembered.model_files if other != path)][:MAX_FILES]
        self.set_model(path)
        self.reload_models()

    # --- messages --------------------------------------------------------------------------------------------
    def send(self, message: Message) -> bool:
        """Have it answered. False: another one is being sent, or the services are not open."""
        backend, session_id, leaf_id = self.backend, self.session_id, self.leaf_id
        if self.sending or backend is None:
            return False
        model_id, saved = self.model_id, self._session_options()
        options = self.options

        def work() -> Run:
            backend.catalog.get(model_id)  # before a session is made for nothing
            target = session_id or backend.store.create_session(options=saved).id
            return backend.chat.send(target, leaf_id, message, model_id, options)

        self._start(work, message)
        return True

    def regenerate(self, message_id: str, model_id: str = "", options: ChatOptions | None = None) -> None:
        backend = self.backend
        if backend is not None and not self.sending:
            chosen, used = model_id or self.model_id, options or self.options
            self._start(lambda: backend.chat.regenerate(message_id, chosen, used))

    def edit_and_send(self, message_id: str, message: Message) -> bool:
        """A new branch with other words; the old message's files go along. False as with `send`."""
        backend, stored = self.backend, self._stored(message_id)
        if backend is None or stored is None or self.sending:
            return False
        kept = tuple(part for part in stored.message.parts if not isinstance(part, TextPart))
        whole = Message("user", (*message.parts, *kept))
        model_id, options = self.model_id, self.options
        self._start(lambda: backend.chat.edit_and_send(message_id, whole, model_id, options), message)
        return True

    def continue_answer(self, message_id: str) -> None:
        backend = self.backend
        if backend is not None and not self.sending:
            model_id, options = self.model_id, self.options
            self._start(lambda: backend.chat.continue_answer(message_id, model_id, options))

    def stop(self) -> bool:
        run = self.running_here
        if run is None:
            return False
        run.cancel()
        return True

    def delete_message(self, message_id: str) -> None:
        backend = self.backend
        if backend is None:
            return
        for message in self.path:
            if message.id in self.active:
                self.active[message.id].cancel()

        def done(_result: object) -> None:
            self.reload()
            self._context.shell.toast(tr("Message deleted"), tr("Undo"), lambda: self._restore_message(message_id))

        self.write(lambda: backend.chat.delete(message_id), done)

    def show_sibling(self, message_id: str, step: int) -> None:
        """Show the previous (-1) or next (1) alternative of a message."""
        backend, view = self.backend, self.view
        if backend is None or view is None:
            return
        siblings = view.tree.siblings(message_id)
        position = siblings.index(message_id) + step
        if not 0 <= position < len(siblings):
            return
        leaf_id = view.tree.newest_leaf(siblings[position])
        view.path = view.tree.path(leaf_id)
        self.path_changed.emit()
        session_id = view.session.id
        if not backend.store.read_only:
            self.write(lambda: backend.store.update_session(session_id, leaf_id=leaf_id), None)

    def finish(self, message_id: str) -> None:
        """The run's end was seen: read what is stored now."""
        run = self.active.pop(message_id, None)
        if run is None:
            return
        self.running_changed.emit()

        def after() -> None:
            self.run_finished.emit(message_id)
            self.sessions_changed.emit()

        if run.record.session_id == self.session_id:
            self.reload(after)
        else:
            after()

    def run_record(self, message_id: str, done: Callable[[RunRecord | None], None]) -> None:
        """The complete record of the run that wrote a message."""
        backend, stored = self.backend, self._stored(message_id)
        if backend is None or stored is None:
            return
        row = self.view.runs.get(message_id) if self.view else None
        run_id = row.id if row else stored.run_id
        if run_id:
            self._context.jobs.run(lambda: backend.store.run(run_id), done, self.failed.emit, owner=self)

    # --- inside ----------------------------------------------------------------------------------------------
    def _stored(self, message_id: str) -> StoredMessage | None:
        return self.view.tree.get(message_id) if self.view else None

    @Slot()
    def _backend_ready(self) -> None:
        self.reload_models()
        wanted = self._context.state.value.session_id
        if wanted and self.session_id is None:
            self.open_session(wanted)
        self.sessions_changed.emit()

    def _set_models(self, found: tuple[list[ModelInfo], list[str]]) -> None:
        self.models, self.model_files = found
        self.models_changed.emit()

    def _show(self, view: View | None, session_id: str) -> None:
        if view is None:
            self.new_chat()
            return
        self.view = view
        self.session_id = session_id
        self._context.state.value.session_id = session_id
        self._context.state.touch()
        saved = view.session.options
        if isinstance(saved.get("model"), str) and saved["model"]:
            self.model_id = saved["model"]
            self.options = from_saved(saved)
        self.session_changed.emit()
        self.model_changed.emit()
        self.options_changed.emit()
        self.path_changed.emit()

    def _start(self, work: Callable[[], Run], asked: Message | None = None) -> None:
        backend, session_before = self.backend, self.session_id
        assert backend is not None
        self.sending = True

        def start() -> tuple[Run, View | None]:
            run = work()
            session_id = run.record.session_id
            return run, read_view(backend, session_id, run.record.message_id) if session_id else None

        def done(result: tuple[Run, View | None]) -> None:
            self.sending = False
            run, view = result
            message_id = run.record.message_id or ""
            self.active[message_id] = run
            if view is not None and self.session_id == session_before:
                self.view = view
                changed = self.session_id != view.session.id
                self.session_id = view.session.id
                self._context.state.value.session_id = view.session.id
                self._context.state.touch()
                if changed:
                    self.sending_began_session = True
                    self.session_changed.emit()
                    self.sending_began_session = False
                self.path_changed.emit()
            self.run_started.emit(message_id)
            self.sessions_changed.emit()

        def failed(error: ErrorInfo) -> None:
            self.sending = False
            if asked is not None:
                self.draft_returned.emit(asked)
            self.failed.emit(error)

        self._context.jobs.run(start, done, failed, owner=self, lane=SERIAL)

    def _restore_message(self, message_id: str) -> None:
        backend = self.backend
        if backend is not None:
            self.write(lambda: backend.chat.restore(message_id), lambda _result: self.reload())

    def _session_options(self) -> dict[str, Any]:
        return {"model": self.model_id, **to_saved(self.options)}

    def _save_options(self) -> None:
        """The options belong to the session; a new chat begins with the last ones."""
        backend, session_id = self.backend, self.session_id
        if backend is None or session_id is None or backend.store.read_only:
            return
        saved = self._session_options()
        self.write(lambda: backend.store.update_session(session_id, options=saved), None)
