"""Numbers, sizes, money, times and dates as the user's locale writes them. `Language` sets Qt's default locale."""

from __future__ import annotations

import datetime

from PySide6.QtCore import QDate, QDateTime, QLocale, QTime
from PySide6.QtGui import QKeySequence

from workbench.core.tr import tr, trc

MINUTE, HOUR = 60, 3600
SMALLEST_SHOWN_USD = 0.0001


def number(value: float) -> str:
    """A whole number with the locale's groups: 12,345."""
    return QLocale().toString(round(value))


def decimal(value: float, digits: int = 1) -> str:
    """With exactly this many digits after the point."""
    return QLocale().toString(float(value), "f", digits)


def significant(value: float, digits: int = 3) -> str:
    """With at most this many digits that say something, no zeros at the end."""
    return QLocale().toString(float(value), "g", digits)


def percent(fraction: float, digits: int = 0) -> str:
    """0.125 -> 12.5 %."""
    return f"{decimal(fraction * 100, digits)} %"


def money(usd: float | None) -> str:
    """Dollars: cents from one dollar on, four digits below; empty where unknown."""
    if usd is None:
        return ""
    if usd == 0:
        return QLocale().toCurrencyString(0.0, "$", 0)
    if usd < SMALLEST_SHOWN_USD:
        return f"<{QLocale().toCurrencyString(SMALLEST_SHOWN_USD, '$', 4)}"
    return exact_money(usd, 2 if usd >= 1 else 4)


def exact_money(usd: float, digits: int = 2) -> str:
    return QLocale().toCurrencyString(float(usd), "$", digits)


def price(usd: float) -> str:
    """A price as vendors list it: no more digits than it has."""
    digits = len(f"{usd:.6f}".rstrip("0").rpartition(".")[2])
    return exact_money(usd, digits if digits in (0, 2) else max(digits, 2))


def size_text(size_bytes: float) -> str:
    """Decimal units, as file managers and the Hub show them."""
    for unit, name, digits in ((1e10, "GB", 1), (1e9, "GB", 2), (1e6, "MB", 0)):
        if size_bytes >= unit:
            return f"{decimal(size_bytes / min(unit, 1e9), digits)} {name}"
    return f"{decimal(size_bytes / 1e3, 0)} kB"


def count_text(value: float | None) -> str:
    """4.02B, 135M, 12k as model names have it; empty where unknown."""
    if not value:
        return ""
    for unit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= unit * 0.9995:  # what three digits round up to the next unit is shown in it
            return f"{significant(value / unit)}{letter}"
    return number(value)


def elapsed_text(seconds: float | None) -> str:
    """250 ms, 4.2 s, 3 min 10 s, 2 h 5 min; empty where unknown."""
    if seconds is None:
        return ""
    if seconds >= HOUR:
        return tr("{hours} h {minutes} min", hours=int(seconds // HOUR), minutes=int(seconds % HOUR // MINUTE))
    if seconds >= MINUTE:
        return tr("{minutes} min {seconds} s", minutes=int(seconds // MINUTE), seconds=int(seconds % MINUTE))
    if seconds >= 0.95:
        return tr("{count} s", count=decimal(seconds))
    return tr("{count} ms", count=number(seconds * 1000))


def duration_text(seconds: float | None) -> str:
    """What is still to come: 40 s, 3 min, 2 h 5 min; empty where unknown."""
    if seconds is None:
        return ""
    if seconds < MINUTE:
        return tr("{count} s", count=max(1, round(seconds)))
    if seconds < HOUR:
        return tr("{count} min", count=round(seconds / MINUTE))
    return tr("{hours} h {minutes} min", hours=int(seconds // HOUR), minutes=int(seconds % HOUR // MINUTE))


def local_time(moment: str) -> datetime.datetime | None:
    """An ISO 8601 moment in this machine's time zone; None if it is none."""
    try:
        return datetime.datetime.fromisoformat(moment).astimezone()
    except ValueError:
        return None


def date(day: datetime.date) -> str:
    """The locale's short form with all digits of the year."""
    pattern = QLocale().dateFormat(QLocale.FormatType.ShortFormat)
    if "yyyy" not in pattern:
        pattern = pattern.replace("yy", "yyyy")
    return QLocale().toString(_qt_date(day), pattern)


def date_and_time(moment: str) -> str:
    """To the second; the moment as it is where it is none."""
    local = local_time(moment)
    if local is None:
        return moment
    return f"{date(local.date())} {QLocale().toString(_qt_time(local), _with_seconds())}"


def when(moment: str, now: datetime.datetime | None = None) -> str:
    """The time of today, the day and time of this year, else the date."""
    local = local_time(moment)
    if local is None:
        return moment
    now = now or datetime.datetime.now().astimezone()
    if local.date() == now.date():
        return QLocale().toString(_qt_time(local), _with_seconds())
    if local.year == now.year:
        day = QLocale().toString(_qt_date(local.date()), trc("pattern of a date, as Qt writes it", "MMM d"))
        return tr("{day}, {time}", day=day, time=QLocale().toString(_qt_time(local), QLocale.FormatType.ShortFormat))
    return date(local.date())


def date_time(moment: QDateTime) -> str:
    return QLocale().toString(moment, QLocale.FormatType.ShortFormat)


def keys_text(keys: QKeySequence) -> str:
    """Keys as the platform and the language write them: Strg+K, ⌘K."""
    return keys.toString(QKeySequence.SequenceFormat.NativeText)


def _with_seconds() -> str:
    pattern = QLocale().timeFormat(QLocale.FormatType.ShortFormat)
    return pattern if "ss" in pattern else pattern.replace("mm", "mm:ss")


def _qt_date(day: datetime.date) -> QDate:
    return QDate(day.year, day.month, day.day)


def _qt_time(moment: datetime.datetime) -> QTime:
    return QTime(moment.hour, moment.minute, moment.second)
