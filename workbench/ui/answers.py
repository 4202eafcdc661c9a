"""What a run answered, as a transcript shows it: its text, and below it the tools it called."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from workbench.core.messages import Message, TextPart, ToolCallPart, ToolResultPart
from workbench.core.runs import RunRecord


def answer_text(record: RunRecord) -> str:
    """Markdown. Calls stand as code blocks: they are the model's own words, and nothing is run."""
    calls = (call_text(call.get("name", ""), call.get("arguments", "")) for call in record.tool_calls)
    return "\n\n".join(filter(None, [record.text, *calls]))


def message_text(message: Message) -> str:
    """The same of a stored message. Attached files are not in it: they are shown as chips."""
    texts = []
    for part in message.parts:
        if isinstance(part, TextPart):
            texts.append(part.text)
        elif isinstance(part, ToolCallPart):
            texts.append(call_text(part.name, part.arguments))
        elif isinstance(part, ToolResultPart):
            texts.append(_fenced(part.content, ""))
    return "\n\n".join(filter(None, texts))


def call_text(name: str, arguments: str) -> str:
    """`arguments` as the model wrote them, in lines where they are JSON."""
    with suppress(msgspec.DecodeError):  # cut off, or never JSON: shown as it came
        arguments = msgspec.json.format(arguments, indent=2)
    return f"**{name}**\n{_fenced(arguments, 'json')}"


def _fenced(text: str, language: str) -> str:
    fence = "````" if "```" in text else "```"
    return f"{fence}{language}\n{text}\n{fence}"
