"""How fast the store is when it is full.

    python -m tests.benchmarks.store_speed [--json OUT] [--rows 100000]

Search over messages and pages of History are milliseconds on this machine (median and worst of the queries). Appending
is a ratio: a run added when the file has 100,000 of them against one added when it has 1,000.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.core.messages import Message
from workbench.core.runs import RunRecord
from workbench.store import RunFilter, Store, new_id, with_answer
from workbench.store.records import RUN_FIELDS, run_values, to_json

MESSAGES_PER_SESSION = 50
WORDS_PER_MESSAGE = 60
QUERIES = (
    "common",
    "word1",
    "word1 word2",
    "rare777",
    "wor",
    "co",
    '"common word12"',
    "nothing",
    "word4 rare5",
    "学习",
)
APPENDS = 400


def words(chance: random.Random) -> str:
    """Text like speech: some words are in every message, most are rare."""
    picked = [f"word{int(chance.paretovariate(0.7)) % 5000}" for _ in range(WORDS_PER_MESSAGE - 3)]
    return " ".join(
        ["common", *picked, f"rare{chance.randrange(100_000)}", "学习编程" if chance.random() < 0.01 else "end"]
    )


def grow(store: Store, start: int, stop: int, chance: random.Random) -> None:
    """Sessions with messages, and a run for every second message."""

    def write(db: sqlite3.Connection, first: int) -> None:
        session = new_id()
        day = f"2024-{1 + first // 9000 % 12:02}-{1 + first // 300 % 28:02}T00:00:00.000+00:00"
        db.execute(
            "INSERT INTO sessions (id, title, folder, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
            [session, f"Session {first}", f"folder {first % 7}", day, day],
        )
        parent = None
        for number in range(first, min(first + MESSAGES_PER_SESSION, stop)):
            id_, text = new_id(), words(chance)
            role = "assistant" if number % 2 else "user"
            db.execute(
                "INSERT INTO messages (id, session_id, parent_id, role, created_at, text, parts) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                [id_, session, parent, role, day, text, to_json(Message.of("user", text).parts)],
            )
            parent = id_
            for _ in range(2 if number % 2 else 0):
                _insert_run(db, session, id_, number, day, text, chance)

    for first in range(start, stop, MESSAGES_PER_SESSION):
        store._submit(lambda db, first=first: write(db, first))
    store._write(lambda db: None)


def _insert_run(
    db: sqlite3.Connection, session: str, message: str, number: int, day: str, text: str, chance: random.Random
) -> None:
    run = RunRecord(
        id=new_id(),
        session_id=session,
        message_id=message,
        model=f"provider{number % 5}:model-{number % 11}",
        provider=f"provider{number % 5}",
        remote=number % 5 > 1,
        status="done" if number % 20 else "failed",
        text=text,
        rendered_prompt=text * 3,
        prompt_tokens=chance.randrange(5000),
        completion_tokens=chance.randrange(2000),
        cost_usd=chance.random() if number % 3 else None,
        decode_tokens_per_s=chance.random() * 100,
        started_at=day,
    )
    names = ", ".join(RUN_FIELDS)
    db.execute(f"INSERT INTO runs ({names}) VALUES ({', '.join('?' * len(RUN_FIELDS))})", run_values(run))


def timed(action: Callable[[], Any], repeats: int = 5) -> float:
    """Median milliseconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def append(store: Store, session_id: str, parent: str | None) -> tuple[float, str]:
    """Milliseconds for all that one answer writes: prompt, run, one partial save, final row and message."""
    start = time.perf_counter()
    run = RunRecord(id=new_id(), session_id="", model="starter", started_at="2025-01-01T00:00:00.000+00:00")
    _, answer = store.start_exchange(session_id, parent, Message.of("user", "common word1 question"), run)
    run.text, run.status = "an answer of some words", "done"
    store.save_partial(run)
    store.finish_run(run, with_answer(answer.message, run))
    return (time.perf_counter() - start) * 1000, answer.id


def append_ms(*stores: Store) -> list[float]:
    """Median for each of the stores, which take turns so that a busy machine is busy for all."""
    sessions = [store.create_session(title="append").id for store in stores]
    parents: list[str | None] = [None] * len(stores)
    times: list[list[float]] = [[] for _ in stores]
    for _ in range(APPENDS):
        for index, store in enumerate(stores):
            taken, parents[index] = append(store, sessions[index], parents[index])
            times[index].append(taken)
    return [statistics.median(series) for series in times]


def measure(rows: int) -> dict[str, Any]:
    chance = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        path, small_path = Path(folder) / "large.db", Path(folder) / "small.db"
        with Store.open(path) as store, Store.open(small_path) as small:
            grow(small, 0, 1000, random.Random(1))
            grow(store, 0, rows, chance)
            append_small, append_large = append_ms(small, store)
        # Opened again: closing has gathered statistics, by which SQLite may choose other ways.
        with Store.open(path) as store:
            search = {query: timed(lambda q=query: store.search(q)) for query in QUERIES}
            session_search = {query: timed(lambda q=query: store.sessions(q)) for query in QUERIES}
            pages = {name: timed(action) for name, action in history(store).items()}
            some_session = store.sessions()[-1].id
            return {
                "messages": store.sizes().messages,
                "runs": store.sizes().runs,
                "database_mb": round(store.sizes().database / 1e6),
                "append_ms_at_1000": append_small,
                "append_ms_full": append_large,
                "append_ratio": append_large / append_small,
                "search_ms": search,
                "session_search_ms": session_search,
                "history_ms": pages,
                "sessions_list_ms": timed(store.sessions),
                "open_session_ms": timed(lambda: store.messages(some_session)),
                "reopen_ms": timed(lambda: Store.open(path).close(), repeats=3),
            }


def history(store: Store) -> dict[str, Callable[[], Any]]:
    local = RunFilter(remote=False, models=("provider1:model-3", "provider0:model-5"))
    return {
        "newest": store.run_rows,
        "page 500": lambda: store.run_rows(offset=50_000),
        "by cost": lambda: store.run_rows(sort="cost_usd"),
        "by speed, rising": lambda: store.run_rows(sort="decode_tokens_per_s", descending=False),
        "by model": lambda: store.run_rows(sort="model"),
        "two models, by tokens": lambda: store.run_rows(local, sort="completion_tokens"),
        "failed": lambda: store.run_rows(RunFilter(statuses=("failed",))),
        "failed, by cost": lambda: store.run_rows(RunFilter(statuses=("failed",)), sort="cost_usd"),
        "one month": lambda: store.run_rows(RunFilter(since="2024-03", until="2024-04"), sort="cost_usd"),
        "text, rare": lambda: store.run_rows(RunFilter(text="rare777")),
        "text, in all": lambda: store.run_rows(RunFilter(text="common")),
        "text, by cost": lambda: store.run_rows(RunFilter(text="common word1"), sort="cost_usd"),
        "voted": lambda: store.run_rows(RunFilter(voted=True)),
        "not voted, by cost": lambda: store.run_rows(RunFilter(voted=False), sort="cost_usd"),
        "count": store.count_runs,
        "models": store.run_models,
        "ledger": store.ledger,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    arguments = parser.parse_args()
    results = measure(arguments.rows)
    for name, value in results.items():
        if isinstance(value, dict):
            print(f"{name}: at most {max(value.values()):.1f}")
            for key, number in value.items():
                print(f"    {key:24} {number:8.2f}")
        else:
            print(f"{name:24} {value:.2f}" if isinstance(value, float) else f"{name:24} {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
