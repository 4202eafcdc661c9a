"""Reads the header of GGUF model files: what a model is, without loading it.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, either byte order. Files come from
strangers, so every count and length is checked before it is believed; time and memory stay bounded.

`parse_header` works on the beginning of a file, wherever it comes from; `NeedMoreBytes` says how much more it needs.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from workbench.core.errors import BadModelFile
from workbench.core.gguf_types import (
    EMBEDDING_ARCHITECTURES,
    FILE_TYPE_GUESSED,
    FILE_TYPES,
    FOREIGN_MAGIC,
    TENSOR_TYPES,
)

MAGIC = b"GGUF"
FIRST_CHUNK = 64 * 1024
LARGEST_HEADER = 256 * 1024 * 1024
LARGEST_STRING = 16 * 1024 * 1024
LARGEST_NAME = 64 * 1024
MOST_KEYS = 8_192
MOST_TENSORS = 262_144
MOST_DIMENSIONS = 8
MOST_PARTS = 99_999
"""What five digits of a part's name can count."""
MOST_ELEMENTS = 8_000_000
"""Texts and nested arrays walked over in one header. The largest vocabularies have half a million."""
DEEPEST_NESTING = 4
SHORT_ARRAY = 256
"""Arrays up to this length are decoded at once; longer ones (the vocabulary) when asked for."""

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""Value type -> struct format. 8 is a text, 9 an array."""
TEXT, ARRAY = 8, 9
_PART = re.compile(r"(.+)-\d{5}-of-\d{5}(\.gguf)$", re.IGNORECASE)


class NeedMoreBytes(Exception):
    """The header goes on; at least the first `minimum` bytes of the file are needed."""

    def __init__(self, minimum: int) -> None:
        super().__init__(f"need the first {minimum} bytes")
        self.minimum = minimum


class LazyArray(msgspec.Struct, frozen=True):
    """A long array that was skipped."""

    element_type: int
    count: int
    offset: int
    """Of the first element, in bytes from the file's beginning."""
    big_endian: bool = False

    def read(self, data: bytes) -> tuple[Any, ...]:
        """The elements, from the bytes the header was parsed from. Raises NeedMoreBytes, BadModelFile."""
        parser = _Parser(data, None)
        parser.order = ">" if self.big_endian else "<"
        parser.position = self.offset
        return parser.elements(self.element_type, self.count, depth=1)


