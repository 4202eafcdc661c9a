"""What AT-SPI tells a screen reader of the running program."""

from __future__ import annotations

import pytest

from tests.accessibility.atspi import Node
from tests.accessibility.conftest import Screen

pytestmark = pytest.mark.e2e


def says(nodes: list[Node], part: str, role: str = "") -> bool:
    return any(part in node.words() for node in nodes if not role or node.role == role)


def test_a_screen_reader_finds_texts_columns_progress_and_errors(screen: Screen) -> None:
    reader = screen.reader
    reader.wait(lambda nodes: says(nodes, "Echo 8B is ready"))
    screen.focus()

    screen.type("hello reader")
    screen.press("Return")
    nodes = reader.wait(lambda nodes: says(nodes, "1: hello reader", "list item"))
    assert says(nodes, "You. hello reader", "list item")
    assert says(nodes, "Transcript", "list")
    assert "1: hello reader" in reader.wait_announcement("Answer finished")

    screen.press("ctrl+m")
    screen.type("dying")
    screen.press("Return")
    reader.wait(lambda nodes: says(nodes, "Model: Dying 8B"))
    screen.type("and now fail")
    screen.press("Return")
    nodes = reader.wait(lambda nodes: says(nodes, "Error: The engine ended: out of memory.", "list item"))
    assert says(nodes, "Half an ans", "list item")
    assert "out of memory" in reader.wait_announcement("The answer failed")

    screen.press("ctrl+m")
    screen.type("slow")
    screen.press("Return")
    reader.wait(lambda nodes: says(nodes, "Model: Slow 8B"))
    screen.type("go on")
    screen.press("Return")
    reader.wait(lambda nodes: says(nodes, "word3", "list item"))
    screen.press("ctrl+n")
    nodes = reader.wait(lambda nodes: says(nodes, "Slow 8B answers in another chat", "label"))
    assert says(nodes, "Progress of the running work", "progress bar")
    assert says(nodes, "Stop the running work", "push button")

    screen.press("ctrl+2")
    nodes = reader.wait(lambda nodes: says(nodes, "Column 2: "))
    assert says(nodes, "Column 1: ")


def test_every_control_on_the_screen_has_a_name(screen: Screen) -> None:
    reader = screen.reader
    reader.wait(lambda nodes: says(nodes, "Echo 8B is ready"))
    screen.focus()
    controls = {"push button", "check box", "combo box", "text", "slider", "spin button", "toggle button", "table"}
    for keys, part in (("ctrl+2", "Column 2: "), ("ctrl+5", "Import…"), ("ctrl+comma", "Text size")):
        screen.press(keys)
        nodes = reader.wait(lambda nodes, part=part: says(nodes, part))
        unnamed = [at for at, node in enumerate(nodes) if node.role in controls and not node.name.strip()]
        assert not unnamed, [[node.words() for node in nodes[max(at - 4, 0) : at + 3]] for at in unnamed]
