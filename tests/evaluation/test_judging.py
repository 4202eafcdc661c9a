"""Models and people that judge: logged, never paid for twice, and what the verdict makes of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.evaluation.test_running import CAPITALS, Capitals, Shelf, spec
from workbench.core.cancel import CancelToken
from workbench.core.errors import BadInput, ErrorInfo
from workbench.core.events import Finished, StreamEvent, TextDelta, Usage
from workbench.core.models import ModelInfo, Prices
from workbench.core.requests import ChatRequest
from workbench.evaluation.analysis import analyse
from workbench.evaluation.grading import Grading
from workbench.evaluation.human import queue, read_votes, save_vote
from workbench.evaluation.model_graders import model_graders
from workbench.evaluation.running import Evaluation
from workbench.evaluation.spec import EvalSpec
from workbench.evaluation.stored import read_answers, read_lines
from workbench.services.runner import Runner
from workbench.store import Store


class JudgeModel:
    """A paid judge: the reference answer is right; of two, the one that says it is better, or always the first."""

    def __init__(self, *, biased: bool = False, fails: bool = False) -> None:
        prices = Prices(input=1.0, output=1.0)
        self.info = ModelInfo(id="judge", name="judge", provider="test", remote=True, prices=prices)
        self.biased, self.fails = biased, fails
        self.asked = 0
        self._lock = threading.Lock()

    def stream(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        with self._lock:
            self.asked += 1
        text = request.messages[-1].text
        if self.fails:
            yield Finished(reason="failed", error=ErrorInfo(kind="provider_error", message="The judge is out."))
            return
        wanted = text.split("<reference-answer>\n")[1].split("\n")[0]
        if "<answer-A>" in text:
            first, second = (text.split(f"<answer-{x}>\n")[1].split("\n")[0] == wanted for x in "AB")
            better = "A" if self.biased or first > second else "B" if second > first else "tie"
            yield TextDelta(json.dumps({"reason": "so", "better": better}))
        else:
            right = text.split("<answer>\n")[1].split("\n")[0] == wanted
            yield TextDelta(json.dumps({"reason": "so", "score": 10 if right else 0}))
        yield Usage(prompt_tokens=100, completion_tokens=100)
        yield Finished(reason="stop")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "workbench.db") as store:
        yield store


@pytest.fixture
def runner(store: Store) -> Iterator[Runner]:
    runner = Runner(store)
    yield runner
    runner.close()


def evaluation(tmp_path: Path, store: Store, runner: Runner, spec: EvalSpec, judge: JudgeModel) -> Evaluation:
    local = Capitals("local", {"France": "Paris", "Italy": "Rome"})
    shelf = Shelf({"local": local, "api": Capitals("api", CAPITALS, remote=True), "judge": judge})
    return Evaluation(spec, store, runner, shelf, Grading(spec.graders, model_graders(shelf)), folder=tmp_path)


def judged_by(name: str, **options) -> dict:
    return {"graders": [{"grader": name, "options": {"model": "judge", **options}}]}


def test_a_judges_answers_are_runs_and_are_never_asked_twice(tmp_path: Path, store: Store, runner: Runner) -> None:
    judge = JudgeModel()
    wanted = spec(tmp_path, **judged_by("judge"))
    work = evaluation(tmp_path, store, runner, wanted, judge)
    row = work.run()
    assert row.status == "done"
    assert judge.asked == 6  # two equal answers are one question
    scores = {(a.contestant, a.case_id): a.score for a in work.answers}
    assert scores["local", "Spain"] == 0.0
    assert scores["local", "France"] == scores["api", "Peru"] == 1.0
    assert store.judges_asked(row.id) == [("judge", True, 6)]
    again = evaluation(tmp_path, store, runner, wanted, judge)
    again.run(resume=row.id)
    fresh = evaluation(tmp_path, store, runner, wanted, judge)
    fresh.run()
    assert judge.asked == 6
    stored = read_answers(store, row, wanted)
    assert {(a.contestant, a.case_id): a.score for a in stored} == scores
    assert work.progress().spent_tokens == 6 * 200 + 4 * 2_000


def test_a_judge_that_fails_makes_errors_and_no_wrong_answers(tmp_path: Path, store: Store, runner: Runner) -> None:
    work = evaluation(tmp_path, store, runner, spec(tmp_path, **judged_by("judge")), JudgeModel(fails=True))
    work.run()
    assert all("judge is out" in answer.error and answer.score is None for answer in work.answers)


def test_the_budget_holds_for_judges_and_a_larger_one_goes_on(tmp_path: Path, store: Store, runner: Runner) -> None:
    judge = JudgeModel()
    baseline = {"model": "api", "sampling": {"max_tokens": 1_000}}
    wanted = spec(tmp_path, baseline=baseline, **judged_by("judge", max_tokens=100))
    small = msgspec.structs.replace(wanted, budget=msgspec.structs.replace(wanted.budget, tokens=9_100))
    work = evaluation(tmp_path, store, runner, small, judge)
    row = work.run()
    assert row.status == "over_budget"
    assert 0 < judge.asked < 6
    assert not [answer for answer in work.answers if answer.error]
    asked = judge.asked
    more = evaluation(tmp_path, store, runner, wanted, judge)
    assert more.run(resume=row.id).status == "done"
    assert judge.asked == 6 > asked


def test_a_pairwise_judge_is_asked_in_both_orders_and_decides(tmp_path: Path, store: Store, runner: Runner) -> None:
    judge = JudgeModel()
    wanted = spec(tmp_path, **judged_by("pairwise"))
    work = evaluation(tmp_path, store, runner, wanted, judge)
    row = work.run()
    assert row.status == "done"
    assert judge.asked == 4  # two cases, both orders; the other two have the same answer
    for answers in (work.answers, read_answers(store, row, wanted)):
        (comparison,) = analyse(answers, "api", 0.05).comparisons
        verdict = comparison.verdict
        assert (verdict.only_candidate, verdict.only_baseline, verdict.n) == (0, 2, 4)
        assert verdict.difference.estimate == -0.5
        assert verdict.difference.method == "Tango"
        assert comparison.differing == ("Peru", "Spain")
    biased = JudgeModel(biased=True)
    tied = evaluation(tmp_path, store, runner, spec(tmp_path, reuse_answers=False, **judged_by("pairwise")), biased)
    tied.run()
    (comparison,) = analyse(tied.answers, "api", 0.05).comparisons
    assert comparison.verdict.difference.estimate == 0
    reasons = {grade.reason for answer in tied.answers for grade in answer.grades}
    assert any("turned with the order" in reason for reason in reasons)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"graders": ["pairwise", "judge"]}, "stands alone"),
        ({"graders": ["human", "judge"]}, "stands alone"),
        ({"graders": ["pairwise"], "baseline": None, "rule": "not_worse_than_rate"}, "needs a baseline"),
    ],
)
def test_graders_that_do_not_fit_are_refused(
    tmp_path: Path, store: Store, runner: Runner, changes: dict, says: str
) -> None:
    with pytest.raises(BadInput, match=says):
        evaluation(tmp_path, store, runner, spec(tmp_path, **changes), JudgeModel()).run()


def test_a_person_decides_after_the_run(tmp_path: Path, store: Store, runner: Runner) -> None:
    wanted = spec(tmp_path, graders=["human"])
    row = evaluation(tmp_path, store, runner, wanted, JudgeModel()).run()
    answers = read_answers(store, row, wanted)
    arms = analyse(answers, "api", 0.05).arms
    assert [arm.unjudged for arm in arms] == [4, 4]
    assert analyse(answers, "api", 0.05).comparisons == ()
    lines = read_lines(store, row.id)
    for line in queue(lines, {}, row.id):
        score = float(line.contestant == "api" or line.case in ("France", "Italy"))
        save_vote(store, row.id, row.test_set_id or "", line, line.contestant, score, decides=True)
    assert len(read_votes(store.results(row.id))) == 8
    assert {line.score for line in read_lines(store, row.id)} == {0.0, 1.0}
    (comparison,) = analyse(read_answers(store, row, wanted), "api", 0.05).comparisons
    assert comparison.verdict.only_baseline == 2
    again = evaluation(tmp_path, store, runner, wanted, JudgeModel())
    again.run(resume=row.id)
    assert sum(answer.score or 0 for answer in again.answers) == 6
