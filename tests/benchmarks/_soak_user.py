"""The user of the soak: one round is what somebody does with the window in a quarter of an hour.

A script is a generator: it does something and yields what it waits for, and the window's own event loop goes on
meanwhile. Nothing here blocks.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication

from tests.benchmarks._soak_models import COLUMNS
from workbench.app.main import Program
from workbench.ui.compare.columns import Column

Step = Iterator[Callable[[], object]]
LOOK_MS = 4
GIVE_UP_S = 60.0
KEPT = 25
"""Chats, and comparisons, that are kept: of more some are deleted."""
DELETED = 3
"""At once."""
WARM_ROUNDS = 2
"""In which all of History is scrolled through, so that it keeps as many rows as it ever will."""
LOCAL_MODELS = ("local:soak-a", "local:soak-b")
PROMPTS = ("Explain attention with a table.", "Write the sampler again, shorter.", "And with less memory?")


class Stuck(Exception):
    """What the script waits for does not come."""


class Script(QObject):
    """Drives a generator from the event loop; `finished` is called with the exception or None."""

    def __init__(self, steps: Step, finished: Callable[[BaseException | None], None]) -> None:
        super().__init__()
        self._steps = steps
        self._finished = finished
        self._condition: Callable[[], object] = lambda: True
        self._since = time.monotonic()
        self._timer = QTimer(self, interval=LOOK_MS)
        self._timer.timeout.connect(self._look)
        self._timer.start()

    @Slot()
    def _look(self) -> None:
        try:
            if not self._condition():
                if time.monotonic() - self._since > GIVE_UP_S:
                    self._steps.throw(Stuck(f"not after {GIVE_UP_S:.0f} s"))
                return
            self._condition = next(self._steps)
            self._since = time.monotonic()
        except StopIteration:
            self._end(None)
        except BaseException as error:
            self._end(error)

    def _end(self, error: BaseException | None) -> None:
        self._timer.stop()
        self._finished(error)


class User:
    def __init__(self, program: Program) -> None:
        self._program = program
        self._window = program.window
        self.done: Counter[str] = Counter()
        """How often each thing was done."""
        self._round = 0

    def ready(self) -> bool:
        """The services are open, and the page that was painted first works with them."""
        return self._program.slot.value is not None and self._window.page("chat").has_begun and self._idle()

    def one_round(self) -> Step:
        """Everything once; what not every round needs in turns."""
        self._round += 1
        yield from self._chat()
        yield from self._compare()
        yield from self._history()
        yield from self._reopen_and_delete()
        yield from self._local_model(LOCAL_MODELS[self._round % 2])
        yield from self._look_around()
        yield from self.rest()

    def rest(self) -> Step:
        """To where the window is looked at: an empty chat, nothing going on, no message at the bottom."""
        page = self._place("chat")
        page.desk.new_chat()
        self._window.toaster.hide()
        yield self._idle
        pause = time.monotonic() + 0.05
        yield lambda: time.monotonic() > pause

    # --- chats -----------------------------------------------------------------------------------------------
    def _chat(self) -> Step:
        page = self._place("chat")
        state = page.state
        page.desk.new_chat()
        state.set_model(f"soak:{self._round % COLUMNS}")
        for prompt in PROMPTS[:2]:
            yield from self._ask(page, prompt)
        state.regenerate(state.path[-1].id)
        yield lambda: state.active
        yield self._idle
        state.show_sibling(state.path[-1].id, -1)
        yield self._idle
        page.composer.set_text(PROMPTS[2])
        page.composer.submit()
        yield lambda: state.active
        state.stop()
        yield self._idle
        self._scroll(page.conversation.view)
        self.done["answers stopped"] += 1
        self.done["answers"] += 3

    def _ask(self, page: Any, prompt: str) -> Step:
        before = len(page.state.path)
        page.composer.set_text(f"{prompt} ({self._round})")
        page.composer.submit()
        yield lambda: len(page.state.path) > before
        yield self._idle

    def _reopen_and_delete(self) -> Step:
        page = self._place("chat")
        yield from self._search(page.sessions, "attention")
        ids = page.sessions.ids()
        for session_id in ids[1 : 1 + 2]:
            page.state.open_session(session_id)
            yield lambda wanted=session_id: page.state.session_id == wanted
            yield self._idle
            self._scroll(page.conversation.view)
            self.done["chats opened again"] += 1
        if ids:
            page.state.delete_session(ids[-1])
            yield self._idle
            self._window.toaster.undo()
            yield self._idle
            self.done["deletions undone"] += 1
        for session_id in ids[KEPT : KEPT + DELETED]:
            page.state.delete_session(session_id)
            yield self._idle
            self.done["chats deleted"] += 1

    def _search(self, sessions: Any, text: str) -> Step:
        sessions.search.setText(text)
        pause = time.monotonic() + 0.2  # the list waits for more keys
        yield lambda: time.monotonic() > pause
        yield self._idle
        sessions.search.clear()
        pause = time.monotonic() + 0.2
        yield lambda: time.monotonic() > pause
        yield self._idle
        self.done["searches"] += 1

    # --- comparisons -----------------------------------------------------------------------------------------
    def _compare(self) -> Step:
        page = self._place("compare")
        state = page.state
        yield lambda: state.models and self._idle()
        page.new_comparison()
        state.set_columns([Column(key=f"c{number}", model=f"soak:{number}") for number in range(COLUMNS)])
        state.set_options(blind=self._round % 2 == 0)
        for number in range(2):
            page.composer.set_text(f"{PROMPTS[number]} ({self._round})")
            page.composer.submit()
            yield lambda wanted=number: len(state.turns) > wanted
            yield lambda: state.last_turn.done and self._idle()
            self.done["answers"] += COLUMNS
        if state.judging.can_vote:
            state.judging.vote("better", state.shown_columns[0].key)
            yield self._idle
            self.done["votes"] += 1
        if state.hidden:
            state.judging.reveal()
        state.ask_column(state.columns[0].key)
        yield lambda: state.active
        yield self._idle
        state.remove(state.columns[-1].key)
        yield self._idle
        ids = page.sessions.ids()
        if len(ids) > 1:
            state.open_session(ids[1])
            yield lambda: state.session_id == ids[1]
            yield self._idle
        for session_id in ids[KEPT : KEPT + DELETED]:
            state.delete_session(session_id)
            yield self._idle
        self.done["comparisons"] += 1

    # --- the other places --------------------------------------------------------------------------------------
    def _history(self) -> Step:
        page = self._place("history")
        yield lambda: not page.state.loading and self._idle()
        page.search.setText(("attention", "sampler", "nothing like it")[self._round % 3])
        pause = time.monotonic() + 0.2
        yield lambda: time.monotonic() > pause
        yield lambda: not page.state.loading and self._idle()
        page.clear_all()
        yield lambda: not page.state.loading and self._idle()
        bar, steps = page.table.verticalScrollBar(), 60 if self._round <= WARM_ROUNDS else 3
        for step in range(steps + 1):
            bar.setValue(bar.maximum() * (steps - step) // steps)
            yield self._idle
        for id_ in page.state.ids[:3]:
            page.table.select_id(id_)
            pause = time.monotonic() + 0.1
            yield lambda until=pause: time.monotonic() > until
            yield self._idle
        page.state.refresh()
        yield lambda: not page.state.loading and self._idle()
        self.done["history read"] += 1

    def _local_model(self, model_id: str) -> Step:
        """A model of this machine is loaded, asked and unloaded: a process comes and goes."""
        page = self._place("models")
        state = page.state
        yield lambda: state.inventory is not None and self._idle()
        model = state.inventory.by_id(model_id)
        state.load(model)
        yield lambda: not state.loading
        state.chat_with(model_id)
        chat = self._place("chat")
        chat.state.new_chat()
        yield from self._ask(chat, "Hello from a local model.")
        self._place("models")
        state.unload(model)
        yield lambda: self._idle() and not self._program.slot.value.catalog.loaded()
        self.done["models loaded and unloaded"] += 1

    def _look_around(self) -> Step:
        registry = self._window.registry
        for place in ("evaluate", "settings"):
            self._place(place)
            yield self._idle
        sizes = ("text.larger", "text.normal") if self._round % 4 == 0 else ()
        for action in ("theme.toggle", *sizes, "list.toggle", "list.toggle"):
            registry[action].trigger()
            yield self._idle
        self._window.open_palette()
        self._window.command_palette.field.setText("theme")
        yield self._idle
        self._window.command_palette.leave()
        self._window.show_help()
        yield self._idle
        self._press_escape(QApplication.activeWindow())
        for window in QApplication.topLevelWidgets():
            if window is not self._window and window.isVisible():
                window.close()
        size = self._window.size()
        self._window.resize(size.width() - 200, size.height() - 100)
        yield self._idle
        self._window.resize(size)
        yield self._idle
        self.done["themes, palette, help, settings"] += 1

    # --- details ---------------------------------------------------------------------------------------------
    def _place(self, place_id: str) -> Any:
        return self._window.show_place(place_id)

    def _idle(self) -> bool:
        """No answer is being written, nothing is being read or drawn."""
        pages: list[Any] = [self._window.page("chat"), self._window.page("compare")]
        states = [page.state for page in pages if page is not None]
        return self._program.jobs.pending == 0 and not any(state.active or state.sending for state in states)

    @staticmethod
    def _scroll(view: Any) -> None:
        bar = view.verticalScrollBar()
        for value in (bar.minimum(), bar.maximum() // 2, bar.maximum()):
            bar.setValue(value)

    @staticmethod
    def _press_escape(window: QObject | None) -> None:
        if window is not None:
            for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
                key = QKeyEvent(kind, Qt.Key.Key_Escape, Qt.KeyboardModifier.NoModifier)
                QApplication.sendEvent(window, key)
