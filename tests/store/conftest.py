from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.core.runs import RunRecord
from workbench.store import Store, new_id, now


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "data" / "workbench.db"


@pytest.fixture
def store(database: Path) -> Iterator[Store]:
    with Store.open(database) as opened:
        yield opened


def record(session_id: str = "", **values: object) -> RunRecord:
    """A run record with what the test does not care about filled in."""
    given: dict[str, object] = {"id": new_id(), "session_id": session_id, "model": "starter", "started_at": now()}
    return RunRecord(**{**given, **values})  # type: ignore[arg-type]
