"""The History place in its states."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from workbench.app.main import Program
from workbench.core.errors import ErrorInfo
from workbench.core.messages import Message
from workbench.core.runs import RunRecord
from workbench.store import Comparison, Rating, Store, Vote, new_id, with_answer

Wait = Callable[[Callable[[], object]], None]
MODELS = (
    ("local:Qwen3-8B-Q4_K_M", "Qwen3 8B", "local", False),
    ("openai:gpt-5-mini", "gpt-5-mini", "openai", True),
    ("starter", "SmolLM2 135M", "local", False),
    ("anthropic:claude-haiku-4-5", "claude-haiku-4-5", "anthropic", True),
    ("local:gemma-3-4b-it-Q4_K_M", "Gemma 3 4B", "local", False),
)
PROMPTS = (
    "Why do transformers divide by √d in attention?",
    "Summarise the attached report in five sentences",
    "Write a regular expression for ISO dates",
    "Translate the release notes into German",
    "Which sessions were the longest? Answer in SQL",
    "Explain dequantisation to a new colleague",
    "Extract names and amounts from this invoice as JSON",
)
ANSWER = """The dot product of two random vectors grows with **√d**, so without the division:

- large scores push the softmax into its flat parts,
- gradients vanish there.

```python
scores = q @ k.T / math.sqrt(d)
```
"""


def fill(store: Store, count: int) -> None:
    """Chats and comparisons of the last weeks, some failed, some judged."""
    chance = random.Random(7)
    for number in range(count):
        prompt = PROMPTS[number % len(PROMPTS)]
        compared = number % 3 == 0
        session = store.create_session("comparison" if compared else "chat", prompt)
        asked = store.add_message(session.id, None, Message.of("user", prompt))
        comparison = store.add_comparison(Comparison(session_id=session.id, message_id=asked.id)) if compared else None
        runs = []
        for column in range(2 if compared else 1):
            model, name, provider, remote = MODELS[(number + column) % len(MODELS)]
            status = "failed" if number % 11 == 7 else "cancelled" if number % 13 == 5 else "done"
            run = RunRecord(
                id=new_id(),
                session_id=session.id,
                comparison_id=comparison.id if comparison else None,
                comparison_column=column if comparison else None,
                model=model,
                model_name=name,
                provider=provider,
                remote=remote,
                status=status,
                text=ANSWER if status != "failed" else "",
                finish_reason="stop",
                error=ErrorInfo(kind="provider_error", message="The service is overloaded (529).", hint="Try later.")
                if status == "failed"
                else None,
                prompt_tokens=chance.randrange(20, 4000),
                completion_tokens=chance.randrange(30, 1500),
                cost_usd=chance.random() / 50 if remote else None,
                duration_s=chance.random() * 40,
                time_to_first_token_s=chance.random(),
                decode_tokens_per_s=chance.random() * 90,
                seed=7,
                sampling={"temperature": 0.7, "top_p": 0.95, "max_tokens": 1024},
                quantization="" if remote else "Q4_K_M",
                started_at=(datetime.now(UTC) - timedelta(hours=number * 9.3)).isoformat(timespec="milliseconds"),
            )
            _, answer = store.start_exchange(session.id, asked.id, None, run)
            store.finish_run(run, with_answer(answer.message, run))
            runs.append(run)
        if comparison is not None and number % 2 == 0:
            verdict: Any = "tie" if number % 4 == 0 else "better"
            winner = runs[1].id if verdict == "better" else None
            store.add_vote(Vote(comparison_id=comparison.id, verdict=verdict, winner_run_id=winner))
        elif number % 5 == 1:
            store.rate(Rating(run_id=runs[0].id, rating=1 if number % 2 else -1))


def _page(program: Program, wait: Wait) -> Any:
    program.window.show_place("history")
    page = program.window.page("history")
    wait(lambda: not page.state.loading)
    return page


def _filled(program: Program, wait: Wait, count: int = 60) -> Any:
    assert program.slot.value is not None
    fill(program.slot.value.store, count)
    page = _page(program, wait)
    page.state.refresh()
    page.state.read_choices()
    wait(lambda: page.state.ids and not page.state.loading and page.state.models)
    return page


def empty(program: Program, wait: Wait) -> None:
    _page(program, wait)


def full(program: Program, wait: Wait) -> None:
    page = _filled(program, wait)
    page.table.selectRow(3)
    wait(lambda: page.details.detail is not None)


def record(program: Program, wait: Wait) -> None:
    full(program, wait)
    page: Any = program.window.page("history")
    page.details.tabs[1].click()


def searching(program: Program, wait: Wait) -> None:
    page = _filled(program, wait)
    page.search.setText("attention")
    page.state.change(text="attention", remote=True, models=("openai:gpt-5-mini", "anthropic:claude-haiku-4-5"))
    wait(lambda: not page.state.loading)
    page.table.selectRow(0)
    wait(lambda: page.details.detail is not None)


def nothing_found(program: Program, wait: Wait) -> None:
    page = _filled(program, wait)
    page.search.setText("xyzzy")
    page.state.change(text="xyzzy")
    wait(lambda: not page.state.loading and not page.state.ids)


def choices(program: Program, wait: Wait) -> None:
    """A popup is a window of its own: painted into the page for the picture."""
    page = _filled(program, wait)
    page.filters.open("models")
    popup = page.filters.popup("models")
    popup.setParent(program.window.centralWidget())
    popup.move(100, 118)
    popup.show()
    popup.raise_()


def error(program: Program, wait: Wait) -> None:
    page = _filled(program, wait)
    page.table.selectRow(7)
    wait(lambda: page.details.detail is not None)
    page.transfer.failed.emit(
        ErrorInfo(
            kind="bad_input",
            message="conversations.json: Conversation 17 (“Trip plan”): it has no tree of messages (“mapping”).",
            hint="Sessions imported before it: 16.",
        )
    )


def many(program: Program, wait: Wait) -> None:
    page = _filled(program, wait)
    page.table.selectAll()
    wait(lambda: page.chosen.text())


LARGE_TEXT = {"appearance": {"text_scale": 160}}
HISTORY: tuple[tuple[str, Callable[[Program, Wait], None], dict[str, Any]], ...] = (
    ("history-empty", empty, {}),
    ("history-full", full, {}),
    ("history-record", record, {}),
    ("history-searching", searching, {}),
    ("history-nothing-found", nothing_found, {}),
    ("history-choices", choices, {}),
    ("history-error", error, {}),
    ("history-many", many, {}),
    ("history-large-text", full, LARGE_TEXT),
)
