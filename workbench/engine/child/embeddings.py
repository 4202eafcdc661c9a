"""Vectors for texts, in a context of their own beside the one that generates."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from workbench.core.errors import BadInput, WorkbenchError
from workbench.engine.child import load_errors
from workbench.engine.child.batch import Batch
from workbench.engine.child.llama import lib, log
from workbench.engine.child.loader import Model, set_adapters

MAX_BATCH_TOKENS = 2048
"""A text is evaluated in one piece, as attention may look ahead; longer contexts raise this for their own texts."""
MAX_BATCH_TEXTS = 64
_POOLING_UNSPECIFIED, _POOLING_NONE, _POOLING_MEAN, _POOLING_RANK = -1, 0, 1, 4


class Embedder:
    """Makes its context at the first text. Texts may be as long as what the model was trained for."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._limit = min(model.info.n_ctx_train or MAX_BATCH_TOKENS, model.info.n_ctx)
        self._n_batch = max(self._limit, min(MAX_BATCH_TOKENS, model.info.n_ctx))
        self._context = self._make_context(_POOLING_UNSPECIFIED)
        pooling = lib.llama_pooling_type(self._context)
        if pooling == _POOLING_NONE:
            lib.llama_free(self._context)
            self._context = self._make_context(_POOLING_MEAN)
        elif pooling == _POOLING_RANK:
            lib.llama_free(self._context)
            raise BadInput("This is a reranking model; it makes no embeddings.", hint="Choose an embedding model.")
        set_adapters(self._context, model.adapters, model.options)
        self._memory = lib.llama_get_memory(self._context)
        self._batch = Batch(self._n_batch)
        self._n_embd = lib.llama_model_n_embd_out(model.handle)

    def run(self, texts: list[str]) -> Iterator[tuple[list[list[float]], int]]:
        """Vectors and the number of tokens evaluated for them, batch by batch, in the texts' order.

        Raises BadInput for a text that is empty or too long.
        """
        group: list[list[int]] = []
        for index, text in enumerate(texts):
            tokens = self._model.vocab.tokenize_special(text)
            if not tokens:
                raise BadInput(f"Text {index + 1} is empty; there is nothing to embed.")
            if len(tokens) > self._limit:
                raise BadInput(
                    f"Text {index + 1} has {len(tokens)} tokens; this model embeds at most {self._limit}.",
                    hint="Cut the text into shorter pieces.",
                )
            if group and (sum(map(len, group)) + len(tokens) > self._n_batch or len(group) >= MAX_BATCH_TEXTS):
                yield self._evaluate(group), sum(map(len, group))
                group = []
            group.append(tokens)
        if group:
            yield self._evaluate(group), sum(map(len, group))

    def _evaluate(self, group: list[list[int]]) -> list[list[float]]:
        if self._memory:
            lib.llama_memory_clear(self._memory, False)
        code = self._batch.run_embeddings(self._context, group, encode=not self._memory)
        if code != 0:
            raise WorkbenchError(f"llama.cpp could not compute the embeddings (code {code}).")
        vectors = []
        for seq_id in range(len(group)):
            pointer = lib.llama_get_embeddings_seq(self._context, seq_id)
            if not pointer:
                raise WorkbenchError("llama.cpp gave no embedding for a text.")
            vectors.append(_normalised(pointer[: self._n_embd]))
        return vectors

    def _make_context(self, pooling: int) -> Any:
        model = self._model
        params = lib.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = self._n_batch
        params.n_seq_max = min(MAX_BATCH_TEXTS, lib.llama_max_parallel_sequences())
        params.n_threads = model.info.n_threads
        params.n_threads_batch = model.options.n_threads_batch or model.info.n_threads
        params.kv_unified = True
        params.embeddings = True
        params.pooling_type = pooling
        params.no_perf = True
        log.clear()
        context = lib.llama_init_from_model(model.handle, params)
        if not context:
            raise load_errors.explain(model.path.name, log.lines, "could not be prepared for embeddings")
        return context


def _normalised(vector: list[float]) -> list[float]:
    """L2 length 1; a vector of zeros stays."""
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector] if length > 0 else vector
