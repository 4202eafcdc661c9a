"""The window of the present program, on a home that an earlier commit left behind."""

from __future__ import annotations

from tests.ui.conftest import garbage_on_this_thread, start, watchdog

__all__ = ["garbage_on_this_thread", "start", "watchdog"]
