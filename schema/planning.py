"""Recommendations: the question to the planner and its answer."""

from datetime import date
from typing import Annotated

import strawberry

from planner.demand import DemandEntry
from planner.problem import PlanStatus
from resolvers.recommend import Demand, RecommendCommand
from resolvers.recommend import Recommendation as DomainRecommendation
from schema.money import Money, money, price
from schema.plan_parts import (
    Baseline,
    CoverageStep,
    DemandStep,
    FrontierPoint,
    PeakCost,
    PlannedOrder,
    Shortfall,
    SpotsOnly,
    baseline,
    days,
    frontier_point,
    money_or_null,
    planned_order,
)
from schema.relay import key_of

WHOLE_NUMBER = "A whole number: Float, because it may be more than an Int holds."


@strawberry.input(description="Accounts needed on every day of a period.")
class DemandStepInput:
    from_: date = strawberry.field(name="from", description="The first day.")
    until: date = strawberry.field(description="The day after the last day.")
    accounts: int = strawberry.field(description="How many accounts, 0 or more.")


@strawberry.input(one_of=True, description="What is needed, in exactly one of three forms.")
class DemandInput:
    profile: list[DemandStepInput] | None = strawberry.field(
        default=strawberry.UNSET,
        description="Total accounts needed, in steps that do not overlap; days between them need nothing.",
    )
    events: list[DemandStepInput] | None = strawberry.field(
        default=strawberry.UNSET,
        description="Extra accounts on top of the main contract and its additional licences, summed where events"
        " overlap. Spots that are confirmed already count towards them.",
    )
    csv: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="A profile as text: lines of from,until,accounts with dates as YYYY-MM-DD; a heading is optional.",
    )


@strawberry.input(description="A question to the planner.")
class RecommendInput:
    customer_id: strawberry.ID | None = strawberry.field(
        default=None, description="For whom. Owners may leave it out: it is their own customer."
    )
    demand: DemandInput = strawberry.field(description="What is needed.")
    earliest_start: date | None = strawberry.field(
        default=None, description="No order starts before this day. Left out, it is today."
    )
    months_max: int | None = strawberry.field(default=None, description="The longest spot contract, in months.")
    orders_max: int | None = strawberry.field(default=None, description="The most orders of a plan, 1 to 1000.")
    accounts_per_order_max: int | None = strawberry.field(
        default=None, description="The most accounts of one order; at least one unit's."
    )
    order_fee: int | None = strawberry.field(
        default=None,
        description="What handling one order costs the buyer, in minor units: it is added when plans are compared."
        " The vendor does not charge it.",
    )
    budget: int | None = strawberry.field(
        default=None,
        description="The most that all orders may cost, in minor units without tax, order fees included. The plan is"
        " then the one that leaves the fewest account-days short, and of those the cheapest.",
    )
    include_additional_licences: bool = strawberry.field(
        default=False, description="Whether units until the end of a term may be bought as well as spot contracts."
    )
    seconds: float = strawberry.field(default=2, description="How long the answer may take, 0.05 to 30.")


