"""What the planner is asked and what it answers: plain frozen values, safe to send between processes."""

import copyreg
from dataclasses import dataclass, fields, replace
from datetime import date
from enum import StrEnum
from itertools import pairwise
from operator import attrgetter
from typing import Any

from domain.contracts import MainContract
from domain.errors import (
    AccountsPerOrderTooFew,
    BudgetOutOfRange,
    EarliestStartInThePast,
    HorizonTooLong,
    MonthsOutOfRange,
    OrderFeeOutOfRange,
    OrdersMaxOutOfRange,
)
from domain.money import MINOR_UNITS_MAX
from domain.months import MONTHS_MAX, Period

HORIZON_DAYS_MAX = 3_700
"""Ten years: about 220,000 offers, the most that one problem may have."""
ORDERS_MAX = 1_000
"""The largest limit on the number of orders that can be asked for."""


@dataclass(frozen=True, slots=True)
class DemandStep:
    """Total accounts needed on every day of a period."""

    period: Period
    accounts: int


@dataclass(frozen=True, slots=True)
class PlanningProblem:
    """A capacity profile to be reached inside a main contract.

    ``demand`` is sorted and does not overlap; days between steps need nothing. Capacity that is there already
    (terms, additional licences, confirmed spots) is the contract's. No order starts before
    ``earliest_start``, which is never before ``today``, or runs for more than ``months_max`` months.

    The options combine. At most ``orders_max`` orders, each of at most ``accounts_per_order_max`` accounts;
    ``order_fee_minor`` is what handling one order costs the buyer, added to prices when plans are compared.
    ``budget_minor`` asks for the most useful plan whose prices and fees stay within it: the smallest
    shortfall in account-days, then the lowest cost. With ``additional_licences`` units until a term's end may
    be bought as well.

    Raises:
        HorizonTooLong, MonthsOutOfRange, EarliestStartInThePast, OrdersMaxOutOfRange, AccountsPerOrderTooFew,
        OrderFeeOutOfRange, BudgetOutOfRange: with the numbers.
        ValueError: there is no demand, steps overlap or are out of order, demand is negative.
    """

    contract: MainContract
    demand: tuple[DemandStep, ...]
    today: date
    earliest_start: date
    months_max: int | None = None
    orders_max: int | None = None
    accounts_per_order_max: int | None = None
    order_fee_minor: int = 0
    budget_minor: int | None = None
    additional_licences: bool = False

    def __post_init__(self) -> None:
        if not self.demand:
            raise ValueError("there is no demand")
        for earlier, later in pairwise(self.demand):
            if earlier.period.ends_before > later.period.starts_on:
                raise ValueError(f"demand steps overlap or are out of order: {earlier.period}, {later.period}")
        if any(step.accounts < 0 for step in self.demand):
            raise ValueError("demand is negative")
        if self.earliest_start < self.today:
            raise EarliestStartInThePast(earliest_start=self.earliest_start, today=self.today)
        if self.months_max is not None and not 1 <= self.months_max <= MONTHS_MAX:
            raise MonthsOutOfRange(field="monthsMax", months=self.months_max, months_max=MONTHS_MAX)
        days = (self.contract.ends_before - max(self.earliest_start, self.contract.starts_on)).days
        if days > HORIZON_DAYS_MAX:
            raise HorizonTooLong(days=days, days_max=HORIZON_DAYS_MAX)
        self._check_options()

    def _check_options(self) -> None:
        if self.orders_max is not None and not 1 <= self.orders_max <= ORDERS_MAX:
            raise OrdersMaxOutOfRange(orders_max=self.orders_max, orders_max_limit=ORDERS_MAX)
        unit = self.contract.accounts_per_unit
        if self.accounts_per_order_max is not None and self.accounts_per_order_max < unit:
            raise AccountsPerOrderTooFew(accounts_per_order_max=self.accounts_per_order_max, accounts_per_unit=unit)
        if not 0 <= self.order_fee_minor <= MINOR_UNITS_MAX:
            raise OrderFeeOutOfRange(order_fee=self.order_fee_minor, order_fee_max=MINOR_UNITS_MAX)
        if self.budget_minor is not None and not 0 <= self.budget_minor <= MINOR_UNITS_MAX:
            raise BudgetOutOfRange(budget=self.budget_minor, budget_max=MINOR_UNITS_MAX)

    @property
    def units_per_order_max(self) -> int | None:
        """The most units of one order; None without a limit."""
        most = self.accounts_per_order_max
        return None if most is None else most // self.contract.accounts_per_unit

    def without_limits(self) -> "PlanningProblem":
        """The same demand and offers, however many orders, whatever they hold and cost."""
        return replace(self, orders_max=None, accounts_per_order_max=None, order_fee_minor=0, budget_minor=None)

    def without_budget(self) -> "PlanningProblem":
        """The same, for plans of any number of orders and any cost: those of a frontier."""
        return replace(self, orders_max=None, budget_minor=None)

    @property
    def window(self) -> Period:
        return Period(self.demand[0].period.starts_on, self.demand[-1].period.ends_before)


class PlanStatus(StrEnum):
    """What was proven about an answer."""

    OPTIMAL = "OPTIMAL"
    FEASIBLE = "FEASIBLE"
    INFEASIBLE = "INFEASIBLE"
    NO_PLAN_IN_TIME = "NO_PLAN_IN_TIME"


class OrderKind(StrEnum):
    """What is bought: a spot contract, or an additional licence until the end of its term."""

    SPOT = "SPOT"
    ADDITIONAL_LICENCE = "ADDITIONAL_LICENCE"


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """One order to place. ``net_minor`` is its price without tax; ``months`` is None for a licence."""

    period: Period
    months: int | None
    units: int
    accounts: int
    net_minor: int
    kind: OrderKind = OrderKind.SPOT


