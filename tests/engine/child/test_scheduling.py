"""Many requests in one context: sharing, fairness, cancelling, and a cache too small for all."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from tests.engine.child.driver import Answer, Child, chat, starter_model
from workbench.core.events import Finished, PromptProgress, StreamEvent, TextDelta
from workbench.engine import protocol
from workbench.engine.child import scheduler as scheduling
from workbench.engine.child.scheduler import TELL_EVERY_S, WORTH_WAITING_TOKENS, Scheduler
from workbench.engine.child.slots import ALIGNMENT
from workbench.engine.protocol import Cancel, LoadedModel, Status

ENDLESS = {"2": -100.0, "4": -100.0}
"""Bans the tiny models' end-of-turn tokens."""


def status(child: Child) -> protocol.StatusReport:
    report = child.ask(lambda i: Status(id=i))
    assert isinstance(report, protocol.StatusReport)
    return report


def known(first: Answer) -> int:
    """Tokens of a turn that are still in the cache: all but one drawn last, if the answer was cut."""
    assert first.usage.prompt_tokens is not None and first.usage.completion_tokens is not None
    return first.usage.prompt_tokens + first.usage.completion_tokens - (first.finished.reason == "length")


def test_the_second_turn_evaluates_exactly_what_is_new(starter: Child) -> None:
    question = "What is the capital of France? One sentence."
    for values in ({"temperature": 0.0}, {"seed": 5, "temperature": 1.2}):
        for limit in (6, 200):
            first = starter.generate(chat(question, max_tokens=limit, **values))[0]
            second = starter.generate(chat(question, first.text, "And of Spain?", max_tokens=4, **values))[0]
            assert second.usage.cached_tokens == known(first)
            assert second.usage.prompt_tokens is not None
            assert second.evaluated == second.usage.prompt_tokens - known(first)
            third = starter.generate(
                chat(question, first.text, "And of Spain?", second.text, "Thanks.", max_tokens=2, **values)
            )[0]
            assert third.usage.cached_tokens == known(second)


def test_an_answer_the_tokenizer_would_cut_otherwise_is_not_evaluated_again(with_tiny: Callable[..., Child]) -> None:
    """A random model writes bytes and letters where the tokenizer would take words."""
    child = with_tiny("llama")
    first = child.generate(chat("the cat", temperature=1.5, seed=3, max_tokens=60))[0]
    second = child.generate(chat("the cat", first.text, "more", max_tokens=2))[0]
    assert second.usage.cached_tokens == known(first)


def test_another_conversation_in_between_costs_nothing(starter: Child) -> None:
    first = starter.generate(chat("Name a colour.", temperature=0.0, max_tokens=8))[0]
    starter.generate(chat("How many legs has a spider?", temperature=0.0, max_tokens=8))
    second = starter.generate(chat("Name a colour.", first.text, "Another.", temperature=0.0, max_tokens=2))[0]
    assert second.usage.cached_tokens == known(first)


def test_variants_of_one_prompt_evaluate_it_once(starter: Child) -> None:
    prompt = "The history of tea is long. " * 30
    answers = starter.generate(*(chat(prompt, seed=seed, max_tokens=3) for seed in range(4)))
    lengths = {answer.usage.prompt_tokens for answer in answers}
    assert len(lengths) == 1
    (length,) = lengths
    assert length is not None
    assert sorted(answer.evaluated for answer in answers) == [1, 1, 1, length]


def test_requests_that_begin_alike_evaluate_the_beginning_once(starter: Child) -> None:
    system = "You know all about rivers and their fish. " * 12
    answers = starter.generate(*(chat(f"{name}?", system=system, max_tokens=2) for name in ("Rhine", "Nile", "Po")))
    cached = sorted(answer.usage.cached_tokens or 0 for answer in answers)
    assert cached[0] < 50 and cached[1] > 100 and cached[2] > 100


def test_long_prompts_stall_nobody(starter: Child) -> None:
    """Whenever a chunk of a long prompt was evaluated, the running answer gets its next token."""
    (talker,) = starter.start(chat("Count from 1 to 300.", temperature=0.0, max_tokens=120))
    seen: list[tuple[int, StreamEvent]] = []
    while len([event for _, event in seen if isinstance(event, TextDelta)]) < 5:
        reply = starter.receive()
        assert isinstance(reply, protocol.Event)
        seen.append((reply.id, reply.event))
    long_ids = starter.start(*(chat(f"{n} " + "word " * 300, max_tokens=2) for n in ("one", "two")))
    timeline: list[tuple[int, StreamEvent]] = []
    answers = starter.collect([talker, *long_ids], lambda i, event: timeline.append((i, event)))
    end = next(n for n, (i, event) in enumerate(timeline) if i == talker and isinstance(event, Finished))
    chunks = tokens = 0
    for request_id, event in timeline[:end]:
        if request_id in long_ids and isinstance(event, PromptProgress) and event.evaluated:
            chunks += 1
        elif request_id == talker and isinstance(event, TextDelta):
            tokens += 1
            chunks = 0
        assert chunks <= 2, "two chunks without a token between them"
    assert tokens > 10
    assert all(answer.finished.reason in ("length", "stop") for answer in answers)


