"""Markdown, to read: every message once, alternatives numbered, numbers of each answer below it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

LOSES = "To read: the complete record of each run, votes, ratings and the bytes of attachments are left out."
ROLES = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}


def write_markdown(sessions: Iterable[dict[str, Any]]) -> Iterator[str]:
    for index, archive in enumerate(sessions):
        if index:
            yield "\n---\n\n"
        session = archive.get("session", {})
        yield f"# {session.get('title') or 'Untitled'}\n\n"
        if session.get("created_at"):
            yield f"{session['created_at'][:16].replace('T', ' ')} UTC\n\n"
        yield from _conversation(archive)


def _conversation(archive: dict[str, Any]) -> Iterator[str]:
    messages = archive.get("messages", [])
    runs = {run["id"]: run for run in archive.get("runs", [])}
    siblings: dict[Any, int] = {}
    for message in messages:
        siblings[message.get("parent_id")] = siblings.get(message.get("parent_id"), 0) + 1
    numbers: dict[Any, int] = {}
    shown_system = False
    for message in messages:
        parent = message.get("parent_id")
        numbers[parent] = numbers.get(parent, 0) + 1
        run = runs.get(message.get("run_id"))
        if run and run.get("system_prompt") and not shown_system:
            shown_system = True
            yield f"## System\n\n{run['system_prompt']}\n\n"
        branch = f" ({numbers[parent]}/{siblings[parent]})" if parent and siblings[parent] > 1 else ""
        model = f" · {run['model']}" if run else ""
        yield f"## {ROLES.get(message['role'], message['role'])}{model}{branch}\n\n"
        yield from filter(None, map(_part, message.get("parts", [])))
        if run:
            yield _footer(run)


def _part(part: dict[str, Any]) -> str:
    kind = part.get("type")
    if kind == "text":
        return f"{part['text']}\n\n" if part["text"] else ""
    if kind == "reasoning":
        quoted = "\n".join(f"> {line}" for line in part["text"].splitlines())
        return f"> **Reasoning**\n>\n{quoted}\n\n"
    if kind == "tool_call":
        return f"Calls the tool `{part['name']}`:\n\n{_fenced(part['arguments'], 'json')}"
    if kind == "tool_result":
        return _fenced(part["content"])
    if kind in ("image", "audio", "file"):
        attachment = part["attachment"]
        text = _fenced(part["text"]) if part.get("text") else ""
        return f"Attachment: {attachment.get('name') or kind} ({attachment['media_type']})\n\n{text}"
    return ""


def _fenced(text: str, language: str = "") -> str:
    """A fence longer than any inside the text."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}\n\n"


def facts_of(run: dict[str, Any]) -> list[str]:
    """The numbers of one answer that are known, in words."""
    facts = []
    if run.get("completion_tokens") is not None:
        facts.append(f"{run['completion_tokens']} tokens")
    if run.get("time_to_first_token_s") is not None:
        facts.append(f"first after {run['time_to_first_token_s']:.2f} s")
    if run.get("decode_tokens_per_s"):
        facts.append(f"{run['decode_tokens_per_s']:.1f} tokens/s")
    if run.get("cost_usd") is not None:
        facts.append(f"${run['cost_usd']:.6f}")
    if run.get("finish_reason"):
        facts.append(run["finish_reason"])
    return facts


def _footer(run: dict[str, Any]) -> str:
    facts = facts_of(run)
    if run.get("error"):
        facts.append(run["error"]["message"])
    return f"*{' · '.join(facts)}*\n\n" if facts else ""
