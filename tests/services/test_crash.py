"""Reports of our own bugs: readable, without secrets, and harmless to files of others."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from workbench.core.paths import Paths
from workbench.services.crash import KEPT_REPORTS, write_crash_report


def error() -> Exception:
    try:
        raise ValueError("the key sk-abcdefghijklmnopqrstuvwx is wrong")
    except ValueError as raised:
        return raised


def test_a_report_says_what_happened_without_secrets() -> None:
    report = write_crash_report(error(), Paths.of_user(), doing="chat")
    assert report is not None and report.parent == Paths.of_user().crash_reports
    text = report.read_text(encoding="utf-8")
    assert "Doing: chat" in text
    assert "ValueError: the key [redacted] is wrong" in text
    assert "sk-abc" not in text


def test_only_the_newest_reports_are_kept() -> None:
    reports = [write_crash_report(error(), Paths.of_user()) for _ in range(KEPT_REPORTS + 3)]
    left = sorted(Paths.of_user().crash_reports.iterdir())
    assert left == reports[3:]


def test_where_there_is_no_folder_for_them_nothing_else_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    others = tmp_path / "temporary"
    others.mkdir()
    for number in range(KEPT_REPORTS + 3):
        (others / f"crash-{number:02}.txt").write_text("of another program")
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(others))
    logs = Paths.of_user().logs
    logs.parent.mkdir(parents=True, exist_ok=True)
    logs.write_text("no folder")
    report = write_crash_report(error(), Paths.of_user())
    assert report is not None and report.parent == others
    assert len(list(others.iterdir())) == KEPT_REPORTS + 4
    assert "No crash report in" in capsys.readouterr().err
