"""The table's columns: title, what to sort by, how a run is written in them."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.ui.formats import date_and_time, decimal, elapsed_text, money, number, when
from workbench.ui.tr import mark, tr, trn

if TYPE_CHECKING:
    from workbench.store.values import RunRow

STATUS_TEXTS = {
    "running": mark("Running"),
    "done": mark("Done"),
    "cancelled": mark("Stopped"),
    "failed": mark("Failed"),
    "interrupted": mark("Interrupted"),
}
VOTE_TEXTS = {"won": mark("Won"), "lost": mark("Lost"), "tie": mark("Tie"), "both_bad": mark("Both bad")}


@dataclass(frozen=True, slots=True)
class Column:
    id: str
    title: str
    sort: str
    width: int
    text: Callable[[RunRow], str]
    numeric: bool = False
    shown: bool = True
    """Until the user chooses."""
    icon: Callable[[RunRow], str] | None = None
    tip: Callable[[RunRow], str] | None = None
    """What the tool tip and the screen reader say, where the cell is terser."""
    longest: Callable[[], str] | None = None
    """A text as long as they come, where it should not be cut and its length depends on the language."""
    telling: bool = False
    """Tells, or lets guess, who wrote the answer: empty while a blind comparison is not voted on."""

    def shown_text(self, row: RunRow) -> str:
        return "" if row.hidden and self.telling else self.text(row)

    def told(self, row: RunRow) -> str:
        return "" if row.hidden and self.telling else (self.tip or self.text)(row)


def judgement(row: RunRow) -> str:
    if row.rating is not None:
        rated = tr("Good") if row.rating == 1 else tr("Bad") if row.rating == -1 else str(row.rating)
        return f"{rated}, {tr(VOTE_TEXTS[row.vote])}" if row.vote in VOTE_TEXTS else rated
    return tr(VOTE_TEXTS[row.vote]) if row.vote in VOTE_TEXTS else ""


def model(row: RunRow) -> str:
    """Who answered, where that is not a secret."""
    return tr("Hidden") if row.hidden else row.model_name or row.model


def model_told(row: RunRow) -> str:
    return tr("Hidden until the vote") if row.hidden else model(row)


def where(row: RunRow) -> str:
    """Whether the prompt left the machine, and to whom."""
    return tr("Sent to {provider}", provider=row.provider or "?") if row.remote else tr("Stayed here")


def where_short(row: RunRow) -> str:
    return (row.provider or "?") if row.remote else tr("Here")


def cost(row: RunRow) -> str:
    """Nothing for what was answered here; of a service's answer an unknown price is said."""
    if row.cost_usd is None and row.remote and row.completion_tokens:
        return tr("unknown")
    return money(row.cost_usd)


def _count(value: int | None) -> str:
    return "" if value is None else number(value)


def _speed(value: float | None) -> str:
    return "" if value is None else decimal(value)


COLUMNS: tuple[Column, ...] = (
    Column(
        "time",
        mark("Time"),
        "started_at",
        110,
        lambda row: when(row.started_at),
        tip=lambda row: date_and_time(row.started_at),
        longest=lambda: when("2026-09-28T12:58:00+00:00", now=datetime.datetime(2026, 1, 1).astimezone()),
    ),
    Column("model", mark("Model"), "model", 134, model, tip=model_told),
    Column("title", mark("Conversation"), "session_title", 220, lambda row: row.session_title or tr("Untitled")),
    Column("answer", mark("Answer"), "", 240, lambda row: " ".join(row.preview.split()), shown=False, telling=True),
    Column(
        "prompt_tokens",
        mark("Tokens in"),
        "prompt_tokens",
        84,
        lambda row: _count(row.prompt_tokens),
        numeric=True,
        shown=False,
        telling=True,
    ),
    Column(
        "tokens",
        mark("Tokens"),
        "completion_tokens",
        62,
        lambda row: _count(row.completion_tokens),
        numeric=True,
        telling=True,
    ),
    Column(
        "speed",
        mark("Tokens/s"),
        "decode_tokens_per_s",
        84,
        lambda row: _speed(row.decode_tokens_per_s),
        numeric=True,
        shown=False,
        telling=True,
    ),
    Column(
        "first",
        mark("First token"),
        "time_to_first_token_s",
        92,
        lambda row: elapsed_text(row.time_to_first_token_s),
        numeric=True,
        shown=False,
        telling=True,
    ),
    Column(
        "duration",
        mark("Duration"),
        "duration_s",
        74,
        lambda row: elapsed_text(row.duration_s),
        numeric=True,
        shown=False,
        telling=True,
    ),
    Column("cost", mark("Cost"), "cost_usd", 80, cost, numeric=True, telling=True),
    Column("judged", mark("Judged"), "judgement", 64, judgement),
    Column(
        "where",
        mark("Where"),
        "remote",
        112,
        where_short,
        icon=lambda row: "cloud" if row.remote else "monitor",
        tip=where,
        telling=True,
    ),
    Column("provider", mark("Provider"), "provider", 110, lambda row: row.provider, shown=False, telling=True),
    Column(
        "status",
        mark("Status"),
        "status",
        76,
        lambda row: tr(STATUS_TEXTS.get(row.status, row.status)),
        telling=True,
    ),
)


def spoken(row: RunRow) -> str:
    """The row as a screen reader says it."""
    facts = [model_told(row), row.session_title or tr("Untitled"), date_and_time(row.started_at)]
    if row.hidden:
        return ", ".join(facts)
    facts.append(where(row))
    facts += (
        [trn("{count} token", "{count} tokens", row.completion_tokens)] if row.completion_tokens is not None else []
    )
    facts += [tr("Cost: {cost}", cost=cost(row))] if cost(row) else []
    facts += [judgement(row), tr(STATUS_TEXTS.get(row.status, row.status))]
    return ", ".join(filter(None, facts))
