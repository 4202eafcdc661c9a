"""The Chat place: list of chats, transcript, composer and the panel of options."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from PySide6 import QtWidgets
from PySide6.QtCore import QByteArray, QSize, Qt, QTimer, Slot
from PySide6.QtGui import QPalette, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from workbench.core.errors import ErrorInfo
from workbench.core.messages import Message
from workbench.ui.chat.composer import Composer
from workbench.ui.chat.remedies import RemedyBar
from workbench.ui.chat.session_list import SessionList
from workbench.ui.chat.side_panel import SidePanel
from workbench.ui.chat.state import ChatState
from workbench.ui.chat.token_meter import TokenMeter
from workbench.ui.chat.welcome import Welcome
from workbench.ui.context import Context
from workbench.ui.icons import IconButton
from workbench.ui.places import PLACES, Page
from workbench.ui.theme import LARGEST_SCALE, scaled
from workbench.ui.tr import tr
from workbench.ui.widgets import ElidedLabel, label

if TYPE_CHECKING:
    from workbench.ui.chat.conversation import Conversation
    from workbench.ui.chat.model_picker import ModelPicker

DRAFT_SAVE_MS = 600
PANEL_WIDTH = 272
MAIN_WIDTH = 366
"""The panel makes room where the conversation would become narrower than this."""
MODEL_NAME_WIDTH = 260
TEXT_WIDTH = 860
"""Widest column of text; wider lines are hard to read."""


class ChatPage(Page):
    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        self.state = ChatState(context, self)
        self._editing: str | None = None
        self._model_name = ""
        self._draft_of: str | None = None
        self._picked_for: str | None = None
        """The answer to regenerate with the model that is being picked."""
        self.sessions = SessionList(self.state, context)
        self.sessions.hit_chosen.connect(self._open_hit)
        self.side_list = self.sessions
        self._build()
        self._connect()
        self._add_actions()
        self.composer.set_text(context.state.value.draft)
        self._show_session()
        self._show_model()
        self._show_path()

    # --- building --------------------------------------------------------------------------------------------
    def _build(self) -> None:
        outer = QHBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        self.splitter = QSplitter()
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        main = self._main = QFrame()
        main.setObjectName("chatMain")
        column = QVBoxLayout(main)
        column.setContentsMargins(0, 0, 0, 12)
        column.setSpacing(0)
        self._build_head(column)
        self.stack = QStackedWidget()
        self.welcome = Welcome()
        self.stack.addWidget(self.welcome)
        self._conversation: Conversation | None = None
        column.addWidget(self.stack, 1)
        lower = QWidget()
        row = QHBoxLayout(lower)
        row.setContentsMargins(16, 0, 16, 0)
        row.addStretch(1)
        box = QWidget()
        box.setMaximumWidth(TEXT_WIDTH)
        inner = QVBoxLayout(box)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(8)
        self.remedies = RemedyBar(self.state)
        inner.addWidget(self.remedies)
        self.composer = Composer()
        inner.addWidget(self.composer)
        row.addWidget(box, 1000)
        row.addStretch(1)
        column.addWidget(lower)
        self.splitter.addWidget(main)
        self.side_panel = SidePanel(self.state, self.context)
        self.splitter.addWidget(self.side_panel)
        self.splitter.setStretchFactor(0, 1)
        self.splitter.setStretchFactor(1, 0)
        self.side_panel.setVisible(self.context.state.value.side_panel_open)
        self._panel_wanted = False
        """The panel was asked for where there is no room for it."""
        outer.addWidget(self.splitter)
        self.splitter.setSizes([900, 320])
        saved = self.context.state.value.splitters.get("chat", "")
        if saved:
            self.splitter.restoreState(QByteArray.fromBase64(saved.encode()))
        self._picker: ModelPicker | None = None
        self.meter = TokenMeter(self.state, self.context, self)

    def _build_head(self, column: QVBoxLayout) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(14, 8, 10, 8)
        head.setSpacing(6)
        self.model_button = IconButton(
            "cpu",
            tr("Choose a model"),
            text="…",
            size=17,
            role=QPalette.ColorRole.PlaceholderText,
            object_name="modelButton",
        )
        self.model_button.clicked.connect(self.pick_model)
        head.addWidget(self.model_button)
        self.model_badge = label("", "badge")
        head.addWidget(self.model_badge)
        head.addSpacing(12)
        self.title = ElidedLabel("", "stat")
        self.title.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        head.addWidget(self.title, 1)
        self.panel_button = IconButton("sliders-horizontal", tr("Show or hide the options"))
        self.panel_button.clicked.connect(self.toggle_panel)
        head.addWidget(self.panel_button)
        column.addLayout(head)

    def _connect(self) -> None:
        state, composer = self.state, self.composer
        state.session_changed.connect(self._show_session)
        state.path_changed.connect(self._show_path)
        state.model_changed.connect(self._show_model)
        state.models_changed.connect(self._show_model)
        state.run_started.connect(self._run_started)
        state.running_changed.connect(self._show_running)
        state.run_finished.connect(self._run_finished)
        state.failed.connect(self._show_failure)
        state.draft_returned.connect(composer.set_text)
        composer.submitted.connect(self._submit)
        composer.stop_requested.connect(state.stop)
        composer.edit_last.connect(self.edit_last)
        composer.cancel_edit.connect(self.cancel_edit)
        composer.text_changed.connect(self._text_changed)
        self.welcome.prompt_chosen.connect(self._use_prompt)
        self.side_panel.hide_requested.connect(self.toggle_panel)
        self.meter.counted.connect(composer.set_count)
        self.context.backend.when_ready(self._backend_ready)
        self.context.backend.failed.connect(self.welcome.show_problem)
        self.context.theme.changed.connect(self._scale)
        self._scale()
        self._draft_timer = QTimer(self)
        self._draft_timer.setSingleShot(True)
        self._draft_timer.setInterval(DRAFT_SAVE_MS)
        self._draft_timer.timeout.connect(self.save_draft)

    @property
    def conversation(self) -> Conversation:
        """Made with the first message: an empty chat paints without the transcript's machinery."""
        if self._conversation is None:
            made: Conversation = importlib.import_module("workbench.ui.chat.conversation").Conversation(
                self.state, self.context
            )
            made.edit_requested.connect(self.begin_edit)
            made.other_model_requested.connect(self._pick_for)
            made.files_dropped.connect(self.drop_files)
            self.stack.addWidget(made)
            self._conversation = made
        return self._conversation

    @property
    def picker(self) -> ModelPicker:
        """Made when first wanted."""
        if self._picker is None:
            self._picker = importlib.import_module("workbench.ui.chat.model_picker").ModelPicker(self)
            assert self._picker is not None
            self._picker.chosen.connect(self._model_chosen)
            self._picker.open_file_requested.connect(self.open_model_file)
        return self._picker

    def _add_actions(self) -> None:
        add, group = self.context.actions.add, tr("Chat")
        add("chat.new", tr("New chat"), self.new_chat, "Ctrl+N", icon="plus", group=group)
        add("chat.stop", tr("Stop the answer"), self._escape, "Esc", icon="square", group=group)
        add("chat.model", tr("Choose a model"), self.pick_model, "Ctrl+M", icon="cpu", group=group)
        add("chat.open_model", tr("Open a GGUF file…"), self.open_model_file, "Ctrl+O", icon="file", group=group)
        add("chat.attach", tr("Attach files"), self.composer.choose_files, "Ctrl+U", icon="paperclip", group=group)
        add("chat.search", tr("Search chats"), self.focus_search, "Ctrl+F", icon="search", group=group)
        add(
            "chat.options",
            tr("Show or hide the options"),
            self.toggle_panel,
            "Ctrl+.",
            icon="sliders-horizontal",
            group=group,
        )
        add("chat.focus", tr("Write a prompt"), self.focus_composer, "Ctrl+L", icon="text-cursor-input", group=group)
        add("chat.rename", tr("Rename the chat"), self.sessions.rename_selected, "F2", icon="pencil", group=group)
        add("chat.pin", tr("Pin or unpin the chat"), self.sessions.toggle_pin, "Ctrl+P", icon="pin", group=group)
        add("chat.move", tr("Move the chat to a folder…"), self.sessions.move_selected, icon="folder", group=group)
        add(
            "chat.delete",
            tr("Delete the chat"),
            self.sessions.delete_selected,
            "Ctrl+Shift+Backspace",
            icon="trash-2",
            group=group,
        )
        add("chat.next", tr("Next chat"), lambda: self.step_chat(1), "Ctrl+PgDown", icon="chevron-down", group=group)
        add("chat.previous", tr("Previous chat"), lambda: self.step_chat(-1), "Ctrl+PgUp", group=group)
        add(
            "answer.regenerate",
            tr("Regenerate the last answer"),
            lambda: self.conversation.regenerate_last(),
            "Ctrl+R",
            icon="rotate-ccw",
            group=group,
        )
        add(
            "answer.regenerate_with",
            tr("Regenerate with another model…"),
            self.regenerate_with,
            "Ctrl+Shift+R",
            icon="cpu",
            group=group,
        )
        add(
            "answer.continue",
            tr("Continue the last answer"),
            lambda: self.conversation.continue_last(),
            "Ctrl+Return",
            icon="fast-forward",
            group=group,
        )
        add(
            "answer.copy",
            tr("Copy the last answer"),
            lambda: self.conversation.copy_last(),
            "Ctrl+Shift+C",
            icon="copy",
            group=group,
        )
        add(
            "answer.previous",
            tr("Previous version of the answer"),
            lambda: self.conversation.step_sibling(-1),
            "Alt+Left",
            icon="chevron-left",
            group=group,
        )
        add(
            "answer.next",
            tr("Next version of the answer"),
            lambda: self.conversation.step_sibling(1),
            "Alt+Right",
            icon="chevron-right",
            group=group,
        )
        add(
            "answer.prompt",
            tr("Show the rendered prompt"),
            lambda: self.conversation.show_prompt_of_last(),
            "Ctrl+Shift+P",
            icon="file-code",
            group=group,
        )
        add(
            "answer.record",
            tr("Show the run record"),
            lambda: self.conversation.show_record_of_last(),
            "Ctrl+I",
            icon="scroll-text",
            group=group,
        )
        add("message.edit_last", tr("Edit the last message"), self.edit_last, "Ctrl+E", icon="pencil", group=group)
        add(
            "message.delete_last",
            tr("Delete the last exchange"),
            lambda: self.conversation.delete_last(),
            icon="trash-2",
            group=group,
        )
        add("preset.save", tr("Save the options as a preset"), self.side_panel.save_preset, icon="save", group=group)

    # --- Page ------------------------------------------------------------------------------------------------
    def activate(self) -> None:
        self.focus_composer()

    def close_page(self) -> None:
        self.side_panel.apply_prompt()
        self.save_draft()
        self.context.state.value.splitters["chat"] = bytes(self.splitter.saveState().toBase64().data()).decode()

    @Slot()
    def save_draft(self) -> None:
        self._draft_timer.stop()
        if self._editing is None:
            self.state.save_draft(self._draft_of, self.composer.text)

    # --- showing ---------------------------------------------------------------------------------------------
    @Slot()
    def _backend_ready(self) -> None:
        backend = self.context.backend.value
        if backend is not None and backend.store.read_only:
            self.composer.set_available(False)
        self._show_model()

    @Slot()
    def _scale(self) -> None:
        self.side_panel.setMinimumWidth(scaled(PANEL_WIDTH, min(self.context.theme.scale, LARGEST_SCALE)))
        self._fit()
        self._show_model_name()

    def minimumSizeHint(self) -> QSize:
        """Without the panel, which makes room by itself."""
        main = self._main.minimumSizeHint()
        return main if not self._panel_wanted else main + QSize(self.side_panel.minimumWidth(), 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Show the panel if it is wanted and there is room."""
        main = scaled(MAIN_WIDTH, min(self.context.theme.scale, LARGEST_SCALE))
        fits = self.width() >= main + self.side_panel.minimumWidth()
        self._panel_wanted = self._panel_wanted and not fits
        self.side_panel.setVisible(self.context.state.value.side_panel_open and (fits or self._panel_wanted))

    @Slot()
    def _show_session(self) -> None:
        state = self.state
        new_id = state.session_id
        if new_id != self._draft_of:
            began_here = self._draft_of is None and new_id is not None and state.sending_began_session
            if not began_here:
                self.save_draft()
                self.cancel_edit()
                draft = state.view.session.draft if state.view and new_id else self.context.state.value.draft
                self.composer.clear()
                self.composer.set_text(draft)
            else:
                self.context.state.value.draft = ""
            self._draft_of = new_id
        title = state.view.session.title if state.view and new_id else ""
        self.title.set_text(title)
        self.window().setWindowTitle(f"{title} – Model Workbench" if title else "Model Workbench")

    @Slot()
    def _show_path(self) -> None:
        if self.state.path:
            self.conversation.show_path()
            self.stack.setCurrentWidget(self.conversation)
        else:
            if self._conversation is not None:
                self._conversation.show_path()
            self.stack.setCurrentWidget(self.welcome)
        self.composer.set_busy(self.state.running_here is not None)
        self.remedies.refresh()
        self.meter.count_soon(self.composer.message())

    @Slot()
    def _show_model(self) -> None:
        model = self.state.model
        name = model.name if model else self.state.model_id.rpartition("/")[2]
        self._model_name = name
        self._show_model_name()
        self.model_button.set_icon("cloud" if model and model.remote else "cpu")
        self.model_button.set_title(tr("Model: {name}. Choose another", name=name), "Ctrl+M")
        where = tr("API") if model and model.remote else model.quantization if model else ""
        self.model_badge.setText(where)
        self.model_badge.setVisible(bool(where))
        self.composer.set_model(model)
        has_models = any(place.id == "models" for place in PLACES)
        self.welcome.set_model(model, name, loading=not self.state.models, has_models_place=has_models)
        self.meter.count_soon(self.composer.message())

    def _show_model_name(self) -> None:
        room = scaled(MODEL_NAME_WIDTH, min(self.context.theme.scale, LARGEST_SCALE))
        metrics = self.model_button.fontMetrics()
        self.model_button.setText(" " + metrics.elidedText(self._model_name, Qt.TextElideMode.ElideMiddle, room))

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

    # --- acting ----------------------------------------------------------------------------------------------
    @Slot()
    def new_chat(self) -> None:
        self.context.shell.show_place("chat")
        self.state.new_chat()
        self.focus_composer()

    @Slot()
    def focus_composer(self) -> None:
        self.composer.edit.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot()
    def focus_search(self) -> None:
        self.context.shell.show_place("chat")
        if not self.sessions.isVisible():
            self.context.actions["list.toggle"].trigger()
        self.sessions.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.sessions.search.selectAll()

    @Slot()
    def toggle_panel(self) -> None:
        self._panel_wanted = self.context.state.value.side_panel_open = self.side_panel.isHidden()
        self.context.state.touch()
        self._fit()

    @Slot()
    def pick_model(self) -> None:
        self._picked_for = None
        self.picker.open_below(self.model_button, self.state.models, self.state.model_id)

    @Slot(str)
    def _pick_for(self, message_id: str) -> None:
        self._picked_for = message_id
        self.picker.open_below(self.model_button, self.state.models, self.state.model_id)

    def regenerate_with(self) -> None:
        answer = self.conversation.last_answer()
        if answer is not None:
            self._pick_for(answer)

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
        path, _filter = QtWidgets.QFileDialog.getOpenFileName(self, tr("Open a model"), "", tr("GGUF models (*.gguf)"))
        if path:
            self.use_model_file(path)

    def use_model_file(self, path: str) -> None:
        """Begin a chat with this GGUF file."""
        self.context.shell.show_place("chat")
        self.state.new_chat()
        self.state.set_model(path)
        self.state.reload_models()
        self.focus_composer()

    @Slot(list)
    def drop_files(self, files: list[str]) -> None:
        models = [path for path in files if path.lower().endswith(".gguf")]
        others = [path for path in files if path not in models]
        if models:
            self.use_model_file(models[0])
        if others:
            self.composer.add_files(list(others))

    @Slot(object)
    def _submit(self, message: Message) -> None:
        self.side_panel.apply_prompt()
        self._draft_timer.stop()
        if self._editing is not None:
            message_id = self._editing
            self.cancel_edit()
            self.state.edit_and_send(message_id, message)
        else:
            if not self.state.send(message):
                return
            self.composer.clear()
            self._draft_timer.stop()
            self.state.save_draft(self._draft_of, "")
        self.remedies.clear()

    @Slot(str)
    def begin_edit(self, message_id: str) -> None:
        """Take an earlier message into the composer; sending it makes a branch."""
        text = self.conversation.text_of(message_id)
        if text is None:
            return
        if self._editing is None:
            self.save_draft()
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

    @Slot()
    def _escape(self) -> None:
        if self._editing is not None:
            self.cancel_edit()
        elif not self.state.stop():
            self.remedies.clear()

    @Slot(str)
    def _use_prompt(self, prompt: str) -> None:
        self.composer.set_text(prompt)
        self.focus_composer()
        self.composer.submit()

    @Slot()
    def _text_changed(self) -> None:
        self._draft_timer.start()
        self.meter.count_soon(self.composer.message())

    @Slot(str, str)
    def _open_hit(self, session_id: str, message_id: str) -> None:
        self.conversation.scroll_when_shown(message_id)
        if session_id == self.state.session_id and not message_id:
            self.focus_composer()
            return
        self.state.open_session(session_id, message_id or None)

    def step_chat(self, step: int) -> None:
        ids = self.sessions.ids()
        if not ids:
            return
        position = ids.index(self.state.session_id) + step if self.state.session_id in ids else 0
        self.state.open_session(ids[position % len(ids)])
