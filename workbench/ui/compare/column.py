"""One column: its head, and the transcript into which its answers stream."""

from __future__ import annotations

import dataclasses
import importlib
from typing import TYPE_CHECKING

from msgspec.structs import replace
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from workbench.ui.compare import columns as sets
from workbench.ui.compare.columns import Column
from workbench.ui.compare.header import ColumnHeader, where
from workbench.ui.compare.items import answer_actions, items_of, prompt_actions, prompt_key, status_text
from workbench.ui.compare.state import CompareState
from workbench.ui.compare.turns import Answer, Turn
from workbench.ui.context import Context
from workbench.ui.icons import IconLabel, PushButton
from workbench.ui.run_stream import RunStream
from workbench.ui.theme import scaled
from workbench.ui.tr import tr, translated
from workbench.ui.transcript.items import TranscriptItem
from workbench.ui.widgets import clear_layout, label, restyle

if TYPE_CHECKING:
    from workbench.services.runner import Run
    from workbench.ui.transcript import TranscriptView

MINIMUM_WIDTH = 222
KEY_ERRORS = ("missing_key", "bad_key", "auth_failed")
FRAMES_PER_NUMBER = 6
"""The numbers in the head change five times a second: faster ones can't be read."""


class Stream(RunStream):
    """The answer that is being written into this column."""

    def __init__(self, turn: Turn, run: Run) -> None:
        super().__init__(run.id, run)
        self.turn = turn
        self.notice = ""
        self.frames = 0


