"""`workbench backup` and `workbench restore`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from workbench.core.paths import Paths
from workbench.services.backup_archive import Manifest
from workbench.services.backup_restore import STAGING
from workbench.store import Store


def titles() -> list[str]:
    with Store.open(Paths.of_user().database) as store:
        return [session.title for session in store.sessions()]


def test_there_and_back_and_undone(cli: Cli, tmp_path: Path) -> None:
    assert cli("run", "-m", "fake:echo", "first").code == 0
    made = cli("backup", str(tmp_path), "--json").json
    assert set(made) == {"path", "bytes", *Manifest.__struct_fields__}
    assert Path(made["path"]).parent == tmp_path and made["bytes"] == Path(made["path"]).stat().st_size
    assert cli("run", "-m", "fake:echo", "second").code == 0
    checked = cli("restore", made["path"], "--check", "--json").json
    assert (checked["restored"], checked["sessions"], checked["safety_copy"]) == (False, 1, None)
    assert titles() == ["second", "first"]
    restored = cli("restore", made["path"], "--yes", "--json").json
    assert restored["restored"] is True and Path(restored["safety_copy"]).is_dir()
    assert titles() == ["first"]
    assert "undone" in cli("restore", "--undo").out
    assert titles() == ["second", "first"]


def test_an_existing_file_is_kept_unless_told(cli: Cli, tmp_path: Path) -> None:
    cli("run", "-m", "fake:echo", "first")
    target = tmp_path / "mine.zip"
    target.write_text("precious")
    refused = cli("backup", str(target))
    assert (refused.code, target.read_text()) == (2, "precious")
    assert cli("backup", str(target), "--force").code == 0
    assert "complete and undamaged: 1 sessions" in cli("restore", str(target), "--check").out


@pytest.mark.parametrize(
    "arguments",
    [["restore"], ["restore", "x.zip", "--undo"], ["restore", "x.zip", "--json"], ["restore", "missing.zip", "--yes"]],
)
def test_bad_input_is_one_line(cli: Cli, arguments: list[str]) -> None:
    result = cli(*arguments)
    assert result.code == 2
    assert result.out == "" and result.err.count("\n") == 1 and "Traceback" not in result.err


def test_it_asks_before_it_replaces_and_nothing_stays_behind_without_an_answer(cli: Cli, tmp_path: Path) -> None:
    cli("run", "-m", "fake:echo", "first")
    cli("backup", str(tmp_path / "b.zip"))
    cli("run", "-m", "fake:echo", "second")
    refused = cli("restore", str(tmp_path / "b.zip"), stdin=b"n\n")
    assert refused.code == 1 and "1 sessions" in refused.out
    assert cli("restore", str(tmp_path / "b.zip")).code == 130
    assert titles() == ["second", "first"]
    assert not list(Paths.of_user().data.glob(f"{STAGING}*"))
    assert cli("restore", str(tmp_path / "b.zip"), stdin=b"y\n").code == 0
    assert titles() == ["first"]


def test_the_window_must_be_closed(cli: Cli, tmp_path: Path) -> None:
    cli("run", "-m", "fake:echo", "first")
    cli("backup", str(tmp_path / "b.zip"))
    with Store.open(Paths.of_user().database):
        result = cli("restore", str(tmp_path / "b.zip"), "--yes")
    assert result.code == 1 and "in use by another window" in result.err
    assert not list(Paths.of_user().data.glob(f"{STAGING}*"))
