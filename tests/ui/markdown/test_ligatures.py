"""Characters stand as they were written: the fixed-width font would draw `<|im_start|>` and `!=` with other signs."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QFontDatabase, QRawFont, QTextCursor, QTextDocument
from PySide6.QtWidgets import QApplication

from workbench.core.paths import bundled
from workbench.ui.dialogs import TextDialog
from workbench.ui.markdown.style import MarkdownStyle
from workbench.ui.tokens import LIGHT

SIGNS = "<|im_start|> != -> =>"


@pytest.fixture(autouse=True)
def fonts(qapp: QApplication) -> None:
    assert QFontDatabase.addApplicationFont(str(bundled("resources") / "fonts" / "JetBrainsMono-Regular.ttf")) >= 0


def drawn(document: QTextDocument) -> tuple[list[int], QRawFont]:
    document.documentLayout().blockBoundingRect(document.begin())  # lays it out
    runs = document.begin().layout().lineAt(0).glyphRuns()
    assert runs[0].rawFont().familyName().startswith("JetBrains Mono")
    return [glyph for run in runs for glyph in run.glyphIndexes()], runs[0].rawFont()


@pytest.mark.parametrize("kind", ["block", "inline"])
def test_code_in_answers(kind: str) -> None:
    style = MarkdownStyle(LIGHT, ["Inter", "DejaVu Sans"])
    document = QTextDocument()
    document.setDefaultFont(style.font)
    QTextCursor(document).insertText(SIGNS, style.code_text if kind == "block" else style.inline_code(style.text))
    glyphs, font = drawn(document)
    assert glyphs == list(font.glyphIndexesForString(SIGNS))


def test_a_rendered_prompt(qapp: QApplication) -> None:
    dialog = TextDialog("Rendered prompt", SIGNS)
    dialog.setStyleSheet("QPlainTextEdit#code { font-family: 'JetBrains Mono'; }")
    dialog.show()
    qapp.processEvents()
    glyphs, font = drawn(dialog.view.document())
    assert glyphs == list(font.glyphIndexesForString(SIGNS))
    dialog.close()
    dialog.deleteLater()
