"""Contracts for the tests of the rules, a naive recount, and the limits of the searches for a counterexample."""

from collections.abc import Iterator
from datetime import date, timedelta

from hypothesis import settings
from hypothesis import strategies as st

from domain.contracts import AdditionalLicence, BillingCycle, MainContract, SpotContract, Term
from domain.months import Period

day = date.fromisoformat

# The same examples on every run and no time limit: a test fails because of the code, never because of luck.
SEARCH = settings(derandomize=True, deadline=None, max_examples=300)

contract_days = st.dates(min_value=date(2023, 1, 1), max_value=date(2032, 12, 31))


def period(starts_on: str, ends_before: str) -> Period:
    return Period(day(starts_on), day(ends_before))


def term(
    starts_on: str = "2026-04-01",
    ends_before: str = "2027-04-01",
    *,
    units: int = 1,
    accounts_per_unit: int = 100,
    cycle: BillingCycle = BillingCycle.ANNUAL,
    monthly: int = 5_000,
    annual: int = 30_000,
) -> Term:
    """A term of the page's Starter plan, unless told otherwise."""
    return Term(period(starts_on, ends_before), "STARTER", units, accounts_per_unit, cycle, monthly, annual)


def contract(
    *terms: Term, licences: tuple[AdditionalLicence, ...] = (), spots: tuple[SpotContract, ...] = ()
) -> MainContract:
    """A main contract; one Starter term from April to April where none is given."""
    return MainContract(terms or (term(),), licences, spots)


def licence(starts_on: str, ends_before: str, accounts: int) -> AdditionalLicence:
    return AdditionalLicence(period(starts_on, ends_before), accounts)


def spot(starts_on: str, ends_before: str, accounts: int) -> SpotContract:
    return SpotContract(period(starts_on, ends_before), accounts)


def days_of(window: Period) -> Iterator[date]:
    return (window.starts_on + timedelta(days=offset) for offset in range(window.days))


def recount(main: MainContract, on: date) -> int:
    """Accounts on one day, by asking everything that gives any."""
    total = 0
    for sold in main.terms:
        if sold.period.starts_on <= on < sold.period.ends_before:
            total += sold.units * sold.accounts_per_unit
    additions: tuple[AdditionalLicence | SpotContract, ...] = (*main.additional_licences, *main.spots)
    for added in additions:
        if added.period.starts_on <= on < added.period.ends_before:
            total += added.accounts
    return total
