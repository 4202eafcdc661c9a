"""Writes small GGUF files byte by byte, independently of the reader and of the `gguf` package."""

from __future__ import annotations

import struct
from typing import Any

TYPES = {"B": 0, "b": 1, "H": 2, "h": 3, "I": 4, "i": 5, "f": 6, "?": 7, "Q": 10, "q": 11, "d": 12}


class Typed:
    """A number of a given type, or a list whose elements are of one."""

    def __init__(self, kind: str, value: Any) -> None:
        self.kind = kind
        self.value = value


def text(value: str | bytes, order: str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(order + "Q", len(data)) + data


def value_bytes(value: Any, order: str) -> bytes:
    """Type number and value."""
    if isinstance(value, str | bytes):
        return struct.pack(order + "I", 8) + text(value, order)
    if isinstance(value, bool):
        return struct.pack(order + "I?", 7, value)
    if isinstance(value, int):
        return struct.pack(order + "II", 4, value)
    if isinstance(value, float):
        return struct.pack(order + "If", 6, value)
    if isinstance(value, Typed) and not isinstance(value.value, list):
        return struct.pack(order + "I" + value.kind, TYPES[value.kind], value.value)
    if isinstance(value, Typed):
        body = struct.pack(f"{order}{len(value.value)}{value.kind}", *value.value)
        return struct.pack(order + "IIQ", 9, TYPES[value.kind], len(value.value)) + body
    if all(isinstance(item, str | bytes) for item in value):
        return struct.pack(order + "IIQ", 9, 8, len(value)) + b"".join(text(item, order) for item in value)
    inner = b"".join(value_bytes(item, order)[4:] for item in value)
    return struct.pack(order + "IIQ", 9, 9, len(value)) + inner


def gguf_file(
    metadata: dict[str, Any],
    tensors: list[tuple[str, tuple[int, ...], int, int]] | None = None,
    *,
    order: str = "<",
    version: int = 3,
    data_bytes: int | None = None,
    alignment: int = 32,
) -> bytes:
    """`tensors`: name, shape, type number, bytes."""
    out = b"GGUF" + struct.pack(order + "IQQ", version, len(tensors or ()), len(metadata))
    for key, value in metadata.items():
        out += text(key, order) + value_bytes(value, order)
    offset = 0
    for name, shape, kind, size in tensors or ():
        out += text(name, order) + struct.pack(f"{order}I{len(shape)}QIQ", len(shape), *shape, kind, offset)
        offset += -(-size // alignment) * alignment
    if tensors:
        out += b"\0" * (-len(out) % alignment)
    return out + b"\0" * (offset if data_bytes is None else data_bytes)
