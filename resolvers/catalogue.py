"""The catalogue, edited by operators: prices and tax rates from a later day on. What was sold keeps its price."""

from datetime import UTC, date

from db.catalogue import add_plan_price, add_tax_rate, all_plans, all_tax_rates
from domain.catalogue import Plan, PlanPrice
from domain.commerce_errors import PriceInThePast, RateOutOfRange
from domain.errors import NotFound
from domain.money import MINOR_UNITS_MAX, TaxRate
from resolvers.access import Caller, Role, require
from resolvers.services import Services

BASIS_POINTS_MAX = 10_000


async def set_price(services: Services, caller: Caller | None, plan_code: str, price: PlanPrice) -> Plan:
    """Set a plan's prices from a day after today on; the same day again replaces them.

    Raises:
        PriceInThePast, RateOutOfRange.
        NotFound: there is no such plan, or it is Free.
    """
    require(caller, Role.OPERATOR)
    _check_day(services, price.effective_from)
    for field, value in (
        ("monthlyUnitPrice", price.monthly_unit_price_minor),
        ("annualUnitPrice", price.annual_unit_price_minor),
    ):
        _check_range(field, value, MINOR_UNITS_MAX)
    async with services.database.write() as session:
        plan = next((item for item in await all_plans(session) if item.code == plan_code and not item.is_free), None)
        if plan is None:
            raise NotFound(field="planCode")
        await add_plan_price(session, plan_code, price)
        return next(item for item in await all_plans(session) if item.code == plan_code)


async def set_tax_rate(services: Services, caller: Caller | None, rate: TaxRate) -> list[TaxRate]:
    """Set the consumption tax rate from a day after today on; the same day again replaces it.

    Raises:
        PriceInThePast, RateOutOfRange.
    """
    require(caller, Role.OPERATOR)
    _check_day(services, rate.effective_from)
    _check_range("basisPoints", rate.basis_points, BASIS_POINTS_MAX)
    async with services.database.write() as session:
        await add_tax_rate(session, rate)
        return await all_tax_rates(session)


async def tax_rates(services: Services, caller: Caller | None) -> list[TaxRate]:
    """Every consumption tax rate, oldest first, for anyone who is signed in."""
    require(caller)
    async with services.database.read() as session:
        return await all_tax_rates(session)


def _check_day(services: Services, day: date) -> None:
    today = services.clock().astimezone(UTC).date()
    if day <= today:
        raise PriceInThePast(effective_from=day, today=today)


def _check_range(field: str, value: int, value_max: int) -> None:
    if not 0 <= value <= value_max:
        raise RateOutOfRange(field=field, value=value, value_max=value_max)
