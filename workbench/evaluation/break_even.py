"""What the same work costs on the API and on this machine."""

from __future__ import annotations

import msgspec

from workbench.evaluation.analysis import Analysis, ArmSummary, arm_names

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
    local = power_usd(hours * 3600, machine)
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


class CostLine(msgspec.Struct, frozen=True, kw_only=True):
    """What any number of cases costs, in dollars: something at first, then the same for each."""

    name: str
    local: bool
    fixed_usd: float = 0.0
    usd_per_case: float

    def at(self, cases: float) -> float:
        return self.fixed_usd + self.usd_per_case * cases

    def cheaper_than(self, other: CostLine) -> float | None:
        """Cases from which on this costs less; 0 where it does from the first, None where it never does."""
        saved = other.usd_per_case - self.usd_per_case
        if self.fixed_usd <= other.fixed_usd:
            return 0.0 if saved > 0 else None
        return (self.fixed_usd - other.fixed_usd) / saved if saved > 0 else None


def cost_lines(
    analysis: Analysis, baseline: str, *, api_usd_per_1000: float | None = None, machine: Machine | None = None
) -> list[CostLine]:
    """The baseline's API first, where its price is known, then every local model that was timed."""
    own, price = machine or Machine(), _api_price(analysis, baseline, api_usd_per_1000)
    lines = [] if price is None else [CostLine(name=baseline, local=False, usd_per_case=price / 1000)]
    names = arm_names((arm.contestant, arm.prompt) for arm in analysis.arms)
    for arm, seconds in _timed(analysis):
        usd = power_usd(seconds, own)
        name = names[arm.contestant, arm.prompt]
        lines.append(CostLine(name=name, local=True, fixed_usd=own.price_usd, usd_per_case=usd))
    return lines


def power_usd(seconds: float, machine: Machine) -> float:
    """What the electricity of so much work costs."""
    return seconds / 3600 * machine.watts / 1000 * machine.usd_per_kwh


def usd_per_1000(arm: ArmSummary, machine: Machine) -> float | None:
    """Of 1,000 cases: what the API takes, or the electricity of this machine; None where it is not known."""
    if arm.remote or arm.recorded:
        return arm.cost_per_1000_usd
    seconds = _seconds(arm)
    return None if seconds is None else power_usd(1000 * seconds, machine)


def _seconds(arm: ArmSummary) -> float | None:
    return arm.seconds_for_each if arm.seconds_for_each is not None else arm.latency_median_s


def _timed(analysis: Analysis) -> list[tuple[ArmSummary, float]]:
    """Local contestants, and the seconds each case takes."""
    local = [arm for arm in analysis.arms if not arm.remote and not arm.recorded]
    return [(arm, seconds) for arm in local if (seconds := _seconds(arm)) is not None]


def _api_price(analysis: Analysis, baseline: str, given: float | None) -> float | None:
    """Of 1,000 cases: as given, else as measured."""
    if given is not None:
        return given
    return next((arm.cost_per_1000_usd for arm in analysis.arms if arm.contestant == baseline and arm.remote), None)


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
    price = _api_price(analysis, baseline, api_usd_per_1000)
    names = arm_names((arm.contestant, arm.prompt) for arm in analysis.arms)
    found = []
    for arm, seconds in _timed(analysis):
        result = break_even(
            cases_per_month=cases_per_month,
            api_usd_per_1000=price,
            local_seconds_per_case=seconds,
            machine=machine or Machine(),
        )
        found.append((names[arm.contestant, arm.prompt], result))
    return found
