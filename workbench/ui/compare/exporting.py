"""Writing a comparison to a file, in any of the plugins' formats."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6 import QtWidgets
from PySide6.QtWidgets import QWidget

from workbench.core.errors import BadInput
from workbench.ui.backend import Backend
from workbench.ui.tr import tr, translated

if TYPE_CHECKING:
    from workbench.hookspecs import Exporter

FIRST = ("markdown", "html", "jsonl")
"""Formats that are offered first."""


def formats(backend: Backend) -> list[Exporter]:
    found = backend.plugins.exporters()
    return sorted(found, key=lambda e: (FIRST.index(e.format) if e.format in FIRST else len(FIRST), e.title))


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


def write(backend: Backend, session_id: str, exporter: Exporter, path: Path) -> Path:
    """Runs in a worker. Raises BadInput where the file can't be written."""
    archive: Any = importlib.import_module("workbench.store.archive")
    sessions = [archive.export_session(backend.store, session_id)]
    try:
        with path.open("wb") as file:
            for piece in exporter.write(sessions):
                file.write(piece if isinstance(piece, bytes) else piece.encode())
    except OSError as error:
        raise BadInput(f"{path} can't be written: {error.strerror}.", hint="Choose another folder.") from error
    return path
