"""What the user looks for: filters, words, order. Plain values that survive a restart."""

from __future__ import annotations

import datetime
import importlib
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from workbench.store.values import RunFilter

PERIODS = {"today": 0, "week": 6, "month": 29, "year": 364}
"""Days before today with which a period begins."""
CUSTOM = "custom"


class Query(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Every part that is set must hold."""

    models: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    remote: bool | None = None
    voted: bool | None = None
    period: str = ""
    """One of PERIODS, `custom` with `first_day` and `last_day`, or empty."""
    first_day: str = ""
    last_day: str = ""
    """ISO dates in the user's time zone, both included."""
    text: str = ""
    sort: str = "started_at"
    descending: bool = True

    @property
    def filtered(self) -> bool:
        return self.cleared() != self

    def cleared(self) -> Query:
        """Without filters, in the same order."""
        return Query(sort=self.sort, descending=self.descending)

    def remembered(self) -> dict[str, object]:
        plain: dict[str, object] = msgspec.to_builtins(msgspec.structs.replace(self, text=""))
        return plain

    @classmethod
    def of(cls, remembered: object) -> Query:
        """The default query where what was remembered is of another version."""
        try:
            return msgspec.convert(remembered, Query)
        except msgspec.ValidationError:
            return Query()

    def days(self, today: datetime.date) -> tuple[datetime.date | None, datetime.date | None]:
        """First and last day, both included."""
        if self.period in PERIODS:
            return today - datetime.timedelta(days=PERIODS[self.period]), None
        if self.period == CUSTOM:
            return _day(self.first_day), _day(self.last_day)
        return None, None

    def run_filter(self) -> RunFilter:
        """As the store takes it. Runs in a worker: imports the store."""
        first, last = self.days(datetime.date.today())
        values: Any = importlib.import_module("workbench.store.values")
        made: RunFilter = values.RunFilter(
            models=self.models,
            providers=self.providers,
            statuses=self.statuses,
            remote=self.remote,
            voted=self.voted,
            text=self.text,
            since=_begin(first) if first else None,
            until=_begin(last + datetime.timedelta(days=1)) if last else None,
        )
        return made


def _day(text: str) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(text) if text else None
    except ValueError:
        return None


def _begin(day: datetime.date) -> str:
    """The day's first moment here, as the store writes times."""
    local = datetime.datetime.combine(day, datetime.time()).astimezone()
    return local.astimezone(datetime.UTC).isoformat(timespec="milliseconds")
