"""The Compare place in its states."""

from __future__ import annotations

from typing import Any

from tests.gallery.scenes import Scene, Wait
from workbench.app.main import Program
from workbench.core.chat_options import ChatOptions
from workbench.core.messages import Message
from workbench.core.requests import Sampling
from workbench.ui.compare.columns import Column

PROMPT = "Why do transformers divide by √d in attention? Show a few lines of code."
TITLES = (
    "SQL: top sessions by length",
    "Translate release notes",
    "Qwen against Llama: JSON mode",
    "Regex for ISO dates",
)


def open_page(program: Program, wait: Wait, *models: str) -> Any:
    store = program.slot.value.store  # type: ignore[union-attr]
    for title in TITLES:
        session = store.create_session("comparison", title)
        store.add_message(session.id, None, Message.of("user", title))
    page: Any = program.window.show_place("compare")
    page.state.set_columns([Column(key=f"k{number}", model=f"fake:{name}") for number, name in enumerate(models)])
    page.state.sessions_changed.emit()
    wait(lambda: page.state.models)
    return page


def ask(page: Any, wait: Wait, text: str = PROMPT) -> None:
    page.composer.set_text(text)
    page.composer.submit()
    wait(lambda: page.state.last_turn is not None and page.state.last_turn.done and not page.state.sending)


def empty(program: Program, wait: Wait) -> None:
    page: Any = program.window.show_place("compare")
    wait(lambda: page.state.models)


def done(program: Program, wait: Wait) -> None:
    page = open_page(program, wait, "remote", "echo", "other")
    ask(page, wait)


def streaming(program: Program, wait: Wait) -> None:
    page = open_page(program, wait, "remote", "slow", "slow")
    page.state.set_options(schedule="one_by_one")
    page.composer.set_text("Count on without an end.")
    page.composer.submit()
    wait(lambda: any(run.buffer.text.count(" ") > 30 for run in page.state.active.values()))


def blind(program: Program, wait: Wait) -> None:
    page = open_page(program, wait, "remote", "echo", "other")
    page.state.set_options(blind=True)
    ask(page, wait)


def voted(program: Program, wait: Wait) -> None:
    blind(program, wait)
    page: Any = program.window.page("compare")
    page.votes.vote_place(1)
    wait(lambda: not page.state.hidden)


def errors(program: Program, wait: Wait) -> None:
    page = open_page(program, wait, "remote", "dies", "overflow")
    ask(page, wait)


def sheet(program: Program, wait: Wait) -> None:
    page = open_page(program, wait, "echo", "echo")
    options = ChatOptions(sampling=Sampling(temperature=0.2), system_prompt="You are brief.")
    page.state.change("k0", options=options)
    page.state.change("k1", label="as it comes", samples=3)
    page.open_sheet("k0")


def diff(program: Program, wait: Wait) -> None:
    page = open_page(program, wait, "echo", "other")
    page.state.change("k1", options=ChatOptions(system_prompt="Be brief."))
    ask(page, wait, "The quick brown fox jumps over the lazy dog.")
    page.answers.show_diff()
    dialog = page.answers.diff_dialog
    wait(lambda: dialog.numbers.text())
    dialog.setParent(program.window.centralWidget())
    dialog.move(200, 60)
    dialog.show()


def tally(program: Program, wait: Wait) -> None:
    voted(program, wait)
    page: Any = program.window.page("compare")
    page.answers.show_tally()
    dialog = page.answers.tally_dialog
    wait(lambda: dialog.table.rowCount())
    dialog.setParent(program.window.centralWidget())
    dialog.move(200, 100)
    dialog.show()


def eight(program: Program, wait: Wait) -> None:
    page = open_page(program, wait, *["echo", "remote", "other", "dies", "echo", "remote", "other", "echo"])
    ask(page, wait)


def tabs(program: Program, wait: Wait) -> None:
    program.window.resize(860, 720)
    done(program, wait)


COMPARE_SCENES: tuple[Scene, ...] = (
    Scene("compare-empty", empty, {"default_model": "starter"}),
    Scene("compare-done", done),
    Scene("compare-streaming", streaming),
    Scene("compare-blind", blind),
    Scene("compare-voted", voted),
    Scene("compare-error", errors),
    Scene("compare-sheet", sheet),
    Scene("compare-diff", diff),
    Scene("compare-tally", tally),
    Scene("compare-eight", eight),
    Scene("compare-tabs", tabs),
    Scene("compare-large-text", done, {"appearance": {"text_scale": 160}}),
)
