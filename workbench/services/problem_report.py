"""A report of a problem, for the user to read, to shorten and to send if they like. Nothing is sent here. No Qt."""

from __future__ import annotations

import contextlib
import json
import platform
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from workbench import __version__
from workbench.core.errors import StoreError
from workbench.core.messages import Message
from workbench.core.paths import Paths
from workbench.core.settings import Settings
from workbench.services.backup import without_secrets
from workbench.services.doctor import Report
from workbench.services.doctor_text import report_text
from workbench.services.private_text import TextFilter, known_texts, without_identity
from workbench.store import Store

LOG_LINES = 120
ENGINE_LINES = 60
MAX_LINE_CHARS = 300
TAIL_BYTES = 200_000
_OURS = re.compile(r"^\d{4}-\d\d-\d\d [\d:,]+ [A-Z]+ workbench[\w.]*: ")
_ANY_LINE = re.compile(r"^\d{4}-\d\d-\d\d [\d:,]+ [A-Z]+ ")
_TRACE = re.compile(r'^\s+File "|^\s{4,}\S|^Traceback|^\s*\^+\s*$')


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a report, as it would be saved."""

    id: str
    text: str


def collect(paths: Paths, report: Report | None, settings: Settings) -> dict[str, Section]:
    """Every part that needs no consent beyond the report itself: `doctor`, `crash`, `log`, `engine`, `settings`.

    None of them holds a key or a passage of a stored chat; the home folder reads `~`. Reads the database: not for the
    UI thread.
    """
    texts = TextFilter(known_texts(paths))
    raw = {
        "doctor": report_text(report) if report is not None else "",
        "crash": _last_crash(paths),
        "log": _log(paths),
        "engine": _engine_log(paths),
        "settings": _settings(settings),
    }
    cleaned = {name: text if name in ("doctor", "settings") else texts.clean(text) for name, text in raw.items()}
    return {name: Section(id=name, text=without_identity(text).strip()) for name, text in cleaned.items() if text}


def chat_section(store: Store, session_id: str) -> Section | None:
    """The whole text of one chat, only for a user who ticked it. Raises StoreError."""
    messages = store.messages(session_id)
    if not messages:
        return None
    text = "\n\n".join(f"[{stored.message.role}]\n{_text(stored.message)}" for stored in messages)
    return Section(id="chat", text=without_identity(text))


def compose(titles: dict[str, str], sections: Iterable[Section], description: str = "") -> str:
    """The report as it is saved. `titles` are the sections' headings by id."""
    parts = [
        f"Model Workbench {__version__}: problem report",
        f"{platform.platform()}, Python {platform.python_version()}",
    ]
    if description.strip():
        parts.append(f"## What happened\n\n{without_identity(description.strip())}")
    parts += [f"## {titles.get(section.id, section.id)}\n\n{section.text}" for section in sections]
    return "\n\n".join(parts) + "\n"


def write_report(path: Path, text: str) -> None:
    """Raises StoreError where it can't be written. Goes through the redaction once more: the user may have typed."""
    try:
        path.write_text(without_identity(text), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"The report could not be written to {path}: {error.strerror}.") from error


def _text(message: Message) -> str:
    return "\n".join(str(getattr(part, "text", "")) for part in message.parts if getattr(part, "text", ""))


def _last_crash(paths: Paths) -> str:
    with contextlib.suppress(OSError):
        reports = sorted(paths.crash_reports.glob("crash-*.txt"))
        if reports:
            return reports[-1].read_text(encoding="utf-8", errors="replace")
    return ""


def _log(paths: Paths) -> str:
    """The last lines of our own log: other packages' lines may say anything, a traceback's are code."""
    kept: list[str] = []
    ours = False
    for line in _tail(paths.logs / "workbench.log"):
        if _ANY_LINE.match(line):
            ours = _OURS.match(line) is not None
            if ours:
                kept.append(line[:MAX_LINE_CHARS])
        elif ours and (_TRACE.match(line) or re.match(r"^[\w.]+(Error|Exception|Warning|Exit|Interrupt)\b", line)):
            kept.append(line[:MAX_LINE_CHARS])
    return "\n".join(kept[-LOG_LINES:])


def _engine_log(paths: Paths) -> str:
    """The newest log of llama.cpp, without the model's own metadata (a chat template is long and tells nothing)."""
    with contextlib.suppress(OSError):
        logs = sorted(paths.logs.glob("engine-*.log"), key=lambda path: path.stat().st_mtime)
        if logs:
            lines = [line[:MAX_LINE_CHARS] for line in _tail(logs[-1]) if " - kv " not in line]
            return "\n".join([logs[-1].name, *lines[-ENGINE_LINES:]])
    return ""


def _tail(path: Path) -> list[str]:
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        return file.read().decode(errors="replace").splitlines()
    return []


def _settings(settings: Settings) -> str:
    """That there are addresses, folders and keys of the user's own may help; which they are is their business."""
    values, _left_out = without_secrets(msgspec.to_builtins(settings))
    for name, provider in values["providers"].items():
        values["providers"][name] = {"kind": provider["kind"], "own address": bool(provider["base_url"])}
    values["folders"] = {
        name: len(value) if isinstance(value, list | tuple) else bool(value)
        for name, value in values["folders"].items()
    }
    values["backups"]["folder"] = bool(values["backups"]["folder"])
    values["network"]["proxy"] = bool(values["network"]["proxy"])
    values["network"]["ca_file"] = bool(values["network"]["ca_file"])
    values["plugins"].pop("options", None)
    return json.dumps(_set_values(values), indent=1, ensure_ascii=False)


def _set_values(value: object) -> object:
    """Only what is set: most settings are as they were at first."""
    if isinstance(value, dict):
        inner = {key: _set_values(entry) for key, entry in value.items()}
        return {key: entry for key, entry in inner.items() if entry not in (None, "", False, [], (), {})}
    return value
