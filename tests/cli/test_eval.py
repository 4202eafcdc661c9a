"""`workbench eval` as a process, with the real engine and the starter model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SUMS = """
name: Sums
rule: not_worse_than_rate
min_rate: {min_rate}
models:
  - model: starter
    sampling: {{temperature: 0, max_tokens: 16}}
prompts: ["Repeat the word {{{{ word }}}}. Answer with the word only."]
graders: [contains]
cases:
  - {{word: apple, expected: apple}}
  - {{word: river, expected: river}}
  - {{word: stone, expected: stone}}
"""


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "workbench", "eval", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def write(tmp_path: Path, min_rate: float) -> Path:
    path = tmp_path / "sums.yaml"
    path.write_text(SUMS.format(min_rate=min_rate))
    return path


def test_a_real_evaluation_passes_fails_resumes_and_reports(tmp_path: Path) -> None:
    passed = run(write(tmp_path, 0.0), "--json", "--report", tmp_path / "report.html")
    assert passed.returncode == 0, passed.stderr
    outcome = json.loads(passed.stdout)
    assert outcome["passed"] is True
    assert outcome["status"] == "done"
    assert len(outcome["answers"]) == 3
    assert all(answer["text"] and not answer["error"] for answer in outcome["answers"])
    assert outcome["analysis"]["arms"][0]["answered"] == 3
    assert "Sums" in (tmp_path / "report.html").read_text()
    failed = run(write(tmp_path, 1.0), "--resume", outcome["evaluation"])
    assert failed.returncode == 3, failed.stderr
    assert "does not pass" in failed.stdout


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("models: [nobody-has-this]\ncases: [{prompt: x}]\nrule: not_worse_than_rate", "No model answers"),
        ("models: [starter]\ncases: [{prompt: x}]", "names no baseline"),
        ("models: [starter]\ncases: [{prompt: x}]\nrule: not_worse_than_rate\ngraders: [vibes]", "vibes"),
        (": :", "not valid YAML"),
    ],
)
def test_bad_files_are_one_line_and_exit_2(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    result = run(path)
    assert result.returncode == 2
    assert says in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""
