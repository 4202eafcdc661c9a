"""One HTML file that needs nothing else: no scripts, no fonts, no connection; images stand inside it.

Answers are untrusted text. Raw HTML in them is shown as text, images that they point to become links, and a content
security policy forbids the page to load anything.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from .common import Plain
from .markdown import ROLES, facts_of

LOSES = (
    "To read: log-probabilities, rendered prompts, load options and the bytes of attachments but images are left out."
)
INLINE_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")

STYLE = """
:root { color-scheme: light dark; --bg: #f7f8fa; --panel: #fff; --text: #1c2024; --muted: #5f6673; --line: #e3e5ea;
  --bubble: #eff2f8; --accent: #3b63e6; --bad: #b3261e; --code: #f6f7f9; }
@media (prefers-color-scheme: dark) { :root { --bg: #17191e; --panel: #1e2127; --text: #e4e7ec; --muted: #9aa1ae;
  --line: #2d313a; --bubble: #272c37; --accent: #7aa2ff; --bad: #ff8a80; --code: #15171c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 32px 24px 64px; max-width: 1400px; background: var(--bg); color: var(--text);
  font: 15px/1.55 Inter, "Segoe UI", system-ui, sans-serif; }
h1 { font-size: 22px; margin: 0 0 4px; } nav { margin: 0 0 32px; } a { color: var(--accent); }
.session { margin: 0 auto 56px; } .when, .facts, .role { color: var(--muted); font-size: 13px; }
.narrow { max-width: 820px; margin-left: auto; margin-right: auto; }
.message { margin: 16px 0; } .role { font-weight: 600; margin-bottom: 4px; }
.user .body, .system .body { background: var(--bubble); border-radius: 12px; padding: 10px 16px; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 16px; }
.columns > .message { background: var(--panel); border: 1px solid var(--line); border-radius: 12px; padding: 12px 16px;
  margin: 0; min-width: 0; }
.body { overflow-wrap: anywhere; } .body > :first-child { margin-top: 0; } .body > :last-child { margin-bottom: 0; }
pre { background: var(--code); border: 1px solid var(--line); border-radius: 8px; padding: 10px 12px;
  overflow-x: auto; }
code { font: 13px/1.5 "JetBrains Mono", Consolas, monospace; } table { border-collapse: collapse; }
th, td { border: 1px solid var(--line); padding: 4px 10px; } blockquote { border-left: 3px solid var(--line);
  margin-left: 0; padding-left: 14px; color: var(--muted); } img { max-width: 100%; border-radius: 8px; }
details { color: var(--muted); margin-bottom: 8px; } .error { color: var(--bad); } .won { color: var(--accent); }
@media print { body { background: #fff; } }
"""

HEAD = (
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
    'style-src \'unsafe-inline\'">\n<meta name="viewport" content="width=device-width">\n'
    '<meta name="referrer" content="no-referrer">\n<title>Model Workbench</title>\n'
    f"<style>{STYLE}</style>\n</head>\n<body>\n"
)


def write_html(sessions: Iterable[Plain]) -> Iterator[str]:
    markdown = _markdown()
    yield HEAD
    for archive in sessions:
        yield from _Session(archive, markdown).write()
    yield "</body>\n</html>\n"


def _markdown() -> MarkdownIt:
    """CommonMark with tables, without raw HTML; an image becomes a link to it."""
    markdown = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])
    markdown.add_render_rule("image", _image_as_link)
    return markdown


def _image_as_link(_self: RendererHTML, tokens: Any, index: int, _options: Any, _env: Any) -> str:
    token: Token = tokens[index]
    source, text = str(token.attrs.get("src", "")), token.content or "image"
    return f'<a href="{html.escape(source)}" rel="noreferrer noopener">{html.escape(text)}</a>'


class _Session:
    def __init__(self, archive: Plain, markdown: MarkdownIt) -> None:
        self._archive = archive
        self._markdown = markdown
        self._runs = {run["id"]: run for run in archive.get("runs", [])}
        self._won = {vote["winner_run_id"] for vote in archive.get("votes", []) if vote.get("winner_run_id")}
        self._ratings = {rating["run_id"]: rating["rating"] for rating in archive.get("ratings", [])}
        self._children: dict[Any, list[Plain]] = {}
        for message in archive.get("messages", []):
            self._children.setdefault(message.get("parent_id"), []).append(message)

    def write(self) -> Iterator[str]:
        session = self._archive.get("session", {})
        title = html.escape(session.get("title") or "Untitled")
        when = html.escape(str(session.get("created_at", ""))[:16].replace("T", " "))
        yield f'<section class="session">\n<div class="narrow"><h1>{title}</h1><div class="when">{when} UTC</div>'
        system = next((run["system_prompt"] for run in self._runs.values() if run.get("system_prompt")), "")
        if system:
            body = f'<div class="body">{_plain(system)}</div>'
            yield f'<div class="message system"><div class="role">System</div>{body}</div>'
        yield "</div>\n"
        yield from self._below()
        yield "</section>\n"

    def _below(self) -> Iterator[str]:
        """Depth first without recursion: chats are longer than Python's stack is deep."""
        waiting: list[Plain | list[Plain]] = [self._children.get(None, [])]
        while waiting:
            item = waiting.pop()
            if isinstance(item, list):
                if len(item) > 1 and all(message["role"] == "assistant" for message in item):
                    yield f'<div class="columns">{"".join(map(self._message, item))}</div>\n'
                    waiting += [self._children.get(message["id"], []) for message in reversed(item)]
                else:
                    waiting += reversed(item)
                continue
            yield f'<div class="narrow">{self._message(item)}</div>\n'
            waiting.append(self._children.get(item["id"], []))

    def _message(self, message: Plain) -> str:
        run = self._runs.get(message.get("run_id"))
        role = ROLES.get(message["role"], message["role"])
        name = html.escape(f"{role} · {run.get('model_name') or run['model']}" if run else str(role))
        mark = ' <span class="won">voted best</span>' if run and run["id"] in self._won else ""
        body = "".join(map(self._part, message.get("parts", [])))
        footer = ""
        if run:
            facts = html.escape(" · ".join(facts_of(run)))
            rating = self._ratings.get(run["id"])
            facts += f" · rated {rating}" if rating is not None else ""
            footer = f'<div class="facts">{facts}</div>'
            if run.get("error"):
                footer += f'<div class="error">{html.escape(run["error"]["message"])}</div>'
        return (
            f'<div class="message {html.escape(message["role"])}"><div class="role">{name}{mark}</div>'
            f'<div class="body">{body}</div>{footer}</div>'
        )

    def _part(self, part: Plain) -> str:
        kind = part.get("type")
        if kind == "text":
            return str(self._markdown.render(part["text"]))
        if kind == "reasoning":
            return f"<details><summary>Reasoning</summary>{_plain(part['text'])}</details>"
        if kind == "tool_call":
            call = html.escape(part["arguments"])
            return f"<p>Calls the tool <code>{html.escape(part['name'])}</code></p><pre><code>{call}</code></pre>"
        if kind == "tool_result":
            return f"<pre><code>{html.escape(part['content'])}</code></pre>"
        attachment = part.get("attachment", {})
        name, media_type = html.escape(attachment.get("name") or kind or ""), attachment.get("media_type", "")
        if kind == "image" and media_type in INLINE_IMAGES and attachment.get("data"):
            return f'<p><img alt="{name}" src="data:{media_type};base64,{html.escape(attachment["data"])}"></p>'
        text = f"<pre><code>{html.escape(part['text'])}</code></pre>" if part.get("text") else ""
        return f"<p>Attachment: {name} ({html.escape(media_type)})</p>{text}"


def _plain(text: str) -> str:
    return f"<p>{html.escape(text).replace(chr(10), '<br>')}</p>"
