"""Sizes, counts, times and verdicts as the user reads them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from workbench.services.fit import SLOW_TOKENS_PER_S, Fit, Verdict
from workbench.ui.formats import decimal, number, size_text
from workbench.ui.tr import mark, tr, trn

MINUTE, HOUR, DAY = 60, 3600, 86400


def tokens_text(tokens: int | None) -> str:
    """8k, 128k; empty where unknown."""
    if not tokens:
        return ""
    return f"{round(tokens / 1024)}k" if tokens >= 1024 else str(tokens)


def age_text(moment: str, now: datetime | None = None) -> str:
    """How long ago an ISO 8601 moment was; empty for none."""
    if not moment:
        return ""
    try:
        then = datetime.fromisoformat(moment)
    except ValueError:
        return ""
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    seconds = ((now or datetime.now(UTC)) - then).total_seconds()
    if seconds < 2 * MINUTE:
        return tr("just now")
    if seconds < HOUR:
        return trn("{count} minute ago", "{count} minutes ago", int(seconds // MINUTE))
    if seconds < 2 * HOUR:
        return tr("an hour ago")
    if seconds < DAY:
        return trn("{count} hour ago", "{count} hours ago", int(seconds // HOUR))
    days = int(seconds // DAY)
    if days == 1:
        return tr("yesterday")
    if days < 60:
        return trn("{count} day ago", "{count} days ago", days)
    if days < 730:
        return trn("{count} month ago", "{count} months ago", days // 30)
    return trn("{count} year ago", "{count} years ago", days // 365)


def speed_text(tokens_per_s: float) -> str:
    if tokens_per_s <= 0:
        return ""
    shown = number(tokens_per_s) if tokens_per_s >= 10 else decimal(tokens_per_s)
    return tr("about {speed} tokens/s", speed=shown)


def verdict_text(verdict: Verdict) -> str:
    texts: dict[Verdict, str] = {
        "vram": tr("Fits in VRAM"),
        "ram": tr("Fits in RAM"),
        "partly": tr("Partly on the GPU"),
        "no": tr("Doesn't fit now"),
    }
    return texts[verdict]


def fit_text(fit: Fit) -> str:
    """The verdict, and whether one would have to be patient."""
    text = verdict_text(fit.verdict)
    return tr("{verdict}, but slow", verdict=text) if is_slow(fit) and fit.verdict != "partly" else text


def fit_badge(fit: Fit) -> str:
    """The style of a verdict's badge."""
    if is_slow(fit):
        return "badgeWarn"
    return {"vram": "badgeGood", "ram": "badgeGood", "partly": "badgeWarn", "no": "badgeBad"}[fit.verdict]


def memory_text(fit: Fit) -> str:
    """What it takes, and of what."""
    if fit.vram_bytes and fit.ram_bytes:
        return tr("{vram} VRAM + {ram} RAM", vram=size_text(fit.vram_bytes), ram=size_text(fit.needed_bytes))
    return tr("{size} RAM", size=size_text(fit.needed_bytes))


def repo_title(repo_id: str) -> str:
    """The repository's name as a model's: without its owner and without GGUF."""
    name = repo_id.rpartition("/")[2]
    for ending in ("-GGUF", "-gguf", "_GGUF", ".GGUF"):
        name = name.removesuffix(ending)
    return name


def owner_of(repo_id: str) -> str:
    return repo_id.rpartition("/")[0]


def is_slow(fit: Fit) -> bool:
    return fit.verdict != "no" and fit.tokens_per_s < SLOW_TOKENS_PER_S


def source_text(source: str) -> str:
    """Whose folder a model stands in: a program's name, or words."""
    return tr(SOURCES[source]) if source in SOURCES else source


def abilities_text(capabilities: Iterable[str]) -> str:
    """What a model can do, in words; an ability that has none here stands as it is."""
    return ", ".join(sorted(tr(ABILITIES[name]) if name in ABILITIES else name for name in capabilities))


def task_text(task: str) -> str:
    """The Hub's pipeline tag in words; one that has none here stands as it is."""
    return tr(dict(TASKS).get(task, task)) if task else ""


def tag_text(tag: str) -> str:
    """What a model of the bundled list is good for."""
    return tr(TAGS.get(tag, tag))


TAGS = {
    "chat": mark("chat"),
    "small": mark("small"),
    "multilingual": mark("multilingual"),
    "code": mark("code"),
    "reasoning": mark("reasoning"),
    "images": mark("images"),
    "embeddings": mark("embeddings"),
}
SOURCES = {
    "Bundled": mark("Bundled"),
    "own folder": mark("Own folder"),
    "Hugging Face cache": mark("Hugging Face cache"),
}
ABILITIES = {
    "reasoning": mark("reasoning"),
    "images": mark("images"),
    "audio": mark("audio"),
    "files": mark("files"),
    "tools": mark("tools"),
    "json_schema": mark("JSON schemas"),
    "grammar": mark("grammars"),
    "logprobs": mark("log-probabilities"),
    "seed": mark("repeatable answers (seed)"),
    "embeddings": mark("embeddings"),
}
TASKS: tuple[tuple[str, str], ...] = (
    ("", mark("Any task")),
    ("text-generation", mark("Chat and text")),
    ("image-text-to-text", mark("Images and text")),
    ("feature-extraction", mark("Embeddings")),
    ("automatic-speech-recognition", mark("Speech to text")),
    ("translation", mark("Translation")),
)
LICENSES: tuple[tuple[str, str], ...] = (
    ("", mark("Any licence")),
    ("apache-2.0", mark("Apache 2.0")),
    ("mit", mark("MIT")),
    ("gemma", mark("Gemma")),
    ("llama3.1", mark("Llama 3.1")),
    ("llama3.2", mark("Llama 3.2")),
    ("llama3.3", mark("Llama 3.3")),
    ("cc-by-4.0", mark("CC BY 4.0")),
    ("cc-by-nc-4.0", mark("CC BY-NC 4.0")),
    ("other", mark("Other")),
)
SIZES: tuple[tuple[int | None, int | None, str], ...] = (
    (None, None, mark("Any size")),
    (None, 2_000_000_000, mark("Up to 2B")),
    (2_000_000_000, 5_000_000_000, mark("2B to 5B")),
    (5_000_000_000, 10_000_000_000, mark("5B to 10B")),
    (10_000_000_000, 35_000_000_000, mark("10B to 35B")),
    (35_000_000_000, None, mark("Over 35B")),
)
"""Parameters from, to, and the title."""
SORTS: tuple[tuple[str, str], ...] = (
    ("trending", mark("Trending")),
    ("downloads", mark("Most downloads")),
    ("likes", mark("Most likes")),
    ("updated", mark("Updated last")),
    ("created", mark("Newest")),
)
