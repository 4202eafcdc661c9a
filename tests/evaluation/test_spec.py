"""Evaluation files, ours and promptfoo's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from workbench.core.errors import BadInput
from workbench.evaluation.grading import expected_of
from workbench.evaluation.promptfoo import Imported, read_promptfoo
from workbench.evaluation.spec import ModelSpec, parse_spec, read_spec, to_document

FULL = """
name: capitals
margin: 10
repeats: 2
models:
  - starter
  - model: starter
    label: starter, cold
    sampling: {temperature: 0}
    response_format: {kind: json_object}
baseline: openai:gpt-x
prompts:
  - "Capital of {{ country }}?"
  - {name: terse, text: "{{ country }}:", system: "One word."}
graders:
  - contains
  - {grader: regex, expected: "^[A-Z]", weight: 0.5}
cases:
  - {country: France, expected: Paris}
  - {country: Italy, expected: Rome, sealed: true}
budget: {usd: 0.5}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    return path


def test_a_full_file_is_read_and_written_back(tmp_path: Path) -> None:
    path = write(tmp_path, FULL)
    spec = read_spec(path)
    assert [m.name for m in spec.models] == ["starter", "starter, cold"]
    assert spec.models[1].sampling.temperature == 0
    assert spec.baseline == ModelSpec(model="openai:gpt-x")
    assert [p.name for p in spec.prompts] == ["prompt 1", "terse"]
    assert spec.cases[0].variables == {"country": "France"}
    again = parse_spec(yaml.safe_load(yaml.safe_dump(to_document(spec))), path)
    assert again == spec


def test_cases_and_baseline_from_files(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("q,expected\n1+1,2\n")
    path = write(tmp_path, "models: [starter]\nbaseline: {recorded: b.jsonl}\ncases: c.csv\n")
    spec = read_spec(path)
    assert spec.cases[0].expected == "2"
    assert spec.baseline == ModelSpec(recorded="b.jsonl")
    assert spec.baseline.name == "b"
    assert spec.name == "spec"


def test_parts(tmp_path: Path) -> None:
    spec = read_spec(write(tmp_path, FULL + "part: sealed\n"))
    assert [case.expected for case in spec.selected_cases()] == ["Rome"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("- starter\n", "two models called starter"),
        ("margin: 0", "margin"),
        ("repeats: 0", "repeats"),
        ("colour: red", "colour"),
        ("part: sealed\ncases: [{q: 1}]", "no case in the sealed part"),
        ("models: [{model: a, recorded: b.jsonl}]", "or both"),
        ("models: []", "names no model"),
        ("models: 3", "models"),
        ("rule: replaceable\nbaseline:", "names no baseline"),
        ("cases: nothing.csv", "can't be read"),
        ("cases: 3", "needs 'cases'"),
        ("graders: [{grader: exact, weight: 0}]", "weights"),
    ],
)
def test_bad_files_say_what_is_wrong(tmp_path: Path, change: str, says: str) -> None:
    document = yaml.safe_load(FULL)
    if change.startswith("- "):
        document["models"].append("starter")
    else:
        document.update(yaml.safe_load(change))
    with pytest.raises(BadInput, match=says):
        parse_spec(document, tmp_path / "spec.yaml")


PROMPTFOO = """
description: geo
prompts:
  - "Capital of {{country}}?"
  - file://inside.txt
  - file://../outside.txt
providers:
  - openai:chat:gpt-x
  - id: anthropic:messages:claude-x
    config: {temperature: 0.2, tools: []}
  - python:mine.py
defaultTest:
  assert: [{type: latency, threshold: 100}]
tests:
  - vars: {country: France}
    assert:
      - {type: icontains, value: paris}
      - {type: llm-rubric, value: is polite}
  - vars: {country: Italy}
    options: {transform: x}
sharing: true
"""


