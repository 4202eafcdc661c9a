"""What Qt hands to a screen reader. `tests/accessibility/test_screen_reader.py` asks from outside."""

from __future__ import annotations

from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from shiboken6 import Shiboken

from tests.ui.transcript.conftest import answer, conversation, user
from workbench.core.errors import ErrorInfo
from workbench.ui.transcript import TranscriptView, accessible


def test_names_role_and_messages(view: TranscriptView) -> None:
    view.set_items([user("u", "hello"), answer("a", "hi", error=ErrorInfo(kind="x", message="It broke."))])
    interface = QAccessible.queryAccessibleInterface(view)
    assert interface.role() == QAccessible.Role.List
    assert interface.text(QAccessible.Text.Name) == "Conversation"
    assert interface.text(QAccessible.Text.Description) == "2 messages"
    assert interface.text(QAccessible.Text.Value) == "Model. Error: It broke.. hi"
    view.set_current(0)
    assert interface.text(QAccessible.Text.Value) == "You. hello"


def test_each_message_is_a_child(view: TranscriptView) -> None:
    view.set_items([user("u", "hello"), answer("a", "hi")])
    interface = QAccessible.queryAccessibleInterface(view)
    assert interface.childCount() == 2
    child = interface.child(1)
    assert child.role() == QAccessible.Role.ListItem
    assert child.text(QAccessible.Text.Name) == "Model"
    assert child.text(QAccessible.Text.Value) == "Model. hi"
    assert child.parent().role() == QAccessible.Role.List
    assert child.rect().height() > 20
    view.remove_item("a")
    assert not child.isValid()
    assert child.text(QAccessible.Text.Value) == ""
    assert interface.child(1) is None


def known(ids: list[int]) -> int:
    """How many of these interfaces Qt still holds."""
    return sum(QAccessible.accessibleInterface(id_) is not None for id_ in ids)


def read_all(view: TranscriptView) -> list[int]:
    """Ask for every message, as a screen reader does. Returns the interfaces' ids."""
    interface = QAccessible.queryAccessibleInterface(view)
    return [QAccessible.uniqueId(interface.child(index)) for index in range(interface.childCount())]


def test_messages_that_are_gone_are_let_go_of(view: TranscriptView) -> None:
    view.set_items([user("stays", "hello")])
    ids = first = read_all(view)
    for number in range(10):
        view.set_items([user("stays", "hello"), *(answer(f"{number}-{index}", "hi") for index in range(20))])
        ids = [*ids, *read_all(view)]
        QApplication.processEvents()
        view.set_items([user("stays", "hello")])
        read_all(view)
        QApplication.processEvents()
    assert known(list(dict.fromkeys(ids))) <= 21 + accessible.SPARE_CHILDREN
    assert read_all(view) == first, "what is still there keeps its interface"


def test_a_closed_view_is_let_go_of_with_its_messages(view: TranscriptView, qtbot: QtBot) -> None:
    closed = TranscriptView()
    closed.set_items(conversation(5))
    ids = read_all(closed)
    assert known(ids) == 5
    Shiboken.delete(closed)
    read_all(view)  # another one is asked for
    assert known(ids) == 0
    assert all(transcript.is_open for transcript in accessible._kept)
