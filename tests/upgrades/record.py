"""Records what an earlier commit's program leaves on a user's disk, as `homes/NAME/`.

    python -m tests.upgrades.record COMMIT NAME

The commit is taken out of git into a temporary folder, and its own code fills a home there (fill_home.py). Kept are the
settings, the window's state and the database, compressed; test_upgrades.py opens each with the present program.
"""

from __future__ import annotations

import lzma
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOMES = Path(__file__).parent / "homes"
PLAIN = ("settings.json", "ui-state.json")
DATABASE = "workbench.db.xz"


def record(commit: str, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree, home = Path(folder) / "tree", Path(folder) / "home"
        tree.mkdir()
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True)
        subprocess.run(["tar", "x", "-C", tree], input=archive.stdout, check=True)
        home.mkdir()
        environment = os.environ | {"PYTHONPATH": str(tree), "WORKBENCH_HOME": str(home), "HF_HOME": f"{folder}/hf"}
        subprocess.run(
            [sys.executable, Path(__file__).with_name("fill_home.py")], env=environment, cwd=home, check=True
        )
        keep(home, HOMES / name, str(home))


def keep(home: Path, target: Path, path: str) -> None:
    """Copy what matters; the temporary folder's path is in none of it."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in PLAIN:
        (target / name).write_text((home / name).read_text(encoding="utf-8").replace(path, "/home/user"), "utf-8")
    copy = home / "copy.db"
    with closing(sqlite3.connect(home / "workbench.db")) as connection:
        for table, column in _texts(connection):
            change = f"UPDATE {table} SET {column} = replace(replace({column}, ?, '/home/user'), ?, '/opt/workbench')"
            connection.execute(change, [path, sys.prefix])
        connection.commit()
        connection.execute("VACUUM INTO ?", [str(copy)])
    data = copy.read_bytes()
    if any(name.encode() in data for name in (path, str(ROOT), sys.prefix)):
        raise SystemExit("the database names a folder of this machine")
    (target / DATABASE).write_bytes(lzma.compress(data, preset=9))


def _texts(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Text columns, which may hold a path. Search indexes follow by their triggers."""
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return [
        (table, row[1])
        for table in tables
        if "_fts" not in table and not table.startswith(("sqlite_", "_"))
        for row in connection.execute(f"PRAGMA table_info({table})")
        if row[2].upper() == "TEXT"
    ]


if __name__ == "__main__":
    record(sys.argv[1], sys.argv[2])
