"""Bundled help (F1): pages with real pictures, links, search, and the keyboard map as it is now."""

from workbench.ui.help.window import HelpWindow

__all__ = ["HelpWindow"]
