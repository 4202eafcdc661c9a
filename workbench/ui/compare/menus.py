"""The menu of one column."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6 import QtWidgets
from PySide6.QtCore import Qt

from workbench.ui.compare.columns import MAX_COLUMNS, MIN_COLUMNS
from workbench.ui.compare.toolbar import menu_icon
from workbench.ui.tr import tr

if TYPE_CHECKING:
    from workbench.ui.compare.page import ComparePage


def column_menu(page: ComparePage, key: str) -> QtWidgets.QMenu:
    """All that can be done with the column, with the keys that do it too. While names are hidden, only copying."""
    page.board.set_current(key)
    state = page.state
    menu = QtWidgets.QMenu(page)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    hidden = state.hidden
    keys = [column.key for column in state.columns]
    place = keys.index(key) if key in keys else 0
    run_id = page.answers.current_run()
    found = state.answer(run_id)
    has_answer = found is not None and found[2].done and bool(found[2].text)
    cell = state.last_turn.cells.get(key) if state.last_turn else None
    running = cell is not None and not cell.done

    def add(title: str, icon: str, action_id: str, callback: Callable[[], object], *, enabled: bool = True) -> None:
        shortcut = page.context.actions.keys(action_id) if action_id else ""
        entry = menu.addAction(menu_icon(page, icon), f"{title}\t{shortcut}" if shortcut else title)
        entry.setEnabled(enabled)
        entry.triggered.connect(lambda _checked=False: callback())

    add(tr("Copy the answer"), "copy", "compare.copy", page.answers.copy_current, enabled=has_answer)
    if hidden:
        return menu
    if running:
        add(tr("Stop this column"), "square", "", lambda: state.stop(key))
    elif state.turns:
        add(tr("Ask this column again"), "rotate-ccw", "compare.retry", lambda: state.ask_column(key))
        add(tr("Ask all columns again"), "rotate-ccw", "compare.retry_all", state.ask_all)
    add(tr("Continue in a chat"), "git-branch", "compare.fork", lambda: state.fork(key), enabled=has_answer)
    to_set = lambda: page.answers.add_to_test_set(run_id)  # noqa: E731
    add(tr("Add to test set…"), "list-checks", "", to_set, enabled=has_answer)
    add(tr("Rate as good"), "thumbs-up", "", lambda: state.judging.rate(run_id, 1), enabled=has_answer)
    add(tr("Rate as bad"), "thumbs-down", "", lambda: state.judging.rate(run_id, -1), enabled=has_answer)
    show_prompt = lambda: page.answers.show_record(run_id, prompt=True)  # noqa: E731
    add(tr("Show the rendered prompt"), "file-code", "compare.prompt", show_prompt, enabled=has_answer)
    show_record = lambda: page.answers.show_record(run_id, prompt=False)  # noqa: E731
    add(tr("Show the run record"), "scroll-text", "compare.record", show_record, enabled=bool(run_id))
    menu.addSeparator()
    add(tr("Choose a model"), "cpu", "compare.model", lambda: page.pick_model(key))
    add(tr("Settings of this column"), "sliders-horizontal", "compare.settings", lambda: page.open_sheet(key))
    same = lambda: state.use_settings_of(key)  # noqa: E731
    add(tr("Use these settings in all columns"), "check", "compare.same_settings", same, enabled=len(keys) > 1)
    full = len(keys) >= MAX_COLUMNS
    add(tr("Duplicate"), "columns-3", "compare.duplicate", lambda: state.duplicate(key), enabled=not full)
    left, right = lambda: state.move(key, place - 1), lambda: state.move(key, place + 1)
    add(tr("Move left"), "arrow-left", "compare.move_left", left, enabled=place > 0)
    add(tr("Move right"), "arrow-right", "compare.move_right", right, enabled=place < len(keys) - 1)
    menu.addSeparator()
    few = len(keys) <= MIN_COLUMNS
    add(tr("Remove the column"), "x", "compare.remove", lambda: state.remove(key), enabled=not few)
    return menu
