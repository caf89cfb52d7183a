"""Plans, prices and tax rates."""

from collections import defaultdict

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from db.prepared import Prepared
from db.tables import PlanPriceRow, PlanRow, TaxRateRow
from domain.catalogue import Plan, PlanPrice
from domain.money import TaxRate


async def all_plans(session: AsyncSession) -> list[Plan]:
    """Every plan with all its prices, in the catalogue's order."""
    prices: dict[str, list[PlanPrice]] = defaultdict(list)
    for row in await session.scalars(select(PlanPriceRow).order_by(PlanPriceRow.effective_from)):
        price = PlanPrice(row.effective_from, row.monthly_unit_price_minor, row.annual_unit_price_minor)
        prices[row.plan_code].append(price)
    rows = await session.scalars(select(PlanRow).order_by(PlanRow.position))
    return [Plan(row.code, row.name, row.accounts_per_unit, tuple(prices[row.code])) for row in rows]


_TAX_RATES = Prepared(lambda _is_postgresql: select(TaxRateRow).order_by(TaxRateRow.effective_from))


async def all_tax_rates(session: AsyncSession) -> list[TaxRate]:
    """Every consumption tax rate, oldest first."""
    return [TaxRate(row.effective_from, row.basis_points) for row in await _TAX_RATES.all(session)]


async def add_plan_price(session: AsyncSession, plan_code: str, price: PlanPrice) -> None:
    """Store a plan's prices from a day on, in place of those that were set for that day before."""
    await session.merge(
        PlanPriceRow(
            plan_code=plan_code,
            effective_from=price.effective_from,
            monthly_unit_price_minor=price.monthly_unit_price_minor,
            annual_unit_price_minor=price.annual_unit_price_minor,
        )
    )
    await session.flush()


async def add_tax_rate(session: AsyncSession, rate: TaxRate) -> None:
    """Store a tax rate from a day on, in place of the one that was set for that day before."""
    await session.merge(TaxRateRow(effective_from=rate.effective_from, basis_points=rate.basis_points))
    await session.flush()
