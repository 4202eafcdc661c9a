"""Sizes, colours and text formats of rendered markdown, derived from the palette and the text size."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from PySide6.QtCore import Qt
from PySide6.QtGui import QBrush, QColor, QFont, QFontMetricsF, QTextBlockFormat, QTextCharFormat, QTextFormat

from workbench.ui.markdown import properties
from workbench.ui.tokens import Tokens

MONO_FAMILIES = (
    "JetBrains Mono",
    "Cascadia Mono",
    "SF Mono",
    "Menlo",
    "Consolas",
    "DejaVu Sans Mono",
    "monospace",
)
BASE_PX = 14

_HEADINGS = {1: (1.5, 22, 8), 2: (1.28, 20, 6), 3: (1.12, 16, 4), 4: (1.0, 14, 4), 5: (1.0, 12, 4), 6: (0.93, 12, 4)}
"""Level: font size relative to the text, space above and below in pixels at 100 %."""

_LIGHT_CODE = {
    "keyword": "#7a3ec8",
    "name": "#0b57b0",
    "type": "#8f4a00",
    "string": "#116329",
    "comment": "#667080",
    "number": "#0b57b0",
    "operator": "#57606a",
    "bad": "#b3261e",
}
_DARK_CODE = {
    "keyword": "#c99cf5",
    "name": "#82aaff",
    "type": "#f3c97a",
    "string": "#a5d6a7",
    "comment": "#868e9c",
    "number": "#f0a36b",
    "operator": "#aab2bf",
    "bad": "#ff8a80",
}


class MarkdownStyle:
    """Immutable once made; a new theme or text size makes a new one."""

    def __init__(self, tokens: Tokens, families: Sequence[str], *, text_px: int = BASE_PX, muted: bool = False) -> None:
        self.tokens = tokens
        self.families = list(families)
        self.text_px = text_px
        self.muted = muted
        self.code_px = max(8, round(text_px * 0.9))
        self.indent_px = round(text_px * 1.85)
        self.code_pad_px = round(text_px * 0.85)
        self.code_header_px = round(text_px * 2.15)
        self.code_gap_px = round(text_px * 0.75)
        self.cell_pad_px = round(text_px * 0.5)
        self._scale = text_px / BASE_PX

    def scaled(self, pixels: float) -> int:
        return max(1, round(pixels * self._scale))

    @cached_property
    def font(self) -> QFont:
        font = QFont()
        font.setFamilies(self.families)
        font.setPixelSize(self.text_px)
        font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
        font.setFeature(QFont.Tag("calt"), 0)  # else fonts join the characters of <|im_start|> and ->, here and in code
        return font

    @cached_property
    def mono_font(self) -> QFont:
        font = QFont()
        font.setFamilies(list(MONO_FAMILIES))
        font.setStyleHint(QFont.StyleHint.Monospace)
        font.setPixelSize(self.code_px)
        font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
        return font

    @cached_property
    def tab_stop_px(self) -> float:
        return QFontMetricsF(self.mono_font).horizontalAdvance(" ") * 4

    @property
    def text_color(self) -> QColor:
        return QColor(self.tokens.muted if self.muted else self.tokens.text)

    # Characters

    @cached_property
    def text(self) -> QTextCharFormat:
        result = QTextCharFormat()
        result.setForeground(QBrush(self.text_color))
        return result

    @cached_property
    def quote_text(self) -> QTextCharFormat:
        result = QTextCharFormat()
        result.setForeground(QBrush(QColor(self.tokens.muted)))
        return result

    @cached_property
    def table_head(self) -> QTextCharFormat:
        result = QTextCharFormat(self.text)
        result.setFontWeight(QFont.Weight.DemiBold)
        return result

    def heading_text(self, level: int) -> QTextCharFormat:
        result = QTextCharFormat(self.text)
        result.setProperty(QTextFormat.Property.FontPixelSize, round(self.text_px * _HEADINGS[level][0]))
        result.setFontWeight(QFont.Weight.DemiBold)
        return result

    def inline_code(self, base: QTextCharFormat) -> QTextCharFormat:
        result = QTextCharFormat(base)
        result.setFontFamilies(list(MONO_FAMILIES))
        result.setFontFixedPitch(True)
        size = base.intProperty(QTextFormat.Property.FontPixelSize.value) or self.text_px
        result.setProperty(QTextFormat.Property.FontPixelSize, max(8, round(size * 0.9)))
        result.setProperty(properties.INLINE_CODE, True)
        return result

    def link(self, base: QTextCharFormat, url: str, tip: str = "") -> QTextCharFormat:
        result = QTextCharFormat(base)
        result.setAnchor(True)
        result.setAnchorHref(url)
        result.setForeground(QBrush(QColor(self.tokens.link)))
        if tip:
            result.setToolTip(tip)
        return result

    @cached_property
    def code_colors(self) -> dict[str, str]:
        return _DARK_CODE if self.tokens.dark else _LIGHT_CODE

    @cached_property
    def code_text(self) -> QTextCharFormat:
        result = QTextCharFormat()
        result.setFontFamilies(list(MONO_FAMILIES))
        result.setFontFixedPitch(True)
        result.setProperty(QTextFormat.Property.FontPixelSize, self.code_px)
        result.setForeground(QBrush(QColor(self.tokens.code_text)))
        return result

    @cached_property
    def code_kinds(self) -> dict[str, QTextCharFormat]:
        """Formats of highlighted code by the kinds `highlight` names."""
        result = {"": self.code_text}
        for kind, color in self.code_colors.items():
            result[kind] = QTextCharFormat(self.code_text)
            result[kind].setForeground(QBrush(QColor(color)))
        result["comment"].setFontItalic(True)
        return result

    # Blocks

    def block(self, top: float, bottom: float) -> QTextBlockFormat:
        result = QTextBlockFormat()
        result.setTopMargin(self.scaled(top) if top else 0)
        result.setBottomMargin(self.scaled(bottom) if bottom else 0)
        result.setLineHeight(self.scaled(5), QTextBlockFormat.LineHeightTypes.LineDistanceHeight.value)
        return result

    @cached_property
    def paragraph(self) -> QTextBlockFormat:
        return self.block(0, 10)

    @cached_property
    def item_paragraph(self) -> QTextBlockFormat:
        return self.block(0, 5)

    def heading(self, level: int) -> QTextBlockFormat:
        _, top, bottom = _HEADINGS[level]
        result = self.block(top, bottom)
        result.setHeadingLevel(level)
        return result

    @cached_property
    def display_math(self) -> QTextBlockFormat:
        result = self.block(6, 12)
        result.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        return result

    @cached_property
    def rule(self) -> QTextBlockFormat:
        result = self.block(6, 12)
        result.setLineHeight(self.scaled(13), QTextBlockFormat.LineHeightTypes.FixedHeight.value)
        result.setProperty(properties.RULE, True)
        return result

    @cached_property
    def thin(self) -> QTextBlockFormat:
        """QTextDocument keeps an empty block before and after each table; this one can hardly be seen."""
        result = QTextBlockFormat()
        result.setLineHeight(2, QTextBlockFormat.LineHeightTypes.FixedHeight.value)
        result.setProperty(properties.THIN, True)
        return result

    @cached_property
    def cell(self) -> QTextBlockFormat:
        result = QTextBlockFormat()
        result.setLineHeight(self.scaled(3), QTextBlockFormat.LineHeightTypes.LineDistanceHeight.value)
        result.setProperty(properties.CELL, True)
        return result

    def code_line(self, number: int, language: str) -> QTextBlockFormat:
        result = QTextBlockFormat()
        result.setLineHeight(self.scaled(1), QTextBlockFormat.LineHeightTypes.LineDistanceHeight.value)
        result.setLeftMargin(self.code_pad_px)
        result.setRightMargin(self.code_pad_px)
        result.setNonBreakableLines(True)
        result.setProperty(properties.CODE, number)
        result.setProperty(properties.LANGUAGE, language)
        return result

    def code_header(self, number: int, language: str) -> QTextBlockFormat:
        result = self.code_line(number, language)
        result.setLineHeight(self.code_header_px + self.scaled(9), QTextBlockFormat.LineHeightTypes.FixedHeight.value)
        result.setTopMargin(self.code_gap_px)
        result.setProperty(properties.CODE_HEADER, True)
        return result
