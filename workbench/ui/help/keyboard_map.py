"""The keyboard map: every action of the window with the keys it has now, and the keys that belong to no action."""

from __future__ import annotations

from PySide6.QtGui import QKeySequence

from workbench.ui.actions import Actions
from workbench.ui.tr import mark, tr

FIXED = (
    ("Return", mark("Send the prompt")),
    ("Shift+Return", mark("New line in the prompt")),
    ("Up", mark("In an empty prompt: edit the last message")),
    ("Tab", mark("To the next control; Shift+Tab to the one before")),
    ("Menu", mark("The menu of what has the focus")),
)
"""Keys of the composer and of every window, which can't be changed."""
NATIVE = QKeySequence.SequenceFormat.NativeText


class WindowActions:
    """The window's actions, as help pages speak of them."""

    def __init__(self, actions: Actions) -> None:
        self._actions = actions

    def title(self, action_id: str) -> str:
        return self._actions[action_id].text().rstrip("…") if action_id in self._actions else ""

    def keys(self, action_id: str) -> str:
        return self._actions.keys(action_id)

    def groups(self) -> dict[str, list[tuple[str, str]]]:
        """Group -> (keys, title) of its actions that have keys, in the order they were registered."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for action in self._actions:
            sequences = self._actions.sequences(action.objectName())
            if sequences:
                keys = " / ".join(sequence.toString(NATIVE) for sequence in sequences)
                group = str(action.data()[1]) or tr("Other")
                groups.setdefault(group, []).append((keys, action.text().rstrip("…")))
        return groups

    def keyboard_table(self) -> str:
        """Markdown: a heading and a table for each group."""
        fixed = [(QKeySequence(keys).toString(NATIVE), tr(title)) for keys, title in FIXED]
        parts = []
        for group, rows in {**self.groups(), tr("Everywhere, not changeable"): fixed}.items():
            lines = [f"## {group}", "", f"| {tr('Keys')} | {tr('Action')} |", "|---|---|"]
            lines += [f"| `{_cell(keys)}` | {_cell(title)} |" for keys, title in rows]
            parts.append("\n".join(lines))
        return "\n\n".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("`", "'")
