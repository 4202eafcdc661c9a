"""How a chat is asked: kept with its session, in presets, and with each column of a comparison."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from workbench.core.messages import Message
from workbench.core.requests import ChatRequest, LoadOptions, Overflow, Reasoning, ResponseFormat, Sampling, Tool


class ChatOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything of a request but its messages and its model."""

    system_prompt: str = ""
    sampling: Sampling = Sampling()
    response_format: ResponseFormat = ResponseFormat()
    reasoning: Reasoning = Reasoning()
    template_variables: dict[str, Any] = {}
    chat_template: str | None = None
    load: LoadOptions = LoadOptions()
    overflow: Overflow = "error"
    tools: tuple[Tool, ...] = ()

    def request(self, messages: Iterable[Message], *, continue_last: bool = False) -> ChatRequest:
        """A request for `messages` (without a system message) under these options."""
        system = (Message.of("system", self.system_prompt),) if self.system_prompt.strip() else ()
        return ChatRequest(
            messages=(*system, *messages),
            sampling=self.sampling,
            response_format=self.response_format,
            reasoning=self.reasoning,
            tools=self.tools,
            overflow=self.overflow,
            continue_last=continue_last,
            template_variables=self.template_variables,
            chat_template=self.chat_template,
            load=self.load,
        )


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
