"""What the Evaluate place shows and does: test sets, evaluations, what is running.

Views subscribe to its signals and hold no truth of their own. An evaluation runs in a thread of its own that only
fills a list; a timer looks at it and tells the views.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from PySide6.QtCore import QObject, QTimer, Signal, Slot

from workbench.core.errors import BadInput, ErrorInfo, WorkbenchError
from workbench.core.models import ModelInfo
from workbench.core.paths import bundled
from workbench.evaluation.analysis import Analysis, analyse
from workbench.evaluation.answers import Answer
from workbench.evaluation.case_files import read_cases
from workbench.evaluation.grading import Grading
from workbench.evaluation.model_graders import model_graders
from workbench.evaluation.promptfoo import looks_like_promptfoo, read_promptfoo
from workbench.evaluation.running import Evaluation, Progress
from workbench.evaluation.spec import EvalSpec, read_spec
from workbench.evaluation.stored import folder_of, read_spec_of
from workbench.evaluation.test_sets import TestSet, load_test_set, new_test_set, save_test_set
from workbench.store import EvaluationRow, TestSetRow
from workbench.ui.backend import Backend
from workbench.ui.context import Context
from workbench.ui.jobs import SERIAL
from workbench.ui.tr import tr

LOOK_MS = 200
LIVE_S = 1.0
"""Rates with intervals are computed anew this often while answers come in."""
EXAMPLES = ("triage.yaml", "year.yaml")


class Running:
    """One evaluation under way, as seen from the window."""

    def __init__(self, evaluation: Evaluation, resume: str | None) -> None:
        self.evaluation = evaluation
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._work, args=(resume,), name="evaluation", daemon=True)
        self.live: Analysis | None = None
        self.looked = 0.0
        self.counted = -1
        self.stopping = False

    @property
    def id(self) -> str:
        return self.evaluation.row.id if self.evaluation.row is not None else ""

    @property
    def spec(self) -> EvalSpec:
        return self.evaluation.spec

    @property
    def progress(self) -> Progress:
        return self.evaluation.progress()

    def _work(self, resume: str | None) -> None:
        try:
            self.evaluation.run(resume)
        except BaseException as error:
            self.error = error


class EvaluateState(QObject):
    lists_changed = Signal()
    models_changed = Signal()
    shown_changed = Signal()
    """Another test set, evaluation or view is shown."""
    run_changed = Signal()
    """Progress or live rates of what runs."""
    run_ended = Signal(str)
    """Id of the evaluation."""
    failed = Signal(object)
    """ErrorInfo of something that belongs to no view."""

    def __init__(self, context: Context, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.context = context
        self.test_sets: list[tuple[TestSetRow, int]] = []
        self.evaluations: list[EvaluationRow] = []
        self.models: list[ModelInfo] = []
        self.graders: list[tuple[str, str]] = []
        """Name and title of every grader."""
        self.shown: tuple[str, str] = ("welcome", "")
        """Kind (welcome, set, setup, evaluation) and id."""
        self.draft: EvalSpec | None = None
        """The evaluation being set up."""
        self.draft_folder = Path()
        self.draft_set = ""
        self.running: Running | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)
        context.backend.when_ready(self.refresh)

    @property
    def backend(self) -> Backend | None:
        return self.context.backend.value

    # --- reading ----------------------------------------------------------------------------------------------
    @Slot()
    def refresh(self) -> None:
        backend = self.backend
        if backend is None:
            return

        def work() -> Any:
            store = backend.store
            sizes = store.test_set_sizes()
            sets = [(row, sizes.get(row.id, 0)) for row in store.test_sets()]
            graders = [*backend.plugins.graders(), *model_graders(backend.catalog)]
            return sets, store.evaluations(), backend.catalog.models(), [(g.name, g.title) for g in graders]

        self.context.jobs.run(work, self._fill, self.failed.emit, owner=self, key="evaluate-lists")

    def _fill(self, found: Any) -> None:
        self.test_sets, self.evaluations, self.models, self.graders = found
        self.lists_changed.emit()
        self.models_changed.emit()

    def evaluation(self, id: str) -> EvaluationRow | None:
        return next((row for row in self.evaluations if row.id == id), None)

    def model_info(self, model_id: str) -> ModelInfo | None:
        return next((info for info in self.models if info.id == model_id), None)

    # --- showing ----------------------------------------------------------------------------------------------
    def show(self, kind: str, id: str = "") -> None:
        self.shown = (kind, id)
        self.shown_changed.emit()

    # --- test sets --------------------------------------------------------------------------------------------
    def create_set(self, name: str) -> None:
        self.keep_set(new_test_set(name), show=True)

    def keep_set(self, test_set: TestSet, *, show: bool = False) -> None:
        """Write a set; the lists follow."""
        backend = self.backend
        if backend is None:
            return

        def done(_result: object) -> None:
            if show:
                self.show("set", test_set.id)
            self.refresh()

        self.context.jobs.run(
            lambda: save_test_set(backend.store, test_set), done, self.failed.emit, owner=self, lane=SERIAL
        )

    def read_set(self, id: str, done: Callable[[TestSet | None], None], owner: QObject) -> None:
        backend = self.backend
        if backend is not None:
            store = backend.store
            self.context.jobs.run(
                lambda: load_test_set(store, id), done, self.failed.emit, owner=owner, key="evaluate-set", lane=SERIAL
            )

    def delete_set(self, id: str) -> None:
        self._hide(lambda store: store.delete_test_set(id), lambda store: store.restore_test_set(id), "set", id)

    def delete_evaluation(self, id: str) -> None:
        if self.running is not None and self.running.id == id:
            self.stop()
        self._hide(
            lambda store: store.delete_evaluation(id), lambda store: store.restore_evaluation(id), "evaluation", id
        )

    def _hide(self, hide: Callable[[Any], None], restore: Callable[[Any], None], kind: str, id: str) -> None:
        backend = self.backend
        if backend is None:
            return
        store = backend.store

        def undo() -> None:
            self.context.jobs.run(
                lambda: restore(store), lambda _: self.refresh(), self.failed.emit, owner=self, lane=SERIAL
            )

        def done(_result: object) -> None:
            if self.shown == (kind, id):
                self.show("welcome")
            self.refresh()
            text = tr("Test set deleted") if kind == "set" else tr("Evaluation deleted")
            self.context.shell.toast(text, tr("Undo"), undo)

        self.context.jobs.run(lambda: hide(store), done, self.failed.emit, owner=self, lane=SERIAL)

    def import_cases(self, path: Path, into: TestSet | None = None) -> None:
        """A file of cases as a new set, or an evaluation file as a set-up to start."""
        backend = self.backend
        if backend is None:
            return

        def work() -> Any:
            if path.suffix.lower() in {".yaml", ".yml", ".json"}:
                try:
                    return _read_evaluation(path)
                except BadInput:
                    return read_cases(path)
            return read_cases(path)

        def done(result: Any) -> None:
            if isinstance(result, list):
                if into is None:
                    self.keep_set(_with_prompt(new_test_set(path.stem, result)), show=True)
            else:
                spec, not_taken = result
                self.set_up(spec, path.parent)
                if not_taken:
                    message = tr("Not taken from {name}: {items}", name=path.name, items="; ".join(not_taken))
                    self.failed.emit(ErrorInfo(kind="import", message=message))

        self.context.jobs.run(work, done, self.failed.emit, owner=self)

    def write_file(self, path: Path, content: str | Callable[[], str | bytes]) -> None:
        """Write a file and say so. `content` may be made in the worker."""

        def work() -> None:
            made = content if isinstance(content, str) else content()
            try:
                path.write_bytes(made.encode() if isinstance(made, str) else made)
            except OSError as error:
                raise BadInput(f"{path} can't be written: {error.strerror}.") from None

        def done(_result: object) -> None:
            self.context.shell.toast(tr("Written to {name}", name=path.name))

        self.context.jobs.run(work, done, self.failed.emit, owner=self)

    # --- setting up and running -------------------------------------------------------------------------------
    def set_up(self, spec: EvalSpec, folder: Path, *, test_set: str = "") -> None:
        self.draft, self.draft_folder, self.draft_set = spec, folder, test_set
        self.show("setup")

    def try_example(self, name: str = EXAMPLES[0]) -> None:
        """Start a bundled example at once: it is small and stays on this machine."""
        path = bundled("resources") / "examples" / name
        self.context.jobs.run(
            lambda: read_spec(path), lambda spec: self.start(spec, path.parent), self.failed.emit, owner=self
        )

    def start(
        self,
        spec: EvalSpec,
        folder: Path,
        *,
        test_set: str = "",
        resume: str | None = None,
    ) -> None:
        backend = self.backend
        if backend is None:
            return
        if self.running is not None:
            self.failed.emit(
                ErrorInfo(kind="busy", message=tr("An evaluation is running already."), hint=tr("Stop it first."))
            )
            return
        available = [*backend.plugins.graders(), *model_graders(backend.catalog)]
        grading = Grading(spec.graders, available, by_case=spec.case_graders)
        evaluation = Evaluation(
            spec, backend.store, backend.runner, backend.catalog, grading, folder=folder, test_set_id=test_set
        )
        self.running = Running(evaluation, resume)
        self.running.thread.start()
        self._timer.start()
        self.show("evaluation", resume or "")

    def resume(self, row: EvaluationRow) -> None:
        try:
            spec = read_spec_of(row)
        except WorkbenchError as error:
            self.failed.emit(error.info)
            return
        self.start(spec, folder_of(row), test_set=str(row.config.get("test_set", "")), resume=row.id)

    def stop(self) -> None:
        if self.running is not None:
            self.running.stopping = True
            self.running.evaluation.stop()
            self.run_changed.emit()

    def close(self, timeout_s: float = 5.0) -> None:
        """The window closes: what is complete is kept, the evaluation can be resumed."""
        self._timer.stop()
        if self.running is not None:
            self.running.evaluation.stop()
            self.running.thread.join(timeout_s)

    @Slot()
    def _look(self) -> None:
        running = self.running
        if running is None:
            self._timer.stop()
            return
        if not running.thread.is_alive():
            self._finish(running)
            return
        if self.shown == ("evaluation", "") and running.id:
            self.shown = ("evaluation", running.id)
            self.refresh()
        progress = running.progress
        fraction = progress.done / progress.total if progress.total else None
        text = tr("Evaluating: {done} of {total}", done=progress.done, total=progress.total)
        self.context.shell.set_work("evaluation", text, fraction, self.stop)
        if progress.done != running.counted and time.monotonic() - running.looked > LIVE_S:
            running.looked, running.counted = time.monotonic(), progress.done
            self._read_live(running)
        self.run_changed.emit()

    def _read_live(self, running: Running) -> None:
        answers: Sequence[Answer] = list(running.evaluation.answers)
        spec = running.spec
        baseline = spec.baseline.name if spec.baseline else None

        def done(analysis: Analysis) -> None:
            running.live = analysis
            self.run_changed.emit()

        self.context.jobs.run(
            lambda: analyse(answers, baseline, spec.margin / 100), done, owner=self, key="evaluate-live"
        )

    def _finish(self, running: Running) -> None:
        self._timer.stop()
        self.running = None
        self.context.shell.set_work("evaluation", "", None, None, _news_of(running))
        if self.shown[0] == "evaluation":
            self.shown = ("evaluation", running.id) if running.id else ("welcome", "")
            self.shown_changed.emit()
        self.refresh()
        self.run_ended.emit(running.id)
        error = running.error
        if isinstance(error, WorkbenchError):
            self.failed.emit(error.info)
        elif error is not None:
            raise error


def _news_of(running: Running) -> str:
    """What came of it, for users who are elsewhere; nothing where they stopped it themselves."""
    name, row = running.spec.name, running.evaluation.row
    if isinstance(running.error, WorkbenchError):
        return tr("The evaluation “{name}” failed: {reason}", name=name, reason=running.error.info.message)
    if running.error is not None or row is None or running.stopping:
        return ""
    if row.status == "over_budget":
        return tr("The evaluation “{name}” stopped: its budget is used up", name=name)
    return tr("The evaluation “{name}” is done", name=name)


def _read_evaluation(path: Path) -> tuple[EvalSpec, list[str]]:
    if looks_like_promptfoo(path):
        imported = read_promptfoo(path)
        return imported.spec, list(imported.not_taken)
    return read_spec(path), []


def _with_prompt(test_set: TestSet) -> TestSet:
    """A first prompt that shows every variable of the cases."""
    names = list(dict.fromkeys(name for case in test_set.cases for name in case.variables))
    text = "\n\n".join(f"{{{{ {name} }}}}" for name in names if name.isidentifier())
    prompt = msgspec.structs.replace(test_set.prompts[0], text=text)
    return msgspec.structs.replace(test_set, prompts=(prompt,))
