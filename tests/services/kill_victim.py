"""A program that is killed: several sessions stream at once into a database.

    python -m tests.services.kill_victim DATABASE SEED

Prints a line for each fact, at once: `sent RUN PROMPT` when `start` has returned, and `got RUN COUNT TIME` for what
the reader of the run's buffer has seen, TIME in seconds of the monotonic clock all processes share.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from workbench.core.cancel import CancelToken
from workbench.core.events import Finished, StreamEvent, TextDelta
from workbench.core.messages import Message
from workbench.core.models import ModelInfo
from workbench.core.requests import ChatRequest
from workbench.services.run_buffer import Cursor
from workbench.services.runner import Run, Runner
from workbench.store import Store

SESSIONS = 3


class NumberedModel:
    """Streams `<0><1><2>…`, about 300 a second, 150 to 900 of them."""

    info = ModelInfo(id="numbers", name="Numbers", provider="test")

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def stream(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        for number in range(self._random.randint(150, 900)):
            if cancel.cancelled:
                yield Finished(reason="cancelled")
                return
            yield TextDelta(f"<{number}>")
            time.sleep(0.003)
        yield Finished(reason="stop")


def say(line: str) -> None:
    """One write for each line: the kernel has it whole, whatever happens to this process next."""
    os.write(1, f"{line}\n".encode())


def chat(store: Store, runner: Runner, seed: int) -> None:
    model = NumberedModel(seed)
    session = store.create_session()
    parent = None
    for turn in range(1000):
        prompt = f"prompt-{os.getpid()}-{seed}-{turn}"
        request = ChatRequest(messages=(Message.of("user", prompt),))
        run = runner.start(
            model, request, session_id=session.id, parent_id=parent, user=Message.of("user", prompt), title=prompt
        )
        say(f"sent {run.id} {prompt}")
        watch(run)
        parent = run.assistant_message.id if run.assistant_message else None


def watch(run: Run) -> None:
    cursor, count = Cursor(), 0
    while not run.wait(0.02):
        delta = run.buffer.read(cursor)
        cursor, count = delta.cursor, count + len(delta.text)
        if delta.changed:
            say(f"got {run.id} {count} {time.monotonic():.4f}")


def main() -> None:
    store = Store.open(Path(sys.argv[1]))
    runner = Runner(store)
    seed = int(sys.argv[2])
    say(f"opened {store.interrupted_runs}")
    for number in range(SESSIONS):
        threading.Thread(target=chat, args=(store, runner, seed * 100 + number), daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