class TensorInfo(msgspec.Struct, frozen=True):
    name: str
    shape: tuple[int, ...]
    type: str
    """ggml's name; `type 99` for one this program does not know."""
    offset: int
    """In bytes from the beginning of the tensors' data."""
    size_bytes: int | None
    """None where the type is unknown."""

    @property
    def weights(self) -> int:
        count = 1
        for length in self.shape:
            count *= length
        return count


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a header tells of a model, under the names people use."""

    architecture: str = ""
    kind: str = "model"
    """general.type: model, adapter, mmproj, …"""
    name: str = ""
    size_label: str = ""
    quantization: str = ""
    parameters: int = 0
    context_length: int | None = None
    layers: int | None = None
    embedding_length: int | None = None
    heads: int | None = None
    kv_heads: int | None = None
    """Of the layer that has most."""
    sliding_window: int | None = None
    vocabulary: int | None = None
    chat_template: str | None = None
    chat_templates: dict[str, str] = {}
    """Further templates by name, such as `tool_use`."""
    is_embedding: bool = False
    is_projector: bool = False
    """A vision or audio encoder: no model of its own."""
    split_count: int = 1
    split_no: int = 0
    """From 0."""


class GgufHeader(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    big_endian: bool
    metadata: dict[str, Any]
    """Key -> number, bool, text, tuple, or `LazyArray` for a long array."""
    tensors: tuple[TensorInfo, ...]
    header_bytes: int
    data_offset: int
    """Where the tensors' data begins, from the file's beginning."""

    @property
    def expected_bytes(self) -> int:
        """The least size of a whole file."""
        ends = [tensor.offset + (tensor.size_bytes or 0) for tensor in self.tensors]
        return max(self.header_bytes, self.data_offset + max(ends)) if ends else self.header_bytes

    def check_size(self, file_bytes: int) -> None:
        """Raises BadModelFile for a file that ends too early."""
        if file_bytes < self.expected_bytes:
            raise truncated(self.expected_bytes, file_bytes)

    def text(self, key: str) -> str:
        value = self.metadata.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int | None:
        """An integer; of an array with a value for each layer, the largest."""
        value = self.metadata.get(key)
        if isinstance(value, tuple):
            value = max((item for item in value if isinstance(item, int)), default=None)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    @property
    def facts(self) -> ModelFacts:
        arch = self.text("general.architecture")
        kind = self.text("general.type") or "model"
        named = {
            key.removeprefix("tokenizer.chat_template."): value
            for key, value in self.metadata.items()
            if key.startswith("tokenizer.chat_template.") and isinstance(value, str)
        }
        tokens = self.metadata.get("tokenizer.ggml.tokens")
        return ModelFacts(
            architecture=arch,
            kind=kind,
            name=self.text("general.name").strip(),
            size_label=self.text("general.size_label"),
            quantization=self._quantization(),
            parameters=sum(tensor.weights for tensor in self.tensors),
            context_length=self.number(f"{arch}.context_length"),
            layers=self.number(f"{arch}.block_count"),
            embedding_length=self.number(f"{arch}.embedding_length"),
            heads=self.number(f"{arch}.attention.head_count"),
            kv_heads=self.number(f"{arch}.attention.head_count_kv") or self.number(f"{arch}.attention.head_count"),
            sliding_window=self.number(f"{arch}.attention.sliding_window") or None,
            vocabulary=tokens.count if isinstance(tokens, LazyArray) else self.number(f"{arch}.vocab_size"),
            chat_template=self.text("tokenizer.chat_template") or None,
            chat_templates=named,
            is_embedding=arch in EMBEDDING_ARCHITECTURES or (self.number(f"{arch}.pooling_type") or 0) > 0,
            is_projector=kind == "mmproj" or arch == "clip",
            split_count=max(1, self.number("split.count") or 1),
            split_no=self.number("split.no") or 0,
        )

    def _quantization(self) -> str:
        file_type = self.number("general.file_type")
        if file_type is not None and (file_type & ~FILE_TYPE_GUESSED) in FILE_TYPES:
            return FILE_TYPES[file_type & ~FILE_TYPE_GUESSED]
        sizes: dict[str, int] = {}
        for tensor in self.tensors:
            sizes[tensor.type] = sizes.get(tensor.type, 0) + (tensor.size_bytes or 0)
        return max(sizes, key=lambda name: sizes[name]) if sizes else ""


def parse_header(data: bytes, file_bytes: int | None = None) -> GgufHeader:
    """Parse the beginning of a file. `file_bytes`: the whole file's size where it is known.

    Raises NeedMoreBytes while `data` is too short, BadModelFile for what can't be a model.
    """
    return _Parser(data, file_bytes).header()


def read_header(path: Path) -> GgufHeader:
    """Read a file's header and check that the file is whole. Raises BadModelFile, with the path in its message."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            header = _read_growing(file.read, size)
        header.check_size(size)
    except FileNotFoundError:
        raise BadModelFile(
            f"The model file {path} is not there.", hint="It was moved or deleted; choose it again or download it."
        ) from None
    except OSError as error:
        raise BadModelFile(
            f"The model file {path} can't be read: {error.strerror or error}.", hint="Check the file's permissions."
        ) from None
    except BadModelFile as error:
        raise BadModelFile(f"{path.name}: {error.message}", hint=error.hint, detail=error.detail) from None
    return header


def split_parts(path: Path, facts: ModelFacts) -> list[Path]:
    """All files of a model, `path` being one of them. Raises BadModelFile where one is missing."""
    match = _PART.match(path.name)
    if facts.split_count <= 1 or match is None:
        return [path]
    count = facts.split_count
    if count > MOST_PARTS:
        raise BadModelFile(f"{path.name} says it is one of {count} parts.", hint="Download the file again.")
    parts = [path.with_name(f"{match[1]}-{number:05}-of-{count:05}{match[2]}") for number in range(1, count + 1)]
    missing = [part for part in parts if not part.is_file()]
    if missing:
        raise BadModelFile(
            f"{path.name} is one of {count} parts; {missing[0].name} is not there"
            + (f" and {len(missing) - 1} more." if len(missing) > 1 else "."),
            hint="Download the missing parts into the same folder.",
        )
    return parts


