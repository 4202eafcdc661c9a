"""The screens of the Evaluate place: (name, what brings the window there)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from PySide6.QtWidgets import QScrollArea

from workbench.app.main import Program
from workbench.core.paths import bundled
from workbench.evaluation.spec import EvalSpec, GraderSpec, read_spec
from workbench.ui.evaluate.case_dialog import CaseDialog

Wait = Callable[[Callable[[], object]], None]
CAPITALS = (("France", "Paris"), ("Italy", "Rome"), ("Peru", "Lima"), ("Kenya", "Nairobi"), ("Chile", "Santiago"))


def _page(program: Program, wait: Wait) -> Any:
    shown = program.window.place == "evaluate"  # once more would hide the list beside it
    page: Any = program.window.page("evaluate") if shown else program.window.show_place("evaluate")
    wait(lambda: page.state.models)
    return page


def _quiz(program: Program, model: str = "fake:echo") -> tuple[EvalSpec, Path]:
    folder = program.window.context.paths.data
    folder.mkdir(parents=True, exist_ok=True)
    cases, ours, theirs = [], [], []
    for number in range(120):
        country, city = CAPITALS[number % len(CAPITALS)]
        name = f"capital-{number + 1:03d}"
        cases.append({"id": name, "country": country, "expected": city})
        text = "Lyon, **perhaps**?" if number % 13 == 4 else city
        times = {"duration_s": 0.4 + 0.011 * (number * 37 % 101), "cost_usd": 0.00002}
        ours.append({"case": name, "prompt": "ask", "text": text, **times})
        wrong = number % 14 == 6
        text = "I can't say." if wrong else f"The capital of {country} is **{city}**."
        times = {"duration_s": 0.9 + 0.02 * (number * 53 % 97), "cost_usd": 0.0021}
        theirs.append({"case": name, "prompt": "ask", "text": text, **times})
    for name, lines in (("ours", ours), ("theirs", theirs)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    document = {
        "name": "Capitals for the quiz",
        "models": [{"recorded": "ours.jsonl", "label": "Small 7B Q4_K_M"}, {"model": model, "label": "Echo 8B"}],
        "baseline": {"recorded": "theirs.jsonl", "label": "Large 4 (recorded)"},
        "prompts": [{"name": "ask", "text": "What is the capital of {{ country }}?"}],
        "graders": ["contains"],
        "margin": 8,
        "cases": cases,
    }
    path = folder / "quiz.json"
    path.write_text(json.dumps(document))
    return read_spec(path), folder


def welcome(program: Program, wait: Wait) -> None:
    _page(program, wait)


def test_set(program: Program, wait: Wait) -> None:
    page = _page(program, wait)
    page.state.import_cases(bundled("resources") / "examples" / "triage-cases.jsonl")
    wait(lambda: page.state.shown[0] == "set" and page.test_set.model.cases)


def setup(program: Program, wait: Wait) -> None:
    page = _page(program, wait)
    page.state.set_up(*_quiz(program))
    page.setup.contestants[1].settings.setChecked(True)


def case(program: Program, wait: Wait) -> None:
    test_set(program, wait)
    view = _page(program, wait).test_set
    view.edit.click()
    dialog = view.findChild(CaseDialog)
    dialog.add_turn.click()
    dialog.turns[0].text.setPlainText("Hello, I have a question about my order.")
    wait(dialog.isVisible)


def graders(program: Program, wait: Wait) -> None:
    page = _page(program, wait)
    spec, folder = _quiz(program)
    judge = GraderSpec(grader="judge", options={"model": "fake:remote"})
    page.state.set_up(msgspec.structs.replace(spec, graders=(*spec.graders, judge)), folder)
    area = page.setup.findChild(QScrollArea)
    wait(lambda: area.verticalScrollBar().maximum() > 0)
    area.verticalScrollBar().setValue(area.verticalScrollBar().maximum())


def person(program: Program, wait: Wait) -> None:
    page = _page(program, wait)
    spec, folder = _quiz(program)
    page.state.start(msgspec.structs.replace(spec, graders=(GraderSpec(grader="human"),)), folder)
    wait(lambda: page.state.running is None and page.results.loaded and page.results.loaded.analysis)


def verdict(program: Program, wait: Wait) -> None:
    page = _page(program, wait)
    page.state.start(*_quiz(program))
    wait(lambda: page.state.running is None and page.results.verdicts.sentences)


def answers(program: Program, wait: Wait) -> None:
    verdict(program, wait)
    page = _page(program, wait)
    page.results._choose(1)


def cost(program: Program, wait: Wait) -> None:
    verdict(program, wait)
    _page(program, wait).results._choose(2)


def plots(kind: int) -> Callable[[Program, Wait], None]:
    def show(program: Program, wait: Wait) -> None:
        verdict(program, wait)
        view = _page(program, wait).results
        view.cost.price.setValue(1_200)
        view._choose(3)
        view.plots.choose(kind)
        wait(lambda: view.plots.plot is not None and view.plots.plot.chart is view.plots.chart)

    return show


def queue(program: Program, wait: Wait) -> None:
    verdict(program, wait)
    page = _page(program, wait)
    page.results.queue.click()
    wait(lambda: page.queue.waiting)


def running(program: Program, wait: Wait) -> None:
    page = _page(program, wait)
    page.state.start(*_quiz(program, "fake:slow"))
    wait(lambda: page.state.running.live is not None)


def error(program: Program, wait: Wait) -> None:
    page = _page(program, wait)
    spec, folder = _quiz(program)
    (folder / "theirs.jsonl").unlink()
    page.state.start(spec, folder)
    wait(lambda: program.window.banner_texts)


EVALUATE_SCENES = (
    ("evaluate-welcome", welcome),
    ("evaluate-set", test_set),
    ("evaluate-setup", setup),
    ("evaluate-case", case),
    ("evaluate-graders", graders),
    ("evaluate-person", person),
    ("evaluate-verdict", verdict),
    ("evaluate-answers", answers),
    ("evaluate-cost", cost),
    ("evaluate-plot-cost", plots(0)),
    ("evaluate-plot-times", plots(2)),
    ("evaluate-plot-break-even", plots(3)),
    ("evaluate-queue", queue),
    ("evaluate-running", running),
    ("evaluate-error", error),
)
