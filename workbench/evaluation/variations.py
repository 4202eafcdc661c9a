"""Variations of one contestant: other quantisations, temperatures, with and without examples."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from workbench.core.models import ModelInfo
from workbench.core.requests import ResponseFormat
from workbench.evaluation.spec import ModelSpec

QUANTIZATION = re.compile(r"[-_. ]?\b(?:UD-)?(?:I?Q\d[\w]*|F16|BF16|F32|FP16|MXFP4)\b", re.IGNORECASE)
TEMPERATURES = (0.0, 0.7, 1.0)


def quantizations_of(info: ModelInfo, models: Sequence[ModelInfo]) -> list[ModelInfo]:
    """The local files of the same model, largest first, `info`'s own among them."""
    if info.remote or not info.path:
        return []
    same = [
        other
        for other in models
        if not other.remote and other.path and _stem(other) == _stem(info) and other.architecture == info.architecture
    ]
    return sorted(same, key=lambda other: -(other.size_bytes or 0))


def of_quantizations(spec: ModelSpec, info: ModelInfo, models: Sequence[ModelInfo]) -> list[ModelSpec]:
    """`spec` once more for every other quantisation on this machine."""
    others = [other for other in quantizations_of(info, models) if other.id != spec.model]
    return [msgspec.structs.replace(spec, model=other.id, label=_label(other)) for other in others]


def of_temperatures(spec: ModelSpec) -> list[ModelSpec]:
    own = spec.sampling.temperature
    return [
        msgspec.structs.replace(
            spec,
            label=f"{spec.name}, temperature {value:g}",
            sampling=msgspec.structs.replace(spec.sampling, temperature=value),
        )
        for value in TEMPERATURES
        if value != own
    ]


def without_examples(spec: ModelSpec) -> ModelSpec:
    return msgspec.structs.replace(spec, label=f"{spec.name}, no examples", examples=())


def without_system(spec: ModelSpec) -> ModelSpec:
    return msgspec.structs.replace(spec, label=f"{spec.name}, no system prompt", system="")


def with_grammar(spec: ModelSpec) -> ModelSpec:
    """One of the expected answers only is the commonest use; the user writes the real ones."""
    form = ResponseFormat(kind="grammar", grammar='root ::= "yes" | "no"')
    return msgspec.structs.replace(spec, label=f"{spec.name}, with a grammar", response_format=form)


def _label(info: ModelInfo) -> str:
    known = info.quantization and info.quantization.lower() not in info.name.lower()
    return f"{info.name} {info.quantization}" if known else info.name


def _stem(info: ModelInfo) -> str:
    name = info.path.replace("\\", "/").rpartition("/")[2].removesuffix(".gguf")
    return QUANTIZATION.sub("", name).lower()
