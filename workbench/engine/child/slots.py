"""Which tokens llama.cpp's cache holds, and how a new prompt gets the most out of them.

Each slot is one sequence id. A slot is free, in use by a request, or parked: its request has ended, its tokens stay
so that a later prompt that begins with them need not evaluate them again. Cells of a shared prefix are counted once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from workbench.engine.child.llama import lib

ALIGNMENT = 64
"""ggml's flash attention works on tiles of 64 tokens; a prompt cut there gives the same bits as an uncut one."""


@dataclass(slots=True, eq=False)
class Slot:
    seq_id: int
    tokens: list[int] = field(default_factory=list)
    """In the cache, in order of position."""
    cells: list[int] = field(default_factory=list)
    """An identity for each token's cell; a shared cell has the same in every slot."""
    n_prompt: int = 0
    """Leading tokens that were a prompt; the rest was generated."""
    in_use: bool = False
    solo: bool = False
    """Its tokens lie in the first cells, in order, and nothing else was computed: the bits of a new process."""
    last_used: int = 0
    text: str = ""
    """Of a parked one: the prompt as rendered, and the answer."""
    drawn: list[int] = field(default_factory=list)
    """Of a parked one: the tokens of `text`. The last one may not be evaluated."""


class SlotPool:
    """Keeps the account of llama.cpp's memory. Every change of the cache but evaluation goes through here."""

    def __init__(self, memory: Any, n_slots: int, n_cells: int, *, can_trim: bool, n_swa: int) -> None:
        self._memory = memory
        self._can_trim = can_trim
        self._n_swa = n_swa
        self._n_cells = n_cells
        self._slots = [Slot(seq_id) for seq_id in range(n_slots)]
        self._sharers: Counter[int] = Counter()
        self._next_cell = 0
        self._clock = 0

    @property
    def cells_used(self) -> int:
        return len(self._sharers)

    @property
    def cells_free(self) -> int:
        return self._n_cells - len(self._sharers)

    @property
    def slots(self) -> list[Slot]:
        return self._slots

    @property
    def can_trim(self) -> bool:
        return self._can_trim

    def source(self, prompt: list[int]) -> tuple[Slot | None, int]:
        """The slot with the longest usable common beginning, and its length; of equal ones a parked one."""
        best: tuple[Slot | None, int] = (None, 0)
        for slot in self._slots:
            shared = self._usable(slot, prompt)
            if shared > best[1] or (shared == best[1] and shared and best[0] is not None and best[0].in_use):
                best = (slot, shared)
        return best

    def acquire(self, prompt: list[int], *, exact: bool) -> tuple[Slot, int]:
        """A slot for the prompt, and how many of its tokens are in it. There must be one that is not in use.

        The last token is never among them: evaluating it gives the logits the answer starts from. `exact` gives away
        what was computed under other conditions, so that the rest is evaluated in the same tiles and cells as it would
        be without the cache (but not where a conversation goes on or a prompt is repeated).
        """
        busy = [slot for slot in self._slots if slot.in_use]
        for slot in busy:
            slot.solo = False
        if exact and not busy:
            return self._acquire_solo(prompt)
        source, shared = self.source(prompt)
        if exact and source is not None:
            shared = self._whole_tiles(source, shared, prompt)
        if source is None or shared == 0:
            is_first = not busy and not self._sharers
            slot = self._take_free()
            slot.solo = is_first
            return slot, 0
        # A parked slot that is this conversation goes on in place; of a mere common beginning a copy is made.
        goes_on = shared >= min(source.n_prompt, len(prompt)) - 1 or shared == len(source.tokens)
        if not source.in_use and (goes_on or not self._free_slots(keep=source)):
            slot = source
            slot.solo = slot.solo and not busy and len(self._sharers) == len(slot.tokens)
        else:
            slot = self._take_free(keep=source)
            self._copy(source, slot, shared)
        self._use(slot)
        return slot, self._cut(slot, shared)

    def _acquire_solo(self, prompt: list[int]) -> tuple[Slot, int]:
        """Of what is parked only that counts, and stays, whose bits are those of a new process."""
        slot = next((slot for slot in self._slots if slot.solo and slot.tokens), None)
        shared = self._whole_tiles(slot, self._usable(slot, prompt), prompt) if slot is not None else 0
        while self.evict(keep=slot if shared else None):
            pass
        if slot is None or shared == 0:
            slot = self._take_free()
            slot.solo = True
            return slot, 0
        self._use(slot)
        return slot, self._cut(slot, shared)

    def _usable(self, slot: Slot, prompt: list[int]) -> int:
        """Leading tokens of the prompt the slot could give."""
        shared = min(common_prefix(slot.tokens, prompt), len(prompt) - 1)
        return shared if self._can_trim or shared == len(slot.tokens) else 0

    def _whole_tiles(self, source: Slot, shared: int, prompt: list[int]) -> int:
        """Down to a tile's border, unless the prompt is repeated or its conversation goes on."""
        if self._can_trim and shared < min(len(prompt) - 1, source.n_prompt):
            return shared - shared % ALIGNMENT
        return shared

    def take_empty(self) -> Slot:
        """An empty slot, in use. There must be one that is not in use."""
        return self._take_free()

    def mostly_own(self, slot: Slot) -> bool:
        """Whether most of its cells are shared with no other."""
        return 2 * sum(self._sharers[cell] == 1 for cell in slot.cells) >= len(slot.cells)

    def grow(self, slot: Slot, tokens: Iterable[int]) -> None:
        """Note tokens that llama.cpp has evaluated."""
        for token in tokens:
            slot.tokens.append(token)
            slot.cells.append(self._next_cell)
            self._sharers[self._next_cell] = 1
            self._next_cell += 1

    def park(self, slot: Slot, n_prompt: int, text: str = "", drawn: list[int] | None = None) -> None:
        """The request is over; keep what it evaluated."""
        slot.in_use = False
        slot.text, slot.drawn = text, drawn or []
        slot.n_prompt = min(n_prompt, len(slot.tokens))
        self._clock += 1
        slot.last_used = self._clock

    def clear(self, slot: Slot) -> None:
        """Forget the slot's tokens."""
        lib.llama_memory_seq_rm(self._memory, slot.seq_id, -1, -1)
        self._forget(slot, 0)
        slot.in_use = slot.solo = False
        slot.n_prompt = 0

    def conversation(self, rendered: str) -> Slot | None:
        """The parked slot with the longest text that the rendered prompt goes on from."""
        found = [s for s in self._slots if not s.in_use and s.tokens and s.text and rendered.startswith(s.text)]
        return max(found, key=lambda slot: len(slot.text), default=None)

    def evict(self, keep: Slot | None = None) -> bool:
        """Clear the parked slot that was used longest ago. False where there is none."""
        parked = [slot for slot in self._slots if slot.tokens and not slot.in_use and slot is not keep]
        if not parked:
            return False
        self.clear(min(parked, key=lambda slot: slot.last_used))
        return True

    def _free_slots(self, keep: Slot | None = None) -> list[Slot]:
        return [slot for slot in self._slots if not slot.in_use and not slot.tokens and slot is not keep]

    def _take_free(self, keep: Slot | None = None) -> Slot:
        while not (free := self._free_slots(keep)):
            if not self.evict(keep):
                raise RuntimeError("no slot is free")
        self._use(free[0])
        return free[0]

    def _use(self, slot: Slot) -> None:
        self._clock += 1
        slot.in_use, slot.last_used, slot.n_prompt = True, self._clock, 0

    def _copy(self, source: Slot, target: Slot, n: int) -> None:
        whole = n == len(source.tokens)
        lib.llama_memory_seq_cp(self._memory, source.seq_id, target.seq_id, -1 if whole else 0, -1 if whole else n)
        target.tokens, target.cells = source.tokens[:n], source.cells[:n]
        self._sharers.update(target.cells)

    def _cut(self, slot: Slot, n: int) -> int:
        """Shorten to n tokens. Where llama.cpp can't, or its window has forgotten them, start over: 0."""
        kept = n == len(slot.tokens) or lib.llama_memory_seq_rm(self._memory, slot.seq_id, n, -1)
        if kept and self._n_swa:
            oldest = lib.llama_memory_seq_pos_min(self._memory, slot.seq_id)
            kept = 0 <= oldest <= max(0, n - self._n_swa)
        if not kept:
            lib.llama_memory_seq_rm(self._memory, slot.seq_id, -1, -1)
            n = 0
        self._forget(slot, n)
        return n

    def _forget(self, slot: Slot, keep: int) -> None:
        for cell in slot.cells[keep:]:
            if self._sharers[cell] == 1:
                del self._sharers[cell]
            else:
                self._sharers[cell] -= 1
        del slot.tokens[keep:], slot.cells[keep:]


def common_prefix(a: list[int], b: list[int]) -> int:
    """Length of the longest common beginning. Compares slices, which Python does at C speed."""
    low, high = 0, min(len(a), len(b))
    if a[:high] == b[:high]:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle
    return low
