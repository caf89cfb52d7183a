"""The capacity timeline: how many accounts may be registered on each day."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from domain.contracts import AdditionalLicence, MainContract, SpotContract, Term
from domain.months import Period


@dataclass(frozen=True, slots=True)
class CapacityStep:
    """A run of days with the same capacity, in accounts."""

    period: Period
    accounts: int


def level_steps(changes: Iterable[tuple[Period, int]], window: Period) -> tuple[tuple[Period, int], ...]:
    """Sum overlapping levels into maximal runs of equal level that cover the window exactly."""
    delta: dict[date, int] = defaultdict(int)
    delta[window.starts_on] = 0
    for period, amount in changes:
        if period.overlaps(window):
            delta[max(period.starts_on, window.starts_on)] += amount
            delta[min(period.ends_before, window.ends_before)] -= amount
    delta.pop(window.ends_before, None)
    steps: list[tuple[Period, int]] = []
    days = sorted(delta)
    level = 0
    for day, until in zip(days, [*days[1:], window.ends_before], strict=True):
        level += delta[day]
        if steps and steps[-1][1] == level:
            steps[-1] = (Period(steps[-1][0].starts_on, until), level)
        else:
            steps.append((Period(day, until), level))
    return tuple(steps)


def capacity_changes(contract: MainContract) -> list[tuple[Period, int]]:
    """Everything that gives capacity: terms, additional licences and confirmed spots, in accounts."""
    parts: tuple[Term | AdditionalLicence | SpotContract, ...]
    parts = (*contract.earlier, *contract.terms, *contract.additional_licences, *contract.spots)
    return [(part.period, part.accounts) for part in parts]


def capacity_timeline(contract: MainContract | None, window: Period) -> tuple[CapacityStep, ...]:
    """Capacity on every day of the window as maximal steps; 0 where no paid contract is in force."""
    changes = capacity_changes(contract) if contract else []
    return tuple(CapacityStep(period, accounts) for period, accounts in level_steps(changes, window))


def capacity_on(contract: MainContract | None, day: date) -> int:
    """Capacity on one day, in accounts."""
    return sum(
        accounts for period, accounts in (capacity_changes(contract) if contract else []) if period.contains(day)
    )
