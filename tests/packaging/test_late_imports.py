"""What the program imports by name is known to the recipe of its bundle."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
if not PACKAGING.is_dir():
    pytest.skip("not a checkout", allow_module_level=True)
sys.path.insert(0, str(PACKAGING))

from late_imports import late_imports  # noqa: E402


def test_names_in_calls_and_tables_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "import importlib\n"
        "importlib.import_module('workbench.ui.help')\n"
        "importlib.import_module(name)\n"
        "importlib.import_module('PySide6.QtNetwork')\n"
        "PLACES = {'chat': 'workbench.ui.chat.page:ChatPage'}\n"
        "TEXT = 'see workbench.ui.tr and workbench.services'\n"
    )
    assert late_imports([tmp_path]) == {"workbench.ui.help", "PySide6.QtNetwork", "workbench.ui.chat.page"}


def test_every_name_is_a_module() -> None:
    names = late_imports()
    assert len(names) > 40
    assert "workbench.ui.compare.page" in names
    assert "workbench.cli.run" in names
    missing = [name for name in sorted(names) if not _exists(name)]
    assert missing == []


def _exists(name: str) -> bool:
    """Looked for as a file: importing the window's packages would need Qt."""
    package, *rest = name.split(".")
    if package != "workbench":
        return importlib.util.find_spec(package) is not None
    path = (ROOT / "workbench").joinpath(*rest)
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def test_the_recipe_takes_them_and_the_bundle_is_asked_for_them() -> None:
    spec = (PACKAGING / "workbench.spec").read_text(encoding="utf-8")
    assert re.search(r"hiddenimports = \[[^]]*\*late_imports\(", spec)
    build = (PACKAGING / "linux" / "build").read_text(encoding="utf-8")
    assert "WORKBENCH_LATE_IMPORTS=" in build and "self_test.py" in build


def test_one_name_a_line_is_printed() -> None:
    done = subprocess.run([sys.executable, PACKAGING / "late_imports.py"], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == late_imports()