class ColumnPanel(QFrame):
    action_requested = Signal(str, str, str)
    """(column key, id of the answer's run or of the prompt, action)"""
    link_activated = Signal(str)
    files_dropped = Signal(list)

    def __init__(self, column: Column, state: CompareState, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("column")
        self.key = column.key
        self._state, self._context = state, context
        self._stream: Stream | None = None
        self._keys: list[str] = []
        box = QVBoxLayout(self)
        box.setContentsMargins(1, 1, 1, 9)
        box.setSpacing(0)
        self.header = ColumnHeader(column.key)
        self.header.retry_clicked.connect(self._retry_or_stop)
        box.addWidget(self.header)
        line = QFrame()
        line.setObjectName("separator")
        line.setFixedHeight(1)
        box.addWidget(line)
        self.stack = QStackedWidget()
        self.stack.addWidget(self._build_empty())
        box.addWidget(self.stack, 1)
        self.view: TranscriptView = importlib.import_module("workbench.ui.transcript").TranscriptView()
        self.view.action_requested.connect(self._act)
        self.view.link_activated.connect(self.link_activated)
        self.view.files_dropped.connect(self.files_dropped)
        self.stack.addWidget(self.view)
        self.remedies = QWidget()
        self._remedy_row = QHBoxLayout(self.remedies)
        self._remedy_row.setContentsMargins(14, 6, 14, 2)
        self._remedy_row.setSpacing(6)
        self.remedies.hide()
        box.addWidget(self.remedies)
        context.theme.changed.connect(self._theme_changed)
        self._theme_changed()
        self.show_column()
        self.show_turns()

    def _build_empty(self) -> QWidget:
        empty = QWidget()
        inner = QVBoxLayout(empty)
        inner.setContentsMargins(20, 20, 20, 20)
        inner.setSpacing(8)
        inner.addStretch(1)
        self._empty_icon = IconLabel("message-square", 22)
        self._empty_icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        inner.addWidget(self._empty_icon)
        self.empty_text = label("", "muted", wrap=True)
        self.empty_text.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        inner.addWidget(self.empty_text)
        self.ask = PushButton(tr("Ask this column too"), icon_name="play")
        self.ask.clicked.connect(self._ask)
        inner.addWidget(self.ask, 0, Qt.AlignmentFlag.AlignHCenter)
        inner.addStretch(2)
        return empty

    # --- showing ----------------------------------------------------------------------------------------------
    @property
    def column(self) -> Column | None:
        found = self._state.column(self.key)
        turn = self._state.last_turn
        if self._state.hidden and turn is not None:
            return next((column for column in turn.columns if column.key == self.key), found)
        return found

    @Slot()
    def show_column(self) -> None:
        """Model and settings in the head."""
        column = self.column
        if column is None:
            return
        state = self._state
        title = state.title(column)
        keys = [shown.key for shown in state.shown_columns]
        if column.key not in keys:  # about to go: the columns of another turn are shown
            return
        place = keys.index(column.key) + 1
        self.setAccessibleName(tr("Column {number}: {title}", number=place, title=title))
        self.view.setAccessibleName(tr("Answers of {title}", title=title))
        if state.hidden:
            self.header.show_hidden(title)
            self.empty_text.setText("")
            return
        info = state.model(column)
        self.header.show_model(
            sets.model_name(column.model, state.models), info, self._special(column), state.title(column)
        )
        self._show_empty(column)
        self.show_numbers()

    def _special(self, column: Column) -> str:
        return sets.summary(column)

    def _show_empty(self, column: Column) -> None:
        info = self._state.model(column)
        can_ask = self._state.can_ask(self.key)
        self.ask.setVisible(can_ask)
        if can_ask:
            text = tr("This column was not asked yet.")
        elif self._state.turns:
            text = tr("Takes part from the next prompt on.")
        elif info is not None and info.remote:
            text = tr("Ready. The prompt is sent to {provider}.", provider=where(info))
        elif info is None and self._state.models:
            text = tr("This model is not there any more. Choose another one above.")
        else:
            text = tr("Ready. Runs on this machine; nothing leaves it.")
        self.empty_text.setText(text)

    @Slot()
    def show_turns(self) -> None:
        """All answers of this column, from the state."""
        state = self._state
        column = self.column
        self._end_streaming()
        hidden = state.hidden
        self.view.set_actions("assistant", answer_actions(hidden=hidden))
        self.view.set_actions("user", prompt_actions())
        items = items_of(state.shown_turns, self.key, hidden=hidden)
        self._show_items(items)
        self.stack.setCurrentIndex(1 if items else 0)
        if column is not None and not hidden:
            self._show_empty(column)
        self._begin_streaming()
        self.show_numbers()

    def read_from_prompt(self) -> None:
        """Answers that appear all at once are read from their beginning."""
        turn = self._state.last_turn
        if turn is not None:
            self.read_from(turn.id)

    def read_from(self, turn_id: str) -> None:
        """Show a turn from its prompt on; nothing where it is not shown."""
        if prompt_key(turn_id) in self._keys:
            self.view.scroll_to(prompt_key(turn_id))

    def _show_items(self, items: list[TranscriptItem]) -> None:
        """Keep what is there already: only the end of a conversation changes as a rule."""
        known, view = self._keys, self.view
        keys = [item.key for item in items]
        same = 0
        while same < min(len(known), len(keys)) and known[same] == keys[same]:
            same += 1
        if same == 0 or same < len(known) - 1:
            view.set_items(items)
        else:
            for key in known[same:]:
                view.remove_item(key)
            for item in items[:same]:
                if view.item(item.key) != item:
                    view.update_item(item.key, item)
            for item in items[same:]:
                view.append_item(item)
        self._keys = keys

    def show_number_marks(self, *, fastest: bool, cheapest: bool) -> None:
        self.header.set_marks(fastest=fastest, cheapest=cheapest)

    def set_current(self, current: bool, *, focused: bool = False) -> None:
        """The column that the keyboard's actions are for; `focused`: the keyboard is in it."""
        mark = ("focused" if focused else "chosen") if current else ""
        if self.property("current") != mark:
            self.setProperty("current", mark)
            restyle(self)
            restyle(self.header.name)

    def show_numbers(self) -> None:
        turn = self._state.last_turn
        cell = turn.cells.get(self.key) if turn else None
        answer = cell.answer if cell else None
        running = cell is not None and not cell.done
        hidden = self._state.hidden
        self.header.show_numbers(bool(self._state.turns) and not hidden)
        self._show_remedies(answer if answer is not None and answer.done and not hidden else None)
        self.header.set_running(running and not hidden, asked=not hidden and cell is not None)
        if hidden or answer is None:
            self.header.clear_numbers()
        elif answer.done:
            self.header.show_record(answer.record)

    def _show_remedies(self, answer: Answer | None) -> None:
        """What can be done about a failed answer, as buttons below it."""
        clear_layout(self._remedy_row)
        record = answer.record if answer is not None else None
        failed = record is not None and record.status in ("failed", "interrupted", "cancelled")
        self.remedies.setVisible(failed)
        if record is None or not failed:
            return
        again = PushButton(tr("Try again"), icon_name="rotate-ccw")
        again.clicked.connect(self._ask)
        self._remedy_row.addWidget(again)
        if record.error is not None and record.error.kind in KEY_ERRORS:
            providers = PushButton(tr("Enter the key…"), icon_name="key")
            providers.clicked.connect(self._open_providers)
            self._remedy_row.addWidget(providers)
        if record.error is not None and record.error.kind == "context_overflow":
            drop = PushButton(tr("Drop the oldest turns"))
            drop.clicked.connect(self._ask_dropping)
            self._remedy_row.addWidget(drop)
        self._remedy_row.addStretch(1)

    @Slot()
    def _theme_changed(self) -> None:
        theme = self._context.theme
        self.view.set_tokens(theme.tokens)
        self.view.set_text_scale(theme.scale)
        self.setMinimumWidth(scaled(MINIMUM_WIDTH, theme.scale))

    # --- streaming --------------------------------------------------------------------------------------------
    def _begin_streaming(self) -> None:
        turn = self._state.last_turn
        cell = turn.cells.get(self.key) if turn else None
        answer = cell.answer if cell else None
        if turn is None or answer is None:
            return
        if self._state.hidden:
            if not turn.done:
                self._context.ticker.add(self._wait_hidden)
            return
        if answer.run is None or answer.record.id not in self._keys or not self._is_streaming(answer):
            return
        self._stream = Stream(turn, answer.run)
        self.view.begin_stream(self._stream.key)
        self._context.ticker.add(self._drain)

    def _is_streaming(self, answer: Answer) -> bool:
        item = self.view.item(answer.record.id)
        return item is not None and item.streaming

    def _drain(self) -> bool:
        """Move what is new from the run's buffer into the transcript. Called about 30 times a second."""
        stream = self._stream
        if stream is None:
            return False
        delta = stream.read(self.view)
        if delta is not None and delta.notices:
            stream.notice = translated(delta.notices[-1])
        self._show_status(stream)
        self.view.flush()
        self._show_live(stream)
        if stream.ended:
            self._settle(stream)
        return not stream.ended

    def _show_status(self, stream: Stream) -> None:
        latest = stream.latest
        if latest.pieces:
            stream.show_status(self.view, "")
            return
        titles = self._state.titles()
        waits_for = [title for key in stream.turn.waits_for(self.key) if (title := titles.get(key, ""))]
        stream.show_status(self.view, status_text(latest, waits_for, stream.notice))

    def _show_live(self, stream: Stream) -> None:
        stream.frames += 1
        if stream.frames % FRAMES_PER_NUMBER == 0:
            delta = stream.latest
            self.header.show_live(delta.pieces, delta.decode_tokens_per_s, delta.time_to_first_token_s)

    def _settle(self, stream: Stream) -> None:
        """The run is done: its record replaces what was streamed."""
        self._stream = None
        key = stream.key
        items = items_of(self._state.shown_turns, self.key, hidden=self._state.hidden)
        item = next((item for item in items if item.key == key), None)
        before = self.view.item(key)
        if before is not None:
            self.view.end_stream(key, item or dataclasses.replace(before, streaming=False))
        self.show_numbers()

    def _end_streaming(self) -> None:
        """Another view of the column is built: the stream begins again from its start, if it is still shown."""
        self._context.ticker.remove(self._drain)
        self._context.ticker.remove(self._wait_hidden)
        if self._stream is not None:
            key = self._stream.key
            self._stream = None
            if self.view.item(key) is not None:
                self.view.remove_item(key)
                self._keys.remove(key)

    def _wait_hidden(self) -> bool:
        """While names are hidden the answers are held back; only how many are finished is told."""
        turn = self._state.last_turn
        if turn is None or not self._state.hidden or turn.done:
            return False
        for item in items_of(self._state.shown_turns, self.key, hidden=True):
            if item.streaming and item.key in self._keys:
                self.view.set_status(item.key, item.status)
        self.view.flush()
        return True

    def detach(self) -> None:
        """The column goes away."""
        self._context.ticker.remove(self._drain)
        self._context.ticker.remove(self._wait_hidden)
        self._stream = None

    # --- acting -----------------------------------------------------------------------------------------------
    @Slot(str, str)
    def _act(self, item_key: str, action: str) -> None:
        self.action_requested.emit(self.key, item_key, action)

    @Slot()
    def _ask(self) -> None:
        self._state.ask_column(self.key)

    @Slot()
    def _open_providers(self) -> None:
        self._context.actions["settings.providers"].trigger()

    @Slot()
    def _ask_dropping(self) -> None:
        column = self.column
        if column is not None:
            self._state.change(self.key, options=replace(column.options, overflow="drop_oldest"))
            self._state.ask_column(self.key)

    @Slot()
    def _retry_or_stop(self) -> None:
        if not self._state.stop(self.key):
            self._state.ask_column(self.key)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.view.setFocus(event.reason())
