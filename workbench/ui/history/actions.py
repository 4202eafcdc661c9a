"""What History can do by key and from the palette."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from workbench.ui.tr import tr

if TYPE_CHECKING:
    from workbench.ui.history.page import HistoryPage


def add_actions(page: HistoryPage) -> None:
    group, choose_import, export_ledger = tr("History"), page.transfer.choose_import, page.transfer.export_ledger
    add = partial(page.context.actions.add, place="history", group=group)
    add("history.search", tr("Search the history"), page.focus_search, "Ctrl+F", icon="search")
    add("history.open", tr("Open the run"), page.open_selected, "Ctrl+O", icon="message-square")
    add("history.replay", tr("Replay on another model…"), page.replay_selected, "Ctrl+R", icon="rotate-ccw")
    add("history.add_to_set", tr("Add to test set…"), page.add_to_test_set, icon="list-checks")
    add("history.export", tr("Export the selected runs"), page.export_selected, "Ctrl+S", icon="save")
    add("history.delete", tr("Delete the selected runs"), page.delete_selected, icon="trash-2")
    add("history.import", tr("Import conversations…"), choose_import, icon="arrow-down-to-line")
    add("history.ledger", tr("Export the privacy ledger…"), export_ledger, icon="shield")
    add("history.sent", tr("Show what left this machine"), page.show_sent, icon="cloud")
    add("history.clear", tr("Clear search and filters"), page.clear_all, "Ctrl+Backspace", icon="x")
    add("history.refresh", tr("Read the history again"), page.state.refresh, "F5", icon="refresh-cw")
