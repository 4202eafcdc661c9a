"""JSON lines, one session a line, as `workbench.store.archive` describes it: complete, and the way back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from workbench.core.errors import BadInput

from .common import lines_of, parsed

FORMAT = "model-workbench"


def write_jsonl(sessions: Iterable[dict[str, Any]]) -> Iterator[str]:
    for session in sessions:
        yield json.dumps({"format": FORMAT, "version": 1, **session}, ensure_ascii=False) + "\n"


def is_our_jsonl(beginning: bytes) -> bool:
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
    return text.startswith(b"{") and f'"format": "{FORMAT}"'.encode() in text[:200]


def read_jsonl(path: str) -> Iterator[dict[str, Any]]:
    for number, line in lines_of(path):
        session = parsed(line, f"Line {number}")
        if not isinstance(session, dict) or session.get("format") != FORMAT:
            raise BadInput(f"Line {number} is not a session of Model Workbench.")
        yield session
