"""Continuous batching: many requests share one context and are decoded together.

Each step evaluates one chunk of one prompt and then one token of every request that is generating, in two calls of
llama.cpp. They are kept apart on purpose: mixed into one batch, a generated token would be computed by the kernels
made for prompts. Prompts are cut at multiples of 64 (see `SlotPool.acquire`), so a request with a seed that has the
model to itself draws the same tokens in a new process, again from the cache, and after anything else went through the
cache; measured on CPUs with flash attention. With `n_parallel=1` every request has the model to itself.

Next to others a seed may draw differently: ggml adds up in the order of the cells and, for 64 tokens and more, in
tiles of 64 cells, and which cells are free depends on who else is there. So may an earlier answer in the prompt (its
tokens were computed one by one, in a new process they come as a prompt), flash attention off, and GPU kernels that
choose by batch size.

The second turn of a chat evaluates `prompt_tokens - cached_tokens` tokens, where cached_tokens is the first turn's
prompt_tokens + completion_tokens, less one if the answer ended by length (the token drawn last was never evaluated).
The end-of-turn token counts as new: it was drawn, but not evaluated either. An answer that the tokenizer would cut
differently than the model wrote it keeps the model's tokens, as long as it is parked.

When cells run out, parked sequences go first, the longest unused at first. Then the youngest request steps back: its
cells are given up, it waits at the head of the queue, and when others are done what it had is put back as it was (or,
where that is too big to keep, evaluated again, prompt and answer). It keeps its sampler and has already said what it
said, so nothing is told twice. The oldest always goes on, so it
ends; alone it can fill the whole context and finishes with "length".
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable

from workbench.core.errors import ErrorInfo
from workbench.engine.child.batch import Batch
from workbench.engine.child.candidates import Candidates
from workbench.engine.child.llama import lib
from workbench.engine.child.loader import Model
from workbench.engine.child.saved_state import StateSaver
from workbench.engine.child.sequence import Sequence
from workbench.engine.child.slots import ALIGNMENT, Slot, SlotPool, common_prefix

CHUNK_S = 0.15
"""Aim for the time one chunk of a prompt takes while others generate: what they, and a cancel, wait."""
CHUNK_ALONE_S = 0.4
"""The same where nobody else waits."""
LEAST_CHUNK = 16
"""Tokens of a chunk on a slow machine while others generate; a request with a seed of its own keeps to whole tiles."""
RETURN_RESERVE_TOKENS = 256
"""Free cells a request that stepped back wants beyond its own, or it would soon step back again."""
TELL_EVERY_S = 0.02
"""Text waits so long for more of it to be sent along: every write wakes the window's process, and with all cores
computing that takes one of them away. The first token, an end, and what comes before a prompt's chunk go at once."""
WORTH_WAITING_TOKENS = 32
"""A request waits for another that evaluates at least this many more tokens of its prompt."""

_NO_SLOT = 1


