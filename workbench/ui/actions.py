"""Every action of the window, by id: for menus, shortcuts, the command palette and the keyboard page."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget


class Actions(QObject):
    """The actions of one window. `shortcuts` overrides the default keys by action id."""

    changed = Signal()

    def __init__(self, window: QWidget, shortcuts: dict[str, str]) -> None:
        super().__init__(window)
        self._window = window
        self._overrides = dict(shortcuts)
        self._defaults: dict[str, str] = {}
        self._places: dict[str, str] = {}
        self._place = ""
        self._actions: dict[str, QAction] = {}

    def add(
        self,
        action_id: str,
        title: str,
        callback: Callable[[], object],
        shortcut: str = "",
        *,
        icon: str = "",
        group: str = "",
        enabled: bool = True,
        place: str = "",
    ) -> QAction:
        """Register an action. Its shortcut works in the whole window, or only in `place`, where it then goes before
        an action of the whole window with the same keys."""
        action = QAction(title, self._window)
        action.setObjectName(action_id)
        action.setData((icon, group))
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        self._defaults[action_id] = shortcut
        self._places[action_id] = place
        action.setEnabled(enabled)
        action.triggered.connect(lambda _checked=False: callback())
        self._window.addAction(action)
        self._actions[action_id] = action
        if place and place == self._place:
            self._apply()
        elif not place:
            action.setShortcuts(self._sequences(action_id))
        self.changed.emit()
        return action

    def set_place(self, place: str) -> None:
        """The place that is shown now."""
        if place != self._place:
            self._place = place
            self._apply()

    def is_elsewhere(self, action_id: str) -> bool:
        """It belongs to a place that is not shown."""
        return self.place_of(action_id) not in ("", self._place)

    def place_of(self, action_id: str) -> str:
        """Empty for an action of the whole window."""
        return self._places[action_id]

    def __getitem__(self, action_id: str) -> QAction:
        return self._actions[action_id]

    def __contains__(self, action_id: str) -> bool:
        return action_id in self._actions

    def __iter__(self) -> Iterator[QAction]:
        return iter(self._actions.values())

    def keys(self, action_id: str) -> str:
        """The shortcut as the platform writes it, empty without one."""
        sequences = self._sequences(action_id) if action_id in self._actions else []
        return sequences[0].toString(QKeySequence.SequenceFormat.NativeText) if sequences else ""

    def sequence(self, action_id: str) -> QKeySequence:
        """Its first shortcut, also while another place is shown."""
        return next(iter(self._sequences(action_id)), QKeySequence())

    def sequences(self, action_id: str) -> list[QKeySequence]:
        """All its shortcuts, also while another place is shown."""
        return self._sequences(action_id)

    def owner(self, keys: QKeySequence, besides: str) -> QAction | None:
        """The action that has these keys where `besides` would have them too."""
        place = self._places[besides]
        others = (name for name in self._actions if name != besides and self._places[name] == place)
        return next((self._actions[name] for name in others if keys in self._sequences(name)), None)

    def default_keys(self, action_id: str) -> str:
        return self._defaults.get(action_id, "")

    def set_shortcuts(self, overrides: dict[str, str]) -> None:
        self._overrides = dict(overrides)
        self._apply()
        self.changed.emit()

    def _sequences(self, action_id: str) -> list[QKeySequence]:
        keys = self._overrides.get(action_id, self._defaults[action_id])
        return [QKeySequence(part.strip()) for part in keys.split(" | ")] if keys else []

    def _apply(self) -> None:
        """Give every action the shortcuts it has in the present place."""
        here = [action_id for action_id, place in self._places.items() if place and place == self._place]
        taken = [keys for action_id in here for keys in self._sequences(action_id)]
        for action_id, action in self._actions.items():
            place, keys = self._places[action_id], self._sequences(action_id)
            if place != self._place:
                keys = [] if place else [sequence for sequence in keys if sequence not in taken]
            if keys != action.shortcuts():
                action.setShortcuts(keys)
