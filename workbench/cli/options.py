"""`-o NAME=VALUE`: typed values for sampling, loading, response format and reasoning, under the field's usual names."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from workbench.core.chat_options import ChatOptions
from workbench.core.errors import BadInput
from workbench.core.requests import (
    BAN_BIAS,
    LoadOptions,
    Options,
    Overflow,
    Reasoning,
    ResponseFormat,
    Sampling,
    Tool,
    merged,
)

_PROBABILITIES = ("top_p", "min_p", "typical_p", "xtc_probability", "xtc_threshold")
RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(_PROBABILITIES, (0.0, 1.0)),
    "temperature": (0.0, 100.0),
    "top_k": (0, 2**31 - 1),
    "repeat_penalty": (0.0, 100.0),
    "frequency_penalty": (-100.0, 100.0),
    "presence_penalty": (-100.0, 100.0),
    "repeat_last_n": (-1, 2**31 - 1),
    "dry_penalty_last_n": (-1, 2**31 - 1),
    "seed": (0, 2**32 - 1),
    "max_tokens": (1, 2**31 - 1),
    "logprobs": (0, 100),
    "n_ctx": (1, 2**31 - 1),
    "n_gpu_layers": (-1, 2**31 - 1),
    "n_threads": (1, 4096),
    "n_threads_batch": (1, 4096),
    "n_batch": (1, 2**31 - 1),
    "n_ubatch": (1, 2**31 - 1),
    "n_parallel": (1, 256),
    "budget_tokens": (0, 2**31 - 1),
}
"""Values outside make no sense for any model; what a model itself can't take it says."""

TYPE_NAMES = {int: "a whole number", float: "a number", bool: "true or false"}

ALIASES = {
    "temp": "temperature",
    "max_completion_tokens": "max_tokens",
    "repetition_penalty": "repeat_penalty",
    "context": "n_ctx",
    "ctx_size": "n_ctx",
    "threads": "n_threads",
    "ngl": "n_gpu_layers",
    "gpu_layers": "n_gpu_layers",
    "reasoning_effort": "effort",
    "reasoning_budget": "budget_tokens",
}
SPECIAL = {
    "json_schema": "the answer must match this JSON Schema: JSON text or @FILE",
    "json_object": "true: the answer must be a JSON object",
    "grammar": "the answer must match this GBNF grammar: text or @FILE",
    "reasoning": "on or off",
    "effort": "how much to reason: low, medium, high or what the provider knows (also reasoning_effort)",
    "budget_tokens": "most tokens of reasoning (also reasoning_budget)",
    "overflow": "error or drop_oldest: what to do when the prompt does not fit into the context",
    "tools": "functions the model may call: names of plugins' tools, or a JSON list of name, description and "
    "parameters (a JSON Schema), or @FILE",
    "chat_template": "a Jinja chat template instead of the model's own: text or @FILE",
    "template.NAME": "a variable for the chat template, for example template.enable_thinking=false",
}
_REPEATABLE = ("stop", "dry_sequence_breakers", "logit_bias")


def with_defaults(options: ChatOptions, sampling: Sampling) -> ChatOptions:
    """`options`, and the settings' sampling where they say nothing."""
    return msgspec.structs.replace(options, sampling=merged(sampling, options.sampling))


def parse_options(
    pairs: Iterable[str], *, system_prompt: str = "", plugin_tools: Callable[[], list[Tool]] = list
) -> ChatOptions:
    """Parse NAME=VALUE texts. Raises BadInput that names the option, the value and what would do."""
    collected: dict[str, Any] = {}
    variables: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise BadInput(f"-o {pair}: an option is NAME=VALUE.", hint=f"For example -o {name or 'temperature'}=0.7")
        if name.startswith("template."):
            variables[name.removeprefix("template.")] = _json_or_text(value)
            continue
        name = ALIASES.get(name, name)
        if name not in _KNOWN:
            raise BadInput(f"There is no option {name}.", hint=_nearest(name))
        if name in _REPEATABLE:
            collected[name] = _add(name, collected.get(name), _from_file(name, value))
        elif name in collected:
            raise BadInput(f"The option {name} is given twice.")
        else:
            collected[name] = _from_file(name, value) if name in _TAKES_FILE else value
    return ChatOptions(
        system_prompt=system_prompt,
        sampling=_struct(Sampling, collected),
        load=_struct(LoadOptions, collected),
        response_format=_response_format(collected),
        reasoning=_reasoning(collected),
        overflow=_overflow(collected.get("overflow", "error")),
        chat_template=collected.get("chat_template"),
        template_variables=variables,
        tools=_tools(collected["tools"], plugin_tools) if "tools" in collected else (),
    )


