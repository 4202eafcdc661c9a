"""The program is killed while it streams, again and again on the same databases. Nothing that counts is lost."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from workbench.store import RunFilter, Store

KILLS = 100
DATABASES = 4
"""Each is used and killed over and over; they run side by side."""
LONGEST_LOSS_S = 1.5
"""Saves are 0.8 s apart on a timer of 0.1 s; the rest is for a machine that is busy."""


class Victim:
    def __init__(self, database: Path, seed: int) -> None:
        self.database = database
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.services.kill_victim", str(database), str(seed)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.killed_at = 0.0

    def kill_after(self, delay_s: float) -> None:
        """Kill it so long after its first prompt was sent."""
        assert self.process.stdout is not None and self.process.stderr is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if line.startswith("sent"):
                break
        killer = threading.Timer(delay_s, self._kill)
        killer.start()
        self.lines += self.process.stdout
        killer.join()
        assert self.process.wait() == -9, self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()

    def _kill(self) -> None:
        self.killed_at = time.monotonic()
        self.process.kill()

    @property
    def sent(self) -> dict[str, str]:
        """Prompt by run."""
        rows = (line.split() for line in self.lines if line.startswith("sent ") and line.endswith("\n"))
        return {run: prompt for _, run, prompt in rows}

    def received(self, run_id: str) -> list[tuple[float, int]]:
        """(seconds, characters) that the victim's reader had seen of a run."""
        rows = (line.split() for line in self.lines if line.startswith("got ") and line.endswith("\n"))
        return [(float(at), int(count)) for _, run, count, at in rows if run == run_id]


@pytest.mark.slow
def test_killed_a_hundred_times_while_streaming(tmp_path: Path) -> None:
    chance = random.Random(20240601)
    delays = [[chance.uniform(0.0, 2.2) for _ in range(KILLS // DATABASES)] for _ in range(DATABASES)]
    losses: list[float] = []
    failures: list[BaseException] = []

    def kill_again_and_again(number: int) -> None:
        database = tmp_path / f"{number}" / "workbench.db"
        try:
            for round_, delay in enumerate(delays[number]):
                victim = Victim(database, seed=number * 1000 + round_)
                victim.kill_after(delay)
                losses.extend(_judge(victim))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=kill_again_and_again, args=(number,)) for number in range(DATABASES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    print(f"{KILLS} kills, {len(losses)} runs cut; text missing: at most {max(losses):.2f} s")
    assert len(losses) >= KILLS
    assert max(losses) <= LONGEST_LOSS_S


def test_killed_while_it_makes_the_database(tmp_path: Path) -> None:
    chance = random.Random(7)
    for number in range(12):
        database = tmp_path / f"{number}.db"
        victim = Victim(database, seed=number)
        killer = threading.Timer(chance.uniform(0.1, 0.7), victim.process.kill)
        killer.start()
        victim.process.communicate()
        killer.join()
        with Store.open(database) as store:
            assert store.integrity() == []
            assert not store.read_only


def _judge(victim: Victim) -> list[float]:
    """Check the database the victim left. Returns for each run that was cut how many seconds of text are missing."""
    losses = []
    with Store.open(victim.database) as store:
        assert store.integrity() == []
        cut = 0
        for run_id, prompt in victim.sent.items():
            run = store.run(run_id)
            assert run is not None and run.message_id is not None, f"{prompt} is lost"
            answer = store.message(run.message_id)
            assert answer is not None and answer.parent_id is not None
            asked = store.message(answer.parent_id)
            assert asked is not None and asked.message.text == prompt
            assert run.status in ("interrupted", "done")
            assert answer.message.text == run.text
            _check_numbers(run.text)
            if run.status == "interrupted":
                cut += 1
                losses.append(_seconds_missing(victim, run_id, len(run.text)))
            else:
                assert run.finish_reason == "stop"
        assert store.interrupted_runs >= cut > 0
        assert store.count_runs(RunFilter(statuses=("running",))) == 0
    return losses


def _check_numbers(text: str) -> None:
    """The text is an unbroken beginning of what the model said."""
    count = text.count("<")
    assert text == "".join(f"<{number}>" for number in range(count))


def _seconds_missing(victim: Victim, run_id: str, stored: int) -> float:
    """How long before the kill the reader had already seen more than what is stored."""
    seen_more = [at for at, count in victim.received(run_id) if count > stored]
    return max(0.0, victim.killed_at - min(seen_more)) if seen_more else 0.0
