"""The window with a filled history, opened at its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.ui.driver import Driver
from workbench.core.messages import Message
from workbench.core.runs import RunRecord
from workbench.store import Comparison, Store, Vote, with_answer

SAMPLES = (
    # id, model, remote, status, tokens, cost, day, prompt, answer
    ("run-a", "local:small", False, "done", 30, None, 1, "Why is the sky blue?", "Because of scattering."),
    ("run-b", "openai:big", True, "done", 120, 0.02, 2, "Write a haiku", "Autumn leaves fall"),
    ("run-c", "openai:big", True, "failed", 0, None, 3, "Translate the notes", ""),
    ("run-d", "local:small", False, "done", 500, None, 4, "Explain gravity", "Mass bends spacetime"),
)


def add_run(store: Store, sample: tuple[Any, ...], *, session_id: str = "", **fields: Any) -> RunRecord:
    id_, model, remote, status, tokens, cost, day, prompt, answer = sample
    session_id = session_id or store.create_session(title=prompt).id
    asked = store.add_message(session_id, None, Message.of("user", prompt))
    run = RunRecord(
        id=id_,
        session_id=session_id,
        model=model,
        model_name=model.partition(":")[2],
        provider=model.partition(":")[0],
        remote=remote,
        status=status,
        text=answer,
        finish_reason="stop" if status == "done" else status,
        completion_tokens=tokens,
        cost_usd=cost,
        sampling={"temperature": 0.5},
        started_at=f"2026-03-0{day}T12:00:00.000+00:00",
        **fields,
    )
    _, message = store.start_exchange(session_id, asked.id, None, run)
    store.finish_run(run, with_answer(message.message, run))
    return run


def fill(store: Store) -> None:
    for sample in SAMPLES:
        add_run(store, sample)
    session = store.create_session("comparison", "Side by side")
    comparison = store.add_comparison(Comparison(session_id=session.id, columns=[{"model": "a"}, {"model": "b"}]))
    asked = store.add_message(session.id, None, Message.of("user", "Compare us"))
    for column, model in enumerate(("local:small", "openai:big")):
        run = RunRecord(
            id=f"run-{column}",
            session_id=session.id,
            comparison_id=comparison.id,
            comparison_column=column,
            model=model,
            provider=model.partition(":")[0],
            remote=column == 1,
            status="done",
            text=f"Answer {column}",
            started_at=f"2026-03-05T12:00:0{column}.000+00:00",
        )
        _, message = store.start_exchange(session.id, asked.id, None, run)
        store.finish_run(run, with_answer(message.message, run))
    store.add_vote(Vote(comparison_id=comparison.id, verdict="better", winner_run_id="run-1"))


class History:
    """The place in the words of the tests."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        driver.window.show_place("history")
        self.page = driver.window.page("history")
        self.settle()

    @property
    def state(self) -> Any:
        return self.page.state

    def settle(self) -> None:
        self.driver.wait(lambda: not self.state.loading and self.driver.program.jobs.pending == 0)
        self.driver.wait(lambda: not self.page._detail_timer.isActive() and self.driver.program.jobs.pending == 0)

    def ids(self) -> list[str]:
        return list(self.state.ids)

    def cell(self, row: int, column: str) -> str:
        from workbench.ui.history.columns import COLUMNS

        place = next(place for place, item in enumerate(COLUMNS) if item.id == column)
        model = self.page.table.runs
        self.driver.wait(lambda: model.index(row, place).data() != "…")
        return str(model.index(row, place).data())

    def click_row(self, row: int, modifier: Any = None) -> None:
        from PySide6.QtCore import Qt

        table = self.page.table
        rect = table.visualRect(table.runs.index(row, 1))
        self.driver.qtbot.mouseClick(
            table.viewport(), Qt.MouseButton.LeftButton, modifier or Qt.KeyboardModifier.NoModifier, rect.center()
        )
        self.settle()

    def click_header(self, column: str) -> None:
        from PySide6.QtCore import QPoint, Qt

        from workbench.ui.history.columns import COLUMNS

        place = next(place for place, item in enumerate(COLUMNS) if item.id == column)
        header = self.page.table.horizontalHeader()
        position = QPoint(header.sectionViewportPosition(place) + 12, header.height() // 2)
        self.driver.qtbot.mouseClick(
            header.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, position
        )
        self.settle()

    def choose(self, chip: str, *titles: str) -> None:
        """Open a chip with a click and choose by clicking the rows."""
        from PySide6.QtCore import Qt

        self.driver.click(self.page.filters.chips[chip])
        popup = self.page.filters.popup(chip)
        self.driver.wait(popup.isVisible)
        model = popup.list.model()
        for title in titles:
            row = next(row for row in range(model.rowCount()) if model.index(row, 0).data().startswith(title))
            rect = popup.list.visualRect(model.index(row, 0))
            self.driver.qtbot.mouseClick(popup.list.viewport(), Qt.MouseButton.LeftButton, pos=rect.center())
        popup.hide()
        self.settle()


def compare_again(store: Store, turn: int, session_id: str) -> None:
    """A turn of a comparison: the first column answered twice, at length."""
    columns = [{"model": "fake:echo", "key": "a"}, {"model": "fake:remote", "key": "b"}]
    asked = store.add_message(session_id, None, Message.of("user", f"Prompt {turn}"))
    stored = store.add_comparison(Comparison(session_id=session_id, columns=columns, message_id=asked.id))
    for second, (column, run_id) in enumerate(((0, f"first-{turn}"), (0, f"again-{turn}"), (1, f"other-{turn}"))):
        run = RunRecord(
            id=run_id,
            session_id=session_id,
            comparison_id=stored.id,
            comparison_column=column,
            model=str(columns[column]["model"]),
            status="done",
            text=f"{run_id}\n\n" + "A line of its own.\n\n" * 20,
            started_at=f"2026-03-07T12:0{turn}:0{second}.000+00:00",
        )
        _, message = store.start_exchange(session_id, asked.id, None, run)
        store.finish_run(run, with_answer(message.message, run))


def ask_blindly(history: History) -> None:
    """A blind comparison of two models without a vote, its columns asked one after the other."""
    store = history.driver.store
    session = store.create_session("comparison", "Who is it?")
    columns = [{"model": "fake:echo", "key": "a"}, {"model": "fake:remote", "key": "b"}]
    turn = store.add_comparison(Comparison(session_id=session.id, columns=columns, blind=True))
    asked = store.add_message(session.id, None, Message.of("user", "Guess"))
    for place, model in enumerate(("fake:echo", "fake:remote")):
        run = RunRecord(
            id=f"blind-{place}",
            session_id=session.id,
            comparison_id=turn.id,
            comparison_column=place,
            model=model,
            model_name=model.partition(":")[2].title(),
            provider="fake",
            remote=place == 1,
            status="done",
            text=f"I am {place}",
            completion_tokens=1234,
            decode_tokens_per_s=77.7,
            cost_usd=0.5,
            duration_s=9.9,
            started_at=f"2026-03-06T12:00:0{place}.000+00:00",
        )
        _, message = store.start_exchange(session.id, asked.id, None, run)
        store.finish_run(run, with_answer(message.message, run))
    history.state.refresh()
    history.settle()


@pytest.fixture
def history(fake_models: None, start: Callable[[], Driver]) -> History:
    driver = start()
    driver.window.resize(1280, 800)
    fill(driver.store)
    return History(driver)
