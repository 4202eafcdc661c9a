"""Ids of rows, and the store's idea of now."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime


def new_id() -> str:
    """26 hexadecimal digits: milliseconds since 1970, then 56 random bits. Ids sort by the time they were made."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(7)}"


def now() -> str:
    """ISO 8601 in UTC with milliseconds; sorts as text."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def moment() -> str:
    """As `now`, with microseconds: tells apart what happened one after the other."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
