"""Where the code blocks of a document are, and how far their longest lines reach."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF
from PySide6.QtGui import QTextBlock, QTextBlockFormat, QTextCursor

from workbench.ui.markdown import properties
from workbench.ui.markdown.incremental import MarkdownDocument

_NOTHING = (-1, -1.0, -1)
"""The state of no document: revision, width, reflows."""


@dataclass(slots=True)
class CodePanel:
    """One code block. Geometry in the document's coordinates."""

    number: int
    language: str
    header: int
    """Number of the empty block on top."""
    last: int
    """Number of the last line's block."""
    content_width: float
    rect: QRectF

    @property
    def first(self) -> int:
        return self.header + 1


class CodePanels:
    """The code panels of one document, in order; kept up to date at little cost while the document grows."""

    def __init__(self, document: MarkdownDocument) -> None:
        self._document = document
        self._panels: list[CodePanel] = []
        self._seen = _NOTHING
        self._settled = 0
        """Position of the text up to which the panels were final when they were looked for last."""
        self.offsets: dict[int, float] = {}
        """How far each panel is scrolled sideways, in pixels."""
        self.wrapped: set[int] = set()

    def all(self) -> list[CodePanel]:
        document = self._document.document
        state = (document.revision(), document.textWidth(), self._document.reflows)
        if state != self._seen:
            # What froze since the last look was still open then, or not there at all.
            start = document.findBlock(min(self._settled, self._document.frozen_position))
            self._scan(start if state[1:] == self._seen[1:] else document.begin())
            self._seen, self._settled = state, self._document.frozen_position
        return self._panels

    def inner_width(self, panel: CodePanel) -> float:
        return panel.rect.width() - 2 * self._document.style.code_pad_px

    def overflow(self, panel: CodePanel) -> float:
        """How many pixels the longest line is too wide."""
        return 0.0 if panel.number in self.wrapped else max(0.0, panel.content_width - self.inner_width(panel))

    def text(self, panel: CodePanel) -> str:
        document = self._document.document
        block = document.findBlockByNumber(panel.first)
        lines = []
        while block.isValid() and block.blockNumber() <= panel.last:
            lines.append(block.text())
            block = block.next()
        return "\n".join(lines)

    def set_wrapped(self, panel: CodePanel, wrapped: bool) -> None:
        if wrapped:
            self.wrapped.add(panel.number)
        else:
            self.wrapped.discard(panel.number)
        self.offsets.pop(panel.number, None)
        document = self._document.document
        cursor = QTextCursor(document)
        cursor.setPosition(document.findBlockByNumber(panel.first).position())
        last = document.findBlockByNumber(panel.last)
        cursor.setPosition(last.position() + last.length() - 1, QTextCursor.MoveMode.KeepAnchor)
        change = QTextBlockFormat()
        change.setNonBreakableLines(not wrapped)
        cursor.mergeBlockFormat(change)
        self._seen = _NOTHING

    def _scan(self, start: QTextBlock) -> None:
        number = start.blockNumber()
        self._panels = [panel for panel in self._panels if panel.last < number]
        block = start
        while block.isValid():
            format_ = block.blockFormat()
            if format_.hasProperty(properties.CODE):
                block = self._scan_panel(block)
            else:
                block = block.next()

    def _scan_panel(self, header: QTextBlock) -> QTextBlock:
        """Measure the panel that begins with `header`; the block after it."""
        style = self._document.style
        layout = self._document.document.documentLayout()
        format_ = header.blockFormat()
        code = format_.intProperty(properties.CODE)
        block, last, width = header.next(), header, 0.0
        while block.isValid() and block.blockFormat().intProperty(properties.CODE) == code:
            lines = block.layout()
            if lines.lineCount():
                width = max(width, lines.lineAt(0).naturalTextWidth())
            last = block
            block = block.next()
        left = format_.indent() * style.indent_px
        top = header.layout().position().y()
        bottom = layout.blockBoundingRect(last).bottom() + style.code_pad_px
        rect = QRectF(left, top, max(40.0, self._document.document.textWidth() - left), bottom - top)
        language = format_.stringProperty(properties.LANGUAGE)
        self._panels.append(CodePanel(code, language, header.blockNumber(), last.blockNumber(), width, rect))
        return block
