"""Texts the user reads; see `workbench.core.tr`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.core.tr import language, mark, tr, translated, trc, trn

if TYPE_CHECKING:
    from workbench.core.errors import ErrorInfo

__all__ = ["mark", "tr", "translated", "translated_error", "trc", "trn"]


def translated_error(error: ErrorInfo) -> ErrorInfo:
    """An error as the window shows it. What is stored, logged and copied from the details stays English."""
    if language() == "en":
        return error
    from msgspec.structs import replace  # noqa: PLC0415 - not before the first paint

    return replace(error, message=translated(error.message), hint=translated(error.hint))
