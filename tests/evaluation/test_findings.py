"""What is said beside the verdicts."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from workbench.evaluation.analysis import Analysis, analyse
from workbench.evaluation.answers import Answer, GradeRecord
from workbench.evaluation.busy import file_bytes, seconds_for_each
from workbench.evaluation.findings import best_first, comparison_warnings, left_the_machine, settling, smallest


def answers(who: str, right: int, n: int = 400, **fields: object) -> list[Answer]:
    return [
        Answer(
            contestant=who,
            prompt="p",
            case_id=str(i),
            grades=(GradeRecord(grader="g", score=float(i < right)),),
            **fields,  # type: ignore[arg-type]
        )
        for i in range(n)
    ]


def quantisations(q8: int, q4: int, q2: int) -> Analysis:
    baseline = answers("api", 380, remote=True, cost_usd=0.001, model="big")
    files = (("q8", q8, 8_000_000_000), ("q4", q4, 4_000_000_000), ("q2", q2, 2_000_000_000))
    graded = [
        a for name, right, size in files for a in answers(name, right, file_bytes=size, quantization=name.upper())
    ]
    return analyse([*baseline, *graded], "api", 0.05)


def test_the_smallest_file_that_passes_is_named() -> None:
    assert smallest(quantisations(380, 379, 200)) == "The smallest that passes: q4 (Q4 4.0 GB)."
    assert smallest(quantisations(380, 200, 100)) == "The smallest that passes: q8 (Q8 8.0 GB)."
    assert smallest(quantisations(100, 100, 100)).startswith("None of the 3 files")
    one = analyse([*answers("api", 380), *answers("q8", 380, file_bytes=8)], "api", 0.05)
    assert smallest(one) == ""


def test_the_best_candidate_stands_first() -> None:
    order = [c.candidate[0] for c in best_first(quantisations(370, 380, 100).comparisons)]
    assert order[0] == "q4"
    assert order[-1] == "q2"


def test_what_would_settle_it_is_told_with_its_cost_and_time() -> None:
    spans = {"started_at": "2026-01-01T00:00:00+00:00", "ended_at": "2026-01-01T00:05:00+00:00"}
    graded = [*answers("api", 28, 30, remote=True, cost_usd=0.5), *answers("local", 28, 30, **spans)]
    result = analyse(graded, "api", 0.05)
    text = settling(result.comparisons[0], result.arms)
    more = result.comparisons[0].verdict.more_cases
    assert more is not None
    assert f"about {more} more cases" in text
    assert f"${more * 0.5:,.2f}" in text
    assert "minutes" in text
    settled = analyse([*answers("api", 380), *answers("local", 380)], "api", 0.05)
    assert settling(settled.comparisons[0], settled.arms) == ""


def test_a_verdict_over_answers_that_were_cut_off_says_so() -> None:
    whole = answers("local", 380)
    cut = [msgspec.structs.replace(a, finish_reason="length") if int(a.case_id) > 390 else a for a in whole]
    other = answers("other", 380, finish_reason="length")
    for baseline, candidate, who in (("api", cut, "local"), ("local", answers("api", 380), "local")):
        side = cut if baseline == "local" else answers("api", 380)
        result = analyse([*side, *candidate, *other], baseline, 0.05)
        comparison = next(c for c in result.comparisons if c.candidate[0] != "other")
        assert comparison_warnings(comparison, result.arms) == [
            f"Answers of {who} that its token limit cut off: 9. They may be graded worse for it."
        ]


def test_what_left_the_machine_counts_judges_but_no_reused_or_recorded_answers() -> None:
    graded = [*answers("api", 5, 10, remote=True, model="big"), *answers("old", 5, 10, remote=True, recorded=True)]
    arms = analyse([*graded, *answers("log", 5, 10, remote=True, reused=True)], None, 0.05).arms
    lines = left_the_machine(arms, [("judge-model", True, 7), ("own-judge", False, 7)])
    assert lines == [
        "10 prompts were sent to big.",
        "7 questions went to the judge judge-model, with cases and answers in them.",
    ]
    assert left_the_machine(()) == ["Nothing: no prompt of this evaluation was sent to another machine."]


def test_answers_made_at_once_share_the_time_and_a_pause_is_no_work() -> None:
    def at(minute: int, second: int = 0) -> str:
        return f"2026-01-01T00:{minute:02}:{second:02}+00:00"

    spans = [(at(0), at(1)), (at(0, 10), at(1)), (at(0, 20), at(1)), (at(30), at(31))]
    assert seconds_for_each(spans) == pytest.approx(120 / 4)
    assert seconds_for_each([("", "")]) is None


def test_the_size_of_a_file_that_is_gone_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"x" * 10)
    assert file_bytes(str(path)) == 10
    assert file_bytes(str(tmp_path / "gone.gguf")) is None
    assert file_bytes("") is None
