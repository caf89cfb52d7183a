"""What the planner is asked and what it answers: plain frozen values, safe to send between processes."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import pairwise

from domain.contracts import MainContract
from domain.errors import EarliestStartInThePast, HorizonTooLong, MonthsOutOfRange
from domain.months import MONTHS_MAX, Period

HORIZON_DAYS_MAX = 3_700
"""Ten years: about 220,000 offers, the most that one problem may have."""


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

    Raises:
        HorizonTooLong, MonthsOutOfRange, EarliestStartInThePast: with the numbers.
        ValueError: there is no demand, steps overlap or are out of order, demand is negative.
    """

    contract: MainContract
    demand: tuple[DemandStep, ...]
    today: date
    earliest_start: date
    months_max: int | None = None

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

    @property
    def window(self) -> Period:
        return Period(self.demand[0].period.starts_on, self.demand[-1].period.ends_before)


class PlanStatus(StrEnum):
    """What was proven about an answer."""

    OPTIMAL = "OPTIMAL"
    FEASIBLE = "FEASIBLE"
    INFEASIBLE = "INFEASIBLE"
    NO_PLAN_IN_TIME = "NO_PLAN_IN_TIME"


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """One spot contract to buy. ``net_minor`` is its price without tax."""

    period: Period
    months: int
    units: int
    accounts: int
    net_minor: int


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an order is in the plan: the days that one unit less of it would leave short.

    ``accounts_missing`` is what capacity before the plan lacks on the worst of the order's days.
    """

    needed: tuple[Period, ...]
    accounts_missing: int


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
    """Why no order can cover a day."""

    OUTSIDE_CONTRACT = "OUTSIDE_CONTRACT"
    IN_THE_PAST = "IN_THE_PAST"
    BEFORE_EARLIEST_START = "BEFORE_EARLIEST_START"
    LESS_THAN_A_MONTH_LEFT = "LESS_THAN_A_MONTH_LEFT"


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Days that nothing on offer covers, and the accounts missing on each of them."""

    period: Period
    accounts_missing: int
    reason: ShortfallReason


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """The cheapest known cost with at most ``orders_max`` orders; ``proven`` if nothing is cheaper."""

    orders_max: int
    net_minor: int
    proven: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer: a verified plan with what was proven about it, or why there is none.

    ``lower_bound_minor`` is a proven bound: no plan is cheaper. Orders are sorted by start, then end; their
    reasons stand in the same places.
    """

    status: PlanStatus
    orders: tuple[PlannedOrder, ...] = ()
    reasons: tuple[Reason, ...] = ()
    lower_bound_minor: int = 0
    frontier: tuple[FrontierPoint, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    coverage: tuple[CoverageStep, ...] = ()
    shortfalls: tuple[Shortfall, ...] = ()
    solve_milliseconds: float = 0.0

    @property
    def net_minor(self) -> int:
        return sum(order.net_minor for order in self.orders)

    @property
    def gap(self) -> float:
        """How much cheaper an unknown plan could be, as a share of this one's cost: 0 when proven optimal."""
        return (self.net_minor - self.lower_bound_minor) / self.net_minor if self.net_minor else 0.0
