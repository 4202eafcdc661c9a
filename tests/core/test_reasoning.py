"""Reasoning of the model families, split at any border, against an oracle that sees the whole text."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workbench.core.events import ReasoningDelta, TextDelta
from workbench.core.messages import Message, ReasoningPart, TextPart
from workbench.core.reasoning import TAGS, ReasoningSplitter


def split(pieces: list[str], tail: str = "", continued: Message | None = None) -> tuple[str, str]:
    splitter = ReasoningSplitter(tail, continued=continued)
    deltas = [delta for piece in pieces for delta in splitter.feed(piece)] + splitter.finish()
    assert all(delta.text for delta in deltas)
    text = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    return "".join(delta.text for delta in deltas if isinstance(delta, ReasoningDelta)), text


def oracle(text: str) -> tuple[str, str]:
    """For the families with plain tags."""
    reasoning, reasoned = "", False
    while True:
        body = text.lstrip()
        opener = next((tag for tag in TAGS if body.startswith(tag)), None)
        if opener is None:
            return reasoning, body if reasoned else text
        thought, closed, text = body[len(opener) :].lstrip().partition(TAGS[opener])
        if not closed:
            return reasoning + thought, ""
        reasoning, reasoned = reasoning + thought.rstrip(), True


words = st.sampled_from([*TAGS, *TAGS.values(), " ", "\n", "a", "`", "code <think", "<", "thi", "nk>", "[TH", "é🙂"])
answers = st.lists(words, max_size=14).map("".join)
cuts = st.lists(st.integers(0, 200), max_size=20)


def cut(text: str, borders: list[int]) -> list[str]:
    edges = sorted({0, len(text), *(border % (len(text) + 1) for border in borders)})
    return [text[a:b] for a, b in itertools.pairwise(edges)]


@settings(deadline=None)
@given(answers, cuts)
@example("<think>a</think>b", list(range(20)))
def test_agrees_with_the_oracle(text: str, borders: list[int]) -> None:
    assert split(cut(text, borders)) == oracle(text)


HARMONY = (
    "<|channel|>analysis<|message|>They greet. \n<|end|>"
    "<|start|>assistant<|channel|>commentary<|message|>Looking.<|end|>"
    "<|start|>assistant<|channel|>final<|message|> Hello <|channel|> is a tag"
)


@settings(deadline=None)
@given(cuts)
def test_harmony_at_any_border(borders: list[int]) -> None:
    prompt = "<|start|>user<|message|>Hi<|end|><|start|>assistant"
    assert split(cut(HARMONY, borders), prompt) == ("They greet.", "Looking. Hello <|channel|> is a tag")


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["<|channel|>", "analysis", "<|message|>", "x", " ", "<|end|>", "<|start|>assistant"])),
    cuts,
)
def test_broken_harmony_does_not_depend_on_the_borders(parts: list[str], borders: list[int]) -> None:
    text = "<|channel|>" + "".join(parts)
    assert split(cut(text, borders)) == split([text])


def test_a_header_that_never_ends_is_text() -> None:
    text = "<|channel|>" + "analysis " * 40 + "<|message|>x"
    assert split(list(text)) == split([text]) == ("", text)


@pytest.mark.parametrize(("opener", "closer"), TAGS.items())
def test_every_family(opener: str, closer: str) -> None:
    assert split(list(f"\n{opener}\nlet me see\n{closer}\n\n42")) == ("let me see", "42")


def test_empty_reasoning_leaves_no_trace() -> None:
    assert split(["<think>\n\n</think>\n\n", "Hi"]) == ("", "Hi")


def test_streams_reasoning_before_it_is_closed() -> None:
    splitter = ReasoningSplitter("")
    assert splitter.feed("<think>first step ") == [ReasoningDelta("first step")]
    assert splitter.feed("second</th") == [ReasoningDelta(" second")]
    assert splitter.feed("ink>done") == [TextDelta("done")]


def test_unclosed_reasoning_stays_reasoning() -> None:
    assert split(["<think>going on and </thi"]) == ("going on and </thi", "")


@pytest.mark.parametrize("tail", ["<|Assistant|><think>\n", "<think>", "[THINK] "])
def test_template_opened_it_in_the_prompt(tail: str) -> None:
    closer = TAGS[tail.rstrip()[tail.rstrip().index("<think>" if "think" in tail else "[THINK]") :]]
    assert split(["hmm", closer[:3], closer[3:], "yes"], tail) == ("hmm", "yes")


def test_a_tag_that_the_model_repeats_after_the_template_is_dropped() -> None:
    assert split(list("<think>\nhmm</think>yes"), "assistant\n<think>\n") == ("hmm", "yes")


def test_a_closed_tag_in_the_prompt_opens_nothing() -> None:
    assert split(["plain"], "assistant\n<think>\n\n</think>\n\n") == ("", "plain")


def test_a_tag_in_the_users_question_opens_nothing() -> None:
    assert split(["It marks reasoning."], "What is <think>?<|im_end|>\n<|im_start|>assistant\n") == (
        "",
        "It marks reasoning.",
    )


def test_tags_in_code_later_in_the_answer_are_text() -> None:
    answer = "Use this:\n```\n<think>x</think>\n<|channel|>analysis<|message|>\n```\n"
    assert split(list(answer)) == ("", answer)


def test_leading_white_space_without_reasoning_is_kept() -> None:
    assert split(["  ", "\n x"]) == ("", "  \n x")


def test_goes_on_inside_unfinished_reasoning() -> None:
    message = Message("assistant", (ReasoningPart("first"),))
    assert split([" then</think>yes"], "assistant\n<think>\nfirst", message) == (" then", "yes")


def test_goes_on_inside_long_reasoning_whose_tag_is_out_of_sight() -> None:
    message = Message("assistant", (ReasoningPart("word " * 500),))
    assert split([" then[/THI", "NK]yes"], "word " * 20, message) == (" then", "yes")


def test_goes_on_inside_an_unfinished_answer() -> None:
    message = Message("assistant", (ReasoningPart("first"), TextPart("The tag is ")))
    assert split(["<think> and so on"], "</think>The tag is ", message) == ("", "<think> and so on")


def test_long_reasoning_is_not_buffered() -> None:
    splitter = ReasoningSplitter("<think>")
    for _ in range(1_000):
        splitter.feed("word < ")
        assert len(splitter._buffer) < 20
