"""Works the Chat page: shows the state in its widgets and does what the user asks."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from PySide6 import QtWidgets
from PySide6.QtCore import QObject, QTimer, Slot

from workbench.core.errors import ErrorInfo
from workbench.core.messages import Message
from workbench.ui.chat.actions import add_actions
from workbench.ui.chat.remedies import RemedyBar
from workbench.ui.chat.session_list import SessionList
from workbench.ui.chat.side_panel import SidePanel
from workbench.ui.chat.state import ChatState
from workbench.ui.chat.token_meter import TokenMeter
from workbench.ui.context import Context
from workbench.ui.draft_files import NEW_CHAT, DraftFiles
from workbench.ui.places import PLACES
from workbench.ui.tr import tr

if TYPE_CHECKING:
    from workbench.ui.chat.attachments import Attached
    from workbench.ui.chat.conversation import Conversation
    from workbench.ui.chat.model_picker import ModelPicker
    from workbench.ui.chat.page import ChatPage

DRAFT_SAVE_MS = 600


class ChatDesk(QObject):
    """Made by the page once the window's shared parts are there. Holds no truth: that is the state's."""

    def __init__(self, page: ChatPage, context: Context) -> None:
        super().__init__(page)
        self.page, self.context = page, context
        self.composer, self.welcome = page.composer, page.welcome
        self.state = ChatState(context, self)
        self._editing: str | None = None
        self._put_aside: Message | None = None
        """What stood in the composer before an earlier message was edited there."""
        self._draft_of: str | None = None
        self._files: dict[str | None, list[Attached]] = {}
        """Attached and not sent, by the chats shown since the start."""
        self._drafts = DraftFiles(context, self)
        self._awaits_chat = bool(context.state.value.session_id)
        """The chat of the last time has not come yet: what stands in the composer belongs to it."""
        self._picked_for: str | None = None
        """The answer to regenerate with the model that is being picked."""
        self._conversation: Conversation | None = None
        self._picker: ModelPicker | None = None
        self.sessions = SessionList(self.state, context)
        self.side_panel = SidePanel(self.state, context)
        self.remedies = RemedyBar(self.state)
        self.meter = TokenMeter(self.state, context, self)
        self._draft_timer = QTimer(self, singleShot=True, interval=DRAFT_SAVE_MS)
        page.lower_box.insertWidget(0, self.remedies)
        page.set_panel(self.side_panel)
        self.composer.set_jobs(context.jobs)
        self._connect()
        add_actions(context.actions, self)
        if not self._awaits_chat:
            self._show_session()
            self._show_path()
            self._bring_files()
        self._scale()
        self._show_model()

    def _connect(self) -> None:
        page, state, composer = self.page, self.state, self.composer
        state.session_changed.connect(self._show_session)
        state.path_changed.connect(self._show_path)
        state.model_changed.connect(self._show_model)
        state.models_changed.connect(self._show_model)
        state.run_started.connect(self._run_started)
        state.running_changed.connect(self._show_running)
        state.run_finished.connect(self._run_finished)
        state.failed.connect(self._show_failure)
        state.draft_returned.connect(composer.take_back)
        composer.submitted.connect(self._submit)
        composer.stop_requested.connect(state.stop)
        composer.edit_last.connect(self.edit_last)
        composer.cancel_edit.connect(self.cancel_edit)
        composer.text_changed.connect(self._text_changed)
        page.model_button.clicked.connect(self.pick_model)
        page.panel_toggled.connect(self._panel_toggled)
        self.side_panel.hide_requested.connect(page.toggle_panel)
        self.sessions.hit_chosen.connect(self._open_hit)
        self.meter.counted.connect(composer.set_count)
        self.context.backend.when_ready(self._backend_ready)
        self.context.backend.failed.connect(self._backend_failed)
        self.context.theme.changed.connect(self._scale)
        self._draft_timer.timeout.connect(self.save_draft)

    # --- made when first wanted ------------------------------------------------------------------------------
    @property
    def conversation(self) -> Conversation:
        """Made with the first message: an empty chat needs none of the transcript's machinery."""
        if self._conversation is None:
            made: Conversation = importlib.import_module("workbench.ui.chat.conversation").Conversation(
                self.state, self.context
            )
            made.edit_requested.connect(self.begin_edit)
            made.other_model_requested.connect(self._pick_for)
            made.compare_requested.connect(self.compare)
            made.files_dropped.connect(self.drop_files)
            made.find_closed.connect(self.focus_composer)
            made.scroll_bar_changed.connect(self.page.leave_for_scroll_bar)
            self.page.stack.addWidget(made)
            self._conversation = made
        return self._conversation

    @property
    def picker(self) -> ModelPicker:
        if self._picker is None:
            self._picker = importlib.import_module("workbench.ui.chat.model_picker").ModelPicker(self.page)
            assert self._picker is not None
            self._picker.chosen.connect(self._model_chosen)
            self._picker.open_file_requested.connect(self.open_model_file)
            self._picker.more_requested.connect(self.context.actions["models.discover"].trigger)
        return self._picker

    # --- the end ---------------------------------------------------------------------------------------------
    def close(self) -> None:
        self.side_panel.apply_prompt()
        self.save_draft()

    @Slot()
    def save_draft(self) -> None:
        self._draft_timer.stop()
        if self._editing is None and not self._awaits_chat:
            self.state.save_draft(self._draft_of, self.composer.text)
            self._drafts.keep(self._draft_of or NEW_CHAT, self.composer.files)

    def _bring_files(self) -> None:
        """The files that go with the shown draft, from before the chat was left or the program ended."""
        draft = self._draft_of
        if draft in self._files:
            self.composer.set_files(self._files.pop(draft))
            return

        def take(files: list[Attached]) -> None:
            if draft == self._draft_of and self._editing is None:
                self.composer.bring_back(files)
            else:  # they wait until the chat is shown again or the edit has ended
                self._files[draft] = [*files, *self._files.get(draft, [])]

        self._drafts.read(draft or NEW_CHAT, take)

    # --- showing ---------------------------------------------------------------------------------------------
    @Slot()
    def _backend_ready(self) -> None:
        backend = self.context.backend.value
        if backend is not None and backend.store.read_only:
            self.composer.set_available(False)
        elif backend is not None:
            self._drafts.sweep(backend)
        self._show_model()
        if not self._awaits_chat:
            self.composer.set_ready()

    @Slot()
    def _backend_failed(self) -> None:
        self._show_path()
        self.welcome.show_problem()

    @Slot()
    def _scale(self) -> None:
        self.page.set_scale(self.context.theme.scale)

    @Slot()
    def _panel_toggled(self) -> None:
        self.context.state.value.side_panel_open = self.page.panel_open
        self.context.state.touch()

    @Slot()
    def _show_session(self) -> None:
        state = self.state
        new_id = state.session_id
        draft = state.view.session.draft if state.view and new_id else self.context.state.value.draft
        if self._awaits_chat:
            self._draft_of = new_id
            self._bring_files()  # first: what is sent now takes nothing from the files that are still being read
            self._take_early(draft)
        elif new_id != self._draft_of:
            if self._draft_of is None and new_id is not None and state.sending_began_session:
                self.context.state.value.draft = ""
                self._drafts.keep(NEW_CHAT, [])
                if self.composer.text or self.composer.files:
                    self._draft_timer.start()  # written since: it belongs to the chat that has just been made
            else:
                self.save_draft()
                self.cancel_edit()
                self._files[self._draft_of] = self.composer.files
                self.composer.clear()
                self.composer.set_text(draft)
                self._draft_of = new_id
                self._bring_files()
            self._draft_of = new_id
        title = state.view.session.title if state.view and new_id else ""
        self.page.title.set_text(title)
        self.page.window().setWindowTitle(f"{title} – Model Workbench" if title else "Model Workbench")

    def _take_early(self, draft: str) -> None:
        """What was written before the chat of the last time was there goes behind its draft; what was sent, into it."""
        self._awaits_chat = False
        composer, sent = self.composer, self.composer.holds and self.state.backend is not None
        if self.state.backend is not None:
            composer.set_ready()
        if draft:
            composer.set_text(draft if sent else draft + composer.text)

    @Slot()
    def _show_path(self) -> None:
        stack = self.page.stack
        if self.state.path:
            self.conversation.show_path()
            stack.setCurrentWidget(self.conversation)
        else:
            if self._conversation is not None:
                self._conversation.show_path()
            stack.setCurrentWidget(self.welcome)
            self.page.leave_for_scroll_bar(0)
        self.composer.set_busy(self.state.running_here is not None)
        self.remedies.refresh()
        self.meter.count_soon(self.composer.message())

    @Slot()
    def _show_model(self) -> None:
        page, model = self.page, self.state.model
        remembered = self.context.state.value
        name = model.name if model else self.state.model_id.rpartition("/")[2]
        if model is not None:
            remembered.model_name = name
        elif not self.state.models and remembered.model_id == self.state.model_id:
            name = remembered.model_name or name
        page.show_model_name(name)
        page.model_button.set_icon("cloud" if model and model.remote else "cpu")
        page.model_button.set_title(tr("Model: {name}. Choose another", name=name), self._keys("chat.model"))
        where = tr("API") if model and model.remote else model.quantization if model else ""
        page.model_badge.setText(where)
        page.model_badge.setVisible(bool(where))
        self.composer.set_model(model)
        has_models = any(place.id == "models" for place in PLACES)
        self.welcome.set_model(model, name, loading=not self.state.models, has_models_place=has_models)
        self.meter.count_soon(self.composer.message())

    def _keys(self, action_id: str) -> str:
        return self.context.actions.keys(action_id)

    @Slot(str)
    def _run_started(self, message_id: str) -> None:
        self.conversation.run_started(message_id)
        self.meter.count_soon(self.composer.message())
        self.composer.set_busy(self.state.running_here is not None)

    @Slot()
    def _show_running(self) -> None:
        self.composer.set_busy(self.state.running_here is not None)

    @Slot(str)
    def _run_finished(self, _message_id: str) -> None:
        self.remedies.refresh()
        self.side_panel.read_defaults()
        self.meter.count_soon(self.composer.message())

    @Slot(object)
    def _show_failure(self, error: ErrorInfo) -> None:
        self.remedies.show_error(error)

    # --- chats -----------------------------------------------------------------------------------------------
    @Slot()
    def new_chat(self) -> None:
        self.context.shell.show_place("chat")
        self.state.new_chat()
        self.focus_composer()

    @Slot()
    def focus_composer(self) -> None:
        self.composer.edit.setFocus()

    @Slot()
    def focus_search(self) -> None:
        self.context.shell.show_place("chat")
        if not self.sessions.isVisible():
            self.context.actions["list.toggle"].trigger()
        self.sessions.search.setFocus()
        self.sessions.search.selectAll()

    @Slot()
    def find(self) -> None:
        """Search the shown chat's text."""
        if self.state.path:
            self.conversation.open_find()
        else:
            self.focus_search()

    @Slot(str, str)
    def _open_hit(self, session_id: str, message_id: str) -> None:
        self.conversation.scroll_when_shown(message_id)
        if session_id == self.state.session_id and not message_id:
            self.focus_composer()
            return
        self.state.open_session(session_id, message_id)

    def step_chat(self, step: int) -> None:
        ids = self.sessions.ids()
        if not ids:
            return
        position = ids.index(self.state.session_id) + step if self.state.session_id in ids else 0
        self.state.open_session(ids[position % len(ids)])

    # --- models ----------------------------------------------------------------------------------------------
    @Slot()
    def pick_model(self) -> None:
        self._picked_for = None
        state = self.state
        self.picker.open_below(self.page.model_button, state.models, state.model_id, state.model_files)

    @Slot(str)
    def _pick_for(self, message_id: str) -> None:
        self._picked_for = message_id
        state = self.state
        self.picker.open_below(self.page.model_button, state.models, state.model_id, state.model_files)

    @Slot(str)
    def _model_chosen(self, model_id: str) -> None:
        message_id, self._picked_for = self._picked_for, None
        if message_id is not None:
            self.state.regenerate(message_id, model_id)
        else:
            self.state.set_model(model_id)
        self.focus_composer()

    @Slot()
    def open_model_file(self) -> None:
        path, _filter = QtWidgets.QFileDialog.getOpenFileName(
            self.page, tr("Open a model"), "", tr("GGUF models (*.gguf)")
        )
        if path:
            self.use_model_file(path)

    def use_model_file(self, path: str) -> None:
        """Begin a chat with this GGUF file."""
        self.context.shell.show_place("chat")
        self.state.new_chat()
        self.state.use_file(path)
        self.focus_composer()

    @Slot(list)
    def drop_files(self, files: list[str]) -> None:
        models = [path for path in files if path.lower().endswith(".gguf")]
        others = [path for path in files if path not in models]
        if models:
            self.use_model_file(models[0])
        if others:
            self.composer.add_files(list(others))

    # --- sending ---------------------------------------------------------------------------------------------
    @Slot(object)
    def _submit(self, message: Message) -> None:
        self.side_panel.apply_prompt()
        self._draft_timer.stop()
        if self._editing is not None:
            if not self.state.edit_and_send(self._editing, message):
                return
            self.cancel_edit()
        else:
            if not self.state.send(message):
                return
            self.composer.clear()
            self._draft_timer.stop()
            self.state.save_draft(self._draft_of, "")
            self._drafts.keep(self._draft_of or NEW_CHAT, [])
        if self._conversation is not None:
            self._conversation.follow()
        self.remedies.clear()

    @Slot(str)
    def compare(self, prompt: str) -> None:
        """Put a prompt before several models."""
        page: Any = self.context.shell.show_place("compare")
        page.use_prompt(prompt)

    @Slot(str)
    def begin_edit(self, message_id: str) -> None:
        """Take an earlier message into the composer; sending it makes a branch."""
        text = self.conversation.text_of(message_id)
        if text is None:
            return
        if self._editing is None:
            self.save_draft()
            self._put_aside = self.composer.message()
            self.composer.clear()
        self._editing = message_id
        self.composer.set_text(text)
        self.composer.set_editing(True)
        self.focus_composer()

    @Slot()
    def edit_last(self) -> None:
        for stored in reversed(self.state.path):
            if stored.message.role == "user":
                self.begin_edit(stored.id)
                return

    @Slot()
    def cancel_edit(self) -> None:
        if self._editing is not None:
            self._editing = None
            self.composer.set_editing(False)
            self.composer.clear()
            if self._put_aside is not None:
                self.composer.take_back(self._put_aside)
                self._put_aside = None
            if self._draft_of in self._files:
                self.composer.bring_back(self._files.pop(self._draft_of))

    @Slot()
    def escape(self) -> None:
        if self._editing is not None:
            self.cancel_edit()
        elif not self.state.stop():
            self.remedies.clear()

    @Slot()
    def _text_changed(self) -> None:
        self._draft_timer.start()
        self.meter.count_soon(self.composer.message())
