"""The heart of streaming: however a text arrives, the document ends up as if it had been rendered at once."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtWidgets import QApplication

from tests.ui.markdown.canonical import canonical
from tests.ui.markdown.samples import CASES, FULL_SAMPLE
from workbench.ui.markdown import MarkdownDocument, MarkdownStyle
from workbench.ui.tokens import LIGHT

WIDTH = 500.0


@pytest.fixture(scope="module")
def style(qapp: QApplication) -> MarkdownStyle:
    return MarkdownStyle(LIGHT, ["Inter", "DejaVu Sans"])


def at_once(text: str, style: MarkdownStyle) -> MarkdownDocument:
    return MarkdownDocument.rendered(text, style, width=WIDTH)


def streamed(chunks: list[str], style: MarkdownStyle) -> MarkdownDocument:
    document = MarkdownDocument(style)
    document.set_width(WIDTH)
    for chunk in chunks:
        document.feed(chunk)
        document.flush()
    document.finish()
    return document


def cut(text: str, sizes: list[int]) -> list[str]:
    chunks, start, index = [], 0, 0
    while start < len(text):
        size = sizes[index % len(sizes)]
        chunks.append(text[start : start + size])
        start += size
        index += 1
    return chunks


@pytest.mark.parametrize("text", CASES, ids=lambda text: repr(text[:30]))
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_each_construct_streams_to_the_same_document(style: MarkdownStyle, text: str, size: int) -> None:
    chunks = [text[i : i + size] for i in range(0, len(text), size)]
    assert canonical(streamed(chunks, style).document) == canonical(at_once(text, style).document)


@pytest.mark.parametrize("seed", range(5))
def test_a_long_answer_streams_to_the_same_document(style: MarkdownStyle, seed: int) -> None:
    chooser = random.Random(seed)
    sizes = [chooser.randint(1, 40) for _ in range(97)]
    text = FULL_SAMPLE + "\n\n" + "\n\n".join(chooser.sample(CASES, len(CASES)))
    assert canonical(streamed(cut(text, sizes), style).document) == canonical(at_once(text, style).document)


LINES = st.sampled_from(
    [
        "",
        "",
        "word",
        "- item",
        "  - nested",
        "- ",
        "-",
        "* star",
        "***",
        "---",
        "===",
        "1. one",
        "7) seven",
        "   para in item",
        "    four",
        "> quote",
        ">> deep",
        "```",
        "```py",
        "~~~",
        "x = 1 # c",
        "| a | b |",
        "|---|---|",
        "|--",
        "| 1 | 2 |",
        "# head",
        "#",
        "$$",
        "x^2",
        "$$y$$",
        "\\[",
        "\\]",
        "$a$ b",
        "[l]: /u",
        "[l]",
        "[x](javascript:a)",
        "- [ ] task",
        "- $$",
        "**bold",
        "`code",
        "a | b",
        "- a | b",
        "--|--",
        "<b>",
        "![i](http://e.x/i)",
        "\tTab",
        "- ```",
        "  ```",
        "> - q",
        "> ```",
    ]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(LINES, max_size=14), sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6), end=st.booleans())
def test_any_text_cut_anywhere_gives_the_same_document(
    style: MarkdownStyle, lines: list[str], sizes: list[int], end: bool
) -> None:
    text = "\n".join(lines) + ("\n" if end else "")
    assert canonical(streamed(cut(text, sizes), style).document) == canonical(at_once(text, style).document)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(st.sampled_from("ab \n\n-*_`$|>#[]()\\1.:!~\t\r\x00é😀ש\u2028\ufffc\ufdd0"), max_size=80),
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4),
)
def test_any_characters_cut_anywhere_give_the_same_document(style: MarkdownStyle, text: str, sizes: list[int]) -> None:
    assert canonical(streamed(cut(text, sizes), style).document) == canonical(at_once(text, style).document)


def test_finished_blocks_are_not_touched_again(style: MarkdownStyle) -> None:
    document = MarkdownDocument(style)
    document.feed("First.\n\nSecond.\n\nThird\n")
    document.flush()
    assert document.document.findBlock(document.frozen_position).text() == "Third"
    frozen = document.document.findBlock(document.frozen_position).previous()
    revision = frozen.revision()
    document.feed("goes on\n\nFourth\n")
    document.flush()
    assert frozen.text() == "Second."
    assert frozen.revision() == revision < document.document.revision()


def test_open_code_is_appended_to_and_highlighted_when_it_closes(style: MarkdownStyle) -> None:
    document = MarkdownDocument(style)
    document.feed("```python\ndef f():\n")
    document.flush()
    line = document.document.findBlockByNumber(1)
    revision = line.revision()
    document.feed("    return 1\n    x")
    document.flush()
    assert line.text() == "def f():"
    assert line.revision() == revision
    plain = {color for _, _, _, fragments in canonical(document.document) for color in map(str, fragments)}
    document.feed("\n```\n")
    document.flush()
    document.finish()
    coloured = {color for _, _, _, fragments in canonical(document.document) for color in map(str, fragments)}
    assert len(coloured) > len(plain)


def test_tables_grow_by_whole_rows(style: MarkdownStyle) -> None:
    document = MarkdownDocument(style)
    document.feed("| a | b |\n|---|---|\n| 1 | 2 |\n")
    document.flush()
    before = canonical(document.document)
    document.feed("| 3 | ")
    assert document.flush() is None
    assert canonical(document.document) == before
    document.feed("4 |\n")
    assert document.flush() is not None


@pytest.mark.parametrize("before", ["Some text:\n", "1. First\n   - nested\n     ", "> quoted\n> "])
def test_the_dash_of_a_list_to_come_makes_no_heading(style: MarkdownStyle, before: str) -> None:
    document = MarkdownDocument(style)
    for chunk in (before, "-", " ", "item"):
        document.feed(chunk)
        document.flush()
        block = document.document.begin()
        while block.isValid():
            assert not block.blockFormat().headingLevel()
            block = block.next()
    assert document.document.toPlainText().endswith("item")


def test_an_underline_makes_a_heading_when_its_line_is_complete(style: MarkdownStyle) -> None:
    document = MarkdownDocument(style)
    document.feed("Title\n---\n")
    document.flush()
    document.finish()
    assert canonical(document.document) == canonical(at_once("Title\n---\n", style).document)
    assert canonical(document.document) != canonical(at_once("Title", style).document)