@strawberry.type(description="The planner's answer: a plan with what was proven about it, or why there is none.")
class Recommendation:
    answer: strawberry.Private[DomainRecommendation]
    status: PlanStatus = strawberry.field(description="What was proven.")
    net_total: Money = strawberry.field(description="The plan's price without tax; 0 when there is no plan.")
    tax: Money = strawberry.field(description="Consumption tax if all is put on one invoice.")
    total: Money = strawberry.field(description="The plan's price with tax.")
    fees: Money = strawberry.field(
        description="The plan's order fees, see `orderFee`; the vendor does not charge them."
    )
    cost: Money = strawberry.field(description="What plans are compared by: netTotal and fees.")
    lower_bound: Money = strawberry.field(
        description="Proven: no plan within the limits costs less. With a budget it is about the plans that leave as"
        " few account-days short, and 0 unless the status is OPTIMAL."
    )
    gap: float = strawberry.field(
        description="How much cheaper an unknown plan could be, as a share of the cost: 0 when nothing is cheaper."
    )
    orders_bound: int = strawberry.field(description="Proven: the cheapest plans have at least so many orders.")
    fewest_proven: bool = strawberry.field(
        description="Whether the plan is proven to be the cheapest, and no other plan of its cost has fewer orders."
    )
    shortfall_account_days: float = strawberry.field(
        description="Accounts missing in spite of the plan, added up over all days. " + WHOLE_NUMBER
    )
    shortfall_bound_account_days: float = strawberry.field(
        description="Proven: no plan within the budget leaves fewer account-days short. " + WHOLE_NUMBER
    )
    contract_version: str = strawberry.field(description="The state of the contract this was computed from.")
    solve_milliseconds: float = strawberry.field(
        description="How long the planner took; of an answer from the cache, how long it took then."
    )
    from_cache: bool = strawberry.field(
        description="Whether the same question had been answered before, for the same state of the contract."
    )

    @property
    def _currency(self) -> str:
        return self.answer.customer.currency

    @strawberry.field(
        description="What to buy, by first day; empty when capacity suffices or there is no plan (see status)."
    )
    def orders(self) -> list[PlannedOrder]:
        outcome = self.answer.outcome
        return [
            planned_order(order, reason, price(charge, self._currency))
            for order, reason, charge in zip(outcome.orders, outcome.reasons, self.answer.order_charges, strict=True)
        ]

    @strawberry.field(
        description="The trade-off between cost and number of orders: for each number, the cheapest known plan."
    )
    def frontier(
        self,
        orders_max: Annotated[
            int | None, strawberry.argument(description="Only the point for at most so many orders.")
        ] = None,
    ) -> list[FrontierPoint]:
        points = self.answer.outcome.frontier
        if orders_max is not None:
            points = tuple(point for point in points if point.orders_max <= orders_max)[-1:]
        return [frontier_point(point, self._currency) for point in points]

    @strawberry.field(description="What simpler ways to buy would cost.")
    def baselines(self) -> list[Baseline]:
        outcome = self.answer.outcome
        return [baseline(item, outcome.net_minor, self._currency) for item in outcome.baselines]

    @strawberry.field(
        description="What additional licences save. Null when they were not asked for, when spot contracts alone do not"
        " cover the demand, or when the amount is too large for Money."
    )
    def spots_only(self) -> SpotsOnly | None:
        outcome = self.answer.outcome
        cost = outcome.spots_only_cost_minor
        shown = None if cost is None else money_or_null(cost, self._currency)
        if shown is None:
            return None
        return SpotsOnly(cost=shown, saving=money(shown.minor_units - outcome.cost_minor, self._currency))

    @strawberry.field(description="Demand and capacity over time.")
    def coverage(self) -> list[CoverageStep]:
        return [
            CoverageStep(
                **days(step.period),
                demand=step.demand,
                capacity_before=step.capacity_before,
                capacity_after=step.capacity_after,
            )
            for step in self.answer.outcome.coverage
        ]

    @strawberry.field(description="When INFEASIBLE, or when the budget does not cover everything: which days, and why.")
    def shortfalls(self) -> list[Shortfall]:
        return [
            Shortfall(**days(item.period), accounts_missing=item.accounts_missing, reason=item.reason)
            for item in self.answer.outcome.shortfalls
        ]

    @strawberry.field(
        description="When INFEASIBLE: a demand that can be covered, with as few account-days less as was found."
    )
    def nearest_demand(self) -> list[DemandStep]:
        steps = self.answer.outcome.nearest_demand
        return [DemandStep(**days(step.period), accounts=step.accounts) for step in steps]

    @strawberry.field(description="What the last unit on the costliest days costs.")
    def peaks(self) -> list[PeakCost]:
        return [
            PeakCost(
                **days(peak.period),
                accounts=peak.accounts,
                accounts_fewer=peak.accounts_fewer,
                cost=money_or_null(peak.net_minor, self._currency),
            )
            for peak in self.answer.outcome.peaks
        ]


def recommend_command(given: RecommendInput) -> RecommendCommand:
    """A question to the planner from its input.

    Raises:
        NotFound: the customer's id is not one.
    """
    customer_id = None
    if given.customer_id is not None:
        customer_id = key_of(given.customer_id, "Customer", "customerId")
    demand = Demand(
        profile=_entries(given.demand.profile),
        events=_entries(given.demand.events),
        csv=given.demand.csv or None,
    )
    return RecommendCommand(
        customer_id=customer_id,
        demand=demand,
        earliest_start=given.earliest_start,
        months_max=given.months_max,
        orders_max=given.orders_max,
        accounts_per_order_max=given.accounts_per_order_max,
        order_fee_minor=given.order_fee or 0,
        budget_minor=given.budget,
        additional_licences=given.include_additional_licences,
        seconds=given.seconds,
    )


def _entries(steps: list[DemandStepInput] | None) -> tuple[DemandEntry, ...] | None:
    # An empty list is a demand without entries, which is refused; only a form that was not given is None.
    if steps is None or steps is strawberry.UNSET:
        return None
    return tuple(DemandEntry(step.from_, step.until, step.accounts) for step in steps)


def recommendation(answer: DomainRecommendation) -> Recommendation:
    """A use case's answer as Recommendation; its lists are mapped when they are asked for."""
    outcome, currency = answer.outcome, answer.customer.currency
    return Recommendation(
        answer=answer,
        status=outcome.status,
        net_total=money(outcome.net_minor, currency),
        tax=money(answer.tax_minor, currency),
        total=money(outcome.net_minor + answer.tax_minor, currency),
        fees=money(outcome.cost_minor - outcome.net_minor, currency),
        cost=money(outcome.cost_minor, currency),
        lower_bound=money(outcome.lower_bound_minor, currency),
        gap=outcome.gap,
        orders_bound=outcome.orders_bound,
        fewest_proven=outcome.fewest_proven,
        shortfall_account_days=outcome.shortfall_account_days,
        shortfall_bound_account_days=outcome.shortfall_bound_account_days,
        contract_version=answer.stored.version_name,
        solve_milliseconds=outcome.solve_milliseconds,
        from_cache=answer.from_cache,
    )
