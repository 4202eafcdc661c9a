"""What the cache holds for a sequence, kept outside of it while the sequence waits for cells.

Evaluated again, tokens that were drawn one by one would come as a prompt, whose low bits differ, and a later draw
might too. Put back, they are what they were, and it is quicker.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import psutil

from workbench.engine.child.llama import lib

MOST_BYTES = 1 << 30
"""For all sequences that wait."""
SHARE_OF_FREE_MEMORY = 0.25
"""Less than `MOST_BYTES` on a machine that is short of memory."""


@dataclass(frozen=True, slots=True, eq=False)
class SavedState:
    tokens: list[int]
    """That the state is of, in order."""
    data: Any
    """A ctypes array of bytes, as llama.cpp wrote it."""


class StateSaver:
    """Saves sequences of one context, and puts them back."""

    def __init__(self, context: Any, most_bytes: int = MOST_BYTES) -> None:
        self._context = context
        self._most_bytes = most_bytes

    def save(self, seq_id: int, tokens: list[int], others: int) -> SavedState | None:
        """The state of a sequence with these tokens; None where it is too big beside the `others` bytes saved."""
        size = lib.llama_state_seq_get_size(self._context, seq_id)
        free = int(psutil.virtual_memory().available * SHARE_OF_FREE_MEMORY)
        if not size or size + others > self._most_bytes or size > free:
            return None
        data = (ctypes.c_uint8 * size)()
        if lib.llama_state_seq_get_data(self._context, data, size, seq_id) != size:
            return None
        return SavedState(list(tokens), data)

    def restore(self, saved: SavedState, seq_id: int) -> bool:
        """Put it into an empty sequence. False, and the sequence is as empty as before, where it does not fit."""
        return bool(lib.llama_state_seq_set_data(self._context, saved.data, len(saved.data), seq_id))
