"""Distances and fonts of the transcript at one text size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from PySide6.QtGui import QFont, QFontMetricsF

from workbench.ui.markdown.style import BASE_PX, MarkdownStyle
from workbench.ui.tokens import Tokens

MIN_SCALE, MAX_SCALE = 80, 200


@dataclass(frozen=True, eq=False)
class Metrics:
    """All lengths in device-independent pixels. `scale` in percent."""

    tokens: Tokens
    families: tuple[str, ...]
    scale: int = 100

    def px(self, length: float) -> int:
        return max(1, round(length * self.scale / 100))

    @cached_property
    def body(self) -> MarkdownStyle:
        return MarkdownStyle(self.tokens, self.families, text_px=self.px(BASE_PX))

    @cached_property
    def reasoning(self) -> MarkdownStyle:
        return MarkdownStyle(self.tokens, self.families, text_px=self.px(BASE_PX - 1), muted=True)

    @cached_property
    def small_font(self) -> QFont:
        font = QFont(self.body.font)
        font.setPixelSize(self.px(BASE_PX - 2))
        return font

    @cached_property
    def title_font(self) -> QFont:
        font = QFont(self.body.font)
        font.setWeight(QFont.Weight.DemiBold)
        font.setPixelSize(self.px(BASE_PX - 1))
        return font

    @cached_property
    def small_metrics(self) -> QFontMetricsF:
        return QFontMetricsF(self.small_font)

    @cached_property
    def title_metrics(self) -> QFontMetricsF:
        return QFontMetricsF(self.title_font)

    @cached_property
    def body_metrics(self) -> QFontMetricsF:
        return QFontMetricsF(self.body.font)

    @property
    def top(self) -> int:
        """Space above the first row and below the last."""
        return self.px(16)

    @property
    def gap(self) -> int:
        return self.px(14)

    @property
    def bar(self) -> int:
        return self.px(28)

    @property
    def icon(self) -> int:
        return self.px(16)

    @property
    def line(self) -> float:
        """Height of a line of body text."""
        return self.body_metrics.height() + self.body.scaled(5)

    def column(self, viewport_width: int) -> tuple[float, float]:
        """(left, width) of the column of text: centred, not wider than reads well."""
        pad = self.px(20) if viewport_width > self.px(520) else self.px(14)
        width = max(60, min(viewport_width - 2 * pad, self.px(860)))
        return max(float(pad), (viewport_width - width) / 2), float(width)

    def is_wide(self, column_width: float) -> bool:
        """Wide columns set the user's messages apart on the right; narrow ones use all their width."""
        return column_width >= self.px(520)
