"""A session's messages form a tree; a chat shows one path through it. Plain functions over stored messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the store's package opens SQLite's modules, which the first paint need not wait for
    from workbench.store.values import StoredMessage


class MessageTree:
    """The messages of one session, siblings in the order in which they were made."""

    def __init__(self, messages: Iterable[StoredMessage]) -> None:
        self._by_id: dict[str, StoredMessage] = {}
        self._children: dict[str | None, list[str]] = {}
        for message in messages:
            self._by_id[message.id] = message
        for message in self._by_id.values():
            parent = message.parent_id if message.parent_id in self._by_id else None
            self._children.setdefault(parent, []).append(message.id)

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._by_id

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, message_id: str) -> StoredMessage | None:
        return self._by_id.get(message_id)

    def path(self, leaf_id: str | None) -> list[StoredMessage]:
        """From the first message to `leaf_id`, and on to the newest message below it."""
        if leaf_id is None or leaf_id not in self._by_id:
            leaf_id = self.newest_leaf(None)
        else:
            leaf_id = self.newest_leaf(leaf_id)
        path: list[StoredMessage] = []
        while leaf_id is not None and leaf_id in self._by_id:
            message = self._by_id[leaf_id]
            path.append(message)
            leaf_id = message.parent_id
        path.reverse()
        return path

    def newest_leaf(self, message_id: str | None) -> str | None:
        """Follow the newest child down from `message_id` (None: from the root)."""
        children = self._children.get(message_id, [])
        while children:
            message_id = children[-1]
            children = self._children.get(message_id, [])
        return message_id

    def siblings(self, message_id: str) -> list[str]:
        """Ids of all alternatives at this place, the message itself included."""
        message = self._by_id[message_id]
        parent = message.parent_id if message.parent_id in self._by_id else None
        return self._children[parent]

    def position(self, message_id: str) -> tuple[int, int]:
        """(index from 1, count) among its siblings."""
        siblings = self.siblings(message_id)
        return siblings.index(message_id) + 1, len(siblings)
