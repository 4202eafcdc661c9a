"""Texts the user reads; see `workbench.core.tr`."""

from workbench.core.tr import mark, tr, translated, trc, trn

__all__ = ["mark", "tr", "translated", "trc", "trn"]
