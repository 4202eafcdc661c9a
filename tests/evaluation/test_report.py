"""The HTML report: says the verdict, escapes everything, fetches nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from workbench.core.tr import translated, use_language
from workbench.evaluation.analysis import analyse
from workbench.evaluation.answers import Answer, GradeRecord
from workbench.evaluation.break_even import Machine, break_even
from workbench.evaluation.findings import explanation, settling
from workbench.evaluation.report import html_report
from workbench.evaluation.spec import parse_spec
from workbench.evaluation.verdict import detail

HOSTILE = '<script>alert(1)</script><img src="http://example.org/x.png">'


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.urls += [value or "" for name, value in attrs if name in {"src", "href"}]


def report(tmp_path: Path) -> str:
    spec = parse_spec(
        {
            "name": "demo " + HOSTILE,
            "models": ["local"],
            "baseline": "api",
            "cases": [{"id": str(i), "q": f"question {i} {HOSTILE}", "expected": "x"} for i in range(60)],
        },
        tmp_path / "x.yaml",
    )
    answers = []
    for case in spec.cases:
        for who, remote in (("local", False), ("api", True)):
            wrong = who == "local" and int(case.id) < 30
            grade = GradeRecord(grader="exact", score=float(not wrong), reason=HOSTILE if wrong else "")
            answers.append(
                Answer(
                    contestant=who,
                    prompt="prompt 1",
                    case_id=case.id,
                    text=HOSTILE,
                    grades=(grade,),
                    remote=remote,
                    duration_s=0.5,
                    cost_usd=0.001 if remote else None,
                )
            )
    money = break_even(cases_per_month=9_000, api_usd_per_1000=1.0, local_seconds_per_case=0.5, machine=Machine())
    return html_report(
        spec, analyse(answers, "api", 0.05), answers, money=[("local", money)], conditions=["different context limits"]
    )


def test_it_says_what_was_found(tmp_path: Path) -> None:
    text = report(tmp_path)
    assert "local can&#39;t replace api here" in text
    assert "60 prompts were sent to api." in text
    assert "different context limits" in text
    assert "30 cases differ" in text
    assert "margin −5" in text
    assert "$9.00 on the API" in text


def test_nothing_in_it_runs_or_is_fetched(tmp_path: Path) -> None:
    parser = Tags()
    parser.feed(report(tmp_path))
    assert not parser.tags & {"script", "img", "link", "iframe", "object"}
    assert parser.urls == []


@pytest.fixture
def german() -> Iterator[None]:
    use_language("de")
    yield
    use_language("en")


def test_it_is_in_the_windows_language(tmp_path: Path, german: None) -> None:
    text = report(tmp_path)
    assert '<html lang="de">' in text
    for said in (
        "local kann api hier nicht ersetzen",
        "60 Prompts wurden an api gesendet.",
        "Wäre statt dieser 60 Fälle alle Arbeit dieser Art gefragt worden",
        "Rechts der gestrichelten Linie",
        "9,000 Fälle im Monat: $9.00",
        "Toleranz 5 von 100 Punkten",
        "30 Fälle unterscheiden sich.",
        "Nichtunterlegenheit",
    ):
        assert said in text, said
    page = re.sub(r"<style>.*?</style>|<pre>.*?</pre>", "", text, flags=re.DOTALL)
    words = set(re.findall(r"[A-Za-z]+", re.sub(r"<[^>]+>", " ", page)))
    assert not words & {"the", "and", "with", "than", "cases", "answers"}, words


def test_findings_are_translated_sentence_by_sentence(german: None) -> None:
    comparison = analyse(
        [
            Answer(contestant=who, prompt="p", case_id=str(n), grades=(GradeRecord(grader="g", score=score),))
            for n in range(9)
            for who, score in (("a", 1.0), ("b", float(n > 1)))
        ],
        "b",
        0.05,
    ).comparisons[0]
    said = translated(detail(comparison.verdict, "Small (7B)", "The large (by hand)"))
    assert said.startswith("Über 9 Fälle lag Small (7B) 22.2 Punkte höher als The large (by hand) (95 %-Intervall ")
    told = translated(explanation(comparison))
    assert told.startswith("Fälle, die nur a richtig löst: 2; die nur b richtig löst: 0. Wäre statt")
    assert "you" not in told
    assert translated(settling(comparison, ())).startswith("Was es entscheiden würde")
