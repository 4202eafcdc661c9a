"""What the rendered document holds, and that nothing in a text can hurt."""

from __future__ import annotations

import time

import pytest
from PySide6.QtGui import QTextDocument, QTextTable
from PySide6.QtWidgets import QApplication

from tests.ui.markdown.samples import FULL_SAMPLE
from workbench.ui.markdown import MarkdownDocument, MarkdownStyle
from workbench.ui.markdown.extract import text_between
from workbench.ui.markdown.parser import is_safe_link
from workbench.ui.tokens import LIGHT

BOUND_S = 20.0
"""Generous, because machines differ: what must not happen is quadratic or worse."""


@pytest.fixture(scope="module")
def style(qapp: QApplication) -> MarkdownStyle:
    return MarkdownStyle(LIGHT, ["Inter", "DejaVu Sans"])


def render(text: str, style: MarkdownStyle) -> QTextDocument:
    return MarkdownDocument.rendered(text, style, width=500.0).document


def links(document: QTextDocument) -> dict[str, str]:
    result = {}
    block = document.begin()
    while block.isValid():
        iterator = block.begin()
        while not iterator.atEnd():
            fragment = iterator.fragment()
            if fragment.charFormat().isAnchor():
                result[fragment.text()] = fragment.charFormat().anchorHref()
            iterator += 1
        block = block.next()
    return result


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "file:///etc/passwd",
        "data:text/html,x",
        "ftp://e.org/x",
        "x.html",
        "//e.org",
        "vbscript:x",
        "http:x",
    ],
)
def test_links_elsewhere_are_inert_text(style: MarkdownStyle, url: str) -> None:
    assert not is_safe_link(url)
    document = render(f"[click]({url}) ![image]({url}) <{url}>", style)
    assert links(document) == {}
    assert "click" in document.toPlainText()


def test_links_to_the_web_and_mail_are_links(style: MarkdownStyle) -> None:
    text = (
        "[a](https://e.org/a) <http://e.org> [m](mailto:me@e.org) and https://e.org/x_(y). ![pic](https://e.org/i.png)"
    )
    assert links(render(text, style)) == {
        "a": "https://e.org/a",
        "http://e.org": "http://e.org",
        "m": "mailto:me@e.org",
        "https://e.org/x_(y)": "https://e.org/x_(y)",
        "[pic]": "https://e.org/i.png",
    }


def test_no_resource_is_ever_asked_for(style: MarkdownStyle, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(QTextDocument, "loadResource", lambda self, kind, url: asked.append(url))
    render("![a](http://e.org/a.png)\n\n<img src='http://e.org/b.png'>\n\n![c](file:///c.png)", style).size()
    assert asked == []


def test_raw_html_is_text(style: MarkdownStyle) -> None:
    assert render("<b>x</b>\n\n<script>y</script>", style).toPlainText() == "<b>x</b>\n<script>y</script>"


def test_read_as_text(style: MarkdownStyle) -> None:
    document = render(FULL_SAMPLE, style)
    text = text_between(document, 0, document.characterCount())
    assert "• Cost grows as" in text
    assert "3. three\n4. four" in text
    assert "[x] a finished task" in text
    assert "MHA\t32\t100 %\tplain code" in text
    assert "    d = q.size(-1)  # a comment\n    s = q @" in text
    assert r"\frac{1}{\sqrt{d_k}}" in text
    assert "￼" not in text


def test_markdown_written_out_renders_to_the_same_text(style: MarkdownStyle) -> None:
    document = render(FULL_SAMPLE, style)
    again = render(text_between(document, 0, document.characterCount(), markdown=True), style)
    assert text_between(again, 0, again.characterCount()) == text_between(document, 0, document.characterCount())


def test_part_of_a_text_counts_characters_as_qt_does(style: MarkdownStyle) -> None:
    document = render("a 😀 **b** c", style)
    assert text_between(document, 2, 4) == "😀"
    assert text_between(document, 5, 6, markdown=True) == "**b**"


def test_a_table_of_many_columns_fits_a_narrow_pane(style: MarkdownStyle) -> None:
    row = "| some words " * 8 + "|\n"
    document = MarkdownDocument.rendered(row + "|---" * 8 + "|\n" + row, style, width=360)
    assert document.document.size().width() <= 362
    document.set_width(900)
    table = document.document.rootFrame().childFrames()[0]
    wide = document.document.documentLayout().frameBoundingRect(table).width()
    document.set_width(500)
    assert document.document.documentLayout().frameBoundingRect(table).width() < wide <= 900


@pytest.mark.parametrize("width", [230, 260, 300])
def test_a_narrow_table_breaks_between_words_not_within(style: MarkdownStyle, width: int) -> None:
    text = "| Variant | KV heads | Cache |\n|---|---:|---:|\n| MHA | 32 | 100 % |\n"
    document = MarkdownDocument.rendered(text, style, width=width)
    document.document.documentLayout().documentSize()
    table = document.document.rootFrame().childFrames()[0]
    assert isinstance(table, QTextTable)
    for column in range(3):
        block = table.cellAt(0, column).firstCursorPosition().block()
        layout = block.layout()
        lines = [layout.lineAt(number) for number in range(layout.lineCount())]
        shown = [block.text()[line.textStart() : line.textStart() + line.textLength()].strip() for line in lines]
        assert " ".join(shown) == block.text()
    assert document.document.size().width() <= width + 2


HOSTILE = {
    "one line": "x" * 60_000,
    "many words": "word " * 12_000,
    "nested quotes": ">" * 5_000 + " x",
    "nested lists": "- " * 2_000 + "x",
    "indented lists": "\n".join("  " * depth + "- x" for depth in range(200)),
    "brackets": "[" * 20_000,
    "images": "![" * 10_000,
    "emphasis": "*a _b " * 5_000,
    "backticks": "".join("`" * (i % 60) + " " for i in range(3_000)),
    "dollars": "$" * 20_000,
    "open math": "\\(" * 5_000 + "$a" * 5_000,
    "math lines": "$$\n" * 5_000,
    "definitions": "".join(f"[{i}]: /x\n" for i in range(3_000)),
    "wide table": "|a" * 500 + "|\n" + "|-" * 500 + "|\n" + "|b" * 500 + "|\n",
    "long table": "|a|b|\n|-|-|\n" + "|c|d|\n" * 3_000,
    "control characters": "".join(map(chr, range(0x300))) * 10,
    "entities": "&amp;&#0;&#xFFFF;" * 2_000,
    "right to left": "שלום \u202e עולם \u202c" * 2_000,
    "emoji": "👩‍👩‍👧‍👦" * 3_000,
    "blank lines": "\n" * 20_000,
    "fence": "```python\n" + "x = [1, 2, 3] # c\n" * 3_000,
    "code on one line": "```json\n" + '{"a": [1, 2]},' * 3_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_takes_for_ever(style: MarkdownStyle, name: str) -> None:
    start = time.thread_time()
    document = render(HOSTILE[name], style)
    document.size()
    assert time.thread_time() - start < BOUND_S


@pytest.mark.parametrize("name", ["nested quotes", "nested lists", "brackets"])
def test_nothing_is_lost_of_what_nests_too_deeply(style: MarkdownStyle, name: str) -> None:
    text = HOSTILE[name]
    kept = "".join(render(text, style).toPlainText().split())
    assert kept.endswith(text.strip()[-1])
    assert len(kept) >= min(len("".join(text.split())), 3_000) or kept == "x"
