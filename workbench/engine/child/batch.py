"""One reusable `llama_batch` whose arrays Python owns."""

from __future__ import annotations

import ctypes
from typing import Any

from workbench.engine.child.llama import lib


class Batch:
    """Room for `capacity` tokens, each of one sequence. Filled anew for every call; nothing is allocated then."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        ints = ctypes.c_int32 * capacity
        self._token: Any = ints()
        self._pos: Any = ints()
        self._seq: Any = ints()
        self._one = ints(*([1] * capacity))
        self._logits: Any = (ctypes.c_int8 * capacity)()
        int_pointer = ctypes.POINTER(ctypes.c_int32)
        base, width = ctypes.addressof(self._seq), ctypes.sizeof(ctypes.c_int32)
        self._seq_pointers = (int_pointer * capacity)(
            *(ctypes.cast(base + i * width, int_pointer) for i in range(capacity))
        )
        self._struct = lib.llama_batch()
        self._struct.token = ctypes.cast(self._token, int_pointer)
        self._struct.pos = ctypes.cast(self._pos, int_pointer)
        self._struct.n_seq_id = ctypes.cast(self._one, int_pointer)
        self._struct.seq_id = ctypes.cast(self._seq_pointers, ctypes.POINTER(int_pointer))
        self._struct.logits = ctypes.cast(self._logits, ctypes.POINTER(ctypes.c_int8))

    def decode_chunk(self, context: Any, seq_id: int, tokens: list[int], start: int) -> int:
        """Evaluate consecutive tokens of one sequence, without outputs. Returns llama_decode's code."""
        n = len(tokens)
        self._token[:n] = tokens
        self._pos[:n] = range(start, start + n)
        self._seq[:n] = [seq_id] * n
        ctypes.memset(self._logits, 0, n)
        self._struct.n_tokens = n
        code: int = lib.llama_decode(context, self._struct)
        return code

    def decode_rows(self, context: Any, rows: list[tuple[int, int, int]]) -> int:
        """Evaluate one (seq_id, token, position) for each sequence; output i belongs to row i."""
        for i, (seq_id, token, position) in enumerate(rows):
            self._token[i] = token
            self._pos[i] = position
            self._seq[i] = seq_id
            self._logits[i] = 1
        self._struct.n_tokens = len(rows)
        code: int = lib.llama_decode(context, self._struct)
        return code

    def run_embeddings(self, context: Any, texts: list[list[int]], *, encode: bool) -> int:
        """Evaluate whole texts, text i as sequence i, with an output for every token."""
        n = 0
        for seq_id, tokens in enumerate(texts):
            end = n + len(tokens)
            self._token[n:end] = tokens
            self._pos[n:end] = range(len(tokens))
            self._seq[n:end] = [seq_id] * len(tokens)
            n = end
        ctypes.memset(self._logits, 1, n)
        self._struct.n_tokens = n
        run = lib.llama_encode if encode else lib.llama_decode
        code: int = run(context, self._struct)
        return code
