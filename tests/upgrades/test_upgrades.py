"""What earlier commits' programs left on a user's disk, opened by the present one: nothing is missing.

The homes were filled by those commits' own code: record.py. `a23627e-chats` is from before the conditions of runs were
kept and has chats only, `2a251ea-all-places` has comparisons and evaluations too.
"""

from __future__ import annotations

import json
import lzma
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.ui.compare.driver import CompareDriver
from tests.ui.driver import Driver
from tests.upgrades.fill_home import PLUGIN
from tests.upgrades.record import DATABASE, HOMES
from workbench.core.paths import Paths
from workbench.core.settings import SettingsFile
from workbench.store import Store, schema

NAMES = sorted(folder.name for folder in HOMES.iterdir())
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(params=NAMES)
def old_home(request: pytest.FixtureRequest, home: Path) -> Path:
    """An earlier commit's files, where the program looks for its own."""
    shutil.copytree(HOMES / request.param, home)
    (home / "workbench.db").write_bytes(lzma.decompress((home / DATABASE).read_bytes()))
    (home / DATABASE).unlink()
    (home / "plugins").mkdir()
    (home / "plugins" / "old_models.py").write_text(PLUGIN, encoding="utf-8")
    return home


def rows_of(path: Path) -> Rows:
    """All of the user's rows, by table."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        kept = [name for name in tables if "_fts" not in name and not name.startswith(("sqlite_", "_"))]
        return {name: [dict(row) for row in connection.execute(f"SELECT * FROM {name}")] for name in kept}


def lost(before: Rows, after: Rows) -> list[str]:
    """Rows of `before` that are not in `after` with the same values."""
    missing = []
    for table, rows in before.items():
        columns = list(rows[0]) if rows else []
        there = {tuple(row.get(column) for column in columns) for row in after.get(table, [])}
        missing += [f"{table}: {row}" for row in rows if tuple(row.values()) not in there]
    return missing


def test_two_earlier_commits_are_kept() -> None:
    assert len(NAMES) >= 2
    assert sum(path.stat().st_size for path in HOMES.rglob("*") if path.is_file()) < 200_000


def test_every_row_keeps_its_values(old_home: Path) -> None:
    database = Paths.of_user().database
    before = rows_of(database)
    assert len(before["runs"]) >= 5 and before["presets"] and before["attachments"], "the old home holds something"
    with Store.open(database, Paths.of_user().backups) as store:
        assert not store.read_only
        assert store.integrity() == []
        assert schema.pending([name for (name,) in _names(database)]) == []
    assert lost(before, rows_of(database)) == []


def test_a_lost_value_is_noticed(old_home: Path) -> None:
    """The test above can fail."""
    before = rows_of(Paths.of_user().database)
    changed = [before["runs"][0] | {"seed": -1}, *before["runs"][1:]]
    after = before | {"runs": changed, "messages": before["messages"][1:]}
    assert [line.partition(":")[0] for line in lost(before, after)] == ["messages", "runs"]


def test_a_backup_of_the_old_file_is_made_first(old_home: Path) -> None:
    paths = Paths.of_user()
    before = rows_of(paths.database)
    behind = schema.pending([name for (name,) in _names(paths.database)])
    Store.open(paths.database, paths.backups).close()
    copies = list(paths.backups.glob("*.db"))
    assert len(copies) == bool(behind)
    for copy in copies:
        assert rows_of(copy) == before


def test_every_setting_keeps_its_value(old_home: Path) -> None:
    path = Paths.of_user().settings
    before = json.loads(path.read_text(encoding="utf-8"))
    file = SettingsFile(path)
    assert file.problem == ""
    assert covers(msgspec.to_builtins(file.value), before)
    file.save(msgspec.structs.replace(file.value, default_model="starter"))
    after = json.loads(path.read_text(encoding="utf-8"))
    assert covers(after, before | {"default_model": "starter"}), "and after a save"


def covers(new: Any, old: Any) -> bool:
    """All of `old` is in `new`, which may have more keys."""
    if isinstance(old, dict):
        return isinstance(new, dict) and all(key in new and covers(new[key], old[key]) for key in old)
    return bool(list(new) == old if isinstance(old, list) else new == old)


def test_the_window_shows_what_was_there(old_home: Path, start: Callable[..., Driver]) -> None:
    before = rows_of(Paths.of_user().database)
    driver = start(wait=False)  # it opens in the place it was closed in
    window = driver.window
    assert driver.program.theme.tokens.dark
    assert window.place == "settings"
    driver.wait(lambda: driver.program.slot.value is not None)
    window.show_place("chat")
    driver.wait_ready()
    assert driver.composer.text == "A prompt I had not sent"
    assert driver.state.options is not None

    driver.wait(lambda: "Attention" in driver.page.sessions.titles())
    assert "Deleted" not in driver.page.sessions.titles()
    session = next(row for row in before["sessions"] if row["title"] == "Attention")
    driver.state.open_session(session["id"])
    driver.wait(lambda: len(driver.texts()) == 4)
    texts = driver.texts()
    assert texts[:2] == [("user", "What is attention?"), ("assistant", "Größe: WHAT IS ATTENTION?")]
    assert driver.composer.text == "And what of", "the draft of this chat"
    assert [preset.name for preset in driver.store.presets("chat")] == ["Precise"]

    driver.use("old:near")
    driver.composer.clear()
    driver.send("Goes on")
    assert driver.texts()[-1] == ("assistant", "Größe: GOES ON")


def test_history_comparisons_and_evaluations_are_there(old_home: Path, start: Callable[..., Driver]) -> None:
    before = rows_of(Paths.of_user().database)
    driver = start(wait=False)
    driver.wait(lambda: driver.program.slot.value is not None)
    history = driver.window.show_place("history")
    shown = {row["id"] for row in before["runs"] if not _deleted(before, row["session_id"])}
    driver.wait(lambda: set(history.state.ids) == shown)

    if before["comparisons"]:
        compare = CompareDriver(driver)
        (comparison,) = before["comparisons"]
        compare.page.open_session(comparison["session_id"])
        compare.wait(lambda: compare.state.turns)
        answer = ["Größe: WHICH IS LARGER, 9.9 OR 9.11?"]
        compare.wait(lambda: [compare.texts(place)[1:] for place in range(2)] == [answer, answer])
        assert compare.state.turns[0].vote.verdict == "better"
        compare.wait(lambda: compare.page.sessions.titles() == ["Which is larger, 9.9 or 9.11?"])
        assert [preset.name for preset in driver.store.presets("columns")] == ["Two"]

    evaluate = driver.window.show_place("evaluate")
    names = sorted(row["name"] for row in before["evaluations"])
    driver.wait(lambda: sorted(row.name for row in evaluate.state.evaluations) == names)
    driver.wait(lambda: driver.program.jobs.pending == 0)


def _deleted(rows: Rows, session_id: str | None) -> bool:
    return any(row["id"] == session_id and row["deleted_at"] for row in rows["sessions"])


def _names(path: Path) -> list[tuple[str]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return [(name,) for name in schema.applied(connection)]
