"""Asking models for an evaluation: the place of every run is committed before the model is asked.

Judges are asked here too, so that their answers are runs like any other: logged, within the budget, in the ledger of
what left the machine, and never paid for twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from workbench.core.cancel import CancelToken
from workbench.core.errors import WorkbenchError
from workbench.core.models import ChatModel
from workbench.core.requests import ChatRequest
from workbench.core.runs import RunRecord
from workbench.engine.local_model import LocalModel
from workbench.evaluation.budget import Budget
from workbench.evaluation.cases import TestCase
from workbench.evaluation.prompts import request_sha256
from workbench.services.runner import Run, Runner
from workbench.store import ASKED, EvaluationRow, ResultRow, Store, case_row_id


class NotNow(WorkbenchError):
    """The evaluation was stopped or its budget is used up: nothing failed, and a resumed one asks again."""


def start_placed(
    store: Store,
    runner: Runner,
    model: ChatModel,
    request: ChatRequest,
    session_id: str,
    place: Callable[[str], ResultRow],
) -> Run:
    """Start the run, commit its place (made from the run's id), and only then let it ask the model. Raises
    WorkbenchError; nothing was asked then."""
    placed = threading.Event()

    @contextmanager
    def turn(token: CancelToken) -> Iterator[bool]:
        take_back = token.on_cancel(placed.set)
        placed.wait()
        take_back()
        yield not token.cancelled

    run = runner.start(model, request, session_id=session_id, user=request.messages[-1], turn=turn)
    try:
        store.save_results([place(run.id)])
    except WorkbenchError:
        run.cancel()
        raise
    placed.set()
    return run


def identity_of(model: ChatModel) -> str:
    """A local file's hash: what makes two requests to it the same."""
    return model.sha256() if isinstance(model, LocalModel) else ""


class Judges:
    """Asks the models that judge. Thread-safe."""

    def __init__(self, store: Store, runner: Runner, budget: Budget, stop: CancelToken) -> None:
        self._store, self._runner, self._budget, self._stop = store, runner, budget, stop
        self._row: EvaluationRow | None = None
        self._reuse = False
        self._known: dict[str, str] = {}
        """Run ids by the request's hash."""
        self._lock = threading.Lock()
        self._asking: dict[str, threading.Lock] = {}

    def begin(self, row: EvaluationRow, results: list[ResultRow], *, reuse: bool) -> None:
        """`results`: the rows of an earlier session. `reuse`: identical questions of other evaluations count."""
        self._row, self._reuse = row, reuse
        self._known = {r.request_sha256: r.run_id for r in results if r.grader.startswith(ASKED) and r.run_id}

    def ask(self, model: ChatModel, request: ChatRequest, case: TestCase) -> str:
        """The judge's answer, from the log where it was given already. Raises NotNow, and WorkbenchError where the
        judge fails."""
        digest = request_sha256(model.info.id, identity_of(model), request)
        with self._lock:
            own = self._asking.setdefault(digest, threading.Lock())
        with own:  # two equal answers are one question
            return self._known_text(model, digest, case) or self._asked(model, request, digest, case)

    def _known_text(self, model: ChatModel, digest: str, case: TestCase) -> str:
        """What the log has; empty where it has nothing."""
        run_id = self._known.get(digest) or (self._store.answered_request(digest) if self._reuse else None)
        known = self._store.run(run_id) if run_id else None
        if known is None or known.status != "done":
            return ""
        if digest not in self._known:
            self._store.save_results([self._place(known.id, model, digest, case)])
            self._known[digest] = known.id
        return known.text

    def _asked(self, model: ChatModel, request: ChatRequest, digest: str, case: TestCase) -> str:
        if self._stop.cancelled or (model.info.remote and not self._budget.reserve(request, model.info.prices)):
            raise NotNow("The evaluation was stopped before this answer was judged.")
        record = self._answer(model, request, digest, case)
        if record.status == "cancelled":
            raise NotNow("The evaluation was stopped before this answer was judged.")
        if record.status != "done":
            raise WorkbenchError(f"The judge {model.info.id} failed: {record.error or 'no answer'}")
        self._known[digest] = record.id
        return record.text

    def _answer(self, model: ChatModel, request: ChatRequest, digest: str, case: TestCase) -> RunRecord:
        assert self._row is not None
        run: Run | None = None
        try:
            run = start_placed(
                self._store,
                self._runner,
                model,
                request,
                str(self._row.config["session_id"]),
                lambda run_id: self._place(run_id, model, digest, case),
            )
            release = self._stop.on_cancel(run.cancel)
            run.wait()
            release()
            return run.record
        finally:
            if model.info.remote:
                self._budget.settle(request, model.info.prices, run.record if run is not None else None)

    def _place(self, run_id: str, model: ChatModel, digest: str, case: TestCase) -> ResultRow:
        assert self._row is not None
        return ResultRow(
            evaluation_id=self._row.id,
            test_case_id=case_row_id(self._row.test_set_id or "", case.id),
            model=model.info.id,
            variant="judge",
            grader=ASKED + digest[:24],
            run_id=run_id,
            status="answered",
            request_sha256=digest,
        )
