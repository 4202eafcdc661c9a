"""Contrast of every text on everything it stands on, computed from the palettes as WCAG 2 does it."""

from __future__ import annotations

import re

import pytest
from PySide6.QtGui import QColor, QPalette

from workbench.ui.markdown import style as markdown_style
from workbench.ui.style import STYLE
from workbench.ui.theme import palette_of
from workbench.ui.tokens import DARK, LIGHT, Tokens

TEXT = 4.5
"""Least contrast of text (WCAG 1.4.3)."""
EDGE = 3.0
"""Least contrast of what shows the focus (WCAG 1.4.11)."""
THEMES = pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
SURFACES = ("bg", "panel", "side", "hover", "selected", "bubble", "chip", "code_bg")
ON_ALL = ("text", "muted")
"""Also what is disabled but tells something is in the colour `muted`."""
PAIRS = (
    *[(text, on) for text in ON_ALL for on in SURFACES],
    *[("link", on) for on in ("bg", "panel", "bubble", "selected", "side")],
    *[(text, on) for text in ("good", "warn", "bad") for on in ("bg", "panel", "side", f"{text}_bg")],
    *[("text", on) for on in ("good_bg", "warn_bg", "bad_bg")],
    ("on_accent", "accent"),
    ("code_text", "code_bg"),
    ("panel", "text"),
)


def luminance(color: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    channels = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_the_measure_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@THEMES
@pytest.mark.parametrize(("text", "on"), PAIRS)
def test_text_has_contrast(tokens: Tokens, text: str, on: str) -> None:
    assert contrast(getattr(tokens, text), getattr(tokens, on)) >= TEXT


@THEMES
@pytest.mark.parametrize("on", ["bg", "panel", "side", "chip"])
def test_the_focus_has_contrast(tokens: Tokens, on: str) -> None:
    assert contrast(tokens.accent, getattr(tokens, on)) >= EDGE


@THEMES
def test_code_has_contrast(tokens: Tokens) -> None:
    colors = markdown_style._DARK_CODE if tokens.dark else markdown_style._LIGHT_CODE
    low = {name: color for name, color in colors.items() if contrast(color, tokens.code_bg) < TEXT}
    assert low == {}


@THEMES
def test_every_rule_of_the_style_sheet_has_contrast(tokens: Tokens) -> None:
    """Rules that name both a text's colour and what is behind it."""
    low = []
    for selector, body in re.findall(r"([^{}]+)\{([^{}]*)\}", re.sub(r"/\*.*?\*/", "", STYLE, flags=re.DOTALL)):
        color = re.search(r"(?<![-\w])color: \$(\w+)", body)
        background = re.search(r"background: \$(\w+)", body)
        if color and background:
            names = [tokens_name(color[1]), tokens_name(background[1], tokens)]
            if contrast(*(getattr(tokens, name) for name in names)) < TEXT:
                low.append((selector.strip(), *names))
    assert low == []


def tokens_name(name: str, tokens: Tokens | None = None) -> str:
    """`$button` is one token or another."""
    return ("chip" if tokens.dark else "panel") if tokens is not None and name == "button" else name


@THEMES
@pytest.mark.parametrize(
    "group", [QPalette.ColorGroup.Active, QPalette.ColorGroup.Inactive, QPalette.ColorGroup.Disabled]
)
def test_the_palette_has_contrast(tokens: Tokens, group: QPalette.ColorGroup) -> None:
    palette, role = palette_of(tokens), QPalette.ColorRole
    pairs = (
        (role.WindowText, role.Window),
        (role.Text, role.Base),
        (role.Text, role.AlternateBase),
        (role.ButtonText, role.Button),
        (role.ToolTipText, role.ToolTipBase),
        (role.PlaceholderText, role.Base),
        (role.Link, role.Window),
    )
    for text, on in pairs:
        names = [QColor(palette.color(group, each)).name() for each in (text, on)]
        assert contrast(*names) >= TEXT, (text, on)
