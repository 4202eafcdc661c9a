"""Formats of the log. Out: ours (complete), Markdown, HTML, OpenAI's and ShareGPT's data sets, and `llm`'s database.
In: ours, those data sets, ChatGPT's and Claude's data exports, and `llm`'s database.

Each exporter says what its format can't hold.
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.hookspecs import Exporter, Importer, hookimpl

from . import chatgpt, claude, data_export, html, jsonl, llm_export, llm_import, markdown, openai_chat, sharegpt
from .common import Plain


@hookimpl
def workbench_exporters() -> list[Exporter]:
    return [
        Exporter("jsonl", "JSON lines, complete", ".jsonl", jsonl.write_jsonl),
        Exporter("markdown", "Markdown, to read", ".md", markdown.write_markdown, loses=markdown.LOSES),
        Exporter("html", "HTML, to read and to print", ".html", html.write_html, loses=html.LOSES),
        Exporter("openai", "OpenAI chat, JSON lines", ".jsonl", openai_chat.write_openai, loses=openai_chat.LOSES),
        Exporter("sharegpt", "ShareGPT, JSON lines", ".jsonl", sharegpt.write_sharegpt, loses=sharegpt.LOSES),
        Exporter("llm", "llm's logs.db", ".db", llm_export.write_llm, loses=llm_export.LOSES, binary=True),
    ]


@hookimpl
def workbench_importers() -> list[Importer]:
    return [
        Importer("jsonl", "JSON lines of Model Workbench", jsonl.is_our_jsonl, jsonl.read_jsonl),
        Importer("openai", "OpenAI chat, JSON lines", openai_chat.is_openai, openai_chat.read_openai),
        Importer("sharegpt", "ShareGPT", sharegpt.is_sharegpt, sharegpt.read_sharegpt),
        Importer("chatgpt", "ChatGPT data export", chatgpt.is_chatgpt, chatgpt.read_chatgpt),
        Importer("claude", "Claude data export", claude.is_claude, claude.read_claude),
        Importer("zip", "Data export of ChatGPT or Claude, zipped", data_export.is_zip, _read_zip),
        Importer("llm", "llm's logs.db", llm_import.is_llm, llm_import.read_llm),
    ]


def _read_zip(path: str) -> Iterator[Plain]:
    """Whose export it is shows in its conversations."""
    with data_export.opened(path) as (data, _assets):
        claudes = claude.is_claude(data[:65_536])
    return claude.read_claude(path) if claudes else chatgpt.read_chatgpt(path)
