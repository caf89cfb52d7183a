"""The parts of a recommendation as GraphQL types, each with its mapping."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import strawberry

from domain.money import MINOR_UNITS_MAX
from domain.months import Period
from planner import problem as planning
from planner.problem import BaselineKind, OrderKind, ShortfallReason
from schema.money import Money, Price, money

TOO_LARGE = "Null where the amount is too large for Money."
RUNS_IN_A_SENTENCE = 3


def money_or_null(minor_units: int, currency: str) -> Money | None:
    """An amount of something that is only shown for comparison, so that it may be too large for Money."""
    return money(minor_units, currency) if minor_units <= MINOR_UNITS_MAX else None


@strawberry.type(description="A run of days.")
class DayRange:
    from_: date = strawberry.field(name="from", description="The first day.")
    until: date = strawberry.field(description="The day after the last day.")


@strawberry.type(description="A run of days, and how many accounts are missing on them.")
class Need(DayRange):
    accounts_missing: int = strawberry.field(description="The most accounts missing on one of these days.")


@strawberry.type(description="Accounts needed on every day of a period.")
class DemandStep(DayRange):
    accounts: int = strawberry.field(description="How many accounts.")


@strawberry.type(description="Demand against capacity on a run of days: ready to draw.")
class CoverageStep(DayRange):
    demand: int = strawberry.field(description="Accounts needed.")
    capacity_before: int = strawberry.field(description="Accounts that may be registered without the plan.")
    capacity_after: int = strawberry.field(description="Accounts that may be registered with the plan.")


@strawberry.type(description="Days that stay short, and why.")
class Shortfall(DayRange):
    accounts_missing: int = strawberry.field(description="Accounts missing on each of these days.")
    reason: ShortfallReason = strawberry.field(description="Why they are not covered.")


@strawberry.type(
    description="What the last unit on a run of days costs: what would be saved if a little less were needed there."
)
class PeakCost(DayRange):
    accounts: int = strawberry.field(description="Accounts needed on these days.")
    accounts_fewer: int = strawberry.field(
        description="With so many accounts less needed on each of these days, one unit less is missing there."
    )
    cost: Money | None = strawberry.field(
        description="What the cheapest plan without limits on orders would then cost less, without tax. " + TOO_LARGE
    )


@strawberry.type(description="What to buy: a spot contract or an additional licence.")
class OrderItems:
    accounts: int = strawberry.field(description="Extra accounts.")
    units: int = strawberry.field(description="Extra licence units.")
    starts_on: date = strawberry.field(description="The first day.")
    ends_before: date = strawberry.field(description="The day after the last day.")
    last_day: date = strawberry.field(description="The last day.")
    kind: OrderKind = strawberry.field(description="A spot contract, or an additional licence.")
    months: int | None = strawberry.field(
        description="Whole months. Null for an additional licence, which runs to its term's end."
    )


@strawberry.type(description="An order of a plan.")
class PlannedOrder(OrderItems):
    price: Price = strawberry.field(description="What it costs, ordered by itself.")
    reason: str = strawberry.field(description="Why it is in the plan, in English.")
    serves: list[Need] = strawberry.field(description="Its days that are short without the plan.")
    uncovered: list[Need] = strawberry.field(description="What one unit less of this order would leave short.")
    needed_on: list[DayRange] = strawberry.field(description="The days of `uncovered`.")


@strawberry.type(description="An order of one of the frontier's plans.")
class FrontierOrder(OrderItems):
    net: Money | None = strawberry.field(description="What it costs, without tax. " + TOO_LARGE)


@strawberry.type(description="The cheapest known plan with at most so many orders.")
class FrontierPoint:
    orders_max: int = strawberry.field(description="At most so many orders.")
    net_total: Money | None = strawberry.field(description="The plan's price, without tax. " + TOO_LARGE)
    fees: Money | None = strawberry.field(description="Its order fees, see `orderFee`. " + TOO_LARGE)
    cost: Money | None = strawberry.field(description="Price and order fees. " + TOO_LARGE)
    lower_bound: Money | None = strawberry.field(
        description="Proven: with so many orders, no plan's price and order fees are less. " + TOO_LARGE
    )
    proven: bool = strawberry.field(description="Whether the cost is the lower bound: nothing is cheaper.")
    gap: float = strawberry.field(
        description="How much cheaper an unknown plan could be, as a share of the cost: 0 when proven."
    )
    point: strawberry.Private[planning.FrontierPoint]
    currency: strawberry.Private[str]

    @strawberry.field(description="The plan, by first day.")
    def orders(self) -> list[FrontierOrder]:
        return [
            FrontierOrder(**items(order), net=money_or_null(order.net_minor, self.currency))
            for order in self.point.orders
        ]


@strawberry.type(description="What a simpler way to buy would cost.")
class Baseline:
    kind: BaselineKind = strawberry.field(description="How it buys.")
    orders_count: int | None = strawberry.field(
        description="How many orders it takes. Null where it does not fit into the contract."
    )
    net_total: Money | None = strawberry.field(
        description="Its price without tax. Null where it does not fit into the contract, or the amount is too large."
    )
    saving: Money | None = strawberry.field(
        description="How much lower the plan's price is, without tax. Null where netTotal is."
    )


@strawberry.type(description="The best plan that was found without additional licences, for comparison.")
class SpotsOnly:
    cost: Money = strawberry.field(description="Its price and order fees, without tax.")
    saving: Money = strawberry.field(description="What the recommended plan costs less.")


def items(order: planning.PlannedOrder) -> dict[str, Any]:
    """The fields of OrderItems."""
    return {
        "accounts": order.accounts,
        "units": order.units,
        "starts_on": order.period.starts_on,
        "ends_before": order.period.ends_before,
        "last_day": order.period.last_day,
        "kind": order.kind,
        "months": order.months,
    }


def planned_order(order: planning.PlannedOrder, reason: planning.Reason, cost: Price) -> PlannedOrder:
    """An order of the recommended plan."""
    return PlannedOrder(
        **items(order),
        price=cost,
        reason=sentence(reason),
        serves=needs(reason.serves),
        uncovered=needs(reason.uncovered),
        needed_on=[DayRange(**days(need.period)) for need in reason.uncovered],
    )


def needs(of: Iterable[planning.Need]) -> list[Need]:
    """Runs of days with what is missing on them."""
    return [Need(**days(need.period), accounts_missing=need.accounts_missing) for need in of]


def days(period: Period) -> dict[str, Any]:
    """The fields of DayRange."""
    return {"from_": period.starts_on, "until": period.ends_before}


def frontier_point(point: planning.FrontierPoint, currency: str) -> FrontierPoint:
    """A point of the frontier; its orders are mapped when they are asked for."""
    net_minor = point.net_minor
    return FrontierPoint(
        orders_max=point.orders_max,
        net_total=money_or_null(net_minor, currency),
        fees=money_or_null(point.cost_minor - net_minor, currency),
        cost=money_or_null(point.cost_minor, currency),
        lower_bound=money_or_null(point.lower_bound_minor, currency),
        proven=point.proven,
        gap=(point.cost_minor - point.lower_bound_minor) / point.cost_minor if point.cost_minor else 0.0,
        point=point,
        currency=currency,
    )


def baseline(item: planning.Baseline, plan_net_minor: int, currency: str) -> Baseline:
    """A simpler purchase, compared with the plan."""
    net_minor = item.net_minor
    net_total = None if net_minor is None else money_or_null(net_minor, currency)
    return Baseline(
        kind=item.kind,
        orders_count=len(item.orders) if item.orders is not None else None,
        net_total=net_total,
        saving=money(net_total.minor_units - plan_net_minor, currency) if net_total is not None else None,
    )


def sentence(reason: planning.Reason) -> str:
    """A reason in words.

    Such as "It serves 2026-05-01 to 2026-06-30, which would be up to 200 accounts short without the plan; one
    unit less would leave 2026-05-01 to 2026-06-04 up to 100 accounts short."
    """
    serves = f"It serves {_runs(reason.serves)}, which would be {_short(reason.serves)} without the plan"
    if not reason.uncovered:
        return f"{serves}; one unit less would leave nothing short."
    return f"{serves}; one unit less would leave {_runs(reason.uncovered)} {_short(reason.uncovered)}."


def _short(of: Sequence[planning.Need]) -> str:
    most = max((need.accounts_missing for need in of), default=0)
    return f"up to {most} account{'' if most == 1 else 's'} short"


def _runs(of: Sequence[planning.Need]) -> str:
    """Days in words: "2026-05-01, 2026-06-01 to 2026-06-04 and 2026-07-01"; the first few of many."""
    runs = [_run(need.period) for need in of[:RUNS_IN_A_SENTENCE]]
    hidden = len(of) - len(runs)
    if hidden:
        runs.append(f"{hidden} more run{'' if hidden == 1 else 's'} of days")
    return " and ".join(filter(None, (", ".join(runs[:-1]), runs[-1]))) if runs else "no day"


def _run(period: Period) -> str:
    return str(period.starts_on) if period.days == 1 else f"{period.starts_on} to {period.last_day}"
