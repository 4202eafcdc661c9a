"""Plugins from every source load through the same hooks, and a broken one stops nobody."""

from __future__ import annotations

import ast
import importlib.metadata
import sys
import types
from pathlib import Path

import click
import pytest

from workbench.core.errors import WorkbenchError
from workbench.core.paths import bundled
from workbench.hookspecs import Exporter, hookimpl
from workbench.plugins import PluginManager

GOOD = """
from workbench.hookspecs import Exporter, hookimpl

__version__ = "1.2"

@hookimpl
def workbench_exporters():
    return [Exporter("{name}", "Title", ".{name}", lambda sessions: ["text"])]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "plugins"
    path.mkdir()
    return path


def load(*folders: Path, disabled: tuple[str, ...] = (), entry_points: bool = False) -> PluginManager:
    manager = PluginManager(folders=list(folders), disabled=disabled, entry_points=entry_points)
    manager.load()
    return manager


def formats(manager: PluginManager) -> list[str]:
    return [exporter.format for exporter in manager.exporters()]


def test_files_and_packages_of_a_folder_are_plugins(folder: Path) -> None:
    (folder / "one.py").write_text(GOOD.format(name="one"))
    (folder / "two").mkdir()
    (folder / "two" / "__init__.py").write_text("from .inner import *\n")
    (folder / "two" / "inner.py").write_text(GOOD.format(name="two"))
    (folder / "_private.py").write_text("raise RuntimeError('must not be imported')")
    (folder / "notes.txt").write_text("no plugin")
    manager = load(folder)
    assert formats(manager) == ["one", "two"]
    assert [(status.name, status.version, status.error) for status in manager.loaded] == [
        ("one", "1.2", ""),
        ("two", "", ""),
    ]
    assert manager.loaded[0].source == str(folder / "one.py")


def test_a_plugin_cannot_shadow_a_real_module(folder: Path) -> None:
    (folder / "json.py").write_text(GOOD.format(name="j"))
    manager = load(folder)
    import json

    assert formats(manager) == ["j"]
    assert json.loads("1") == 1
    assert "workbench_plugins.json" in sys.modules


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import does_not_exist_anywhere", "ModuleNotFoundError"),
        ("def broken(:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit"),
        (
            "from workbench.hookspecs import hookimpl\n@hookimpl\ndef workbench_unheard_of(): ...",
            "workbench_unheard_of",
        ),
        ("from workbench.hookspecs import hookimpl\n@hookimpl\ndef workbench_models(wrong): ...", "wrong"),
        ("raise RuntimeError('sk-abcdefghijklmnopqrstuv')", "RuntimeError: [redacted]"),
    ],
)
def test_a_plugin_that_fails_to_load_is_reported_and_the_others_work(folder: Path, source: str, message: str) -> None:
    (folder / "bad.py").write_text(source)
    (folder / "good.py").write_text(GOOD.format(name="good"))
    manager = load(folder)
    bad, good = manager.loaded
    assert bad.name == "bad"
    assert message in bad.error
    assert good.error == ""
    assert formats(manager) == ["good"]


def test_a_hook_that_raises_or_answers_nonsense_is_reported_and_the_others_are_asked(folder: Path) -> None:
    header = "from workbench.hookspecs import hookimpl\n@hookimpl\ndef workbench_exporters():\n"
    (folder / "a_raises.py").write_text(header + "    raise ValueError('no')\n")
    (folder / "b_nonsense.py").write_text(header + "    return 7\n")
    (folder / "c_nothing.py").write_text(header + "    return None\n")
    (folder / "d_good.py").write_text(GOOD.format(name="good"))
    manager = load(folder)
    assert formats(manager) == ["good"]
    errors = {status.name: status.error for status in manager.loaded}
    assert errors["a_raises"] == "workbench_exporters: ValueError: no"
    assert "int" in errors["b_nonsense"]
    assert errors["c_nothing"] == errors["d_good"] == ""


def test_plugins_can_be_switched_off(folder: Path) -> None:
    (folder / "off.py").write_text("raise RuntimeError('must not be imported')")
    (folder / "on.py").write_text(GOOD.format(name="on"))
    manager = load(folder, disabled=("off",))
    assert [(status.name, status.enabled, status.error) for status in manager.loaded] == [
        ("off", False, ""),
        ("on", True, ""),
    ]
    assert formats(manager) == ["on"]


def test_the_first_of_two_plugins_with_one_name_wins_and_the_second_is_reported(tmp_path: Path) -> None:
    for place in ("shipped", "user"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "same.py").write_text(GOOD.format(name=place))
    manager = load(tmp_path / "shipped", tmp_path / "user")
    assert formats(manager) == ["shipped"]
    assert "taken" in manager.loaded[1].error


def test_entry_points_load_and_their_failures_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("entry_point_plugin")
    module.__dict__["hookimpl"] = hookimpl
    exec(GOOD.format(name="packaged"), module.__dict__)
    monkeypatch.setitem(sys.modules, "entry_point_plugin", module)
    entries = [
        importlib.metadata.EntryPoint("packaged", "entry_point_plugin", "workbench"),
        importlib.metadata.EntryPoint("missing", "no_such_module_at_all", "workbench"),
    ]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: entries if group == "workbench" else [])
    manager = load(entry_points=True)
    assert formats(manager) == ["packaged"]
    assert [bool(status.error) for status in manager.loaded] == [False, True]


def test_objects_can_be_registered(folder: Path) -> None:
    class Plugin:
        @hookimpl
        def workbench_exporters(self) -> list[Exporter]:
            return [Exporter("object", "Object", ".o", lambda sessions: [])]

        @hookimpl
        def workbench_prices(self) -> dict[str, dict[str, float]]:
            return {"openai:x": {"input": 1.0}}

        @hookimpl
        def workbench_commands(self, cli: click.Group) -> None:
            cli.add_command(click.Command("extra"))

    manager = load()
    manager.register(Plugin(), "object")
    group = click.Group()
    manager.add_commands(group)
    assert formats(manager) == ["object"]
    assert manager.prices() == {"openai:x": {"input": 1.0}}
    assert "extra" in group.commands
    with pytest.raises(WorkbenchError, match="already"):
        manager.register(Plugin(), "object")


def test_tools_are_offered(folder: Path) -> None:
    (folder / "weather.py").write_text(
        "from workbench.core.requests import Tool\nfrom workbench.hookspecs import hookimpl\n@hookimpl\n"
        "def workbench_tools():\n    return [Tool(name='weather', parameters={'type': 'object'})]"
    )
    assert [tool.name for tool in load(folder).tools()] == ["weather"]


def test_a_missing_folder_is_no_error(tmp_path: Path) -> None:
    assert load(tmp_path / "nowhere").loaded == []


def test_the_shipped_plugins_load() -> None:
    manager = load(bundled("plugins"))
    for collect in (manager.providers, manager.models, manager.graders, manager.exporters, manager.importers):
        collect()
    assert manager.loaded, "no plugin is shipped"
    assert {status.name: status.error for status in manager.loaded if status.error} == {}


def test_shipped_plugins_import_public_modules_only() -> None:
    """They are examples for others: core, hookspecs and the HTTP helpers in providers, nothing else of ours."""
    allowed = {"core", "hookspecs", "providers"}
    wrong = [
        f"{path.name}: {name}"
        for path in sorted(bundled("plugins").rglob("*.py"))
        for name in imported_modules(path)
        if name.split(".")[0] in {"PySide6", "llama_cpp"}
        or (name.split(".")[0] == "workbench" and [*name.split("."), ""][1] not in allowed)
    ]
    assert wrong == []


def imported_modules(path: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names
