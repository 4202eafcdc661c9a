from __future__ import annotations

import datetime
import json
from pathlib import Path

import msgspec
import pytest

from workbench.core.models import ModelInfo, Prices
from workbench.core.paths import bundled
from workbench.providers.prices import PriceList


@pytest.fixture
def shipped() -> PriceList:
    return PriceList.load(bundled("resources"))


def test_every_shipped_price_is_dated_sourced_and_sensible(shipped: PriceList) -> None:
    assert len(shipped) > 50
    for model, prices in shipped.models.items():
        provider, _, name = model.partition(":")
        assert provider in {"openai", "anthropic", "google", "xai"}
        assert name
        assert datetime.date.fromisoformat(prices.as_of) <= datetime.date(2026, 11, 26)
        assert prices.source.startswith("https://")
        assert prices.input is not None
        assert prices.output is not None
        assert 0 < prices.input < prices.output
        assert prices.cached_input is None or 0 < prices.cached_input < prices.input
        assert prices.cache_write is None or prices.cache_write >= prices.input
        assert not prices.until or datetime.date.fromisoformat(prices.until) > datetime.date(2026, 11, 26)


def test_a_dated_snapshot_costs_what_its_model_costs(shipped: PriceList) -> None:
    model = shipped.for_model("openai:gpt-4o")
    assert model is not None
    assert shipped.for_model("openai:gpt-4o-2024-11-20") == model
    assert shipped.for_model("anthropic:claude-sonnet-4-5-20250929") == shipped.for_model("anthropic:claude-sonnet-4-5")
    assert shipped.for_model("google:gemini-2.5-flash-002") == shipped.for_model("google:gemini-2.5-flash")


def test_a_price_that_has_ended_is_unknown() -> None:
    prices = Prices(input=1, output=2, until="2026-12-31")
    found = PriceList({"google:promoted": prices})
    assert found.for_model("google:promoted", datetime.date(2026, 12, 31)) == prices
    assert found.for_model("google:promoted", datetime.date(2027, 1, 1)) is None


@pytest.mark.parametrize("model", ["openai:gpt-4o-audio", "openai:unknown", "local:gpt-4o", "gpt-4o", "starter", ""])
def test_unknown_is_unknown(shipped: PriceList, model: str) -> None:
    assert shipped.for_model(model) is None


def test_the_users_file_wins_over_plugins_and_they_over_ours(tmp_path: Path) -> None:
    override = tmp_path / "prices.json"
    override.write_text(json.dumps({"as_of": "2026-11-01", "models": {"openai:gpt-4o": {"input": 1, "output": 2}}}))
    plugin_prices = {"openai:gpt-4o": {"input": 7, "output": 8}, "mine:model": {"input": 0.5, "output": 1.5}}
    found = PriceList.load(bundled("resources"), override, plugin_prices)
    assert found.for_model("openai:gpt-4o") == Prices(input=1, output=2, as_of="2026-11-01", source=str(override))
    assert found.for_model("mine:model") == Prices(input=0.5, output=1.5)
    assert found.for_model("openai:gpt-4o-mini") is not None
    assert found.problems == ()


def test_a_plain_mapping_is_a_price_file(tmp_path: Path) -> None:
    override = tmp_path / "prices.json"
    override.write_text('{"openai:gpt-4o": {"input": 1, "output": 2}}')
    prices = PriceList.load(tmp_path / "nothing", override).for_model("openai:gpt-4o")
    assert prices is not None
    assert prices.input == 1


def test_a_model_gets_its_price(shipped: PriceList) -> None:
    info = ModelInfo(id="openai:gpt-4o", name="gpt-4o", provider="openai", remote=True)
    assert shipped.priced(info).prices == shipped.for_model("openai:gpt-4o")
    told = msgspec.structs.replace(info, prices=Prices(input=1.0))
    assert shipped.priced(told) == told
    local = msgspec.structs.replace(info, remote=False)
    assert shipped.priced(local).prices is None


@pytest.mark.parametrize("text", ["{", "[]", "7", '{"models": {"a": {"input": "much"}}}', '{"models": 3}', '{"a": 1}'])
def test_a_broken_file_is_told_and_left_out(tmp_path: Path, text: str) -> None:
    override = tmp_path / "prices.json"
    override.write_text(text)
    found = PriceList.load(bundled("resources"), override, {"x:y": {"input": "free"}})
    assert len(found.problems) == 2
    assert str(override) in found.problems[1]
    assert "x:y" in found.problems[0]
    assert found.for_model("openai:gpt-4o") is not None
