"""The queue: one answer after the other, judged blind, with the keyboard alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QEvent, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from workbench.evaluation.answers import HUMAN
from workbench.evaluation.human import queue, read_votes, save_vote
from workbench.evaluation.stored import Line, answer_text
from workbench.ui.context import Context
from workbench.ui.evaluate.answers_view import prompt_of
from workbench.ui.evaluate.loaded import Loaded
from workbench.ui.evaluate.parts import wrapped
from workbench.ui.flow import FlowLayout
from workbench.ui.formats import number
from workbench.ui.icons import IconButton, PushButton
from workbench.ui.tr import tr
from workbench.ui.transcript import TranscriptView
from workbench.ui.transcript.items import TranscriptItem
from workbench.ui.widgets import announce, label

KEYS = {Qt.Key.Key_1: 1.0, Qt.Key.Key_2: 0.0, Qt.Key.Key_3: 0.5}


class QueueView(QWidget):
    """Number keys judge, Backspace takes the last judgement back, S skips, Escape ends."""

    closed = Signal(str)
    """Id of the evaluation."""
    failed = Signal(object)
    """ErrorInfo: a judgement was not kept."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.loaded: Loaded | None = None
        self.waiting: list[Line] = []
        self.done: list[Line] = []
        self._voted = 0
        self._current: Line | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 16, 24, 16)
        column.setSpacing(10)
        head = QHBoxLayout()
        head.addWidget(label(tr("Judge blind"), "heading"), 1)
        self.count = label("", "stat")
        head.addWidget(self.count)
        close = IconButton("x", tr("Back to the evaluation"))
        close.set_title(tr("Back to the evaluation"), "Esc")
        close.clicked.connect(self._close)
        head.addWidget(close)
        column.addLayout(head)
        self.intro = wrapped("", "muted")
        column.addWidget(self.intro)
        self.view = TranscriptView()
        self.view.setAccessibleName(tr("The prompt and the answer to judge"))
        self.view.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.view.installEventFilter(self)
        column.addWidget(self.view, 1)
        self.expected = wrapped("", "muted")
        column.addWidget(self.expected)
        column.addLayout(self._buttons())
        context.theme.changed.connect(self._tint)
        self._tint()

    def _buttons(self) -> FlowLayout:
        line = FlowLayout(spacing=8)
        self.right = PushButton(tr("1  Right"), icon_name="check")
        self.right.clicked.connect(lambda: self.vote(1.0))
        self.wrong = PushButton(tr("2  Wrong"), icon_name="x")
        self.wrong.clicked.connect(lambda: self.vote(0.0))
        self.partly = PushButton(tr("3  Partly"), icon_name="circle-help")
        self.partly.clicked.connect(lambda: self.vote(0.5))
        self.skip = PushButton(tr("S  Skip"), icon_name="fast-forward")
        self.skip.clicked.connect(self._skip)
        self.back = PushButton(tr("Take back"), icon_name="undo-2")
        self.back.setToolTip("Backspace")
        self.back.clicked.connect(self._take_back)
        for button in (self.right, self.wrong, self.partly, self.skip, self.back):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            line.addWidget(button)
        return line

    # --- content ----------------------------------------------------------------------------------------------
    def open(self, loaded: Loaded) -> None:
        backend = self._context.backend.value
        if backend is None:
            return
        self.loaded, self.done, self.waiting, self._current = loaded, [], [], None
        blind = tr("You don't see which model wrote it, and the order tells nothing.")
        use = (
            tr("Your judgements decide the verdict.")
            if any(grader.grader == HUMAN for grader in loaded.spec.graders)
            else tr("Your judgements calibrate the graders.")
        )
        self.intro.setText(f"{blind} {use}")
        store, id = backend.store, loaded.row.id

        def fill(votes: dict[Any, float]) -> None:
            self._voted = len(votes)
            self.waiting = queue(loaded.lines, votes, id)
            self._next()

        self._context.jobs.run(
            lambda: read_votes(store.results(id)),
            fill,
            self.failed.emit,
            owner=self,
            key="evaluate-queue",
            lane="serial",
        )
        self.setFocus()

    def _next(self) -> None:
        self._current = self.waiting[0] if self.waiting else None
        total = len(self.waiting) + self._voted
        self.count.setText(tr("{done} of {total} judged", done=number(self._voted), total=number(total)))
        for button in (self.right, self.wrong, self.partly, self.skip):
            button.setEnabled(self._current is not None)
        self.back.setEnabled(bool(self.done))
        backend, loaded, line = self._context.backend.value, self.loaded, self._current
        if backend is None or loaded is None:
            return
        if line is None:
            self.view.set_items([TranscriptItem(key="end", role="notice", text=tr("Everything is judged."))])
            self.expected.setText("")
            return
        store = backend.store

        def work() -> tuple[str, str]:
            return prompt_of(loaded.spec, line), answer_text(store, loaded.row.id, line)

        def show(texts: tuple[str, str]) -> None:
            if self._current is line:
                prompt, answer = texts
                items = [
                    TranscriptItem(key="prompt", role="user", text=prompt),
                    TranscriptItem(key="answer", role="assistant", title=tr("The answer"), text=answer or "–"),
                ]
                self.view.set_items(items)

        self._context.jobs.run(work, show, owner=self, key="evaluate-queue-text")
        case = next((case for case in loaded.spec.cases if case.id == line.case), None)
        expected = "" if case is None or case.expected is None else str(case.expected)
        self.expected.setText(tr("Expected: {text}", text=expected) if expected else "")

    # --- judging ----------------------------------------------------------------------------------------------
    def vote(self, score: float) -> None:
        backend, loaded, line = self._context.backend.value, self.loaded, self._current
        if backend is None or loaded is None or line is None:
            return
        contestants = [model for model in (*loaded.spec.models, loaded.spec.baseline) if model is not None]
        model = next((c.model for c in contestants if c.name == line.contestant), "")
        store, row = backend.store, loaded.row
        decides = any(grader.grader == HUMAN for grader in loaded.spec.graders)
        self._write(lambda: save_vote(store, row.id, row.test_set_id or "", line, model, score, decides=decides))
        self.done.append(self.waiting.pop(0))
        self._voted += 1
        announce(self, tr("Judged. {left} left.", left=len(self.waiting)))
        self._next()

    def _write(self, work: Callable[[], None]) -> None:
        self._context.jobs.run(work, failed=self.failed.emit, owner=self, lane="serial")

    @Slot()
    def _skip(self) -> None:
        if self._current is not None:
            self.waiting.append(self.waiting.pop(0))
            self._next()

    @Slot()
    def _take_back(self) -> None:
        """The last judged answer comes again; its next judgement replaces the stored one."""
        if self.done:
            self.waiting.insert(0, self.done.pop())
            self._voted -= 1
            self._next()

    @Slot()
    def _close(self) -> None:
        if self.loaded is not None:
            self.closed.emit(self.loaded.row.id)

    def event(self, event: QEvent) -> bool:
        if _is_ours(event):
            event.accept()  # before the window's own shortcuts, which know Escape too
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self._key(event):
            super().keyPressEvent(event)

    def eventFilter(self, watched: Any, event: Any) -> bool:
        if _is_ours(event):
            event.accept()
            return True
        return isinstance(event, QKeyEvent) and event.type() == event.Type.KeyPress and self._key(event)

    def _key(self, event: QKeyEvent) -> bool:
        key = Qt.Key(event.key())
        if key in KEYS:
            self.vote(KEYS[key])
        elif key == Qt.Key.Key_Backspace:
            self._take_back()
        elif key == Qt.Key.Key_S and event.modifiers() == Qt.KeyboardModifier.NoModifier:
            self._skip()
        elif key == Qt.Key.Key_Escape:
            self._close()
        else:
            return False
        return True

    @Slot()
    def _tint(self) -> None:
        self.view.set_tokens(self._context.theme.tokens)
        self.view.set_background(self._context.theme.tokens.panel)
        self.view.set_text_scale(self._context.theme.scale)


def _is_ours(event: QEvent) -> bool:
    """A key of the queue that a shortcut would take."""
    return (
        isinstance(event, QKeyEvent)
        and event.type() == QEvent.Type.ShortcutOverride
        and event.key() in (*KEYS, Qt.Key.Key_Escape, Qt.Key.Key_Backspace, Qt.Key.Key_S)
        and event.modifiers() == Qt.KeyboardModifier.NoModifier
    )
