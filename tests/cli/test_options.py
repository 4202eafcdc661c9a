"""-o NAME=VALUE: every option has its type, and what can't be used is said in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.cli.options import option_names, parse_options, with_defaults
from workbench.core.errors import BadInput
from workbench.core.requests import LoadOptions, Sampling, Tool, merged


def test_values_have_their_types() -> None:
    options = parse_options(
        ["temperature=0.7", "top-k=40", "seed=7", "mirostat=2", "n_ctx=2048", "use_mmap=false", "flash_attn=on"]
    )
    assert options.sampling == Sampling(temperature=0.7, top_k=40, seed=7, mirostat=2)
    assert options.load == LoadOptions(n_ctx=2048, use_mmap=False, flash_attn="on")


def test_aliases_of_other_programs_work() -> None:
    options = parse_options(["temp=0", "ctx_size=99", "ngl=-1", "repetition_penalty=1.1", "reasoning_effort=low"])
    assert options.sampling == Sampling(temperature=0.0, repeat_penalty=1.1)
    assert options.load == LoadOptions(n_ctx=99, n_gpu_layers=-1)
    assert options.reasoning.effort == "low"


def test_stop_is_repeatable_and_knows_line_ends() -> None:
    options = parse_options(["stop=END", r"stop=\n\n", 'stop=["a", "b=c"]'])
    assert options.sampling.stop == ("END", "\n\n", "a", "b=c")


def test_logit_bias_as_pairs_and_as_json() -> None:
    options = parse_options(["logit_bias=the:-100", "logit_bias=a:b:2", 'logit_bias={"13": "-inf"}'])
    assert options.sampling.logit_bias == {"the": -100.0, "a:b": 2.0, "13": -100.0}


def test_response_formats_from_text_and_file(tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text('{"type": "object"}')
    (tmp_path / "grammar.gbnf").write_text('root ::= "yes"')
    schema = parse_options([f"json_schema=@{tmp_path / 'schema.json'}"]).response_format
    assert (schema.kind, schema.schema) == ("json_schema", {"type": "object"})
    grammar = parse_options([f"grammar=@{tmp_path / 'grammar.gbnf'}"]).response_format
    assert (grammar.kind, grammar.grammar) == ("grammar", 'root ::= "yes"')
    assert parse_options(["json_object=true"]).response_format.kind == "json_object"
    assert parse_options(["json_object=false"]).response_format.kind == "text"


def test_tools_plain_and_as_openai_writes_them(tmp_path: Path) -> None:
    plain = {"name": "add", "description": "Adds.", "parameters": {"type": "object"}}
    (tmp_path / "tools.json").write_text(json.dumps([plain, {"type": "function", "function": {"name": "now"}}]))
    add, now = parse_options([f"tools=@{tmp_path / 'tools.json'}"]).tools
    assert (add.name, add.description, add.parameters) == ("add", "Adds.", {"type": "object"})
    assert now.name == "now"
    assert parse_options(['tools={"name": "one"}']).tools[0].name == "one"
    assert parse_options(["tools=[]"]).tools == ()


def test_tools_of_plugins_by_name() -> None:
    tools = [Tool(name="weather"), Tool(name="now")]
    assert parse_options(["tools=now, weather"], plugin_tools=lambda: tools).tools == (tools[1], tools[0])
    with pytest.raises(BadInput, match="no tool rain") as caught:
        parse_options(["tools=rain"], plugin_tools=lambda: tools)
    assert "now, weather" in caught.value.info.hint
    with pytest.raises(BadInput, match="no tool rain"):
        parse_options(["tools=rain"])


def test_reasoning_overflow_template() -> None:
    options = parse_options(
        [
            "reasoning=off",
            "budget_tokens=100",
            "overflow=drop_oldest",
            "template.enable_thinking=false",
            "template.x=y z",
        ]
    )
    assert options.reasoning.enabled is False
    assert options.reasoning.budget_tokens == 100
    assert options.overflow == "drop_oldest"
    assert options.template_variables == {"enable_thinking": False, "x": "y z"}


@pytest.mark.parametrize(
    ("pair", "says"),
    [
        ("temperature", "NAME=VALUE"),
        ("temperature=hot", "temperature: 'hot' won't do: it must be a number."),
        ("temperature=-1", "outside 0 to 100"),
        ("temperature=nan", "outside"),
        ("dry_base=inf", "outside"),
        ("top_p=1.5", "outside 0 to 1"),
        ("top_k=1.5", "it must be a whole number"),
        ("seed=-1", "outside 0 to 4294967295"),
        ("seed=4294967296", "outside 0 to 4294967295"),
        ("max_tokens=0", "outside 1"),
        ("mirostat=3", "it must be one of 0, 1, 2"),
        ("flash_attn=maybe", "it must be one of auto, on, off"),
        ("temperature=null", "a value is missing"),
        ("temprature=1", "Did you mean temperature"),
        ("zzz=1", "The options are"),
        ("stop=", "neither a text"),
        ("stop=[1]", "neither a text"),
        ("logit_bias=the", "TOKEN:BIAS"),
        ("logit_bias=the:big", "a number"),
        ("logit_bias=the:nan", "a number"),
        ("logit_bias=the:inf", "a number"),
        ("json_schema=" + "[" * 100_000, "too deep"),
        ("tools={", "not valid JSON"),
        ("tools=[1]", "a tool has a name"),
        ('tools={"description": "nameless"}', "a tool has a name"),
        ('tools=[{"name": "a"}, {"name": "a"}]', "a name of its own"),
        ("json_schema={", "not valid JSON"),
        ("json_schema=[]", "JSON object"),
        ("json_schema=@/does/not/exist", "can't be read"),
        ("grammar= ", "empty"),
        ("reasoning=maybe", "not one of"),
        ("budget_tokens=x", "whole number"),
        ("overflow=ignore", "not one of"),
        ("use_mmap=perhaps", "it must be true or false"),
    ],
)
def test_what_cannot_be_used_is_said(pair: str, says: str) -> None:
    with pytest.raises(BadInput) as raised:
        parse_options([pair])
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_contradictions_are_refused() -> None:
    with pytest.raises(BadInput, match="twice"):
        parse_options(["top_k=1", "top-k=2"])
    with pytest.raises(BadInput, match="can't be used together"):
        parse_options(["json_object=true", "grammar=x"])


@given(name=st.sampled_from(option_names()), value=st.text(max_size=30))
def test_no_value_is_a_crash(name: str, value: str) -> None:
    try:
        parse_options([f"{name}={value}"])
    except BadInput as error:
        assert error.message


def test_given_values_go_before_the_settings() -> None:
    settings = Sampling(temperature=0.5, top_k=10)
    assert merged(settings, Sampling(temperature=0.0)) == Sampling(temperature=0.0, top_k=10)
    assert with_defaults(parse_options(["top_p=0.9"]), settings).sampling == Sampling(
        temperature=0.5, top_k=10, top_p=0.9
    )
