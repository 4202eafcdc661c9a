"""Test sets in the store, prompt versions, results read back, exports that run again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.evaluation.eval_victim import Exact
from tests.evaluation.test_running import CAPITALS, Capitals, Shelf, spec
from workbench.core.errors import BadInput
from workbench.core.messages import Message
from workbench.evaluation.analysis import analyse
from workbench.evaluation.case_files import read_cases
from workbench.evaluation.cases import TestCase
from workbench.evaluation.exports import exported
from workbench.evaluation.grading import Grading
from workbench.evaluation.human import calibrate, place_of, queue, read_votes, save_vote
from workbench.evaluation.running import Evaluation
from workbench.evaluation.spec import PromptSpec, read_spec
from workbench.evaluation.stored import answer_text, read_analysis, read_answers, read_lines, read_spec_of
from workbench.evaluation.test_sets import (
    add_case,
    load_test_set,
    new_test_set,
    prompt_versions,
    save_test_set,
    to_csv,
    to_json_lines,
)
from workbench.services.runner import Runner
from workbench.store import Store

CASES = (
    TestCase(id="a", variables={"word": "sea", "n": 3}, expected="Meer", tags=("x", "y"), cluster="doc", weight=2.0),
    TestCase(id="b", messages=(Message.of("user", "Say “hi”,\nplease."),), expected=["hi", "hello"], sealed=True),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "workbench.db")
    yield opened
    opened.close()


@pytest.fixture
def runner(store: Store) -> Iterator[Runner]:
    made = Runner(store)
    yield made
    made.close()


def test_a_set_comes_back_as_it_was_saved(store: Store) -> None:
    prompt = PromptSpec(name="p", text="{{ word }}", system="Be brief.", examples=({"user": "u", "assistant": "a"},))
    made = new_test_set("Words", CASES, (prompt,))
    save_test_set(store, made)
    assert load_test_set(store, made.id) == made
    assert [(row.name, store.test_set_sizes()[row.id]) for row in store.test_sets()] == [("Words", 2)]


def test_a_case_taken_out_is_gone_and_may_come_back(store: Store) -> None:
    made = new_test_set("Words", CASES)
    save_test_set(store, made)
    save_test_set(store, msgspec.structs.replace(made, cases=CASES[:1]))
    assert load_test_set(store, made.id).cases == CASES[:1]
    save_test_set(store, made)
    assert load_test_set(store, made.id).cases == CASES


def test_every_version_of_a_prompt_stays_and_the_same_text_makes_none(store: Store) -> None:
    made = new_test_set("Words", CASES)
    for text in ("one", "two", "two", "one"):
        made = msgspec.structs.replace(made, prompts=(PromptSpec(name="p", text=text),))
        save_test_set(store, made)
    versions = prompt_versions(store, made.id, "p")
    assert [(version.version, version.prompt.text) for version in versions] == [(3, "one"), (2, "two"), (1, "one")]


def test_adding_a_case_gives_it_an_id_that_is_free(store: Store) -> None:
    made = new_test_set("Words", CASES)
    save_test_set(store, made)
    add_case(store, made.id, TestCase(id="a", variables={"word": "sky"}))
    assert [case.id for case in load_test_set(store, made.id).cases] == ["a", "b", "case-3"]
    assert add_case(store, "gone", CASES[0]) is None


def test_cases_written_as_files_are_read_back(tmp_path: Path) -> None:
    lines = tmp_path / "cases.jsonl"
    lines.write_text(to_json_lines(CASES), encoding="utf-8")
    assert tuple(read_cases(lines)) == CASES
    table = tmp_path / "cases.csv"
    table.write_text(to_csv(CASES[:1]), encoding="utf-8")
    assert read_cases(table) == [msgspec.structs.replace(CASES[0], variables={"word": "sea", "n": "3"})]


def evaluated(store: Store, runner: Runner, tmp_path: Path, **changes) -> Evaluation:
    (tmp_path / "api.jsonl").write_text(
        "".join(f'{{"case": "{country}", "text": "{city}"}}\n' for country, city in CAPITALS.items())
    )
    document = {"baseline": {"recorded": "api.jsonl", "label": "api"}, **changes}
    shelf = Shelf(local=Capitals("local", {"France": "Paris", "Italy": "Rom"}, fails=("Peru",)))
    made = spec(tmp_path, **document)
    evaluation = Evaluation(made, store, runner, shelf, Grading(made.graders, [Exact()]), folder=tmp_path)
    evaluation.run()
    return evaluation


def test_what_is_read_back_gives_the_same_analysis_as_the_run(store: Store, runner: Runner, tmp_path: Path) -> None:
    evaluation = evaluated(store, runner, tmp_path)
    row = store.evaluation(evaluation.row.id)
    read = read_spec_of(row)
    assert read == evaluation.spec
    (tmp_path / "api.jsonl").unlink()  # recorded answers are kept with the results
    fresh = analyse(evaluation.answers, "api", 0.05)
    again = read_analysis(store, row, read)
    key = lambda arm: arm.contestant  # noqa: E731
    assert sorted(again.arms, key=key) == sorted(fresh.arms, key=key)
    assert [c.verdict for c in again.comparisons] == [c.verdict for c in fresh.comparisons]
    assert row.summary["outcomes"] == {"local · prompt 1": fresh.comparisons[0].verdict.outcome.value}


def test_lines_hold_scores_errors_and_lead_to_texts(store: Store, runner: Runner, tmp_path: Path) -> None:
    evaluation = evaluated(store, runner, tmp_path)
    lines = {(line.case, line.contestant): line for line in read_lines(store, evaluation.row.id)}
    assert lines["France", "local"].score == 1
    assert lines["Italy", "local"].score == 0
    assert lines["Peru", "local"].score < 0
    assert "broke off" in lines["Peru", "local"].error
    assert answer_text(store, evaluation.row.id, lines["Italy", "local"]) == "Rom"
    assert answer_text(store, evaluation.row.id, lines["Italy", "api"]) == "Rome"
    found = store.result_texts(evaluation.row.id, "rom")
    assert {case.partition(":")[2] for case, _variant, _repeat in found} == {"Italy"}
    assert store.result_texts(evaluation.row.id, "%") == set()


def test_copies_of_cases_that_evaluations_keep_are_not_listed(store: Store, runner: Runner, tmp_path: Path) -> None:
    evaluated(store, runner, tmp_path)
    assert store.test_sets() == []


def test_the_exported_file_runs_again(store: Store, runner: Runner, tmp_path: Path) -> None:
    evaluation = evaluated(store, runner, tmp_path)
    row = store.evaluation(evaluation.row.id)
    path = tmp_path / "elsewhere" / "again.yaml"
    path.parent.mkdir()
    path.write_text(exported(store, row, "yaml"), encoding="utf-8")
    again = read_spec(path)
    assert again.cases == evaluation.spec.cases
    assert Path(again.baseline.recorded) == tmp_path / "api.jsonl"
    assert "4 cases" in exported(store, row, "report") or "4" in exported(store, row, "report")
    assert len(exported(store, row, "jsonl").splitlines()) == 8
    assert exported(store, row, "csv").splitlines()[0].startswith("case_id,contestant,prompt,repeat,score,text")
    assert len(exported(store, row, "baseline").splitlines()) == 4


def test_without_a_baseline_there_is_nothing_to_freeze(store: Store, runner: Runner, tmp_path: Path) -> None:
    evaluation = evaluated(store, runner, tmp_path, baseline=None, rule="not_worse_than_rate")
    with pytest.raises(BadInput, match="no baseline"):
        exported(store, store.evaluation(evaluation.row.id), "baseline")


def test_blind_votes_calibrate_graders_and_change_no_score(store: Store, runner: Runner, tmp_path: Path) -> None:
    evaluation = evaluated(store, runner, tmp_path)
    row = store.evaluation(evaluation.row.id)
    lines = read_lines(store, row.id)
    waiting = queue(lines, {}, row.id)
    assert len(waiting) == 7  # the failed answer is none
    assert [place_of(line) for line in queue(reversed(lines), {}, row.id)] == [place_of(line) for line in waiting]
    before = read_analysis(store, row, evaluation.spec)
    for line in waiting:
        save_vote(store, row.id, row.test_set_id, line, "m", 1.0 if line.score == 1 or line.case == "Italy" else 0.0)
    votes = read_votes(store.results(row.id))
    assert queue(lines, votes, row.id) == []
    found = calibrate(read_answers(store, row, evaluation.spec), votes)
    assert [(c.grader, c.votes) for c in found] == [("exact", 7)]
    assert found[0].agreement == pytest.approx(6 / 7)
    # 7 answers: the grader says right to 5, the user to 6; by chance they agree on 30/49 + 2/49.
    assert found[0].kappa == pytest.approx((6 / 7 - 32 / 49) / (1 - 32 / 49))
    assert found[0].corrected["api"].estimate == pytest.approx(1)
    assert read_analysis(store, row, evaluation.spec).arms == before.arms


def test_a_look_at_the_sealed_part_is_counted_where_the_cases_come_from(
    store: Store, runner: Runner, tmp_path: Path
) -> None:
    made = new_test_set("Capitals", CASES)
    save_test_set(store, made)
    cases = [{"id": "France", "country": "France", "expected": "Paris", "sealed": True}]
    sealed = spec(tmp_path, cases=cases, baseline=None, rule="not_worse_than_rate")
    shelf = Shelf(local=Capitals("local", CAPITALS))
    grading = Grading(sealed.graders, [Exact()])
    Evaluation(sealed, store, runner, shelf, grading, folder=tmp_path, test_set_id=made.id).run()
    assert load_test_set(store, made.id).sealed_openings == 1
