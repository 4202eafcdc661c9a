"""Opaque proofs of reasoning that a vendor wants back unchanged, with a mark that says whose they are.

A chat may change its model between turns: a signature is only ever sent back to the model it came from.
Several can stand in one string, one a line, so that joining them loses nothing.
"""

from __future__ import annotations

import json
from typing import Any


def pack(origin: str, data: Any) -> str:
    """One signature as text: where it came from and whatever JSON value it must get back."""
    return json.dumps({"from": origin, "data": data}, ensure_ascii=False, separators=(",", ":")) + "\n"


def unpack(signature: str, origin: str) -> list[Any]:
    """The values in `signature` that came from `origin`, in order. Anything else is left out."""
    values: list[Any] = []
    for line in signature.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and record.get("from") == origin and "data" in record:
            values.append(record["data"])
    return values
