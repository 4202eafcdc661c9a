"""`packaging/launch` as a user starts it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAUNCH = ROOT / "packaging" / "launch"
pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="a shell script"),
    pytest.mark.skipif(not LAUNCH.exists(), reason="not a checkout"),
]


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_a_python_that_is_too_old_is_said_in_one_line(tmp_path: Path) -> None:
    """Only the scripts and no Python of 3.11 or newer: as on a machine with an old system Python."""
    (tmp_path / "packaging").mkdir()
    for name in ("launch", "find_python.sh", "setup_env.py", "system_packages.py"):
        shutil.copy(LAUNCH.with_name(name), tmp_path / "packaging" / name)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "dirname", "readlink"):
        (tools / name).symlink_to(shutil.which(name) or name)
    old = tools / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2"\nexit 1\n')
    old.chmod(0o755)
    done = run(tmp_path / "packaging" / "launch", PATH=str(tools), WORKBENCH_PYTHON="")
    assert done.returncode == 1
    assert "needs Python 3.11 or newer (Python 3.9.2)" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a display is a matter of Linux")
def test_without_a_display_it_says_so_before_setting_anything_up(tmp_path: Path) -> None:
    (tmp_path / "packaging").mkdir()
    for name in ("launch", "find_python.sh", "setup_env.py", "system_packages.py"):
        shutil.copy(LAUNCH.with_name(name), tmp_path / "packaging" / name)
    done = run(tmp_path / "packaging" / "launch", DISPLAY="", WAYLAND_DISPLAY="", QT_QPA_PLATFORM="")
    assert done.returncode == 1
    assert "no display" in done.stderr
    assert "./packaging/launch run" in done.stderr
    assert not (tmp_path / ".venv").exists()


@pytest.mark.slow
@pytest.mark.parametrize("through_link", [False, True])
def test_launch_passes_arguments_on(tmp_path: Path, through_link: bool) -> None:
    """With the environment that is here; run where a folder named like our package lies in wait."""
    sys.path.insert(0, str(LAUNCH.parent))
    from setup_env import Checkout

    if not Checkout(ROOT).is_ready("launch"):
        pytest.skip("this environment was not made by packaging/launch")
    (tmp_path / "workbench").mkdir()
    (tmp_path / "workbench" / "__init__.py").write_text("raise SystemExit('the wrong package')")
    launch = LAUNCH
    if through_link:
        launch = tmp_path / "a link"
        launch.symlink_to(LAUNCH)
    done = subprocess.run([launch, "--version"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("workbench, version ")
