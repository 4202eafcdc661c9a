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
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from workbench.core.cancel import CancelToken
from workbench.core.errors import BadInput, WorkbenchError
from workbench.core.models import ChatModel
from workbench.core.requests import ChatRequest
from workbench.core.runs import RunRecord
from workbench.evaluation.analysis import analyse
from workbench.evaluation.answers import HUMAN, SEPARATOR, Answer, Place
from workbench.evaluation.asking import Judges, NotNow, identity_of, start_placed
from workbench.evaluation.budget import Budget
from workbench.evaluation.cases import TestCase
from workbench.evaluation.findings import outcomes_of
from workbench.evaluation.grading import Grading
from workbench.evaluation.human import read_votes
from workbench.evaluation.judging import at_once, in_threads, pairs_of
from workbench.evaluation.prompts import build_request, request_sha256
from workbench.evaluation.recorded import folder_name, read_recorded
from workbench.evaluation.rows import Task, answer_of, answer_row, case_row, failed_answer, pair_rows, recorded_row
from workbench.evaluation.spec import EvalSpec, ModelSpec, to_document
from workbench.evaluation.stored import read_recorded_of, read_spec_of
from workbench.services.runner import Run, Runner
from workbench.store import EvaluationRow, ResultRow, Store, TestCaseRow, TestSetRow, case_row_id
from workbench.store import now as utc_now

LOCAL_AT_ONCE = 8
"""Requests to one local model under way: as many as the engine decodes in one batch."""
REMOTE_AT_ONCE = 16
"""Requests to one remote model under way; its provider's own limit may be lower."""
JUDGED_AT_ONCE = 8
"""Answers under judgement at once, where a model judges."""


T = TypeVar("T")


