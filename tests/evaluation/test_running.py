"""Running evaluations: answers, grades, resume, reuse, budget, stop, and a program killed fifty times."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from tests.evaluation.eval_victim import Exact
from workbench.core.cancel import CancelToken
from workbench.core.errors import BadInput, ErrorInfo
from workbench.core.events import Finished, StreamEvent, TextDelta, Usage
from workbench.core.messages import Attachment, ImagePart, Message, Part, TextPart
from workbench.core.models import ModelInfo, Prices
from workbench.core.requests import ChatRequest, Reasoning
from workbench.evaluation.analysis import analyse
from workbench.evaluation.budget import Budget, estimate
from workbench.evaluation.exports import evaluation_file, exported
from workbench.evaluation.grading import Grading
from workbench.evaluation.prompts import build_request, render
from workbench.evaluation.recorded import freeze, read_recorded
from workbench.evaluation.report import limits_of
from workbench.evaluation.running import Evaluation
from workbench.evaluation.spec import BudgetSpec, EvalSpec, parse_spec
from workbench.evaluation.stored import folder_of
from workbench.services.runner import Runner
from workbench.store import Store


class Capitals:
    """Knows some capitals; fails where told to."""

    def __init__(self, name: str, known: dict[str, str], *, remote: bool = False, fails: tuple[str, ...] = ()) -> None:
        prices = Prices(input=1.0, output=1.0) if remote else None
        self.info = ModelInfo(id=name, name=name, provider="test", remote=remote, prices=prices)
        self.known = known
        self.fails = fails
        self.asked: list[str] = []
        self.hold: threading.Event | None = None

    def stream(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        question = request.messages[-1].text
        self.asked.append(question)
        if self.hold is not None:
            while not self.hold.wait(0.01):
                if cancel.cancelled:
                    yield Finished(reason="cancelled")
                    return
        if question in self.fails:
            yield TextDelta("par")
            yield Finished(reason="failed", error=ErrorInfo(kind="provider_error", message="The service broke off."))
            return
        yield TextDelta(self.known.get(question, "no idea"))
        yield Usage(prompt_tokens=1_000, completion_tokens=1_000)
        yield Finished(reason="stop")


CAPITALS = {"France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Peru": "Lima"}


def spec(tmp_path: Path, **changes) -> EvalSpec:
    document = {
        "name": "capitals",
        "models": ["local"],
        "baseline": "api",
        "prompts": ["{{ country }}"],
        "graders": ["exact"],
        "cases": [{"id": c, "country": c, "expected": e} for c, e in CAPITALS.items()],
        **changes,
    }
    return parse_spec(document, tmp_path / "spec.yaml")


class Shelf(dict):
    def get(self, model_id: str, default: object = None):
        return self[model_id]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "workbench.db") as store:
        yield store


@pytest.fixture
def runner(store: Store) -> Iterator[Runner]:
    runner = Runner(store)
    yield runner
    runner.close()


def evaluation(tmp_path: Path, store: Store, runner: Runner, spec: EvalSpec, *models: Capitals) -> Evaluation:
    shelf = Shelf({model.info.id: model for model in models})
    return Evaluation(spec, store, runner, shelf, Grading(spec.graders, [Exact()]), folder=tmp_path)


def test_every_answer_is_a_run_with_grades(tmp_path: Path, store: Store, runner: Runner) -> None:
    local = Capitals("local", {"France": "Paris"})
    work = evaluation(tmp_path, store, runner, spec(tmp_path), local, Capitals("api", CAPITALS, remote=True))
    row = work.run()
    assert row.status == "done"
    assert {(a.contestant, a.case_id): a.score for a in work.answers} == {
        **{("api", country): 1.0 for country in CAPITALS},
        **{("local", country): float(country == "France") for country in CAPITALS},
    }
    for answer in work.answers:
        assert store.run(answer.run_id).text == answer.text
    assert len([r for r in store.results(row.id) if r.grader == "exact"]) == 8
    assert analyse(work.answers, "api", 0.05).comparisons[0].verdict.only_baseline == 3


def test_an_error_is_an_error_and_never_a_wrong_answer(tmp_path: Path, store: Store, runner: Runner) -> None:
    api = Capitals("api", CAPITALS, remote=True, fails=("Italy",))
    work = evaluation(tmp_path, store, runner, spec(tmp_path), Capitals("local", CAPITALS), api)
    work.run()
    failed = next(a for a in work.answers if a.contestant == "api" and a.case_id == "Italy")
    assert failed.score is None
    assert "broke off" in failed.error
    assert work.progress().errors == 1


def test_resume_asks_only_for_what_is_missing(tmp_path: Path, store: Store, runner: Runner) -> None:
    api = Capitals("api", CAPITALS, remote=True, fails=("Italy", "Peru"))
    local = Capitals("local", CAPITALS)
    first = evaluation(tmp_path, store, runner, spec(tmp_path), local, api)
    row = first.run()
    api.fails = ()
    second = evaluation(tmp_path, store, runner, spec(tmp_path), local, api)
    again = second.run(resume=row.id)
    assert again.id == row.id
    assert sorted(api.asked) == sorted([*CAPITALS, "Italy", "Peru"])
    assert sorted(local.asked) == sorted(CAPITALS)
    assert all(a.score == 1.0 for a in second.answers)
    assert len(second.answers) == 8


def test_resume_does_not_need_the_recorded_answers_file_again(tmp_path: Path, store: Store, runner: Runner) -> None:
    recorded = tmp_path / "api.jsonl"
    recorded.write_text("".join(json.dumps({"case": c, "text": e}) + "\n" for c, e in CAPITALS.items()))
    local = Capitals("local", CAPITALS, fails=("Italy",))
    wanted = spec(tmp_path, baseline={"recorded": "api.jsonl", "label": "API"})
    row = evaluation(tmp_path, store, runner, wanted, local).run()
    recorded.unlink()
    local.fails = ()
    again = evaluation(tmp_path, store, runner, wanted, local)
    assert again.run(resume=row.id).status == "done"
    assert {(a.contestant, a.case_id): a.score for a in again.answers} == {
        (name, country): 1.0 for name in ("local", "API") for country in CAPITALS
    }
    assert analyse(again.answers, "API", 0.05).comparisons[0].verdict.n == 4


def test_a_bundled_examples_folder_is_found_wherever_the_program_lies(
    tmp_path: Path, store: Store, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.evaluation.recorded.bundled", lambda name: tmp_path / "first" / name)
    folder = tmp_path / "first" / "resources" / "examples"
    folder.mkdir(parents=True)
    (folder / "api.jsonl").write_text('{"case": "Peru", "text": "Lima"}\n')
    wanted = spec(tmp_path, baseline={"recorded": "api.jsonl", "label": "API"})
    shelf = Shelf({"local": Capitals("local", CAPITALS)})
    row = Evaluation(wanted, store, runner, shelf, Grading(wanted.graders, [Exact()]), folder=folder).run()
    older = msgspec.structs.replace(row, config={**row.config, "folder": str(folder)})
    (tmp_path / "first").rename(tmp_path / "second")
    monkeypatch.setattr("workbench.evaluation.recorded.bundled", lambda name: tmp_path / "second" / name)
    moved = tmp_path / "second" / "resources" / "examples"
    assert folder_of(row) == folder_of(older) == moved
    exported_again = parse_spec(yaml.safe_load(exported(store, row, "yaml")), tmp_path / "exported.yaml")
    assert exported_again.baseline is not None
    assert read_recorded(exported_again.baseline, tmp_path, exported_again)[0].text == "Lima"
    elsewhere = msgspec.structs.replace(row, config={**row.config, "folder": str(tmp_path)})
    for named in ("bundled:examples/api.jsonl", str(tmp_path / "kept.jsonl"), str(moved / "api.jsonl")):
        again = spec(tmp_path, baseline={"recorded": named, "label": "API"})
        for exported_from in (row, elsewhere):
            twice = yaml.safe_load(evaluation_file(again, folder_of(exported_from)))["baseline"]["recorded"]
            assert twice == (named if "kept" in named else "bundled:examples/api.jsonl")
    (moved / "api.jsonl").unlink()
    with pytest.raises(BadInput, match=r"api\.jsonl can't be read: No such file or directory\.$"):
        read_recorded(exported_again.baseline, tmp_path, exported_again)


def test_resume_refuses_another_evaluation(tmp_path: Path, store: Store, runner: Runner) -> None:
    models = Capitals("local", CAPITALS), Capitals("api", CAPITALS, remote=True)
    row = evaluation(tmp_path, store, runner, spec(tmp_path), *models).run()
    other = spec(tmp_path, prompts=["Capital of {{ country }}"])
    with pytest.raises(BadInput, match="other models, prompts"):
        evaluation(tmp_path, store, runner, other, *models).run(resume=row.id)
    with pytest.raises(BadInput, match="no evaluation"):
        evaluation(tmp_path, store, runner, other, *models).run(resume="nothing")


def test_identical_requests_are_answered_from_the_log_when_allowed(
    tmp_path: Path, store: Store, runner: Runner
) -> None:
    local, api = Capitals("local", CAPITALS), Capitals("api", CAPITALS, remote=True)
    evaluation(tmp_path, store, runner, spec(tmp_path), local, api).run()
    again = evaluation(tmp_path, store, runner, spec(tmp_path), local, api)
    again.run()
    assert len(api.asked) == 4
    assert again.progress().reused == 8
    fresh = evaluation(tmp_path, store, runner, spec(tmp_path, reuse_answers=False), local, api)
    fresh.run()
    assert len(api.asked) == 8


def test_the_budget_is_hard(tmp_path: Path, store: Store, runner: Runner) -> None:
    """Each answer costs 0.002 dollars; an answer of at most 1,000 tokens is reserved with about 0.001."""
    limited = spec(tmp_path, budget={"usd": 0.004}, models=[{"model": "local"}])
    limited = msgspec.structs.replace(
        limited,
        baseline=msgspec.structs.replace(
            limited.baseline, sampling=msgspec.structs.replace(limited.baseline.sampling, max_tokens=1_000)
        ),
    )
    api = Capitals("api", CAPITALS, remote=True)
    row = evaluation(tmp_path, store, runner, limited, Capitals("local", CAPITALS), api).run()
    assert row.status == "over_budget"
    assert 1 <= len(api.asked) <= 3
    none = spec(tmp_path, budget={"usd": 1.0}, reuse_answers=False)
    unpriced = Capitals("api", CAPITALS, remote=True)
    unpriced.info = msgspec.structs.replace(unpriced.info, prices=None)
    evaluation(tmp_path, store, runner, none, Capitals("local", CAPITALS), unpriced).run()
    assert unpriced.asked == []


def limited(tmp_path: Path, usd: float) -> EvalSpec:
    """The baseline's answers are reserved with about 0.001 dollars and cost 0.002."""
    baseline = {"model": "api", "sampling": {"max_tokens": 1_000}}
    return spec(tmp_path, budget={"usd": usd}, baseline=baseline, seed=3)