def option_names() -> list[str]:
    return [*Sampling.__struct_fields__, *LoadOptions.__struct_fields__, *SPECIAL]


_KNOWN = frozenset(option_names())
_TAKES_FILE = ("json_schema", "grammar", "chat_template", "tools")


def _from_file(name: str, value: str) -> str:
    """The content of FILE for `@FILE`, else the value itself."""
    if not value.startswith("@") or name in ("stop", "dry_sequence_breakers"):
        return value
    path = Path(value[1:]).expanduser()
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{name}: the file {path} can't be read: {error.strerror}.") from error
    except ValueError as error:  # UnicodeDecodeError; a path with a zero character
        raise BadInput(f"{name}: {path} is not a file with UTF-8 text.") from error


def _add(name: str, before: Any, value: str) -> Any:
    """Collect the values of an option that may be given several times."""
    if name == "logit_bias":
        return {**(before or {}), **_logit_bias(value)}
    items = _parse_json(name, value) if value.startswith("[") else [value.replace("\\n", "\n").replace("\\t", "\t")]
    if not isinstance(items, list) or not all(isinstance(item, str) and item for item in items):
        raise BadInput(f"{name}: {value!r} is neither a text nor a JSON list of texts.")
    return [*(before or []), *items]


def _logit_bias(value: str) -> dict[str, float]:
    """`TOKEN:BIAS`, or a JSON object of them."""
    if value.lstrip().startswith("{"):
        pairs = list(_parse_json("logit_bias", value).items())
    else:
        token, colon, bias = value.rpartition(":")
        if not colon or not token:
            raise BadInput(f"logit_bias: {value!r} is not TOKEN:BIAS or a JSON object of them.")
        pairs = [(token, bias)]
    try:
        biases = {token: float(bias) for token, bias in pairs}
        if any(math.isnan(bias) or bias == math.inf for bias in biases.values()):
            raise ValueError
        return {token: max(bias, BAN_BIAS) for token, bias in biases.items()}
    except (TypeError, ValueError) as error:
        raise BadInput(f"logit_bias: a bias is a number or -inf, not as in {value!r}.") from error


def _struct(kind: type[Options], collected: dict[str, Any]) -> Options:
    given = {name: value for name, value in collected.items() if name in kind.__struct_fields__}
    for name, value in given.items():
        _check(kind, name, value)
    return msgspec.convert(given, kind, strict=False)


def _check(kind: type[msgspec.Struct], name: str, value: Any) -> None:
    try:
        converted = getattr(msgspec.convert({name: value}, kind, strict=False), name)
    except msgspec.ValidationError as error:
        raise BadInput(f"{name}: {value!r} won't do: it must be {_wanted(kind, name)}.") from error
    if converted is None:
        raise BadInput(f"{name}: a value is missing. Leave the option out for the model's default.")
    _check_range(name, converted)


def _wanted(kind: type[msgspec.Struct], name: str) -> str:
    """What a field takes, in words."""
    types = [type_ for type_ in get_args(get_type_hints(kind)[name]) if type_ is not NoneType]
    choices = [str(value) for type_ in types for value in get_args(type_) if get_origin(type_) is Literal]
    if choices:
        return f"one of {', '.join(choices)}"
    return " or ".join(TYPE_NAMES[type_] for type_ in types if type_ in TYPE_NAMES) or "another value"