class ModelSource(Protocol):
    def get(self, model_id: str) -> ChatModel: ...


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
    judged: int = 0
    to_judge: int = 0
    """Judgements of a model, made when all answers are there; 0: none needed, or not known yet."""


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
        self._judges = Judges(store, runner, self._budget, self._stop)
        self._later: list[tuple[Answer, Callable[[Answer], None]]] = []
        """Answers that a model will judge when all are there, and what keeps them then."""
        self._votes: dict[Place, float] = {}
        self._counts: Counter[str] = Counter()
        self._total = 0
        self._told = 0.0
        self._since = 0.0
        self._fresh = 0
        self._judging_since = 0.0
        self._cases: dict[str, TestCase] = {}

    @property
    def _evaluation(self) -> EvaluationRow:
        assert self.row is not None, "run() has not begun"
        return self.row

    # --- from outside -----------------------------------------------------------------------------------------
    def run(self, resume: str | None = None) -> EvaluationRow:
        """Answer and grade everything that is missing. Raises BadInput before anything is asked; later errors are
        answers with errors. `resume`: the id of an earlier, unfinished run of the same evaluation."""
        contestants = [*self.spec.models, *([self.spec.baseline] if self.spec.baseline else [])]
        models = {c.name: self._catalog.get(c.model) for c in contestants if c.model}
        kept = self._store.results(resume) if resume is not None else []
        recorded = [answer for c in contestants if c.recorded for answer in self._recorded(c, kept)]
        self._grading.check(baseline=self.spec.baseline is not None)
        self._cases = {case.id: case for case in self.spec.cases}
        self.row = self._begin(resume)
        results = self._store.results(self.row.id)
        self._votes = read_votes(results)
        if resume is not None:
            self._budget.resume(self._store.remote_use(str(self.row.config["session_id"])))
        self._judges.begin(self.row, results, reuse=self.spec.reuse_answers)
        self._grading.use(self._judges.ask)
        known = {(r.test_case_id, r.variant, r.repeat): r for r in results if not r.grader}
        tasks = list(self._tasks(contestants))
        self._total, self._since = len(tasks) + len(recorded), time.monotonic()
        self._take_recorded(recorded)
        by_model: dict[str, list[Task]] = {}
        for task in tasks:
            if not self._take_known(task, known):
                by_model.setdefault(task.contestant.name, []).append(task)
        self._work(by_model, models)
        self._judge_later()
        self._judge_pairs()
        return self._end()

    def stop(self) -> None:
        """Ask for nothing more and cancel what is under way; what is complete stays."""
        self._stop.cancel()

    def progress(self) -> Progress:
        with self._lock:
            elapsed = time.monotonic() - self._since
            done = len(self.answers) + len(self._later)
            remaining = elapsed / self._fresh * (self._total - done) if self._fresh else None
            to_judge = self._counts["to_judge"]
            if to_judge and done >= self._total:
                judged, spent = self._counts["judged"], time.monotonic() - self._judging_since
                remaining = spent / judged * (to_judge - judged) if judged else None
            return Progress(
                done=done,
                total=self._total,
                errors=self._counts["errors"],
                reused=self._counts["reused"],
                spent_usd=self._budget.usd,
                spent_tokens=self._budget.tokens,
                elapsed_s=elapsed,
                remaining_s=remaining,
                judged=self._counts["judged"],
                to_judge=self._counts["to_judge"],
            )

    # --- beginning and end ------------------------------------------------------------------------------------
    def _begin(self, resume: str | None) -> EvaluationRow:
        spec = self.spec
        document = to_document(spec)
        if resume is not None:
            row = self._store.evaluation(resume)
            if row is None:
                raise BadInput(f"There is no evaluation {resume} to resume.", hint="`workbench eval` starts a new one.")
            if _comparable(to_document(read_spec_of(row))) != _comparable(document):
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
                    "folder": folder_name(self._folder),
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
        judged, wanted = self.judged_pairs
        if len(self.answers) < self._total or judged < wanted:
            status = "over_budget" if self._budget.exhausted else "stopped"
        ended = msgspec.structs.replace(self.row, status=status, ended_at=utc_now(), summary=self._summary())
        self.row = self._store.save_evaluation(ended)
        self.on_progress(self.progress())
        return self.row

    def _summary(self) -> dict[str, Any]:
        """What lists show of it: the outcome for each candidate, and how much was answered."""
        spec = self.spec
        analysis = analyse(self.answers, spec.baseline.name if spec.baseline else None, spec.margin / 100)
        return {"outcomes": outcomes_of(analysis), "answers": len(self.answers), "errors": self._counts["errors"]}

    def _recorded(self, contestant: ModelSpec, kept: Sequence[ResultRow]) -> list[Answer]:
        """From what an earlier session kept: the file may have moved or changed since. Raises BadInput."""
        return read_recorded_of(kept, contestant.name) or read_recorded(contestant, self._folder, self.spec)

    # --- what there is already --------------------------------------------------------------------------------
    def _take_known(self, task: Task, known: dict[tuple[str, str, int], ResultRow]) -> bool:
        """Use the complete answer of an earlier session, if there is one."""
        row = known.get((case_row(self._evaluation, task.case.id), task.variant, task.repeat))
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
        tracks: list[Callable[[], None]] = [
            partial(self._serve, by_model[name], models[name], REMOTE_AT_ONCE) for name in remote
        ]

        def local() -> None:
            for name in by_model:
                if name not in remote:
                    self._serve(by_model[name], models[name], LOCAL_AT_ONCE)

        at_once([*tracks, local])

    def _serve(self, tasks: Sequence[Task], model: ChatModel, many: int) -> None:
        """Answer one contestant's tasks, `many` at a time."""
        waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
        for task in tasks:
            waiting.put(task)
        identity = identity_of(model)

        def work() -> None:
            while not self._stop.cancelled and not self._budget.exhausted:
                try:
                    task = waiting.get_nowait()
                except queue.Empty:
                    return
                self._answer(task, model, identity)

        in_threads(work, min(many, len(tasks)))

    def _answer(self, task: Task, model: ChatModel, identity: str) -> None:
        try:
            wanted = build_request(task.contestant, task.prompt, task.case, seed=self.spec.seed + task.repeat)
        except WorkbenchError as error:
            self._keep(failed_answer(task, str(error)))
            return
        request = self._budget.bounded(wanted) if model.info.remote else wanted
        digest, unbounded = (request_sha256(model.info.id, identity, asked) for asked in (request, wanted))
        if self._from_log(task, digest) or (unbounded != digest and self._from_log(task, unbounded)):
            return
        if model.info.remote and not self._budget.reserve(request, model.info.prices):
            return
        run: Run | None = None
        try:
            run = self._ask(task, model, request, digest)
            if run is None:
                return
            release = self._stop.on_cancel(run.cancel)
            run.wait()
            release()
        finally:
            if model.info.remote:
                self._budget.settle(request, model.info.prices, run.record if run is not None else None)
        if run.record.status == "cancelled":
            return
        self._settle(task, run.record, digest, reused=False)

    def _ask(self, task: Task, model: ChatModel, request: ChatRequest, digest: str) -> Run | None:
        """Start the run; its place in the evaluation is committed before the model is asked."""
        session = str(self._evaluation.config["session_id"])
        try:
            return start_placed(
                self._store,
                self._runner,
                model,
                request,
                session,
                lambda run_id: answer_row(self._evaluation, task, run_id, digest),
            )
        except WorkbenchError as error:
            self._keep(failed_answer(task, str(error)))
            return None

    # --- results ----------------------------------------------------------------------------------------------
    def _settle(self, task: Task, run: RunRecord, digest: str, *, reused: bool) -> None:
        """Grade a finished run and store the grades; where a model judges, when all answers are there."""
        with self._lock:
            self._counts["reused"] += reused
            self._fresh += not reused

        row = partial(answer_row, self._evaluation, task, run.id)

        def keep(answer: Answer) -> None:
            grades = [row("", grade=grade) for grade in answer.grades if grade.grader != HUMAN]
            self._store.save_results([row(digest, reused=reused, answer=answer), *grades])
            self._keep(answer)

        answer = answer_of(task, run, reused=reused)
        if self._grading.asks_models and not answer.error:
            self._store.save_results([row(digest, reused=reused, answer=answer)])
            with self._lock:
                self._later.append((answer, keep))
            self._tell()
            return
        keep(self._grading.graded(answer, task.case, self._votes.get(answer.place)))

    def _take_recorded(self, recorded: Sequence[Answer]) -> None:
        def keep(answer: Answer) -> None:
            self._store.save_results([recorded_row(self._evaluation, answer)])
            self._keep(answer)

        if self._grading.asks_models:
            self._store.save_results(recorded_row(self._evaluation, answer) for answer in recorded)
            self._later += [(answer, keep) for answer in recorded]
            return
        for answer in recorded:
            self._keep(self._grading.graded(answer, self._cases[answer.case_id], self._votes.get(answer.place)))
        self._store.save_results(recorded_row(self._evaluation, answer) for answer in self.answers)

    # --- judges -----------------------------------------------------------------------------------------------
    def _judge_later(self) -> None:
        """Let a model judge the answers that wait for it; what is not judged when stopped waits for a resume."""
        waiting, self._later = self._later, []
        if self._grading.pairwise is not None:
            for answer, _keep in waiting:
                self._keep(answer)  # graded in pairs
            return
        self._later = list(waiting)

        def work(item: tuple[Answer, Callable[[Answer], None]]) -> None:
            answer, keep = item
            graded = self._grading.graded(answer, self._cases[answer.case_id], self._votes.get(answer.place))
            with self._lock:
                self._later.remove(item)
            keep(graded)

        self._judge(waiting, work)
        self._later = []

    def _judge_pairs(self) -> None:
        """Let a model compare every candidate's answer with the baseline's."""
        baseline = self.spec.baseline
        if self._grading.pairwise is None or baseline is None:
            return
        pairs = pairs_of(self.answers, baseline.name)

        def work(item: tuple[int, Answer, Answer]) -> None:
            index, answer, other = item
            graded = self._grading.graded_pair(answer, other, self._cases[answer.case_id])
            variant = f"{answer.contestant}{SEPARATOR}{answer.prompt}"
            rows = self._store.place_rows(
                self._evaluation.id, case_row(self._evaluation, answer.case_id), variant, answer.repeat
            )
            self._store.save_results(pair_rows(rows, graded))
            with self._lock:
                self.answers[index] = graded
                self._counts["errors"] += bool(graded.error)
            self._tell()

        self._judge(pairs, work)

    def _judge(self, items: Sequence[T], work: Callable[[T], None]) -> None:
        """`work` on all items, several at once, until it is stopped."""
        waiting: queue.SimpleQueue[T] = queue.SimpleQueue()
        for item in items:
            waiting.put(item)
        self._judging_since = time.monotonic()
        self._counts["to_judge"] = len(items)

        def serve() -> None:
            while not self._stop.cancelled and not self._budget.exhausted:
                try:
                    item = waiting.get_nowait()
                except queue.Empty:
                    return
                try:
                    work(item)
                except NotNow:
                    return
                with self._lock:
                    self._counts["judged"] += 1

        in_threads(serve, min(JUDGED_AT_ONCE, len(items)))

    @property
    def judged_pairs(self) -> tuple[int, int]:
        """(judged, wanted)."""
        return self._counts["judged"], self._counts["to_judge"]

    # --- keeping ----------------------------------------------------------------------------------------------
    def _keep(self, answer: Answer) -> None:
        """Count a finished answer and tell those who watch."""
        with self._lock:
            self.answers.append(answer)
            self._counts["errors"] += bool(answer.error)
        self.on_answer(answer)
        self._tell()

    def _tell(self) -> None:
        with self._lock:
            now = time.monotonic()
            tell = now - self._told >= 0.1
            if tell:
                self._told = now
        if tell:
            self.on_progress(self.progress())


def _comparable(document: dict[str, Any]) -> dict[str, Any]:
    """What may not change between the sessions of one evaluation."""
    return {k: v for k, v in document.items() if k not in {"budget", "notes", "margin", "rule", "min_rate"}}


def _ignore(_value: Any) -> None:
    """Nobody listens."""
