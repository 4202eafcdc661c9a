"""What may be imported where, and when. import-linter checks the layers; this checks what it can't see."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import workbench

PACKAGE = Path(workbench.__file__).parent
HEAVY = (
    "llama_cpp",
    "openai",
    "anthropic",
    "google.genai",
    "torch",
    "numpy",
    "scipy",
    "huggingface_hub",
    "keyring",
    "llm",
)
WITHOUT_QT = str(Path(__file__).with_name("without_qt"))


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize(
    ("module", "allowed"),
    [("PySide6", ("ui", "app")), ("shiboken6", ("ui", "app")), ("llama_cpp", ("engine/child",))],
)
def test_module_is_imported_only_where_it_may_be(module: str, allowed: tuple[str, ...]) -> None:
    found = [
        str(path.relative_to(PACKAGE))
        for path in sorted(PACKAGE.rglob("*.py"))
        if module in imports(path) and not path.relative_to(PACKAGE).as_posix().startswith(allowed)
    ]
    assert found == []


def modules_after(code: str, *, without_qt: bool = False) -> set[str]:
    """Names in sys.modules of a fresh Python that ran `code`."""
    script = f"{code}\nimport sys\nprint('modules:', *sys.modules)"
    path = f"import sys; sys.path.insert(0, {WITHOUT_QT!r})\n" if without_qt else ""
    done = subprocess.run([sys.executable, "-P", "-c", path + script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.partition("modules:")[2].split())


@pytest.mark.parametrize(
    "module",
    [
        "workbench.cli.main",
        "workbench.cli.run",
        "workbench.cli.models",
        "workbench.cli.log",
        "workbench.cli.doctor",
        "workbench.cli.hub",
    ],
)
def test_the_command_line_starts_lean_and_without_qt(module: str) -> None:
    loaded = modules_after(f"import {module}", without_qt=True)
    assert [name for name in HEAVY if name in loaded] == []
    assert "PySide6.QtCore" not in loaded


def test_version_loads_nothing_but_the_command_line() -> None:
    loaded = modules_after("from workbench.__main__ import main\nassert main(['--version']) == 0")
    ours = {name for name in loaded if name.startswith("workbench") and not name.startswith("workbench.core")}
    assert ours == {"workbench", "workbench.__main__", "workbench.cli", "workbench.cli.main"}
    assert loaded.isdisjoint({"sqlite3", "pluggy", "psutil", "PySide6"})


def test_shipped_plugins_load_lean() -> None:
    loaded = modules_after(
        "from workbench.plugins import PluginManager\nfrom workbench.core.paths import bundled\n"
        "manager = PluginManager(folders=[bundled('plugins')], entry_points=False)\nmanager.load()\n"
        "assert manager.loaded and not any(status.error for status in manager.loaded), manager.loaded\n"
        "manager.models(), manager.providers(), manager.exporters()",
        without_qt=True,
    )
    assert [name for name in HEAVY if name in loaded] == []


@pytest.mark.skipif(importlib.util.find_spec("workbench.app.main") is None, reason="there is no window yet")
def test_the_window_starts_lean() -> None:
    if WITHOUT_QT in sys.path:
        pytest.skip("this run is without Qt")
    loaded = modules_after("import workbench.app.main")
    assert [name for name in HEAVY if name in loaded] == []


def test_the_engine_child_is_reached_without_qt_or_the_command_line() -> None:
    """`--engine-worker` must not pay for what only the window or the command line needs."""
    loaded = modules_after(
        "import sys\nsys.argv = ['workbench', '--engine-worker']\nimport workbench.__main__", without_qt=True
    )
    assert {name for name in loaded if name.startswith("workbench")} == {"workbench", "workbench.__main__"}