def truncated(expected: int, there: int) -> BadModelFile:
    return BadModelFile(
        f"truncated: {megabytes(expected)} expected, {megabytes(there)} there.", hint="Download the file again."
    )


def megabytes(size: int) -> str:
    """A file's size in decimal units, as file managers and the Hub show it."""
    if size < 1_000_000:
        return f"{size / 1e3:.0f} kB" if size >= 1_000 else f"{size} bytes"
    return f"{size / 1e6:.0f} MB" if size < 10_000_000_000 else f"{size / 1e9:.1f} GB"


def _read_growing(read: Callable[[int], bytes], size: int) -> GgufHeader:
    parser = _Parser(bytearray(read(FIRST_CHUNK)), size)

    def more(minimum: int) -> None:
        assert isinstance(parser.data, bytearray)
        parser.data += read(max(minimum, 2 * len(parser.data)) - len(parser.data))
        if len(parser.data) < minimum:
            raise truncated(minimum, len(parser.data))

    parser.more = more
    return parser.header()


def _foreign(data: bytes | bytearray) -> BadModelFile:
    """Says what a file is that is no GGUF."""
    start = bytes(data[:512])
    hint = "Choose a file that ends in .gguf, or download the model again."
    if not start:
        return BadModelFile("The file is empty.", hint="Download it again.")
    if not start.strip(b"\0"):
        return BadModelFile("Not a GGUF model: the file begins with zeros, as an unfinished download does.", hint=hint)
    for magic, what in FOREIGN_MAGIC:
        if start.startswith(magic):
            return BadModelFile(f"Not a GGUF model, but {what}.", hint=hint)
    if start.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html", b"<?xml", b"<head")):
        what = "a web page, as comes when a download needs a login or the address is wrong"
        return BadModelFile(f"Not a GGUF model, but {what}.", hint=hint)
    if start[8:10] == b'{"':
        what = "a safetensors file: llama.cpp needs it converted to GGUF"
        return BadModelFile(f"Not a GGUF model, but {what}.", hint="Look for a GGUF of this model on the Hub.")
    return BadModelFile("Not a GGUF model: the file does not begin with GGUF.", hint=hint)


