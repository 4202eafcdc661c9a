"""What stands in a column's head and above its first token."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pytestqt.qtbot import QtBot

from workbench.core.models import ModelInfo
from workbench.core.runs import RunRecord
from workbench.services.run_buffer import Cursor, RunBuffer
from workbench.ui.compare.header import ColumnHeader, cost_text, where
from workbench.ui.compare.items import status_text
from workbench.ui.formats import exact_money


def test_a_retry_is_seen_until_the_first_token() -> None:
    buffer = RunBuffer()
    notice = "Trying again in 4.0 s (attempt 2 of 4): Groq limits how often it may be asked."
    buffer.add_notice(notice)
    delta = buffer.read(Cursor())
    assert delta.notices == (notice,)
    assert status_text(delta, [], delta.notices[-1]) == notice
    assert status_text(delta, []) == "Waiting for the model…"
    assert status_text(delta, ["Llama"], notice) == "Waits for Llama"
    buffer.add_text("Hi", 1.0)
    assert status_text(buffer.read(Cursor()), [], notice) == ""


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"provider": "openai", "provider_title": "OpenAI", "remote": True}, "OpenAI"),
        ({"provider": "my_server", "remote": True}, "My Server"),
        ({"provider": "lmstudio", "provider_title": "LM Studio"}, "local · LM Studio"),
        ({"provider": "local", "quantization": "Q4_K_M"}, "local · Q4_K_M"),
        ({"provider": "local"}, "local"),
    ],
)
def test_where_a_model_runs(fields: dict, told: str) -> None:
    assert where(ModelInfo(id="x", name="x", **fields)) == told


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"cost_usd": 0.0123}, lambda: exact_money(0.0123, 4)),
        ({"cost_usd": 0.00002}, lambda: f"<{exact_money(0.0001, 4)}"),  # never 0 for what costs something
        ({"cost_usd": None, "text": "Hi"}, "cost unknown"),
        ({"cost_usd": None, "status": "failed"}, ""),
        ({"cost_usd": None, "status": "failed", "text": "Half"}, "cost unknown"),
        ({"remote": False}, ""),
    ],
)
def test_what_an_answer_cost(fields: dict, told: str | Callable[[], str]) -> None:
    known = {"remote": True, "status": "done", **fields}
    record = RunRecord(id="r", session_id="s", model="m", started_at="2026-01-01", **known)
    assert cost_text(record) == (told if isinstance(told, str) else told())


def test_of_a_model_that_is_gone_the_record_tells_where_it_ran(qtbot: QtBot) -> None:
    header = ColumnHeader("k")
    qtbot.addWidget(header)
    there, here = (
        RunRecord(id="r", session_id="s", started_at="", model="old", provider=provider, remote=provider == "openai")
        for provider in ("openai", "local")
    )
    header.show_model("old", None, "", "old")
    header.show_record(there)
    assert header.badge.text() == "openai"
    assert not header.badge.isHidden()
    header.show_record(here)
    assert header.badge.text() == "local"
    header.show_model("new", ModelInfo(id="x:new", name="new", provider="x", remote=True), "", "new")
    header.show_record(there)
    assert header.badge.text() == "X"
