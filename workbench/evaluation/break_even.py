"""What the same work costs on the API and on this machine."""

from __future__ import annotations

import msgspec

from workbench.evaluation.analysis import Analysis

CASES_PER_MONTH = 10_000
"""Assumed until the user says otherwise."""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The user's own numbers; the defaults are those of a desktop computer in Europe and are shown as assumptions."""

    watts: float = 120.0
    """Extra power drawn while the model works."""
    usd_per_kwh: float = 0.30
    price_usd: float = 0.0
    """What had to be bought for it; 0 where the machine is there anyway."""


class BreakEven(msgspec.Struct, frozen=True, kw_only=True):
    cases_per_month: int
    api_usd_per_month: float | None
    local_usd_per_month: float
    local_hours_per_month: float
    months_until_paid: float | None
    """Months until the machine's price is saved; 0 where nothing had to be bought, None where it never is."""
    fits_in_a_month: bool
    """Whether one machine gets the work done at all (720 hours)."""


def break_even(
    *, cases_per_month: int, api_usd_per_1000: float | None, local_seconds_per_case: float, machine: Machine
) -> BreakEven:
    """`local_seconds_per_case` is wall time for each case at the measured throughput, batching included."""
    hours = cases_per_month * local_seconds_per_case / 3600
    local = hours * machine.watts / 1000 * machine.usd_per_kwh
    api = None if api_usd_per_1000 is None else cases_per_month / 1000 * api_usd_per_1000
    months: float | None = None
    if api is not None and api > local:
        months = machine.price_usd / (api - local)
    return BreakEven(
        cases_per_month=cases_per_month,
        api_usd_per_month=api,
        local_usd_per_month=local,
        local_hours_per_month=hours,
        months_until_paid=months,
        fits_in_a_month=hours <= 720,
    )


def break_evens(
    analysis: Analysis,
    baseline: str,
    *,
    cases_per_month: int = CASES_PER_MONTH,
    api_usd_per_1000: float | None = None,
    machine: Machine | None = None,
) -> list[tuple[str, BreakEven]]:
    """(model, what it costs) of every local model that was timed, against the baseline's price as measured or as
    given."""
    paid = next((arm.cost_per_1000_usd for arm in analysis.arms if arm.contestant == baseline), None)
    found = []
    for arm in analysis.arms:
        seconds = arm.seconds_for_each if arm.seconds_for_each is not None else arm.latency_median_s
        if arm.remote or arm.recorded or seconds is None:
            continue
        result = break_even(
            cases_per_month=cases_per_month,
            api_usd_per_1000=paid if api_usd_per_1000 is None else api_usd_per_1000,
            local_seconds_per_case=seconds,
            machine=machine or Machine(),
        )
        found.append((f"{arm.contestant} · {arm.prompt}", result))
    return found
