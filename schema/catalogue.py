"""The plans on sale."""

from datetime import date
from typing import Annotated

import strawberry

from domain.catalogue import Plan as DomainPlan
from domain.catalogue import PlanPrice as DomainPlanPrice
from domain.money import TaxRate as DomainTaxRate
from resolvers import catalogue as use_cases
from schema.account_mutations import Payload
from schema.context import Info
from schema.errors import refusals_in_payload
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


@strawberry.type(description="The consumption tax rate from a day on.")
class TaxRate:
    effective_from: date = strawberry.field(description="The first day of this rate.")
    basis_points: int = strawberry.field(description="The rate in hundredths of a percent: 1000 is 10 %.")


def tax_rate(item: DomainTaxRate) -> TaxRate:
    """A domain tax rate as TaxRate."""
    return TaxRate(effective_from=item.effective_from, basis_points=item.basis_points)


@strawberry.input(description="A plan's prices from a day on. What was sold keeps its price.")
class PlanPriceSetInput:
    plan_code: str = strawberry.field(description="The plan: a paid one.")
    effective_from: date = strawberry.field(description="The first day of these prices: after today.")
    monthly_unit_price: int = strawberry.field(description="Per unit and month, in minor units without tax.")
    annual_unit_price: int = strawberry.field(description="Per unit and year, in minor units without tax.")


@strawberry.input(description="The consumption tax rate from a day on.")
class TaxRateSetInput:
    effective_from: date = strawberry.field(description="The first day of this rate: after today.")
    basis_points: int = strawberry.field(description="The rate in hundredths of a percent: 1000 is 10 %.")


@strawberry.type(description="The plan with its prices, or why they were not set.")
class PlanPriceSetPayload(Payload):
    plan: Plan | None = strawberry.field(default=None, description="The plan. Null when it was refused.")


@strawberry.type(description="All tax rates, or why it was not set.")
class TaxRateSetPayload(Payload):
    tax_rates: list[TaxRate] = strawberry.field(
        default_factory=list, description="All rates, oldest first; empty when it was refused."
    )


@strawberry.type
class CatalogueMutations:
    """The part of Mutation about the catalogue."""

    @strawberry.mutation(description="Set a plan's prices from a later day on. For operators.")
    @refusals_in_payload(PlanPriceSetPayload)
    async def plan_price_set(
        self, info: Info, input: Annotated[PlanPriceSetInput, strawberry.argument(description="The prices.")]
    ) -> PlanPriceSetPayload | None:
        price = DomainPlanPrice(input.effective_from, input.monthly_unit_price, input.annual_unit_price)
        found = await use_cases.set_price(info.context.services, info.context.caller, input.plan_code, price)
        return PlanPriceSetPayload(plan=plan(found))

    @strawberry.mutation(description="Set the consumption tax rate from a later day on. For operators.")
    @refusals_in_payload(TaxRateSetPayload)
    async def tax_rate_set(
        self, info: Info, input: Annotated[TaxRateSetInput, strawberry.argument(description="The rate.")]
    ) -> TaxRateSetPayload | None:
        rate = DomainTaxRate(input.effective_from, input.basis_points)
        found = await use_cases.set_tax_rate(info.context.services, info.context.caller, rate)
        return TaxRateSetPayload(tax_rates=[tax_rate(item) for item in found])
