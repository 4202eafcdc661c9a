"""Writing a comparison to a file, in any of the plugins' formats."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6 import QtWidgets
from PySide6.QtWidgets import QWidget

from workbench.ui.backend import Backend
from workbench.ui.exporters import exporters
from workbench.ui.tr import tr, translated

if TYPE_CHECKING:
    from workbench.hookspecs import Exporter

FIRST = ("markdown", "html", "jsonl")
"""Formats that are offered first."""


def formats(backend: Backend) -> list[Exporter]:
    return exporters(backend, FIRST)


def file_name(title: str, exporter: Exporter) -> str:
    words = re.sub(r"[^\w\- ]+", "", title).strip()[:60] or tr("comparison")
    suffix = exporter.suffix if exporter.suffix.startswith(".") else f".{exporter.suffix}"
    return f"{words}{suffix}"


def ask_file(exporter: Exporter, title: str, parent: QWidget) -> Path | None:
    """Where to write; None if the user changed their mind."""
    name, _filter = QtWidgets.QFileDialog.getSaveFileName(
        parent,
        tr("Export the comparison"),
        file_name(title, exporter),
        f"{translated(exporter.title)} (*{exporter.suffix})",
    )
    return Path(name) if name else None


def write(backend: Backend, session_id: str, exporter: Exporter, path: Path) -> None:
    """Runs in a worker. An older file stays as it is if anything goes wrong. Raises WorkbenchError."""
    archives: Any = importlib.import_module("workbench.services.archives")
    archives.write_file(path, archives.export_pieces(backend.store, exporter, [session_id]))


def told(exporter: Exporter, path: Path) -> str:
    """What was written, and what the format can't hold."""
    text = tr("Written to {name}", name=path.name)
    return f"{text}. {translated(exporter.loses)}" if exporter.loses else text
