"""What was measured corrects what is predicted, and is kept for this machine."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.services.test_fit import machine, shape
from workbench.services import experience
from workbench.services.experience import Experience, Kind, measure_bandwidth
from workbench.services.fit import judge, kind_of


def test_experience_corrects_and_is_kept(tmp_path: Path) -> None:
    before, kind = judge(shape(), machine()), kind_of(shape())
    kept = Experience(tmp_path / "machine.json")
    for _ in range(3):
        kept.note("memory", kind, 1000, 1200)
        kept.note("speed", kind, 10, 5)
    again = Experience(tmp_path / "machine.json")
    after = judge(shape(), machine(), experience=again)
    assert after.ram_bytes == pytest.approx(before.ram_bytes * 1.2, rel=0.01)
    assert after.tokens_per_s == pytest.approx(before.tokens_per_s / 2, rel=0.01)
    assert again.observations("speed", kind) == 3
    (tmp_path / "machine.json").write_text("{")
    assert Experience(tmp_path / "machine.json").factor("memory", kind) == 1.0


def test_what_is_most_alike_counts_most() -> None:
    kept = Experience()
    mine = Kind(architecture="qwen3", quantization="Q4_K_M", weights_bytes=1)
    for _ in range(2):
        kept.note("speed", Kind(architecture="llama", quantization="Q8_0", weights_bytes=9), 1, 2.0)
        kept.note("speed", Kind(architecture="qwen3", quantization="Q8_0", weights_bytes=9), 1, 0.8)
        kept.note("speed", Kind(architecture="qwen3", quantization="Q4_K_M", weights_bytes=2), 1, 1.5)
        kept.note("speed", mine, 1, 1.2)
    assert kept.factor("speed", mine) == 1.2
    assert kept.factor("speed", Kind(architecture="qwen3", quantization="Q4_K_M", weights_bytes=3)) == 1.35
    assert kept.factor("speed", Kind(architecture="qwen3", quantization="F16")) == pytest.approx(1.2)
    assert kept.factor("speed", Kind(architecture="gemma3")) == pytest.approx(1.35), "the median of everything"
    assert kept.factor("memory", mine) == 1.0


def test_one_odd_run_does_not_turn_it_upside_down_and_one_model_does_not_outvote_all() -> None:
    kept, kind = Experience(), Kind(architecture="llama", weights_bytes=1)
    kept.note("speed", kind, 10, 1)
    assert kept.factor("speed", kind) > 0.6
    for _ in range(400):
        kept.note("speed", kind, 10, 10)
    assert kept.observations("speed", kind) == 15


def test_machines_that_share_a_folder_learn_for_themselves(tmp_path: Path) -> None:
    kind = Kind(architecture="llama")
    fast, slow = (Experience(tmp_path / "machine.json", machine=name) for name in ("fast", "slow"))
    for _ in range(2):
        fast.note("speed", kind, 10, 20)
        slow.note("speed", kind, 10, 5)
    assert Experience(tmp_path / "machine.json", machine="fast").factor("speed", kind) == 2.0
    assert Experience(tmp_path / "machine.json", machine="slow").factor("speed", kind) == 0.5


def test_two_windows_lose_nothing_of_each_other(tmp_path: Path) -> None:
    kind = Kind(architecture="llama")
    windows = [Experience(tmp_path / "machine.json") for _ in range(2)]

    def work(window: Experience) -> None:
        for _ in range(5):
            window.note("speed", kind, 10, 10)

    threads = [threading.Thread(target=work, args=(window,)) for window in windows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Experience(tmp_path / "machine.json").observations("speed", kind) == 10


def test_a_folder_that_cannot_be_written_costs_only_the_memory_of_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept, kind = Experience(tmp_path / "file" / "machine.json"), Kind(architecture="llama")
    for _ in range(2):
        kept.note("memory", kind, 10, 12)
    assert kept.factor("memory", kind) == 1.2


def test_bandwidth_is_the_best_of_some_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert measure_bandwidth() > 1e8
    measured = iter([10e9, 30e9, 20e9, 20e9, 20e9])
    monkeypatch.setattr(experience, "measure_bandwidth", lambda: next(measured))
    for expected in (10e9, 30e9, 30e9, 30e9, 30e9, 30e9):  # the sixth start measures nothing
        started = Experience(tmp_path / "machine.json")
        assert started.bandwidth() == started.bandwidth() == expected


def test_two_who_ask_for_the_bandwidth_at_once_both_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on, calls, heard = threading.Event(), threading.Event(), [], []

    def slowly() -> float:
        calls.append(1)
        begun.set()
        go_on.wait(5)
        return 7e9

    monkeypatch.setattr(experience, "measure_bandwidth", slowly)
    kept = Experience()
    threads = [threading.Thread(target=lambda: heard.append(kept.bandwidth())) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert begun.wait(5)
    go_on.set()
    for thread in threads:
        thread.join()
    assert (heard, calls) == ([7e9, 7e9], [1])
