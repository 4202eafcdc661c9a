"""The formats that plugins write, in the order in which menus offer them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.ui.backend import Backend

if TYPE_CHECKING:
    from workbench.hookspecs import Exporter


def exporters(backend: Backend, first: tuple[str, ...]) -> list[Exporter]:
    """Those of the formats in `first` in that order, then the others by title."""
    found = backend.plugins.exporters()
    return sorted(found, key=lambda e: (first.index(e.format) if e.format in first else len(first), e.title))
