"""The place's actions, for its keys and the command palette."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QAbstractButton, QPushButton

from workbench.ui.tr import tr

if TYPE_CHECKING:
    from workbench.ui.evaluate.page import EvaluatePage

PLACE = "evaluate"


def add_actions(page: EvaluatePage) -> None:
    group = tr("Evaluate")
    state = page.state
    entries: tuple[tuple[str, str, Callable[[], object], str, str], ...] = (
        ("new", tr("New test set"), page.new_set, "Ctrl+N", "plus"),
        ("import", tr("Import cases or an evaluation"), page.import_file, "Ctrl+O", "folder"),
        ("example", tr("Try the example"), state.try_example, "", "sparkles"),
        ("stop", tr("Stop the evaluation"), state.stop, "Ctrl+Shift+Esc", "square"),
        ("search", tr("Search answers"), partial(_with, page, "results", "search"), "Ctrl+F", "search"),
    )
    for name, title, callback, keys, icon in entries:
        page.context.actions.add(f"{PLACE}.{name}", title, callback, keys, icon=icon, group=group, place=PLACE)
    # Buttons of the view that is shown; where it is not shown, or the button can't be used now, nothing happens.
    buttons: tuple[tuple[str, str, str, str, str, str], ...] = (
        ("verdict", tr("Show the verdict"), "results", "verdict_button", "Alt+1", "badge-check"),
        ("answers", tr("Show the answers"), "results", "answers_button", "Alt+2", "list-checks"),
        ("cost", tr("Show the cost"), "results", "cost_button", "Alt+3", "circle-dollar-sign"),
        ("plots", tr("Show the plots"), "results", "plots_button", "Alt+4", "chart-column"),
        ("resume", tr("Resume the evaluation"), "results", "resume", "Ctrl+R", "play"),
        ("again", tr("Set up the evaluation again"), "results", "again", "Ctrl+E", "sliders-horizontal"),
        ("judge", tr("Judge the answers blind"), "results", "queue", "Ctrl+J", "eye-off"),
        ("export", tr("Export the evaluation"), "results", "export", "Ctrl+S", "arrow-down-to-line"),
        ("set_up", tr("Set up an evaluation of the test set"), "test_set", "evaluate", "Ctrl+Shift+Return", "play"),
        ("add_case", tr("Add a case"), "test_set", "add", "Ctrl+Shift+N", "plus"),
        ("edit_case", tr("Edit case…"), "test_set", "edit", "", "pencil"),
        ("seal", tr("Seal a part…"), "test_set", "seal", "", "shield"),
        ("add_model", tr("Add a model"), "setup", "add_model", "Ctrl+M", "plus"),
        ("add_grader", tr("Add a grader"), "setup", "add_grader", "Ctrl+G", "plus"),
        ("start", tr("Start the evaluation"), "setup", "start", "Ctrl+Alt+Return", "play"),
    )
    for name, title, view, button, keys, icon in buttons:
        press = partial(_press, page, view, button)
        page.context.actions.add(f"{PLACE}.{name}", title, press, keys, icon=icon, group=group, place=PLACE)


def _with(page: EvaluatePage, view: str, method: str) -> None:
    if page.stack.currentWidget() is vars(page).get(view):
        getattr(vars(page)[view], method)()


def _press(page: EvaluatePage, view: str, name: str) -> None:
    shown = vars(page).get(view)  # a view that was never shown is not built for this
    button: QAbstractButton | None = getattr(shown, name, None)
    if button is None or not button.isVisible() or not button.isEnabled():
        return
    if isinstance(button, QPushButton) and button.menu() is not None:
        button.showMenu()
    else:
        button.click()
