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
    ) -> QAction:
        """Register an action. Its shortcut works in the whole window."""
        action = QAction(title, self._window)
        action.setObjectName(action_id)
        action.setData((icon, group))
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        self._defaults[action_id] = shortcut
        keys = self._overrides.get(action_id, shortcut)
        if keys:
            action.setShortcuts([QKeySequence(part.strip()) for part in keys.split(" | ")])
        action.setEnabled(enabled)
        action.triggered.connect(lambda _checked=False: callback())
        self._window.addAction(action)
        self._actions[action_id] = action
        self.changed.emit()
        return action

    def __getitem__(self, action_id: str) -> QAction:
        return self._actions[action_id]

    def __contains__(self, action_id: str) -> bool:
        return action_id in self._actions

    def __iter__(self) -> Iterator[QAction]:
        return iter(self._actions.values())

    def keys(self, action_id: str) -> str:
        """The shortcut as the platform writes it, empty without one."""
        action = self._actions.get(action_id)
        return action.shortcut().toString(QKeySequence.SequenceFormat.NativeText) if action else ""

    def default_keys(self, action_id: str) -> str:
        return self._defaults.get(action_id, "")

    def set_shortcuts(self, overrides: dict[str, str]) -> None:
        self._overrides = dict(overrides)
        for action_id, action in self._actions.items():
            keys = self._overrides.get(action_id, self._defaults[action_id])
            action.setShortcuts([QKeySequence(part.strip()) for part in keys.split(" | ")] if keys else [])
        self.changed.emit()
