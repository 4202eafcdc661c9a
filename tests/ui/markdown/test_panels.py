"""The frames of code blocks stand where their code does, however the text arrived."""

from __future__ import annotations

import random

import pytest
from PySide6.QtCore import QRectF
from pytestqt.qtbot import QtBot

from tests.ui.markdown.samples import FULL_SAMPLE
from workbench.ui.markdown import MarkdownDocument, MarkdownStyle, MathRenderer
from workbench.ui.markdown.formula_object import MathObject
from workbench.ui.markdown.panels import CodePanels

WIDTH = 260.0
CODE = "Before.\n\n```\nno language\n```\n\nAfter it comes a paragraph.\n\nAnd one more.\n"


def places(panels: CodePanels) -> list[tuple[int, int, QRectF]]:
    return [(panel.header, panel.last, panel.rect) for panel in panels.all()]


@pytest.mark.parametrize("size", [1, 5, 23, 400])
def test_a_block_that_is_finished_between_two_looks_has_its_frame(style: MarkdownStyle, size: int) -> None:
    document = MarkdownDocument(style)
    document.set_width(WIDTH)
    panels = CodePanels(document)
    for start in range(0, len(CODE), size):
        document.feed(CODE[start : start + size])
        document.flush()
        panels.all()
    document.finish()
    assert len(panels.all()) == 1
    assert places(panels) == places(CodePanels(document))


@pytest.mark.parametrize("seed", range(3))
def test_frames_kept_while_streaming_are_those_of_a_fresh_look(style: MarkdownStyle, seed: int) -> None:
    chooser = random.Random(seed)
    document = MarkdownDocument(style)
    document.set_width(WIDTH)
    panels, start = CodePanels(document), 0
    while start < len(FULL_SAMPLE):
        size = chooser.randint(1, 160)
        document.feed(FULL_SAMPLE[start : start + size])
        document.flush()
        assert places(panels) == places(CodePanels(document))
        start += size
    document.finish()
    assert places(panels) == places(CodePanels(document))


def test_frames_move_with_the_code_when_a_formula_above_is_ready(
    qtbot: QtBot, math: MathRenderer, style: MarkdownStyle
) -> None:
    document = MarkdownDocument(style, math, MathObject(math))
    document.set_width(WIDTH)
    panels = CodePanels(document)
    document.feed("$$\\sum_{i=1}^{n} \\frac{x_i}{\\sqrt{d_k}}$$\n\n" + CODE)
    document.flush()
    before = places(panels)
    qtbot.waitUntil(lambda: not math.busy, timeout=20_000)
    assert document.take_formulas()
    assert places(panels) == places(CodePanels(document)) != before
