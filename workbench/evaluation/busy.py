"""How long a model was busy: answers made at once overlap, and a pause between two sessions is no work."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from pathlib import Path


def seconds_for_each(spans: Iterable[tuple[str, str]]) -> float | None:
    """Busy time by the number of answers, from each one's start and end (ISO 8601); None where none is known."""
    known = sorted((datetime.fromisoformat(a), datetime.fromisoformat(b)) for a, b in spans if a and b)
    if not known:
        return None
    busy, (start, end) = 0.0, known[0]
    for begin, finish in known[1:]:
        if begin > end:
            busy += (end - start).total_seconds()
            start = begin
        end = max(end, finish)
    return (busy + (end - start).total_seconds()) / len(known)


@lru_cache(maxsize=64)
def file_bytes(path: str) -> int | None:
    """Size of a model's file; None for none, or one that is gone."""
    try:
        return Path(path).stat().st_size if path else None
    except OSError:
        return None
