"""The JSON that other programs rely on, and its documentation in --help."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Cli
from workbench.core.gguf import ModelFacts
from workbench.core.models import ModelInfo
from workbench.core.requests import LoadOptions, Sampling
from workbench.core.runs import RunRecord
from workbench.services.doctor import Report

PROMISED = (
    *("model", "text", "reasoning", "finish_reason", "error", "prompt_tokens", "cached_tokens", "completion_tokens"),
    *("time_to_first_token_s", "decode_tokens_per_s", "seed", "sampling"),
)
"""The least a run has, as the contract of the command line says."""


def words_of_help(cli: Cli, *command: str) -> set[str]:
    text = cli(*command, "--help").out
    for mark in ",.:;(){}[]\"'|=":
        text = text.replace(mark, " ")
    return set(text.split())


def test_run_has_every_promised_and_every_stored_field(cli: Cli) -> None:
    answer = cli("run", "-m", "fake:echo", "--seed", "3", "--json", "hi there").json
    assert list(answer) == ["session", "runs"]
    (run,) = answer["runs"]
    assert set(PROMISED) <= set(run)
    assert set(run) == set(RunRecord.__struct_fields__)
    assert run["session_id"] == answer["session"]
    expected = {
        "model": "fake:echo",
        "provider": "fake",
        "remote": False,
        "text": "hi there ",
        "reasoning": "thinking",
        "finish_reason": "stop",
        "status": "done",
        "error": None,
        "prompt_tokens": 5,
        "cached_tokens": 2,
        "completion_tokens": 7,
        "decode_tokens_per_s": 42.0,
        "seed": 3,
        "sampling": {"seed": 3},
        "notices": ["a notice"],
        "cost_usd": None,
    }
    assert {name: run[name] for name in expected} == expected
    assert run["time_to_first_token_s"] >= 0


def test_a_failed_run_says_why(cli: Cli) -> None:
    (run,) = cli("run", "-m", "fake:fails", "--json", "hi").json["runs"]
    assert run["finish_reason"] == "failed"
    assert run["text"] == "half an ans"
    assert run["error"] == {"kind": "engine_died", "message": "It died.", "hint": "Try again.", "detail": ""}


def test_only_json_comes_to_stdout(cli: Cli) -> None:
    result = cli("run", "-m", "fake:fails", "-m", "fake:echo", "--json", "hi")
    assert result.out.startswith("{\n")
    assert result.out.endswith("}\n")
    assert len(result.json["runs"]) == 2


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        (["run"], RunRecord.__struct_fields__),
        (["run"], ("session", "runs")),
        (["run"], (*Sampling.__struct_fields__, *LoadOptions.__struct_fields__)),
        (["run"], ("json_schema", "json_object", "grammar", "reasoning", "overflow", "chat_template", "logit_bias")),
        (["models"], ModelInfo.__struct_fields__),
        (["inspect"], (*ModelFacts.__struct_fields__, "path", "size_bytes", "gguf_version", "metadata", "tensors")),
        (["doctor"], Report.__struct_fields__),
        (["log", "search"], ("session_id", "message_id", "title", "snippet", "role", "created_at")),
        (["log", "show"], ("session", "messages", "runs", "comparisons", "votes", "ratings")),
        (["log", "import"], ("added", "present", "sessions")),
    ],
)
def test_every_field_is_documented_in_help(cli: Cli, command: list[str], fields: tuple[str, ...]) -> None:
    assert [field for field in fields if field not in words_of_help(cli, *command)] == []


def test_models_are_listed_with_ids_that_m_takes(cli: Cli) -> None:
    models = cli("models", "--json").json
    assert all(set(model) == set(ModelInfo.__struct_fields__) for model in models)
    ids = [model["id"] for model in models]
    assert len(ids) == len(set(ids))
    assert "starter" in ids
    assert "fake:echo" in ids
    echo = next(model for model in models if model["id"] == "fake:echo")
    assert echo["capabilities"] == ["seed"]
    assert echo["remote"] is False
    assert cli("run", "-m", echo["id"], "hi").code == 0
    table = cli("models").out
    assert all(id_ in table for id_ in ids)
