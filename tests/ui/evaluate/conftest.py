"""The Evaluate place in an open window, and a small evaluation that answers at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ui.conftest import fake_models, start, watchdog  # noqa: F401  (fixtures)
from tests.ui.driver import Driver
from workbench.evaluation.spec import EvalSpec, read_spec
from workbench.ui.evaluate.page import EvaluatePage

CITIES = {"France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Peru": "Lima"}


class Evaluating(Driver):
    """A driver whose words are about evaluations."""

    @property
    def place(self) -> EvaluatePage:
        page = self.window.page("evaluate")
        assert isinstance(page, EvaluatePage)
        return page

    def settle(self) -> None:
        self.wait(lambda: self.place.state.running is None and self.program.jobs.pending == 0)


@pytest.fixture
def evaluating(fake_models: None, start: Callable[[], Driver]) -> Evaluating:  # noqa: F811
    driver = start()
    driver.__class__ = Evaluating
    driver.window.show_place("evaluate")
    driver.wait(lambda: driver.place.state.models)
    driver.settle()
    return driver


@pytest.fixture
def quiz(tmp_path: Path) -> Path:
    """An evaluation file: the fake model that repeats its prompt against recorded answers."""
    cases = [{"id": country, "country": country, "expected": city} for country, city in CITIES.items()]
    recorded = [{"case": country, "text": city if country != "Peru" else "Quito"} for country, city in CITIES.items()]
    (tmp_path / "api.jsonl").write_text("".join(json.dumps(item) + "\n" for item in recorded))
    document = {
        "name": "Capitals",
        "models": [{"model": "fake:echo", "label": "Echo"}],
        "baseline": {"recorded": "api.jsonl", "label": "Recorded API"},
        "prompts": [{"name": "ask", "text": "Capital of {{ country }}? Hint: {{ country[:1] }}"}],
        "graders": ["contains"],
        "cases": cases,
        "margin": 10,
    }
    path = tmp_path / "quiz.json"
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def spec(quiz: Path) -> EvalSpec:
    return read_spec(quiz)
