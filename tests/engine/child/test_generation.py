"""Answers of the real starter model: what is said, in which order, and how sampling is obeyed."""

from __future__ import annotations

import math

import msgspec
import pytest

from tests.engine.child.driver import Child, chat
from workbench.core.events import (
    Finished,
    Logprobs,
    PromptProgress,
    ReasoningDelta,
    RunDetails,
    TextDelta,
    Timings,
    Usage,
)
from workbench.core.messages import Attachment, ImagePart, Message, TextPart
from workbench.core.requests import ChatRequest, Reasoning, Sampling

CAPITAL = "What is the capital of France? Answer in one short sentence."


def test_answers_and_tells_all_about_it_in_order(starter: Child) -> None:
    answer = starter.generate(chat(CAPITAL, temperature=0.0, max_tokens=6))[0]
    assert "Paris" in answer.text
    kinds = [type(event) for event in answer.events]
    assert kinds[0] is RunDetails and kinds[1] is PromptProgress
    assert kinds[-3:] == [Usage, Timings, Finished]
    last_progress = len(kinds) - 1 - kinds[::-1].index(PromptProgress)
    assert last_progress < kinds.index(TextDelta)
    usage = answer.usage
    assert usage.prompt_tokens == answer.evaluated + (usage.cached_tokens or 0)
    assert usage.completion_tokens == 6 and answer.finished.reason == "length"
    timings = answer.one(Timings)
    assert timings.prefill_tokens_per_s and timings.decode_tokens_per_s and timings.memory_bytes


def test_ends_at_the_end_of_the_turn(starter: Child) -> None:
    answer = starter.generate(chat("Say only the word: yes", temperature=0.0, max_tokens=200))[0]
    assert answer.finished.reason == "stop" and answer.finished.detail == ""
    assert "<|im_end|>" not in answer.text


def test_details_hold_every_effective_value(starter: Child) -> None:
    details = starter.generate(chat("Hi", top_k=7, max_tokens=1))[0].details
    assert details.sampling["top_k"] == 7 and details.sampling["max_tokens"] == 1
    assert details.sampling["temperature"] == 0.8 and details.sampling["min_p"] == 0.05
    assert details.sampling["seed"] == details.seed and details.seed is not None
    assert details.rendered_prompt.endswith("<|im_start|>assistant\n")
    assert len(details.chat_template_sha256) == 64
    assert (details.architecture, details.quantization, details.n_ctx) == ("llama", "Q4_1", 2048)
    assert details.llama_cpp_build and details.n_threads and details.gguf_path.endswith(".gguf")


def test_a_seed_repeats_alone_beside_others_and_from_the_cache(starter: Child) -> None:
    request = chat("Write a poem about the sea.", seed=7, max_tokens=30)
    first = starter.generate(request)[0]
    again = starter.generate(request)[0]
    assert again.usage.cached_tokens == again.usage.prompt_tokens - 1
    starter.generate(chat("Something else altogether, to move things about.", max_tokens=7))
    later = starter.generate(request)[0]
    together = starter.generate(request, chat("Count to ten.", seed=1, max_tokens=20), request)
    assert first.text == again.text == later.text == together[0].text == together[2].text
    assert starter.generate(chat("Write a poem about the sea.", seed=8, max_tokens=30))[0].text != first.text


def test_a_drawn_seed_repeats_the_run(starter: Child) -> None:
    request = chat("Tell me something.", temperature=1.5, max_tokens=20)
    one, two = starter.generate(request)[0], starter.generate(request)[0]
    assert one.details.seed != two.details.seed
    repeated = starter.generate(chat("Tell me something.", temperature=1.5, max_tokens=20, seed=two.details.seed))[0]
    assert repeated.text == two.text


@pytest.mark.parametrize("seed", [0, 2**32 - 2, 2**32 - 1])
def test_the_ends_of_the_seeds_range_repeat(starter: Child, seed: int) -> None:
    request = chat("Tell me something.", temperature=1.5, max_tokens=12, seed=seed)
    assert starter.generate(request)[0].text == starter.generate(request)[0].text


