"""What the window remembers between starts: geometry, splitters, the last place, selections, an unsent draft."""

from __future__ import annotations

from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, QSaveFile, QTimer, Slot

SAVE_AFTER_MS = 800


class Remembered(msgspec.Struct, kw_only=True):
    """The file's content. Not settings: losing it costs nothing but a little comfort."""

    geometry: str = ""
    """Qt's window geometry, base64."""
    splitters: dict[str, str] = {}
    """Splitter name -> Qt's state, base64."""
    place: str = "chat"
    list_open: bool = True
    side_panel_open: bool = True
    sections: dict[str, bool] = {}
    """Collapsible section -> open."""
    session_id: str = ""
    model_id: str = ""
    model_name: str = ""
    """Of that model, shown until the models are listed."""
    draft: str = ""
    """Text typed into a chat that does not exist yet. Drafts of stored chats are in the database."""
    options: dict[str, object] = {}
    """Chat options chosen for new chats, as `ChatOptions` encodes."""
    history: dict[str, object] = {}
    """The History place's columns and what it was filtered and sorted by."""
    model_files: list[str] = []
    """Paths of the GGUF files opened lately, the last one first."""
    first_start_done: bool = False
    compare: dict[str, object] = {}
    """The Compare place's columns and how it shows them."""


class UiState(QObject):
    """Loads and saves `ui-state.json`, a moment after a change and at the end. A damaged file is forgotten."""

    def __init__(self, path: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path = path
        self.value = self._load()
        self._saved = msgspec.json.encode(self.value)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SAVE_AFTER_MS)
        self._timer.timeout.connect(self.save)

    def touch(self) -> None:
        """Something in `value` changed."""
        self._timer.start()

    @Slot()
    def save(self) -> bool:
        """Write atomically; False where the folder can't be written (that is not worth a message)."""
        self._timer.stop()
        data = msgspec.json.encode(self.value)
        if data == self._saved:
            return True
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            return False
        file = QSaveFile(str(self.path))
        if not file.open(QSaveFile.OpenModeFlag.WriteOnly):
            return False
        file.write(data)
        if not file.commit():
            return False
        self._saved = data
        return True

    def _load(self) -> Remembered:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Remembered)
        except (OSError, ValueError):
            return Remembered()
