"""Text to tokens and back, for one loaded model."""

from __future__ import annotations

import ctypes
from typing import Any

from workbench.core import tool_calls
from workbench.core.reasoning import CHANNEL, HARMONY_ENDS, MESSAGE, START, TAGS
from workbench.engine.child.llama import lib

_REASONING_MARKS = frozenset(
    text.encode() for text in (*TAGS, *TAGS.values(), CHANNEL, MESSAGE, START, *HARMONY_ENDS, "<|channel>")
)
_TOOL_MARKS = frozenset(text.encode() for text in tool_calls.MARKS)


class Vocab:
    """Thread-safe: llama.cpp's vocabulary is constant, and the cache only ever gains entries."""

    def __init__(self, model: Any) -> None:
        self.handle = lib.llama_model_get_vocab(model)
        self.size: int = lib.llama_vocab_n_tokens(self.handle)
        self.bos: int = lib.llama_vocab_bos(self.handle)
        self.eos: int = lib.llama_vocab_eos(self.handle)
        self._add_bos: bool = lib.llama_vocab_get_add_bos(self.handle)
        self._pieces: dict[int, bytes | None] = {}
        self._tool_marks: dict[int, bytes] = {}

    def tokenize(self, text: str, *, parse_special: bool = True) -> list[int]:
        """The text's own tokens, nothing added."""
        data = text.encode("utf-8", "replace")
        capacity = len(data) + 8
        while True:
            buffer = (ctypes.c_int32 * capacity)()
            count = lib.llama_tokenize(self.handle, data, len(data), buffer, capacity, False, parse_special)
            if count >= 0:
                return buffer[:count]
            capacity = -count

    def tokenize_special(self, text: str) -> list[int]:
        """With the special tokens the model frames a text with (for embeddings: CLS, SEP, BOS, EOS)."""
        data = text.encode("utf-8", "replace")
        capacity = len(data) + 8
        while True:
            buffer = (ctypes.c_int32 * capacity)()
            count = lib.llama_tokenize(self.handle, data, len(data), buffer, capacity, True, False)
            if count >= 0:
                return buffer[:count]
            capacity = -count

    def tokenize_prompt(self, rendered: str) -> list[int]:
        """A rendered chat prompt: special tokens are parsed; BOS is added where the template left it to us."""
        tokens = self.tokenize(rendered)
        if self._add_bos and self.bos >= 0 and tokens[:1] != [self.bos]:
            tokens.insert(0, self.bos)
        return tokens

    def piece(self, token: int) -> bytes | None:
        """Bytes of a generated token; None when it ends the generation.

        Control tokens have no text, except markers that open or close reasoning: those are what tells
        a model's thoughts from its answer.
        """
        try:
            return self._pieces[token]
        except KeyError:
            piece = self._pieces[token] = self._compute_piece(token)
            return piece

    def tool_mark(self, token: int) -> bytes:
        """Bytes of a control token that is a part of tool calls; empty for any other."""
        mark = self._tool_marks.get(token)
        if mark is None:
            text = self._read(token, special=True)
            mark = self._tool_marks[token] = text if text in _TOOL_MARKS else b""
        return mark

    def is_control(self, token: int) -> bool:
        return bool(lib.llama_vocab_is_control(self.handle, token))

    def text(self, token: int) -> str:
        """The token as people write it, control tokens included; for display."""
        if token < 0:
            return ""
        return self._read(token, special=True).decode("utf-8", "replace")

    def _compute_piece(self, token: int) -> bytes | None:
        if lib.llama_vocab_is_eog(self.handle, token):
            return None
        if self.is_control(token):
            text = self._read(token, special=True)
            return text if text in _REASONING_MARKS else b""
        return self._read(token, special=False)

    def _read(self, token: int, *, special: bool) -> bytes:
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            length = lib.llama_token_to_piece(self.handle, token, buffer, size, 0, special)
            if length >= 0:
                return buffer.raw[:length]
            size = -length
