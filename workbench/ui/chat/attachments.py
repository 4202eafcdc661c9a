"""Files that go with a prompt: read, shown as chips, made into the message's parts.

Not needed for the first paint: the composer imports it when the first file or message comes.
"""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, Qt, Signal, Slot
from PySide6.QtGui import QImage, QPalette
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from workbench.core.messages import Attachment, FilePart, ImagePart, Message, Part, TextPart
from workbench.core.models import ModelInfo
from workbench.ui.chat.items import own_text
from workbench.ui.formats import decimal
from workbench.ui.icons import IconButton, IconLabel, in_scale
from workbench.ui.tr import tr
from workbench.ui.widgets import label

MAX_FILE_BYTES = 20_000_000
NAME_WIDTH = 220
"""Pixels of a file's name; the middle of a longer one is left out."""
PNG_QUALITY = 80
"""Qt's scale: a fast, light compression. It is lossless either way."""


class Attached(NamedTuple):
    attachment: Attachment
    text: str
    """Of a text file; empty for a picture."""


class Read(NamedTuple):
    files: list[Attached]
    problems: list[str]
    """What is wrong with the others, for the user."""


def read_files(files: list[object]) -> Read:
    """Read paths and pictures (QImage) from the clipboard. Runs in a worker."""
    result = Read([], [])
    for file in files:
        found = _picture(file, len(result.files)) if isinstance(file, QImage) else _file(Path(str(file)))
        if isinstance(found, Attached):
            result.files.append(found)
        else:
            result.problems.append(found)
    return result


def message_of(text: str, files: list[Attached]) -> Message:
    """The prompt as it is sent; text files go along as text, pictures as pictures."""
    parts: list[Part] = [TextPart(text)] if text.strip() else []
    for file in files:
        is_image = file.attachment.media_type.startswith("image/")
        parts.append(ImagePart(file.attachment) if is_image else FilePart(file.attachment, file.text))
    return Message("user", tuple(parts))


def contents_of(message: Message) -> tuple[str, list[Attached]]:
    """The text and files that `message_of` made it of."""
    return own_text(message), [
        Attached(part.attachment, part.text if isinstance(part, FilePart) else "")
        for part in message.parts
        if isinstance(part, FilePart | ImagePart)
    ]


def problem_of(file: Attached, model: ModelInfo | None) -> str:
    """Why the model can't take it; empty if it can."""
    is_image = file.attachment.media_type.startswith("image/")
    if is_image and model is not None and "images" not in model.capabilities:
        return tr("{model} can't read images.", model=model.name)
    return ""


def _file(path: Path) -> Attached | str:
    try:
        if path.is_dir():
            return tr("{name} is a folder; drop the files in it.", name=path.name)
        if path.stat().st_size > MAX_FILE_BYTES:
            return tr("{name} is larger than 20 MB and was not attached.", name=path.name)
        data = path.read_bytes()
    except OSError as error:
        return tr("{name} can't be read: {reason}.", name=path.name, reason=error.strerror or error)
    media_type = mimetypes.guess_type(path.name)[0] or "text/plain"
    if media_type.startswith("image/") and media_type != "image/svg+xml":
        return Attached(Attachment.of(data, media_type, path.name), "")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return tr("{name} is not a text file and was not attached.", name=path.name)
    if "\0" in text:
        return tr("{name} is not a text file and was not attached.", name=path.name)
    return Attached(Attachment.of(data, "text/plain", path.name), text)


def _picture(image: QImage, number: int) -> Attached | str:
    name = tr("Pasted picture") + (f" {number + 1}" if number else "") + ".png"
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    if image.isNull() or not image.save(buffer, "PNG", PNG_QUALITY):  # type: ignore[call-overload]
        return tr("The picture in the clipboard can't be read.")
    if data.size() > MAX_FILE_BYTES:
        return tr("{name} is larger than 20 MB and was not attached.", name=name)
    return Attached(Attachment.of(bytes(data.data()), "image/png", name), "")


class AttachmentChip(QFrame):
    """One attached file; `problem` says why the chosen model can't take it."""

    removed = Signal(object)

    def __init__(self, file: Attached, problem: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("attachment")
        self._file = file
        attachment = file.attachment
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 3, 3, 3)
        row.setSpacing(6)
        role = QPalette.ColorRole.BrightText if problem else QPalette.ColorRole.PlaceholderText
        usual = "image" if attachment.media_type.startswith("image/") else "file-text"
        row.addWidget(IconLabel("triangle-alert" if problem else usual, 14, role))
        name = label(attachment.name)
        room = in_scale(NAME_WIDTH)
        name.setText(name.fontMetrics().elidedText(attachment.name, Qt.TextElideMode.ElideMiddle, room))
        row.addWidget(name)
        row.addWidget(label(_size_text(attachment.size), "small"))
        remove = IconButton("x", tr("Remove {name}", name=attachment.name), size=12)
        remove.setObjectName("removeFile")
        remove.clicked.connect(self._remove)
        row.addWidget(remove)
        self.setToolTip(problem or attachment.name)
        self.setAccessibleName(f"{attachment.name}. {problem}" if problem else attachment.name)

    @Slot()
    def _remove(self) -> None:
        self.removed.emit(self._file)


def _size_text(size: int) -> str:
    if size < 1024:
        return tr("{size} B", size=size)
    if size < 1024 * 1024:
        return tr("{size} KB", size=round(size / 1024))
    return tr("{size} MB", size=decimal(size / 1024 / 1024))
