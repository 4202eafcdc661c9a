"""What the Chat place lets the user do: the actions of the window, and which of them the transcript's buttons name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from workbench.ui.actions import Actions
from workbench.ui.tr import mark, tr
from workbench.ui.transcript.items import Action

if TYPE_CHECKING:
    from workbench.ui.chat.desk import ChatDesk


class Entry(NamedTuple):
    id: str
    title: str
    run: Callable[[], object]
    keys: str = ""
    icon: str = ""


class MessageEntry(NamedTuple):
    """What can be done with a message: a button or menu entry under it, and an action for the last one."""

    id: str
    title: str
    icon: str
    last_title: str = ""
    """Of the action that does it with the last message; empty: there is none."""
    keys: str = ""
    in_bar: bool = False


COPY = MessageEntry("copy", mark("Copy"), "copy", mark("Copy the last answer"), "Ctrl+Shift+C", in_bar=True)
DELETE = MessageEntry("delete", mark("Delete"), "trash-2")
COMPARE = MessageEntry("compare", mark("Compare this prompt…"), "columns-3")
ANSWER: tuple[MessageEntry, ...] = (
    COPY,
    MessageEntry(
        "regenerate", mark("Regenerate"), "rotate-ccw", mark("Regenerate the last answer"), "Ctrl+R", in_bar=True
    ),
    MessageEntry(
        "continue", mark("Continue"), "fast-forward", mark("Continue the last answer"), "Ctrl+Return", in_bar=True
    ),
    MessageEntry(
        "regenerate_with",
        mark("Regenerate with another model…"),
        "cpu",
        mark("Regenerate with another model…"),
        "Ctrl+Shift+R",
    ),
    COMPARE._replace(last_title=mark("Compare the last prompt…"), keys="Ctrl+Shift+E"),
    MessageEntry(
        "add_to_test_set", mark("Add to test set…"), "list-checks", mark("Add the last answer to a test set…")
    ),
    MessageEntry(
        "rendered_prompt",
        mark("Show the rendered prompt"),
        "file-code",
        mark("Show the rendered prompt"),
        "Ctrl+Shift+P",
    ),
    MessageEntry("run_record", mark("Show the run record"), "scroll-text", mark("Show the run record"), "Ctrl+I"),
    DELETE,
)
PROMPT: tuple[MessageEntry, ...] = (
    COPY,
    MessageEntry("edit", mark("Edit and send again"), "pencil", in_bar=True),
    COMPARE,
    DELETE,
)
ACTION_IDS = {"rendered_prompt": "answer.prompt", "run_record": "answer.record"}
"""Ids of the window's actions, where they are not `answer.` and the message's; users' own keys are kept by them."""


def entries_of(desk: ChatDesk) -> tuple[Entry, ...]:
    """The place's actions, apart from those of messages."""
    sessions = desk.sessions
    return (
        Entry("chat.new", tr("New chat"), desk.new_chat, "Ctrl+N", "plus"),
        Entry("chat.stop", tr("Stop the answer"), desk.escape, "Esc", "square"),
        Entry("chat.model", tr("Choose a model"), desk.pick_model, "Ctrl+M", "cpu"),
        Entry("chat.open_model", tr("Open a GGUF file…"), desk.open_model_file, "Ctrl+O", "file"),
        Entry("chat.attach", tr("Attach files"), desk.composer.choose_files, "Ctrl+U", "paperclip"),
        Entry("chat.search", tr("Search chats"), desk.focus_search, "Ctrl+F", "search"),
        Entry("chat.find", tr("Find in this chat"), desk.find, "F3", "file-search"),
        Entry("chat.options", tr("Show or hide the options"), desk.page.toggle_panel, "Ctrl+.", "sliders-horizontal"),
        Entry("chat.focus", tr("Write a prompt"), desk.focus_composer, "Ctrl+L", "text-cursor-input"),
        Entry("chat.rename", tr("Rename the chat"), sessions.rename_selected, "F2", "pencil"),
        Entry("chat.pin", tr("Pin or unpin the chat"), sessions.toggle_pin, "Ctrl+P", "pin"),
        Entry("chat.move", tr("Move the chat to a folder…"), sessions.move_selected, "", "folder"),
        Entry("chat.delete", tr("Delete the chat"), sessions.delete_selected, "Ctrl+Shift+Backspace", "trash-2"),
        Entry("chat.next", tr("Next chat"), lambda: desk.step_chat(1), "Ctrl+PgDown", "chevron-down"),
        Entry("chat.previous", tr("Previous chat"), lambda: desk.step_chat(-1), "Ctrl+PgUp"),
        Entry(
            "answer.previous",
            tr("Previous version of the answer"),
            lambda: desk.conversation.step_sibling(-1),
            "Alt+Left",
            "chevron-left",
        ),
        Entry(
            "answer.next",
            tr("Next version of the answer"),
            lambda: desk.conversation.step_sibling(1),
            "Alt+Right",
            "chevron-right",
        ),
        Entry("message.edit_last", tr("Edit the last message"), desk.edit_last, "Ctrl+E", "pencil"),
        Entry(
            "message.delete_last",
            tr("Delete the last exchange"),
            lambda: desk.conversation.delete_last(),
            "",
            "trash-2",
        ),
        Entry("preset.save", tr("Save the options as a preset"), desk.side_panel.save_preset, "", "save"),
    )


def add_actions(actions: Actions, desk: ChatDesk) -> None:
    """Register all of them."""
    group = tr("Chat")
    for entry in entries_of(desk):
        actions.add(entry.id, entry.title, entry.run, entry.keys, icon=entry.icon, group=group)
    for message in ANSWER:
        if message.last_title:
            action_id = ACTION_IDS.get(message.id, f"answer.{message.id}")
            act = partial(_act_on_last, desk, message.id)
            actions.add(action_id, tr(message.last_title), act, message.keys, icon=message.icon, group=group)


def _act_on_last(desk: ChatDesk, action: str) -> None:
    desk.conversation.act_on_last(action)


def buttons(entries: tuple[MessageEntry, ...]) -> list[Action]:
    """As the transcript takes them."""
    return [Action(entry.id, tr(entry.title), entry.icon, in_bar=entry.in_bar) for entry in entries]
