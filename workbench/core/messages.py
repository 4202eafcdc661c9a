"""Messages made of parts, as every chat model understands them.

The part types follow what the closed APIs and llama.cpp's chat templates have in common. They encode to
JSON with a `type` tag (msgspec), which is also how the store keeps them.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

Role = Literal["system", "user", "assistant", "tool"]


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A file's bytes, addressed by their content. The store keeps `data` apart from the message."""

    sha256: str
    media_type: str
    name: str = ""
    size: int = 0
    data: bytes = b""

    @classmethod
    def of(cls, data: bytes, media_type: str, name: str = "") -> Attachment:
        digest = hashlib.sha256(data).hexdigest()
        return cls(sha256=digest, media_type=media_type, name=name, size=len(data), data=data)


class TextPart(msgspec.Struct, frozen=True, tag="text"):
    text: str


class ImagePart(msgspec.Struct, frozen=True, tag="image"):
    attachment: Attachment


class AudioPart(msgspec.Struct, frozen=True, tag="audio"):
    attachment: Attachment


class FilePart(msgspec.Struct, frozen=True, tag="file"):
    """A file given to the model; `text` is its content when it could be read as text."""

    attachment: Attachment
    text: str = ""


class ReasoningPart(msgspec.Struct, frozen=True, tag="reasoning"):
    """What a model thought before it answered. `signature` is the provider's opaque proof, sent back unchanged."""

    text: str
    signature: str = ""
    duration_s: float | None = None


class ToolCallPart(msgspec.Struct, frozen=True, tag="tool_call"):
    id: str
    name: str
    arguments: str
    """JSON text exactly as the model wrote it; it may be invalid."""


class ToolResultPart(msgspec.Struct, frozen=True, tag="tool_result"):
    call_id: str
    content: str
    is_error: bool = False


Part = TextPart | ImagePart | AudioPart | FilePart | ReasoningPart | ToolCallPart | ToolResultPart


class Message(msgspec.Struct, frozen=True):
    role: Role
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, role: Role, text: str) -> Message:
        return cls(role, (TextPart(text),))

    @property
    def text(self) -> str:
        """The visible text: text parts, and the text of attached files, in order."""
        texts = [part.text for part in self.parts if isinstance(part, TextPart | FilePart) and part.text]
        return "\n\n".join(texts)

    @property
    def reasoning(self) -> str:
        return "\n\n".join(part.text for part in self.parts if isinstance(part, ReasoningPart))

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        return tuple(part.attachment for part in self.parts if isinstance(part, ImagePart | AudioPart | FilePart))
