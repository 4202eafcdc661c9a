"""Runs an evaluation: every contestant answers every case, whatever happens in between.

Each answer is a run row like any other. The place of a run in the evaluation is committed before the model is asked,
so an evaluation that was stopped, or whose program was killed, goes on where it was: complete answers are never asked
for again, graded or not, and an answer that was cut off is.
"""

from __future__ import annotations

import hashlib
import itertools
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import msgspec

from workbench.core.cancel import CancelToken
from workbench.core.errors import BadInput, WorkbenchError
from workbench.core.models import ChatModel
from workbench.core.requests import ChatRequest
from workbench.core.runs import RunRecord
from workbench.engine.local_model import LocalModel
from workbench.evaluation.analysis import analyse
from workbench.evaluation.answers import Answer, GradeRecord
from workbench.evaluation.budget import Budget
from workbench.evaluation.busy import file_bytes
from workbench.evaluation.cases import TestCase
from workbench.evaluation.grading import Grading
from workbench.evaluation.prompts import build_request, request_sha256
from workbench.evaluation.recorded import read_recorded
from workbench.evaluation.spec import EvalSpec, ModelSpec, PromptSpec, to_document
from workbench.services.runner import Run, Runner
from workbench.store import EvaluationRow, ResultRow, Store, TestCaseRow, TestSetRow, case_row_id
from workbench.store import now as utc_now

LOCAL_AT_ONCE = 8
"""Requests to one local model under way: as many as the engine decodes in one batch."""
REMOTE_AT_ONCE = 16
"""Requests to one remote model under way; its provider's own limit may be lower."""
SEPARATOR = "\x1f"


