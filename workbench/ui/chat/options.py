"""A chat's options as the window keeps them: to and from the plain values that are saved."""

from __future__ import annotations

from typing import Any

import msgspec

from workbench.core.requests import LoadOptions, Overflow, Reasoning, ResponseFormat, Sampling


class ChatOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the side panel edits. The fields are those of `services.chat.ChatOptions`, which a worker makes of it when
    something is sent; importing that one here would bring SQLite in before the first paint."""

    system_prompt: str = ""
    sampling: Sampling = Sampling()
    response_format: ResponseFormat = ResponseFormat()
    reasoning: Reasoning = Reasoning()
    template_variables: dict[str, Any] = {}
    chat_template: str | None = None
    load: LoadOptions = LoadOptions()
    overflow: Overflow = "error"


def from_saved(saved: dict[str, Any]) -> ChatOptions:
    """Options out of a session, a preset or the window's state; what can't be understood becomes the default."""
    known = {name: value for name, value in saved.items() if name in ChatOptions.__struct_fields__}
    try:
        return msgspec.convert(known, ChatOptions)
    except (msgspec.ValidationError, TypeError):
        return ChatOptions()


def to_saved(options: ChatOptions) -> dict[str, Any]:
    builtins: dict[str, Any] = msgspec.to_builtins(options)
    return builtins
