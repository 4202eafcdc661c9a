"""What commands print: answers and tables to stdout, everything else to stderr."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from workbench.core.sizes import human_bytes as human_bytes

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def print_json(value: Any) -> None:
    """One JSON document. Numbers that JSON lacks (infinity) become null; sets are sorted."""
    encoded = msgspec.json.encode(value, order="deterministic")
    sys.stdout.write(msgspec.json.format(encoded, indent=2).decode() + "\n")
    sys.stdout.flush()


def write(text: str, *, styled: bool = False) -> None:
    """To stdout, at once. On a terminal control characters are taken out: no model or file may move its cursor."""
    if not styled and sys.stdout.isatty():
        text = _CONTROL.sub("\ufffd", text.replace("\r", ""))
    sys.stdout.write(text)
    sys.stdout.flush()


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their content; on a terminal the last one is cut to what fits."""
    widths = [max(len(cell) for cell in column) for column in zip(headings, *rows, strict=True)]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10**9
    for row in (headings, *rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        write((line if len(line) <= room else line[: room - 1] + "…") + "\n")


class Progress:
    """One line on the terminal that is rewritten and goes away; nothing where stderr is not a terminal."""

    def __init__(self) -> None:
        self._tty = sys.stderr.isatty()
        self._shown = ""

    def show(self, text: str) -> None:
        if self._tty and text != self._shown:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r\033[K{text[:width]}")
            sys.stderr.flush()
            self._shown = text

    def clear(self) -> None:
        if self._shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
            self._shown = ""

    def say(self, text: str, *, always: bool = False) -> None:
        """A line that stays. Without `always` for terminals only."""
        self.clear()
        if self._tty or always:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def dim(self, text: str) -> None:
        """Part of a text that is not the answer, for terminals only: the model's reasoning."""
        if self._tty and text:
            self.clear()
            sys.stderr.write(f"\033[2m{text}\033[0m")
            sys.stderr.flush()
