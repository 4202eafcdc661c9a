"""`conversations.json` of a vendor's data export, as a file or inside the zip archive that it comes in."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from workbench.core.errors import BadInput

from .common import MAX_ATTACHMENT_BYTES, MAX_DOCUMENT_BYTES, Plain, document, elements_of, expect

NAME = "conversations.json"
ZIP_MAGIC = b"PK\x03\x04"
Assets = Callable[[str], "tuple[str, bytes] | None"]
"""From the beginning of a file's name to its name and bytes, where the export has it."""


def is_zip(beginning: bytes) -> bool:
    return beginning.startswith(ZIP_MAGIC)


def is_array_with(beginning: bytes, key: bytes) -> bool:
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
    return text.startswith(b"[") and b'"' + key + b'"' in text


@contextlib.contextmanager
def opened(path: str) -> Iterator[tuple[bytes, Assets]]:
    """The text of conversations.json, and what else the export holds. Raises BadInput."""
    try:
        with open(path, "rb") as file:
            zipped = is_zip(file.read(4))
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}.") from error
    if not zipped:
        yield document(path), lambda _prefix: None
        return
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if PurePosixPath(name).name == NAME]
            expect(names, path, f"there is no {NAME} in this archive")
            yield _member(archive, names[0], MAX_DOCUMENT_BYTES), lambda prefix: _asset(archive, prefix)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise BadInput(f"{path} is a damaged or encrypted zip archive: {error}.") from error


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """A file of the archive. What its header says of its size is not believed."""
    with archive.open(name) as file:
        data = file.read(most + 1)
    expect(len(data) <= most, name, f"larger than {most >> 20} MiB")
    return data


def _asset(archive: zipfile.ZipFile, prefix: str) -> tuple[str, bytes] | None:
    for name in archive.namelist():
        if prefix and PurePosixPath(name).name.startswith(prefix):
            return PurePosixPath(name).name, _member(archive, name, MAX_ATTACHMENT_BYTES)
    return None


def conversations(data: bytes, path: str) -> Iterator[tuple[str, Plain]]:
    """Each conversation and how to name it in an error."""
    for number, value in elements_of(data, path):
        title = value.get("title") or value.get("name") if isinstance(value, dict) else ""
        place = f"Conversation {number}" + (f" (“{title[:60]}”)" if isinstance(title, str) and title else "")
        expect(isinstance(value, dict), place, "it is not an object")
        yield place, value
