"""The palette: every colour the window uses, light and dark. Contrast is tested (at least 4.5:1 for text)."""

from __future__ import annotations

from typing import NamedTuple


class Tokens(NamedTuple):
    """Colours as #rrggbb. `on_x` is text upon `x`."""

    dark: bool
    bg: str
    panel: str
    side: str
    text: str
    muted: str
    border: str
    hover: str
    selected: str
    accent: str
    on_accent: str
    link: str
    bubble: str
    chip: str
    good: str
    good_bg: str
    warn: str
    warn_bg: str
    bad: str
    bad_bg: str
    code_bg: str
    code_text: str


LIGHT = Tokens(
    dark=False,
    bg="#f7f8fa",
    panel="#ffffff",
    side="#f1f2f5",
    text="#1c2024",
    muted="#5f6673",
    border="#e3e5ea",
    hover="#e8eaef",
    selected="#e2e7f3",
    accent="#3b63e6",
    on_accent="#ffffff",
    link="#2c5cdd",
    bubble="#eff2f8",
    chip="#eef0f4",
    good="#0f6b48",
    good_bg="#e3f4ec",
    warn="#8a5300",
    warn_bg="#fdf2dc",
    bad="#b3261e",
    bad_bg="#fdeceb",
    code_bg="#f6f7f9",
    code_text="#24292f",
)

DARK = Tokens(
    dark=True,
    bg="#17191e",
    panel="#1e2127",
    side="#14161a",
    text="#e4e7ec",
    muted="#9aa1ae",
    border="#2d313a",
    hover="#262a32",
    selected="#2a3040",
    accent="#486ce6",
    on_accent="#ffffff",
    link="#7aa2ff",
    bubble="#272c37",
    chip="#282c34",
    good="#5fd0a0",
    good_bg="#1d3a30",
    warn="#f0b95b",
    warn_bg="#3a2f1b",
    bad="#ff8a80",
    bad_bg="#3d2322",
    code_bg="#15171c",
    code_text="#d5d9e0",
)
