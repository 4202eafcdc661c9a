"""Why an engine process ended, in plain words, from its exit status and the last lines of its log."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence

from workbench.core.errors import BadModelFile, EngineDied, ErrorInfo, OutOfMemory

DETAIL_LINES = 30
SMALLER = "Choose a smaller context, fewer layers on the GPU, a smaller quantisation or a smaller model."
AGAIN = "It starts again by itself with the next prompt."
BAD_MODEL = "The file may be damaged or made for another version of llama.cpp: download it again or choose another."

_MEMORY = re.compile(
    r"out of memory|bad_alloc|failed to allocate|unable to allocate|cudaMalloc failed|OutOfDeviceMemory|MemoryError"
    r"|insufficient memory|cannot allocate memory|not enough memory",
    re.IGNORECASE,
)
_ASSERTION = re.compile(r"GGML_ASSERT\((.{1,200}?)\) failed|^(.{1,200}): fatal error$", re.MULTILINE)
_ARCHITECTURE = re.compile(r"unknown model architecture: '([^'\n]{1,80})'")
_MISSING_MODULE = re.compile(r"(?:ModuleNotFoundError|ImportError): (.{1,300})")

_WINDOWS_SIGNALS = {0xC0000005: "SIGSEGV", 0xC000001D: "SIGILL", 0xC0000409: "SIGABRT", 0xC0000006: "SIGBUS"}


def explain_exit(name: str, exit_code: int | None, log: Sequence[str], *, loading: bool) -> ErrorInfo:
    """`name`: the model as the user knows it. `exit_code` as `subprocess` gives it: negative for a signal."""
    text = "\n".join(log)
    ended = _signal_name(exit_code)
    when = f"while it loaded {name}" if loading else f"while it ran {name}"
    again = BAD_MODEL if loading else AGAIN
    if ended not in ("SIGTERM", "SIGINT") and (known := _known_cause(name, text, when, again)):
        message, hint, kind = known
    elif ended:
        message, hint, kind = _by_signal(ended, when, again)
    else:
        reason = _last_line(log)
        message = f"The engine ended {when} (exit code {exit_code})" + (f": {reason}." if reason else ".")
        hint, kind = again, EngineDied.kind
    return ErrorInfo(kind=kind, message=message, hint=hint, detail=_detail(exit_code, ended, log))


def _known_cause(name: str, text: str, when: str, again: str) -> tuple[str, str, str] | None:
    if match := _ARCHITECTURE.search(text):
        hint = "A newer version of the program may know it; otherwise choose another model."
        return f"{name} is of the unknown architecture “{match[1]}”.", hint, BadModelFile.kind
    if _MEMORY.search(text):
        return f"Memory ran out {when}.", SMALLER, OutOfMemory.kind
    if match := _ASSERTION.search(text):
        check = (match[1] or match[2]).strip()
        return f"The engine stopped {when}: llama.cpp's own check “{check}” failed.", again, EngineDied.kind
    if match := _MISSING_MODULE.search(text):
        hint = "Install the program again; `workbench doctor` shows what is missing."
        return f"The engine can't start: {match[1].strip().rstrip('.')}.", hint, EngineDied.kind
    return None


def _by_signal(ended: str, when: str, again: str) -> tuple[str, str, str]:
    words = {
        "SIGKILL": (f"The engine was ended by the system {when}, often because memory ran out.", SMALLER),
        "SIGILL": (
            f"The engine used an instruction this processor does not have {when}.",
            "This build of llama.cpp is for a newer processor; install one built for this machine.",
        ),
        "SIGSEGV": (f"The engine crashed {when} (memory access).", again),
        "SIGBUS": (
            f"The engine lost its model file {when}: the file changed, was cut, or its disk failed.",
            "Check the disk, or download the model again.",
        ),
        "SIGABRT": (f"The engine gave up {when}.", f"{again} The details hold its last words."),
        "SIGTERM": (f"The engine was asked to end by another program {when}.", "It starts again with the next prompt."),
    }
    message, hint = words.get(ended, (f"The engine was ended by {ended} {when}.", again))
    return message, hint, EngineDied.kind


def _signal_name(exit_code: int | None) -> str:
    if exit_code is None:
        return ""
    if exit_code < 0:
        try:
            return signal.Signals(-exit_code).name
        except ValueError:
            return f"signal {-exit_code}"
    return _WINDOWS_SIGNALS.get(exit_code, "")


def _last_line(log: Sequence[str]) -> str:
    return next((line.strip().rstrip(".")[:300] for line in reversed(log) if line.strip()), "")


def _detail(exit_code: int | None, ended: str, log: Sequence[str]) -> str:
    first = f"exit: {ended or exit_code}"
    return "\n".join([first, *log[-DETAIL_LINES:]])
