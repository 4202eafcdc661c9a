"""Every sampling, reasoning and load parameter with its name, range and one line of explanation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workbench.core.tr import mark


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    """Field of `core.requests.Sampling` or `LoadOptions`."""
    title: str
    explanation: str
    kind: Literal["float", "int", "choice", "words", "bias", "bool"] = "float"
    low: float = 0.0
    high: float = 1.0
    decimals: int = 2
    choices: tuple[tuple[str, object], ...] = ()
    common: bool = False
    """Shown at once; the others are under “More”."""


P = Parameter
SAMPLING: tuple[Parameter, ...] = (
    P(
        "temperature",
        mark("Temperature"),
        mark("Higher is more varied, lower more predictable; 0 always takes the likeliest token."),
        high=5,
        common=True,
    ),
    P("top_p", mark("Top-p"), mark("Keeps the likeliest tokens that together reach this probability."), common=True),
    P(
        "top_k",
        mark("Top-k"),
        mark("Keeps this many of the likeliest tokens; 0 keeps all."),
        "int",
        high=100_000,
        common=True,
    ),
    P("min_p", mark("Min-p"), mark("Drops tokens less likely than this share of the likeliest one."), common=True),
    P(
        "max_tokens",
        mark("Max tokens"),
        mark("Most tokens to generate; unset goes on to the end of the context."),
        "int",
        1,
        1_000_000,
        common=True,
    ),
    P(
        "seed",
        mark("Seed"),
        mark(
            "The same seed repeats an answer if the model writes no other beside it; unset draws a new one each time."
        ),
        "int",
        0,
        2**32 - 1,
        common=True,
    ),
    P(
        "stop",
        mark("Stop strings"),
        mark("The answer ends before any of these texts. One a line."),
        "words",
        common=True,
    ),
    P(
        "repeat_penalty",
        mark("Repeat penalty"),
        mark("Above 1 makes tokens that occurred lately less likely."),
        high=3,
        common=True,
    ),
    P(
        "repeat_last_n",
        mark("Repeat window"),
        mark("How many of the last tokens the penalties look at; -1 is the whole context."),
        "int",
        -1,
        1_000_000,
    ),
    P(
        "frequency_penalty",
        mark("Frequency penalty"),
        mark("Makes a token less likely each time it has occurred."),
        low=-2,
        high=2,
    ),
    P(
        "presence_penalty",
        mark("Presence penalty"),
        mark("Makes a token less likely once it has occurred at all."),
        low=-2,
        high=2,
    ),
    P(
        "typical_p",
        mark("Typical-p"),
        mark("Keeps tokens whose surprise is close to what the context suggests; 1 is off."),
    ),
    P(
        "xtc_probability",
        mark("XTC probability"),
        mark("How often the likeliest choices are cut to make the text more inventive; 0 is off."),
    ),
    P("xtc_threshold", mark("XTC threshold"), mark("Only tokens above this probability can be cut by XTC.")),
    P(
        "dry_multiplier",
        mark("DRY multiplier"),
        mark("Strength of the penalty on repeated sequences; 0 is off."),
        high=5,
    ),
    P(
        "dry_base",
        mark("DRY base"),
        mark("How fast that penalty grows with the length of the repetition."),
        low=1,
        high=8,
    ),
    P(
        "dry_allowed_length",
        mark("DRY allowed length"),
        mark("Repetitions up to this many tokens are free."),
        "int",
        0,
        1000,
    ),
    P(
        "dry_penalty_last_n",
        mark("DRY window"),
        mark("How far back DRY looks for repetitions; -1 is the whole context."),
        "int",
        -1,
        1_000_000,
    ),
    P(
        "dry_sequence_breakers",
        mark("DRY breakers"),
        mark("Texts that end a repetition, such as a quotation mark. One a line."),
        "words",
    ),
    P(
        "mirostat",
        mark("Mirostat"),
        mark("Keeps the text's surprise steady; replaces top-k, top-p and their kin."),
        "choice",
        choices=((mark("Off"), 0), (mark("Mirostat 1"), 1), (mark("Mirostat 2"), 2)),
    ),
    P("mirostat_tau", mark("Mirostat tau"), mark("The surprise Mirostat aims at."), high=20),
    P("mirostat_eta", mark("Mirostat eta"), mark("How fast Mirostat corrects itself.")),
    P(
        "logit_bias",
        mark("Logit bias"),
        mark("Makes tokens likelier or, with -inf, impossible. One “text = bias” a line."),
        "bias",
    ),
    P("logprobs", mark("Log-probabilities"), mark("Records this many alternatives for each token."), "int", 0, 20),
)

LOAD: tuple[Parameter, ...] = (
    P(
        "n_ctx",
        mark("Context size"),
        mark("Tokens of prompt and answers together; unset is chosen from the model and free memory."),
        "int",
        64,
        10_000_000,
        common=True,
    ),
    P(
        "n_gpu_layers",
        mark("GPU layers"),
        mark("Layers computed on the GPU: 0 none, -1 all; unset as many as fit."),
        "int",
        -1,
        1000,
        common=True,
    ),
    P(
        "n_threads",
        mark("Threads"),
        mark("CPU threads for writing the answer; unset is the number of physical cores."),
        "int",
        1,
        1024,
        common=True,
    ),
    P("n_threads_batch", mark("Threads for prompts"), mark("CPU threads for reading the prompt."), "int", 1, 1024),
    P("n_batch", mark("Batch size"), mark("Most tokens handed to the model at once."), "int", 1, 65_536),
    P(
        "n_ubatch",
        mark("Micro-batch size"),
        mark("Most tokens computed at once; smaller needs less memory."),
        "int",
        1,
        65_536,
    ),
    P(
        "n_parallel",
        mark("Parallel answers"),
        mark("Most answers written in one batch; 1 makes a seed repeat exactly, and others wait."),
        "int",
        1,
        64,
    ),
    P(
        "flash_attn",
        mark("Flash attention"),
        mark("Faster attention that needs less memory, where the hardware can."),
        "choice",
        choices=((mark("Automatic"), "auto"), (mark("On"), "on"), (mark("Off"), "off")),
    ),
    P(
        "cache_type_k",
        mark("Key cache type"),
        mark("Precision of the cached keys; q8_0 halves their memory."),
        "choice",
        choices=(
            ("f16", "f16"),
            ("f32", "f32"),
            ("bf16", "bf16"),
            ("q8_0", "q8_0"),
            ("q5_1", "q5_1"),
            ("q5_0", "q5_0"),
            ("q4_1", "q4_1"),
            ("q4_0", "q4_0"),
        ),
    ),
    P(
        "cache_type_v",
        mark("Value cache type"),
        mark("Precision of the cached values; needs flash attention unless f16."),
        "choice",
        choices=(
            ("f16", "f16"),
            ("f32", "f32"),
            ("bf16", "bf16"),
            ("q8_0", "q8_0"),
            ("q5_1", "q5_1"),
            ("q5_0", "q5_0"),
            ("q4_1", "q4_1"),
            ("q4_0", "q4_0"),
        ),
    ),
    P(
        "use_mmap",
        mark("Map the file"),
        mark("Reads the model from disk as needed instead of copying it into memory."),
        "choice",
        choices=((mark("On"), True), (mark("Off"), False)),
    ),
    P(
        "use_mlock",
        mark("Lock in memory"),
        mark("Keeps the model from being swapped out."),
        "choice",
        choices=((mark("On"), True), (mark("Off"), False)),
    ),
)
