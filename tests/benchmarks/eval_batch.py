"""Evaluations: the batch against one at a time, and the table with 100,000 answers.

python -m tests.benchmarks.eval_batch [CASES]      default 200; both ways in one run, so only the ratio counts
python -m tests.benchmarks.eval_batch table        open and filter 100,000 answers
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from workbench.core.paths import Paths
from workbench.core.requests import Sampling
from workbench.core.settings import SettingsFile
from workbench.evaluation import running
from workbench.evaluation.cases import TestCase
from workbench.evaluation.grading import Grading
from workbench.evaluation.running import SEPARATOR, Evaluation
from workbench.evaluation.spec import EvalSpec, GraderSpec, ModelSpec, PromptSpec
from workbench.evaluation.stored import read_lines
from workbench.plugins import PluginManager
from workbench.services.catalog import ModelCatalog
from workbench.services.keys import Keys
from workbench.services.runner import Runner
from workbench.store import EvaluationRow, ResultRow, Store, TestCaseRow, TestSetRow, case_row_id


def batch(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WORKBENCH_HOME"] = folder
        paths = Paths.of_user()
        paths.create()
        store = Store.open(paths.database)
        plugins = PluginManager(folders=[Path(__file__).parents[2] / "plugins"], entry_points=False)
        plugins.load()
        catalog = ModelCatalog(plugins, SettingsFile(paths.settings), paths, Keys(paths))
        runner = Runner(store)
        seconds = {}
        for name, at_once in (("warm up", 8), ("one at a time", 1), ("batch", 8)):
            running.LOCAL_AT_ONCE = at_once
            cases = count if name != "warm up" else 8
            seconds[name] = _timed(_spec(name, cases), store, runner, catalog, plugins)
        runner.close()
        catalog.close()
        store.close()
    for name in ("one at a time", "batch"):
        print(f"{name}: {count} cases in {seconds[name]:.1f} s")
    print(f"ratio: {seconds['one at a time'] / seconds['batch']:.2f}")


def _spec(name: str, count: int) -> EvalSpec:
    cases = tuple(TestCase(id=str(n), variables={"n": n}, expected=str(n + 1)) for n in range(count))
    model = ModelSpec(model="starter", sampling=Sampling(temperature=0.0, max_tokens=32))
    prompt = PromptSpec(text="Count on from {{ n }}, in words:")
    return EvalSpec(
        name=name,
        models=(model,),
        prompts=(prompt,),
        cases=cases,
        graders=(GraderSpec(grader="contains"),),
        reuse_answers=False,
    )


def _timed(spec: EvalSpec, store: Store, runner: Runner, catalog: ModelCatalog, plugins: PluginManager) -> float:
    evaluation = Evaluation(spec, store, runner, catalog, Grading(spec.graders, plugins.graders()), folder=Path.cwd())
    start = time.perf_counter()
    evaluation.run()
    assert not [answer.error for answer in evaluation.answers if answer.error]
    return time.perf_counter() - start


def table(count: int = 100_000) -> None:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtCore import Qt
    from PySide6.QtWidgets import QApplication, QTableView

    from workbench.ui.evaluate.results_table import ResultsModel
    from workbench.ui.theme import Look, Theme

    app = QApplication([])
    theme = Theme(app, Look())
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder) / "workbench.db")
        cases = count // 5
        rows = [
            TestCaseRow(id=case_row_id("s", str(n)), test_set_id="s", position=n, name=str(n)) for n in range(cases)
        ]
        store.save_test_set(TestSetRow(id="s", name="s"), rows)
        evaluation = store.save_evaluation(EvaluationRow(id="", test_set_id="s", name="large"))
        results = [
            ResultRow(
                evaluation_id=evaluation.id,
                test_case_id=case_row_id("s", str(n // 5)),
                model="m",
                variant=f"model {n % 5}{SEPARATOR}prompt",
                score=float(n % 7 > 1),
                status="answered",
                reason="expected 'this', got 'that'",
            )
            for n in range(count)
        ]
        store.save_results(results)
        model, view = ResultsModel(theme), QTableView()
        view.resize(1000, 600)
        view.setModel(model)
        view.show()

        def timed(name: str, work) -> None:  # type: ignore[no-untyped-def]
            start = time.perf_counter()
            work()
            app.processEvents()
            print(f"{name}: {(time.perf_counter() - start) * 1000:.0f} ms")

        timed("read and show", lambda: model.set_lines(read_lines(store, evaluation.id)))
        timed("wrong answers of one model", lambda: model.set_filter(arm=("model 3", "prompt"), verdict="wrong"))
        timed("words", lambda: model.set_filter(words="got 'that'"))
        timed("sort by score", lambda: model.sort(3, Qt.SortOrder.DescendingOrder))
        timed("all again", model.set_filter)
        view.close()
        store.close()


if __name__ == "__main__":
    argument = sys.argv[1] if len(sys.argv) > 1 else "200"
    if argument == "table":
        table()
    else:
        batch(int(argument))
