"""The Compare place: comparisons at the left, columns side by side, one composer for all of them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from PySide6 import QtWidgets
from PySide6.QtCore import QPoint, Qt, QTimer, Slot
from PySide6.QtGui import QHideEvent, QPalette, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from workbench.core.errors import ErrorInfo
from workbench.core.messages import Message
from workbench.core.models import ModelInfo
from workbench.ui.chat.composer import Composer
from workbench.ui.chat.session_list import COMPARISONS, SessionList
from workbench.ui.chat.token_meter import estimate
from workbench.ui.compare.actions import add_actions
from workbench.ui.compare.answers import AnswerActions
from workbench.ui.compare.board import ColumnBoard
from workbench.ui.compare.column import ColumnPanel
from workbench.ui.compare.conditions_bar import ConditionsBar
from workbench.ui.compare.menus import column_menu
from workbench.ui.compare.sets_menu import ColumnSets
from workbench.ui.compare.sheet import ColumnSheet
from workbench.ui.compare.state import CompareState
from workbench.ui.compare.toolbar import Toolbar
from workbench.ui.compare.turns import news_of
from workbench.ui.compare.vote_bar import VoteBar
from workbench.ui.context import Context
from workbench.ui.draft_files import COMPARISON, DraftFiles
from workbench.ui.icons import PushButton
from workbench.ui.places import Page
from workbench.ui.theme import scaled
from workbench.ui.tr import mark, tr, trn
from workbench.ui.widgets import announce, label

if TYPE_CHECKING:
    from workbench.ui.chat.model_picker import ModelPicker

DRAFT_SAVE_MS = 600
SHEET_WIDTH = 304
WORK = "compare"
EXAMPLES = (
    mark("Explain a context window in two sentences."),
    mark("Write a haiku about the sea."),
    mark("Name three uses of a paper clip."),
)


class ComparePage(Page):
    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        self.state = CompareState(context, self)
        self.answers = AnswerActions(self)
        self.sessions = SessionList(self.state, context, COMPARISONS)
        self.sessions.hit_chosen.connect(self._open_hit)
        self.side_list = self.sessions
        self._picker: ModelPicker | None = None
        self._picking = ""
        """Key of the column whose model is being picked; empty: for a new column."""
        self._worked_at = ""
        """Id of the turn that the status bar shows."""
        self._build()
        self._connect()
        add_actions(self)
        self.composer.set_text(self.state.draft)
        self._drafts = DraftFiles(context, self)
        self._drafts.read(COMPARISON, self.composer.bring_back)
        self._show_columns()
        self._show_turns()

    # --- building ---------------------------------------------------------------------------------------------
    def _build(self) -> None:
        outer = QHBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        main = QFrame()
        main.setObjectName("comparePage")
        column = QVBoxLayout(main)
        column.setContentsMargins(16, 10, 16, 12)
        column.setSpacing(10)
        self.toolbar = Toolbar(self.state)
        self.sets = ColumnSets(self.state, self.context, self.toolbar.sets)
        column.addWidget(self.toolbar)
        self.conditions = ConditionsBar(self.state)
        column.addWidget(self.conditions)
        self.board = ColumnBoard(self.state, self.context)
        column.addWidget(self.board, 1)
        self.votes = VoteBar(self.state)
        column.addWidget(self.votes)
        column.addWidget(self._build_examples())
        self.problem = label("", "bad", wrap=True, selectable=True)
        self.problem.hide()
        column.addWidget(self.problem)
        self.picture_note = label("", "warn", wrap=True)
        self.picture_note.hide()
        column.addWidget(self.picture_note)
        self.composer = Composer()
        self.composer.set_jobs(self.context.jobs)
        column.addWidget(self.composer)
        outer.addWidget(main, 1)
        self._sheet: ColumnSheet | None = None
        self._outer = outer
        self._draft_timer = QTimer(self, singleShot=True, interval=DRAFT_SAVE_MS)
        self._draft_timer.timeout.connect(self.save_draft)

    def _build_examples(self) -> QWidget:
        self.examples = QWidget()
        row = QHBoxLayout(self.examples)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(label(tr("Try:"), "muted"))
        self.example_buttons: list[PushButton] = []
        for text in EXAMPLES:
            button = PushButton(tr(text))
            button.setAccessibleName(tr("Try: {prompt}", prompt=tr(text)))
            button.setProperty("prompt", tr(text))
            button.clicked.connect(self._use_example)
            self.example_buttons.append(button)
            row.addWidget(button)
        row.addStretch(1)
        self.examples.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        return self.examples

    def _fit_examples(self) -> None:
        """As many examples as the line holds, at least one."""
        room = self.board.width() - 60
        for place, button in enumerate(self.example_buttons):
            room -= button.sizeHint().width() + 8
            button.setVisible(place == 0 or room >= 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_examples()

    def _connect(self) -> None:
        state, toolbar, composer = self.state, self.toolbar, self.composer
        state.columns_changed.connect(self._show_columns)
        state.models_changed.connect(self._show_columns)
        state.turns_changed.connect(self._show_turns)
        state.session_changed.connect(self._show_session)
        state.running_changed.connect(self._show_running)
        state.turn_done.connect(self._turn_done)
        state.failed.connect(self.show_failure)
        state.draft_returned.connect(composer.take_back)
        toolbar.add_clicked.connect(self.add_column)
        toolbar.sets_clicked.connect(self.sets.open)
        toolbar.diff_clicked.connect(self.answers.show_diff)
        toolbar.tally_clicked.connect(self.answers.show_tally)
        toolbar.export_clicked.connect(self.answers.open_export)
        composer.submitted.connect(self._submit)
        composer.stop_requested.connect(state.stop)
        composer.text_changed.connect(self._text_changed)
        composer.edit_last.connect(self.reuse_last_prompt)
        self.board.panel_added.connect(self._panel_added)
        self.board.current_changed.connect(self._current_changed)
        for panel in self.board.panels.values():
            self._panel_added(panel)
        self.context.theme.changed.connect(self._scale)
        self._scale()
        self.context.backend.when_ready(self._backend_ready)

    @Slot(object)
    def _panel_added(self, panel: ColumnPanel) -> None:
        header, key = panel.header, panel.key
        header.model_clicked.connect(lambda: self.pick_model(key))
        header.settings_clicked.connect(lambda: self.open_sheet(key))
        header.menu_wanted.connect(lambda point: self.open_column_menu(key, point))
        panel.action_requested.connect(self.answers.act)
        panel.link_activated.connect(self.answers.open_link)
        panel.files_dropped.connect(lambda files: self.composer.add_files(list(files)))

    @property
    def sheet(self) -> ColumnSheet:
        """Made when first wanted."""
        if self._sheet is None:
            made = self._sheet = ColumnSheet(self.state, self.context)
            made.hide()
            made.closed.connect(self.close_sheet)
            self._outer.addWidget(made)
            self._scale()
        return self._sheet

    @property
    def sheet_open(self) -> bool:
        return self._sheet is not None and not self._sheet.isHidden()

    def _apply_sheet(self) -> None:
        if self._sheet is not None:
            self._sheet.apply()

    @property
    def picker(self) -> ModelPicker:
        """Made when first wanted."""
        if self._picker is None:
            made: ModelPicker = importlib.import_module("workbench.ui.chat.model_picker").ModelPicker(self)
            made.chosen.connect(self._model_chosen)
            made.open_file_requested.connect(self._open_model_file)
            made.more_requested.connect(self.context.actions["models.discover"].trigger)
            self._picker = made
        return self._picker

    # --- Page -------------------------------------------------------------------------------------------------
    def activate(self) -> None:
        self.state.reload_models()
        self.state.judging.look()
        self._show_title()
        self._show_hidden()
        self.focus_composer()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.context.shell.conceal_models(False)

    def close_page(self) -> None:
        self._apply_sheet()
        self.save_draft()

    @Slot()
    def save_draft(self) -> None:
        self._draft_timer.stop()
        self.state.save_draft(self.composer.text)
        self._drafts.keep(COMPARISON, self.composer.files)

    # --- for other places -------------------------------------------------------------------------------------
    def open_session(self, session_id: str) -> None:
        """Show a stored comparison."""
        self.context.shell.show_place("compare")
        self.state.open_session(session_id)

    def use_prompt(self, text: str) -> None:
        """Begin a new comparison with this prompt in the composer."""
        self.context.shell.show_place("compare")
        self.state.new_chat()
        self.composer.set_text(text)
        self.focus_composer()

    # --- showing ----------------------------------------------------------------------------------------------
    @Slot()
    def _backend_ready(self) -> None:
        backend = self.context.backend.value
        if backend is not None and backend.store.read_only:
            self.composer.set_available(False)

    @Slot()
    def _scale(self) -> None:
        if self._sheet is not None:
            self._sheet.setFixedWidth(scaled(SHEET_WIDTH, self.context.theme.scale))

    @Slot()
    def _show_session(self) -> None:
        self._show_title()
        self.problem.hide()

    def _show_title(self) -> None:
        title = self.state.session.title if self.state.session else ""
        if self.isVisible():
            self.window().setWindowTitle(f"{title} – Model Workbench" if title else "Model Workbench")

    @Slot()
    def _show_columns(self) -> None:
        self.composer.set_model(self._most_able())
        count = len(self.state.shown_columns)
        self.composer.edit.setPlaceholderText(
            tr("Ask all {count}…   Enter to send, Shift+Enter for a new line", count=count)
        )
        self._show_send()
        self._show_hidden()
        self._count_tokens()
        self._show_pictures()

    @Slot()
    def _show_turns(self) -> None:
        self.examples.setVisible(not self.state.turns)
        self._show_running()
        self._show_hidden()

    def _show_hidden(self) -> None:
        hidden = self.state.hidden
        if hidden:
            self.close_sheet()
        if self.isVisible():
            self.context.shell.conceal_models(hidden)

    @Slot()
    def _show_running(self) -> None:
        running = self.state.running_here or self.state.sending
        self.composer.set_busy(running)
        self._show_send()
        turn = self.state.last_turn
        if self.state.running_here and turn is not None:
            done, count = sum(cell.done for cell in turn.cells.values()), len(turn.cells)
            text = trn("{done} of {count} answer finished", "{done} of {count} answers finished", count, done=done)
            self.context.shell.set_work(WORK, text, done / count, self.state.stop)
            self._worked_at = turn.id
        else:
            news = news_of(turn) if turn is not None and turn.id == self._worked_at else ""
            self.context.shell.set_work(WORK, "", None, None, news)

    def _show_send(self) -> None:
        send, busy = self.composer.send, self.state.running_here or self.state.sending
        count = len(self.state.shown_columns)
        text = tr("Stop all") if busy else tr("Send to {count}", count=count)
        send.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        send.setText(text)
        role = QPalette.ColorRole.HighlightedText if send.isEnabled() else QPalette.ColorRole.PlaceholderText
        send.set_icon("square" if busy else "arrow-up", role)
        send.set_title(text, "Esc" if busy else "Enter")

    def _most_able(self) -> ModelInfo | None:
        """The model that can take most: the composer refuses a picture only if none of them reads pictures."""
        models = [info for column in self.state.columns if (info := self.state.model(column)) is not None]
        return next((info for info in models if "images" in info.capabilities), models[0] if models else None)

    def _show_pictures(self) -> None:
        """Which columns can make nothing of the prompt's pictures; after the answer its conditions tell."""
        state = self.state
        known = [(column, info) for column in state.shown_columns if (info := state.model(column)) is not None]
        without = [column for column, info in known if "images" not in info.capabilities]
        shown = self.composer.has_pictures and 0 < len(without) < len(known)
        if shown and state.hidden:
            self.picture_note.setText(tr("Not all of these models can read pictures."))
        elif shown:
            names = ", ".join(state.title(column) for column in without)
            self.picture_note.setText(tr("The others get the picture, which these can't read: {names}.", names=names))
        self.picture_note.setVisible(shown)

    @Slot()
    def _turn_done(self) -> None:
        self._show_running()
        turn = self.state.last_turn
        if turn is not None and self.isVisible():
            announce(self, tr("All answers are finished"))
            if self.state.hidden and self.votes.is_open and not self.composer.text.strip():
                self.votes.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot(object)
    def show_failure(self, error: ErrorInfo) -> None:
        """An error that belongs to no column."""
        self.problem.setText(str(error))
        self.problem.setVisible(bool(str(error)))

    # --- composing --------------------------------------------------------------------------------------------
    @Slot(object)
    def _submit(self, message: Message) -> None:
        self._apply_sheet()
        if self.state.send(message):
            self.problem.hide()
            self.composer.clear()
            self._show_pictures()
            self.save_draft()
            self.board.follow()

    @Slot()
    def _use_example(self) -> None:
        button = self.sender()
        if isinstance(button, PushButton):
            self.composer.set_text(str(button.property("prompt")))
            self.focus_composer()
            self.composer.submit()

    @Slot()
    def _text_changed(self) -> None:
        self._draft_timer.start()
        self._show_send()
        self._count_tokens()
        self._show_pictures()

    def _count_tokens(self) -> None:
        """Roughly, and against the smallest context of the columns: while names are hidden without a limit."""
        text = self.composer.text
        limits = [info.context_length for c in self.state.columns if (info := self.state.model(c))]
        known = [limit for limit in limits if limit]
        tokens = estimate((Message.of("user", text),)) if text.strip() else None
        limit = min(known) if known and tokens is not None and tokens * 2 > min(known) else None
        self.composer.set_count(tokens, None if self.state.hidden else limit, exact=False)

    @Slot()
    def focus_composer(self) -> None:
        self.composer.edit.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot()
    def reuse_last_prompt(self) -> None:
        """Take the last prompt into the composer again."""
        turn = self.state.last_turn
        if turn is not None:
            self.composer.set_text(turn.prompt.text)
            self.focus_composer()

    @Slot()
    def new_comparison(self) -> None:
        self.context.shell.show_place("compare")
        self.state.new_chat()
        self.focus_composer()

    @Slot()
    def escape(self) -> None:
        if not self.state.stop():
            self.close_sheet()

    # --- columns ----------------------------------------------------------------------------------------------
    @Slot()
    def add_column(self) -> None:
        if self.toolbar.add.isEnabled():
            self._picking = ""
            self.picker.open_below(self.toolbar.add, self.state.models, "")

    def pick_model(self, key: str) -> None:
        column = self.state.column(key)
        if column is not None and not self.state.hidden:
            self._picking = key
            anchor = self.board.panels[key].header.name
            self.picker.open_below(anchor, self.state.models, column.model)

    @Slot(str)
    def _model_chosen(self, model_id: str) -> None:
        if self._picking:
            self.state.change(self._picking, model=model_id)
        else:
            column = self.state.add_column(model_id)
            if column is not None:
                self.board.show_column(column.key)
        self.focus_composer()

    @Slot()
    def _open_model_file(self) -> None:
        path, _filter = QtWidgets.QFileDialog.getOpenFileName(self, tr("Open a model"), "", tr("GGUF models (*.gguf)"))
        if path:
            self._model_chosen(path)
            self.state.reload_models()

    def open_sheet(self, key: str) -> None:
        if self.state.hidden or self.state.column(key) is None:
            return
        self.board.set_current(key)
        self.sheet.show_column(key)
        self.sheet.show()
        self.sheet.label.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot()
    def close_sheet(self) -> None:
        if self.sheet_open:
            self.sheet.apply()
            self.sheet.hide()
            self.focus_composer()

    @Slot()
    def toggle_sheet(self) -> None:
        if self.sheet_open:
            self.close_sheet()
        else:
            self.open_sheet(self.board.current)

    @Slot(str)
    def _current_changed(self, key: str) -> None:
        if self.sheet_open and self.state.column(key) is not None:
            self.sheet.show_column(key)

    def open_column_menu(self, key: str, point: QPoint) -> None:
        column_menu(self, key).popup(point)

    def move_current(self, by: int) -> None:
        keys = [column.key for column in self.state.columns]
        if self.board.current in keys:
            self.state.move(self.board.current, keys.index(self.board.current) + by)

    # --- the list ---------------------------------------------------------------------------------------------
    @Slot(str, str)
    def _open_hit(self, session_id: str, message_id: str) -> None:
        if message_id or session_id != self.state.session_id:
            self.state.open_session(session_id, message_id)
        self.focus_composer()

    @Slot()
    def focus_search(self) -> None:
        if not self.context.state.value.list_open:
            self.context.actions["list.toggle"].trigger()
        self.sessions.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.sessions.search.selectAll()

    def step_session(self, step: int) -> None:
        ids = self.sessions.ids()
        if ids:
            place = ids.index(self.state.session_id) + step if self.state.session_id in ids else 0
            self.state.open_session(ids[place % len(ids)])
