"""Modules that the program names in strings and imports late: PyInstaller can't see them, so they are collected here.

    python packaging/late_imports.py [FOLDER …]      one name a line; by default of workbench/ and plugins/

Standard library only. workbench.spec puts them into the bundle, and the bundle imports them all (self_test.py).
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = (ROOT / "workbench", ROOT / "plugins")
OWN = re.compile(r"workbench(\.[a-z_0-9]+)+:[A-Za-z_]\w*")
"""`package.module:Name`, as tables of places and commands have it."""
CALLS = {"import_module", "__import__"}


def late_imports(folders: Iterable[Path] = FOLDERS) -> set[str]:
    """Names of modules, without what is asked of them."""
    found: set[str] = set()
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            found.update(_names(ast.parse(path.read_text(encoding="utf-8"))))
    return found


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node.func) in CALLS and node.args:
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield name.value
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and OWN.fullmatch(node.value):
            yield node.value.partition(":")[0]


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


if __name__ == "__main__":
    chosen = [Path(name) for name in sys.argv[1:]] or FOLDERS
    print("\n".join(sorted(late_imports(chosen))))
