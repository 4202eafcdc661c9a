"""What is painted behind inline code stands where the code stands."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from workbench.ui.tokens import LIGHT
from workbench.ui.transcript import TranscriptItem, TranscriptView


def columns_of(image: QImage, colour: str) -> list[int]:
    """The x of every column that has a pixel of this colour."""
    return [
        x
        for x in range(image.width())
        if any(image.pixelColor(x, y).name() == colour for y in range(0, image.height(), 2))
    ]


@pytest.mark.parametrize(
    ("text", "indent"), [("- `code` in a list", 26), ("> `code` in a quote", 26), ("- a\n  - `code` deeper", 52)]
)
def test_the_chip_begins_where_its_text_begins(qtbot: QtBot, text: str, indent: int) -> None:
    view = TranscriptView()
    qtbot.addWidget(view)
    view.set_tokens(LIGHT)
    view.resize(700, 300)
    view.show()
    left = []
    for shown in ("`code` in a paragraph", text):
        view.set_items([TranscriptItem(key="a", role="assistant", text=shown)])
        left.append(columns_of(view.grab().toImage(), LIGHT.chip)[0])
    assert left[1] - left[0] == pytest.approx(indent, abs=1)
