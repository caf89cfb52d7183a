"""The plans on sale."""

from datetime import date

import strawberry

from domain.catalogue import Plan as DomainPlan
from schema.money import Money, money

CATALOGUE_CURRENCY = "JPY"


@strawberry.type(description="A plan's prices from a day on, per licence unit, without tax.")
class PlanPrice:
    effective_from: date = strawberry.field(description="The first day of these prices.")
    monthly_unit_price: Money = strawberry.field(description="Per unit and month; also what spot contracts cost.")
    annual_unit_price: Money = strawberry.field(description="Per unit and year.")


@strawberry.type(description="Free, or a paid plan.")
class Plan:
    code: str = strawberry.field(description="The plan's stable code, such as STARTER.")
    name: str = strawberry.field(description="The plan's name for people.")
    is_free: bool = strawberry.field(description="Whether this is the Free plan, which has no prices.")
    accounts_per_unit: int = strawberry.field(description="Accounts in one licence unit: the smallest step.")
    prices: list[PlanPrice] = strawberry.field(description="All prices, oldest first; empty for Free.")


def plan(item: DomainPlan) -> Plan:
    """A domain plan as Plan."""
    return Plan(
        code=item.code,
        name=item.name,
        is_free=item.is_free,
        accounts_per_unit=item.accounts_per_unit,
        prices=[
            PlanPrice(
                effective_from=price.effective_from,
                monthly_unit_price=money(price.monthly_unit_price_minor, CATALOGUE_CURRENCY),
                annual_unit_price=money(price.annual_unit_price_minor, CATALOGUE_CURRENCY),
            )
            for price in item.prices
        ],
    )
