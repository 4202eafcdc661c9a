"""Sizes as text for logs, reports and the command line (the window writes them as its locale does)."""

from __future__ import annotations


def human_bytes(size: int | None) -> str:
    """Decimal units: 98.3 MB. Empty where unknown."""
    if size is None:
        return ""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if value >= 100 or unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
