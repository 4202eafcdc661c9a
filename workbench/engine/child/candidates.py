"""All of a step's logits as numpy sees them: for log-probabilities and for grammars, which need more than llama.cpp's
one-call sampling gives. numpy comes with llama-cpp-python and is loaded when a request first needs it."""

from __future__ import annotations

import ctypes
from typing import Any

from workbench.core.events import TokenLogprob
from workbench.engine.child.llama import lib
from workbench.engine.child.vocab import Vocab


class Candidates:
    """Reusable array of `llama_token_data` for one vocabulary."""

    def __init__(self, vocab: Vocab) -> None:
        import numpy  # noqa: PLC0415 - 0.1 s that most requests don't need

        self._numpy = numpy
        self._vocab = vocab
        self._data = numpy.zeros(
            vocab.size, dtype=numpy.dtype([("id", "i4"), ("logit", "f4"), ("p", "f4")], align=True)
        )
        self._ids = numpy.arange(vocab.size, dtype="i4")
        self._array = lib.llama_token_data_array()
        self._single = (lib.llama_token_data * 1)()
        self._single_array = lib.llama_token_data_array()

    def logits(self, context: Any, row: int) -> Any:
        """View of the row's logits; valid until the next decode."""
        return self._numpy.ctypeslib.as_array(lib.llama_get_logits_ith(context, row), (self._vocab.size,))

    def sample(self, chain: Any, logits: Any) -> int:
        """Draw with a chain, without accepting."""
        self._fill(logits)
        return self._select(chain)

    def sample_within(self, chain: Any, grammar: Any, logits: Any) -> int | None:
        """Draw among the tokens the grammar allows; None where it allows none."""
        self._fill(logits)
        lib.llama_sampler_apply(grammar, ctypes.byref(self._array))
        if not self._numpy.isfinite(self._data["logit"]).any():
            return None
        token = self._select(chain)
        return token if self.allowed(grammar, token) else None

    def allowed(self, grammar: Any, token: int) -> bool:
        self._single[0].id, self._single[0].logit, self._single[0].p = token, 1.0, 0.0
        array = self._single_array
        array.data = ctypes.cast(self._single, lib.llama_token_data_p)
        array.size, array.selected, array.sorted = 1, -1, False
        lib.llama_sampler_apply(grammar, ctypes.byref(array))
        return bool(self._single[0].logit > -1e30)

    def logprob(self, logits: Any, token: int, alternatives: int) -> TokenLogprob:
        """Natural log-probability before any filter, with the `alternatives` most likely tokens."""
        numpy = self._numpy
        values = logits.astype("f8")
        top = float(values.max())
        log_sum = top + float(numpy.log(numpy.exp(values - top).sum()))
        best: tuple[tuple[str, float], ...] = ()
        if alternatives:
            ids = numpy.argpartition(values, -alternatives)[-alternatives:]
            ids = ids[numpy.argsort(-values[ids], kind="stable")]
            best = tuple((self._vocab.text(int(i)), float(values[i]) - log_sum) for i in ids)
        return TokenLogprob(self._vocab.text(token), float(values[token]) - log_sum, best)

    def _fill(self, logits: Any) -> None:
        self._data["id"] = self._ids
        self._data["logit"] = logits
        self._data["p"] = 0.0
        array = self._array
        array.data = ctypes.cast(self._data.ctypes.data, lib.llama_token_data_p)
        array.size, array.selected, array.sorted = self._vocab.size, -1, False

    def _select(self, chain: Any) -> int:
        lib.llama_sampler_apply(chain, ctypes.byref(self._array))
        return int(self._array.data[self._array.selected].id)
