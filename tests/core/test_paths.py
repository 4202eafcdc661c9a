from __future__ import annotations

from pathlib import Path

import pytest

from workbench.core.paths import Paths, bundled


def test_workbench_home_moves_everything(home: Path) -> None:
    paths = Paths.of_user()
    everything = (
        paths.config,
        paths.data,
        paths.logs,
        paths.cache,
        paths.database,
        paths.backups,
        paths.settings,
        paths.keys_file,
        paths.models,
        paths.plugins,
        paths.crash_reports,
    )
    assert all(path.is_relative_to(home) for path in everything)
    paths.create()
    assert paths.logs.is_dir()


def test_a_relative_home_does_not_follow_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKBENCH_HOME", "here")
    assert Paths.of_user().config == tmp_path / "here"


def test_without_it_the_platform_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKBENCH_HOME")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    paths = Paths.of_user()
    assert "model-workbench" in str(paths.settings)
    assert "model-workbench" in str(paths.database)


@pytest.mark.parametrize("name", ["resources", "plugins"])
def test_what_ships_with_the_program_is_found(name: str) -> None:
    assert bundled(name).is_dir()
