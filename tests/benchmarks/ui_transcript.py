"""How long the transcript keeps the UI thread: streaming panes above a long history, opening a long session.

    python -m tests.benchmarks.ui_transcript [--json OUT] [--panes 1 4] [--history 1000] [--seconds 20]

Frame times are CPU time of the UI thread, so that other work on the machine does not count; `wall` is beside them.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import psutil
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QApplication, QHBoxLayout, QWidget

from workbench.ui.markdown.formulas import MathRenderer
from workbench.ui.markdown.highlight import preload_lexers
from workbench.ui.transcript import TranscriptItem, TranscriptView
from workbench.ui.transcript.ticker import FRAMES_PER_SECOND

GOAL_P99_MS = 16.0
GOAL_OPEN_MS = 100.0
WORDS = [
    "the",
    "model",
    "cache",
    "attention",
    "layer",
    "quantised",
    "weights",
    "context",
    "window",
    "sampling",
    "temperature",
    "probability",
    "gradient",
    "batch",
    "throughput",
    "latency",
    "memory",
    "bandwidth",
    "because",
    "therefore",
    "however",
    "when",
    "each",
    "token",
    "decoder",
    "produces",
    "a",
    "distribution",
    "over",
    "vocabulary",
    "and",
    "we",
    "sample",
    "from",
    "it",
    "using",
    "nucleus",
    "filtering",
]
CODE = '''```python
class Sampler:
    """Top-k sampler with temperature."""

    def softmax(self, logits: list[float]) -> list[float]:
        highest = max(logits)  # numerical stability
        powers = [math.exp((x - highest) / self.temperature) for x in logits]
        total = sum(powers)
        return [power / total for power in powers]

    def __call__(self, logits: list[float], rng: Random) -> int:
        probabilities = self.softmax(logits)
        top = heapq.nlargest(self.top_k, range(len(probabilities)), probabilities.__getitem__)
        return rng.choices(top, [probabilities[i] for i in top])[0]
```

'''
MATH = "$$\\mathrm{softmax}\\left(\\frac{QK^{\\top}}{\\sqrt{d_k}}\\right)V$$\n\n"


@dataclass(frozen=True)
class Frames:
    panes: int
    frames: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    wall_p99_ms: float
    load_percent: float


def sentence(chooser: random.Random) -> str:
    words = [chooser.choice(WORDS) for _ in range(chooser.randint(9, 22))]
    place = chooser.randrange(len(words))
    match chooser.randrange(8):
        case 0:
            words[place] = f"`n_ctx={2 ** chooser.randint(9, 15)}`"
        case 1:
            words[place] = f"**{words[place]}**"
        case 2:
            words[place] = f"[{words[place]}](https://example.org/{words[place]})"
        case 3:
            words[place] = rf"$\alpha_{{{chooser.randint(1, 9)}}} = \frac{{1}}{{\sqrt{{d_k}}}}$"
    return " ".join(words).capitalize() + "."


def paragraph(chooser: random.Random, sentences: int = 4) -> str:
    return " ".join(sentence(chooser) for _ in range(sentences)) + "\n\n"


def table(chooser: random.Random, rows: int = 8) -> str:
    lines = ["| Quant | Bits | Size (GB) | Notes |", "|---|---:|---:|:---|"]
    lines += [f"| Q{i}_K | {i}.5 | {i * 1.1:.1f} | {' '.join(chooser.choices(WORDS, k=4))} |" for i in range(rows)]
    return "\n".join(lines) + "\n\n"


def bullets(chooser: random.Random, items: int = 7) -> str:
    return "".join(f"- {sentence(chooser)}\n  - {sentence(chooser)}\n" for _ in range(items)) + "\n"


def answer(seed: int, characters: int) -> str:
    chooser = random.Random(seed)
    parts = ["# How local inference works\n\n"]
    makers = (paragraph, lambda r: CODE, paragraph, table, bullets, lambda r: MATH, paragraph)
    while sum(map(len, parts)) < characters:
        parts.append(makers[len(parts) % len(makers)](chooser))
        parts.append("" if len(parts) % 6 else f"## Part {len(parts)}\n\n")
    return "".join(parts)


def history(count: int) -> list[TranscriptItem]:
    """About 100 tokens a message."""
    items = []
    for index in range(count):
        chooser = random.Random(index)
        text = paragraph(chooser, 2) if index % 2 == 0 else paragraph(chooser, 2) + bullets(chooser, 1)
        role = "user" if index % 2 == 0 else "assistant"
        items.append(TranscriptItem(key=f"h{index}", role=role, text=text, title="" if role == "user" else "Model"))  # type: ignore[arg-type]
    return items


def tokens_of(text: str) -> list[str]:
    return re.findall(r"\s?\w{1,6}|\s?[^\w\s]{1,3}|\s+", text)


def quantile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def stream(app: QApplication, math: MathRenderer, panes: int, past: int, seconds: float, rate: float) -> Frames:
    """Stream `panes` answers at `rate` tokens/s each, as fast as the frames can be made."""
    window = QWidget()
    window.resize(1760, 1000)
    layout = QHBoxLayout(window)
    views = [TranscriptView(math_renderer=math) for _ in range(panes)]
    texts = [tokens_of(answer(1 + number, int(seconds * rate * 5))) for number in range(panes)]
    for view in views:
        layout.addWidget(view)
        view.set_items(history(past))
        view.append_item(TranscriptItem(key="live", role="assistant", title="Model", streaming=True))
        view.begin_stream("live")
    window.show()
    for _ in range(10):
        app.processEvents()
    ticks = int(seconds * FRAMES_PER_SECOND * panes)
    positions = [0] * panes
    cpu, wall = [], []
    gc.collect()
    gc.freeze()
    for tick in range(ticks):
        number = tick % panes
        target = int((tick + 1) / panes / FRAMES_PER_SECOND * rate)
        wall_start, cpu_start = time.perf_counter(), time.thread_time()
        views[number].feed("live", "".join(texts[number][positions[number] : target]))
        views[number].flush()
        app.processEvents()
        cpu.append((time.thread_time() - cpu_start) * 1e3)
        wall.append((time.perf_counter() - wall_start) * 1e3)
        positions[number] = target
    window.close()
    window.deleteLater()
    app.processEvents()
    load = 100 * sum(cpu) / (seconds * 1e3)
    return Frames(
        panes,
        ticks,
        *(round(quantile(cpu, part), 2) for part in (0.5, 0.95, 0.99)),
        round(max(cpu), 2),
        round(quantile(wall, 0.99), 2),
        round(load, 1),
    )


def opening(app: QApplication, math: MathRenderer, count: int) -> dict[str, float]:
    """Median of several openings of a session of `count` messages, items to painted, milliseconds of CPU time."""
    items = history(count)
    view = TranscriptView(math_renderer=math)
    view.resize(900, 1000)
    view.show()
    app.processEvents()
    times = []
    for _ in range(5):
        view.set_items([])
        app.processEvents()
        start = time.thread_time()
        view.set_items(items)
        view.viewport().repaint()
        app.processEvents()
        times.append((time.thread_time() - start) * 1e3)
    view.close()
    return {
        "messages": count,
        "tokens": sum(len(tokens_of(item.text)) for item in items),
        "open_ms": round(quantile(times, 0.5), 1),
        "open_first_ms": round(times[0], 1),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the results to this file")
    parser.add_argument("--panes", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--history", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=30.0, help="length of the streamed answers")
    parser.add_argument("--rate", type=float, default=100.0, help="tokens/s of each pane")
    options = parser.parse_args(arguments)
    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    sys.setswitchinterval(0.0005)
    app.setStyle("Fusion")
    font = QFont()
    font.setFamilies(["Inter", "DejaVu Sans"])
    app.setFont(font)
    for _ in preload_lexers():
        pass
    process = psutil.Process()
    before = process.memory_info().rss
    math = MathRenderer()
    opened = opening(app, math, options.history)
    opened["rss_growth_mb"] = round((process.memory_info().rss - before) / 2**20, 1)
    frames = [stream(app, math, panes, options.history, options.seconds, options.rate) for panes in options.panes]
    math.close()
    rss = round(process.memory_info().rss / 2**20, 1)
    print(
        f"open {opened['messages']} messages ({opened['tokens']} tokens): {opened['open_ms']} ms (goal {GOAL_OPEN_MS})"
    )
    for row in frames:
        print(
            f"{row.panes} panes x {options.rate:.0f} tokens/s above {options.history} messages: UI thread "
            f"p50 {row.p50_ms} p95 {row.p95_ms} p99 {row.p99_ms} max {row.max_ms} ms (goal p99 {GOAL_P99_MS}), "
            f"load {row.load_percent} %"
        )
    print(f"memory of the process: {rss} MB")
    if options.json:
        result = {"opening": opened, "frames": [asdict(row) for row in frames], "rss_mb": rss}
        options.json.write_text(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