@dataclass(frozen=True, slots=True)
class Need:
    """A run of days and the most accounts that are missing on one of them."""

    period: Period
    accounts_missing: int


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an order is in the plan.

    ``serves``: the runs of its days on which capacity before the plan is short. ``uncovered``: what one unit
    less of it would leave short.
    """

    serves: tuple[Need, ...]
    uncovered: tuple[Need, ...]

    @property
    def accounts_missing(self) -> int:
        """What capacity before the plan lacks on the worst of the order's days."""
        return max((need.accounts_missing for need in self.serves), default=0)


@dataclass(frozen=True, slots=True)
class PeakCost:
    """What the last unit on a run of days costs.

    With ``accounts_fewer`` accounts less needed on each day of ``period`` one unit less is missing there, and
    the cheapest plan without limits on orders costs ``net_minor`` less. ``accounts`` is the demand there.
    """

    period: Period
    accounts: int
    accounts_fewer: int
    net_minor: int


class BaselineKind(StrEnum):
    """Simpler ways to buy, to compare a plan with."""

    PEAK_FOR_WHOLE_SPAN = "PEAK_FOR_WHOLE_SPAN"
    ONE_ORDER_PER_DEMAND_STEP = "ONE_ORDER_PER_DEMAND_STEP"
    MONTH_BY_MONTH = "MONTH_BY_MONTH"


@dataclass(frozen=True, slots=True)
class Baseline:
    """A simpler purchase; ``orders`` is None where it does not fit into the contract."""

    kind: BaselineKind
    orders: tuple[PlannedOrder, ...] | None

    @property
    def net_minor(self) -> int | None:
        return None if self.orders is None else sum(order.net_minor for order in self.orders)


@dataclass(frozen=True, slots=True)
class CoverageStep:
    """Demand against capacity, before and after the plan, on a run of days; in accounts."""

    period: Period
    demand: int
    capacity_before: int
    capacity_after: int


class ShortfallReason(StrEnum):
    """Why a day stays short."""

    OUTSIDE_CONTRACT = "OUTSIDE_CONTRACT"
    IN_THE_PAST = "IN_THE_PAST"
    BEFORE_EARLIEST_START = "BEFORE_EARLIEST_START"
    LESS_THAN_A_MONTH_LEFT = "LESS_THAN_A_MONTH_LEFT"
    ORDERS_LIMITED = "ORDERS_LIMITED"
    OVER_BUDGET = "OVER_BUDGET"


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Days that stay short, and the accounts missing on each of them."""

    period: Period
    accounts_missing: int
    reason: ShortfallReason


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """The cheapest known plan with at most ``orders_max`` orders.

    ``cost_minor`` is its prices and order fees; no plan with so many orders costs less than
    ``lower_bound_minor``.
    """

    orders_max: int
    orders: tuple[PlannedOrder, ...]
    cost_minor: int
    lower_bound_minor: int

    @property
    def net_minor(self) -> int:
        return sum(order.net_minor for order in self.orders)

    @property
    def proven(self) -> bool:
        return self.cost_minor == self.lower_bound_minor


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer: a verified plan with what was proven about it, or why there is none.

    ``cost_minor`` is the plan's prices and order fees, and ``lower_bound_minor`` a proven bound: no plan costs
    less. ``orders_bound`` is a proven bound on the number of orders of the cheapest plans. With a budget,
    the shortfall is what is minimised: ``shortfall_account_days``, and its proven bound; the bound of the cost
    holds among the plans of that shortfall only if the status is OPTIMAL, and is 0 otherwise.

    Orders are sorted by start, then end; their reasons stand in the same places. ``spots_only_cost_minor`` is
    the cost of the best plan found without additional licences where these were allowed; None where spots
    alone cover not everything. ``nearest_demand`` is, when INFEASIBLE, the demand with as few account-days
    less as was found to be coverable.
    """

    status: PlanStatus
    orders: tuple[PlannedOrder, ...] = ()
    reasons: tuple[Reason, ...] = ()
    cost_minor: int = 0
    lower_bound_minor: int = 0
    orders_bound: int = 0
    frontier: tuple[FrontierPoint, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    coverage: tuple[CoverageStep, ...] = ()
    shortfalls: tuple[Shortfall, ...] = ()
    shortfall_account_days: int = 0
    shortfall_bound_account_days: int = 0
    nearest_demand: tuple[DemandStep, ...] = ()
    peaks: tuple[PeakCost, ...] = ()
    spots_only_cost_minor: int | None = None
    solve_milliseconds: float = 0.0

    @property
    def net_minor(self) -> int:
        return sum(order.net_minor for order in self.orders)

    @property
    def gap(self) -> float:
        """How much cheaper an unknown plan could be, as a share of this one's cost: 0 when proven optimal."""
        return (self.cost_minor - self.lower_bound_minor) / self.cost_minor if self.cost_minor else 0.0

    @property
    def fewest_proven(self) -> bool:
        """Whether no other plan of this cost has fewer orders."""
        return self.status is PlanStatus.OPTIMAL and self.orders_bound == len(self.orders)


def _pickle_as_call(kind: type[Any]) -> None:
    """Have values of a frozen dataclass pickled as the call that makes them.

    By itself it sets one field after the other in Python, which takes more than twice the time, and while the server
    reads an outcome it answers nobody else.
    """
    arguments = attrgetter(*(field.name for field in fields(kind)))
    copyreg.pickle(kind, lambda value: (kind, arguments(value)))


for _kind in (
    Period,
    DemandStep,
    PlannedOrder,
    Need,
    Reason,
    PeakCost,
    Baseline,
    CoverageStep,
    Shortfall,
    FrontierPoint,
    Outcome,
):
    _pickle_as_call(_kind)
