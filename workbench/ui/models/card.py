"""A model card made readable offline: HTML becomes markdown or goes, images become their descriptions."""

from __future__ import annotations

import html
import re

LONGEST_CARD = 60_000
"""Characters; patterns below are bounded too, for cards are written by strangers."""
_FENCE = re.compile(r"^(```|~~~)[^\n]*\n(?:(?!\1)[^\n]*\n)*\1[^\n]*$", re.MULTILINE)
_COMMENT = re.compile(r"<!--.{0,4000}?-->", re.DOTALL)
_DROPPED = re.compile(r"<(style|script|svg|iframe|video|audio)\b.{0,4000}?</\1\s*>", re.DOTALL | re.IGNORECASE)
_LINK = re.compile(
    r"<a\b[^>]{0,400}?href=[\"']([^\"']{0,400})[\"'][^>]{0,400}>(.{0,1000}?)</a\s*>", re.DOTALL | re.IGNORECASE
)
_IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
_MARKDOWN_IMAGE = re.compile(r"!\[([^\]]*)\]\([^)]*\)")
_ALT = re.compile(r"alt=[\"']([^\"']*)[\"']", re.IGNORECASE)
_HEADING = re.compile(r"<h([1-6])\b[^>]{0,200}>(.{0,1000}?)</h\1\s*>", re.DOTALL | re.IGNORECASE)
_ITEM = re.compile(r"<li\b[^>]*>", re.IGNORECASE)
_BOLD = re.compile(r"</?(?:b|strong)\b[^>]*>", re.IGNORECASE)
_CODE = re.compile(r"</?(?:code|kbd|tt)\b[^>]*>", re.IGNORECASE)
_BREAK = re.compile(r"<br\s*/?>|</(?:p|div|tr|table|ul|ol|details|summary|center|section)\s*>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][a-zA-Z0-9-]*(?:\s[^<>]*)?/?>")
_EMPTY_LINK = re.compile(r"\[\s*\]\([^)]*\)")
_BLANK = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")


def readable(card: str) -> str:
    """Markdown without HTML and images, whatever was in the card. Code blocks stay as they are."""
    card = card[:LONGEST_CARD]
    parts: list[str] = []
    position = 0
    for fence in _FENCE.finditer(card):
        parts += [_plain(card[position : fence.start()]), fence.group()]
        position = fence.end()
    parts.append(_plain(card[position:]))
    return _BLANK.sub("\n\n", "".join(parts)).strip()


def _plain(text: str) -> str:
    text = _DROPPED.sub("", _COMMENT.sub("", text))
    text = _IMAGE.sub(lambda image: _description(image.group()), text)
    text = _MARKDOWN_IMAGE.sub(lambda image: _picture(image[1]), text)
    text = _HEADING.sub(lambda found: f"\n\n{'#' * int(found[1])} {_one_line(found[2])}\n\n", text)
    text = _LINK.sub(lambda link: f"[{_one_line(link[2])}]({link[1]})" if _one_line(link[2]) else "", text)
    text = _CODE.sub("`", _BOLD.sub("**", _ITEM.sub("\n- ", text)))
    text = _TAG.sub("", _BREAK.sub("\n", text))
    text = _EMPTY_LINK.sub("", text)
    return html.unescape(text)


def _description(image: str) -> str:
    alt = _ALT.search(image)
    return _picture(alt[1] if alt else "")


def _picture(description: str) -> str:
    """What stands for an image: its description, marked as such."""
    words = " ".join(description.split())
    return f"*Image: {words}*" if words else ""


def _one_line(text: str) -> str:
    return " ".join(_TAG.sub("", text).split())
