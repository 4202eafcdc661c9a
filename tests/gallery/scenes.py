"""The screens: how to get the window into each state."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QWidget

from tests.gallery.history_scenes import HISTORY
from tests.gallery.models_scenes import MODELS_SCENES
from tests.gallery.trust_scenes import TRUST_SCENES, failing_plugin
from workbench.app.main import Program
from workbench.core.messages import Message

Wait = Callable[[Callable[[], object]], None]
TITLES = (
    "Why scale attention by √d?",
    "SQL: top sessions by length",
    "Translate release notes",
    "Qwen against Llama: JSON mode",
    "Summarise a 40-page report",
    "Regex for ISO dates",
    "Kernel dequantisation bug",
    "Trip plan for Lisbon",
)


def _page(program: Program) -> Any:
    return program.window.page("chat")


def _send(program: Program, wait: Wait, text: str, model: str, *, finish: bool = True) -> None:
    page = _page(program)
    page.state.set_model(model)
    before = len(page.state.path)
    page.composer.set_text(text)
    page.composer.submit()
    wait(lambda: len(page.state.path) > before)
    if finish:
        wait(lambda: not page.state.active and not page.state.sending)


def _fill(program: Program) -> None:
    """Some chats of earlier days."""
    assert program.slot.value is not None
    store = program.slot.value.store
    for position, title in enumerate(TITLES):
        session = store.create_session(title=title, folder="Work" if position in (3, 4) else "")
        store.add_message(session.id, None, Message.of("user", title))
        if position == 1:
            store.update_session(session.id, pinned=True)
    _page(program).state.sessions_changed.emit()


@dataclass(frozen=True)
class Scene:
    name: str
    show: Callable[[Program, Wait], None]
    settings: dict[str, Any] = field(default_factory=dict)
    damage: Callable[[Path], None] | None = None
    stays_busy: bool = False
    """The picture shows work under way: it is not waited for."""

    def prepare(self, home: Path, theme: str) -> None:
        appearance = {"theme": theme, **self.settings.get("appearance", {})}
        settings = {"default_model": "fake:echo", **self.settings, "appearance": appearance}
        (home / "settings.json").write_text(json.dumps(settings))
        if self.damage is not None:
            self.damage(home)


def first_start(program: Program, wait: Wait) -> None:
    _page(program).state.set_model("starter")
    wait(lambda: _page(program).state.models)


def chat_full(program: Program, wait: Wait) -> None:
    _fill(program)
    _send(program, wait, "Why do transformers divide by √d in attention? Show a few lines of code.", "fake:remote")
    _send(program, wait, "Say that again, shorter.", "fake:echo")
    page = _page(program)
    page.state.regenerate(page.state.path[-1].id, "fake:other")
    wait(lambda: len(page.state.path) == 4 and page.conversation.view.items[-1].sibling == (2, 2))
    wait(lambda: not page.state.active)
    page.composer.set_text("And how does the cache come in?")


def chat_top(program: Program, wait: Wait) -> None:
    chat_full(program, wait)
    page = _page(program)
    page.composer.clear()
    page.toggle_panel()
    page.conversation.view.scroll_to(page.state.path[0].id)


def chat_busy(program: Program, wait: Wait) -> None:
    _fill(program)
    _send(program, wait, "Count on without an end.", "fake:slow", finish=False)
    page = _page(program)
    wait(lambda: page.state.running_here and page.state.running_here.buffer.text.count(" ") > 25)


def chat_error(program: Program, wait: Wait) -> None:
    _send(program, wait, "A prompt that is much too long for this model.", "fake:overflow")


def chat_attachments(program: Program, wait: Wait) -> None:
    _fill(program)
    folder = program.window.context.paths.data
    notes, picture = folder / "meeting-notes.md", folder / "whiteboard.png"
    notes.write_text("# Notes\n" * 400)
    picture.write_bytes(b"\x89PNG")
    page = _page(program)
    page.composer.add_files([str(notes), str(picture)])
    page.composer.set_text("Summarise the notes.\n\nThen list what is still open, with a name next to each point.")


def palette(program: Program, wait: Wait) -> None:
    chat_top(program, wait)
    program.window.open_palette()


def picker(program: Program, wait: Wait) -> None:
    """A popup is a window of its own: painted into the page for the picture."""
    _fill(program)
    page = _page(program)
    wait(lambda: page.state.models)
    page.desk.pick_model()
    popup: QWidget = page.picker
    popup.setParent(program.window.centralWidget())
    popup.move(330, 48)
    popup.show()
    popup.raise_()


def toast(program: Program, wait: Wait) -> None:
    chat_top(program, wait)
    program.window.toast("Chat deleted", "Undo", lambda: None)


def damaged_store(home: Path) -> None:
    (home / "workbench.db").write_bytes(b"this is no database, though it has the name of one" * 100)


def nothing(program: Program, wait: Wait) -> None:
    """As it opens."""


def settings(part: str) -> Callable[[Program, Wait], None]:
    def show(program: Program, _wait: Wait) -> None:
        program.window.show_part("settings", part)

    return show


LARGE_TEXT = {"appearance": {"text_scale": 160}}
LARGEST_TEXT = {"appearance": {"text_scale": 200}}
SCENES: tuple[Scene, ...] = (
    Scene("first-start", first_start),
    Scene("chat-full", chat_full),
    Scene("chat-top", chat_top),
    Scene("chat-busy", chat_busy),
    Scene("chat-error", chat_error),
    Scene("chat-attachments", chat_attachments),
    Scene("chat-large-text", chat_full, LARGE_TEXT),
    Scene("palette", palette),
    Scene("model-picker", picker),
    Scene("toast", toast),
    Scene("store-damaged", nothing, damage=damaged_store),
    *(Scene(name, show, stays_busy=name == "models-searching") for name, show in MODELS_SCENES),
    *(Scene(name, show, settings) for name, show, settings in HISTORY),
    *(
        Scene(name, show, settings, failing_plugin if name == "plugins-failed" else None)
        for name, show, settings in TRUST_SCENES
    ),
    *(
        Scene(f"settings-{part}-largest", settings(part), LARGEST_TEXT)
        for part in ("providers", "folders", "network", "keyboard", "privacy", "backup", "about")
    ),
    *(
        Scene(f"settings-{part}", settings(part))
        for part in (
            "appearance",
            "models",
            "providers",
            "folders",
            "network",
            "plugins",
            "keyboard",
            "privacy",
            "backup",
            "about",
        )
    ),
)
