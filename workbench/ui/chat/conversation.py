"""The transcript of the shown chat: fills it, streams into it, and does what its buttons ask."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6 import QtWidgets
from PySide6.QtCore import QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QVBoxLayout, QWidget

from workbench.core.runs import RunRecord
from workbench.ui.chat.actions import ANSWER, PROMPT, buttons
from workbench.ui.chat.find_bar import FindBar
from workbench.ui.chat.items import item_of, live_footer, own_text, status_text
from workbench.ui.chat.state import ChatState
from workbench.ui.context import Context
from workbench.ui.dialogs import TextDialog
from workbench.ui.run_stream import RunStream
from workbench.ui.tr import tr, translated, translated_error
from workbench.ui.transcript.items import TranscriptItem
from workbench.ui.widgets import copy_text

if TYPE_CHECKING:
    from workbench.services.run_buffer import Delta
    from workbench.services.runner import Run
    from workbench.ui.transcript import TranscriptView


NEWS_LENGTH = 120
"""Characters of an answer in a notification."""


class Stream(RunStream):
    """With the item as it was when the stream began: a continued answer has text already."""

    def __init__(self, run: Run, item: TranscriptItem) -> None:
        super().__init__(item.key, run)
        self.item = item


class Conversation(QWidget):
    edit_requested = Signal(str)
    other_model_requested = Signal(str)
    compare_requested = Signal(str)
    """With the text of a prompt."""
    files_dropped = Signal(list)
    find_closed = Signal()
    scroll_bar_changed = Signal(int)
    """How many pixels the scroll bar takes, 0 where there is none."""

    def __init__(self, state: ChatState, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Conversation"))
        self._state, self._context = state, context
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 8)
        self._view: TranscriptView | None = None
        self._find_bar: FindBar | None = None
        self._streams: dict[str, Stream] = {}
        self._shown: list[TranscriptItem] = []
        self._scroll_to = ""
        self._actions = {"user": buttons(PROMPT), "assistant": buttons(ANSWER)}
        context.theme.changed.connect(self._theme_changed)

    # --- the view --------------------------------------------------------------------------------------------
    @property
    def view(self) -> TranscriptView:
        """The transcript, made when first needed: its markdown machinery is not wanted before the first paint."""
        if self._view is None:
            made: TranscriptView = importlib.import_module("workbench.ui.transcript").TranscriptView()
            self._view = made
            made.setAccessibleName(tr("Transcript"))
            self._theme_changed()
            made.set_actions("user", self._actions["user"])
            made.set_actions("assistant", self._actions["assistant"])
            made.action_requested.connect(self._act)
            made.link_activated.connect(self._open_link)
            made.files_dropped.connect(self.files_dropped)
            self._column.addWidget(made)
            made.verticalScrollBar().rangeChanged.connect(self._tell_scroll_bar)
        return self._view

    @Slot()
    def _tell_scroll_bar(self) -> None:
        bar = self.view.verticalScrollBar()
        self.scroll_bar_changed.emit(bar.sizeHint().width() if bar.maximum() > bar.minimum() else 0)

    def open_find(self) -> None:
        """Open the field that searches this chat."""
        if self._find_bar is None:
            self._find_bar = FindBar(self.view)
            self._find_bar.closed.connect(self.find_closed)
            self._column.insertWidget(0, self._find_bar)
        self._find_bar.open()

    @Slot()
    def _theme_changed(self) -> None:
        if self._view is not None:
            self._view.set_tokens(self._context.theme.tokens)
            self._view.set_text_scale(self._context.theme.scale)

    @Slot()
    def show_path(self) -> None:
        """Show the chat's messages; what did not change is left alone."""
        if not self._state.path:
            self._shown = []
            self._stop_streams()
            if self._view is not None:
                self._view.set_items([])
            return
        items = [item_of(stored, self._state) for stored in self._state.path]
        self._update_view(items)
        self._shown = items
        for stored in self._state.path:
            if stored.id in self._state.active:
                self._begin_stream(stored.id)
        if self._scroll_to:
            self.view.scroll_to(self._scroll_to)
            self._scroll_to = ""

    def _update_view(self, items: list[TranscriptItem]) -> None:
        old, view = self._shown, self.view
        same = 0
        while same < min(len(old), len(items)) and old[same].key == items[same].key:
            same += 1
        if same == 0 or same < len(old) - 2 or any(item.key in self._streams for item in old[same:]):
            self._stop_streams()
            view.set_items(items)
            return
        for item in old[same:]:
            view.remove_item(item.key)
        for before, item in zip(old[:same], items[:same], strict=True):
            if item.key in self._streams and not item.streaming:
                self._end_stream(item)
            elif before != item and item.key not in self._streams:
                view.update_item(item.key, item)
        for item in items[same:]:
            view.append_item(item)

    # --- streaming -------------------------------------------------------------------------------------------
    def run_started(self, message_id: str) -> None:
        if any(stored.id == message_id for stored in self._state.path):
            self._begin_stream(message_id)
        else:
            self._context.ticker.add(self._watch_hidden)

    def _begin_stream(self, message_id: str) -> None:
        if message_id in self._streams or message_id not in self._state.active:
            return
        run = self._state.active[message_id]
        item = next(item for item in self._shown if item.key == message_id)
        title = item.title or run.record.model_name or run.record.model
        stream = Stream(run, replace(item, title=title, streaming=True, footer="", error=None))
        self._streams[message_id] = stream
        self.view.update_item(message_id, stream.item)
        self.view.begin_stream(message_id)
        self._context.ticker.add(self._drain)

    def _drain(self) -> bool:
        """Move what is new from the buffers into the transcript. Called about 30 times a second while runs run."""
        for stream in list(self._streams.values()):
            delta = stream.read(self.view)
            if delta is not None:
                self._show_delta(stream, delta)
            if stream.ended:
                self.view.flush()
                self._settle(stream)
        if self._streams:
            self.view.flush()  # also without new text: it moves the dots of an answer that has not begun
        return bool(self._streams)

    def _show_delta(self, stream: Stream, delta: Delta) -> None:
        status = status_text(delta)
        stream.show_status(self.view, status)
        text = status or tr("Writing: {speed}", speed=live_footer(delta))
        fraction = delta.load_fraction if delta.state == "loading" else None
        if delta.state == "prompt" and delta.progress is not None:
            done = delta.progress.evaluated + delta.progress.cached
            fraction = done / max(delta.progress.total, 1)
        self._context.shell.set_work(stream.run.id, text, fraction, stream.run.cancel)
        for notice in delta.notices:
            self._context.shell.toast(translated(notice))

    def _settle(self, stream: Stream) -> None:
        """The run is done: the stored message and record replace what was streamed."""
        record, message_id = stream.run.record, stream.key
        self._context.shell.set_work(stream.run.id, "", None, None, self._news_of(record))
        before = stream.item
        error = translated_error(record.error) if record.error else None
        item = replace(before, streaming=False, status="", text=before.text + record.text, error=error)
        item = replace(item, reasoning=before.reasoning + record.reasoning, reasoning_s=record.reasoning_s)
        del self._streams[message_id]
        self.view.end_stream(message_id, item)
        self._shown = [item if shown.key == message_id else shown for shown in self._shown]
        self._state.finish(message_id)

    def _end_stream(self, item: TranscriptItem) -> None:
        self._streams.pop(item.key, None)
        self.view.end_stream(item.key, item)

    def _stop_streams(self) -> None:
        """Another chat is shown: its runs go on unseen and are watched until they end."""
        for stream in list(self._streams.values()):
            self._context.shell.set_work(stream.run.id, "", None, None)
        if self._streams:
            self._context.ticker.add(self._watch_hidden)
        self._streams.clear()
        self._context.ticker.remove(self._drain)

    def _watch_hidden(self) -> bool:
        shown = {stored.id for stored in self._state.path}
        waiting = [message_id for message_id in self._state.active if message_id not in shown]
        for message_id in waiting:
            run = self._state.active[message_id]
            if run.done:
                self._context.shell.set_work(run.id, "", None, None, self._news_of(run.record))
                self._state.finish(message_id)
            else:
                name = self._state.model_name(run.record.model)
                self._context.shell.set_work(run.id, tr("{name} answers in another chat", name=name), None, run.cancel)
        return bool(waiting)

    def _news_of(self, record: RunRecord) -> str:
        """What came of a run, for users who are elsewhere; nothing where they stopped it themselves."""
        name = record.model_name or self._state.model_name(record.model)
        first = record.text.strip().partition("\n")[0]
        if record.error is not None:
            return tr("{name} could not answer: {reason}", name=name, reason=record.error.message)
        if record.finish_reason == "cancelled":
            return ""
        return tr("{name} has answered: {text}", name=name, text=first[:NEWS_LENGTH])

    # --- what the page asks ----------------------------------------------------------------------------------
    def last_answer(self) -> str | None:
        return next((stored.id for stored in reversed(self._state.path) if stored.message.role == "assistant"), None)

    def text_of(self, message_id: str) -> str | None:
        stored = next((stored for stored in self._state.path if stored.id == message_id), None)
        return own_text(stored.message) if stored else None

    def follow(self) -> None:
        """Go to the end and stay there: who sends a prompt wants to see its answer, whatever they read before."""
        if self._view is not None:
            self._view.scroll_to_end()

    def scroll_when_shown(self, message_id: str) -> None:
        self._scroll_to = message_id

    def step_sibling(self, step: int) -> None:
        """The next alternative of the last message that has several."""
        tree = self._state.view.tree if self._state.view else None
        for stored in reversed(self._state.path):
            if tree is not None and len(tree.siblings(stored.id)) > 1:
                self._state.show_sibling(stored.id, step)
                return

    def delete_last(self) -> None:
        for stored in reversed(self._state.path):
            if stored.message.role == "user":
                self._state.delete_message(stored.id)
                return

    def act_on_last(self, action: str) -> None:
        """Do with the last answer what its button does."""
        answer = self.last_answer()
        if answer is None:
            return
        if action == "copy":  # the transcript does that itself when its own button is pressed
            copy_text(self.text_of(answer) or "")
            self._context.shell.toast(tr("Copied"))
        else:
            self._act(answer, action)

    # --- the transcript's buttons ----------------------------------------------------------------------------
    @Slot(str, str)
    def _act(self, message_id: str, action: str) -> None:
        state = self._state
        if action == "edit":
            self.edit_requested.emit(message_id)
        elif action == "regenerate":
            state.regenerate(message_id)
        elif action == "regenerate_with":
            self.other_model_requested.emit(message_id)
        elif action == "continue":
            state.continue_answer(message_id)
        elif action == "delete":
            state.delete_message(message_id)
        elif action == "previous_sibling":
            state.show_sibling(message_id, -1)
        elif action == "next_sibling":
            state.show_sibling(message_id, 1)
        elif action == "compare":
            self.compare_requested.emit(self._prompt_of(message_id))
        elif action == "add_to_test_set":
            self._add_to_test_set(message_id)
        elif action == "rendered_prompt":
            state.run_record(message_id, self._show_rendered_prompt)
        elif action == "run_record":
            state.run_record(message_id, self._show_record)

    def _prompt_of(self, message_id: str) -> str:
        """The text of a prompt, or of the one an answer belongs to."""
        text = ""
        for stored in self._state.path:
            if stored.message.role == "user":
                text = own_text(stored.message)
            if stored.id == message_id:
                break
        return text

    def _add_to_test_set(self, message_id: str) -> None:
        row = self._state.view.runs.get(message_id) if self._state.view else None
        if row is None:
            self._context.shell.toast(tr("Only answers of a model can be added to a test set."))
            return
        module = importlib.import_module("workbench.ui.evaluate.add_to_set")
        module.add_to_test_set(self._context, self, [row.id])

    def _show_rendered_prompt(self, record: RunRecord | None) -> None:
        if record is None or not record.rendered_prompt:
            self._context.shell.toast(tr("This run has no rendered prompt: the provider renders it."))
            return
        TextDialog(tr("Rendered prompt"), record.rendered_prompt, self).open()

    def _show_record(self, record: RunRecord | None) -> None:
        if record is not None:
            TextDialog(tr("Run record"), record_text(record), self).open()

    @Slot(str)
    def _open_link(self, link: str) -> None:
        """A click on a link opens the browser, after the user has seen where it leads."""
        url = QUrl(link)
        if url.scheme() not in ("http", "https", "mailto"):
            self._context.shell.toast(tr("Links to {kind} are not opened.", kind=url.scheme() or tr("files")))
            return
        question = tr("Open this address in your browser?")
        answer = QtWidgets.QMessageBox.question(self, tr("Open link"), f"{question}\n\n{url.toDisplayString()}")
        if answer == QtWidgets.QMessageBox.StandardButton.Yes:
            QDesktopServices.openUrl(url)


def record_text(record: RunRecord) -> str:
    """All of a run record that says something, a line for each field."""
    lines = []
    for name in record.__struct_fields__:
        value: Any = getattr(record, name)
        if value in (None, "", [], {}) or name in ("text", "reasoning", "rendered_prompt", "logprobs"):
            continue
        if isinstance(value, float):
            value = f"{value:.4g}"
        lines.append(f"{name}: {value}")
    return "\n".join(lines)
