"""Runs: a thread each, from asking the model to the stored answer.

The prompt and the run's row are committed before the model is asked. While the answer grows, one saver thread stores it
about once a second, also when the model stalls. The final row is written whatever happens to the model.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any

from workbench.core.cancel import CancelToken
from workbench.core.errors import StoreError, WorkbenchError
from workbench.core.events import Finished
from workbench.core.messages import Message
from workbench.core.models import ChatModel, ModelInfo, Prices
from workbench.core.requests import ChatRequest
from workbench.core.runs import RunRecord
from workbench.services.recorder import Recorder, ended_early, failure, new_record
from workbench.services.run_buffer import RunBuffer
from workbench.store import Store, StoredMessage, new_id, now, with_answer

log = logging.getLogger(__name__)

SAVE_EVERY_S = 0.8
FIRST_SAVE_AFTER_S = 0.1
"""After the first token: a short answer is then rarely lost whole."""
SAVER_TICK_S = 0.1
CLOSE_TIMEOUT_S = 5.0
RETRY_DELAYS_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)


Turn = Callable[[CancelToken], AbstractContextManager[bool]]
"""Waits until a run may ask its model; gives False if it was cancelled first. See `services.turns`."""


class Run:
    """One answer under way. Safe to use from any thread."""

    def __init__(self, model: ModelInfo, record: RunRecord, *, logged: bool) -> None:
        self.id = record.id
        self.model = model
        self.record = record
        """Complete once `done`; until then the text is in `buffer`."""
        self.buffer = RunBuffer()
        self.logged = logged
        self.user_message: StoredMessage | None = None
        """The user's message as stored, if this run was started with one."""
        self.assistant_message: StoredMessage | None = None
        """The answer's message as it was before this run."""
        self._token = CancelToken()
        self._done = threading.Event()
        self._recorder = Recorder(record, self.buffer)
        self._ending = threading.Lock()
        self._ended = False
        self._saves = _Saves()

    @property
    def done(self) -> bool:
        return self._done.is_set()

    def cancel(self) -> None:
        """Ask it to stop; what has come is kept. Returns at once."""
        self._token.cancel()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until it is done and stored; False if that took longer."""
        return self._done.wait(timeout_s)


class _Saves:
    """What the saver knows of one run."""

    def __init__(self) -> None:
        self.at = 0.0
        self.characters = -1
        self.pending: Future[None] | None = None
        self.failing = False


class Runner:
    def __init__(self, store: Store | None) -> None:
        """Without a store nothing is kept."""
        self.store = store
        self._lock = threading.Lock()
        self._active: dict[str, Run] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._closing = threading.Event()
        self._wake_saver = threading.Event()
        self._saver: threading.Thread | None = None

    def start(
        self,
        model: ChatModel,
        request: ChatRequest,
        *,
        session_id: str | None,
        parent_id: str | None = None,
        user: Message | None = None,
        continues: StoredMessage | None = None,
        comparison_id: str | None = None,
        comparison_column: int | None = None,
        prices: Prices | None = None,
        title: str = "",
        turn: Turn | None = None,
    ) -> Run:
        """Store `user` (if given) below `parent_id`, an empty answer and the run's row, then ask the model in a thread.

        `continues` is the answer that this run goes on with; no message is added then. `title` names a session without
        one. With `turn` the run's thread waits for its turn before it asks the model. Returns when the prompt is safely
        stored. Raises StoreError and BadInput; the model is not asked then.
        """
        if self._closing.is_set():
            raise StoreError("The program is closing; no answer can be started.")
        info = model.info
        record = new_record(new_id(), info, request, started_at=now(), prices=prices)
        record.comparison_id, record.comparison_column = comparison_id, comparison_column
        run = Run(info, record, logged=self.store is not None and session_id is not None)
        if self.store is not None and session_id is not None:
            if continues is not None:
                record.session_id, record.message_id = session_id, continues.id
                run.assistant_message = continues
                self.store.start_run(record)
            else:
                run.user_message, run.assistant_message = self.store.start_exchange(
                    session_id, parent_id, user, record, title=title
                )
        thread = threading.Thread(
            target=self._answer, args=(run, model, request, turn), name=f"run-{run.id}", daemon=True
        )
        with self._lock:
            self._active[run.id] = run
            self._threads[run.id] = thread
        self._start_saver(run)
        try:
            thread.start()
        except RuntimeError as error:  # the system gives no more threads
            with self._lock:
                self._threads.pop(run.id, None)
            self._finish(run, failure(error, cancelled=False))
        return run

    def active(self) -> list[Run]:
        with self._lock:
            return list(self._active.values())

    def cancel_all(self) -> None:
        for run in self.active():
            run.cancel()

    def close(self) -> None:
        """Cancel all runs and store what they have. A model that does not stop in five seconds is left behind."""
        self._closing.set()
        self.cancel_all()
        self._wake_saver.set()
        deadline = time.monotonic() + CLOSE_TIMEOUT_S
        with self._lock:
            threads = list(self._threads.values())
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for run in self.active():
            self._finish(run, Finished(reason="cancelled", detail="the program was closed"))
        if self._saver is not None:
            self._saver.join()

    # --- a run's thread ---------------------------------------------------------------------------------------
    def _answer(self, run: Run, model: ChatModel, request: ChatRequest, turn: Turn | None) -> None:
        recorder = run._recorder
        finished: Finished | None = None
        try:
            with turn(run._token) if turn is not None else contextlib.nullcontext(True) as mine:
                if mine:
                    recorder.begin()
                    self._ask(model, request, run)
            finished = recorder.finished or ended_early(cancelled=run._token.cancelled)
        except BaseException as error:
            # An error after the last event (in the generator's own clean-up) does not take the answer back.
            finished = recorder.finished or failure(error, cancelled=run._token.cancelled)
            if not isinstance(error, WorkbenchError):
                log.exception("The model %s raised", run.model.id)
        finally:
            self._finish(run, finished or ended_early(cancelled=run._token.cancelled))
            with self._lock:
                self._threads.pop(run.id, None)

    def _ask(self, model: ChatModel, request: ChatRequest, run: Run) -> None:
        with _closed_after(model.stream(request, run._token)) as events:
            for event in events:
                run._recorder.take(event)
                if run._recorder.finished is not None:
                    break

    def _finish(self, run: Run, finished: Finished) -> None:
        with run._ending:
            if run._ended:
                return
            run._ended = True
        unsaved: StoreError | None = None
        try:
            record = run._recorder.finish(finished, now())
            unsaved = self._store_final(run, record)
            if unsaved is not None:
                run._recorder.notice(f"This answer could not be saved: {unsaved} It will be tried again.")
        finally:  # nobody waits for ever, whatever happened here
            run.buffer.finish(finished)
            with self._lock:
                self._active.pop(run.id, None)
            run._done.set()
        if unsaved is not None:
            self._retry(run, record)

    def _store_final(self, run: Run, record: RunRecord) -> StoreError | None:
        if self.store is None or not run.logged or run.assistant_message is None:
            return None
        message = with_answer(run.assistant_message.message, record, signature=run._recorder.signature)
        try:
            self.store.finish_run(record, message)
        except StoreError as error:
            log.warning("Run %s could not be saved: %s", run.id, error)
            return error
        return None

    def _retry(self, run: Run, record: RunRecord) -> None:
        """Until it is stored; once more when the program closes."""
        for attempt in range(10_000):
            closing = self._closing.wait(RETRY_DELAYS_S[min(attempt, len(RETRY_DELAYS_S) - 1)])
            if self._store_final(run, record) is None:
                log.info("Run %s is saved now", run.id)
                return
            if closing or self.store is None or self.store.is_closed:
                return

    # --- the saver's thread -----------------------------------------------------------------------------------
    def _start_saver(self, run: Run) -> None:
        if not run.logged:
            return
        with self._lock:
            if self._saver is None:
                self._saver = threading.Thread(target=self._save_while_open, name="run-saver", daemon=True)
                self._saver.start()
        self._wake_saver.set()

    def _save_while_open(self) -> None:
        while not self._closing.is_set():
            self._wake_saver.clear()
            runs = [run for run in self.active() if run.logged]
            if not runs and not self._closing.is_set():
                self._wake_saver.wait()
                continue
            for run in runs:
                self._save_if_due(run)
            self._closing.wait(SAVER_TICK_S)

    def _save_if_due(self, run: Run) -> None:
        saves, recorder = run._saves, run._recorder
        self._tell_failure(run)
        at = time.monotonic()
        if self.store is None or at < _due(run) or (saves.pending is not None and not saves.pending.done()):
            return
        snapshot = recorder.snapshot()
        characters = (
            len(snapshot.text) + len(snapshot.reasoning) + sum(len(c["arguments"]) for c in snapshot.tool_calls)
        )
        if characters == saves.characters and not saves.failing:
            return
        saves.at, saves.characters = at, characters
        with contextlib.suppress(StoreError):  # closed: the run's end will tell
            saves.pending = self.store.save_partial(snapshot)

    def _tell_failure(self, run: Run) -> None:
        saves = run._saves
        if saves.pending is None or not saves.pending.done():
            return
        error = saves.pending.exception()
        saves.pending = None
        if error is not None and not saves.failing:
            run._recorder.notice(f"The answer goes on but could not be saved so far: {error} It is tried again.")
        saves.failing = error is not None


def _due(run: Run) -> float:
    """When the run is to be saved next, in monotonic seconds. While a long prompt is read, what is known of the run is
    saved once."""
    saved, first, details = run._saves.at, run._recorder.first_token_at, run._recorder.details_at
    if saved:
        return saved + SAVE_EVERY_S
    if first is not None:
        return first + FIRST_SAVE_AFTER_S
    return details + SAVE_EVERY_S if details is not None else math.inf


@contextlib.contextmanager
def _closed_after(events: Iterator[Any]) -> Iterator[Iterator[Any]]:
    """Generators free what they hold when closed; waiting for the garbage collector would keep a socket open."""
    try:
        yield events
    finally:
        close = getattr(events, "close", None)
        if close is not None:
            close()
