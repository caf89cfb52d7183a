"""What may be ordered of a main contract, and what it costs: terms, additional licences, upgrades."""

from dataclasses import dataclass, replace
from datetime import date

from domain.catalogue import Plan, PlanPrice
from domain.commerce_errors import (
    ContractInForce,
    DayOutsideTerm,
    NotAnUpgrade,
    PlanNotForSale,
    UnitSizeDiffers,
    UnitsOutOfRange,
)
from domain.contracts import BillingCycle, MainContract, Term
from domain.documents import ItemKind
from domain.errors import NoPaidContract, RuleError, StartsInThePast
from domain.months import Period, ends_before
from domain.pricing import additional_licence_net_minor

UNITS_MAX = 100_000
ANNUAL_MONTHS = 12


@dataclass(frozen=True, slots=True)
class ContractItem:
    """Something of a main contract at a price: ``term`` is the term it makes, adds to, or changes, at its prices."""

    kind: ItemKind
    term: Term
    period: Period
    units: int
    net_minor: int


def first_term(
    contract: MainContract | None,
    plan: Plan,
    *,
    units: int,
    cycle: BillingCycle,
    starts_on: date,
    months: int,
    today: date,
) -> ContractItem:
    """A paid contract from Free: twelve months at the annual price, or whole months at the monthly price.

    A contract in force must end first: one that begins later would hide it from everything that is added to it.

    Raises:
        ContractInForce, StartsInThePast, PlanNotForSale, UnitsOutOfRange, MonthsOutOfRange.
    """
    if contract is not None and not contract.has_ended(by=today):
        raise ContractInForce(contract_ends_before=contract.ends_before)
    if starts_on < today:
        raise StartsInThePast(starts_on=starts_on, today=today)
    return _term_item(ItemKind.MAIN_CONTRACT, plan, units=units, cycle=cycle, starts_on=starts_on, months=months)


def renewal(
    contract: MainContract | None, plan: Plan, *, units: int, cycle: BillingCycle, months: int, today: date
) -> ContractItem:
    """A term that follows the last one, of the same or another plan and number of units.

    Raises:
        NoPaidContract, PlanNotForSale, UnitsOutOfRange, UnitSizeDiffers, MonthsOutOfRange.
    """
    if contract is None or contract.has_ended(by=today):
        raise _no_contract(contract)
    item = _term_item(ItemKind.RENEWAL, plan, units=units, cycle=cycle, starts_on=contract.ends_before, months=months)
    if plan.accounts_per_unit != contract.accounts_per_unit:
        raise UnitSizeDiffers(
            accounts_per_unit=plan.accounts_per_unit, contract_accounts_per_unit=contract.accounts_per_unit
        )
    return item


def additional_licence(contract: MainContract | None, *, units: int, starts_on: date, today: date) -> ContractItem:
    """Units from a day until the end of the term in force on it, at that term's price.

    Raises:
        NoPaidContract, DayOutsideTerm, UnitsOutOfRange.
    """
    term = _term_on(contract, starts_on, today)
    _check_units(units)
    net = additional_licence_net_minor(term, starts_on=starts_on, units=units)
    return ContractItem(ItemKind.ADDITIONAL_LICENCE, term, Period(starts_on, term.period.ends_before), units, net)


def upgrade(contract: MainContract | None, plan: Plan, *, today: date) -> ContractItem:
    """A dearer plan from today to the end of the term, licences included: the rest at the difference of the prices.

    Raises:
        NoPaidContract, DayOutsideTerm, PlanNotForSale, UnitSizeDiffers, NotAnUpgrade.
    """
    starts_on = today
    term = _term_on(contract, starts_on, today, field="customerId")
    price = _price(plan, starts_on)
    if plan.accounts_per_unit != term.accounts_per_unit:
        raise UnitSizeDiffers(
            accounts_per_unit=plan.accounts_per_unit, contract_accounts_per_unit=term.accounts_per_unit
        )
    if price.annual_unit_price_minor <= term.annual_unit_price_minor:
        raise NotAnUpgrade(
            plan_code=plan.code,
            annual_unit_price=price.annual_unit_price_minor,
            current_plan_code=term.plan_code,
            current_price=term.annual_unit_price_minor,
        )
    rest = Period(starts_on, term.period.ends_before)
    upgraded = Term(
        period=rest,
        plan_code=plan.code,
        units=term.units,
        accounts_per_unit=term.accounts_per_unit,
        billing_cycle=term.billing_cycle,
        monthly_unit_price_minor=price.monthly_unit_price_minor,
        annual_unit_price_minor=price.annual_unit_price_minor,
    )
    # Licences of the term that have not begun are upgraded from their own first day on.
    parts = [(starts_on, term.units)] + [
        (max(starts_on, licence.period.starts_on), licence.accounts // term.accounts_per_unit)
        for licence in (contract.additional_licences if contract else ())
        if licence.period.ends_before == rest.ends_before
    ]
    # Published example: from 30,000 to 90,000, 171 days: 28,109 per unit, counted from the difference, 60,000.
    difference = replace(
        upgraded,
        monthly_unit_price_minor=max(0, upgraded.monthly_unit_price_minor - term.monthly_unit_price_minor),
        annual_unit_price_minor=upgraded.annual_unit_price_minor - term.annual_unit_price_minor,
    )
    net = sum(additional_licence_net_minor(difference, starts_on=day, units=units) for day, units in parts)
    return ContractItem(ItemKind.UPGRADE, upgraded, rest, sum(units for _, units in parts), net)


def _term_item(
    kind: ItemKind, plan: Plan, *, units: int, cycle: BillingCycle, starts_on: date, months: int
) -> ContractItem:
    price = _price(plan, starts_on)
    _check_units(units)
    months = ANNUAL_MONTHS if cycle is BillingCycle.ANNUAL else months
    term = Term(
        period=Period(starts_on, ends_before(starts_on, months)),
        plan_code=plan.code,
        units=units,
        accounts_per_unit=plan.accounts_per_unit,
        billing_cycle=cycle,
        monthly_unit_price_minor=price.monthly_unit_price_minor,
        annual_unit_price_minor=price.annual_unit_price_minor,
    )
    unit = price.annual_unit_price_minor if cycle is BillingCycle.ANNUAL else price.monthly_unit_price_minor * months
    return ContractItem(kind, term, term.period, units, units * unit)


def _term_on(contract: MainContract | None, starts_on: date, today: date, field: str = "startsOn") -> Term:
    if contract is None or contract.has_ended(by=today):
        raise _no_contract(contract)
    try:
        if starts_on >= today:
            return contract.term_on(starts_on)
    except LookupError:
        pass
    first_day, last_day = max(today, contract.starts_on), contract.terms[-1].period.last_day
    raise DayOutsideTerm(field=field, day=starts_on, first_day=first_day, last_day=last_day)


def _price(plan: Plan, day: date) -> PlanPrice:
    price = plan.price_on(day)
    if price is None:
        raise PlanNotForSale(plan_code=plan.code, day=day)
    return price


def _check_units(units: int) -> None:
    if not 1 <= units <= UNITS_MAX:
        raise UnitsOutOfRange(units=units, units_max=UNITS_MAX)


def _no_contract(contract: MainContract | None) -> RuleError:
    return NoPaidContract(contract_ended_before=contract.ends_before if contract else None)
