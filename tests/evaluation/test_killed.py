"""A program killed at random moments repeats no paid answer and loses none: models' and judges'."""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.evaluation.eval_victim import in_one_line


def done_runs(home: Path) -> set[str]:
    """Prompts of runs that the database calls done."""
    with sqlite3.connect(home / "workbench.db") as db:
        rows = db.execute(
            "SELECT u.text FROM runs r JOIN messages a ON a.id = r.message_id JOIN messages u ON u.id = a.parent_id "
            "WHERE r.status = 'done'"
        ).fetchall()
    db.close()
    return {in_one_line(text) for (text,) in rows}


def evaluation_id(home: Path) -> str:
    db = sqlite3.connect(home / "workbench.db")
    rows = db.execute("SELECT id FROM evaluations").fetchall()
    db.close()
    return rows[0][0] if rows else "-"


def _lines(log: Path) -> int:
    return log.read_bytes().count(b"\n") if log.exists() else 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cases", "times", "more"), [(1_500, 50, []), (150, 20, ["judged"])], ids=("answers", "judged")
)
def test_killed_many_times_it_neither_repeats_nor_loses_a_complete_answer(
    tmp_path: Path, cases: int, times: int, more: list[str]
) -> None:
    """`more`: judged, so that each case has two paid answers, the model's and the judge's."""
    generator, kills = random.Random(7), 0
    log = tmp_path / "requests.log"
    complete: set[str] = set()
    while kills < times:
        asked_before = _lines(log)
        command = [sys.executable, "-m", "tests.evaluation.eval_victim", str(tmp_path)]
        command += [evaluation_id(tmp_path) if kills else "-", str(cases), *more]
        victim = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert victim.stdout is not None
        assert victim.stdout.readline() == "ready\n"
        enough = asked_before + generator.randint(15, 60)
        while victim.poll() is None and _lines(log) < enough:
            with contextlib.suppress(subprocess.TimeoutExpired):
                victim.wait(0.002)
        victim.send_signal(signal.SIGKILL)
        victim.wait(10)
        victim.stdout.close()
        kills += 1
        asked_now = log.read_text().split("\n")[asked_before:] if log.exists() else []
        repeated = {line.removeprefix("asked ") for line in asked_now if line} & complete
        assert not repeated, f"after kill {kills}: complete answers were asked again"
        complete = done_runs(tmp_path)
    last = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.evaluation.eval_victim",
            str(tmp_path),
            evaluation_id(tmp_path),
            str(cases),
            *more,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert last.stdout.split("\n")[1] == f"done {cases} {float(cases)}"
    counts = Counter(line.removeprefix("asked ") for line in log.read_text().split("\n") if line)
    assert len(counts) == cases * (1 + len(more))
    # Only what was under way when it was killed is asked for twice: at most 16 at a time.
    assert sum(counts.values()) - len(counts) <= times * 16
    if more:
        assert any(text.startswith("Rubric") for text in complete), "no kill came while the judge was at work"