class _Parser:
    def __init__(self, data: bytes | bytearray, file_bytes: int | None) -> None:
        self.data = data
        self.file_bytes = file_bytes
        self.position = 0
        self.order = "<"
        self.more: Callable[[int], None] | None = None
        self._walked = 0

    def header(self) -> GgufHeader:
        self._check_magic()
        version = self._scalar("I")
        if version & 0xFFFF == 0:
            self.order, version = ">", int.from_bytes(version.to_bytes(4, "little"), "big")
        if version not in (2, 3):
            raise BadModelFile(
                f"GGUF version {version} can't be read; versions 2 and 3 can.",
                hint="Look for a newer file of this model." if version < 2 else "Look for an update of this program.",
            )
        tensor_count, key_count = self._scalar("Q"), self._scalar("Q")
        if tensor_count > MOST_TENSORS or key_count > MOST_KEYS:
            raise self._damaged(f"it claims to have {tensor_count} tensors and {key_count} keys")
        metadata: dict[str, Any] = {}
        for _ in range(key_count):
            key = self._text(LARGEST_NAME)
            metadata[key] = self._value(self._scalar("I"), depth=0)
        tensors = tuple(self._tensor() for _ in range(tensor_count))
        alignment = metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or not 0 < alignment <= 1 << 20 or alignment & (alignment - 1):
            raise self._damaged(f"its alignment is {str(alignment)[:40]}")
        return GgufHeader(
            version=version,
            big_endian=self.order == ">",
            metadata=metadata,
            tensors=tensors,
            header_bytes=self.position,
            data_offset=-(-self.position // alignment) * alignment,
        )

    def elements(self, kind: int, count: int, depth: int) -> tuple[Any, ...]:
        if kind in SCALARS:
            layout = f"{self.order}{count}{SCALARS[kind]}"
            self._need(struct.calcsize(layout))
            values = struct.unpack_from(layout, self.data, self.position)
            self.position += struct.calcsize(layout)
            return values
        return tuple(self._value(kind, depth) for _ in range(count))

    def _check_magic(self) -> None:
        if self.data[:4] != MAGIC[: len(self.data)] or not self.data:
            raise _foreign(self.data)
        self._need(4)
        self.position = 4

    def _value(self, kind: int, depth: int) -> Any:
        if kind in SCALARS:
            return self._scalar(SCALARS[kind])
        if kind == TEXT:
            return self._text(LARGEST_STRING)
        if kind != ARRAY:
            raise self._damaged(f"it has a value of unknown type {kind}")
        if depth >= DEEPEST_NESTING:
            raise self._damaged("its lists are nested too deep")
        kind, count = self._scalar("I"), self._scalar("Q")
        if kind not in SCALARS and kind not in (TEXT, ARRAY):
            raise self._damaged(f"it has a list of unknown type {kind}")
        smallest = struct.calcsize("=" + SCALARS[kind]) if kind in SCALARS else 8 if kind == TEXT else 12
        self._check_room(count * smallest)
        if count <= SHORT_ARRAY:
            return self.elements(kind, count, depth + 1)
        array = LazyArray(kind, count, self.position, self.order == ">")
        self._skip(kind, count, depth + 1)
        return array

    def _skip(self, kind: int, count: int, depth: int) -> None:
        if kind in SCALARS:
            size = count * struct.calcsize("=" + SCALARS[kind])
            self._need(size)
            self.position += size
        elif kind == TEXT:
            self._skip_texts(count)
        else:
            for _ in range(count):
                self._count_walked()
                self._value(kind, depth)

    def _skip_texts(self, count: int) -> None:
        """The vocabulary: the one loop here that runs half a million times, so written for speed."""
        self._walked += count
        self._count_walked()
        unpack = struct.Struct(f"{self.order}Q").unpack_from
        position, available = self.position, len(self.data)
        for done in range(count):
            if position + 8 > available:
                self.position = position
                self._need(8 * (count - done))
                available = len(self.data)
            (length,) = unpack(self.data, position)
            if length > LARGEST_STRING:
                raise self._damaged(f"it has a text of {length} bytes")
            position += 8 + length
        self.position = position
        self._need(0)

    def _tensor(self) -> TensorInfo:
        name = self._text(LARGEST_NAME)
        dimensions = self._scalar("I")
        if dimensions > MOST_DIMENSIONS:
            raise self._damaged(f"a tensor has {dimensions} dimensions")
        shape = self.elements(10, dimensions, depth=0)
        number, offset = self._scalar("I"), self._scalar("Q")
        label, block, block_bytes = TENSOR_TYPES.get(number, (f"type {number}", 1, 0))
        tensor = TensorInfo(name, shape, label, offset, None)
        weights = tensor.weights
        if weights >= 1 << 63 or offset >= 1 << 63:
            raise self._damaged(f"the tensor {name[:60]!r} is larger than any file")
        size = -(-weights // block) * block_bytes if block_bytes else None
        return TensorInfo(name, shape, label, offset, size)

    def _text(self, longest: int) -> str:
        self._count_walked()
        length = self._scalar("Q")
        if length > longest:
            raise self._damaged(f"it has a text of {length} bytes")
        self._need(length)
        text = bytes(self.data[self.position : self.position + length]).decode("utf-8", "replace")
        self.position += length
        return text

    def _scalar(self, layout: str) -> Any:
        size = struct.calcsize("=" + layout)
        self._need(size)
        (value,) = struct.unpack_from(self.order + layout, self.data, self.position)
        self.position += size
        return value

    def _count_walked(self) -> None:
        self._walked += 1
        if self._walked > MOST_ELEMENTS:
            raise self._damaged("its header has too many entries")

    def _need(self, size: int) -> None:
        end = self.position + size
        if end <= len(self.data):
            return
        self._check_room(size)
        if self.more is None:
            raise NeedMoreBytes(end)
        self.more(end)

    def _check_room(self, size: int) -> None:
        """Raises BadModelFile where `size` more bytes can't be."""
        end = self.position + size
        if end > LARGEST_HEADER:
            raise self._damaged(f"it would be longer than {megabytes(LARGEST_HEADER)}")
        if self.file_bytes is not None and end > self.file_bytes:
            raise BadModelFile(
                f"The file is damaged or truncated: it ends at {self.file_bytes} bytes, inside its header.",
                hint="Download the file again.",
            )

    def _damaged(self, why: str) -> BadModelFile:
        return BadModelFile(f"The file's header is damaged: {why}.", hint="Download the file again.")
