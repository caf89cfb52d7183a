"""What spot contracts and additional licences cost, net, in minor units."""

from dataclasses import dataclass
from datetime import date
from itertools import groupby

from domain.contracts import BillingCycle, MainContract, Term
from domain.money import round_down
from domain.months import Period, ends_before, months_begun


@dataclass(frozen=True, slots=True)
class PriceLine:
    """Consecutive months of a spot contract at one monthly unit price."""

    starts_on: date
    months: int
    units: int
    unit_price_minor: int

    @property
    def net_minor(self) -> int:
        return self.months * self.units * self.unit_price_minor


def spot_price_lines(contract: MainContract, *, starts_on: date, months: int, units: int) -> tuple[PriceLine, ...]:
    """The months of a spot contract, grouped by the price of the term in force on each month's first day.

    Source: the vendor's page, rule 4: monthly unit price of the main contract's licence x months. A month
    that begins in a renewal has the renewal's price.

    Raises:
        LookupError: one of the months begins outside the contract.
    """
    first_days = [starts_on, *(ends_before(starts_on, number) for number in range(1, months))]
    priced = [(contract.term_on(day).monthly_unit_price_minor, day) for day in first_days]
    lines = []
    for price, group in groupby(priced, key=lambda month: month[0]):
        days = [day for _, day in group]
        lines.append(PriceLine(starts_on=days[0], months=len(days), units=units, unit_price_minor=price))
    return tuple(lines)


def spot_net_minor(contract: MainContract, *, starts_on: date, months: int, units: int) -> int:
    """The net price of a spot contract; errors as in :func:`spot_price_lines`."""
    term = contract.term_on(starts_on)
    if ends_before(starts_on, months) <= term.period.ends_before:
        return units * months * term.monthly_unit_price_minor  # Every month begins in the same term.
    lines = spot_price_lines(contract, starts_on=starts_on, months=months, units=units)
    return sum(line.net_minor for line in lines)


def additional_licence_net_minor(term: Term, *, starts_on: date, units: int) -> int:
    """The net price of units added from a day until the end of a term.

    Annual terms: the annual unit price x days / 365, rounded down per unit. Monthly terms: the monthly unit
    price x months begun.

    Raises:
        ValueError: the day is outside the term.
    """
    if not term.period.contains(starts_on):
        raise ValueError(f"{starts_on} is outside the term {term.period}")
    remaining = Period(starts_on, term.period.ends_before)
    if term.billing_cycle is BillingCycle.ANNUAL:
        return units * round_down(term.annual_unit_price_minor, remaining.days, 365)
    return units * months_begun(remaining) * term.monthly_unit_price_minor
