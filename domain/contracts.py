"""The main contract, what is added to it, and the bounds of a spot order."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import pairwise

from domain.errors import (
    AccountsNotMultiple,
    EndsAfterContract,
    MonthsOutOfRange,
    NoPaidContract,
    RuleError,
    StartsBeforeContract,
    StartsInThePast,
)
from domain.months import Period, ends_before


class BillingCycle(StrEnum):
    """How a term of the main contract is paid."""

    MONTHLY = "MONTHLY"
    ANNUAL = "ANNUAL"


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a main contract: the first contract or a renewal, at the prices it was sold at.

    Prices are per licence unit, net, in minor units. ``monthly_unit_price_minor`` also prices spot contracts
    of a term that is billed annually (page, rule 4).
    """

    period: Period
    plan_code: str
    units: int
    accounts_per_unit: int
    billing_cycle: BillingCycle
    monthly_unit_price_minor: int
    annual_unit_price_minor: int

    @property
    def accounts(self) -> int:
        return self.units * self.accounts_per_unit


@dataclass(frozen=True, slots=True)
class AdditionalLicence:
    """Units added to the main contract from a day until the end of the term."""

    period: Period
    accounts: int


@dataclass(frozen=True, slots=True)
class SpotContract:
    """A confirmed spot contract: extra accounts over a period of whole months."""

    period: Period
    accounts: int


@dataclass(frozen=True, slots=True)
class MainContract:
    """A customer's paid subscription: contiguous terms, oldest first, and what was added to them.

    ``earlier`` are the terms before the customer last returned to the Free plan: they count for days gone by only.

    Raises:
        ValueError: there is no term, terms leave a gap or overlap, or units differ in size between terms.
    """

    terms: tuple[Term, ...]
    additional_licences: tuple[AdditionalLicence, ...] = ()
    spots: tuple[SpotContract, ...] = ()
    earlier: tuple[Term, ...] = ()

    def __post_init__(self) -> None:
        if not self.terms:
            raise ValueError("a main contract has at least one term")
        for earlier, later in pairwise(self.terms):
            if earlier.period.ends_before != later.period.starts_on:
                raise ValueError(f"terms are not contiguous: {earlier.period} then {later.period}")
            if earlier.accounts_per_unit != later.accounts_per_unit:
                # A spot that runs across a renewal is one number of units, so a unit has one size.
                raise ValueError("all terms of a main contract have the same accounts per unit")

    @property
    def starts_on(self) -> date:
        return self.terms[0].period.starts_on

    @property
    def ends_before(self) -> date:
        return self.terms[-1].period.ends_before

    @property
    def accounts_per_unit(self) -> int:
        return self.terms[0].accounts_per_unit

    def has_ended(self, by: date) -> bool:
        return self.ends_before <= by

    def term_on(self, day: date) -> Term:
        """The term in force on a day.

        Raises:
            LookupError: the day is outside the contract.
        """
        for term in self.terms:
            if term.period.contains(day):
                return term
        raise LookupError(f"no term is in force on {day}")


def spot_refusals(
    contract: MainContract | None, *, accounts: int, starts_on: date, months: int, today: date
) -> list[RuleError]:
    """Every reason why this spot order is refused, most basic first; empty when it may be ordered.

    Source: the vendor's page, rules 1, 2, 3 and 8. Overlaps with other spots and with additional licences are
    allowed (rules 5 and 6, pattern 02), so nothing here looks at them.
    """
    if contract is None or contract.has_ended(by=today):
        return [NoPaidContract(contract_ended_before=contract.ends_before if contract else None)]
    refusals: list[RuleError] = []
    if accounts <= 0 or accounts % contract.accounts_per_unit:
        refusals.append(AccountsNotMultiple(accounts=accounts, accounts_per_unit=contract.accounts_per_unit))
    if starts_on < today:
        refusals.append(StartsInThePast(starts_on=starts_on, today=today))
    if starts_on < contract.starts_on:
        refusals.append(StartsBeforeContract(starts_on=starts_on, contract_starts_on=contract.starts_on))
    try:
        end = ends_before(starts_on, months)
    except MonthsOutOfRange as refusal:
        refusals.append(refusal)
    else:
        refusals.extend(end_refusals(contract, end))
    return refusals


def end_refusals(contract: MainContract, end: date) -> list[RuleError]:
    """The refusal of an exclusive end past the main contract's, if it is (page, rules 3 and 8)."""
    if end <= contract.ends_before:
        return []
    return [EndsAfterContract(ends_before=end, contract_ends_before=contract.ends_before)]
