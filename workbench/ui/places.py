"""The places of the window, in the rail's order. A new page is one line here and a file of its own."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, NamedTuple

from PySide6.QtWidgets import QWidget

from workbench.ui.tr import mark, tr

if TYPE_CHECKING:
    from workbench.ui.context import Context


class Place(NamedTuple):
    id: str
    title: str
    icon: str
    widget: str
    """`package.module:Class`, a `Page`; imported when the place is first shown."""
    shortcut: str = ""
    bottom: bool = False
    """Stands at the lower end of the rail."""
    parts: tuple[tuple[str, str, str], ...] = ()
    """(id, title, icon) of parts the page's `show_part` shows; each is an action of its own."""
    acts: bool = True
    """The page brings actions of its own."""


SETTINGS_PARTS = (
    ("appearance", mark("Appearance"), "palette"),
    ("models", mark("Models"), "cpu"),
    ("providers", mark("Providers"), "key"),
    ("folders", mark("Folders"), "folder"),
    ("network", mark("Network"), "globe"),
    ("plugins", mark("Plugins"), "puzzle"),
    ("keyboard", mark("Keyboard"), "keyboard"),
    ("privacy", mark("Privacy"), "shield"),
    ("backup", mark("Backup"), "save"),
    ("about", mark("About"), "info"),
)
MODELS_PARTS = (
    ("installed", mark("Installed"), "hard-drive"),
    ("discover", mark("Search Hugging Face"), "search"),
    ("downloads", mark("Downloads"), "download"),
)
SETTINGS_BUTTONS = (
    ("providers.add", mark("Add a provider…"), "plus", "providers", "add"),
    ("providers.find", mark("Find servers on this machine"), "search", "providers", "find_servers"),
    ("privacy.export", mark("Export the privacy ledger"), "save", "privacy", "export"),
    ("privacy.erase", mark("Delete everything"), "trash-2", "privacy", "erase"),
    ("backup.make", mark("Back up now"), "save", "backup", "make"),
    ("backup.restore", mark("Restore a backup"), "rotate-ccw", "backup", "restore"),
    ("about.licences", mark("Licences"), "scroll-text", "about", "licences"),
    ("about.report", mark("Report a problem"), "file-text", "about", "report"),
    ("about.doctor", mark("Check the installation"), "stethoscope", "about", "doctor.run"),
)
"""(action, title, icon, part of the settings, its button): what is done there, for the palette and for keys."""
PART_KEYS = {"models.discover": "Ctrl+Shift+F"}
"""Shortcuts of parts, by action: they work before the place is opened."""
PLACES: tuple[Place, ...] = (
    Place("chat", mark("Chat"), "message-square", "workbench.ui.chat.page:ChatPage", "Ctrl+1"),
    Place("compare", mark("Compare"), "columns-3", "workbench.ui.compare.page:ComparePage", "Ctrl+2"),
    Place("models", mark("Models"), "boxes", "workbench.ui.models.page:ModelsPage", "Ctrl+3", parts=MODELS_PARTS),
    Place("evaluate", mark("Evaluate"), "list-checks", "workbench.ui.evaluate.page:EvaluatePage", "Ctrl+4"),
    Place("history", mark("History"), "history", "workbench.ui.history.page:HistoryPage", "Ctrl+5"),
    Place(
        "settings",
        mark("Settings"),
        "settings",
        "workbench.ui.settings.page:SettingsPage",
        "Ctrl+,",
        bottom=True,
        parts=SETTINGS_PARTS,
        acts=False,
    ),
)


class Page(QWidget):
    """One place's page. `side_list` stands left of it and can be hidden."""

    side_list: QWidget | None = None
    context: Context

    def __init__(self, context: Context | None, parent: QWidget | None = None) -> None:
        """Without a context the page is shown and not used yet."""
        super().__init__(parent)
        if context is not None:
            self.context = context

    def activate(self) -> None:
        """The page has come to the front: put the focus where work goes on."""

    def show_part(self, part: str) -> QWidget | None:
        """Show one of the place's parts."""
        return None

    def close_page(self) -> None:
        """The window closes: save what is not saved yet."""


def create(place: Place, context: Context) -> QWidget:
    """Import and build the page of a place. What a plugin's class raises is the caller's to report."""
    module, _, name = place.widget.partition(":")
    page: QWidget = getattr(importlib.import_module(module), name)(context)
    page.setObjectName(f"page-{place.id}")
    page.setAccessibleName(tr(place.title))
    return page
