"""Markdown as it streams: written straight into a QTextDocument, finished blocks never touched again."""

from workbench.ui.markdown.formulas import Formula, MathRenderer
from workbench.ui.markdown.incremental import MarkdownDocument
from workbench.ui.markdown.style import MarkdownStyle

__all__ = ["Formula", "MarkdownDocument", "MarkdownStyle", "MathRenderer"]
