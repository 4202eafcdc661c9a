"""What one run was asked and answered, and how the answer came to be."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QStackedWidget,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from workbench.core.runs import RunRecord
from workbench.ui.answers import answer_text
from workbench.ui.backend import Backend
from workbench.ui.chat.items import own_text
from workbench.ui.compare.header import cost_text
from workbench.ui.context import Context
from workbench.ui.formats import date_and_time, decimal, elapsed_text, number, significant
from workbench.ui.history.columns import STATUS_TEXTS, where
from workbench.ui.history.state import HistoryState
from workbench.ui.icons import IconButton, IconLabel, PushButton
from workbench.ui.tr import mark, tr, translated_error, trn
from workbench.ui.transcript.items import Action, TranscriptItem
from workbench.ui.widgets import ElidedLabel, copy_text, label

if TYPE_CHECKING:
    from workbench.store.values import RunRow, Session, StoredMessage
    from workbench.ui.transcript import TranscriptView

MAX_OTHERS = 8
PROMPT_LINES = 6
TAB_MARGIN = 19
"""Characters of room that the tabs' icons, edges and the copy button take."""
RECORD_GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (mark("Run"), ("id", "status", "finish_reason", "finish_detail", "started_at", "ended_at", "session_id")),
    (mark("Model"), ("model", "model_name", "provider", "model_version", "remote", "quantization", "architecture")),
    (
        mark("Tokens"),
        (
            "prompt_tokens",
            "cached_tokens",
            "cache_write_tokens",
            "evaluated_tokens",
            "completion_tokens",
            "reasoning_tokens",
            "context_tokens",
            "dropped_messages",
        ),
    ),
    (
        mark("Times"),
        ("load_s", "time_to_first_token_s", "reasoning_s", "duration_s", "prefill_tokens_per_s", "decode_tokens_per_s"),
    ),
    (mark("Cost"), ("cost_usd", "price_snapshot")),
    (mark("Asked with"), ("seed", "sampling", "request", "system_prompt", "conditions", "notices")),
    (
        mark("Engine"),
        (
            "llama_cpp_build",
            "gguf_path",
            "gguf_sha256",
            "chat_template_sha256",
            "adapter_sha256",
            "adapter_scale",
            "n_ctx",
            "n_gpu_layers",
            "n_threads",
            "flash_attn",
            "cache_type_k",
            "cache_type_v",
            "memory_bytes",
        ),
    ),
)


@dataclass(slots=True)
class Detail:
    """One run as it was read."""

    row: RunRow
    record: RunRecord
    session: Session | None
    prompt: StoredMessage | None
    answer: StoredMessage | None
    others: list[RunRecord] = field(default_factory=list)
    """Other answers to the same prompt."""


def read_detail(backend: Backend, run_id: str) -> Detail | None:
    """Runs in a worker. None if the run is gone."""
    store = backend.store
    rows, record = store.run_rows_of([run_id]), store.run(run_id)
    if not rows or record is None:
        return None
    session = store.session(record.session_id) if record.session_id else None
    answer = store.message(record.message_id) if record.message_id else None
    prompt = store.message(answer.parent_id) if answer is not None and answer.parent_id else None
    detail = Detail(rows[0], record, session, prompt, answer)
    if record.comparison_id:
        values: Any = importlib.import_module("workbench.store.values")
        together = values.RunFilter(comparison_id=record.comparison_id)
        found = store.runs(filter=together, limit=MAX_OTHERS + 1, descending=False)
        detail.others = [run for run in found if run.id != run_id]
    return detail


