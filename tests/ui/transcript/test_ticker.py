from __future__ import annotations

from pytestqt.qtbot import QtBot

from workbench.ui.transcript import StreamTicker


def test_it_runs_only_while_there_is_something_to_do(qtbot: QtBot) -> None:
    ticker = StreamTicker()
    calls: list[str] = []

    def sink() -> bool:
        calls.append("a")
        return len(calls) < 3

    assert not ticker.running
    ticker.add(sink)
    ticker.add(sink)
    qtbot.waitUntil(lambda: not ticker.running)
    assert calls == ["a"] * 3


def test_the_sinks_take_turns(qtbot: QtBot) -> None:
    ticker = StreamTicker()
    calls: list[int] = []

    def make(number: int) -> object:
        def sink() -> bool:
            calls.append(number)
            return True

        return sink

    sinks = [make(number) for number in range(3)]
    for sink in sinks:
        ticker.add(sink)  # type: ignore[arg-type]
    qtbot.waitUntil(lambda: len(calls) >= 9)
    for sink in sinks:
        ticker.remove(sink)  # type: ignore[arg-type]
    assert not ticker.running
    assert all(calls[i] != calls[i + 1] for i in range(8))
    assert set(calls[:3]) == {0, 1, 2}
    ticker.remove(sinks[0])  # type: ignore[arg-type]
