"""The GGUF header reader: what it tells, and that no bytes harm it."""

from __future__ import annotations

import io
import random
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.core.gguf_bytes import Typed, gguf_file, text
from workbench.core import gguf as reader
from workbench.core.errors import BadModelFile
from workbench.core.gguf import GgufHeader, LazyArray, ModelFacts, NeedMoreBytes, parse_header, read_header, split_parts

TOKENS = [f"token {number} é" for number in range(400)]
METADATA: dict[str, Any] = {
    "general.architecture": "llama",
    "general.name": "Little Llama",
    "general.size_label": "1K",
    "general.file_type": 15,
    "llama.context_length": 4096,
    "llama.block_count": 2,
    "llama.embedding_length": 64,
    "llama.attention.head_count": 8,
    "llama.attention.head_count_kv": Typed("i", [2, 4]),
    "llama.attention.sliding_window": 512,
    "tokenizer.ggml.tokens": TOKENS,
    "tokenizer.ggml.scores": Typed("f", [0.5] * 400),
    "tokenizer.chat_template": "{{ messages }}",
    "tokenizer.chat_template.tool_use": "{{ tools }}",
    "nested": [["a", "b"], ["c"]],
    "yes": True,
    "big": Typed("Q", 2**40),
    "half": 0.5,
}
TENSORS = [("token_embd.weight", (64, 400), 12, 14400), ("output.weight", (64,), 0, 256)]


def whole(**options: Any) -> bytes:
    return gguf_file(METADATA, TENSORS, **options)


