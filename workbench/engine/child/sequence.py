"""One request on its way: from its prompt's tokens to the events of its answer."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import psutil

from workbench.core.errors import ErrorInfo
from workbench.core.events import (
    Finished,
    FinishReason,
    Logprobs,
    Notice,
    PromptProgress,
    ReasoningDelta,
    RunDetails,
    StreamEvent,
    TextDelta,
    Timings,
    TokenLogprob,
    Usage,
)
from workbench.core.reasoning import Piece, ReasoningSplitter
from workbench.core.requests import ChatRequest, Sampling
from workbench.core.tool_calls import ToolCallFinder
from workbench.engine.child.grammar import Grammar
from workbench.engine.child.prompt import Prompt
from workbench.engine.child.sampling import Chain
from workbench.engine.child.saved_state import SavedState
from workbench.engine.child.slots import Slot
from workbench.engine.child.vocab import Vocab
from workbench.engine.generic_tools import GenericAnswer
from workbench.engine.text_stream import TextStream

PROMPT_TAIL_CHARACTERS = 400
"""How much of the prompt's end the reasoning splitter sees."""

_process = psutil.Process()


@dataclass(slots=True, eq=False)
class Sequence:
    """Owned by the scheduler once it is queued; until then by the thread that prepares it."""

    id: int
    request: ChatRequest
    prompt: Prompt
    sampling: Sampling
    chain: Chain
    grammar: Grammar | None
    details: RunDetails
    seed_given: bool
    tokens: list[int] = field(default_factory=list)
    """The prompt's and those drawn since; the slot holds how many of them are evaluated."""
    slot: Slot | None = None
    saved: SavedState | None = None
    """What its slot held when it stepped back."""
    cached: int = 0
    order: int = 0
    """Rising with admission: the largest is the youngest."""
    leader: Sequence | None = None
    """A running request that is evaluating this one's prompt, or a long part of it: worth waiting for."""
    leader_tokens: int = 0
    events: list[StreamEvent] = field(default_factory=list)
    """To be sent; whoever sends them empties the list."""
    notices: list[Notice] = field(default_factory=list)
    finished: bool = False
    started: bool = False
    _stream: TextStream = field(default_factory=TextStream)
    _splitter: ReasoningSplitter | None = None
    _calls: ToolCallFinder | GenericAnswer | None = None
    """Only where the request has tools."""
    _reasoning_tokens: int = 0
    _budget: int | None = None
    """Tokens after which reasoning is ended; None: never, or it was done."""
    _forced: list[int] = field(default_factory=list)
    """Tokens to come instead of drawn ones."""
    _evaluated: int = 0
    _prefill_start: float = 0.0
    _prefill_s: float = 0.0
    _first_token_at: float = 0.0
    _last_token_at: float = 0.0

    def __post_init__(self) -> None:
        self.tokens = list(self.prompt.tokens)
        self._stream = TextStream((*(self.sampling.stop or ()), *self.prompt.stop))
        continued = self.request.messages[-1] if self.request.continue_last and self.request.messages else None
        self._splitter = ReasoningSplitter(self.prompt.rendered[-PROMPT_TAIL_CHARACTERS:], continued=continued)
        if self.grammar is None:
            self._budget = self.request.reasoning.budget_tokens
        if self.prompt.explains_tools:
            self._calls = GenericAnswer(self.request.tools)
        elif self.request.tools:
            self._calls = ToolCallFinder(self.request.tools, continues_text=continued is not None)

    # --- where it is ---
    @property
    def n_prompt(self) -> int:
        return len(self.prompt.tokens)

    @property
    def n_generated(self) -> int:
        return len(self.tokens) - len(self.prompt.tokens)

    @property
    def pending(self) -> int:
        """Tokens that are not evaluated yet; 1 means: ready for a decode step."""
        return len(self.tokens) - (len(self.slot.tokens) if self.slot else 0)

    @property
    def is_prefilling(self) -> bool:
        return not self.finished and self.slot is not None and self.pending > 1

    @property
    def is_urgent(self) -> bool:
        """What it has to say is not just more of its text."""
        return self.finished or self.n_generated <= 1

    def text(self, vocab: Vocab) -> str:
        """Prompt and answer as the model sees them, without what ended the answer."""
        answer = b"".join(vocab.piece(token) or b"" for token in self.tokens[self.n_prompt :])
        return self.prompt.rendered + answer.decode("utf-8", "replace")

    # --- what happens to it ---
    def retokenized(self, tokens: list[int]) -> None:
        """The same prompt in other tokens; before it is admitted."""
        self.prompt = replace(self.prompt, tokens=tokens)
        self.tokens = list(tokens)

    def admitted(self, slot: Slot, reused: int, order: int) -> None:
        """It has a slot, with `reused` of its tokens in it. A preempted request comes here again."""
        self.slot, self.order = slot, order
        self.leader = None
        if self.started:
            return
        self.started = True
        self.chain.accept_prompt(self.tokens)
        self.cached = reused
        self._prefill_start = time.perf_counter()
        self.events.append(self.details)
        self.events.extend(self.notices)
        self._progress()

    def chunk_evaluated(self, n_tokens: int) -> None:
        if not self.n_generated:
            self._evaluated = min(self._evaluated + n_tokens, self.n_prompt - self.cached)
            self._progress()

    def forced_token(self, vocab: Vocab) -> int | None:
        """Instead of a drawn one: of the tag that ends reasoning whose budget is spent."""
        spent = self._budget is not None and self.n_generated >= self._budget
        if spent and self._splitter is not None and (closer := self._splitter.closer):
            self._budget = None
            self._forced = vocab.tokenize(f"\n{closer}\n\n")
        return self._forced.pop(0) if self._forced else None

    def accept(self, token: int, vocab: Vocab, n_ctx: int, logprob: TokenLogprob | None) -> None:
        """Take the token drawn after the last evaluated one."""
        now = time.perf_counter()
        if not self._first_token_at:
            self._first_token_at = now
            self._prefill_s = now - self._prefill_start
        self._last_token_at = now
        piece = vocab.piece(token)
        if piece is None:
            self.finish("stop")
            return
        self.tokens.append(token)
        if logprob is not None:
            self.events.append(Logprobs((logprob,)))
        if not piece and self._calls is not None:
            piece = vocab.tool_mark(token)
        if piece:
            text = self._stream.feed(piece)
            if text:
                self._emit(text)
        if self._stream.stopped_by is not None:
            self.finish("stop", detail=self._stream.stopped_by)
        elif self.sampling.max_tokens and self.n_generated >= self.sampling.max_tokens:
            self.finish("length")
        elif len(self.tokens) > n_ctx:
            self.context_full(n_ctx)

    def context_full(self, n_ctx: int) -> None:
        """The answer has come to the end of the context; that is not silent."""
        if not self.finished:
            message = f"The context of {n_ctx} tokens is full: the answer ends here. Raise the context size to go on."
            self.events.append(Notice(message, "warning"))
            self.finish("length", detail="context")

    def finish(self, reason: FinishReason, *, detail: str = "", error: ErrorInfo | None = None) -> None:
        """Say the rest and how it went. The scheduler takes the slot back."""
        if self.finished:
            return
        self.finished = True
        rest = self._stream.finish()
        if rest:
            self._emit(rest)
        if self._splitter is not None:
            self._tell(self._splitter.finish())
        if self._calls is not None:
            self.events.extend(self._calls.finish())
            if self._calls.found and reason == "stop" and not detail:
                detail = "tool_calls"
        if self.started:
            self.events.append(self._usage())
            self.events.append(self._timings())
        self.events.append(Finished(reason=reason, detail=detail, error=error))

    def close(self) -> None:
        """Free what llama.cpp holds for it."""
        self.saved = None
        self.chain.close()
        if self.grammar is not None:
            self.grammar.close()

    def _emit(self, text: str) -> None:
        assert self._splitter is not None
        deltas = self._splitter.feed(text)
        if deltas and isinstance(deltas[-1], ReasoningDelta):
            self._reasoning_tokens = self.n_generated
        self._tell(deltas)

    def _tell(self, deltas: list[Piece]) -> None:
        if self._calls is None:
            self.events.extend(deltas)
            return
        for delta in deltas:
            self.events.extend(self._calls.feed(delta.text) if isinstance(delta, TextDelta) else [delta])

    def _progress(self) -> None:
        self.events.append(PromptProgress(evaluated=self._evaluated, total=self.n_prompt, cached=self.cached))

    def _usage(self) -> Usage:
        return Usage(
            prompt_tokens=self.n_prompt,
            cached_tokens=self.cached,
            completion_tokens=self.n_generated,
            reasoning_tokens=self._reasoning_tokens,
        )

    def _timings(self) -> Timings:
        decode_s = self._last_token_at - self._first_token_at
        n_evaluated = self.n_prompt - self.cached
        return Timings(
            prefill_s=self._prefill_s or None,
            decode_s=decode_s or None,
            prefill_tokens_per_s=n_evaluated / self._prefill_s if self._prefill_s else None,
            decode_tokens_per_s=(self.n_generated - 1) / decode_s if decode_s and self.n_generated > 1 else None,
            memory_bytes=_process.memory_info().rss,
        )
