"""The help pages: files of Markdown, in the order of their names, with a few words that are filled in when shown.

    [Compare](compare)            a link to a page; `compare#blind` goes to a heading
    [Open Settings](action:ID)    a link that runs an action of the window
    {action:ID}                   the same, under the action's own name
    {keys:ID}                     the keys the action has now, as the user set them
    ![What it shows](chat)        the picture chat-light.png or chat-dark.png, with its description below
    {keyboard}                    the table of all actions and their keys

Translations lie in a folder of the language's code (`de/2-chat.md`); a page that has none is shown in English.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Protocol

from markdown_it import MarkdownIt
from markdown_it.token import Token

from workbench.core.paths import bundled

ACTION = "action:"
IMAGE = "image:"
FIRST = "start"
PAGE_OF_PLACE = {
    "chat": "chat",
    "compare": "compare",
    "models": "models",
    "evaluate": "evaluate",
    "history": "history",
    "settings": "settings",
    "settings.models": "models",
    "settings.providers": "privacy",
    "settings.network": "privacy",
    "settings.keyboard": "keyboard",
    "settings.privacy": "privacy",
    "settings.backup": "backup",
    "settings.about": "problems",
}
"""What F1 shows in each place, or part of one."""
_WORD = re.compile(r"\{(keys|action):([a-z0-9_.]+)\}")
_IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)]+)\)")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_MARKUP = re.compile(r"!?\[([^\]]*)\]\([^)]*\)|(?P<blank>[#|>]+|^- |\{keyboard\})|[*`]+", re.MULTILINE)
SNIPPET_CHARS = 110


class Actions(Protocol):
    """What a page needs to know of the window's actions."""

    def title(self, action_id: str) -> str:
        """Empty if there is no such action."""

    def keys(self, action_id: str) -> str:
        """As the platform writes them; empty without any."""

    def keyboard_table(self) -> str:
        """Markdown."""


@dataclass(frozen=True, slots=True)
class HelpPage:
    id: str
    title: str
    text: str
    """As in its file."""


@dataclass(frozen=True, slots=True)
class Hit:
    page: HelpPage
    snippet: str
    """Where in the page it is found, as plain text."""


def help_folder() -> Path:
    return bundled("resources") / "help"


@lru_cache(maxsize=4)
def pages(language: str = "en") -> tuple[HelpPage, ...]:
    """Every page, in order."""
    found = []
    for path in sorted(help_folder().glob("*.md"), key=_number):
        translated = path.parent / language / path.name
        text = (translated if translated.exists() else path).read_text(encoding="utf-8")
        title, _, rest = text.partition("\n")
        found.append(HelpPage(path.stem.partition("-")[2], title.lstrip("# ").strip(), rest.strip()))
    return tuple(found)


def _number(path: Path) -> tuple[int, str]:
    number = path.stem.partition("-")[0]
    return (int(number) if number.isdigit() else 999, path.name)


def picture(name: str, *, dark: bool) -> Path:
    return help_folder() / "images" / f"{name}-{'dark' if dark else 'light'}.png"


def links(page: HelpPage) -> list[str]:
    return _LINK.findall(page.text)


def pictures(page: HelpPage) -> list[str]:
    return [name for _description, name in _IMAGE.findall(page.text)]


def mentioned(page: HelpPage) -> list[str]:
    """Ids of the actions it names or links to."""
    ids = [action_id for _kind, action_id in _WORD.findall(page.text)]
    return ids + [link.removeprefix(ACTION) for link in links(page) if link.startswith(ACTION)]


# --- showing ----------------------------------------------------------------------------------------------------------
def filled(page: HelpPage, actions: Actions, no_keys: str) -> str:
    """The page's Markdown with actions and keys as they are now; `no_keys` stands where an action has none."""

    def word(match: re.Match[str]) -> str:
        kind, action_id = match.groups()
        if kind == "keys":
            return f"`{actions.keys(action_id) or no_keys}`"
        return f"[{actions.title(action_id) or action_id}]({ACTION}{action_id})"

    text = _WORD.sub(word, page.text)
    return text.replace("{keyboard}", actions.keyboard_table()) if "{keyboard}" in text else text


def html(page: HelpPage, text: str, image: Callable[[str], str]) -> str:
    """HTML of a filled page; `image` makes the tag for a picture's name, or nothing where it is missing."""
    md = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    tokens = md.parse(text)

    def render_image(_renderer: object, tokens: list[Token], index: int, _options: object, _env: object) -> str:
        token = tokens[index]
        tag = image(str(token.attrGet("src") or ""))
        return f'{tag}<br><span class="caption">{escape(token.content)}</span>' if tag else ""

    md.add_render_rule("image", render_image)
    body = md.renderer.render(tokens, md.options, {})
    body = body.replace("<table>", '<table cellspacing="0" cellpadding="6" width="100%">')
    body = re.sub(r"<code>(.*?)</code>", r'<span class="code">\1</span>', body)
    return f"<h1>{escape(page.title)}</h1>\n{body}"


def anchor(heading: str) -> str:
    """`Blind mode` -> blind-mode"""
    return "-".join(re.findall(r"\w+", heading.lower()))


# --- searching --------------------------------------------------------------------------------------------------------
def plain(text: str) -> str:
    """Markdown without its marks, on one line."""
    return " ".join(_MARKUP.sub(lambda match: match[1] or (" " if match["blank"] else ""), text).split())


def search(query: str, listed: tuple[HelpPage, ...], fill: Callable[[HelpPage], str]) -> list[Hit]:
    """Pages that have all the words, those that have them in their title first, then the oftener the better."""
    words = query.lower().split()
    found: list[tuple[int, int, Hit]] = []
    for page in listed:
        text = plain(fill(page))
        lower, title = text.lower(), page.title.lower()
        if not all(word in lower or word in title for word in words):
            continue
        in_title = sum(word in title for word in words)
        count = sum(lower.count(word) for word in words)
        found.append((-in_title, -count, Hit(page, _snippet(text, words))))
    return [hit for _title, _count, hit in sorted(found, key=lambda entry: entry[:2])]


def _snippet(text: str, words: list[str]) -> str:
    places = [place for word in words if (place := text.lower().find(word)) >= 0]
    if not places:
        return text[:SNIPPET_CHARS]
    begin = max(0, min(places) - SNIPPET_CHARS // 3)
    begin = text.find(" ", begin) + 1 if begin else 0
    end = begin + SNIPPET_CHARS
    return ("… " if begin else "") + text[begin:end] + (" …" if end < len(text) else "")
