"""What the first paint has to know of the two files that say how the window looked last time.

Both are read again, checked, right after it (`SettingsFile`, `UiState`): what checks them takes longer to import than
the window to paint.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from PySide6.QtCore import QByteArray, QJsonDocument

from workbench.core.paths import Paths
from workbench.ui.theme import Look

if TYPE_CHECKING:
    from workbench.ui.ui_state import Remembered

T = TypeVar("T")
THEMES = ("system", "light", "dark")


class Opening(NamedTuple):
    look: Look = Look()
    language: str = ""
    geometry: str = ""
    """Qt's window geometry, base64."""
    splitters: Mapping[str, str] = MappingProxyType({})
    """Splitter name -> Qt's state, base64."""
    place: str = "chat"
    list_open: bool = True
    side_panel_open: bool = True
    draft: str = ""
    """Text of a chat that does not exist yet."""
    resumes: bool = False
    """A chat of the last time will be shown."""
    model_name: str = ""
    """Of the model that was chosen last."""

    @classmethod
    def read(cls, paths: Paths) -> Opening:
        """Whatever is missing or of the wrong type is as it is at the very first start."""
        appearance = _Known(_Known(_read(paths.settings)).mapping("appearance"))
        state = _Known(_read(paths.ui_state))
        scale = appearance.get("text_scale", 100)
        theme = appearance.get("theme", "system")
        look = Look(theme if theme in THEMES else "system", scale if 80 <= scale <= 200 else 100)
        splitters = {name: text for name, text in state.mapping("splitters").items() if isinstance(text, str)}
        resumes = bool(state.get("session_id", ""))
        return cls(
            look,
            appearance.get("language", ""),
            state.get("geometry", ""),
            splitters,
            state.get("place", "chat"),
            state.get("list_open", True),
            state.get("side_panel_open", True),
            "" if resumes else state.get("draft", ""),
            resumes,
            state.get("model_name", ""),
        )

    @classmethod
    def of_state(cls, state: Remembered, text_scale: int) -> Opening:
        """For a page that is made after the first paint."""
        look, resumes = Look("system", text_scale), bool(state.session_id)
        return cls(
            look,
            splitters=state.splitters,
            side_panel_open=state.side_panel_open,
            draft="" if resumes else state.draft,
            resumes=resumes,
            model_name=state.model_name,
        )


class _Known:
    """A JSON object whose values are taken where they have the type of their default."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def get(self, name: str, default: T) -> T:
        value = self._values.get(name)
        return value if type(value) is type(default) else default

    def mapping(self, name: str) -> dict[str, Any]:
        value = self._values.get(name)
        return value if isinstance(value, dict) else {}


def _read(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except OSError:
        return {}
    value = QJsonDocument.fromJson(
        QByteArray(data)
    ).toVariant()  # None where it is damaged; `json` takes 2 ms to import
    return value if isinstance(value, dict) else {}