class Scheduler:
    """Runs on the thread that calls `step`. `send` gets the sequences with something to say after each step."""

    def __init__(self, model: Model, send: Callable[[list[Sequence]], None]) -> None:
        self._model = model
        self._context = model.context
        self._vocab = model.vocab
        self._n_ctx = model.info.n_ctx
        self._n_batch = model.info.n_batch
        self._n_parallel = min(model.info.n_parallel, model.n_slots)
        self._send = send
        memory = lib.llama_get_memory(model.context)
        n_cells = self._n_ctx if not lib.llama_model_is_recurrent(model.handle) else 2**31
        self.pool = SlotPool(memory, model.n_slots, n_cells, can_trim=model.can_trim, n_swa=model.n_swa)
        self._saver = StateSaver(model.context)
        self._batch = Batch(max(self._n_batch, self._n_parallel))
        self._queue: list[Sequence] = []
        self._active: list[Sequence] = []
        self._order = 0
        self._turn = 0
        self._told_at = 0.0
        self._tokens_per_s = 0.0
        self._candidates: Candidates | None = None
        self._sample = lib.llama_sampler_sample

    # --- from outside ---
    @property
    def running(self) -> int:
        return len(self._active)

    @property
    def queued(self) -> int:
        return len(self._queue)

    @property
    def idle(self) -> bool:
        return not self._active and not self._queue

    def add(self, sequence: Sequence) -> None:
        self._rejoin(sequence)
        self._queue.append(sequence)

    def cancel(self, request_id: int) -> bool:
        """Stop a request, running or queued. True if there was one."""
        for sequence in (*self._active, *self._queue):
            if sequence.id == request_id:
                sequence.finish("cancelled")
                return True
        return False

    def step(self) -> None:
        """One round. A failure of ours ends the requests it hit and no others."""
        try:
            self._collect()
            self._admit()
            # A chunk can take long: what is to be said is said before it.
            self._tell(may_wait=not any(s.is_prefilling for s in self._active))
            self._prefill()
            self._admit()  # who waited for a part of that prompt can have it now
            self._decode()
        except Exception:
            self._fail_all(traceback.format_exc())
        self._collect()

    # --- coming and going ---
    def _collect(self) -> None:
        """Send what the sequences have to say, and take back the slots of those that are done."""
        ended = [s for s in self._queue if s.finished]
        self._tell(ended, may_wait=not ended)
        for sequence in ended:
            self._queue.remove(sequence)
            sequence.close()
        if any(s.finished for s in self._active):
            for sequence in [s for s in self._active if s.finished]:
                self._active.remove(sequence)
                if sequence.slot is not None:
                    self.pool.park(sequence.slot, sequence.n_prompt, sequence.text(self._vocab), sequence.tokens)
                sequence.close()

    def _tell(self, ended: Iterable[Sequence] = (), *, may_wait: bool = False) -> None:
        """Send what the active sequences have to say, and those that ended in the queue."""
        talking = [*(s for s in self._active if s.events), *ended]
        if not talking:
            return
        now = time.perf_counter()
        if may_wait and now - self._told_at < TELL_EVERY_S and not any(s.is_urgent for s in talking):
            return
        self._told_at = now
        self._send(talking)

    def _rejoin(self, sequence: Sequence) -> None:
        """Let a conversation go on in the tokens the model wrote, where the tokenizer would cut its answer otherwise.

        Only where what follows starts with a control token (the end of the turn): no token spans that border.
        """
        slot = self.pool.conversation(sequence.prompt.rendered)
        if slot is None:
            return
        rest = self._vocab.tokenize(sequence.prompt.rendered[len(slot.text) :])
        if rest and self._vocab.is_control(rest[0]) and len(slot.drawn) + len(rest) <= self._n_ctx:
            sequence.retokenized([*slot.drawn, *rest])

    def _admit(self) -> None:
        for sequence in list(self._queue):
            if len(self._active) >= self._n_parallel:
                return
            if sequence.finished or self._should_wait(sequence):
                continue
            if not self._make_room(sequence):
                return  # later ones must not overtake it for ever
            self._queue.remove(sequence)
            self._order += 1
            slot, reused = self._put_back(sequence) or self.pool.acquire(sequence.tokens, exact=sequence.seed_given)
            sequence.admitted(slot, reused, self._order)
            self._active.append(sequence)

    def _put_back(self, sequence: Sequence) -> tuple[Slot, int] | None:
        """The slot with what a sequence had when it stepped back. None: it must be evaluated again."""
        saved, sequence.saved = sequence.saved, None
        if saved is None:
            return None
        slot = self.pool.take_empty()
        if not self._saver.restore(saved, slot.seq_id):
            self.pool.clear(slot)
            return None
        self.pool.grow(slot, saved.tokens)
        return slot, len(saved.tokens)

    def _should_wait(self, sequence: Sequence) -> bool:
        """Whether a running request will soon have evaluated a good part of this one's prompt."""
        if sequence.saved is not None:
            return False
        leader = sequence.leader
        if leader is not None and leader.is_prefilling and leader.slot is not None:
            return len(leader.slot.tokens) < sequence.leader_tokens
        sequence.leader = None
        best = self.pool.source(sequence.tokens)[1] + WORTH_WAITING_TOKENS - 1
        for other in self._active:
            if other.is_prefilling:
                shared = self._will_share(sequence, other)
                if shared > best:
                    sequence.leader, sequence.leader_tokens, best = other, shared, shared
        return sequence.leader is not None

    def _will_share(self, sequence: Sequence, other: Sequence) -> int:
        from_start = common_prefix(sequence.tokens, other.tokens)
        shared = min(from_start, len(sequence.tokens) - 1, len(other.tokens) - 1)
        if not self.pool.can_trim and shared != len(other.tokens) - 1:
            return 0
        return shared

    def _make_room(self, sequence: Sequence) -> bool:
        """Whether the prompt will fit beside the others; parked sequences make way."""
        while True:
            source, reused = self.pool.source(sequence.tokens) if sequence.saved is None else (None, 0)
            needed = len(sequence.tokens) - reused + len(self._active)
            needed += RETURN_RESERVE_TOKENS if sequence.started else 0
            needed += sum(s.pending for s in self._active)
            if not self._active or needed <= self.pool.cells_free:
                return True
            if not self.pool.evict(keep=source) and not self.pool.evict():
                return False

    # --- evaluating ---
    def _prefill(self) -> None:
        """One chunk of one prompt, in turns."""
        waiting = [s for s in self._active if s.is_prefilling]
        if not waiting:
            return
        self._turn += 1
        sequence = waiting[self._turn % len(waiting)]
        slot = sequence.slot
        assert slot is not None
        start = len(slot.tokens)
        size = self._chunk_size(sequence, start)
        while size > self.pool.cells_free and self.pool.evict():
            pass
        size = min(size, self.pool.cells_free)
        if size < 1:
            self._step_back()
            return
        chunk = sequence.tokens[start : start + size]
        began = time.perf_counter()
        code = self._batch.decode_chunk(self._context, slot.seq_id, chunk, start)
        if code == 0:
            lib.llama_synchronize(self._context)
            self._measure(size, time.perf_counter() - began)
            self.pool.grow(slot, chunk)
            sequence.chunk_evaluated(size)
        elif code == _NO_SLOT:
            if not self.pool.evict():
                self._step_back()
        else:
            self._fail([sequence], code)

    def _chunk_size(self, sequence: Sequence, start: int) -> int:
        """So many tokens as take about `CHUNK_S`, ending at a tile's border unless the prompt ends."""
        remaining = sequence.pending - 1
        seconds = CHUNK_S if len(self._active) > 1 else CHUNK_ALONE_S
        size = int(self._tokens_per_s * seconds) if self._tokens_per_s else ALIGNMENT
        least = ALIGNMENT if len(self._active) == 1 or sequence.seed_given else LEAST_CHUNK
        size = min(max(size, least), self._n_batch)
        if size >= remaining:
            return remaining
        end = (start + size) // ALIGNMENT * ALIGNMENT
        return end - start if end > start else size

    def _measure(self, n_tokens: int, seconds: float) -> None:
        if n_tokens >= ALIGNMENT // 2 and seconds > 0:
            rate = n_tokens / seconds
            self._tokens_per_s = rate if not self._tokens_per_s else 0.5 * self._tokens_per_s + 0.5 * rate

    def _decode(self) -> None:
        """One token for everyone whose prompt is done."""
        ready = [s for s in self._active if not s.finished and s.pending == 1]
        while len(ready) > self.pool.cells_free:
            if not self.pool.evict():
                self._step_back()
                ready = [s for s in ready if s.slot is not None and not s.finished]
        if not ready:
            return
        rows = []
        for sequence in ready:
            slot = sequence.slot
            assert slot is not None
            rows.append((slot.seq_id, sequence.tokens[-1], len(slot.tokens)))
        code = self._batch.decode_rows(self._context, rows)
        if code == _NO_SLOT:
            if not self.pool.evict():
                self._step_back()
            return  # the next step tries again
        if code != 0:
            self._fail(ready, code)
            return
        for row, sequence in enumerate(ready):
            assert sequence.slot is not None
            self.pool.grow(sequence.slot, sequence.tokens[-1:])
            try:
                self._draw(sequence, row)
            except Exception:
                self._bug(sequence, traceback.format_exc())

    def _draw(self, sequence: Sequence, row: int) -> None:
        if not sequence.n_generated:
            sequence.chunk_evaluated(1)
        if sequence.sampling.max_tokens == 0:
            sequence.finish("length")
            return
        forced = sequence.forced_token(self._vocab)
        if forced is not None:
            lib.llama_sampler_accept(sequence.chain.handle, forced)
            sequence.accept(forced, self._vocab, self._n_ctx, None)
            return
        if sequence.grammar is None and sequence.sampling.logprobs is None:
            token = self._sample(sequence.chain.handle, self._context, row)
            sequence.accept(token, self._vocab, self._n_ctx, None)
            return
        self._draw_with_care(sequence, row)

    def _draw_with_care(self, sequence: Sequence, row: int) -> None:
        """The same, with a grammar or log-probabilities, in llama.cpp's server's order: draw freely, and only where
        the grammar refuses that token, draw again among those it allows."""
        if self._candidates is None:
            self._candidates = Candidates(self._vocab)
        candidates, grammar = self._candidates, sequence.grammar
        logits = candidates.logits(self._context, row)
        token: int | None = candidates.sample(sequence.chain.handle, logits)
        if grammar is not None and token is not None:
            if not candidates.allowed(grammar.handle, token):
                token = candidates.sample_within(sequence.chain.handle, grammar.handle, logits)
            if token is None:
                sequence.finish("stop", detail="grammar_dead_end")
                return
            lib.llama_sampler_accept(grammar.handle, token)
        assert token is not None
        lib.llama_sampler_accept(sequence.chain.handle, token)
        wanted = sequence.sampling.logprobs
        logprob = candidates.logprob(logits, token, wanted) if wanted is not None else None
        sequence.accept(token, self._vocab, self._n_ctx, logprob)

    # --- when it does not go well ---
    def _step_back(self) -> None:
        """No cell is left and nothing is parked: the youngest gives its cells up and waits; alone it has come to the
        context's end."""
        running = [s for s in self._active if not s.finished and s.slot is not None]
        if len(running) <= 1:
            for sequence in running:
                sequence.context_full(self._n_ctx)
            return
        youngest = max(running, key=lambda s: s.order)
        assert youngest.slot is not None
        if youngest.seed_given or self.pool.mostly_own(youngest.slot):
            others = sum(len(s.saved.data) for s in self._queue if s.saved is not None)
            youngest.saved = self._saver.save(youngest.slot.seq_id, youngest.slot.tokens, others)
        self.pool.clear(youngest.slot)
        youngest.slot = None
        self._active.remove(youngest)
        if youngest.events:
            self._send([youngest])
        self._queue.insert(0, youngest)

    def _fail(self, sequences: list[Sequence], code: int) -> None:
        """llama.cpp could not compute. What it left of these sequences in its memory is not to be trusted."""
        error = ErrorInfo(
            kind="engine_failed",
            message=f"llama.cpp could not compute the next tokens (code {code}).",
            hint="Try again; if it happens again, use fewer GPU layers or a smaller context.",
        )
        for sequence in sequences:
            sequence.finish("failed", error=error)
            self._drop_slot(sequence)

    def _bug(self, sequence: Sequence, detail: str) -> None:
        message = "The engine has a bug: this request could not be answered."
        sequence.finish("failed", error=ErrorInfo(kind="bug", message=message, detail=detail))
        self._drop_slot(sequence)

    def _fail_all(self, detail: str) -> None:
        for sequence in self._active:
            self._bug(sequence, detail)

    def _drop_slot(self, sequence: Sequence) -> None:
        if sequence.slot is not None:
            self.pool.clear(sequence.slot)
            sequence.slot = None