def test_stop_strings_end_the_text_before_them(starter: Child) -> None:
    whole = starter.generate(chat("Count from 1 to 9 with commas.", temperature=0.0, max_tokens=40))[0].text
    stop = whole[8:13]
    answer = starter.generate(
        chat("Count from 1 to 9 with commas.", temperature=0.0, max_tokens=40, stop=(stop, "never said"))
    )[0]
    assert answer.text == whole[: whole.index(stop)]
    assert (answer.finished.reason, answer.finished.detail) == ("stop", stop)


def test_no_tokens_asked_for_none_given(starter: Child) -> None:
    answer = starter.generate(chat("Hi", max_tokens=0))[0]
    assert answer.text == "" and answer.finished.reason == "length" and answer.usage.completion_tokens == 0


def test_logprobs_are_those_of_the_whole_vocabulary(starter: Child) -> None:
    answer = starter.generate(chat(CAPITAL, temperature=0.0, max_tokens=5, logprobs=4))[0]
    tokens = [token for event in answer.all(Logprobs) for token in event.tokens]
    assert len(tokens) == 5
    for token in tokens:
        assert len(token.alternatives) == 4
        assert token.alternatives[0] == (token.token, token.logprob), "greedy takes the likeliest"
        values = [logprob for _, logprob in token.alternatives]
        assert values == sorted(values, reverse=True)
        assert sum(math.exp(value) for value in values) <= 1.0 + 1e-6
    assert "".join(token.token for token in tokens) == answer.text
    assert all(
        not token.alternatives
        for event in starter.generate(chat("Hi", max_tokens=2, logprobs=0))[0].all(Logprobs)
        for token in event.tokens
    )


def test_logprobs_do_not_change_the_answer(starter: Child) -> None:
    plain, watched = (starter.generate(chat("Hi", seed=3, max_tokens=20, logprobs=n))[0] for n in (None, 2))
    assert plain.text == watched.text


def test_logit_bias_bans_and_forces_by_text_and_by_id(starter: Child) -> None:
    banned = starter.generate(chat(CAPITAL, temperature=0.0, max_tokens=12, logit_bias={" Paris": -100.0}))[0]
    assert " Paris" not in banned.text
    forced = starter.generate(chat(CAPITAL, temperature=0.0, max_tokens=3, logit_bias={"Paris": 90.0}))[0]
    assert forced.text == "ParisParisParis"
    by_id = starter.generate(chat(CAPITAL, temperature=0.0, max_tokens=3, logit_bias={"500": 90.0}))[0]
    assert by_id.text == by_id.text[: len(by_id.text) // 3] * 3 != ""


@pytest.mark.parametrize(
    "values",
    [
        {"mirostat": 1},
        {"mirostat": 2, "mirostat_tau": 3.0, "mirostat_eta": 0.2},
        {"typical_p": 0.5, "top_k": 0, "top_p": 1.0, "min_p": 0.0},
        {"xtc_probability": 1.0, "xtc_threshold": 0.05},
        {"dry_multiplier": 0.8, "dry_penalty_last_n": -1, "dry_sequence_breakers": ("\n",)},
        {"repeat_penalty": 1.3, "repeat_last_n": -1, "frequency_penalty": 0.5, "presence_penalty": 0.5},
    ],
)
def test_each_sampler_works_and_repeats_by_its_seed(starter: Child, values: dict[str, object]) -> None:
    request = chat("Tell me a story about a dog.", seed=11, max_tokens=16, **values)
    one, two = starter.generate(request)[0], starter.generate(request)[0]
    assert one.text and one.text == two.text
    plain = starter.generate(chat("Tell me a story about a dog.", seed=11, max_tokens=16))[0]
    assert plain.text != one.text or "xtc_probability" in values or "dry_multiplier" in values


def test_repetition_is_punished(starter: Child) -> None:
    words = "dog dog dog dog dog dog dog dog dog dog dog dog"

    def share(**values: object) -> float:
        text = starter.generate(chat(f"Repeat for ever: {words}", temperature=0.0, max_tokens=30, **values))[0].text
        return text.lower().count("dog") / max(len(text.split()), 1)

    assert share() > share(repeat_penalty=2.0, presence_penalty=2.0)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"temperature": -1.0}, "temperature"),
        ({"top_p": 1.5}, "top_p"),
        ({"min_p": -0.1}, "min_p"),
        ({"repeat_penalty": 0.0}, "repeat_penalty"),
        ({"seed": 2**32}, "seed"),
        ({"seed": -1}, "seed"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"logit_bias": {"99999999": 1.0}}, "99999999"),
    ],
)
def test_values_out_of_range_are_named(starter: Child, values: dict[str, object], name: str) -> None:
    answer = starter.generate(chat("Hi", **values))[0]
    assert answer.finished.reason == "failed" and answer.finished.error is not None
    assert answer.finished.error.kind == "bad_input" and name in answer.finished.error.message


