"""The place's actions, for its keys and the command palette."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot

from workbench.ui.compare.columns import MAX_COLUMNS
from workbench.ui.tr import tr

if TYPE_CHECKING:
    from workbench.ui.compare.page import ComparePage

WIDEN_BY = 60
PLACE = "compare"


def add_actions(page: ComparePage) -> None:
    group = tr("Compare")
    board, state, lists, votes = page.board, page.state, page.sessions, page.votes

    def current(callback: Callable[[str], object]) -> Callable[[], object]:
        return lambda: callback(board.current)

    entries: tuple[tuple[str, str, Callable[[], object], str, str], ...] = (
        ("new", tr("New comparison"), page.new_comparison, "Ctrl+N", "plus"),
        ("stop", tr("Stop all answers"), page.escape, "Esc", "square"),
        ("stop_one", tr("Stop this column"), current(state.stop), "Ctrl+Shift+Esc", "square"),
        ("focus", tr("Write a prompt"), page.focus_composer, "Ctrl+L", "text-cursor-input"),
        ("again", tr("Take the last prompt again"), page.reuse_last_prompt, "Ctrl+E", "pencil"),
        ("attach", tr("Attach files"), page.composer.choose_files, "Ctrl+U", "paperclip"),
        ("add", tr("Add a column"), page.add_column, "Ctrl+Shift+N", "plus"),
        ("model", tr("Choose the column's model"), current(page.pick_model), "Ctrl+M", "cpu"),
        ("settings", tr("Settings of the column"), page.toggle_sheet, "Ctrl+.", "sliders-horizontal"),
        ("duplicate", tr("Duplicate the column"), current(state.duplicate), "Ctrl+D", "columns-3"),
        ("remove", tr("Remove the column"), current(state.remove), "Ctrl+W", "x"),
        ("move_left", tr("Move the column left"), lambda: page.move_current(-1), "Ctrl+Shift+Left", "arrow-left"),
        ("move_right", tr("Move the column right"), lambda: page.move_current(1), "Ctrl+Shift+Right", "arrow-right"),
        ("previous", tr("Column to the left"), lambda: board.step(-1), "Alt+Left", "chevron-left"),
        ("next", tr("Column to the right"), lambda: board.step(1), "Alt+Right", "chevron-right"),
        ("wider", tr("Make the column wider"), lambda: board.widen(WIDEN_BY), "Alt+Shift+Right", ""),
        ("narrower", tr("Make the column narrower"), lambda: board.widen(-WIDEN_BY), "Alt+Shift+Left", ""),
        ("equal", tr("Make all columns as wide"), board.equal_widths, "Alt+0", ""),
        ("retry", tr("Ask the column again"), current(state.ask_column), "Ctrl+R", "rotate-ccw"),
        ("retry_all", tr("Ask all columns again"), state.ask_all, "Ctrl+Shift+R", "rotate-ccw"),
        ("same_settings", tr("Use the column's settings in all columns"), current(state.use_settings_of), "", ""),
        ("fork", tr("Continue the column in a chat"), current(state.fork), "Ctrl+Return", "git-branch"),
        ("copy", tr("Copy the column's answer"), page.answers.copy_current, "Ctrl+Shift+C", "copy"),
        ("prompt", tr("Show the rendered prompt"), partial(_record, page, True), "Ctrl+Shift+P", "file-code"),
        ("record", tr("Show the run record"), partial(_record, page, False), "Ctrl+I", "scroll-text"),
        ("diff", tr("Compare two answers word by word"), page.answers.show_diff, "Ctrl+Shift+D", "diff"),
        ("tally", tr("Votes so far"), page.answers.show_tally, "Ctrl+Shift+V", "trophy"),
        ("export", tr("Export the comparison"), page.answers.open_export, "Ctrl+S", "arrow-down-to-line"),
        ("blind", tr("Blind mode on or off"), partial(_toggle, page, "blind"), "Ctrl+Shift+B", "eye-off"),
        ("reveal", tr("Reveal who wrote what"), state.judging.reveal, "", "eye"),
        ("linked", tr("Scroll the columns together"), partial(_toggle, page, "linked"), "Ctrl+Shift+L", "link-2"),
        ("schedule", tr("Scheduling"), page.toolbar.open_schedule, "", "clock"),
        ("sets", tr("Column sets"), page.sets.open, "", "columns-3"),
        ("save_set", tr("Save these columns as a set…"), page.sets.save, "", "save"),
        ("search", tr("Search comparisons"), page.focus_search, "Ctrl+F", "search"),
        ("rename", tr("Rename the comparison"), lists.rename_selected, "F2", "pencil"),
        ("pin", tr("Pin or unpin the comparison"), lists.toggle_pin, "Ctrl+P", "pin"),
        ("move", tr("Move the comparison to a folder…"), lists.move_selected, "", "folder"),
        ("delete", tr("Delete the comparison"), lists.delete_selected, "Ctrl+Shift+Backspace", "trash-2"),
        ("next_session", tr("Next comparison"), lambda: page.step_session(1), "Ctrl+PgDown", ""),
        ("previous_session", tr("Previous comparison"), lambda: page.step_session(-1), "Ctrl+PgUp", ""),
        ("tie", tr("Vote: tie"), partial(_vote, page, votes.vote_tie), "T", ""),
        ("bad", tr("Vote: all bad"), partial(_vote, page, votes.vote_bad), "B", ""),
    )
    for name, title, callback, keys, icon in entries:
        page.context.actions.add(f"compare.{name}", title, callback, keys, icon=icon, group=group, place=PLACE)
    for number in range(1, MAX_COLUMNS + 1):
        title = tr("Vote: answer {number} is better", number=number)
        vote = partial(_vote, page, partial(votes.vote_place, number))
        page.context.actions.add(f"compare.vote{number}", title, vote, str(number), group=group, place=PLACE)
        title = tr("Go to column {number}", number=number)
        go = partial(board.focus_place, number - 1)
        page.context.actions.add(f"compare.column{number}", title, go, f"Alt+{number}", group=group, place=PLACE)
    VoteKeys(page)


class VoteKeys(QObject):
    """The vote's keys are plain letters and digits: they are switched off unless a vote is asked for."""

    def __init__(self, page: ComparePage) -> None:
        super().__init__(page)
        self._page = page
        state = page.state
        for signal in (state.turns_changed, state.turn_done, state.running_changed, state.columns_changed):
            signal.connect(self.refresh)
        page.votes.again.clicked.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        actions, wanted = self._page.context.actions, self._page.votes.is_open
        for name in ("tie", "bad", *(f"vote{number}" for number in range(1, MAX_COLUMNS + 1))):
            actions[f"compare.{name}"].setEnabled(wanted)


def _vote(page: ComparePage, callback: Callable[[], object]) -> None:
    if page.isVisible():
        callback()


def _record(page: ComparePage, prompt: bool) -> None:
    page.answers.show_record(page.answers.current_run(), prompt=prompt)


def _toggle(page: ComparePage, name: str) -> None:
    state = page.state
    if name == "linked":
        state.set_options(linked=not state.linked)
    elif not state.hidden:
        state.set_options(blind=not state.blind)