def test_more_requests_than_places_wait_their_turn(with_tiny: Callable[..., Child]) -> None:
    child = with_tiny("llama", n_parallel=2)
    ids = child.start(*(chat(f"{n} cat", max_tokens=8, logit_bias=ENDLESS) for n in range(7)))
    running: set[int] = set()
    most = 0

    def watch(request_id: int, event: StreamEvent) -> None:
        nonlocal most
        if isinstance(event, Finished):
            running.discard(request_id)
        else:
            running.add(request_id)
        most = max(most, len(running))

    answers = child.collect(ids, watch)
    assert [answer.usage.completion_tokens for answer in answers] == [8] * 7
    assert most == 2


def test_cancel_while_decoding_keeps_what_was_said(starter: Child) -> None:
    (request_id,) = starter.start(chat("Count from 1 to 500.", temperature=0.0))
    said = ""
    while len(said) < 20:
        reply = starter.receive()
        assert isinstance(reply, protocol.Event)
        said += reply.event.text if isinstance(reply.event, TextDelta) else ""
    starter.send(Cancel(id=request_id))
    answer = starter.collect([request_id])[0]
    assert answer.finished.reason == "cancelled"
    assert len(answer.all(TextDelta)) < 60, "it went on for long"
    assert answer.usage.completion_tokens
    assert status(starter).running == 0