def test_a_resumed_evaluation_has_no_second_budget(tmp_path: Path, store: Store, runner: Runner) -> None:
    api = Capitals("api", CAPITALS, remote=True)
    first = evaluation(tmp_path, store, runner, limited(tmp_path, 0.004), Capitals("local", CAPITALS), api).run()
    asked = len(api.asked)
    again = evaluation(tmp_path, store, runner, limited(tmp_path, 0.004), Capitals("local", CAPITALS), api)
    assert again.run(resume=first.id).status == "over_budget"
    assert len(api.asked) == asked
    assert again.progress().spent_usd == pytest.approx(0.002 * asked)
    more = evaluation(tmp_path, store, runner, limited(tmp_path, 1.0), Capitals("local", CAPITALS), api)
    assert more.run(resume=first.id).status == "done"
    assert len(api.asked) == 4


def test_a_service_that_does_not_tell_what_was_used_is_counted_by_the_estimate(
    tmp_path: Path, store: Store, runner: Runner
) -> None:
    class Silent(Capitals):
        def stream(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
            return (event for event in super().stream(request, cancel) if not isinstance(event, Usage))

    api = Silent("api", CAPITALS, remote=True)
    work = evaluation(tmp_path, store, runner, limited(tmp_path, 0.0025), Capitals("local", CAPITALS), api)
    assert work.run().status == "over_budget"
    assert len(api.asked) == 2
    refusing = Capitals("api", {}, remote=True)
    refusing.stream = lambda request, cancel: iter([Finished(reason="failed", error=ErrorInfo(kind="x", message="no"))])
    work = evaluation(
        tmp_path, store, runner, spec(tmp_path, budget={"tokens": 9_000}), Capitals("local", {}), refusing
    )
    work.run()
    assert work.progress().spent_tokens == 0


def test_what_calls_under_way_may_take_at_most_does_not_end_an_evaluation(
    tmp_path: Path, store: Store, runner: Runner
) -> None:
    """Without a token limit each call sets 4,096 tokens aside, which do not all fit at once, and takes 4."""

    class Brief(Capitals):
        def stream(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
            for event in super().stream(request, cancel):
                yield Usage(prompt_tokens=2, completion_tokens=2) if isinstance(event, Usage) else event

    api = Brief("api", CAPITALS, remote=True)
    wanted = spec(tmp_path, budget={"tokens": 4_200})
    work = evaluation(tmp_path, store, runner, wanted, Capitals("local", CAPITALS), api)
    assert work.run().status == "done"
    assert work.progress().spent_tokens == 4 * 4


class Talkative(Capitals):
    """Goes on for 10,000 tokens where no limit stops it, and counts what it was paid for."""

    paid = 0

    def stream(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        self.asked.append(request.messages[-1].text)
        said = min(request.sampling.max_tokens or 10_000, 10_000)
        self.paid += 5 + said
        yield TextDelta("Paris")
        yield Usage(prompt_tokens=5, completion_tokens=said)
        yield Finished(reason="length")


@pytest.mark.parametrize("budget", [{"tokens": 9_000}, {"usd": 0.009}])
def test_an_answer_without_a_limit_gets_one_and_can_not_pass_the_budget(
    tmp_path: Path, store: Store, runner: Runner, budget: dict[str, float]
) -> None:
    api = Talkative("api", CAPITALS, remote=True)
    work = evaluation(tmp_path, store, runner, spec(tmp_path, budget=budget), Capitals("local", CAPITALS), api)
    assert work.run().status == "over_budget"
    assert len(api.asked) == 2
    assert work.progress().spent_tokens == api.paid <= 9_000
    answer = next(a for a in work.answers if a.contestant == "api")
    assert store.run(answer.run_id).sampling["max_tokens"] == 4_096
    analysis = analyse(work.answers, "api", 0.05)
    assert any("limited to 4,096 tokens" in line for line in limits_of(work.spec, analysis))
    from_the_log = [msgspec.structs.replace(answer, reused=True) for answer in work.answers]
    assert not any("limited to" in line for line in limits_of(work.spec, analyse(from_the_log, "api", 0.05)))


@pytest.mark.parametrize(
    ("reasoning", "room"),
    [
        ({}, 4_096),
        ({"effort": "none"}, 4_096),
        ({"enabled": False, "effort": "high"}, 4_096),
        ({"effort": "low"}, 4_096 + 8_192),
        ({"effort": "high"}, 32_000),
        ({"enabled": True}, 32_000),
        ({"budget_tokens": 1_000, "effort": "high"}, 4_096 + 1_000),
    ],
)
def test_a_limit_for_the_budget_leaves_room_for_the_thinking_that_is_asked_for(
    reasoning: dict[str, Any], room: int
) -> None:
    request = ChatRequest(messages=(), reasoning=Reasoning(**reasoning))
    budget = Budget(BudgetSpec(usd=1.0))
    assert budget.bounded(request).sampling.max_tokens == estimate(request).completion_tokens == room


def test_the_report_names_the_limits_that_were_set(tmp_path: Path, store: Store, runner: Runner) -> None:
    baseline = {"model": "api", "reasoning": {"effort": "high"}}
    wanted = spec(tmp_path, baseline=baseline, budget={"tokens": 90_000})
    work = evaluation(
        tmp_path, store, runner, wanted, Capitals("local", CAPITALS), Capitals("api", CAPITALS, remote=True)
    )
    work.run()
    lines = limits_of(work.spec, analyse(work.answers, "api", 0.05))
    assert [line for line in lines if "limited to 32,000 tokens" in line]
    assert not [line for line in lines if "4,096" in line]


def test_answers_asked_without_a_limit_are_taken_from_the_log_under_a_budget_too(
    tmp_path: Path, store: Store, runner: Runner
) -> None:
    local, api = Capitals("local", CAPITALS), Capitals("api", CAPITALS, remote=True)
    for budget, asked in (({}, 4), ({"tokens": 90_000}, 4)):
        evaluation(tmp_path, store, runner, spec(tmp_path, budget=budget), local, api).run()
        assert len(api.asked) == asked


def test_what_is_set_aside_counts_scripts_and_pictures() -> None:
    def asked(*parts: Part) -> int:
        return estimate(ChatRequest(messages=(Message("user", parts),))).prompt_tokens or 0

    assert asked(TextPart("漢" * 300)) >= 300 > asked(TextPart("a" * 300)) >= 100
    picture = ImagePart(Attachment(sha256="0", media_type="image/png", name="a.png", size=1))
    assert asked(picture, TextPart("What is it?")) > 1_600


def test_stop_keeps_what_is_complete_and_resume_goes_on(tmp_path: Path, store: Store, runner: Runner) -> None:
    local, api = Capitals("local", CAPITALS), Capitals("api", CAPITALS, remote=True)
    api.hold = threading.Event()
    work = evaluation(tmp_path, store, runner, spec(tmp_path), local, api)
    done = threading.Event()
    local_answers = []

    def watch(answer) -> None:
        local_answers.append(answer)
        if len(local_answers) == 4:
            done.set()

    work.on_answer = watch
    thread = threading.Thread(target=work.run)
    thread.start()
    assert done.wait(10)
    work.stop()
    thread.join(10)
    assert work.row is not None
    assert work.row.status == "stopped"
    api.hold = None
    second = evaluation(tmp_path, store, runner, spec(tmp_path), local, api)
    assert second.run(resume=work.row.id).status == "done"
    assert len(local.asked) == 4


def test_a_frozen_baseline_answers_for_ever(tmp_path: Path, store: Store, runner: Runner) -> None:
    work = evaluation(
        tmp_path, store, runner, spec(tmp_path), Capitals("local", {}), Capitals("api", CAPITALS, remote=True)
    )
    work.run()
    frozen = freeze([a for a in work.answers if a.contestant == "api"], "2026-01-01")
    (tmp_path / "baseline.jsonl").write_text(frozen)
    offline = spec(tmp_path, baseline={"recorded": "baseline.jsonl", "label": "api (recorded)"})
    again = evaluation(tmp_path, store, runner, offline, Capitals("local", {}))
    again.run()
    recorded = [a for a in again.answers if a.recorded]
    assert [a.score for a in recorded] == [1.0] * 4
    assert recorded[0].cost_usd == pytest.approx(0.002)
    (tmp_path / "baseline.jsonl").write_text('{"case": 3}')
    with pytest.raises(BadInput, match="row 1"):
        evaluation(tmp_path, store, runner, offline, Capitals("local", {})).run()


def test_a_grader_that_can_not_judge_is_an_error(tmp_path: Path, store: Store, runner: Runner) -> None:
    class Broken:
        name = "exact"
        title = ""

        def grade(self, answer: str, expected: object, options: dict):
            raise ZeroDivisionError("oops")

    one = spec(tmp_path, rule="not_worse_than_rate", baseline=None)
    shelf = Shelf({"local": Capitals("local", CAPITALS)})
    work = Evaluation(one, store, runner, shelf, Grading(one.graders, [Broken()]), folder=tmp_path)
    work.run()
    assert all("ZeroDivisionError" in a.error and a.score is None for a in work.answers)
    unknown = spec(tmp_path, graders=["vibes"])
    with pytest.raises(BadInput, match="vibes"):
        evaluation(tmp_path, store, runner, unknown, Capitals("local", {}), Capitals("api", {})).run()


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ nothing }}", "not there"),
        ("{{ 1 + }}", "line 1"),
        ("{% for i in range(10**9) %}x{% endfor %}", "went wrong"),
        ("{{ ().__class__.__mro__ }}", "template"),
    ],
)
def test_bad_templates_are_told_plainly(template: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        render(template, {"country": "France"})


def test_requests_have_system_examples_messages_and_prompt_in_order(tmp_path: Path) -> None:
    full = spec(
        tmp_path,
        prompts=[
            {
                "name": "p",
                "system": "About {{ country }}.",
                "text": "{{ country }}?",
                "examples": [{"user": "Japan?", "assistant": "Tokyo"}],
            }
        ],
    )
    request = build_request(full.models[0], full.prompts[0], full.cases[0], seed=7)
    assert [(m.role, m.text) for m in request.messages] == [
        ("system", "About France."),
        ("user", "Japan?"),
        ("assistant", "Tokyo"),
        ("user", "France?"),
    ]
    assert request.sampling.seed == 7
