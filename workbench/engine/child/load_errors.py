"""Why llama.cpp could not load something, in plain words, read from the lines it logged."""

from __future__ import annotations

import re
from collections.abc import Callable

from workbench.core.errors import BadInput, BadModelFile, OutOfMemory, WorkbenchError

_Reason = tuple[re.Pattern[str], Callable[[str, re.Match[str]], WorkbenchError]]


def _bad_file(message: str, hint: str = "") -> Callable[[str, re.Match[str]], WorkbenchError]:
    return lambda name, match: BadModelFile(f"{name} {message.format(*match.groups())}", hint=hint)


_DOWNLOAD_AGAIN = "Download the file again."
_TROUBLE = re.compile(r"error|fail|unsupported|cannot|can.t|not ", re.IGNORECASE)
_UPDATE = "A newer version of the program may know it; otherwise choose another model."

_REASONS: tuple[_Reason, ...] = (
    (
        re.compile(r"failed to open GGUF file .*\((.+)\)|failed to open .*: (.+)"),
        lambda name, match: BadModelFile(
            f"{name} can't be opened: {match.group(1) or match.group(2)}.",
            hint="Check that the file is still there and may be read.",
        ),
    ),
    (
        re.compile(r"invalid magic|bad GGUF magic"),
        _bad_file(
            "is not a GGUF file.", "Choose a file that ends in .gguf; a safetensors model must be converted first."
        ),
    ),
    (re.compile(r"unknown model architecture: '(.*?)'"), _bad_file("is of the unknown architecture “{}”.", _UPDATE)),
    (re.compile(r"unknown pre-tokenizer type: '(.*?)'"), _bad_file("uses the unknown tokenizer “{}”.", _UPDATE)),
    (
        re.compile(
            r"not within the file bounds|corrupted or incomplete|failed to read key-value|unexpectedly reached end"
        ),
        _bad_file("is damaged or incomplete.", _DOWNLOAD_AGAIN),
    ),
    (
        re.compile(r"key not found in model: (\S+)"),
        _bad_file("lacks the entry “{}” in its header.", "Convert the model again with a current llama.cpp."),
    ),
    (
        re.compile(r"missing tensor '(.*?)'|tensor '(.*?)' not found"),
        lambda name, match: BadModelFile(
            f"{name} lacks the tensor “{match.group(1) or match.group(2)}”.",
            hint="The file is damaged, or made for another version of llama.cpp.",
        ),
    ),
    (
        re.compile(r"wrong shape|wrong number of tensors|done_getting_tensors"),
        _bad_file("has tensors that do not fit its header.", _DOWNLOAD_AGAIN),
    ),
    (
        re.compile(r"bad_alloc|out of memory|failed to allocate|unable to allocate|cudaMalloc failed", re.IGNORECASE),
        lambda name, _match: OutOfMemory(
            f"There is not enough memory for {name}.",
            hint="Choose a smaller context, fewer layers on the GPU, a smaller quantisation or a smaller model.",
        ),
    ),
    (
        re.compile(r"quantized V cache requires flash_attn"),
        lambda _name, _match: BadInput(
            "A quantised V cache needs flash attention.", hint="Turn flash attention on, or set cache_type_v to f16."
        ),
    ),
    (
        re.compile(r"([KV]) cache type (\S+) with block size \d+ does not divide"),
        lambda name, match: BadInput(
            f"{name} can't use {match.group(2)} for its {match.group(1)} cache: its heads are too small.",
            hint=f"Set cache_type_{match.group(1).lower()} to f16.",
        ),
    ),
    (
        re.compile(r"(failed to read|invalid|duplicate|bad) .*(tensor|key|GGUF|version|string|array)", re.IGNORECASE),
        _bad_file("has a damaged header.", _DOWNLOAD_AGAIN),
    ),
)


def explain(name: str, lines: list[str], what: str = "could not be loaded") -> WorkbenchError:
    """The error behind a NULL from llama.cpp. `name` is the file as the user knows it, `lines` its log."""
    detail = "\n".join(lines[-20:])
    text = "\n".join(lines)
    for pattern, make in _REASONS:
        match = pattern.search(text)
        if match:
            error = make(name, match)
            error.detail = detail
            return error
    last = next((_short(line) for line in reversed(lines) if _TROUBLE.search(line)), "")
    return BadModelFile(f"{name} {what}{': ' + last if last else ''}.", detail=detail)


def _short(line: str) -> str:
    """The line without the function's name llama.cpp puts before it."""
    return line.split(": ", 1)[-1].strip().rstrip(".")
