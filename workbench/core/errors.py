"""Errors of the environment: told to the user, never a traceback.

A message says what happened, to what, and (in `hint`) what to do next. Anything that is not a
`WorkbenchError` is a bug of ours and goes to the crash reporter.
"""

from __future__ import annotations

import msgspec


class ErrorInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An error as a value: crosses process borders, stands in run rows and on screens."""

    kind: str
    message: str
    hint: str = ""
    detail: str = ""
    """Technical text for the copyable details: log lines, status code, response body (redacted)."""

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class WorkbenchError(Exception):
    """Root of everything that can go wrong without a bug of ours."""

    kind = "error"
    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail

    @property
    def info(self) -> ErrorInfo:
        return ErrorInfo(kind=self.kind, message=self.message, hint=self.hint, detail=self.detail)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class BadInput(WorkbenchError):
    """The user's input can't be used as given: an invalid option, schema, grammar, file or id."""

    kind = "bad_input"
    exit_code = 2


class UnknownModel(BadInput):
    """No model answers to this id."""

    kind = "unknown_model"


class BadModelFile(WorkbenchError):
    """Not a GGUF, truncated, damaged, vanished, or of an architecture llama.cpp does not know."""

    kind = "bad_model_file"
    exit_code = 2


class OutOfMemory(WorkbenchError):
    """The model, its context or a buffer did not fit into RAM or VRAM."""

    kind = "out_of_memory"


class ContextOverflow(WorkbenchError):
    """The prompt does not fit into the context window."""

    kind = "context_overflow"
    exit_code = 2

    def __init__(self, *, prompt_tokens: int, n_ctx: int) -> None:
        excess = prompt_tokens - n_ctx
        super().__init__(
            f"The prompt has {prompt_tokens} tokens; the context holds {n_ctx} ({excess} too many).",
            hint="Drop the oldest turns, raise the context size, or shorten the prompt.",
        )
        self.prompt_tokens = prompt_tokens
        self.n_ctx = n_ctx


class TemplateError(BadInput):
    """The chat template failed, ran too long, or produced too much text."""

    kind = "template_error"

    def __init__(
        self, message: str, *, hint: str = "", detail: str = "", line: int | None = None, excerpt: str = ""
    ) -> None:
        super().__init__(message, hint=hint, detail=detail or excerpt)
        self.line = line
        """Line of the template, from 1."""
        self.excerpt = excerpt
        """The lines around it, numbered."""


class EngineDied(WorkbenchError):
    """The llama.cpp child process ended while it was needed."""

    kind = "engine_died"


class RemoteError(WorkbenchError):
    """Another machine refused, broke off or could not be reached."""

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        detail: str = "",
        status: int | None = None,
        retry_after_s: float | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(message, hint=hint, detail=detail)
        self.status = status
        self.retry_after_s = retry_after_s
        self.retryable = retryable


class ProviderError(RemoteError):
    """A remote API refused, broke off or could not be reached."""

    kind = "provider_error"


class StoreError(WorkbenchError):
    """The database is damaged, locked, read-only, or of a newer version of the program."""

    kind = "store_error"


class Cancelled(WorkbenchError):
    """The user stopped it."""

    kind = "cancelled"


def error_class(kind: str) -> type[WorkbenchError]:
    """The class whose errors are of this kind; `WorkbenchError` for a kind that no class has."""
    waiting = [WorkbenchError]
    while waiting:
        found = waiting.pop()
        if found.kind == kind:
            return found
        waiting += found.__subclasses__()
    return WorkbenchError