def test_requests_that_make_no_sense_fail_alone(starter: Child) -> None:
    nothing = starter.generate(ChatRequest(messages=()))[0]
    assert nothing.finished.error is not None and nothing.finished.error.kind == "bad_input"
    template = starter.generate(chat("Hi", chat_template="{{ oh no"))[0]
    assert template.finished.error is not None and template.finished.error.kind == "template_error"
    assert starter.generate(chat("Hi", max_tokens=1))[0].finished.reason in ("length", "stop")


def test_another_template_can_be_given_with_variables(starter: Child) -> None:
    template = "{{ greeting }}: {{ messages[0].content }}"
    request = chat("you", chat_template=template, template_variables={"greeting": "Hello"}, max_tokens=1)
    assert starter.generate(request)[0].details.rendered_prompt == "Hello: you"


def test_reasoning_opened_by_the_template_is_told_apart(starter: Child) -> None:
    template = "Question: {{ messages[0].content }}\n<think>\nThe answer is"
    answer = starter.generate(chat("What is 2+2?", chat_template=template, temperature=0.0, max_tokens=8))[0]
    assert answer.all(ReasoningDelta) or answer.text, "something was said"
    opened = starter.generate(
        chat("What is 2+2?", chat_template="{{ messages[0].content }}\n<think>\n", temperature=0.0, max_tokens=8)
    )[0]
    assert opened.all(ReasoningDelta) and not opened.text
    assert opened.usage.reasoning_tokens == opened.usage.completion_tokens


@pytest.mark.parametrize("budget", [0, 5])
def test_reasoning_ends_when_its_budget_is_spent(starter: Child, budget: int) -> None:
    template = "{{ messages[0].content }}\n<think>\n"
    request = chat("What is 2+2?", chat_template=template, seed=2, max_tokens=24, logit_bias={"0": -100.0, "2": -100.0})
    request = msgspec.structs.replace(request, reasoning=Reasoning(budget_tokens=budget))
    (answer,) = starter.generate(request)
    assert answer.text and answer.finished.reason == "length"
    assert bool(answer.all(ReasoningDelta)) == bool(budget)
    assert (answer.usage.reasoning_tokens or 0) <= budget + 2, "a token may be held back as white space"
    assert answer.usage.completion_tokens == 24


def test_images_are_left_out_and_that_is_said(starter: Child) -> None:
    picture = ImagePart(Attachment.of(b"\x89PNG", "image/png"))
    message = Message("user", (TextPart("What is this?"), picture))
    answer = starter.generate(ChatRequest(messages=(message,), sampling=Sampling(max_tokens=1)))[0]
    assert [notice.kind for notice in answer.notices] == ["ignored"]


def test_continuing_an_unfinished_answer(starter: Child) -> None:
    request = chat("Count to five.", "1, 2, 3,", temperature=0.0, max_tokens=4, continue_last=True)
    answer = starter.generate(request)[0]
    assert answer.details.rendered_prompt.endswith("1, 2, 3,")
    assert "4" in answer.text
