"""Six columns at once in the real window: two local ones on one model, four services at 100 tokens a second each.

    python -m tests.benchmarks.ui_compare [--seconds 60] [--json OUT] [--no-local]

Frame times are CPU time of the UI thread for each turn of the event loop that drains a column, so that other work on
the machine does not count. Every text is compared with what the doubles sent.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtWidgets import QApplication

from tests.benchmarks.ui_transcript import answer, quantile, tokens_of
from tests.providers.doubles import CHAT, Double, Script
from workbench.app.main import Program, make_app
from workbench.core.chat_options import ChatOptions
from workbench.core.paths import Paths
from workbench.core.requests import Sampling
from workbench.ui.compare.columns import Column

GOAL_P99_MS = 16.0
SERVICES = 4
TOKENS_PER_S = 100
LOCAL_TOKENS_PER_S = 60
"""How long the local answers may get: about as long as the services need."""


def texts(seconds: float) -> list[list[str]]:
    """What each double says, token by token."""
    count = int(seconds * TOKENS_PER_S)
    return [tokens_of(answer(1 + number, count * 6))[:count] for number in range(SERVICES)]


def settings(doubles: list[Double]) -> dict[str, Any]:
    providers = {
        f"double{number}": {
            "kind": "openai",
            "base_url": f"{double.url}{CHAT.path}",
            "models": ["m"],
            "options": {"api": "chat"},
        }
        for number, double in enumerate(doubles)
    }
    return {"providers": providers, "engine": {"load": {"n_ctx": 8192}}}


class Loop:
    """Turns of the event loop that cost UI time."""

    def __init__(self, app: QApplication) -> None:
        self._app = app
        self.cpu_ms: list[float] = []

    def until(self, condition: Any, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while not condition():
            start = time.thread_time()
            self._app.processEvents()
            spent = (time.thread_time() - start) * 1e3
            if spent > 0.2:  # an empty turn is no frame
                self.cpu_ms.append(spent)
            time.sleep(0.001)
            if time.monotonic() > deadline:
                return False
        return True


def columns(local: bool, limit: int) -> list[Column]:
    made = [Column(key=f"r{number}", model=f"double{number}:m") for number in range(SERVICES)]
    if local:
        for number in range(2):
            options = ChatOptions(sampling=Sampling(temperature=0.5 + number, seed=1, max_tokens=limit))
            made.append(Column(key=f"l{number}", model="starter", options=options))
    return made


def run(seconds: float, local: bool) -> dict[str, Any]:
    said = texts(seconds)
    scripts = [Script(frames=CHAT.frames(*tokens), delay_s=1 / TOKENS_PER_S) for tokens in said]
    doubles = [Double(script).__enter__() for script in scripts]
    with tempfile.TemporaryDirectory() as home:
        os.environ["WORKBENCH_HOME"] = home
        os.environ["HF_HOME"] = f"{home}/hf"
        os.environ.setdefault("OPENAI_API_KEY", "unused")
        (Path(home) / "settings.json").write_text(json.dumps(settings(doubles)))
        app = make_app(["benchmark"])
        program = Program(app, Paths.of_user(), [])
        program.window.resize(1920, 1000)
        program.start()
        loop = Loop(app)
        loop.until(lambda: program.slot.value is not None and program.jobs.pending == 0, 60)
        page: Any = program.window.show_place("compare")
        loop.until(lambda: page.state.models and program.jobs.pending == 0, 60)
        page.state.set_columns(columns(local, int(seconds * LOCAL_TOKENS_PER_S)))
        loop.until(lambda: program.jobs.pending == 0, 5)
        page.composer.set_text("Explain in great detail how local inference works, with many headings and lists.")
        page.composer.submit()
        loop.until(lambda: page.state.turns, 60)
        loop.cpu_ms.clear()
        begun, cpu = time.monotonic(), time.thread_time()
        complete = loop.until(lambda: page.state.last_turn.done and not page.state.active, seconds * 6 + 120)
        wall, used = time.monotonic() - begun, time.thread_time() - cpu
        loop.until(lambda: program.jobs.pending == 0, 10)
        result = judge(page, said, loop.cpu_ms) | {
            "complete": complete,
            "seconds": round(wall, 1),
            "ui_load_percent": round(100 * used / wall, 1),
        }
        program.close()
    for double in doubles:
        double.__exit__()
    return result


def judge(page: Any, said: list[list[str]], frames: list[float]) -> dict[str, Any]:
    wrong = []
    tokens = 0
    for number, pieces in enumerate(said):
        record = page.state.last_turn.cells[f"r{number}"].answer.record
        shown = page.board.panels[f"r{number}"].view.items[-1].text
        tokens += len(pieces)
        if record.text != "".join(pieces) or shown != record.text:
            wrong.append(
                {"column": number, "got": len(record.text), "sent": len("".join(pieces)), "error": record.error}
            )
    local = [cell.answer.record for key, cell in page.state.last_turn.cells.items() if key.startswith("l")]
    return {
        "frames": len(frames),
        "p50_ms": round(quantile(frames, 0.5), 2),
        "p95_ms": round(quantile(frames, 0.95), 2),
        "p99_ms": round(quantile(frames, 0.99), 2),
        "max_ms": round(max(frames), 2),
        "remote_tokens": tokens,
        "local_tokens": [record.completion_tokens for record in local],
        "columns_with_lost_or_reordered_text": wrong,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--no-local", action="store_true")
    arguments = parser.parse_args()
    result = run(arguments.seconds, not arguments.no_local)
    text = json.dumps(result, indent=2, default=str)
    print(text)
    if arguments.json:
        arguments.json.write_text(text)
    good = result["complete"] and not result["columns_with_lost_or_reordered_text"]
    return 0 if good and result["p99_ms"] < GOAL_P99_MS else 1


if __name__ == "__main__":
    sys.exit(main())
