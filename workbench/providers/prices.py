"""Prices of closed models: the list that ships with the program, then plugins' prices, then the user's own file."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from workbench.core.errors import BadInput
from workbench.core.models import ModelInfo, Prices

FILE_NAME = "prices.json"

# A snapshot of a model costs what the model costs: gpt-4o-2024-11-20, claude-sonnet-4-5-20250929, gemini-2.5-pro-002.
_SNAPSHOT = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8}|\d{3}|latest)$")


class PriceFile(msgspec.Struct, frozen=True, kw_only=True):
    """The file's format. `as_of` and `source` hold for entries that don't have their own."""

    as_of: str = ""
    source: str = ""
    models: dict[str, Prices] = {}
    """Model id (`openai:gpt-4o`) -> US dollars for a million tokens."""


class PriceList:
    def __init__(self, models: Mapping[str, Prices], problems: tuple[str, ...] = ()) -> None:
        self._models = dict(models)
        self.problems = problems
        """What was wrong with the user's file or a plugin's prices, for the user."""

    @classmethod
    def load(
        cls, resources: Path, override: Path | None = None, plugin_prices: Mapping[str, Mapping[str, Any]] | None = None
    ) -> PriceList:
        """Merge the three sources, later ones winning entry by entry: shipped, plugins, the user's file.

        `resources` is the folder with `prices.json`. A file of the user's or a plugin that can't be read is left out
        and named in `problems`.
        """
        models: dict[str, Prices] = {}
        problems: list[str] = []
        shipped = resources / FILE_NAME
        if shipped.is_file():
            models.update(_read(shipped))
        for model, fields in (plugin_prices or {}).items():
            try:
                models[model] = msgspec.convert(fields, Prices)
            except msgspec.ValidationError as error:
                problems.append(f"A plugin's price of {model} is not usable: {error}.")
        if override is not None and override.is_file():
            try:
                models.update(_read(override))
            except BadInput as error:
                problems.append(str(error))
        return cls(models, tuple(problems))

    def for_model(self, model_id: str, today: datetime.date | None = None) -> Prices | None:
        """The price of a model id like `openai:gpt-4o`; a dated snapshot costs what its model costs. None: unknown,
        which a price is too after its last day."""
        found = self._models.get(model_id)
        if found is None:
            found = self._models.get(_SNAPSHOT.sub("", model_id))
        if found is not None and found.until and found.until < (today or datetime.date.today()).isoformat():
            return None
        return found

    def priced(self, info: ModelInfo) -> ModelInfo:
        """The model with its price, unless its provider told one. Models of this machine have none."""
        if info.prices is not None or not info.remote:
            return info
        return msgspec.structs.replace(info, prices=self.for_model(info.id))

    def __len__(self) -> int:
        return len(self._models)

    @property
    def models(self) -> Mapping[str, Prices]:
        return self._models


def _read(path: Path) -> dict[str, Prices]:
    try:
        data = json.loads(path.read_bytes())
        # A plain mapping of ids is what people write by hand.
        file = msgspec.convert(data if "models" in data else {"models": data}, PriceFile)
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(
            f"The price list {path} can't be read: {error}.",
            hint='It looks like {"models": {"openai:gpt-4o": {"input": 2.5, "output": 10}}}.',
        ) from error
    return {
        model: msgspec.structs.replace(
            prices, as_of=prices.as_of or file.as_of, source=prices.source or file.source or str(path)
        )
        for model, prices in file.models.items()
    }
