"""Models unlike the starter: recurrent, sliding window, encoders, and advice in the metadata."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import gguf
import pytest

from tests.engine.child import tiny_models
from tests.engine.child.driver import Child, chat, embed
from workbench.engine import protocol
from workbench.engine.protocol import Failed, LoadedModel

ENDLESS = {"2": -100.0, "4": -100.0}


@pytest.mark.parametrize("name", ["llama", "qwen2", "gemma2", "mamba"])
def test_second_turn_and_variants_reuse_what_they_can(with_tiny: Callable[..., Child], name: str) -> None:
    child = with_tiny(name)
    first = child.generate(chat("the cat", temperature=0.0, max_tokens=9, logit_bias=ENDLESS))[0]
    second = child.generate(chat("the cat", first.text, "more", max_tokens=3, logit_bias=ENDLESS))[0]
    assert second.usage.cached_tokens == (first.usage.prompt_tokens or 0) + 8
    # Without a seed: one that comes while nobody else is there would have the model to itself, and evaluates all.
    variants = child.generate(*(chat("the cat " * 12, max_tokens=4, logit_bias=ENDLESS) for _ in range(3)))
    length = variants[0].usage.prompt_tokens
    evaluated = sorted(answer.evaluated for answer in variants)
    if name == "mamba":  # a state that has moved on can't be shared; who comes too late evaluates all
        assert set(evaluated) <= {1, length}
    else:
        assert evaluated[:2] == [1, 1]
        assert length is not None and evaluated[2] > length / 2, "but for what the second turn begins with"


def test_a_recurrent_state_is_not_cut_back(with_tiny: Callable[..., Child]) -> None:
    """Asking the same again needs a prefix of what is parked: it is evaluated anew, and says the same."""
    child = with_tiny("mamba")
    request = chat("the cat", temperature=0.0, max_tokens=9, logit_bias=ENDLESS)
    first, again = child.generate(request)[0], child.generate(request)[0]
    assert again.usage.cached_tokens == 0
    assert again.text == first.text


def test_the_model_says_how_it_wants_to_be_sampled(child: Child, tmp_path: Path) -> None:
    path = tiny_models.llama(
        tmp_path / "model.gguf",
        general__sampling__temp=0.25,
        general__sampling__top_k=7.0,
        general__sampling__top_p=9.0,
    )
    model = child.load(path)
    assert isinstance(model, LoadedModel)
    assert model.default_sampling == {"temperature": 0.25, "top_k": 7}, "nonsense is left out"
    sampling = child.generate(chat("the cat", top_k=3, max_tokens=1))[0].details.sampling
    assert (sampling["temperature"], sampling["top_k"], sampling["top_p"]) == (0.25, 3, 0.95)


def test_a_base_model_without_a_template_gets_a_plain_one(child: Child, tmp_path: Path) -> None:
    model = child.load(tiny_models.llama(tmp_path / "model.gguf", template=None))
    assert isinstance(model, LoadedModel) and not model.has_chat_template
    assert "the cat" in child.generate(chat("the cat", max_tokens=1))[0].details.rendered_prompt


@pytest.mark.parametrize("pooling", [None, gguf.PoolingType.MEAN, gguf.PoolingType.CLS])
def test_an_encoder_makes_embeddings_and_no_text(
    child: Child, tmp_path: Path, pooling: gguf.PoolingType | None
) -> None:
    model = child.load(tiny_models.bert(tmp_path / "bert.gguf", pooling=pooling))
    assert isinstance(model, LoadedModel) and model.is_embedding_model
    texts = ["the cat", "the dog", "the cat", "stock market"] + [f"cat {'a' * n}" for n in range(100)]
    reply = child.ask(embed(texts))
    assert isinstance(reply, protocol.Embeddings)
    assert len(reply.vectors) == len(texts) and reply.prompt_tokens > 2 * len(texts)
    for vector in reply.vectors:
        assert len(vector) == tiny_models.N_EMBD
        assert math.isclose(math.fsum(value * value for value in vector), 1.0, abs_tol=1e-6)
    assert reply.vectors[0] == pytest.approx(reply.vectors[2], abs=1e-3)
    assert reply.vectors[0] != pytest.approx(reply.vectors[3], abs=1e-2)
    alone = child.ask(embed(["the cat"]))
    assert isinstance(alone, protocol.Embeddings)
    assert alone.vectors[0] == pytest.approx(reply.vectors[0], abs=1e-3)
    refused = child.generate(chat("hi"))[0].finished
    assert refused.error is not None and "embeddings, not text" in refused.error.message


def test_texts_that_cannot_be_embedded_fail_alone(with_tiny: Callable[..., Child]) -> None:
    child = with_tiny("bert")
    too_long = child.ask(embed(["cat", "a " * 600]))
    assert isinstance(too_long, Failed) and "Text 2" in too_long.error.message
    none = child.ask(embed([]))
    assert isinstance(none, protocol.Embeddings) and none.vectors == []
    assert isinstance(child.ask(embed(["cat"])), protocol.Embeddings)


@pytest.mark.parametrize("for_embeddings", [True, None])
def test_a_model_for_text_can_embed_too(with_tiny: Callable[..., Child], for_embeddings: bool | None) -> None:
    child = with_tiny("llama", embeddings=for_embeddings)
    reply = child.ask(embed(["the cat", "a dog"]))
    assert isinstance(reply, protocol.Embeddings) and len(reply.vectors) == 2
    reason = child.generate(chat("the cat", max_tokens=2))[0].finished.reason
    assert reason == ("failed" if for_embeddings else "length")
