"""A screen reader's view of a program: the AT-SPI tree and its announcements, read over D-Bus.

The interfaces are those of at-spi2-core's XML files (org.a11y.atspi.Accessible, .Registry, .Event.Object).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from jeepney import DBusAddress, MatchRule, MessageType, Properties, message_bus, new_method_call
from jeepney.io.blocking import DBusConnection, open_dbus_connection
from jeepney.wrappers import DBusErrorResponse

ACCESSIBLE = "org.a11y.atspi.Accessible"
ROOT = "/org/a11y/atspi/accessible/root"
REGISTRY = DBusAddress("/org/a11y/atspi/registry", "org.a11y.atspi.Registry", "org.a11y.atspi.Registry")
CALL_S = 20.0
WAIT_S = 40.0


@dataclass
class Node:
    """One object: its role and words, with those below it."""

    role: str
    name: str
    description: str
    depth: int
    children: list[Node] = field(default_factory=list)

    def walk(self) -> Iterator[Node]:
        yield self
        for child in self.children:
            yield from child.walk()

    def words(self) -> str:
        return f"{self.role}: {self.name} | {self.description}"


class ScreenReader:
    """Reads the one program on the accessibility bus that `session_bus` knows."""

    def __init__(self, session_bus: str) -> None:
        session = open_dbus_connection(session_bus)
        address = DBusAddress("/org/a11y/bus", "org.a11y.Bus", "org.a11y.Bus")
        reply = session.send_and_get_reply(new_method_call(address, "GetAddress"), timeout=CALL_S)
        session.close()
        self._bus: DBusConnection = open_dbus_connection(reply.body[0])
        rule = MatchRule(type="signal", interface="org.a11y.atspi.Event.Object", member="Announcement")
        self._call(message_bus.AddMatch(rule))
        self.announcements: list[str] = []
        try:
            self._register()
        except BaseException:
            self.close()
            raise

    def _register(self) -> None:
        """Programs send only what somebody registered for. The first call starts the registry, which may not answer
        the one it was started by."""
        for last in (False, False, False, True):
            try:
                self._call(new_method_call(REGISTRY, "RegisterEvent", "sass", ("object:announcement", [], "")))
                return
            except DBusErrorResponse:
                if last:
                    raise

    def close(self) -> None:
        self._bus.close()

    def tree(self) -> list[Node]:
        """The trees of all programs on the bus. Parts that vanish meanwhile are left out."""
        return [self._read(name, path, 0) for name, path in self._children("org.a11y.atspi.Registry", ROOT)]

    def nodes(self) -> list[Node]:
        return [node for root in self.tree() for node in root.walk()]

    def wait(self, condition: Callable[[list[Node]], object]) -> list[Node]:
        """The nodes once the condition holds for them."""
        end = time.monotonic() + WAIT_S
        while True:
            nodes = self.nodes()
            if condition(nodes):
                return nodes
            assert time.monotonic() < end, "\n".join(node.words() for node in nodes if node.name or node.description)

    def wait_announcement(self, part: str) -> str:
        """The announcement that holds these words; it may have come before."""
        end = time.monotonic() + WAIT_S
        while True:
            if found := next((text for text in self.announcements if part in text), None):
                return found
            assert time.monotonic() < end, self.announcements
            try:
                self._keep(self._bus.receive(timeout=1.0))
            except TimeoutError:
                continue

    # --- the wire --------------------------------------------------------------------------------------------
    def _read(self, name: str, path: str, depth: int) -> Node:
        address = DBusAddress(path, name, ACCESSIBLE)
        try:
            role = self._call(new_method_call(address, "GetRoleName"))[0]
            words = [self._call(Properties(address).get(each))[0][1] for each in ("Name", "Description")]
            children = self._children(name, path)
        except DBusErrorResponse:
            return Node("gone", "", "", depth)
        node = Node(role, words[0], words[1], depth)
        if role != "table cell" or depth < 3:
            node.children = [self._read(*child, depth + 1) for child in children]
        return node

    def _children(self, name: str, path: str) -> list[tuple[str, str]]:
        children = self._call(new_method_call(DBusAddress(path, name, ACCESSIBLE), "GetChildren"))[0]
        return [(owner, below) for owner, below in children if below != "/org/a11y/atspi/null"]

    def _call(self, message: Any) -> Any:
        message.header.serial = next(self._bus.outgoing_serial)
        self._bus.send(message, serial=message.header.serial)
        end = time.monotonic() + CALL_S
        while True:
            reply = self._bus.receive(timeout=max(end - time.monotonic(), 0.01))
            kind = reply.header.message_type
            if kind is MessageType.signal:
                self._keep(reply)
            elif reply.header.fields.get(5) == message.header.serial:  # REPLY_SERIAL
                if kind is MessageType.error:
                    raise DBusErrorResponse(reply)
                return reply.body

    def _keep(self, message: Any) -> None:
        if message.header.message_type is MessageType.signal and message.header.fields.get(3) == "Announcement":
            self.announcements.append(message.body[3][1])
