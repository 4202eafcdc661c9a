"""Sampling parameters: defaults, checks, and llama.cpp's sampler chain made of them."""

from __future__ import annotations

import ctypes
import math
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from workbench.core.errors import BadInput
from workbench.core.requests import BAN_BIAS, Sampling
from workbench.engine.child.llama import lib
from workbench.engine.child.vocab import Vocab

DEFAULTS = Sampling(
    temperature=0.8,
    top_k=40,
    top_p=0.95,
    min_p=0.05,
    typical_p=1.0,
    xtc_probability=0.0,
    xtc_threshold=0.1,
    dry_multiplier=0.0,
    dry_base=1.75,
    dry_allowed_length=2,
    dry_penalty_last_n=-1,
    dry_sequence_breakers=("\n", ":", '"', "*"),
    repeat_penalty=1.0,
    repeat_last_n=64,
    frequency_penalty=0.0,
    presence_penalty=0.0,
    mirostat=0,
    mirostat_tau=5.0,
    mirostat_eta=0.1,
)
"""llama.cpp's own defaults, used where neither the request nor the model's file says otherwise."""

_METADATA: dict[str, tuple[str, type]] = {
    "general.sampling.temp": ("temperature", float),
    "general.sampling.top_k": ("top_k", int),
    "general.sampling.top_p": ("top_p", float),
    "general.sampling.min_p": ("min_p", float),
    "general.sampling.xtc_probability": ("xtc_probability", float),
    "general.sampling.xtc_threshold": ("xtc_threshold", float),
    "general.sampling.penalty_last_n": ("repeat_last_n", int),
    "general.sampling.penalty_repeat": ("repeat_penalty", float),
    "general.sampling.mirostat": ("mirostat", int),
    "general.sampling.mirostat_tau": ("mirostat_tau", float),
    "general.sampling.mirostat_eta": ("mirostat_eta", float),
}

_RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 100),
    "top_k": (0, 2**31 - 1),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "typical_p": (0, 1),
    "xtc_probability": (0, 1),
    "xtc_threshold": (0, 1),
    "dry_multiplier": (0, 100),
    "dry_base": (0, 100),
    "dry_allowed_length": (0, 2**31 - 1),
    "dry_penalty_last_n": (-1, 2**31 - 1),
    "repeat_penalty": (0.01, 100),
    "repeat_last_n": (-1, 2**31 - 1),
    "frequency_penalty": (-100, 100),
    "presence_penalty": (-100, 100),
    "mirostat": (0, 2),
    "mirostat_tau": (0, 100),
    "mirostat_eta": (0, 100),
    "seed": (0, 2**32 - 1),
    "max_tokens": (0, 2**31 - 1),
    "logprobs": (0, 100),
}


