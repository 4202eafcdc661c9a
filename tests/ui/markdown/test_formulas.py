from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from workbench.ui.markdown import MarkdownDocument, MarkdownStyle, MathRenderer, properties
from workbench.ui.markdown.formula_object import MathObject
from workbench.ui.tokens import LIGHT


def test_a_formula_is_rendered_off_the_ui_thread_and_cached(qtbot: QtBot, math: MathRenderer) -> None:
    assert math.get(r"\frac{a}{b}", 16, "#112233", False) is None
    assert math.busy
    with qtbot.waitSignal(math.ready, timeout=20_000):
        pass
    formula = math.get(r"\frac{a}{b}", 16, "#112233", False)
    assert formula is not None and formula.image is not None
    assert formula.ascent > 0 and formula.descent > 4
    assert formula.image.width() == pytest.approx(formula.width * math.ratio, abs=2)
    assert not math.busy


@pytest.mark.parametrize("latex", [r"\frac{1}{", r"\begin{matrix}", "x" * 5_000, r"\left(", "\\"])
def test_what_cannot_be_rendered_shows_its_source(
    qtbot: QtBot, math: MathRenderer, style: MarkdownStyle, latex: str
) -> None:
    document = MarkdownDocument.rendered(f"$$\n{latex}\n$$\n\nafter", style, math, MathObject(math), width=400)
    qtbot.waitUntil(lambda: not math.busy, timeout=20_000)
    document.take_formulas()
    text = document.document.toPlainText()
    formula = math.get(latex, round(style.text_px * 1.12), LIGHT.text, True)
    assert formula is not None
    if formula.image is None:
        assert " ".join(latex.split()) in text
    assert text.endswith("after")


def test_a_formula_takes_its_place_when_it_is_ready(qtbot: QtBot, math: MathRenderer, style: MarkdownStyle) -> None:
    text = r"a $\sum_{i=1}^{n} \frac{x_i}{\sqrt{d_k}}$ b"
    document = MarkdownDocument.rendered(text, style, math, MathObject(math), width=400)
    before = document.document.size().height()
    assert not document.take_formulas()
    qtbot.waitUntil(lambda: not math.busy, timeout=20_000)
    assert document.take_formulas()
    assert not document.take_formulas()
    assert document.document.size().height() > before
    again = MarkdownDocument.rendered(text, style, math, MathObject(math), width=400)
    assert again.document.size() == document.document.size()
    assert again.document.characterCount() == len("a x b") + 1
    assert again.document.allFormats()[-1].isValid()
    assert any(f.hasProperty(properties.MATH) for f in again.document.allFormats())


def test_the_thread_ends_with_the_renderer(qtbot: QtBot, math: MathRenderer) -> None:
    math.get("x", 16, "#000000", False)
    thread = math._thread
    assert thread is not None and thread.is_alive()
    math.close()
    assert not thread.is_alive()