def test_cancel_of_a_long_prompt_takes_effect_within_a_chunk(starter: Child) -> None:
    (request_id,) = starter.start(chat("river " * 1700))
    while not (isinstance(reply := starter.receive(), protocol.Event) and isinstance(reply.event, PromptProgress)):
        pass
    starter.send(Cancel(id=request_id))
    answer = starter.collect([request_id])[0]
    assert answer.finished.reason == "cancelled"
    assert answer.usage.completion_tokens == 0
    progress = answer.all(PromptProgress)
    assert not progress or progress[-1].evaluated < progress[-1].total


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A scheduler that computes nothing, and the order of what it does. `clock` is its time in seconds."""
    record = SimpleNamespace(order=[], clock=0.0)
    scheduler = record.scheduler = object.__new__(Scheduler)
    scheduler._active, scheduler._queue, scheduler._told_at = [], [], 0.0
    scheduler._send = lambda talking: record.order.extend("told" for s in talking if s.events and not s.events.clear())
    monkeypatch.setattr(scheduling.time, "perf_counter", lambda: record.clock)
    monkeypatch.setattr(Scheduler, "_admit", lambda self: None)
    monkeypatch.setattr(Scheduler, "_prefill", lambda self: record.order.append("chunk"))
    monkeypatch.setattr(Scheduler, "_decode", lambda self: None)
    return record


def test_reading_is_told_before_the_first_chunk_is_evaluated(told: SimpleNamespace) -> None:
    """Else a window shows a loaded model as loading until then."""
    sequence = SimpleNamespace(events=["progress"], finished=False, slot=None, is_prefilling=True, is_urgent=False)
    told.scheduler._active.append(sequence)
    told.scheduler.step()
    assert told.order == ["told", "chunk"]


def test_text_waits_for_more_but_not_long(told: SimpleNamespace) -> None:
    sequence = SimpleNamespace(events=["text"], finished=False, slot=None, is_prefilling=False, is_urgent=False)
    told.scheduler._active.append(sequence)
    told.clock = TELL_EVERY_S * 0.9
    told.scheduler.step()
    assert told.order == ["chunk"], "held"
    told.clock = TELL_EVERY_S * 1.1
    told.scheduler.step()
    assert told.order == ["chunk", "told", "chunk"]
    sequence.events.append("the first token, or the end")
    sequence.is_urgent = True
    told.scheduler.step()
    assert told.order == ["chunk", "told", "chunk", "told", "chunk"]


def test_cancel_in_the_queue(with_tiny: Callable[..., Child]) -> None:
    child = with_tiny("llama", n_parallel=1)
    ids = child.start(*(chat(f"{n} cat", max_tokens=100, logit_bias=ENDLESS) for n in range(3)))
    child.send(Cancel(id=ids[2]))
    answers = child.collect(ids)
    assert [answer.finished.reason for answer in answers] == ["length", "length", "cancelled"]


def test_a_prompt_beyond_the_context_fails_with_counts(with_tiny: Callable[..., Child]) -> None:
    child = with_tiny("llama", n_ctx=256)
    answer = child.generate(chat("the cat " * 100))[0]
    error = answer.finished.error
    assert error is not None and error.kind == "context_overflow"
    assert "256" in error.message and "too many" in error.message


def test_the_oldest_exchanges_are_dropped_on_request(with_tiny: Callable[..., Child]) -> None:
    child = with_tiny("llama", n_ctx=256)
    turns = [text for n in range(6) for text in (f"question {n} " + "a" * 20, f"answer {n}")]
    values = {"max_tokens": 5, "logit_bias": ENDLESS}
    answer = child.generate(chat(*turns, "last", system="be kind", overflow="drop_oldest", **values))[0]
    rendered = answer.details.rendered_prompt
    dropped = answer.details.dropped_messages
    assert dropped > 0 and dropped % 2 == 0, "whole exchanges"
    assert "be kind" in rendered and "last" in rendered and "question 0" not in rendered and "question 5" in rendered
    assert [notice.kind for notice in answer.notices] == ["truncated"]
    assert answer.finished.reason == "length"
    hopeless = child.generate(chat("early", "yes", "a" * 2000, overflow="drop_oldest"))[0]
    assert hopeless.finished.error is not None and hopeless.finished.error.kind == "context_overflow"


def test_an_answer_may_fill_the_context(with_tiny: Callable[..., Child]) -> None:
    child = with_tiny("llama", n_ctx=256)
    answer = child.generate(chat("the cat", logit_bias=ENDLESS))[0]
    assert (answer.finished.reason, answer.finished.detail) == ("length", "context")
    (notice,) = answer.notices
    assert notice.kind == "warning" and "256" in notice.message
    assert answer.usage.prompt_tokens is not None and answer.usage.completion_tokens is not None
    assert answer.usage.prompt_tokens + answer.usage.completion_tokens == 257, "the last token needs no cell"


QUESTIONS = ["Name the planets.", "Write the alphabet.", "What is light?", "List five fruits.", "Explain gravity."]
QUESTIONS += ["Who was Shakespeare?", "Count from 1 to 40.", "What is a computer?"]


def test_requests_that_fill_the_cache_together_all_end_well(child: Child) -> None:
    """Eight answers want 1.5 times the cells there are, so some step back. Nothing of that is left behind: alone,
    each of them then draws what it drew alone before, though the cache was full of what came from side by side."""
    assert isinstance(child.load(starter_model(), n_ctx=512), LoadedModel)
    requests = [chat(question, temperature=0.8, seed=1, max_tokens=70) for question in QUESTIONS]
    alone = [child.generate(request)[0].text for request in requests[:3]]
    for answer in child.generate(*requests):
        assert answer.finished.reason in ("stop", "length")
        assert answer.usage.completion_tokens == 70 or answer.finished.reason == "stop"
    assert [child.generate(request)[0].text for request in requests[:3]] == alone
    assert status(child).cells_used <= 512


def test_one_at_a_time_a_seed_repeats_whatever_else_waits(child: Child) -> None:
    """Prompts of several tiles: side by side their bits would depend on where in the cache they come to lie."""
    assert isinstance(child.load(starter_model(), n_ctx=1024, n_parallel=1), LoadedModel)
    long = "Say why it matters, and to whom, in which country, since when. " * 8
    requests = [chat(f"{question} {long}", temperature=0.8, seed=1, max_tokens=12) for question in QUESTIONS[:3]]
    alone = [child.generate(request)[0].text for request in requests]
    assert [answer.text for answer in child.generate(*requests, *requests)] == alone * 2


def test_full_contexts_one_after_the_other(with_tiny: Callable[..., Child]) -> None:
    child = with_tiny("llama", n_ctx=256)
    answers = child.generate(*(chat(f"{n} the cat", logit_bias=ENDLESS) for n in range(6)))
    for answer in answers:
        assert answer.finished.reason == "length"
        assert (answer.usage.prompt_tokens or 0) + (answer.usage.completion_tokens or 0) == 257
    report = status(child)
    assert (report.running, report.queued) == (0, 0)


@pytest.mark.parametrize("seeded", [False, True])
def test_status_counts_shared_cells_once(with_tiny: Callable[..., Child], seeded: bool) -> None:
    child = with_tiny("llama", n_ctx=512)
    seeds = range(3) if seeded else (None, None, None)
    answers = child.generate(*(chat("the cat " * 10, seed=seed, max_tokens=4, logit_bias=ENDLESS) for seed in seeds))
    length = answers[0].usage.prompt_tokens
    assert length is not None
    # The answer is each one's own, and what a request did not wait for because it was little; who comes late takes the
    # place of one that is done. With a seed of its own it shares whole tiles only, so that it draws as if alone.
    shared = length // ALIGNMENT * ALIGNMENT if seeded else length - WORTH_WAITING_TOKENS
    assert length - 1 < status(child).cells_used <= shared + 3 * (length - shared + 3)