class ModelSource(Protocol):
    def get(self, model_id: str) -> ChatModel: ...


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One answer that is wanted."""

    contestant: ModelSpec
    prompt: PromptSpec
    case: TestCase
    repeat: int

    @property
    def variant(self) -> str:
        return f"{self.contestant.name}{SEPARATOR}{self.prompt.name}"


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    done: int
    total: int
    errors: int
    reused: int
    spent_usd: float
    spent_tokens: int
    elapsed_s: float
    remaining_s: float | None
    """None until something has been answered in this session."""


class Evaluation:
    """One evaluation under way. `run` blocks; `stop` may come from any thread."""

    def __init__(
        self,
        spec: EvalSpec,
        store: Store,
        runner: Runner,
        catalog: ModelSource,
        grading: Grading,
        *,
        folder: Path,
        test_set_id: str = "",
    ) -> None:
        """`folder`: where relative names of recorded answers lead from. `test_set_id`: the set the cases come from;
        looks at its sealed part are counted there."""
        self.spec = spec
        self.row: EvaluationRow | None = None
        self.answers: list[Answer] = []
        self.on_progress: Callable[[Progress], None] = _ignore
        """Called from worker threads, at most ten times a second, and at the end."""
        self.on_answer: Callable[[Answer], None] = _ignore
        """Called from worker threads after each graded answer."""
        self._store = store
        self._runner = runner
        self._catalog = catalog
        self._grading = grading
        self._folder = folder
        self._source_set = test_set_id
        self._budget = Budget(spec.budget)
        self._lock = threading.Lock()
        self._stop = CancelToken()
        self._counts: Counter[str] = Counter()
        self._total = 0
        self._told = 0.0
        self._since = 0.0
        self._fresh = 0

    # --- from outside -----------------------------------------------------------------------------------------
    def run(self, resume: str | None = None) -> EvaluationRow:
        """Answer and grade everything that is missing. Raises BadInput before anything is asked; later errors are
        answers with errors. `resume`: the id of an earlier, unfinished run of the same evaluation."""
        contestants = [*self.spec.models, *([self.spec.baseline] if self.spec.baseline else [])]
        models = {c.name: self._catalog.get(c.model) for c in contestants if c.model}
        recorded = [answer for c in contestants if c.recorded for answer in read_recorded(c, self._folder, self.spec)]
        self._grading.check()
        self.row = self._begin(resume)
        known = self._known_results()
        tasks = list(self._tasks(contestants))
        self._total, self._since = len(tasks) + len(recorded), time.monotonic()
        for answer in recorded:
            self._keep(self._grading.graded(answer, self._case(answer.case_id)))
        self._store.save_results(self._recorded_row(answer) for answer in self.answers)
        by_model: dict[str, list[Task]] = {}
        for task in tasks:
            if not self._take_known(task, known):
                by_model.setdefault(task.contestant.name, []).append(task)
        self._work(by_model, models)
        return self._end()

    def stop(self) -> None:
        """Ask for nothing more and cancel what is under way; what is complete stays."""
        self._stop.cancel()

    def progress(self) -> Progress:
        with self._lock:
            elapsed = time.monotonic() - self._since
            done = len(self.answers)
            remaining = elapsed / self._fresh * (self._total - done) if self._fresh else None
            return Progress(
                done=done,
                total=self._total,
                errors=self._counts["errors"],
                reused=self._counts["reused"],
                spent_usd=self._budget.usd,
                spent_tokens=self._budget.tokens,
                elapsed_s=elapsed,
                remaining_s=remaining,
            )

    # --- beginning and end ------------------------------------------------------------------------------------
    def _begin(self, resume: str | None) -> EvaluationRow:
        spec = self.spec
        document = to_document(spec)
        if resume is not None:
            row = self._store.evaluation(resume)
            if row is None:
                raise BadInput(f"There is no evaluation {resume} to resume.", hint="`workbench eval` starts a new one.")
            if _comparable(row.config.get("spec", {})) != _comparable(document):
                raise BadInput(
                    f"The evaluation {resume} was started with other models, prompts, cases or graders.",
                    hint="Start a new one; identical answers are taken from the log.",
                )
            return self._store.save_evaluation(msgspec.structs.replace(row, status="running", ended_at=None))
        test_set = self._save_cases()
        session = self._store.create_session("evaluation", spec.name)
        if any(case.sealed for case in spec.selected_cases()):
            self._store.note_sealed_opening(self._source_set or test_set, spec.name)
        return self._store.save_evaluation(
            EvaluationRow(
                id="",
                test_set_id=test_set,
                name=spec.name,
                split=spec.part,
                baseline=spec.baseline.name if spec.baseline else "",
                margin=spec.margin,
                repeats=spec.repeats,
                budget_usd=spec.budget.usd,
                budget_tokens=spec.budget.tokens,
                config={
                    "spec": document,
                    "session_id": session.id,
                    "folder": str(self._folder),
                    "test_set": self._source_set,
                },
            )
        )

    def _save_cases(self) -> str:
        """The cases as a test set of their own; the same cases are the same set."""
        content = msgspec.json.encode([self.spec.name, self.spec.cases], order="sorted")
        set_id = hashlib.sha256(content).hexdigest()[:24]
        rows = [
            TestCaseRow(
                id=case_row_id(set_id, case.id),
                test_set_id=set_id,
                position=position,
                name=case.id,
                split="sealed" if case.sealed else "working",
                cluster=case.cluster or "",
                weight=case.weight,
                tags=list(case.tags),
                variables=case.variables,
                messages=msgspec.to_builtins(case.messages),
                expected={"value": case.expected},
            )
            for position, case in enumerate(self.spec.cases)
        ]
        self._store.save_test_set(TestSetRow(id=set_id, name=self.spec.name), rows, listed=False)
        return set_id

    def _end(self) -> EvaluationRow:
        assert self.row is not None
        status = "done"
        if len(self.answers) < self._total:
            status = "over_budget" if self._budget.exhausted else "stopped"
        ended = msgspec.structs.replace(self.row, status=status, ended_at=utc_now(), summary=self._summary())
        self.row = self._store.save_evaluation(ended)
        self.on_progress(self.progress())
        return self.row

    def _summary(self) -> dict[str, Any]:
        """What lists show of it: the outcome for each candidate, and how much was answered."""
        spec = self.spec
        analysis = analyse(self.answers, spec.baseline.name if spec.baseline else None, spec.margin / 100)
        outcomes = {" · ".join(c.candidate): c.verdict.outcome.value for c in analysis.comparisons}
        return {"outcomes": outcomes, "answers": len(self.answers), "errors": self._counts["errors"]}

    # --- what there is already --------------------------------------------------------------------------------
    def _known_results(self) -> dict[tuple[str, str, int], ResultRow]:
        """The answer rows of an earlier session, by case, variant and repeat."""
        assert self.row is not None
        rows = [row for row in self._store.results(self.row.id) if not row.grader]
        return {(row.test_case_id, row.variant, row.repeat): row for row in rows}

    def _take_known(self, task: Task, known: dict[tuple[str, str, int], ResultRow]) -> bool:
        """Use the complete answer of an earlier session, if there is one."""
        row = known.get((self._case_row(task.case), task.variant, task.repeat))
        run = self._store.run(row.run_id) if row is not None and row.run_id else None
        if run is None or run.status != "done":
            return False
        self._settle(task, run, row.request_sha256 if row else "", reused=bool(row and row.details.get("reused")))
        return True

    def _from_log(self, task: Task, digest: str) -> bool:
        """Answer from the log, when the user allows it and an identical request was answered completely."""
        if not self.spec.reuse_answers or task.repeat:
            return False
        run_id = self._store.answered_request(digest)
        run = self._store.run(run_id) if run_id else None
        if run is None or run.status != "done":
            return False
        self._settle(task, run, digest, reused=True)
        return True

    # --- asking -----------------------------------------------------------------------------------------------
    def _tasks(self, contestants: Sequence[ModelSpec]) -> Iterator[Task]:
        """All answers wanted, cases in the outer loop, so that a stopped evaluation has whole cases."""
        live = [contestant for contestant in contestants if contestant.model]
        cases, repeats = self.spec.selected_cases(), range(self.spec.repeats)
        for case, repeat, prompt, contestant in itertools.product(cases, repeats, self.spec.prompts, live):
            yield Task(contestant=contestant, prompt=prompt, case=case, repeat=repeat)

    def _work(self, by_model: dict[str, list[Task]], models: dict[str, ChatModel]) -> None:
        """Remote contestants at once, local ones one after another: each has the machine to itself."""
        remote = [name for name in by_model if models[name].info.remote]
        threads = [
            threading.Thread(target=self._serve, args=(by_model[name], models[name], REMOTE_AT_ONCE), daemon=True)
            for name in remote
        ]
        for thread in threads:
            thread.start()
        for name in by_model:
            if name not in remote:
                self._serve(by_model[name], models[name], LOCAL_AT_ONCE)
        for thread in threads:
            thread.join()

    def _serve(self, tasks: Sequence[Task], model: ChatModel, at_once: int) -> None:
        """Answer one contestant's tasks, `at_once` at a time."""
        waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
        for task in tasks:
            waiting.put(task)
        identity = model.sha256() if isinstance(model, LocalModel) else ""

        def work() -> None:
            while not self._stop.cancelled and not self._budget.exhausted:
                try:
                    task = waiting.get_nowait()
                except queue.Empty:
                    return
                self._answer(task, model, identity)

        workers = [threading.Thread(target=work, daemon=True) for _ in range(min(at_once, len(tasks)))]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def _answer(self, task: Task, model: ChatModel, identity: str) -> None:
        try:
            request = build_request(task.contestant, task.prompt, task.case, seed=self.spec.seed + task.repeat)
        except WorkbenchError as error:
            self._keep(self._failed(task, str(error)))
            return
        digest = request_sha256(model.info.id, identity, request)
        if self._from_log(task, digest):
            return
        if model.info.remote and not self._budget.reserve(request, model.info.prices):
            return
        run = self._ask(task, model, request, digest)
        if run is None:
            return
        release = self._stop.on_cancel(run.cancel)
        run.wait()
        release()
        if model.info.remote:
            self._budget.settle(request, model.info.prices, run.record)
        if run.record.status == "cancelled":
            return
        self._settle(task, run.record, digest, reused=False)

    def _ask(self, task: Task, model: ChatModel, request: ChatRequest, digest: str) -> Run | None:
        """Start the run, commit its place in the evaluation, and only then let it ask the model."""
        assert self.row is not None
        placed = threading.Event()

        @contextmanager
        def turn(token: CancelToken) -> Iterator[bool]:
            take_back = token.on_cancel(placed.set)
            placed.wait()
            take_back()
            yield not token.cancelled

        try:
            run = self._runner.start(
                model, request, session_id=self.row.config["session_id"], user=request.messages[-1], turn=turn
            )
        except WorkbenchError as error:
            self._keep(self._failed(task, str(error)))
            return None
        try:
            self._store.save_results([self._row(task, run.id, digest)])
        except WorkbenchError as error:
            run.cancel()
            self._keep(self._failed(task, str(error)))
            return None
        placed.set()
        return run

    # --- results ----------------------------------------------------------------------------------------------
    def _settle(self, task: Task, run: RunRecord, digest: str, *, reused: bool) -> None:
        """Grade a finished run and store the grades."""
        answer = self._grading.graded(answer_of(task, run, reused=reused), task.case)
        grades = [self._row(task, run.id, "", grade=grade) for grade in answer.grades]
        self._store.save_results([self._row(task, run.id, digest, reused=reused, answer=answer), *grades])
        with self._lock:
            self._counts["reused"] += reused
            self._fresh += not reused
        self._keep(answer)

    def _failed(self, task: Task, error: str) -> Answer:
        return Answer(
            contestant=task.contestant.name,
            prompt=task.prompt.name,
            case_id=task.case.id,
            repeat=task.repeat,
            model=task.contestant.model,
            error=error,
            cluster=task.case.cluster,
        )

    def _keep(self, answer: Answer) -> None:
        """Count a finished answer and tell those who watch."""
        with self._lock:
            self.answers.append(answer)
            self._counts["errors"] += bool(answer.error)
            now = time.monotonic()
            tell = now - self._told >= 0.1
            if tell:
                self._told = now
        self.on_answer(answer)
        if tell:
            self.on_progress(self.progress())

    def _row(
        self,
        task: Task,
        run_id: str | None,
        digest: str,
        *,
        grade: GradeRecord | None = None,
        reused: bool = False,
        answer: Answer | None = None,
    ) -> ResultRow:
        """The place of an answer that is asked for, of a finished `answer`, or of one grade of it."""
        assert self.row is not None
        details: dict[str, Any] = {"reused": True} if reused else {}
        status, score, reason = "pending", None, ""
        if grade is not None:
            status, score, reason, details = "graded", grade.score, grade.reason, grade.details
        elif answer is not None:
            status, score, reason = "error" if answer.error else "answered", answer.score, reason_of(answer)
        return ResultRow(
            evaluation_id=self.row.id,
            test_case_id=self._case_row(task.case),
            model=task.contestant.model,
            variant=task.variant,
            repeat=task.repeat,
            grader=grade.grader if grade else "",
            run_id=run_id,
            score=score,
            status=status,
            request_sha256=digest,
            reason=reason,
            error=(answer.error or None) if answer else None,
            details=details,
        )

    def _recorded_row(self, answer: Answer) -> ResultRow:
        """Recorded answers stand with the results, so that an evaluation can be read without their file."""
        assert self.row is not None
        return ResultRow(
            evaluation_id=self.row.id,
            test_case_id=case_row_id(self.row.test_set_id or "", answer.case_id),
            model=answer.model,
            variant=f"{answer.contestant}{SEPARATOR}{answer.prompt}",
            repeat=answer.repeat,
            score=answer.score,
            status="error" if answer.error else "answered",
            reason=reason_of(answer),
            error=answer.error or None,
            details={"recorded": msgspec.to_builtins(answer)},
        )

    def _case_row(self, case: TestCase) -> str:
        assert self.row is not None
        return case_row_id(self.row.test_set_id or "", case.id)

    def _case(self, case_id: str) -> TestCase:
        return next(case for case in self.spec.cases if case.id == case_id)


