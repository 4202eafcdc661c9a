"""The columns the user has set up: plain values, kept with the window and in presets."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from workbench.core.chat_options import ChatOptions, from_saved
from workbench.core.models import ModelInfo
from workbench.core.requests import Sampling
from workbench.ui.tr import mark, tr, trn

MIN_COLUMNS, MAX_COLUMNS = 2, 8
MAX_SAMPLES = 16
SHOWN_SETTINGS = (
    ("temperature", mark("temp")),
    ("top_p", mark("top-p")),
    ("top_k", mark("top-k")),
    ("seed", mark("seed")),
    ("max_tokens", mark("max")),
)
"""Sampling values that stand in a column's head; how many others are set is told as a number."""
Schedule = Literal["auto", "one_by_one"]


class Column(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One column. The fields are those of `services.comparison.ColumnSpec`, which a worker makes of it."""

    key: str
    model: str
    label: str = ""
    options: ChatOptions = ChatOptions()
    samples: int = 1


class ColumnSet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a preset holds and what the window remembers."""

    columns: tuple[Column, ...] = ()
    schedule: Schedule = "auto"
    blind: bool = False
    linked: bool = False
    """Columns scroll together."""
    widths: tuple[int, ...] = ()
    session_id: str = ""
    draft: str = ""


def new_key() -> str:
    return uuid.uuid4().hex[:8]


def first_columns(model: str) -> tuple[Column, ...]:
    """What a newcomer finds: one model twice, careful and free, so that there is something to compare at once."""
    return tuple(
        Column(key=new_key(), model=model, options=ChatOptions(sampling=Sampling(temperature=temperature)))
        for temperature in (0.2, 1.0)
    )


def duplicate(column: Column) -> Column:
    return replace(column, key=new_key())


def columns_from(saved: Any) -> tuple[Column, ...]:
    """Columns as they were stored; what can't be understood is left out."""
    columns = []
    for entry in saved if isinstance(saved, list | tuple) else ():
        if isinstance(entry, dict) and isinstance(entry.get("model"), str):
            options = entry.get("options")
            samples = entry.get("samples", 1)
            columns.append(
                Column(
                    key=str(entry.get("key") or new_key()),
                    model=entry["model"],
                    label=str(entry.get("label") or ""),
                    options=from_saved(options if isinstance(options, dict) else {}),
                    samples=samples if isinstance(samples, int) and 1 <= samples <= MAX_SAMPLES else 1,
                )
            )
    return tuple(columns[:MAX_COLUMNS])


def set_from(saved: dict[str, Any]) -> ColumnSet:
    """A set as `to_plain` wrote it; damaged parts become their defaults."""
    known = {name: value for name, value in saved.items() if name in ColumnSet.__struct_fields__ and name != "columns"}
    try:
        rest = msgspec.convert(known, ColumnSet)
    except msgspec.ValidationError:
        rest = ColumnSet()
    return replace(rest, columns=columns_from(saved.get("columns")))


def to_plain(value: msgspec.Struct) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(value)
    return plain


def summary(column: Column) -> str:
    """What makes this column special, in a few words: its label, or the settings it changes."""
    if column.label:
        return column.label
    options, parts = column.options, []
    for name, title in SHOWN_SETTINGS:
        value = getattr(options.sampling, name)
        if value is not None:
            parts.append(f"{tr(title)} {value:g}" if isinstance(value, float) else f"{tr(title)} {value}")
    changed = [name for name in Sampling.__struct_fields__ if getattr(options.sampling, name) is not None]
    rest = len(changed) - len(parts)
    if rest > 0:
        parts.append(tr("{count} more", count=rest))
    if options.system_prompt.strip():
        parts.append(tr("system prompt"))
    if options.response_format.kind != "text":
        parts.append(tr("JSON") if options.response_format.kind.startswith("json") else tr("grammar"))
    if column.samples > 1:
        parts.append(trn("{count} sample", "{count} samples", column.samples))
    return " · ".join(parts)


def model_name(model_id: str, models: Sequence[ModelInfo]) -> str:
    known = next((info.name for info in models if info.id == model_id), "")
    return known or model_id.rpartition("/")[2] or model_id


def title(column: Column, models: Sequence[ModelInfo], columns: Sequence[Column]) -> str:
    """The column's name in lists and messages; columns of one model are told apart."""
    name = model_name(column.model, models)
    same = [other for other in columns if other.model == column.model]
    if column.label:
        return column.label if len(same) < 2 else f"{name} ({column.label})"
    if len(same) < 2:
        return name
    special = summary(column)
    alike = [other for other in same if summary(other) == special]
    if special and len(alike) < 2:
        return f"{name} ({special})"
    number = [other.key for other in same].index(column.key) + 1 if column in same else 1
    return f"{name} #{number}"