class DetailsPane(QFrame):
    rated = Signal(str, object)
    """Run and rating."""
    open_wanted = Signal(str)
    """Run."""

    def __init__(self, state: HistoryState, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sidePanel")
        self.setAccessibleName(tr("The selected run"))
        self._state, self._context = state, context
        self._view: TranscriptView | None = None
        self._page: QWidget | None = None
        self.detail: Detail | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.stack = QStackedWidget()
        column.addWidget(self.stack)
        self.empty = label(tr("Select a run to see what was asked and answered."), "muted", wrap=True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setContentsMargins(32, 32, 32, 32)
        self.stack.addWidget(self.empty)
        self._secret: HiddenNote | None = None

    def _build(self) -> QWidget:
        """With the first run that is shown: History opens without it."""
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        head = QVBoxLayout()
        head.setContentsMargins(16, 12, 12, 10)
        head.setSpacing(6)
        first = QHBoxLayout()
        first.setSpacing(8)
        self.icon = IconLabel("cpu", 16)
        first.addWidget(self.icon)
        self.name = ElidedLabel("", "sectionTitle")
        first.addWidget(self.name, 1)
        self.good = self._rating_button("thumbs-up", tr("Rate the answer as good"), 1)
        self.bad = self._rating_button("thumbs-down", tr("Rate the answer as bad"), -1)
        first.addWidget(self.good)
        first.addWidget(self.bad)
        head.addLayout(first)
        self.facts = label("", "small", wrap=True, selectable=True)
        head.addWidget(self.facts)
        tabs = QHBoxLayout()
        tabs.setSpacing(6)
        self.tabs: list[IconButton] = []
        for place, (icon, title) in enumerate(
            (("message-square", tr("Conversation")), ("scroll-text", tr("Run record")))
        ):
            tab = IconButton(icon, title, text=title, size=14, object_name="chip")
            tab.setCheckable(True)
            tab.setAutoExclusive(True)
            tab.setChecked(place == 0)
            tab.clicked.connect(self._show_tab)
            tabs.addWidget(tab)
            self.tabs.append(tab)
        tabs.addStretch(1)
        self.copy = IconButton("copy", tr("Copy the run record as JSON"))
        self.copy.clicked.connect(self._copy)
        tabs.addWidget(self.copy)
        head.addLayout(tabs)
        column.addLayout(head)
        self.pages = QStackedWidget()
        column.addWidget(self.pages, 1)
        self.record = self._make_record()
        holder = QWidget()
        around = QVBoxLayout(holder)
        around.setContentsMargins(12, 0, 8, 8)
        around.addWidget(self.record)
        self.pages.addWidget(holder)
        return page

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._page is not None:
            self._fit_tabs()

    def _fit_tabs(self) -> None:
        """In a narrow pane the tabs are icons: words cut in their middle help nobody."""
        tabs = sum(tab.fontMetrics().horizontalAdvance(tab.text()) for tab in self.tabs)
        narrow = self.width() < tabs + self.fontMetrics().horizontalAdvance("n") * TAB_MARGIN
        style = Qt.ToolButtonStyle.ToolButtonIconOnly if narrow else Qt.ToolButtonStyle.ToolButtonTextBesideIcon
        for tab in self.tabs:
            tab.setToolButtonStyle(style)

    def _rating_button(self, icon: str, title: str, rating: int) -> IconButton:
        button = IconButton(icon, title)
        button.setCheckable(True)
        button.clicked.connect(lambda: self._rate(rating))
        return button

    def _make_record(self) -> QTreeWidget:
        tree = QTreeWidget()
        tree.setAccessibleName(tr("Run record"))
        tree.setColumnCount(2)
        tree.setHeaderHidden(True)
        tree.setRootIsDecorated(False)
        tree.setIndentation(10)
        tree.setWordWrap(True)
        tree.setUniformRowHeights(False)
        tree.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        tree.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        tree.setTextElideMode(Qt.TextElideMode.ElideRight)
        tree.setStyleSheet("QTreeView::item { padding: 3px 2px; }")
        return tree

    @property
    def secret(self) -> HiddenNote:
        """Made with the first run whose writer is hidden."""
        if self._secret is None:
            self._secret = HiddenNote()
            self._secret.vote.clicked.connect(self._open)
            self._secret.reveal.clicked.connect(self._reveal)
            self.stack.addWidget(self._secret)
        return self._secret

    @property
    def view(self) -> TranscriptView:
        """Made with the first run that is shown."""
        if self._view is None:
            made: TranscriptView = importlib.import_module("workbench.ui.transcript").TranscriptView()
            made.setAccessibleName(tr("Prompt and answer"))
            for role in ("user", "assistant"):
                made.set_actions(role, [Action("copy", tr("Copy"), "copy")])
            self._view = made
            self.pages.insertWidget(0, made)
            self.pages.setCurrentIndex(0 if self.tabs[0].isChecked() else 1)
            self._context.theme.changed.connect(self._tint)
            self._tint()
        return self._view

    # --- showing ---------------------------------------------------------------------------------------------
    def show_run(self, run_id: str) -> None:
        """Read and show; an empty id shows nothing."""
        backend = self._state.backend
        if not run_id or backend is None:
            self.show_nothing(tr("Select a run to see what was asked and answered."))
            return
        self._context.jobs.run(
            lambda: read_detail(backend, run_id), self._show, self._state.failed.emit, owner=self, key="history-detail"
        )

    def show_nothing(self, text: str) -> None:
        backend = self._state.backend
        if backend is not None:  # what is still being read must not come back
            self._context.jobs.run(lambda: None, owner=self, key="history-detail")
        self.detail = None
        self.empty.setText(text)
        self.stack.setCurrentIndex(0)

    def _show(self, detail: Detail | None) -> None:
        if detail is None:
            self.show_nothing(tr("This run is gone."))
            return
        self.detail = detail
        row, record = detail.row, detail.record
        if row.hidden:
            self.secret.reveal.setEnabled(self._state.backend is not None and not self._state.backend.store.read_only)
            self.secret.prompt.setText(own_text(detail.prompt.message) if detail.prompt is not None else "")
            self.stack.setCurrentWidget(self.secret)
            return
        if self._page is None:
            self._page = self._build()
            self.stack.addWidget(self._page)
            self._fit_tabs()
        self.icon.set_icon("cloud" if record.remote else "cpu")
        self.name.set_text(record.model_name or record.model)
        facts = [date_and_time(record.started_at), where(row), tr(STATUS_TEXTS.get(record.status, record.status))]
        if record.completion_tokens is not None:
            facts.append(trn("{count} token", "{count} tokens", record.completion_tokens))
        facts += [text for text in (elapsed_text(record.duration_s), cost_text(record)) if text]
        self.facts.setText(" · ".join(facts))
        self.good.setChecked(row.rating is not None and row.rating > 0)
        self.bad.setChecked(row.rating is not None and row.rating < 0)
        self.view.set_items(list(items_of(detail)))
        self.view.scroll_to(f"run-{record.id}" if not record.message_id or detail.prompt is None else "prompt")
        self._fill_record(record)
        self.stack.setCurrentWidget(self._page)

    def _fill_record(self, record: RunRecord) -> None:
        self.record.clear()
        for title, names in RECORD_GROUPS:
            entries = [(name, plain_value(getattr(record, name))) for name in names]
            entries = [(name, value) for name, value in entries if value]
            if not entries:
                continue
            group = QTreeWidgetItem([tr(title)])
            font = group.font(0)
            font.setBold(True)
            group.setFont(0, font)
            self.record.addTopLevelItem(group)
            for name, value in entries:
                item = QTreeWidgetItem([name.replace("_", " "), value])
                item.setToolTip(1, value)
                item.setTextAlignment(0, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
                group.addChild(item)
        self.record.expandAll()
        self.record.resizeColumnToContents(0)

    # --- acting ----------------------------------------------------------------------------------------------
    @Slot()
    def _show_tab(self) -> None:
        self.pages.setCurrentIndex(1 if self.tabs[1].isChecked() and self._view is not None else 0)

    def _rate(self, rating: int) -> None:
        if self.detail is None:
            return
        taken_back = self.detail.row.rating == rating
        self.detail.row = msgspec.structs.replace(self.detail.row, rating=None if taken_back else rating)
        self.good.setChecked(self.detail.row.rating == 1)
        self.bad.setChecked(self.detail.row.rating == -1)
        self.rated.emit(self.detail.record.id, None if taken_back else rating)

    @Slot()
    def _open(self) -> None:
        if self.detail is not None:
            self.open_wanted.emit(self.detail.record.id)

    @Slot()
    def _reveal(self) -> None:
        if self.detail is not None:
            self._state.reveal(self.detail.record.id)

    @Slot()
    def _copy(self) -> None:
        if self.detail is not None:
            text = msgspec.json.format(msgspec.json.encode(self.detail.record), indent=2).decode()
            copy_text(text)
            self._context.shell.toast(tr("The run record was copied"))

    @Slot()
    def _tint(self) -> None:
        if self._view is not None:
            self._view.set_tokens(self._context.theme.tokens)
            self._view.set_background(self._context.theme.tokens.bg)
            self._view.set_text_scale(self._context.theme.scale)


class HiddenNote(QWidget):
    """In the place of a blind comparison's answers: their order in the history would tell who is who."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 24)
        column.setSpacing(10)
        column.addStretch(1)
        center = Qt.AlignmentFlag.AlignHCenter
        column.addWidget(IconLabel("eye-off", 26), 0, center)
        self.prompt = label("", wrap=True)
        self.prompt.setAlignment(center)
        self.prompt.setMaximumHeight(self.prompt.fontMetrics().lineSpacing() * PROMPT_LINES)
        column.addWidget(self.prompt)
        text = label(tr("A blind comparison without a vote: who wrote which answer is hidden."), "muted", wrap=True)
        text.setAlignment(center)
        column.addWidget(text)
        self.vote = PushButton(tr("Open and vote"), icon_name="scale")
        column.addWidget(self.vote, 0, center)
        self.reveal = PushButton(tr("Reveal without a vote"))
        column.addWidget(self.reveal, 0, center)
        column.addStretch(2)


def items_of(detail: Detail) -> list[TranscriptItem]:
    """The prompt, the answer, and the other answers to the same prompt."""
    items = []
    if detail.record.system_prompt:
        items.append(TranscriptItem(key="system", role="system", text=detail.record.system_prompt))
    if detail.prompt is not None:
        message = detail.prompt.message
        names = tuple(attachment.name or attachment.media_type for attachment in message.attachments)
        text = own_text(message)
        items.append(TranscriptItem(key="prompt", role="user", text=text, attachments=names))
    items.append(_answer(detail.record))
    items += [_answer(run, other=True) for run in detail.others]
    return items


def _answer(record: RunRecord, *, other: bool = False) -> TranscriptItem:
    facts = (
        [trn("{count} token", "{count} tokens", record.completion_tokens)]
        if record.completion_tokens is not None
        else []
    )
    facts += [tr("{speed} tok/s", speed=decimal(record.decode_tokens_per_s))] if record.decode_tokens_per_s else []
    facts += [item for item in (elapsed_text(record.duration_s), cost_text(record)) if item]
    title = record.model_name or record.model
    return TranscriptItem(
        key=f"run-{record.id}",
        role="assistant",
        title=tr("{model}, same prompt", model=title) if other else title,
        text=answer_text(record),
        reasoning=record.reasoning,
        reasoning_s=record.reasoning_s,
        footer=" · ".join(facts),
        error=translated_error(record.error) if record.error else None,
    )


def plain_value(value: Any) -> str:
    """A record's value in words; empty where there is none."""
    if value is None or value == "" or value == {} or value == []:
        return ""
    if isinstance(value, bool):
        return tr("yes") if value else tr("no")
    if isinstance(value, float):
        return significant(value, 4) if abs(value) < 1000 else number(value)
    if isinstance(value, int):
        return number(value)
    if isinstance(value, list):
        return "\n".join(map(str, value))
    if isinstance(value, dict):
        return "\n".join(f"{name}: {item}" for name, item in value.items() if item is not None)
    return str(value)
