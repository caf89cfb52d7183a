"""Money in integer minor units, consumption tax, and the only rounding of the project."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from domain.errors import AmountTooLarge

MINOR_UNITS_MAX = 2**31 - 1
"""The largest amount handled: what an Int carries over GraphQL."""


def round_down(amount: int, numerator: int, denominator: int) -> int:
    """``amount * numerator / denominator`` in minor units, rounded down: the only rounding there is.

    Raises:
        ValueError: an argument is negative, or the denominator is not positive.
    """
    if amount < 0 or numerator < 0 or denominator <= 0:
        raise ValueError(f"not a share of an amount: {amount} x {numerator} / {denominator}")
    return amount * numerator // denominator


@dataclass(frozen=True, slots=True, order=True)
class TaxRate:
    """A consumption tax rate from a day on, in basis points: 1000 is 10 %."""

    effective_from: date
    basis_points: int


def tax_rate_on(rates: Iterable[TaxRate], day: date) -> TaxRate:
    """The rate in force on a day.

    Raises:
        LookupError: no rate is in force that early; the catalogue is incomplete.
    """
    in_force = [rate for rate in rates if rate.effective_from <= day]
    if not in_force:
        raise LookupError(f"no tax rate is known for {day}")
    return max(in_force)


@dataclass(frozen=True, slots=True)
class Charge:
    """An amount with its tax at one rate, all in minor units."""

    net_minor: int
    tax_minor: int
    tax_basis_points: int

    @property
    def total_minor(self) -> int:
        return self.net_minor + self.tax_minor


def charge(net_minor: int, rate: TaxRate) -> Charge:
    """Add consumption tax, rounded down, to a net amount.

    Raises:
        AmountTooLarge: the total is above 2,147,483,647 minor units.
    """
    result = Charge(net_minor, round_down(net_minor, rate.basis_points, 10_000), rate.basis_points)
    if result.total_minor > MINOR_UNITS_MAX:
        raise AmountTooLarge(amount=str(result.total_minor), amount_max=MINOR_UNITS_MAX)
    return result


def invoice_charges(nets: Iterable[tuple[int, TaxRate]]) -> tuple[Charge, ...]:
    """The charges of one invoice: tax is computed once per rate, on the sum at that rate.

    Raises:
        AmountTooLarge: the total at one rate, or of all, is above 2,147,483,647 minor units.
    """
    by_rate: dict[TaxRate, int] = {}
    for net_minor, rate in nets:
        by_rate[rate] = by_rate.get(rate, 0) + net_minor
    charges = tuple(charge(net_minor, rate) for rate, net_minor in sorted(by_rate.items()))
    total = sum(item.total_minor for item in charges)
    if total > MINOR_UNITS_MAX:
        raise AmountTooLarge(amount=str(total), amount_max=MINOR_UNITS_MAX)
    return charges
