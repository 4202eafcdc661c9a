"""Every sampling parameter does what its name says, alone, with the real model."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.engine.child.driver import Child, chat
from workbench.core.events import Logprobs, TokenLogprob

STORY = "Tell me a story about a dog."
LIST = "red green blue red green blue red green blue red green blue red green"
OPEN = {"top_k": 0, "top_p": 1.0, "min_p": 0.0}
"""No filter: every token can be drawn."""


def text(starter: Child, prompt: str = STORY, *, n: int = 16, **values: Any) -> str:
    return starter.generate(chat(prompt, max_tokens=n, **values))[0].text


def drawn(starter: Child, alternatives: int, **values: Any) -> list[TokenLogprob]:
    (answer,) = starter.generate(chat(STORY, max_tokens=12, logprobs=alternatives, **values))
    return [token for event in answer.all(Logprobs) for token in event.tokens]


@pytest.fixture(scope="module")
def greedy(starter: Child) -> str:
    return text(starter, temperature=0.0)


@pytest.mark.parametrize(
    "narrow",
    [{"top_k": 1}, {"top_p": 0.01}, {"min_p": 1.0}, {"typical_p": 1.0, "top_k": 1}, {"temperature": 0.01}],
)
def test_the_narrowest_filter_leaves_the_likeliest_token(starter: Child, greedy: str, narrow: dict[str, Any]) -> None:
    wide = {"temperature": 1.5, "seed": 5, **OPEN}
    assert text(starter, **wide) != greedy
    assert text(starter, **(wide | narrow)) == greedy


@pytest.mark.parametrize(
    ("values", "allowed"),
    [
        ({"top_k": 3}, lambda token, place, total: place < 3),
        ({"top_p": 0.5}, lambda token, place, total: total - math.exp(token.logprob) < 0.5),
        ({"min_p": 0.2}, lambda token, place, total: token.logprob >= token.alternatives[0][1] + math.log(0.2) - 1e-4),
    ],
)
def test_a_filter_keeps_what_it_should(starter: Child, values: dict[str, Any], allowed: Any) -> None:
    """`place`: how many tokens were likelier; `total`: the probability of those and this one."""
    for token in drawn(starter, 60, temperature=1.0, seed=5, **(OPEN | values)):
        names = [name for name, _ in token.alternatives]
        place = names.index(token.token)
        total = sum(math.exp(logprob) for _, logprob in token.alternatives[: place + 1])
        assert allowed(token, place, total)


def test_typical_sampling_takes_unlikely_tokens_out_and_may_take_the_likeliest(starter: Child) -> None:
    values = OPEN | {"temperature": 1.0, "seed": 5}
    assert text(starter, **values, typical_p=0.2) != text(starter, **values)


def test_xtc_takes_the_likeliest_out_while_another_will_do(starter: Child) -> None:
    for token in drawn(starter, 2, temperature=1.0, seed=5, xtc_probability=1.0, xtc_threshold=0.05):
        if math.exp(token.alternatives[1][1]) > 0.08:
            assert token.token != token.alternatives[0][0]
    values = {"temperature": 1.0, "seed": 5}
    plain = text(starter, **values)
    assert text(starter, **values, xtc_probability=1.0, xtc_threshold=0.05) != plain
    assert text(starter, **values, xtc_probability=1.0, xtc_threshold=0.51) == plain, "nothing is above it twice"


def test_dry_ends_repetition_unless_its_limits_leave_it_alone(starter: Child) -> None:
    values = {"prompt": LIST, "n": 12, "temperature": 0.0, "chat_template": "{{ messages[0].content }}"}
    plain = text(starter, **values)
    dry = {"dry_multiplier": 5.0}
    assert text(starter, **values, **dry) != plain
    assert text(starter, **values, **dry, dry_allowed_length=500) == plain
    assert text(starter, **values, **dry, dry_penalty_last_n=0) == plain
    assert text(starter, **values, **dry, dry_sequence_breakers=(" red", " green", " blue", "red")) != text(
        starter, **values, **dry
    )


def test_penalties_and_how_far_they_look_back(starter: Child) -> None:
    values = {"prompt": LIST, "n": 12, "temperature": 0.0, "chat_template": "{{ messages[0].content }}"}
    plain = text(starter, **values)
    for penalty in ({"repeat_penalty": 1.8}, {"frequency_penalty": 1.5}, {"presence_penalty": 5.0}):
        assert text(starter, **values, **penalty) != plain, penalty
        assert text(starter, **values, **penalty, repeat_last_n=0) == plain, penalty


@pytest.mark.parametrize("version", [1, 2])
def test_mirostat_aims_at_its_surprise(starter: Child, version: int) -> None:
    """A low one draws likelier tokens than a high one, on average."""

    def surprise(tau: float) -> float:
        tokens = drawn(starter, 0, seed=5, mirostat=version, mirostat_tau=tau, mirostat_eta=0.5)
        return -sum(token.logprob for token in tokens) / len(tokens)

    assert surprise(0.5) < surprise(9.0)


def test_a_higher_temperature_draws_less_likely_tokens(starter: Child) -> None:
    cold, hot = (drawn(starter, 0, temperature=value, seed=5, **OPEN) for value in (0.2, 3.0))
    assert sum(token.logprob for token in hot) < sum(token.logprob for token in cold) - 5
