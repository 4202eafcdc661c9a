"""Opaque proofs of reasoning that a vendor wants back unchanged, with a mark that says whose they are.

A chat may change its model between turns: a signature is only ever sent back to the provider it came from.
Several can stand in one string, one a line, so that joining them loses nothing.
"""

from __future__ import annotations

import json
from typing import Any


def pack(provider: str, data: Any) -> str:
    """One signature as text: the provider's name and whatever JSON value it must get back."""
    return json.dumps({"from": provider, "data": data}, ensure_ascii=False, separators=(",", ":")) + "\n"


def unpack(signature: str, provider: str) -> list[Any]:
    """The values in `signature` that came from `provider`, in order. Anything else is left out."""
    values: list[Any] = []
    for line in signature.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and record.get("from") == provider and "data" in record:
            values.append(record["data"])
    return values
