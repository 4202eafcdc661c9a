from __future__ import annotations

import msgspec
import pytest

from workbench.core.messages import (
    Attachment,
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

IMAGE = Attachment.of(b"\x89PNG", "image/png", "a.png")
EVERYTHING = Message(
    "assistant",
    (
        ReasoningPart("because", signature="s", duration_s=1.5),
        TextPart("one"),
        ImagePart(IMAGE),
        AudioPart(Attachment.of(b"RIFF", "audio/wav")),
        FilePart(Attachment.of(b"two", "text/plain", "b.txt"), text="two"),
        ToolCallPart("1", "look", '{"broken'),
        ToolResultPart("1", "seen", is_error=True),
    ),
)


def test_messages_survive_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(EVERYTHING), type=Message) == EVERYTHING


def test_text_is_what_a_reader_sees() -> None:
    assert EVERYTHING.text == "one\n\ntwo"
    assert EVERYTHING.reasoning == "because"
    assert [attachment.name for attachment in EVERYTHING.attachments] == ["a.png", "", "b.txt"]


def test_an_attachment_is_addressed_by_its_content() -> None:
    same = Attachment.of(b"\x89PNG", "image/png", "other name")
    assert same.sha256 == IMAGE.sha256
    assert IMAGE.size == 4
    assert Attachment.of(b"", "x").sha256 != IMAGE.sha256


def test_unknown_parts_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"role": "user", "parts": [{"type": "smell"}]}', type=Message)