def test_promptfoo_common_subset_and_what_was_left(tmp_path: Path) -> None:
    (tmp_path / "inside.txt").write_text("{{country}}?")
    path = tmp_path / "promptfooconfig.yaml"
    path.write_text(PROMPTFOO)
    imported = read_promptfoo(path)
    assert [m.model for m in imported.spec.models] == ["openai:gpt-x", "anthropic:claude-x"]
    assert imported.spec.models[1].sampling.temperature == 0.2
    assert [p.text for p in imported.spec.prompts] == ["Capital of {{country}}?", "{{country}}?"]
    assert [g.grader for g in imported.spec.case_graders["test-1"]] == ["contains"]
    assert set(imported.not_taken) == {
        "top level: sharing",
        "prompt file://../outside.txt: only .txt and .md files beside the configuration are taken",
        "provider python:mine.py: no counterpart here",
        "provider anthropic:messages:claude-x: config tools",
        "test 1: assertion latency",
        "test 1: assertion llm-rubric (it names no judge that has a counterpart here)",
        "test 2: assertion latency",
        "test 2: options, transform",
    }


def test_something_else_is_not_promptfoo(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not a promptfoo"):
        read_promptfoo(write(tmp_path, "a: 1"))


def test_promptfoo_tests_of_a_file_and_judged_assertions_are_taken(tmp_path: Path) -> None:
    (tmp_path / "tests.csv").write_text("city,__expected\nParis,contains: France\nRome,Italy\n")
    config = tmp_path / "promptfooconfig.yaml"
    config.write_text("prompts: ['Where is {{city}}?']\nproviders: [openai:gpt-4o-mini]\ntests: file://tests.csv\n")
    spec = read_promptfoo(config).spec
    assert [case.variables for case in spec.cases] == [{"city": "Paris"}, {"city": "Rome"}]
    assert [(g[0].grader, g[0].expected) for g in spec.case_graders.values()] == [
        ("contains", "France"),
        ("exact", "Italy"),
    ]
    config.write_text(
        "prompts: ['{{q}}']\nproviders: [openai:gpt-4o-mini]\n"
        "defaultTest: {options: {provider: 'anthropic:messages:claude-x'}}\n"
        "tests:\n  - vars: {q: hi}\n    assert:\n      - {type: llm-rubric, value: is polite}\n"
        "      - {type: similar, value: hello, threshold: 0.8}\n      - {type: starts-with, value: 'He(y'}\n"
        "      - {type: javascript, value: 'true'}\n"
    )
    imported = read_promptfoo(config)
    judge, similar, start = imported.spec.case_graders["test-1"]
    assert judge.options == {"model": "anthropic:claude-x", "rubric": "is polite"}
    assert similar.options == {"threshold": 0.8}
    assert start.expected == r"\AHe\(y"
    assert any("javascript" in item for item in imported.not_taken)


def test_promptfoo_lists_of_values_are_tests_of_their_own_and_expectations_are_filled(tmp_path: Path) -> None:
    config = tmp_path / "promptfooconfig.yaml"
    config.write_text(
        "prompts: ['{{a}}{{b}}']\nproviders: openai:gpt-4o-mini\n"
        "tests:\n  - vars: {a: [x, y], b: [1, 2]}\n    assert:\n"
        "      - {type: contains-all, value: ['{{a}}', '{{ b }}']}\n"
        "      - {type: equals, value: '{{missing}}'}\n  - vars: {a: file://a.txt}\n"
    )
    imported = read_promptfoo(config)
    assert [tuple(case.variables.values()) for case in imported.spec.cases] == [("x", 1), ("x", 2), ("y", 1), ("y", 2)]
    assert len(imported.spec.case_graders) == 4
    expected = [expected_of(imported.spec.case_graders[case.id][0], case) for case in imported.spec.cases]
    assert expected == [
        ["x", "1"],
        ["x", "2"],
        ["y", "1"],
        ["y", "2"],
    ]
    assert [item for item in imported.not_taken if "variable that is not there" in item]
    assert "test 2: variables from files (a)" in imported.not_taken


def imported_with(tmp_path: Path, tests: str) -> Imported:
    config = tmp_path / "promptfooconfig.yaml"
    config.write_text("prompts: ['{{a}}']\nproviders: openai:x\n" + tests)
    return read_promptfoo(config)


def test_promptfoo_expectations_are_rendered_once(tmp_path: Path) -> None:
    tests = """tests:
  - vars: {a: 1, code: 'Hello {{ name }} {% x %}'}
    assert:
      - {type: contains, value: '{{code}}'}
      - {type: starts-with, value: '{{code}}'}
      - {type: llm-rubric, value: 'has {{code}}', provider: 'openai:y'}
"""
    spec = imported_with(tmp_path, tests).spec
    contains, start, judge = spec.case_graders["test-1"]
    code = "Hello {{ name }} {% x %}"
    assert expected_of(contains, spec.cases[0]) == code
    assert re.match(expected_of(start, spec.cases[0]), code)
    assert judge.options["rubric"] == f"has {code}"


def test_promptfoo_lists_stay_whole_where_expansion_is_off_and_empty_ones_are_told(tmp_path: Path) -> None:
    tests = "tests: [{vars: {a: [x, y]}}, {vars: {a: []}}, {vars: {a: [z]}, options: {disableVarExpansion: %s}}]\n"
    imported = imported_with(tmp_path, tests % "true")
    assert [case.variables["a"] for case in imported.spec.cases] == ["x", "y", ["z"]]
    assert imported.not_taken == ("test 2: variables with an empty list of values (a)",)
    default = "defaultTest: {options: {disableVarExpansion: true, prefix: p}, threshold: 1}\n"
    imported = imported_with(tmp_path, default + tests % "false")
    assert [case.variables["a"] for case in imported.spec.cases] == [["x", "y"], [], "z"]
    assert imported.not_taken == ("defaultTest: options, prefix", "defaultTest: threshold")


@pytest.mark.parametrize("weight", [".nan", ".inf", "-1", "0", "heavy", "[1]"])
def test_promptfoo_weights_that_count_for_nothing_are_refused(tmp_path: Path, weight: str) -> None:
    tests = "tests: [{vars: {a: 1}, assert: [{type: equals, value: b, weight: %s}]}]"
    imported = imported_with(tmp_path, tests % weight)
    assert imported.spec.case_graders == {"test-1": ()}
    (missed,) = imported.not_taken
    assert missed.startswith("test 1: assertion equals (its weight has to be a number above 0, not ")
    assert imported_with(tmp_path, tests % "null").spec.case_graders["test-1"][0].weight == 1


@pytest.mark.parametrize(
    "part",
    [
        "defaultTest: [1]",
        "defaultTest: {vars: text, assert: {type: equals}}",
        "tests: [{vars: [1, 2], assert: contains}]",
        "tests: [{vars: {a: 1}, assert: [{type: [1]}, {type: similar, threshold: a}, {type: equals, weight: x}, 7]}]",
        "tests: [{vars: {1: 2, a: {b: c}}, assert: [{type: contains, value: '{{ a'}]}]",
        "providers: [{id: openai:x, config: fast}, 3, null, [a]]",
        "prompts: [null, {label: 3}, [x], 'p']",
        "targets: {a: b}",
        "tests: [{vars: {a: [[1], {}]}, assert: [{type: equals, value: {a: 1}}]}]",
    ],
)
def test_any_promptfoo_file_is_taken_or_refused_in_words(tmp_path: Path, part: str) -> None:
    whole = {"prompts": "prompts: ['{{a}}']", "providers": "providers: openai:x", "tests": "tests: [{vars: {a: 1}}]"}
    whole[part.partition(":")[0]] = part
    config = tmp_path / "promptfooconfig.yaml"
    config.write_text("\n".join(whole.values()))
    try:
        assert read_promptfoo(config).spec.cases
    except BadInput as error:
        assert "promptfooconfig" in str(error)
