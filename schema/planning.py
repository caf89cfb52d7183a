"""Recommendations: the question to the planner and its answer."""

from collections.abc import Iterable
from datetime import date

import strawberry

from domain.money import MINOR_UNITS_MAX
from domain.months import Period
from planner.demand import DemandEntry
from planner.problem import Baseline as DomainBaseline
from planner.problem import BaselineKind, OrderKind, PlanStatus, Reason, ShortfallReason
from planner.problem import PlannedOrder as DomainPlannedOrder
from resolvers.recommend import Demand, RecommendCommand
from resolvers.recommend import Recommendation as DomainRecommendation
from schema.money import Money, Price, money, price
from schema.relay import key_of


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
    months_max: int | None = strawberry.field(default=None, description="The longest order, in months.")
    earliest_start: date | None = strawberry.field(
        default=None, description="No order starts before this day. Left out, it is today."
    )
    seconds: float = strawberry.field(default=2, description="How long the answer may take, 0.05 to 30.")


@strawberry.type(description="A run of days.")
class DayRange:
    from_: date = strawberry.field(name="from", description="The first day.")
    until: date = strawberry.field(description="The day after the last day.")


@strawberry.type(description="A spot contract to buy.")
class PlannedOrder:
    accounts: int = strawberry.field(description="Extra accounts.")
    units: int = strawberry.field(description="Extra licence units.")
    starts_on: date = strawberry.field(description="The first day.")
    ends_before: date = strawberry.field(description="The day after the last day.")
    last_day: date = strawberry.field(description="The last day.")
    kind: OrderKind = strawberry.field(description="A spot contract, or an additional licence.")
    months: int | None = strawberry.field(
        description="Whole months. Null for an additional licence, which runs to its term's end."
    )
    price: Price = strawberry.field(description="What it costs, ordered by itself.")
    reason: str = strawberry.field(description="Why it is in the plan, in English.")
    needed_on: list[DayRange] = strawberry.field(
        description="The days that one unit less of this order would leave short."
    )


@strawberry.type(description="The cheapest cost with at most so many orders.")
class FrontierPoint:
    orders_max: int = strawberry.field(description="At most so many orders.")
    net_total: Money = strawberry.field(description="The cheapest known cost, without tax.")
    proven: bool = strawberry.field(description="Whether nothing is cheaper with so many orders.")


@strawberry.type(description="What a simpler way to buy would cost.")
class Baseline:
    kind: BaselineKind = strawberry.field(description="How it buys.")
    orders_count: int | None = strawberry.field(
        description="How many orders it takes. Null where it does not fit into the contract."
    )
    net_total: Money | None = strawberry.field(
        description="Its cost without tax. Null where it does not fit into the contract, or the amount is too large."
    )
    saving: Money | None = strawberry.field(
        description="What the plan saves against it, without tax. Null where netTotal is."
    )


@strawberry.type(description="Demand against capacity on a run of days: ready to draw.")
class CoverageStep:
    from_: date = strawberry.field(name="from", description="The first day.")
    until: date = strawberry.field(description="The day after the last day.")
    demand: int = strawberry.field(description="Accounts needed.")
    capacity_before: int = strawberry.field(description="Accounts that may be registered without the plan.")
    capacity_after: int = strawberry.field(description="Accounts that may be registered with the plan.")


@strawberry.type(description="Days that nothing on offer covers.")
class Shortfall:
    from_: date = strawberry.field(name="from", description="The first day.")
    until: date = strawberry.field(description="The day after the last day.")
    accounts_missing: int = strawberry.field(description="Accounts missing on each of these days.")
    reason: ShortfallReason = strawberry.field(description="Why nothing covers them.")