def _check_range(name: str, value: Any) -> None:
    if not isinstance(value, int | float):
        return
    low, high = RANGES.get(name, (-math.inf, math.inf))
    if not low <= value <= high or not math.isfinite(value):
        raise BadInput(f"{name}: {value} is outside {low:.10g} to {high:.10g}.")


def _response_format(collected: dict[str, Any]) -> ResponseFormat:
    given = [name for name in ("json_schema", "json_object", "grammar") if name in collected]
    if len(given) > 1:
        raise BadInput(f"{' and '.join(given)} can't be used together: each says what the answer must look like.")
    if given == ["json_schema"]:
        schema = _parse_json("json_schema", collected["json_schema"])
        if not isinstance(schema, dict):
            raise BadInput("json_schema: a JSON Schema is a JSON object.")
        return ResponseFormat(kind="json_schema", schema=schema)
    if given == ["grammar"]:
        if not collected["grammar"].strip():
            raise BadInput("grammar: the grammar is empty.")
        return ResponseFormat(kind="grammar", grammar=collected["grammar"])
    if given == ["json_object"] and _on_off("json_object", collected["json_object"]):
        return ResponseFormat(kind="json_object")
    return ResponseFormat()


def _tools(text: str, plugin_tools: Callable[[], list[Tool]]) -> tuple[Tool, ...]:
    """Names of plugins' tools, or tools as JSON: plain, or wrapped in `function` as OpenAI has them."""
    if text.strip() and not text.strip().startswith(("[", "{")):
        return _named_tools([name.strip() for name in text.split(",")], plugin_tools())
    listed = _parse_json("tools", text)
    items = listed if isinstance(listed, list) else [listed]
    plain = [item.get("function", item) if isinstance(item, dict) else item for item in items]
    try:
        tools = msgspec.convert(plain, tuple[Tool, ...])
    except msgspec.ValidationError as error:
        raise BadInput(f"tools: a tool has a name, a description and parameters: {error}.") from error
    if len({tool.name for tool in tools}) < len(tools) or not all(tool.name for tool in tools):
        raise BadInput("tools: each tool needs a name of its own.")
    return tools


def _named_tools(names: list[str], tools: list[Tool]) -> tuple[Tool, ...]:
    by_name = {tool.name: tool for tool in tools}
    for name in names:
        if name not in by_name:
            known = f"Plugins have: {', '.join(sorted(by_name))}." if by_name else "No plugin has any."
            raise BadInput(f"tools: there is no tool {name}.", hint=f"{known} JSON or @FILE describes others.")
    return tuple(by_name[name] for name in dict.fromkeys(names))


def _reasoning(collected: dict[str, Any]) -> Reasoning:
    enabled = _on_off("reasoning", collected["reasoning"]) if "reasoning" in collected else None
    budget = None
    if "budget_tokens" in collected:
        try:
            budget = int(collected["budget_tokens"])
        except ValueError as error:
            raise BadInput(f"budget_tokens: {collected['budget_tokens']!r} is not a whole number.") from error
        _check_range("budget_tokens", budget)
    return Reasoning(enabled=enabled, effort=collected.get("effort") or None, budget_tokens=budget)


def _overflow(value: str) -> Overflow:
    return "drop_oldest" if _choice("overflow", value, ("error", "drop_oldest")) == "drop_oldest" else "error"


def _on_off(name: str, value: str) -> bool:
    return _choice(name, value.lower(), ("on", "off", "true", "false", "1", "0", "yes", "no")) in (
        "on",
        "true",
        "1",
        "yes",
    )


def _choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise BadInput(f"{name}: {value!r} is not one of {', '.join(choices)}.")
    return value


def _parse_json(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInput(f"{name}: this is not valid JSON: {error.msg} in line {error.lineno}.") from error
    except RecursionError as error:
        raise BadInput(f"{name}: the JSON is nested too deep.") from error


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def _nearest(name: str) -> str:
    close = difflib.get_close_matches(name, [*_KNOWN, *ALIASES], n=3)
    return f"Did you mean {' or '.join(close)}?" if close else f"The options are {', '.join(option_names())}."