def file_of(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("version", [2, 3])
def test_reads_versions_and_byte_orders(order: str, version: int, tmp_path: Path) -> None:
    header = read_header(file_of(tmp_path, whole(order=order, version=version)))
    assert (header.version, header.big_endian) == (version, order == ">")
    assert header.metadata["big"] == 2**40
    assert header.metadata["half"] == 0.5
    assert header.metadata["yes"] is True
    assert header.metadata["nested"] == (("a", "b"), ("c",))
    assert header.metadata["llama.attention.head_count_kv"] == (2, 4)
    first, second = header.tensors
    assert (first.name, first.shape, first.type, first.offset, first.size_bytes) == (
        "token_embd.weight",
        (64, 400),
        "Q4_K",
        0,
        14400,
    )
    assert (second.type, second.offset, second.size_bytes) == ("F32", 14400, 256)


def test_facts(tmp_path: Path) -> None:
    facts = read_header(file_of(tmp_path, whole())).facts
    assert (facts.architecture, facts.name, facts.size_label) == ("llama", "Little Llama", "1K")
    assert (facts.quantization, facts.parameters, facts.context_length) == ("Q4_K_M", 64 * 400 + 64, 4096)
    assert (facts.layers, facts.embedding_length, facts.heads, facts.kv_heads) == (2, 64, 8, 4)
    assert (facts.sliding_window, facts.vocabulary) == (512, 400)
    assert facts.chat_template == "{{ messages }}"
    assert facts.chat_templates == {"tool_use": "{{ tools }}"}
    assert (facts.is_embedding, facts.is_projector, facts.split_count, facts.split_no) == (False, False, 1, 0)


def test_facts_of_other_kinds() -> None:
    embedding = parse_header(gguf_file({"general.architecture": "qwen3", "qwen3.pooling_type": 3})).facts
    assert embedding.is_embedding
    assert parse_header(gguf_file({"general.architecture": "bert"})).facts.is_embedding
    assert parse_header(gguf_file({"general.architecture": "clip"})).facts.is_projector
    part = parse_header(gguf_file({"split.no": Typed("H", 1), "split.count": Typed("H", 3)})).facts
    assert (part.split_no, part.split_count) == (1, 3)


def test_quantisation_of_most_bytes_where_the_file_does_not_say() -> None:
    tensors = [("a", (256, 100), 14, 21000), ("b", (100,), 0, 400)]
    assert parse_header(gguf_file({}, tensors)).facts.quantization == "Q6_K"


def test_long_arrays_are_read_when_asked_for() -> None:
    data = whole()
    array = parse_header(data).metadata["tokenizer.ggml.tokens"]
    assert isinstance(array, LazyArray)
    assert array.read(data) == tuple(TOKENS)
    scores = parse_header(whole(order=">")).metadata["tokenizer.ggml.scores"]
    assert scores.read(whole(order=">")) == (0.5,) * 400


def test_agrees_with_the_gguf_package(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    numpy = pytest.importorskip("numpy")
    path = tmp_path / "written.gguf"
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name("written")
    writer.add_context_length(99)
    writer.add_file_type(7)
    writer.add_token_list([f"t{i}" for i in range(300)])
    writer.add_tensor("a", numpy.zeros((4, 32), numpy.float32))
    writer.add_tensor("b", numpy.zeros((3, 34), numpy.uint8), raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    header = read_header(path)
    assert header.facts.name == "written"
    assert (header.facts.context_length, header.facts.quantization, header.facts.vocabulary) == (99, "Q8_0", 300)
    assert header.tensors[0].shape == (32, 4)
    assert header.tensors[1].size_bytes == 3 * 34
    assert path.stat().st_size >= header.expected_bytes


@pytest.mark.parametrize("step", [1, 97, 1000])
def test_asks_for_more_bytes_until_it_has_the_header(step: int) -> None:
    data = whole()
    have, header = step, None
    for _ in range(len(data)):
        try:
            header = parse_header(data[:have], len(data))
            break
        except NeedMoreBytes as need:
            assert have < need.minimum <= len(data)
            have = max(need.minimum, have + (step if step > 1 else 0))
    assert header == parse_header(data)


def test_truncated_file_says_how_much_is_missing(tmp_path: Path) -> None:
    tensors = [("a", (1_000_000, 98), 24, 98_000_000)]
    path = file_of(tmp_path, gguf_file({}, tensors, data_bytes=12_000_000))
    with pytest.raises(BadModelFile) as caught:
        read_header(path)
    assert str(caught.value) == "model.gguf: truncated: 98 MB expected, 12 MB there. Download the file again."


def test_truncated_inside_the_header(tmp_path: Path) -> None:
    with pytest.raises(BadModelFile, match="truncated"):
        read_header(file_of(tmp_path, whole()[:500]))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\0" * 4096, "zeros"),
        (b"PK\x03\x04rest", "ZIP"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\n <HTML lang=en>", "web page"),
        (struct.pack("<Q", 99) + b'{"__metadata__"', "safetensors"),
        (b"tjgg" + b"\3\0\0\0", "old|before"),
        (b'{"error": "gated"}', "JSON"),
        (b"just some text", "does not begin with GGUF"),
        (b"GGU", "GGUF|damaged"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1 "),
        (b"GGUF" + struct.pack("<IQQ", 9, 0, 0), "update"),
    ],
)
def test_says_what_a_file_is_instead(data: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(BadModelFile, match=words) as caught:
        read_header(file_of(tmp_path, data))
    assert caught.value.hint
    assert caught.value.message.startswith("model.gguf: ")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(BadModelFile, match="not there"):
        read_header(tmp_path / "gone.gguf")
    with pytest.raises(BadModelFile, match="can't be read"):
        read_header(tmp_path)


def nested(depth: int) -> bytes:
    inner = struct.pack("<IQ", 9, 1) * depth
    return b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k", "<") + struct.pack("<I", 9) + inner


HOSTILE = {
    "many tensors": b"GGUF" + struct.pack("<IQQ", 3, 2**63, 0),
    "many keys": b"GGUF" + struct.pack("<IQQ", 3, 0, 2**63),
    "long key": b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**62),
    "long text": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k", "<") + struct.pack("<IQ", 8, 2**62),
    "long array": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k", "<") + struct.pack("<IIQ", 9, 0, 2**62),
    "long array of texts": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k", "<") + struct.pack("<IIQ", 9, 8, 2**62),
    "unknown type": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k", "<") + struct.pack("<I", 77),
    "array of unknown type": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k", "<") + struct.pack("<IIQ", 9, 77, 1),
    "deep nesting": nested(5000),
    "dimensions": b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + text("t", "<") + struct.pack("<I", 2**31),
    "shape": gguf_file({}, [("t", (2**62, 2**62), 0, 0)]),
    "alignment": gguf_file({"general.alignment": 3}),
    "alignment zero": gguf_file({"general.alignment": 0}),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_headers_are_refused_at_once(data: bytes, tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BadModelFile):
            parse_header(data)
        with pytest.raises(BadModelFile):
            read_header(file_of(tmp_path, data))
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def outcome(data: bytes) -> GgufHeader | None:
    """Whatever a header says, deriving facts from it must not fail either."""
    try:
        header = parse_header(data, len(data))
        header.check_size(len(data))
        assert header.facts is not None
    except (BadModelFile, NeedMoreBytes):
        return None
    return header


@settings(max_examples=500, deadline=None)
@given(st.integers(0, 2**32))
@example(0)
def test_mutations_never_do_anything_else(seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray(whole())
    for _ in range(chance.randint(1, 8)):
        kind, at = chance.randrange(4), chance.randrange(min(len(data), 1500))
        if kind == 0:
            data[at] = chance.randrange(256)
        elif kind == 1:
            data[at : at + 8] = struct.pack("<Q", chance.choice([0, 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1]))
        elif kind == 2:
            del data[at : at + chance.randint(1, 40)]
        else:
            data[at:at] = chance.randbytes(chance.randint(1, 40))
    outcome(bytes(data))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_after_the_magic(data: bytes) -> None:
    outcome(b"GGUF" + struct.pack("<I", 3) + data)


def test_a_number_of_parts_that_no_name_can_hold_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "m-00001-of-00002.gguf"
    with pytest.raises(BadModelFile, match="4294967295 parts"):
        split_parts(path, ModelFacts(split_count=2**32 - 1))


def test_a_large_vocabulary_is_read_once_in_few_steps() -> None:
    data = gguf_file({"tokenizer.ggml.tokens": ["token"] * 200_000, "after": "the end"})
    file, sizes = io.BytesIO(data), []

    def read(size: int) -> bytes:
        sizes.append(size)
        return file.read(size)

    header = reader._read_growing(read, len(data))
    assert header.metadata["tokenizer.ggml.tokens"].count == 200_000
    assert header.metadata["after"] == "the end"
    assert len(sizes) <= 8
    assert sum(sizes) <= 2 * len(data) + reader.FIRST_CHUNK


def test_reads_in_chunks_not_the_whole_file() -> None:
    data = whole(data_bytes=5_000_000)
    file = io.BytesIO(data)
    reader._read_growing(file.read, len(data))
    assert file.tell() <= reader.FIRST_CHUNK
