"""Reading test cases, splitting them, and finding near-duplicates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.core.errors import BadInput
from workbench.evaluation.case_files import read_cases
from workbench.evaluation.cases import TestCase, near_duplicates, split

ROWS = [
    {"id": "a", "question": "2+2?", "expected": "4", "tags": "sum, easy", "cluster": "d1", "weight": "2"},
    {"id": "b", "question": "3+3?", "expected": "6", "tags": "", "cluster": "", "weight": ""},
]


def excel(path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    book.active.append(list(ROWS[0]))
    for row in ROWS:
        book.active.append(list(row.values()))
    book.save(path)


def write(path: Path) -> Path:
    if path.suffix == ".xlsx":
        excel(path)
    elif path.suffix in {".csv", ".tsv"}:
        mark = "\t" if path.suffix == ".tsv" else ";"
        lines = [mark.join(ROWS[0]), *(mark.join(f'"{v}"' for v in row.values()) for row in ROWS)]
        path.write_text("\ufeff" + "\n".join(lines), encoding="utf-8")
    elif path.suffix == ".jsonl":
        path.write_text("\n\n".join(map(json.dumps, ROWS)))
    elif path.suffix == ".json":
        path.write_text(json.dumps({"cases": ROWS}))
    else:
        path.write_text("\n".join(f"- {json.dumps(row)}" for row in ROWS))
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".json", ".yaml", ".xlsx"])
def test_every_format_gives_the_same_cases(tmp_path: Path, suffix: str) -> None:
    first, second = read_cases(write(tmp_path / f"set{suffix}"))
    assert (first.id, first.variables, first.expected) == ("a", {"question": "2+2?"}, "4")
    assert (first.tags, first.cluster, first.weight) == (("sum", "easy"), "d1", 2.0)
    assert (second.tags, second.cluster, second.weight) == ((), None, 1.0)


def test_messages_may_be_openai_style(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps({"messages": [{"role": "user", "content": "hello"}], "expected": "hi"}))
    (case,) = read_cases(path)
    assert case.messages[0].text == "hello"
    assert case.id == "case-1"


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("x.csv", "a,b\n1,2,3\n", "row 2"),
        ("x.jsonl", '{"a": 1}\n{"a":', "row 2"),
        ("x.jsonl", "[1]\n", "row 1"),
        ("x.json", "{}", "list of cases"),
        ("x.yaml", "a: &x [1]\nb: *x\n", "aliases"),
        ("x.yaml", "a: [", "not valid YAML"),
        ("x.csv", "", "no test case"),
        ("x.txt", "", "CSV"),
        ("x.xlsx", "not a workbook", "not an Excel"),
        ("x.jsonl", '{"id": "a"}\n{"id": "a"}', "stands twice"),
        ("x.jsonl", '{"weight": -1}', "positive"),
        ("x.jsonl", '{"messages": [{"role": "wizard", "content": "x"}]}', "row 1"),
    ],
)
def test_bad_files_say_what_is_wrong(tmp_path: Path, name: str, text: str, says: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(BadInput, match=says):
        read_cases(path)


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="can't be read"):
        read_cases(tmp_path / "none.csv")
    binary = tmp_path / "b.csv"
    binary.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(BadInput, match="UTF-8"):
        read_cases(binary)


@given(st.integers(0, 400), st.floats(0, 1))
def test_clusters_stay_together_and_later_cases_move_none(n: int, share: float) -> None:
    cases = [TestCase(id=str(i), cluster=f"doc{i // 3}") for i in range(n)]
    parts = split(cases, share)
    by_cluster: dict[str | None, set[bool]] = {}
    for case in parts:
        by_cluster.setdefault(case.cluster, set()).add(case.sealed)
    assert all(len(sealed) == 1 for sealed in by_cluster.values())
    longer = split([*cases, TestCase(id="new")], share)
    assert longer[:n] == parts


def test_the_split_has_about_the_asked_share() -> None:
    parts = split([TestCase(id=str(i)) for i in range(2_000)], 0.3)
    assert 500 < sum(case.sealed for case in parts) < 700
    with pytest.raises(BadInput):
        split([], 1.5)


def test_near_duplicates_across_the_split_are_found() -> None:
    cases = [
        TestCase(id="w1", variables={"q": "How many days does a leap year have?"}),
        TestCase(id="w2", variables={"q": "Name the capital of France."}),
        TestCase(id="s1", variables={"q": "how many days does a leap year have"}, sealed=True),
        TestCase(id="s2", variables={"q": "Who wrote Faust?"}, sealed=True),
    ]
    (pair,) = near_duplicates(cases)
    assert (pair.working, pair.sealed) == ("w1", "s1")