def answer_of(task: Task, run: RunRecord, *, reused: bool) -> Answer:
    """An ungraded answer from a finished run; a run that did not finish is an error."""
    error = ""
    if run.status != "done":
        error = str(run.error) if run.error else f"The run was {run.status}."
    return Answer(
        contestant=task.contestant.name,
        prompt=task.prompt.name,
        case_id=task.case.id,
        repeat=task.repeat,
        run_id=run.id,
        model=run.model,
        text=run.text,
        error=error,
        cluster=task.case.cluster,
        weight=task.case.weight,
        tags=task.case.tags,
        prompt_tokens=run.prompt_tokens,
        completion_tokens=run.completion_tokens,
        duration_s=run.duration_s,
        time_to_first_token_s=run.time_to_first_token_s,
        decode_tokens_per_s=run.decode_tokens_per_s,
        cost_usd=run.cost_usd,
        remote=run.remote,
        reused=reused,
        finish_reason=run.finish_reason,
        quantization=run.quantization,
        file_bytes=file_bytes(run.gguf_path),
        started_at=run.started_at,
        ended_at=run.ended_at or "",
    )


def reason_of(answer: Answer) -> str:
    """What the graders said, in one line."""
    return "; ".join(grade.reason for grade in answer.grades if grade.reason)


def _comparable(document: dict[str, Any]) -> dict[str, Any]:
    """What may not change between the sessions of one evaluation."""
    return {k: v for k, v in document.items() if k not in {"budget", "notes", "margin", "rule", "min_rate"}}


def _ignore(_value: Any) -> None:
    """Nobody listens."""
