"""Files attached to prompts that were not sent yet, kept over a restart: a file of the data folder for each draft."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject

from workbench.ui.context import Context
from workbench.ui.jobs import SERIAL

if TYPE_CHECKING:
    from workbench.ui.backend import Backend
    from workbench.ui.chat.attachments import Attached

NEW_CHAT, COMPARISON = "new-chat", "comparison"
"""Names of the drafts that belong to no session."""
SUFFIX = ".msgpack"
_log = logging.getLogger(__name__)


class _Reading:
    """A draft that is being read: what was found, and what is to be kept since."""

    def __init__(self) -> None:
        self.found: list[Attached] = []
        self.since: list[Attached] = []

    def read(self, path: Path) -> None:
        self.found = _read(path)


class DraftFiles:
    """`owner` gets what is read, as long as it is there. What can't be read or written is only logged: losing a draft's
    files costs no more than attaching them again."""

    def __init__(self, context: Context, owner: QObject) -> None:
        self._context, self._owner = context, owner
        self._folder = context.paths.drafts
        self._kept: dict[str, tuple[str, ...]] = {}
        """Hashes and names of the files as they were last given out to be written, by draft; none once that failed."""
        self._reading: dict[str, _Reading] = {}

    def keep(self, draft: str, files: list[Attached]) -> None:
        """Write the files of this draft, if they are others than before; none: forget it. While the draft is being read
        they go behind what is found."""
        path, content, reading = self._path(draft), _content(files), self._reading.get(draft)
        if reading is not None:
            if content == _content(reading.since):
                return
            reading.since = files
            # the serial lane has read by then; nothing needs to be delivered, so it also works while the window closes
            self._write(draft, None, lambda: _write(path, [*reading.found, *files]))
        elif self._kept.get(draft, ()) != content or (not content and path.exists()):
            self._kept[draft] = content
            self._write(draft, content, lambda: _write(path, files))

    def _write(self, draft: str, content: tuple[str, ...] | None, work: Callable[[], bool]) -> None:
        def written(success: bool) -> None:
            if not success and content in (None, self._kept.get(draft)):
                self._kept.pop(draft, None)  # the next time tries again

        self._context.jobs.run(work, written, owner=self._owner, lane=SERIAL)

    def read(self, draft: str, done: Callable[[list[Attached]], None]) -> None:
        """Hand over the files of a draft that are kept, if there are any."""
        path = self._path(draft)
        if not path.exists():
            return

        reading = self._reading[draft] = _Reading()

        def take(_read: None) -> None:
            del self._reading[draft]
            self._kept[draft] = _content([*reading.found, *reading.since])
            if reading.found:
                done(reading.found)

        self._context.jobs.run(lambda: reading.read(path), take, owner=self._owner, lane=SERIAL)

    def sweep(self, backend: Backend) -> None:
        """Forget the drafts of chats that are gone for good."""
        folder = self._folder
        if folder.is_dir():
            self._context.jobs.run(lambda: _sweep(folder, backend), lane=SERIAL)

    def _path(self, draft: str) -> Path:
        return self._folder / f"{draft}{SUFFIX}"


def _content(files: list[Attached]) -> tuple[str, ...]:
    return tuple(f"{file.attachment.sha256} {file.attachment.name}" for file in files)


def _write(path: Path, files: list[Attached]) -> bool:
    """Whether that could be done."""
    try:
        if not files:
            path.unlink(missing_ok=True)
            return True
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        partial.write_bytes(msgspec.msgpack.encode(files))
        partial.replace(path)
    except OSError as error:
        _log.warning("The files of a draft are not kept: %s", error)
        return False
    return True


def _read(path: Path) -> list[Attached]:
    from workbench.ui.chat.attachments import Attached  # noqa: PLC0415  (not before the first paint)

    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=list[Attached])
    except (OSError, ValueError) as error:
        _log.warning("The files of a draft can't be read: %s", error)
        return []


def _sweep(folder: Path, backend: Backend) -> None:
    try:
        for path in folder.iterdir():
            if path.stem not in (NEW_CHAT, COMPARISON) and backend.store.session(path.stem) is None:
                path.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("Drafts of chats that are gone can't be deleted: %s", error)