def model_defaults(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Sampling values the GGUF's metadata recommends, under `Sampling`'s names. Nonsense is left out."""
    found: dict[str, Any] = {}
    for key, (name, kind) in _METADATA.items():
        try:
            value = kind(float(metadata[key]))
        except (KeyError, ValueError, OverflowError):
            continue
        low, high = _RANGES[name]
        if low <= value <= high:
            found[name] = value
    return found


def effective(request: Sampling, recommended: Mapping[str, Any]) -> Sampling:
    """The request's values, then the model's, then llama.cpp's; a seed is drawn where none is given.

    Raises BadInput for a value out of range.
    """
    given = {name: value for name, value in msgspec.structs.asdict(request).items() if value is not None}
    for name, value in given.items():
        if name in _RANGES:
            low, high = _RANGES[name]
            if math.isnan(value) or not low <= value <= high:
                raise BadInput(f"{name} must be between {low:g} and {high:g}, not {value:g}.")
    merged = msgspec.structs.asdict(DEFAULTS) | dict(recommended) | given
    if merged.get("seed") is None:
        merged["seed"] = secrets.randbelow(2**32 - 1)
    return Sampling(**merged)


def as_record(sampling: Sampling) -> dict[str, Any]:
    """Every value that is set, for the run's record."""
    return {name: value for name, value in msgspec.structs.asdict(sampling).items() if value is not None}


class Chain:
    """llama.cpp's samplers in its server's order: bias, penalties, DRY, top-k, typical, top-p, min-p, XTC,
    temperature, then the draw. Frees them with `close`."""

    def __init__(self, sampling: Sampling, vocab: Vocab, n_ctx: int) -> None:
        self._vocab = vocab
        self.looks_back = 0
        """How many tokens of the prompt the penalties look at."""
        params = lib.llama_sampler_chain_default_params()
        params.no_perf = True
        self.handle = lib.llama_sampler_chain_init(params)
        try:
            for sampler in self._samplers(sampling, n_ctx):
                lib.llama_sampler_chain_add(self.handle, sampler)
        except BaseException:
            self.close()
            raise

    def accept_prompt(self, tokens: list[int]) -> None:
        """Let the penalties know the prompt's end."""
        if self.looks_back:
            for token in tokens[-self.looks_back :]:
                lib.llama_sampler_accept(self.handle, token)

    def close(self) -> None:
        if self.handle:
            lib.llama_sampler_free(self.handle)
            self.handle = None

    def _samplers(self, s: Sampling, n_ctx: int) -> Iterable[Any]:
        if s.logit_bias:
            yield self._bias(s.logit_bias)
        yield from self._penalties(s, n_ctx)
        # llama.cpp takes the largest seed for "draw one"; its neighbour stands in for it so that it repeats too.
        seed = min(s.seed or 0, 2**32 - 2)
        temperature = 0.8 if s.temperature is None else s.temperature
        if temperature <= 0:
            yield lib.llama_sampler_init_greedy()
            return
        if s.mirostat:
            yield lib.llama_sampler_init_temp(temperature)
            tau, eta = s.mirostat_tau or 0.0, s.mirostat_eta or 0.0
            if s.mirostat == 1:
                yield lib.llama_sampler_init_mirostat(self._vocab.size, seed, tau, eta, 100)
            else:
                yield lib.llama_sampler_init_mirostat_v2(seed, tau, eta)
            return
        yield from _filters(s, seed)
        yield lib.llama_sampler_init_temp(temperature)
        yield lib.llama_sampler_init_dist(seed)

    def _penalties(self, s: Sampling, n_ctx: int) -> Iterable[Any]:
        last_n = n_ctx if s.repeat_last_n == -1 else s.repeat_last_n or 0
        if last_n and (s.repeat_penalty != 1.0 or s.frequency_penalty or s.presence_penalty):
            self.looks_back = last_n
            yield lib.llama_sampler_init_penalties(
                self._vocab.size, last_n, s.repeat_penalty, s.frequency_penalty or 0.0, s.presence_penalty or 0.0
            )
        if s.dry_multiplier:
            dry_n = n_ctx if s.dry_penalty_last_n == -1 else s.dry_penalty_last_n or 0
            self.looks_back = max(self.looks_back, dry_n)
            breakers = [text.encode() for text in s.dry_sequence_breakers or () if text]
            array = (ctypes.c_char_p * max(len(breakers), 1))(*breakers)
            yield lib.llama_sampler_init_dry(
                self._vocab.handle,
                s.dry_multiplier,
                s.dry_base,
                s.dry_allowed_length,
                dry_n,
                array,
                len(breakers),
            )

    def _bias(self, bias: Mapping[str, float]) -> Any:
        values: dict[int, float] = {}
        for key, value in bias.items():
            if math.isnan(value) or value == math.inf:
                raise BadInput(f"The logit bias of “{key}” must be a number, not {value}.")
            for token in self._tokens_of(key):
                values[token] = -math.inf if value <= BAN_BIAS else value
        array = (lib.llama_logit_bias * len(values))(*values.items())
        return lib.llama_sampler_init_logit_bias(self._vocab.size, len(values), array)

    def _tokens_of(self, key: str) -> list[int]:
        if key.isascii() and key.isdecimal():
            if int(key) >= self._vocab.size:
                raise BadInput(f"There is no token {key}; the model has {self._vocab.size}.")
            return [int(key)]
        tokens = self._vocab.tokenize(key)
        if not tokens:
            raise BadInput("A logit bias needs a token's id or text.")
        return tokens


def _filters(s: Sampling, seed: int) -> Iterable[Any]:
    """Filters that would change nothing are left out: each costs time for every token."""
    if s.top_k:
        yield lib.llama_sampler_init_top_k(s.top_k)
    if s.typical_p is not None and s.typical_p < 1:
        yield lib.llama_sampler_init_typical(s.typical_p, 1)
    if s.top_p is not None and s.top_p < 1:
        yield lib.llama_sampler_init_top_p(s.top_p, 1)
    if s.min_p:
        yield lib.llama_sampler_init_min_p(s.min_p, 1)
    if s.xtc_probability:
        yield lib.llama_sampler_init_xtc(s.xtc_probability, s.xtc_threshold or 0.0, 1, seed)
