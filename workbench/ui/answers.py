"""What a run answered, as a transcript shows it: its text, and below it the tools it called."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from workbench.core.runs import RunRecord


def answer_text(record: RunRecord) -> str:
    """Markdown. Calls stand as code blocks: they are the model's own words, and nothing is run."""
    return "\n\n".join(filter(None, [record.text, *map(_call, record.tool_calls)]))


def _call(call: dict[str, str]) -> str:
    arguments = call.get("arguments", "")
    with suppress(msgspec.DecodeError):  # cut off, or never JSON: shown as it came
        arguments = msgspec.json.format(arguments, indent=2)
    fence = "````" if "```" in arguments else "```"
    return f"**{call.get('name', '')}**\n{fence}json\n{arguments}\n{fence}"
