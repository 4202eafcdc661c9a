"""Every sampling, reasoning and load parameter with its name, range and one line of explanation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
        "Temperature",
        "Higher is more varied, lower more predictable; 0 always takes the likeliest token.",
        high=5,
        common=True,
    ),
    P("top_p", "Top-p", "Keeps the likeliest tokens that together reach this probability.", common=True),
    P("top_k", "Top-k", "Keeps this many of the likeliest tokens; 0 keeps all.", "int", high=100_000, common=True),
    P("min_p", "Min-p", "Drops tokens less likely than this share of the likeliest one.", common=True),
    P(
        "max_tokens",
        "Max tokens",
        "Most tokens to generate; unset goes on to the end of the context.",
        "int",
        1,
        1_000_000,
        common=True,
    ),
    P(
        "seed",
        "Seed",
        "The same seed, request and build give the same tokens; unset draws a new one each time.",
        "int",
        0,
        2**32 - 1,
        common=True,
    ),
    P("stop", "Stop strings", "The answer ends before any of these texts. One a line.", "words", common=True),
    P(
        "repeat_penalty",
        "Repeat penalty",
        "Above 1 makes tokens that occurred lately less likely.",
        high=3,
        common=True,
    ),
    P(
        "repeat_last_n",
        "Repeat window",
        "How many of the last tokens the penalties look at; -1 is the whole context.",
        "int",
        -1,
        1_000_000,
    ),
    P("frequency_penalty", "Frequency penalty", "Makes a token less likely each time it has occurred.", low=-2, high=2),
    P("presence_penalty", "Presence penalty", "Makes a token less likely once it has occurred at all.", low=-2, high=2),
    P("typical_p", "Typical-p", "Keeps tokens whose surprise is close to what the context suggests; 1 is off."),
    P(
        "xtc_probability",
        "XTC probability",
        "How often the likeliest choices are cut to make the text more inventive; 0 is off.",
    ),
    P("xtc_threshold", "XTC threshold", "Only tokens above this probability can be cut by XTC."),
    P("dry_multiplier", "DRY multiplier", "Strength of the penalty on repeated sequences; 0 is off.", high=5),
    P("dry_base", "DRY base", "How fast that penalty grows with the length of the repetition.", low=1, high=8),
    P("dry_allowed_length", "DRY allowed length", "Repetitions up to this many tokens are free.", "int", 0, 1000),
    P(
        "dry_penalty_last_n",
        "DRY window",
        "How far back DRY looks for repetitions; -1 is the whole context.",
        "int",
        -1,
        1_000_000,
    ),
    P(
        "dry_sequence_breakers",
        "DRY breakers",
        "Texts that end a repetition, such as a quotation mark. One a line.",
        "words",
    ),
    P(
        "mirostat",
        "Mirostat",
        "Keeps the text's surprise steady; replaces top-k, top-p and their kin.",
        "choice",
        choices=(("Off", 0), ("Mirostat 1", 1), ("Mirostat 2", 2)),
    ),
    P("mirostat_tau", "Mirostat tau", "The surprise Mirostat aims at.", high=20),
    P("mirostat_eta", "Mirostat eta", "How fast Mirostat corrects itself."),
    P("logit_bias", "Logit bias", "Makes tokens likelier or, with -inf, impossible. One “text = bias” a line.", "bias"),
    P("logprobs", "Log-probabilities", "Records this many alternatives for each token.", "int", 0, 20),
)

LOAD: tuple[Parameter, ...] = (
    P(
        "n_ctx",
        "Context size",
        "Tokens of prompt and answers together; unset is chosen from the model and free memory.",
        "int",
        64,
        10_000_000,
        common=True,
    ),
    P(
        "n_gpu_layers",
        "GPU layers",
        "Layers computed on the GPU: 0 none, -1 all; unset as many as fit.",
        "int",
        -1,
        1000,
        common=True,
    ),
    P(
        "n_threads",
        "Threads",
        "CPU threads for writing the answer; unset is the number of physical cores.",
        "int",
        1,
        1024,
        common=True,
    ),
    P("n_threads_batch", "Threads for prompts", "CPU threads for reading the prompt.", "int", 1, 1024),
    P("n_batch", "Batch size", "Most tokens handed to the model at once.", "int", 1, 65_536),
    P("n_ubatch", "Micro-batch size", "Most tokens computed at once; smaller needs less memory.", "int", 1, 65_536),
    P("n_parallel", "Parallel answers", "Most answers written in one batch.", "int", 1, 64),
    P(
        "flash_attn",
        "Flash attention",
        "Faster attention that needs less memory, where the hardware can.",
        "choice",
        choices=(("Automatic", "auto"), ("On", "on"), ("Off", "off")),
    ),
    P(
        "cache_type_k",
        "Key cache type",
        "Precision of the cached keys; q8_0 halves their memory.",
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
        "Value cache type",
        "Precision of the cached values; needs flash attention unless f16.",
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
        "Map the file",
        "Reads the model from disk as needed instead of copying it into memory.",
        "choice",
        choices=(("On", True), ("Off", False)),
    ),
    P(
        "use_mlock",
        "Lock in memory",
        "Keeps the model from being swapped out.",
        "choice",
        choices=(("On", True), ("Off", False)),
    ),
)