@strawberry.type(description="The planner's answer: a plan with what was proven about it, or why there is none.")
class Recommendation:
    status: PlanStatus = strawberry.field(description="What was proven.")
    orders: list[PlannedOrder] = strawberry.field(
        description="What to buy, by first day; empty when capacity suffices or there is no plan (see status)."
    )
    net_total: Money = strawberry.field(description="The plan's cost without tax; 0 when there is no plan.")
    tax: Money = strawberry.field(description="Consumption tax if all is put on one invoice.")
    total: Money = strawberry.field(description="The plan's cost with tax.")
    lower_bound: Money = strawberry.field(description="Proven: no plan costs less than this, without tax.")
    gap: float = strawberry.field(
        description="How much cheaper an unknown plan could be, as a share of netTotal: 0 when optimal."
    )
    frontier: list[FrontierPoint] = strawberry.field(
        description="The trade-off between cost and number of orders: the points that are known."
    )
    baselines: list[Baseline] = strawberry.field(description="What simpler ways to buy would cost.")
    coverage: list[CoverageStep] = strawberry.field(description="Demand and capacity over time.")
    shortfalls: list[Shortfall] = strawberry.field(description="When INFEASIBLE: which days, and why.")
    contract_version: str = strawberry.field(description="The state of the contract this was computed from.")
    solve_milliseconds: float = strawberry.field(description="How long the planner took.")


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
    return RecommendCommand(customer_id, demand, given.months_max, given.earliest_start, given.seconds)


def _entries(steps: list[DemandStepInput] | None) -> tuple[DemandEntry, ...] | None:
    # An empty list is a demand without entries, which is refused; only a form that was not given is None.
    if steps is None or steps is strawberry.UNSET:
        return None
    return tuple(DemandEntry(step.from_, step.until, step.accounts) for step in steps)


def recommendation(answer: DomainRecommendation) -> Recommendation:
    """A use case's answer as Recommendation."""
    outcome, currency = answer.outcome, answer.customer.currency
    return Recommendation(
        status=outcome.status,
        orders=[
            _planned_order(order, reason, price(charge, currency))
            for order, reason, charge in zip(outcome.orders, outcome.reasons, answer.order_charges, strict=True)
        ],
        net_total=money(answer.net_minor, currency),
        tax=money(answer.tax_minor, currency),
        total=money(answer.net_minor + answer.tax_minor, currency),
        lower_bound=money(outcome.lower_bound_minor, currency),
        gap=outcome.gap,
        frontier=[
            FrontierPoint(orders_max=point.orders_max, net_total=money(point.net_minor, currency), proven=point.proven)
            for point in outcome.frontier
        ],
        baselines=[_baseline(item, answer.net_minor, currency) for item in outcome.baselines],
        coverage=[
            CoverageStep(
                from_=step.period.starts_on,
                until=step.period.ends_before,
                demand=step.demand,
                capacity_before=step.capacity_before,
                capacity_after=step.capacity_after,
            )
            for step in outcome.coverage
        ],
        shortfalls=[
            Shortfall(
                from_=item.period.starts_on,
                until=item.period.ends_before,
                accounts_missing=item.accounts_missing,
                reason=item.reason,
            )
            for item in outcome.shortfalls
        ],
        contract_version=answer.stored.version_name,
        solve_milliseconds=outcome.solve_milliseconds,
    )


def _planned_order(order: DomainPlannedOrder, reason: Reason, cost: Price) -> PlannedOrder:
    return PlannedOrder(
        accounts=order.accounts,
        units=order.units,
        starts_on=order.period.starts_on,
        ends_before=order.period.ends_before,
        last_day=order.period.last_day,
        kind=order.kind,
        months=order.months,
        price=cost,
        reason=_sentence(reason),
        needed_on=[DayRange(from_=need.period.starts_on, until=need.period.ends_before) for need in reason.uncovered],
    )


def _sentence(reason: Reason) -> str:
    """A reason in words, such as "Up to 230 accounts are missing; one unit less leaves 2026-05-01 short."."""
    missing = f"Up to {reason.accounts_missing} accounts are missing in its period"
    needed = [need.period for need in reason.uncovered]
    if not needed:
        return f"{missing}."
    shown = _days(needed[:3])
    more = f" and {len(needed) - 3} more runs of days" if len(needed) > 3 else ""
    return f"{missing}; one unit less would leave {shown}{more} short."


def _days(periods: Iterable[Period]) -> str:
    return ", ".join(
        str(period.starts_on) if period.days == 1 else f"{period.starts_on} to {period.last_day}" for period in periods
    )


def _baseline(item: DomainBaseline, net_minor: int, currency: str) -> Baseline:
    net = item.net_minor if item.net_minor is not None and item.net_minor <= MINOR_UNITS_MAX else None
    return Baseline(
        kind=item.kind,
        orders_count=len(item.orders) if item.orders is not None else None,
        net_total=money(net, currency) if net is not None else None,
        saving=money(net - net_minor, currency) if net is not None else None,
    )
